//! Which bars are built.

use crate::market::Timeframe;
use crate::settings::settings;

settings! {
    /// `bars`
    #[derive(Eq)]
    pub struct BarSettings {
        /// Lengths of the bars, in any order; `daily` is a trading session. They are held from the
        /// shortest to the longest.
        pub timeframes: Vec<Timeframe> = vec![Timeframe::MINUTES_5, Timeframe::MINUTES_30],
            "1 to 16 different divisors of 1440", "minutes, or `daily`";
        /// Longest silence inside a session that is filled with flat bars; 0 fills none.
        pub fill_gaps_up_to_minutes: u32 = 60, 0..=1440, "minutes";
    }
}
