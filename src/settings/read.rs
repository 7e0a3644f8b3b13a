//! Reading of settings, from any format that serde has.
//!
//! A table says what it wants through [`Reader`], which stands before the format's deserializer.
//! So there is one visitor for all tables, where a derived one for each would be a quarter of the
//! library.

use std::fmt::{self, Display};
use std::str::FromStr;

use serde::de::{
    DeserializeSeed, Deserializer, EnumAccess, Error, MapAccess, SeqAccess, Unexpected,
    VariantAccess, Visitor,
};

use super::Held;

/// A value that could not be read. Its reader keeps the reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unread;

/// Names of keys or variants.
pub type Names = &'static [&'static str];
/// Reads what is behind a place of the text.
type Each<'a> = &'a mut (dyn FnMut(&mut dyn Reader) -> Result<(), Unread> + 'a);
/// Reads what is behind a key or a variant.
type EachOf<'a> = &'a mut (dyn FnMut(&'static str, &mut dyn Reader) -> Result<(), Unread> + 'a);

/// One place of a text, from which one value is read, once.
pub trait Reader {
    /// Reads what is wanted.
    ///
    /// # Errors
    /// If something else is there.
    fn take(&mut self, wanted: Wanted<'_>) -> Result<(), Unread>;
    /// Keeps the reason for which the value is invalid.
    fn refuse(&mut self, reason: &dyn Display) -> Unread;
}

/// A kind of value, and the place to put it.
pub enum Wanted<'a> {
    /// `true` or `false`.
    Truth(&'a mut bool),
    /// A whole number up to the first.
    Whole(u64, &'a mut u64),
    /// A number.
    Number(&'a mut f64),
    /// A text, or any other scalar as its text.
    Text(&'a mut String),
    /// A text or a number, as text; the first says of what.
    Word(&'static str, &'a mut String),
    /// One of these names.
    Name(Names, &'a mut &'static str),
    /// One of these names, with a value behind it.
    Choice(Names, EachOf<'a>),
    /// A value, if it is not null.
    Option(Each<'a>),
    /// Values in order.
    List(Each<'a>),
    /// Keys with values; the second list has those that are required.
    Section(Names, Names, EachOf<'a>),
}

impl fmt::Debug for Wanted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Wanted").finish_non_exhaustive()
    }
}

impl dyn Reader + '_ {
    /// Reads `true` or `false`.
    pub fn truth(&mut self) -> Result<bool, Unread> {
        let mut value = false;
        self.take(Wanted::Truth(&mut value))?;
        Ok(value)
    }

    /// Reads a whole number of at most `most`.
    pub fn whole(&mut self, most: u64) -> Result<u64, Unread> {
        let mut value = 0;
        self.take(Wanted::Whole(most, &mut value))?;
        Ok(value)
    }

    /// Reads a number.
    pub fn number(&mut self) -> Result<f64, Unread> {
        let mut value = 0.0;
        self.take(Wanted::Number(&mut value))?;
        Ok(value)
    }

    /// Reads a text.
    pub fn text(&mut self) -> Result<String, Unread> {
        let mut value = String::new();
        self.take(Wanted::Text(&mut value))?;
        Ok(value)
    }

    /// Reads a text or a number, as text: `what`.
    pub fn word(&mut self, what: &'static str) -> Result<String, Unread> {
        let mut value = String::new();
        self.take(Wanted::Word(what, &mut value))?;
        Ok(value)
    }

    /// Reads what a text spells.
    pub fn parse<T: FromStr<Err: Display>>(&mut self) -> Result<T, Unread> {
        self.text()?.parse().map_err(|error| self.refuse(&error))
    }

    /// Reads one of `names`.
    pub fn name(&mut self, names: Names) -> Result<&'static str, Unread> {
        let mut value = "";
        self.take(Wanted::Name(names, &mut value))?;
        Ok(value)
    }

    /// Calls `each` unless the value is null.
    pub fn option(&mut self, each: Each<'_>) -> Result<(), Unread> {
        self.take(Wanted::Option(each))
    }

    /// Calls `each` for every item.
    pub fn list(&mut self, each: Each<'_>) -> Result<(), Unread> {
        self.take(Wanted::List(each))
    }

    /// Calls `each` with every key that is there: `keys` are known, `required` must be there.
    pub fn section(
        &mut self,
        keys: Names,
        required: Names,
        each: EachOf<'_>,
    ) -> Result<(), Unread> {
        self.take(Wanted::Section(keys, required, each))
    }

    /// Calls `each` with the one of `names` that is there.
    pub fn choice(&mut self, names: Names, each: EachOf<'_>) -> Result<(), Unread> {
        self.take(Wanted::Choice(names, each))
    }
}

/// Reads a table from any format.
///
/// # Errors
/// The format's, if the text holds something else.
pub fn deserialize<'de, T: Held, D: Deserializer<'de>>(from: D) -> Result<T, D::Error> {
    let mut value = None;
    Seed(&mut |from| {
        value = Some(T::read(from)?);
        Ok(())
    })
    .deserialize(from)?;
    Ok(value.expect("what was read without an error is there"))
}

/// A deserializer that waits for its one question, and the reason if that failed.
struct Place<'de, D: Deserializer<'de>> {
    text: Option<D>,
    reason: Option<D::Error>,
}

impl<'de, D: Deserializer<'de>> Reader for Place<'de, D> {
    fn take(&mut self, wanted: Wanted<'_>) -> Result<(), Unread> {
        let text = self.text.take().expect("each value is read once");
        let taken = match wanted {
            Wanted::Truth(_) => text.deserialize_bool(wanted),
            Wanted::Whole(most, _) if most == u64::from(u8::MAX) => text.deserialize_u8(wanted),
            Wanted::Whole(most, _) if most == u64::from(u32::MAX) => text.deserialize_u32(wanted),
            Wanted::Whole(..) => text.deserialize_u64(wanted),
            Wanted::Number(_) => text.deserialize_f64(wanted),
            Wanted::Text(_) => text.deserialize_string(wanted),
            Wanted::Word(..) => text.deserialize_any(wanted),
            Wanted::Name(names, _) | Wanted::Choice(names, _) => {
                text.deserialize_enum("", names, wanted)
            }
            Wanted::Option(_) => text.deserialize_option(wanted),
            Wanted::List(_) => text.deserialize_seq(wanted),
            Wanted::Section(keys, ..) => text.deserialize_struct("", keys, wanted),
        };
        taken.map_err(|reason| {
            self.reason = Some(reason);
            Unread
        })
    }

    fn refuse(&mut self, reason: &dyn Display) -> Unread {
        self.reason = Some(D::Error::custom(reason));
        Unread
    }
}

/// Reads what a place of the text holds.
struct Seed<'a>(Each<'a>);

impl<'de> DeserializeSeed<'de> for Seed<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, text: D) -> Result<(), D::Error> {
        let mut place = Place { text: Some(text), reason: None };
        (self.0)(&mut place)
            .map_err(|Unread| place.reason.expect("a reader keeps the reason for a failure"))
    }
}

/// Reads what stands behind a name.
struct Behind<'a>(&'static str, EachOf<'a>);

impl<'de> DeserializeSeed<'de> for Behind<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, text: D) -> Result<(), D::Error> {
        Seed(&mut |from| (self.1)(self.0, from)).deserialize(text)
    }
}

