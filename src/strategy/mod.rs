//! The decision seat: closed bars in, decisions out.

mod moving_average_cross;
mod random_entries;

pub use moving_average_cross::{MovingAverageCross, MovingAverageCrossSettings};
pub use random_entries::{RandomEntries, RandomEntriesSettings};

use crate::execution::Decision;
use crate::market::{Bar, Timeframe};

/// Whoever sits in the decision seat. It sees closed bars only, so it cannot look ahead.
pub trait Strategy {
    /// The bars on which it decides.
    fn timeframe(&self) -> Timeframe;

    /// Takes a closed bar of its timeframe; `position` is what the desk holds (positive long).
    /// Returns what to do, or `None` to leave things as they are.
    fn on_bar(&mut self, bar: &Bar, position: i64) -> Option<Decision>;

    /// The series does not go on from the last bar: it moves to another contract, or whole sessions are
    /// missing.
    fn restart(&mut self);
}

/// Watches the bars and never decides.
#[derive(Clone, Copy, Debug)]
pub struct Observer(pub Timeframe);

impl Strategy for Observer {
    fn timeframe(&self) -> Timeframe {
        self.0
    }

    fn on_bar(&mut self, _: &Bar, _: i64) -> Option<Decision> {
        None
    }

    fn restart(&mut self) {}
}

impl<S: Strategy + ?Sized> Strategy for Box<S> {
    fn timeframe(&self) -> Timeframe {
        (**self).timeframe()
    }

    fn on_bar(&mut self, bar: &Bar, position: i64) -> Option<Decision> {
        (**self).on_bar(bar, position)
    }

    fn restart(&mut self) {
        (**self).restart();
    }
}
