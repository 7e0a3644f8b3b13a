//! Settings that do nothing.

use super::schema::{Config, Mode};
use crate::features::FeatureLayout;
use crate::inference::InferenceBackend;
use crate::matrix::{FeatureMatrix, MatrixKind, MatrixSettings};
use crate::strategy::StrategyKind;

/// Settings of a history that is read from a file.
const OF_A_FILE: [&str; 9] = [
    "data_handler.backtest_settings.format",
    "data_handler.backtest_settings.time_zone",
    "data_handler.backtest_settings.columns",
    "data_handler.backtest_settings.delimiter",
    "data_handler.backtest_settings.stamp",
    "data_handler.backtest_settings.bar_seconds",
    "data_handler.backtest_settings.prices_below_zero",
    "data_handler.backtest_settings.contract",
    "data_handler.backtest_settings.roll",
];

impl Config {
    /// One plain sentence on each group of settings that the file has but that change nothing in
    /// this mode and with this strategy. Empty for a configuration that was not loaded.
    pub fn notes(&self) -> Vec<String> {
        let kind = self.strategy.kind;
        let under_kind = format!("under strategy.kind: {kind}");
        let backtest = self.system.mode == Mode::Backtest;
        let synthetic = self.data_handler.backtest_settings.synthetic.is_some();
        let mut notes = Vec::new();
        let mut note = |applies: bool, keys: &[&str], when: &str| {
            let written: Vec<&str> =
                keys.iter().copied().filter(|key| self.written.contains(key)).collect();
            if applies && !written.is_empty() {
                let verb = if written.len() == 1 { "has" } else { "have" };
                notes.push(format!("{} {verb} no effect {when}.", written.join(" and ")));
            }
        };
        note(kind != StrategyKind::Marl, &["marl_core", "rde", "inference"], &under_kind);
        let of_rules = [
            "strategy.timeframe",
            "strategy.quantity",
            "strategy.stop_loss_ticks",
            "strategy.profit_target_ticks",
        ];
        note(kind == StrategyKind::Marl, &of_rules, &under_kind);
        note(kind != StrategyKind::Baseline, &["strategy.baseline"], &under_kind);
        note(kind != StrategyKind::RandomEntries, &["strategy.random_entries"], &under_kind);
        note(
            self.inference.backend == InferenceBackend::Cpu,
            &["inference.library"],
            "under inference.backend: cpu, which needs none",
        );
        note(backtest, &["data_handler.live_settings"], "in a backtest");
        note(!backtest, &["data_handler.backtest_settings"], "outside a backtest");
        note(backtest && synthetic, &OF_A_FILE, "on a synthetic market");
        note(
            !backtest,
            &["pipeline.runner", "pipeline.pace"],
            "in paper and live trading: the stages are pinned, and the market sets the pace",
        );
        note(
            self.system.mode == Mode::Live,
            &[
                "execution.decision_latency_microseconds",
                "execution.order_latency_microseconds",
                "execution.acknowledgement_latency_microseconds",
                "execution.slippage",
                "execution.limit_fill",
            ],
            "in live trading, where the exchange fills",
        );
        note(
            self.system.mode != Mode::Live && !self.execution.slippage.cross_spread,
            &["execution.slippage.assumed_spread_ticks"],
            "without execution.slippage.cross_spread",
        );
        notes
    }

    /// One plain sentence on each default matrix that the indicators have no features for, so that
    /// it is left out. Only who inspects matrices misses it: agents have those of their model set,
    /// and rules look at none.
    pub fn matrix_notes(&self) -> Vec<String> {
        let mut notes = Vec::new();
        if let Ok(layout) = FeatureLayout::new(&self.indicators, &self.bars.timeframes) {
            for kind in MatrixKind::ALL {
                if self.matrices.given(kind).is_none()
                    && let Err(error) =
                        FeatureMatrix::new(kind, &MatrixSettings::default_of(kind), &layout)
                {
                    notes.push(format!("The default matrix is left out: {error}."));
                }
            }
        }
        notes
    }
}
