//! Settings, each said once.
//!
//! A table of `settings!` gives the name, type, default, range, unit and meaning of every setting
//! of a section. From it come the section's struct, its `Default`, the check of its ranges and the
//! tables of `docs/configuration.md`. `names!` does the same for settings that are names.

use std::fmt::Display;
use std::ops::{Range, RangeInclusive};
use std::path::PathBuf;

use jiff::civil::Date;

use crate::market::{Calendar, Money, Price, Timeframe};

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
    pub refusal: Option<Refusal>,
}

/// A value that is out of its range.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// Requirement, such as `from 1 to 10 contracts`.
    pub demand: String,
    /// The value.
    pub value: String,
}

/// A group of settings.
pub trait Section {
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

/// A type that a setting can have.
pub trait Value {
    /// Type, in words.
    fn kind() -> String;
    /// Values of a setting whose table gives no range, in words.
    fn range() -> String {
        "any".to_owned()
    }
    /// Meanings of the names, in Markdown; empty unless the type is one of `names!`.
    fn names() -> String {
        String::new()
    }
    /// The value, as the file spells it.
    fn shown(&self) -> String;
}

/// Values of `$kind`, shown by `$format`.
macro_rules! values {
    ($($Type:ty: $kind:literal, $range:literal, $value:ident => $shown:expr;)+) => {$(
        impl Value for $Type {
            fn kind() -> String {
                $kind.to_owned()
            }
            fn range() -> String {
                $range.to_owned()
            }
            fn shown(&self) -> String {
                let $value = self;
                $shown
            }
        }
    )+};
}

values! {
    u8: "whole number", "any", value => value.to_string();
    u32: "whole number", "any", value => value.to_string();
    u64: "whole number", "any", value => value.to_string();
    usize: "whole number", "any", value => value.to_string();
    f64: "number", "any", value => format!("{value:?}");
    bool: "truth value", "`true`, `false`", value => value.to_string();
    String: "text", "any", value => value.clone();
    PathBuf: "path", "any", value => value.display().to_string();
    Money: "decimal", "any", value => value.to_string();
    Price: "decimal", "any", value => value.to_string();
    Date: "date", "any", value => value.to_string();
    Timeframe: "timeframe", "any", value => match value {
        &Timeframe::DAILY => "daily".to_owned(),
        value => value.minutes().to_string(),
    };
    Vec<Timeframe>: "list", "any", value => {
        format!("[{}]", value.iter().map(Value::shown).collect::<Vec<_>>().join(","))
    };
}

impl Value for Calendar {
    fn kind() -> String {
        "name".to_owned()
    }
    fn range() -> String {
        Calendar::ALL.map(|calendar| format!("`{calendar}`")).join(", ")
    }
    fn shown(&self) -> String {
        self.to_string()
    }
}

impl<T: Value> Value for Option<T> {
    fn kind() -> String {
        T::kind() + " or `null`"
    }
    fn range() -> String {
        T::range()
    }
    fn names() -> String {
        T::names()
    }
    fn shown(&self) -> String {
        self.as_ref().map_or_else(|| "null".to_owned(), T::shown)
    }
}

/// Values that a setting may have.
pub trait Limits<T> {
    /// The limits in words, for the documentation.
    fn words(&self) -> String;
    /// Returns the requirement, in `unit`, if the value is out of range. NaN always is.
    fn refuses(&self, value: &T, unit: &str) -> Option<Refusal>;
}

fn refusal(value: impl Display, demand: impl Display, unit: &str) -> Option<Refusal> {
    let space = if unit.is_empty() { "" } else { " " };
    Some(Refusal { demand: format!("{demand}{space}{unit}"), value: value.to_string() })
}

/// Limits that are the type's, or that words alone say: nothing is refused here.
impl<T> Limits<T> for &str {
    fn words(&self) -> String {
        (*self).to_owned()
    }
    fn refuses(&self, _: &T, _: &str) -> Option<Refusal> {
        None
    }
}

impl<T: PartialOrd + Display> Limits<T> for RangeInclusive<T> {
    fn words(&self) -> String {
        format!("{} to {}", self.start(), self.end())
    }
    fn refuses(&self, value: &T, unit: &str) -> Option<Refusal> {
        let within = self.contains(value);
        if within {
            None
        } else {
            refusal(value, format!("from {}", Limits::<T>::words(self)), unit)
        }
    }
}

impl<T: PartialOrd + Display> Limits<Option<T>> for RangeInclusive<T> {
    fn words(&self) -> String {
        Limits::<T>::words(self)
    }
    fn refuses(&self, value: &Option<T>, unit: &str) -> Option<Refusal> {
        value.as_ref().and_then(|value| self.refuses(value, unit))
    }
}

impl Limits<f64> for Range<f64> {
    fn words(&self) -> String {
        format!("{} to below {}", self.start, self.end)
    }
    fn refuses(&self, value: &f64, unit: &str) -> Option<Refusal> {
        let demand = format!("at least {} and below {}", self.start, self.end);
        if self.contains(value) { None } else { refusal(value, demand, unit) }
    }
}

/// Finite numbers above zero.
pub struct Positive;

impl Limits<f64> for Positive {
    fn words(&self) -> String {
        "above 0".to_owned()
    }
    fn refuses(&self, value: &f64, _: &str) -> Option<Refusal> {
        let good = *value > 0.0 && value.is_finite();
        if good { None } else { refusal(value, "above 0", "") }
    }
}

/// Shares above nothing, up to the whole.
pub struct Share;

impl Limits<f64> for Share {
    fn words(&self) -> String {
        "above 0 to 1".to_owned()
    }
    fn refuses(&self, value: &f64, unit: &str) -> Option<Refusal> {
        let good = *value > 0.0 && *value <= 1.0;
        if good { None } else { refusal(value, "above 0 and at most 1", unit) }
    }
}

/// [`Share`], with a reminder of fractions in the message.
pub struct Fraction;

impl Limits<f64> for Fraction {
    fn words(&self) -> String {
        Share.words()
    }
    fn refuses(&self, value: &f64, _: &str) -> Option<Refusal> {
        let demand = "a fraction above 0 and at most 1 (0.05 is 5 %)".to_owned();
        Share.refuses(value, "").map(|refusal| Refusal { demand, ..refusal })
    }
}

/// One line of a table.
pub struct Row<'a, T> {
    /// Its own key.
    pub name: &'static str,
    /// Its range; the type's if absent.
    pub limits: Option<&'a dyn Limits<T>>,
    /// Its unit.
    pub unit: &'static str,
    /// Its doc comment, line by line.
    pub meaning: &'a [&'a str],
}

