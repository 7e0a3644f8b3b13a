//! The choice of the strategy, and the rules' settings.

use crate::execution::Bracket;
use crate::market::Timeframe;
use crate::settings::{names, settings};

settings! {
    /// `strategy`
    #[derive(Copy, Eq)]
    pub struct StrategySettings {
        /// The strategy that decides.
        pub kind: StrategyKind = StrategyKind::Marl;
        /// Bars on whose close the rules decide. No effect under `marl`, where the model set says
        /// it; nor have the next three.
        pub timeframe: Timeframe = Timeframe::MINUTES_5, "one of `bars.timeframes`",
            "minutes, or `daily`";
        /// Size of an entry; at most `risk_management.max_position_size`.
        pub quantity: u32 = 1, 1..=10_000, "contracts";
        /// Distance of the stop from the entry.
        pub stop_loss_ticks: u32 = 16, 1..=100_000, "ticks";
        /// Distance of the target from the entry.
        pub profit_target_ticks: u32 = 32, 1..=100_000, "ticks";
        /// The rule strategy. No effect unless `kind` is `baseline`.
        pub baseline: BaselineSettings;
        /// Entries at random. No effect unless `kind` is `random_entries`.
        pub random_entries: RandomEntriesSettings;
    }
}

names! {
    /// `strategy.kind`
    pub enum StrategyKind {
        /// Two moving averages.
        Baseline = "baseline",
        /// Entries at random: what luck alone earns under the same costs.
        RandomEntries = "random_entries",
        /// The team of agents.
        Marl = "marl",
    }
}

settings! {
    /// `strategy.baseline`: long while the fast average is above the slow one, short while below.
    #[derive(Copy, Eq)]
    pub struct BaselineSettings {
        /// Length of the fast average; below `slow_period`.
        pub fast_period: u32 = 10, 1..=9999, "bars";
        /// Length of the slow average.
        pub slow_period: u32 = 30, 2..=10_000, "bars";
        /// Distance of the averages within which no position is held.
        pub flat_band_ticks: u32 = 0, 0..=100_000, "ticks";
    }
}

settings! {
    /// `strategy.random_entries`
    #[derive(Copy, Eq)]
    pub struct RandomEntriesSettings {
        /// Entries for every hundred bars, on average.
        pub entries_per_hundred_bars: u32 = 5, 1..=100, "entries";
        /// Bars until the position is closed.
        pub hold_bars: u32 = 12, 1..=10_000, "bars";
    }
}

impl StrategySettings {
    /// Returns the timeframe on whose bars the chosen strategy decides; `None` for `marl`, where
    /// the model set says it.
    pub fn timeframe(&self) -> Option<Timeframe> {
        match self.kind {
            StrategyKind::Baseline | StrategyKind::RandomEntries => Some(self.timeframe),
            StrategyKind::Marl => None,
        }
    }

    /// Returns the exits of every entry of a rule.
    pub fn bracket(&self) -> Bracket {
        let &StrategySettings { stop_loss_ticks, profit_target_ticks, .. } = self;
        Bracket { stop_loss_ticks, profit_target_ticks }
    }
}
