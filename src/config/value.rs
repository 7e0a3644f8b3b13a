//! Market types in YAML.

use serde::de::{Deserialize, Deserializer, Error};
use serde::ser::Serializer;

use crate::market::{Calendar, Money, Price};

/// A decimal, quoted or not. Read from its text, so that `0.1` is exactly a tenth.
pub(super) mod price {
    use super::*;

    pub fn serialize<S: Serializer>(price: &Price, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(price)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Price, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

/// Dollars, as [`price`].
pub(super) mod money {
    use super::*;

    // A price and an amount of money are both held in units of 1e-9.
    const _: () = assert!(Price::SCALE == Money::SCALE);

    pub fn serialize<S: Serializer>(money: &Money, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(money)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Money, D::Error> {
        let text = String::deserialize(deserializer)?;
        let amount: Price = text.parse().map_err(|_| {
            D::Error::custom(format!("`{text}` is not an amount of dollars such as 2.25"))
        })?;
        Ok(Money::from_nanos(amount.units()))
    }
}

/// A calendar's name.
pub(super) mod calendar {
    use super::*;

    pub fn serialize<S: Serializer>(calendar: &Calendar, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(calendar.name())
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Calendar, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

/// An optional text; an empty one counts as absent, so that `"${NAME:-}"` can leave it out.
pub(super) fn optional_text<'de, D, T>(deserializer: D) -> Result<Option<T>, D::Error>
where
    D: Deserializer<'de>,
    T: From<String>,
{
    let text = Option::<String>::deserialize(deserializer)?;
    Ok(text.filter(|text| !text.is_empty()).map(T::from))
}
