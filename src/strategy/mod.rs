//! The decision seat: closed bars in, decisions out.

mod decision_record;
mod decision_table;
mod moving_average_cross;
mod observation;
mod random_entries;
mod settings;

pub use decision_record::{
    AGENTS, CLASSES, DecisionRecord, MOST_REGIME, Opportunity, Reason, Reasons, RiskProposal,
};
pub use decision_table::DecisionTable;
pub use moving_average_cross::MovingAverageCross;
pub use observation::{Levels, MOST_CELLS, Observation, ObservedRow};
pub use random_entries::RandomEntries;
pub use settings::{BaselineSettings, RandomEntriesSettings, StrategyKind, StrategySettings};

use std::sync::Arc;

use crate::execution::{Account, Decision};
use crate::inference::Backend;
use crate::market::{Bar, Timeframe, Timestamp};

/// Decides what to hold. It sees closed bars only, so it cannot look ahead.
///
/// ```
/// use algospace_hft::execution::{Account, Bracket, Decision, OrderKind, Target};
/// use algospace_hft::market::{Bar, Timeframe};
/// use algospace_hft::strategy::Strategy;
///
/// /// Buys one contract after a falling bar.
/// struct BuyTheFall;
///
/// impl Strategy for BuyTheFall {
///     fn timeframe(&self) -> Timeframe {
///         Timeframe::MINUTES_5
///     }
///
///     fn on_bar(&mut self, bar: &Bar, _question: u64, account: &Account) -> Option<Decision> {
///         let bracket = Bracket { stop_loss_ticks: 12, profit_target_ticks: 16 };
///         let (target, entry) = (Target::Long, OrderKind::Market);
///         (bar.close < bar.open && account.position == 0)
///             .then_some(Decision { target, quantity: 1, entry, bracket })
///     }
///
///     fn restart(&mut self) {}
/// }
/// ```
///
/// `examples/own_strategy.rs` runs one over some days.
pub trait Strategy {
    /// The bars on which it decides.
    fn timeframe(&self) -> Timeframe;

    /// Closes of its timeframe that it must have seen before it can decide anything. What agents
    /// must see depends on their matrices; they say themselves that they are not ready.
    fn warm_up(&self) -> u64 {
        0
    }

    /// Returns whether it observes features.
    fn observes(&self) -> bool {
        false
    }

    /// Is told of the features at the close of a bar of any timeframe, before it is asked anything
    /// on that close.
    fn observe(&mut self, _observation: &Observation) {}

    /// Takes a closed bar of its timeframe, on which it is asked the question of this number (1, 2,
    /// 3, …), and what the desk knows of the account. Returns what to do, or `None` to leave things
    /// as they are.
    fn on_bar(&mut self, bar: &Bar, question: u64, account: &Account) -> Option<Decision>;

    /// Returns its record of the last question, once.
    fn take_record(&mut self) -> Option<DecisionRecord> {
        None
    }

    /// Does in advance the work for the question of this number that no later event changes. No
    /// answer depends on whether it was called.
    fn prepare(&mut self, _question: u64) {}

    /// Returns the backend of its networks, if it has any. On [`Backend::together`]'s thread it is
    /// asked soonest, since nothing is handed over then.
    fn backend(&self) -> Option<Arc<dyn Backend>> {
        None
    }

    /// Bars that end by `time` are of a warm-up: decisions on them are ignored. Later decisions are
    /// the same.
    fn watch_until(&mut self, _time: Timestamp) {}

    /// The series does not go on from the last bar: it moves to another contract, or whole sessions
    /// are missing.
    fn restart(&mut self);
}

/// Watches the bars and never decides.
#[derive(Clone, Copy, Debug)]
pub struct Observer(pub Timeframe);

impl Strategy for Observer {
    fn timeframe(&self) -> Timeframe {
        self.0
    }

    fn on_bar(&mut self, _: &Bar, _: u64, _: &Account) -> Option<Decision> {
        None
    }

    fn restart(&mut self) {}
}

impl<S: Strategy + ?Sized> Strategy for Box<S> {
    fn timeframe(&self) -> Timeframe {
        (**self).timeframe()
    }

    fn warm_up(&self) -> u64 {
        (**self).warm_up()
    }

    fn observes(&self) -> bool {
        (**self).observes()
    }

    fn observe(&mut self, observation: &Observation) {
        (**self).observe(observation);
    }

    fn on_bar(&mut self, bar: &Bar, question: u64, account: &Account) -> Option<Decision> {
        (**self).on_bar(bar, question, account)
    }

    fn take_record(&mut self) -> Option<DecisionRecord> {
        (**self).take_record()
    }

    fn prepare(&mut self, question: u64) {
        (**self).prepare(question);
    }

    fn backend(&self) -> Option<Arc<dyn Backend>> {
        (**self).backend()
    }

    fn watch_until(&mut self, time: Timestamp) {
        (**self).watch_until(time);
    }

    fn restart(&mut self) {
        (**self).restart();
    }
}
