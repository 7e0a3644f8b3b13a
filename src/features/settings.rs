//! The indicators that are computed, and the bars of each.

use crate::indicators::{
    FairValueGapSettings, LowVolumeNodeSettings, MomentumIndexSettings, MovingStatisticsLengths,
    NadarayaWatsonSettings, SettingOutOfRange,
};
use crate::market::Timeframe;
use crate::settings::settings;

settings! {
    /// `indicators`: the indicators' settings, and the timeframes each is computed on.
    pub struct IndicatorSettings {
        /// On which bars each indicator is computed.
        pub timeframes: IndicatorTimeframes;
        /// Windows of the moving statistics, in bars.
        pub moving_statistics: MovingStatisticsLengths;
        /// The fair value gaps.
        pub fair_value_gap: FairValueGapSettings;
        /// The momentum index.
        pub momentum_index: MomentumIndexSettings;
        /// The Nadaraya-Watson kernel.
        pub nadaraya_watson: NadarayaWatsonSettings;
        /// The volume profile.
        pub low_volume_node: LowVolumeNodeSettings;
    }
}

impl IndicatorSettings {
    /// Returns the first setting of each indicator that is out of its range.
    pub fn problems(&self) -> Vec<SettingOutOfRange> {
        [
            self.moving_statistics.validate(),
            self.fair_value_gap.validate(),
            self.momentum_index.validate(),
            self.nadaraya_watson.validate(),
            self.low_volume_node.validate(),
        ]
        .into_iter()
        .filter_map(Result::err)
        .collect()
    }
}

settings! {
    /// `indicators.timeframes`: for each indicator the bars it is computed on. `None` stands for
    /// those of its defaults that are built; an empty list for none.
    #[derive(Eq)]
    pub struct IndicatorTimeframes {
        /// Bars of Heiken Ashi, average true range, relative strength, volatility, momentum and
        /// volume; `null`: 5 and 30 minutes.
        pub moving_statistics: Option<Vec<Timeframe>> = None, "of `bars.timeframes`", "minutes";
        /// Bars of the fair value gaps; `null`: 5 minutes.
        pub fair_value_gap: Option<Vec<Timeframe>> = None, "of `bars.timeframes`", "minutes";
        /// Bars of the machine learning momentum index; `null`: 30 minutes.
        pub momentum_index: Option<Vec<Timeframe>> = None, "of `bars.timeframes`", "minutes";
        /// Bars of the Nadaraya-Watson regression; `null`: 30 minutes.
        pub nadaraya_watson: Option<Vec<Timeframe>> = None, "of `bars.timeframes`", "minutes";
        /// Bars of the volume profile, from trades where the history has them; `null`: 30 minutes.
        pub low_volume_node: Option<Vec<Timeframe>> = None, "of `bars.timeframes`", "minutes";
    }
}

const FAST: &[Timeframe] = &[Timeframe::MINUTES_5];
const SLOW: &[Timeframe] = &[Timeframe::MINUTES_30];
const BOTH: &[Timeframe] = &[Timeframe::MINUTES_5, Timeframe::MINUTES_30];

/// The indicators of one timeframe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Chosen {
    pub(super) moving_statistics: bool,
    pub(super) fair_value_gap: bool,
    pub(super) momentum_index: bool,
    pub(super) nadaraya_watson: bool,
    pub(super) low_volume_node: bool,
}

impl Chosen {
    pub(super) fn any(self) -> bool {
        self.moving_statistics
            || self.fair_value_gap
            || self.momentum_index
            || self.nadaraya_watson
            || self.low_volume_node
    }
}

impl IndicatorTimeframes {
    /// Returns every list that was given, by its key.
    pub fn given(&self) -> impl Iterator<Item = (&'static str, &[Timeframe])> {
        [
            ("moving_statistics", &self.moving_statistics),
            ("fair_value_gap", &self.fair_value_gap),
            ("momentum_index", &self.momentum_index),
            ("nadaraya_watson", &self.nadaraya_watson),
            ("low_volume_node", &self.low_volume_node),
        ]
        .into_iter()
        .filter_map(|(key, list)| Some((key, list.as_deref()?)))
    }

    /// Returns the indicators that are computed on the bars of `timeframe`.
    pub(super) fn chosen(&self, timeframe: Timeframe) -> Chosen {
        let on = |list: &Option<Vec<Timeframe>>, default: &[Timeframe]| {
            list.as_deref().unwrap_or(default).contains(&timeframe)
        };
        Chosen {
            moving_statistics: on(&self.moving_statistics, BOTH),
            fair_value_gap: on(&self.fair_value_gap, FAST),
            momentum_index: on(&self.momentum_index, SLOW),
            nadaraya_watson: on(&self.nadaraya_watson, SLOW),
            low_volume_node: on(&self.low_volume_node, SLOW),
        }
    }
}
