//! The thread on which bars are built and orders are sent.

use disruptor::Polling;

use super::downstream::{Notice, Noticed};
use super::failure::{Failures, ThreadFailure, without_unwinding};
use super::outlets::Outlets;
use super::ring::{BATCH, Reader, Slot};
use crate::engine::downstream::Downstream;
use crate::engine::feature_stage::FeatureStage;
use crate::engine::message::Event;
use crate::engine::trading::TradingStage;
use crate::execution::Venue;
use crate::latency::Span;
use crate::machine::{Role, Wait, Waiter};

/// Everything that lives on this thread.
pub(super) struct StagesThread<D, V, F> {
    pub(super) trading: TradingStage<V>,
    pub(super) downstream: Noticed<D>,
    pub(super) outlets: Outlets<F>,
    /// Number of the next event.
    event: u64,
}

impl<D: Downstream, V: Venue, F: FnMut(&FeatureStage)> StagesThread<D, V, F> {
    pub(super) fn new(
        trading: TradingStage<V>,
        downstream: Noticed<D>,
        outlets: Outlets<F>,
    ) -> StagesThread<D, V, F> {
        StagesThread { trading, downstream, outlets, event: 0 }
    }

    /// Takes every event, until the ring is shut down. After a failure it still takes them but does
    /// nothing.
    pub(super) fn run(&mut self, mut ring: Reader, wait: Wait, failures: &Failures) {
        let mut waiter = Waiter::new(wait);
        let mut has_failed = false;
        loop {
            match ring.take(BATCH as u64) {
                Ok(mut slots) => {
                    waiter.reset();
                    if has_failed {
                        continue;
                    }
                    let done = without_unwinding(|| {
                        for slot in &mut slots {
                            self.on_slot(slot);
                        }
                    });
                    if let Err(reason) = done {
                        has_failed = true;
                        failures.add(ThreadFailure {
                            thread: Role::Stages,
                            event: Some(self.event),
                            reason,
                        });
                    }
                }
                Err(Polling::NoEvents) => waiter.wait(),
                Err(Polling::Shutdown) => return,
            }
        }
    }

    #[inline]
    fn on_slot(&mut self, slot: &Slot) {
        let asked = self.trading.questions();
        self.outlets.begin(self.event, slot.stamp);
        if slot.is_sampled {
            self.outlets.watch.record_since(Span::HandOver, slot.stamp);
        }
        self.trading.on_event(&slot.event, &mut self.downstream, &mut self.outlets);
        if slot.is_sampled && matches!(slot.event, Event::Tick(_)) {
            self.outlets.watch.record_since(Span::TickToBar, slot.stamp);
        }
        if let Some(notices) = &mut self.downstream.notices {
            if slot.may_close {
                notices.send(Notice::Done(self.event));
            } else {
                let has_asked = self.trading.questions() != asked;
                assert!(
                    !has_asked || matches!(slot.event, Event::End(_)),
                    "the decision seat was asked where no bar of it can close"
                );
            }
        }
        self.event += 1;
    }
}
