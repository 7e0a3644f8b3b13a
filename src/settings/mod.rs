//! Settings, each said once.
//!
//! A table of `settings!` gives the name, type, default, range, unit and meaning of every setting
//! of a section. From it come the section's struct, its `Default`, its reading and writing, the
//! check of its ranges and the tables of `docs/configuration.md`. `names!` does the same for
//! settings that are names.

mod limits;
mod plain;
mod read;
mod value;

pub use limits::{Fraction, Limits, Positive, Share};
pub use plain::Plain;
pub use read::{Names, Reader, Unread, Wanted, deserialize};
pub use value::{Held, Value};

/// One setting with the value that it has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setting {
    /// Keys from the root to it, such as `bars.timeframes`.
    pub path: String,
    /// Its own key.
    pub name: &'static str,
    /// Type, in words.
    pub kind: String,
    /// Unit; empty for a plain number or a name.
    pub unit: &'static str,
    /// Values that are allowed, in words.
    pub range: String,
    /// The value, as the file spells it.
    pub value: String,
    /// Meaning, in Markdown.
    pub meaning: String,
    /// Reason for which the value is out of range.
    pub refusal: Option<OutOfRange>,
}

/// A value that is out of its range.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutOfRange {
    /// Requirement, such as `from 1 to 10 contracts`.
    pub demand: String,
    /// The value.
    pub value: String,
}

/// A group of settings.
pub trait Section: Held {
    /// Tells `each` every setting below `path`, which is empty for the root, in the order of its
    /// table.
    fn visit(&self, path: &str, each: &mut dyn FnMut(Setting));
}

impl<S: Section> Section for Option<S> {
    fn visit(&self, path: &str, each: &mut dyn FnMut(Setting)) {
        if let Some(section) = self {
            section.visit(path, each);
        }
    }
}

impl<S: Section> Section for Vec<S> {
    fn visit(&self, path: &str, each: &mut dyn FnMut(Setting)) {
        for (index, section) in self.iter().enumerate() {
            section.visit(&format!("{path}[{index}]"), each);
        }
    }
}

/// One line of a table.
pub struct TableRow<'a, T> {
    /// Its own key.
    pub name: &'static str,
    /// Its range; the type's if absent.
    pub limits: Option<&'a dyn Limits<T>>,
    /// Its unit.
    pub unit: &'static str,
    /// Its doc comment, line by line.
    pub meaning: &'a [&'a str],
}

impl<T> std::fmt::Debug for TableRow<'_, T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (name, unit) = (self.name, self.unit);
        f.debug_struct("Row").field("name", &name).field("unit", &unit).finish_non_exhaustive()
    }
}

impl<T: Value> TableRow<'_, T> {
    /// The setting below `path` with its value.
    pub fn setting(self, path: &str, value: &T) -> Setting {
        let names = T::names();
        let separator = if names.is_empty() { "" } else { " " };
        Setting {
            path: join(path, self.name),
            name: self.name,
            kind: T::kind(),
            unit: self.unit,
            range: self.limits.map_or_else(T::range, |limits| limits.words()),
            value: value.plain().to_string(),
            meaning: format!("{}{separator}{names}", self.meaning.concat().trim()),
            refusal: self.limits.and_then(|limits| limits.refuses(value, self.unit)),
        }
    }
}

/// The path of the key `name` below `path`.
pub fn join(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") }
}

