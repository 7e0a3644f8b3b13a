//! The agents' settings.

use std::path::PathBuf;

use crate::settings::settings;

settings! {
    /// `marl_core`. No effect unless `strategy.kind` is `marl`.
    pub struct MarlCoreSettings {
        /// Folder of the model set, relative to the current directory; `null`: the set that is
        /// built into the program, which is untrained.
        pub model_set: Option<PathBuf> = None;
        /// The vote of repeated passes with dropout.
        pub mc_dropout: McDropoutSettings;
        /// Probability that the decision gate must give to an opportunity.
        pub gate_threshold: f64 = 0.5, 0.0..=1.0;
        /// Wall-clock time from the close of a bar to the decision on it, live and on paper; a
        /// decision that takes longer does nothing. No effect in a backtest, whose clock is the
        /// market's.
        pub decision_budget_milliseconds: u32 = 20, 1..=60_000, "milliseconds";
    }
}

settings! {
    /// `marl_core.mc_dropout`. No effect unless `strategy.kind` is `marl`.
    #[derive(Copy)]
    pub struct McDropoutSettings {
        /// Passes with dropout for one decision.
        pub iterations: u32 = 30, 1..=1000, "passes";
        /// Least mean probability of its direction with which a trade is made.
        pub confidence_threshold: f64 = 0.8, 0.0..=1.0;
        /// Largest epistemic uncertainty, which is what the passes disagree on, with which a trade
        /// is made. It is at most ln 3.
        pub maximum_epistemic: f64 = 0.3, 0.0..=1.1, "nats";
        /// Least share of all passes' votes for its direction with which a trade is made.
        pub minimum_agreement: f64 = 0.5, 0.0..=1.0;
    }
}

settings! {
    /// `rde`: the regime detection engine. No effect unless `strategy.kind` is `marl`.
    #[derive(Copy, Eq)]
    pub struct RegimeSettings {
        /// Numbers that describe a regime; refused unless the model set has as many.
        pub latent_dim: u32 = 8, 1..=16, "numbers";
        /// Bars that the regime engine looks back on; refused unless the model set does.
        pub lookback_window: u32 = 100, 2..=100_000, "bars";
    }
}
