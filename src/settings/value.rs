//! Types of settings.

use std::path::PathBuf;

use jiff::civil::Date;

use super::plain::Plain;
use super::read::{Reader, Unread};
use super::through_serde;
use crate::market::{Calendar, Money, Price, Timeframe};

/// A type that a configuration can hold: it is read from a text and written to one.
pub trait Held: Sized {
    /// Reads it.
    ///
    /// # Errors
    /// If it is of another kind; the reader keeps the reason.
    fn read(from: &mut dyn Reader) -> Result<Self, Unread>;
    /// The value as it is written.
    fn plain(&self) -> Plain;
}

/// A type that a setting can have.
pub trait Value: Held {
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
    /// Returns whether an optional setting of this value counts as `null`: an empty text does, so
    /// that `"${NAME:-}"` can leave it out.
    fn is_absent(&self) -> bool {
        false
    }
    /// Reads the value of a setting.
    ///
    /// # Errors
    /// As [`Held::read`].
    fn read_setting(from: &mut dyn Reader) -> Result<Self, Unread> {
        Self::read(from)
    }
}

/// Types that are one value of the text: what is read and written, kind and range.
macro_rules! values {
    ($(
        $Type:ty: $kind:literal,
        $from:ident => $read:expr,
        $value:ident => $plain:expr
        $(, absent if $absent:expr)?
        $(, range $range:expr)?;
    )+) => {$(
        impl Held for $Type {
            fn read($from: &mut dyn Reader) -> Result<Self, Unread> {
                $read
            }
            fn plain(&self) -> Plain {
                let $value = self;
                $plain
            }
        }

        impl Value for $Type {
            fn kind() -> String {
                $kind.to_owned()
            }
            $(fn is_absent(&self) -> bool {
                let $value = self;
                $absent
            })?
            $(fn range() -> String {
                $range
            })?
        }
    )+};
}

fn whole<N: TryFrom<u64>>(from: &mut dyn Reader, most: u64) -> Result<N, Unread> {
    let number = from.whole(most)?;
    N::try_from(number).map_err(|_| from.refuse(&format!("{number} is above {most}")))
}

values! {
    bool: "truth value", from => from.truth(), value => Plain::Truth(*value),
        range "`true`, `false`".to_owned();
    u8: "whole number", from => whole(from, u8::MAX.into()), value => Plain::Whole((*value).into());
    u32: "whole number", from => whole(from, u32::MAX.into()),
        value => Plain::Whole((*value).into());
    u64: "whole number", from => from.whole(u64::MAX), value => Plain::Whole(*value);
    usize: "whole number", from => whole(from, u64::MAX), value => Plain::Whole(*value as u64);
    f64: "number", from => from.number(), value => Plain::Number(*value);
    String: "text", from => from.text(), value => Plain::Text(value.clone()),
        absent if value.is_empty();
    PathBuf: "path", from => Ok(from.text()?.into()),
        value => Plain::Text(value.display().to_string()), absent if value.as_os_str().is_empty();
    Date: "date", from => from.parse(), value => Plain::Text(value.to_string());
    // Decimals are read from their text, so that `0.1` is exactly a tenth.
    Price: "decimal", from => from.parse(), value => Plain::Text(value.to_string());
    Money: "decimal", from => dollars(from), value => Plain::Text(value.to_string());
    Calendar: "name", from => from.parse(), value => Plain::Text(value.to_string()),
        range Calendar::ALL.map(|calendar| format!("`{calendar}`")).join(", ");
    Timeframe: "timeframe", from => {
        let text = from.word("a timeframe: minutes that divide a day, or `daily`")?;
        text.parse().map_err(|error| from.refuse(&error))
    }, value => match value {
        &Timeframe::DAILY => Plain::Text("daily".to_owned()),
        value => Plain::Whole(value.minutes().into()),
    };
}

through_serde!(Timeframe);

fn dollars(from: &mut dyn Reader) -> Result<Money, Unread> {
    // A price and an amount of money are both held in units of 1e-9.
    const _: () = assert!(Price::SCALE == Money::SCALE);
    let text = from.text()?;
    let refuse = |_| from.refuse(&format!("`{text}` is not an amount of dollars such as 2.25"));
    Ok(Money::from_nanos(text.parse::<Price>().map_err(refuse)?.units()))
}

impl<T: Held> Held for Option<T> {
    fn read(from: &mut dyn Reader) -> Result<Option<T>, Unread> {
        let mut value = None;
        from.option(&mut |from| {
            value = Some(T::read(from)?);
            Ok(())
        })?;
        Ok(value)
    }
    fn plain(&self) -> Plain {
        self.as_ref().map_or(Plain::Null, T::plain)
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
    fn read_setting(from: &mut dyn Reader) -> Result<Option<T>, Unread> {
        Ok(Self::read(from)?.filter(|value| !value.is_absent()))
    }
}

impl<T: Held> Held for Vec<T> {
    fn read(from: &mut dyn Reader) -> Result<Vec<T>, Unread> {
        let mut items = Vec::new();
        from.list(&mut |from| {
            items.push(T::read(from)?);
            Ok(())
        })?;
        Ok(items)
    }
    fn plain(&self) -> Plain {
        Plain::List(self.iter().map(T::plain).collect())
    }
}

impl Value for Vec<Timeframe> {
    fn kind() -> String {
        "list".to_owned()
    }
}
