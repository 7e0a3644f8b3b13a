//! Settings as they are written.

use std::fmt;

use serde::ser::{Serialize, SerializeStruct, Serializer};

/// A value without its type, as a file of any format spells it.
#[derive(Clone, Debug, PartialEq)]
pub enum Plain {
    /// Nothing.
    Null,
    /// `true` or `false`.
    Truth(bool),
    /// A whole number.
    Whole(u64),
    /// Any other number.
    Number(f64),
    /// A text.
    Text(String),
    /// Values in order.
    List(Vec<Plain>),
    /// Keys, in the order of their table, with their values.
    Section(Vec<(&'static str, Plain)>),
}

impl Serialize for Plain {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Plain::Null => serializer.serialize_none(),
            Plain::Truth(value) => serializer.serialize_bool(*value),
            Plain::Whole(value) => serializer.serialize_u64(*value),
            Plain::Number(value) => serializer.serialize_f64(*value),
            Plain::Text(value) => serializer.serialize_str(value),
            Plain::List(items) => items.serialize(serializer),
            Plain::Section(keys) => {
                let mut section = serializer.serialize_struct("", keys.len())?;
                for (key, value) in keys {
                    section.serialize_field(key, value)?;
                }
                section.end()
            }
        }
    }
}

/// The value in one line, a text without quotes.
impl fmt::Display for Plain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Plain::Null => f.write_str("null"),
            Plain::Truth(value) => value.fmt(f),
            Plain::Whole(value) => value.fmt(f),
            Plain::Number(value) => write!(f, "{value:?}"),
            Plain::Text(value) => f.write_str(value),
            Plain::List(items) => {
                let items: Vec<String> = items.iter().map(Plain::to_string).collect();
                write!(f, "[{}]", items.join(","))
            }
            Plain::Section(keys) => {
                let keys: Vec<String> =
                    keys.iter().map(|(key, value)| format!("{key}: {value}")).collect();
                write!(f, "{{ {} }}", keys.join(", "))
            }
        }
    }
}
