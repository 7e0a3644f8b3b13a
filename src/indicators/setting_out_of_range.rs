//! A setting that an indicator cannot have.

/// A setting outside its range.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("{indicator}.{setting} is {value}; it must be {range}")]
pub struct SettingOutOfRange {
    /// Whose setting it is, as the configuration's `indicators` section names it.
    pub indicator: &'static str,
    /// The name of its field.
    pub setting: &'static str,
    /// Its value.
    pub value: f64,
    /// Its range, in words.
    pub range: String,
}

impl SettingOutOfRange {
    /// An error if the setting is not `good`, which NaN never is.
    pub(super) fn unless(
        good: bool,
        indicator: &'static str,
        setting: &'static str,
        value: f64,
        range: impl Into<String>,
    ) -> Result<(), SettingOutOfRange> {
        if good {
            return Ok(());
        }
        Err(SettingOutOfRange { indicator, setting, value, range: range.into() })
    }
}