impl<T: Value> Row<'_, T> {
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
            value: value.shown(),
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
/// `required` or the default that serde gives.
macro_rules! settings {
    (@default) => { Default::default() };
    (@default $default:expr) => { $default };

    (@limits) => { None };
    (@limits $limits:expr) => { Some(&$limits) };

    (@unit) => { "" };
    (@unit $unit:literal) => { $unit };

    (@visit $self:ident $path:ident $each:ident $name:ident [$($doc:literal)+]) => {
        $crate::settings::Section::visit(
            &$self.$name,
            &$crate::settings::join($path, stringify!($name)),
            $each,
        )
    };
    (@visit $self:ident $path:ident $each:ident $name:ident [$($doc:literal)+]
        $default:expr $(, $limits:expr $(, $unit:literal)?)?) => {
        $each($crate::settings::Row {
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
                $(#[serde($($serde:tt)+)])?
                pub $name:ident : $Type:ty
                    = else $absent:literal $(, $limits:expr $(, $unit:literal)?)? ;
            )+
        }
    ) => {
        $(#[$outer])*
        #[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
        #[serde(deny_unknown_fields)]
        pub struct $Section {
            $(
                $(#[doc = $doc])+
                $(#[serde($($serde)+)])?
                pub $name: $Type,
            )+
        }

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
                $(#[serde($($serde:tt)+)])?
                $field_visibility:vis $name:ident : $Type:ty
                    $(= $default:expr $(, $limits:expr $(, $unit:literal)?)?)? ;
            )+
        }
    ) => {
        $(#[$outer])*
        #[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
        #[serde(default, deny_unknown_fields)]
        pub struct $Section {
            $(
                $(#[doc = $doc])+
                $(#[doc = concat!(
                    "\n\nDefault `", stringify!($default), "`"
                    $(, "; range `", stringify!($limits), "`" $(, " ", $unit)?)?, "."
                )])?
                $(#[serde($($serde)+)])?
                $field_visibility $name: $Type,
            )+
        }

        impl Default for $Section {
            fn default() -> $Section {
                $Section { $($name: $crate::settings::settings!(@default $($default)?),)+ }
            }
        }

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

/// An enum whose variants have names in the configuration, as `Variant = "name",` below its doc
/// comment. The variant after `default` is the default.
macro_rules! names {
    (
        $(#[$outer:meta])*
        pub enum $Name:ident {
            $($(#[doc = $doc:literal])+ $Variant:ident = $name:tt,)+
        }
    ) => {
        $(#[$outer])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
        pub enum $Name {
            $($(#[doc = $doc])+ #[serde(rename = $name)] $Variant,)+
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
            fn shown(&self) -> String {
                self.name().to_owned()
            }
        }
    };
}

pub(crate) use names;
pub(crate) use settings;