/// Reads a key of a section, or the name of a variant.
#[derive(Clone, Copy)]
struct Known {
    names: Names,
    are_keys: bool,
}

impl<'de> DeserializeSeed<'de> for Known {
    type Value = &'static str;

    fn deserialize<D: Deserializer<'de>>(self, text: D) -> Result<&'static str, D::Error> {
        text.deserialize_identifier(self)
    }
}

impl Visitor<'_> for Known {
    type Value = &'static str;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "one of {}", self.names.join(", "))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<&'static str, E> {
        match self.names.iter().find(|name| **name == text) {
            Some(name) => Ok(name),
            None if self.are_keys => Err(E::unknown_field(text, self.names)),
            None => Err(E::unknown_variant(text, self.names)),
        }
    }
}

impl<'de> Visitor<'de> for Wanted<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Wanted::Truth(_) => f.write_str("true or false"),
            Wanted::Whole(most, _) => write!(f, "a whole number from 0 to {most}"),
            Wanted::Number(_) => f.write_str("a number"),
            Wanted::Text(_) => f.write_str("a text"),
            Wanted::Word(what, _) => f.write_str(what),
            Wanted::Name(names, _) | Wanted::Choice(names, _) => {
                write!(f, "one of {}", names.join(", "))
            }
            Wanted::Option(_) => f.write_str("a value or null"),
            Wanted::List(_) => f.write_str("a list"),
            Wanted::Section(..) => f.write_str("a section of keys"),
        }
    }

    fn visit_bool<E: Error>(self, found: bool) -> Result<(), E> {
        match self {
            Wanted::Truth(value) => *value = found,
            _ => return Err(E::invalid_type(Unexpected::Bool(found), &self)),
        }
        Ok(())
    }

    fn visit_u64<E: Error>(self, found: u64) -> Result<(), E> {
        match self {
            Wanted::Whole(most, value) if found <= most => *value = found,
            Wanted::Number(value) => *value = found as f64,
            Wanted::Word(_, value) => *value = found.to_string(),
            _ => return Err(E::invalid_value(Unexpected::Unsigned(found), &self)),
        }
        Ok(())
    }

    fn visit_i64<E: Error>(self, found: i64) -> Result<(), E> {
        match self {
            Wanted::Number(value) => *value = found as f64,
            Wanted::Word(_, value) => *value = found.to_string(),
            _ => return Err(E::invalid_value(Unexpected::Signed(found), &self)),
        }
        Ok(())
    }

    fn visit_f64<E: Error>(self, found: f64) -> Result<(), E> {
        match self {
            Wanted::Number(value) => *value = found,
            Wanted::Word(_, value) => *value = found.to_string(),
            _ => return Err(E::invalid_type(Unexpected::Float(found), &self)),
        }
        Ok(())
    }

    fn visit_str<E: Error>(self, found: &str) -> Result<(), E> {
        match self {
            Wanted::Text(value) | Wanted::Word(_, value) => found.clone_into(value),
            _ => return Err(E::invalid_type(Unexpected::Str(found), &self)),
        }
        Ok(())
    }

    fn visit_none<E: Error>(self) -> Result<(), E> {
        match self {
            Wanted::Option(_) => Ok(()),
            _ => Err(E::invalid_type(Unexpected::Option, &self)),
        }
    }

    fn visit_some<D: Deserializer<'de>>(self, text: D) -> Result<(), D::Error> {
        match self {
            Wanted::Option(each) => Seed(each).deserialize(text),
            _ => Err(D::Error::invalid_type(Unexpected::Option, &self)),
        }
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        let Wanted::List(each) = self else {
            return Err(A::Error::invalid_type(Unexpected::Seq, &self));
        };
        while list.next_element_seed(Seed(&mut *each))?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let Wanted::Section(names, required, each) = self else {
            return Err(A::Error::invalid_type(Unexpected::Map, &self));
        };
        let mut seen = Vec::new();
        while let Some(key) = map.next_key_seed(Known { names, are_keys: true })? {
            if seen.contains(&key) {
                return Err(A::Error::duplicate_field(key));
            }
            seen.push(key);
            map.next_value_seed(Behind(key, &mut *each))?;
        }
        match required.iter().find(|key| !seen.contains(key)) {
            Some(key) => Err(A::Error::missing_field(key)),
            None => Ok(()),
        }
    }

    fn visit_enum<A: EnumAccess<'de>>(self, data: A) -> Result<(), A::Error> {
        match self {
            Wanted::Name(names, value) => {
                let (name, payload) = data.variant_seed(Known { names, are_keys: false })?;
                payload.unit_variant()?;
                *value = name;
                Ok(())
            }
            Wanted::Choice(names, each) => {
                let (name, payload) = data.variant_seed(Known { names, are_keys: false })?;
                payload.newtype_variant_seed(Behind(name, each))
            }
            _ => Err(A::Error::invalid_type(Unexpected::Enum, &self)),
        }
    }
}

