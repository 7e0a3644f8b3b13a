//! The meaning of each column of the row.

use super::definitions::Columns;
use super::field::{Field, FieldDefinition, Unit};
use super::row::MOST_FIELDS;
use super::settings::{Chosen, IndicatorSettings};
use crate::indicators::{
    FairValueGap, LowVolumeNode, MomentumIndex, MovingStatistics, NadarayaWatson,
};
use crate::market::Timeframe;

/// The columns of the feature row, in order: the session's time, the age of each timeframe, and for
/// each timeframe, from the shortest to the longest, its indicators.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FeatureLayout {
    fields: Vec<Field>,
    timeframes: Vec<Timeframe>,
}

/// More features than a row has room for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the indicators have {0} features, a row holds {MOST_FIELDS}; compute some of them on fewer timeframes"
)]
pub struct TooManyFeatures(usize);

/// Columns of the session's time, the same on every row.
pub(super) const SESSION_COLUMNS: usize = 2;

impl FeatureLayout {
    /// Creates the columns of `settings` where bars of `timeframes` are built.
    ///
    /// # Errors
    /// If they are more than a row holds.
    pub fn new(
        settings: &IndicatorSettings,
        timeframes: &[Timeframe],
    ) -> Result<FeatureLayout, TooManyFeatures> {
        let mut timeframes = timeframes.to_vec();
        timeframes.sort_unstable();
        timeframes.dedup();
        timeframes.retain(|&timeframe| settings.timeframes.chosen(timeframe).any());
        if timeframes.is_empty() {
            return Ok(FeatureLayout { fields: Vec::new(), timeframes });
        }
        let mut fields = Vec::new();
        for (name, meaning) in [
            ("session_sin", "sine of the time since the session's open, once around in 24 hours"),
            ("session_cos", "its cosine"),
        ] {
            fields.push(Field {
                name: name.to_owned(),
                timeframe: None,
                unit: Unit::Number,
                range: "−1 to 1",
                first_valid: 0,
                meaning,
            });
        }
        for &timeframe in &timeframes {
            fields.push(Field {
                name: format!("age_{timeframe}"),
                timeframe: None,
                unit: Unit::Minutes,
                range: "≥ 0",
                first_valid: 0,
                meaning: "time since the last close of a bar of that timeframe, whose features are held",
            });
        }
        for &timeframe in &timeframes {
            let named = definitions(settings, settings.timeframes.chosen(timeframe));
            fields.extend(named.into_iter().map(|definition| Field {
                name: format!("{}_{timeframe}", definition.name),
                timeframe: Some(timeframe),
                unit: definition.unit,
                range: definition.range,
                first_valid: definition.first_valid,
                meaning: definition.meaning,
            }));
        }
        if fields.len() > MOST_FIELDS {
            return Err(TooManyFeatures(fields.len()));
        }
        Ok(FeatureLayout { fields, timeframes })
    }

    /// Returns the columns, in order.
    pub fn fields(&self) -> &[Field] {
        &self.fields
    }

    /// Returns the timeframes that have indicators, from the shortest to the longest. A row is made
    /// at each close of their bars.
    pub fn timeframes(&self) -> &[Timeframe] {
        &self.timeframes
    }

    /// Returns the place of a timeframe among them.
    #[inline]
    pub fn place(&self, timeframe: Timeframe) -> Option<usize> {
        self.timeframes.iter().position(|&it| it == timeframe)
    }

    /// Returns the column of that name.
    pub fn column(&self, name: &str) -> Option<usize> {
        self.fields.iter().position(|field| field.name == name)
    }
}

/// Returns the columns of one timeframe, in the order in which
/// [`super::timeframe::TimeframeIndicators`] writes them.
fn definitions(settings: &IndicatorSettings, chosen: Chosen) -> Vec<FieldDefinition> {
    let mut all = Vec::new();
    if chosen.moving_statistics {
        all.extend(MovingStatistics::definitions(&settings.moving_statistics));
    }
    if chosen.fair_value_gap {
        all.extend(FairValueGap::definitions(&settings.fair_value_gap));
    }
    if chosen.nadaraya_watson {
        all.extend(NadarayaWatson::definitions(&settings.nadaraya_watson));
    }
    if chosen.momentum_index {
        all.extend(MomentumIndex::definitions(&settings.momentum_index));
    }
    if chosen.low_volume_node {
        all.extend(LowVolumeNode::definitions(&settings.low_volume_node));
    }
    all
}