/// A section of the configuration: a setting a line, as `name: Type = default, range, "unit";`
/// below its doc comment. Range and unit may be left out. A line without a default is a section of
/// its own. In a table without any default, `name: Type = else "word"` has a word instead:
/// `required`, or the type's default. After the table, `beside` adds a field that is no setting.
macro_rules! settings {
    (@default) => { Default::default() };
    (@default $default:expr) => { $default };

    (@limits) => { None };
    (@limits $limits:expr) => { Some(&$limits) };

    (@unit) => { "" };
    (@unit $unit:literal) => { $unit };

    (@read $from:ident) => { $crate::settings::Held::read($from) };
    (@read $from:ident $default:expr) => { $crate::settings::Value::read_setting($from) };

    (@visit $self:ident $path:ident $each:ident $name:ident [$($doc:literal)+]) => {
        $crate::settings::Section::visit(
            &$self.$name,
            &$crate::settings::join($path, stringify!($name)),
            $each,
        )
    };
    (@visit $self:ident $path:ident $each:ident $name:ident [$($doc:literal)+]
        $default:expr $(, $limits:expr $(, $unit:literal)?)?) => {
        $each($crate::settings::TableRow {
            name: stringify!($name),
            limits: $crate::settings::settings!(@limits $($limits)?),
            unit: $crate::settings::settings!(@unit $($($unit)?)?),
            meaning: &[$($doc),+],
        }.setting($path, &$self.$name))
    };

    (
        $(#[$outer:meta])*
        pub struct $Section:ident {
            $(
                $(#[doc = $doc:literal])+
                pub $name:ident : $Type:ty
                    = else $absent:tt $(, $limits:expr $(, $unit:literal)?)? ;
            )+
        }
    ) => {
        $(#[$outer])*
        #[derive(Clone, Debug, PartialEq)]
        pub struct $Section {
            $(
                $(#[doc = $doc])+
                pub $name: $Type,
            )+
        }

        $crate::settings::record!($Section { $($name: $absent),+ });

        impl $crate::settings::Section for $Section {
            fn visit(&self, path: &str, each: &mut dyn FnMut($crate::settings::Setting)) {
                $(
                    $crate::settings::settings!(
                        @visit self path each $name [$($doc)+] $absent $(, $limits $(, $unit)?)?
                    );
                )+
            }
        }
    };

    (
        $(#[$outer:meta])*
        pub struct $Section:ident {
            $(
                $(#[doc = $doc:literal])+
                pub $name:ident : $Type:ty $(= $default:expr $(, $limits:expr $(, $unit:literal)?)?)?;
            )+
        }
        $(
            beside
            $(#[doc = $beside_doc:literal])+
            $visibility:vis $beside:ident : $Beside:ty;
        )?
    ) => {
        $(#[$outer])*
        #[derive(Clone, Debug, PartialEq)]
        pub struct $Section {
            $(
                $(#[doc = $doc])+
                $(#[doc = concat!(
                    "\n\nDefault `", stringify!($default), "`"
                    $(, "; range `", stringify!($limits), "`" $(, " ", $unit)?)?, "."
                )])?
                pub $name: $Type,
            )+
            $(
                $(#[doc = $beside_doc])+
                $visibility $beside: $Beside,
            )?
        }

        impl Default for $Section {
            fn default() -> $Section {
                $Section {
                    $($name: $crate::settings::settings!(@default $($default)?),)+
                    $($beside: Default::default(),)?
                }
            }
        }

        impl $crate::settings::Held for $Section {
            fn read(
                from: &mut dyn $crate::settings::Reader,
            ) -> Result<$Section, $crate::settings::Unread> {
                let mut section = $Section::default();
                from.section(&[$(stringify!($name)),+], &[], &mut |key, from| {
                    match key {
                        $(stringify!($name) => {
                            section.$name =
                                $crate::settings::settings!(@read from $($default)?)?;
                        })+
                        _ => unreachable!("only keys of the table are read"),
                    }
                    Ok(())
                })?;
                Ok(section)
            }

            fn plain(&self) -> $crate::settings::Plain {
                $crate::settings::Plain::Section(vec![
                    $((stringify!($name), $crate::settings::Held::plain(&self.$name))),+
                ])
            }
        }

        $crate::settings::through_serde!($Section);

        impl $crate::settings::Section for $Section {
            fn visit(&self, path: &str, each: &mut dyn FnMut($crate::settings::Setting)) {
                $($crate::settings::settings!(
                    @visit self path each $name [$($doc)+]
                    $($default $(, $limits $(, $unit)?)?)?
                );)+
            }
        }
    };
}

/// A struct whose keys are `"required"`, or have their type's default, by any other word. Null is
/// not written.
macro_rules! record {
    (@absent "required") => { None };
    (@absent $absent:literal) => { Some(Default::default()) };

    (@list [$($required:expr),*]) => { &[$($required),*] };
    (@list [$($required:expr),*] $name:ident "required" $($rest:tt)*) => {
        $crate::settings::record!(@list [$($required,)* stringify!($name)] $($rest)*)
    };
    (@list [$($required:expr),*] $name:ident $absent:tt $($rest:tt)*) => {
        $crate::settings::record!(@list [$($required),*] $($rest)*)
    };

    ($Record:ident { $($name:ident : $absent:tt),+ $(,)? }) => {
        impl $crate::settings::Held for $Record {
            fn read(
                from: &mut dyn $crate::settings::Reader,
            ) -> Result<$Record, $crate::settings::Unread> {
                $(let mut $name = $crate::settings::record!(@absent $absent);)+
                let required = $crate::settings::record!(@list [] $($name $absent)+);
                from.section(&[$(stringify!($name)),+], required, &mut |key, from| {
                    match key {
                        $(stringify!($name) => {
                            $name = Some($crate::settings::Held::read(from)?);
                        })+
                        _ => unreachable!("only keys of the table are read"),
                    }
                    Ok(())
                })?;
                let checked = "a required key is there";
                Ok($Record { $($name: $name.expect(checked)),+ })
            }

            fn plain(&self) -> $crate::settings::Plain {
                let mut keys = vec![
                    $((stringify!($name), $crate::settings::Held::plain(&self.$name))),+
                ];
                keys.retain(|(_, value)| *value != $crate::settings::Plain::Null);
                $crate::settings::Plain::Section(keys)
            }
        }

        $crate::settings::through_serde!($Record);
    };
}

/// serde's traits for a type that a configuration can hold, so that it may be in other files.
macro_rules! through_serde {
    ($Type:ident) => {
        impl serde::Serialize for $Type {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serde::Serialize::serialize(&$crate::settings::Held::plain(self), serializer)
            }
        }

        impl<'de> serde::Deserialize<'de> for $Type {
            fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<$Type, D::Error> {
                $crate::settings::deserialize(from)
            }
        }
    };
}

/// An enum whose variants have names in the configuration, as `Variant = "name",` below its doc
/// comment.
macro_rules! names {
    (
        $(#[$outer:meta])*
        pub enum $Name:ident {
            $($(#[doc = $doc:literal])+ $Variant:ident = $name:tt,)+
        }
    ) => {
        $(#[$outer])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum $Name {
            $($(#[doc = $doc])+ $Variant,)+
        }

        impl $Name {
            /// Every value, in order.
            pub const ALL: [$Name; [$($name),+].len()] = [$($Name::$Variant),+];

            /// Its name in the configuration.
            pub const fn name(self) -> &'static str {
                match self { $($Name::$Variant => $name,)+ }
            }
        }

        impl std::fmt::Display for $Name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.name())
            }
        }

        impl $crate::settings::Held for $Name {
            fn read(
                from: &mut dyn $crate::settings::Reader,
            ) -> Result<$Name, $crate::settings::Unread> {
                Ok(match from.name(&[$($name),+])? {
                    $($name => $Name::$Variant,)+
                    _ => unreachable!("only names of the table are read"),
                })
            }

            fn plain(&self) -> $crate::settings::Plain {
                $crate::settings::Plain::Text(self.name().to_owned())
            }
        }

        $crate::settings::through_serde!($Name);

        impl $crate::settings::Value for $Name {
            fn kind() -> String {
                "name".to_owned()
            }
            fn range() -> String {
                [$(concat!("`", $name, "`")),+].join(", ")
            }
            fn names() -> String {
                [$([concat!("`", $name, "`:"), $($doc),+].concat()),+].join(" ")
            }
        }
    };
}

pub(crate) use {names, record, settings, through_serde};