#[cfg(test)]
#[expect(unreachable_pub, reason = "a table makes a public section")]
mod tests {
    use crate::settings::{record, settings};

    settings! {
        /// A section.
        pub struct Section {
            /// A share.
            pub share: f64 = 0.5;
            /// A count.
            pub count: Option<u32> = Some(3), 1..=9;
            /// Two texts.
            pub names: Option<String> = Some("a".to_owned());
        }
    }

    #[derive(Clone, Debug, PartialEq)]
    struct Item {
        size: u64,
        note: Option<String>,
        parts: Vec<bool>,
    }

    record!(Item { size: "required", note: "left out", parts: "required" });

    fn section(text: &str) -> Result<Section, String> {
        serde_json::from_str(text).map_err(|error| error.to_string())
    }

    fn item(text: &str) -> Result<Item, String> {
        serde_json::from_str(text).map_err(|error| error.to_string())
    }

    #[test]
    fn keys_that_are_left_out_keep_their_defaults() {
        assert_eq!(section("{}").unwrap(), Section::default());
        let given = Section { share: 2.0, count: None, names: None };
        assert_eq!(section(r#"{"share": 2, "count": null, "names": ""}"#).unwrap(), given);
        let parts = vec![true, false];
        let expected = Item { size: u64::MAX, note: Some(String::new()), parts };
        let text = r#"{"parts":[true,false],"note":"","size":18446744073709551615}"#;
        assert_eq!(item(text).unwrap(), expected);
    }

    #[test]
    fn what_is_written_is_read_again() {
        let item = Item { size: 7, note: None, parts: vec![] };
        let text = serde_json::to_string(&item).unwrap();
        assert_eq!(text, r#"{"size":7,"parts":[]}"#);
        assert_eq!(self::item(&text).unwrap(), item);
        let text = serde_json::to_string(&Section::default()).unwrap();
        assert_eq!(text, r#"{"share":0.5,"count":3,"names":"a"}"#);
        assert_eq!(section(&text).unwrap(), Section::default());
    }

    #[test]
    fn what_is_of_another_kind_is_refused() {
        for (text, reason) in [
            (r#"{"shar": 1}"#, "unknown field `shar`, expected one of `share`, `count`, `names`"),
            (r#"{"share": 1, "share": 1}"#, "duplicate field `share`"),
            (r#"{"share": "1"}"#, r#"invalid type: string "1", expected a number"#),
            (r#"{"count": 4294967296}"#, "expected a whole number from 0 to 4294967295"),
            (r#"{"count": -1}"#, "invalid value: integer `-1`"),
            (r#"{"count": 1.5}"#, "invalid type: floating point `1.5`"),
            (r#"{"names": 5}"#, "expected a text"),
            ("[]", "expected a section of keys"),
        ] {
            let error = section(text).expect_err(text);
            assert!(error.contains(reason), "{text}: {error}");
        }
        for (text, reason) in [
            (r#"{"parts": []}"#, "missing field `size`"),
            (r#"{"size": 1, "parts": [1]}"#, "expected true or false"),
            (r#"{"size": 1, "parts": null}"#, "expected a list"),
        ] {
            let error = item(text).expect_err(text);
            assert!(error.contains(reason), "{text}: {error}");
        }
    }
}
