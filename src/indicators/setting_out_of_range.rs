//! A setting that an indicator cannot have.

use crate::settings::{OutOfRange, Section, Setting};

/// A setting outside its range.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{indicator}.{setting} is {value}; it must be {range}")]
pub struct SettingOutOfRange {
    /// The indicator, as the configuration's `indicators` section names it.
    pub indicator: &'static str,
    /// The name of the setting.
    pub setting: &'static str,
    /// Its value.
    pub value: String,
    /// Requirement, in words.
    pub range: String,
}

impl SettingOutOfRange {
    /// Returns the first of the indicator's settings that is out of its range as an error.
    pub(super) fn first(
        indicator: &'static str,
        settings: &impl Section,
    ) -> Result<(), SettingOutOfRange> {
        let mut first = None;
        settings.visit("", &mut |Setting { name: setting, refusal, .. }| {
            if let (None, Some(OutOfRange { demand: range, value })) = (&first, refusal) {
                first = Some(SettingOutOfRange { indicator, setting, value, range });
            }
        });
        first.map_or(Ok(()), Err)
    }
}
