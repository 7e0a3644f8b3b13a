//! How market types are written in YAML.

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

    const NAMES: [(&str, Calendar); 4] = [
        ("cme_equity_index", Calendar::CmeEquityIndex),
        ("comex_metals", Calendar::ComexMetals),
        ("cme_fx", Calendar::CmeFx),
        ("always_open", Calendar::AlwaysOpen),
    ];

    pub fn serialize<S: Serializer>(calendar: &Calendar, serializer: S) -> Result<S::Ok, S::Error> {
        let name = match calendar {
            Calendar::CmeEquityIndex => NAMES[0].0,
            Calendar::ComexMetals => NAMES[1].0,
            Calendar::CmeFx => NAMES[2].0,
            Calendar::AlwaysOpen => NAMES[3].0,
        };
        serializer.serialize_str(name)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Calendar, D::Error> {
        let text = String::deserialize(deserializer)?;
        let found = NAMES.iter().find(|(name, _)| *name == text);
        found.map(|&(_, calendar)| calendar).ok_or_else(|| {
            let names = NAMES.map(|(name, _)| name).join(", ");
            D::Error::custom(format!("`{text}` is not a calendar: use one of {names}"))
        })
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
