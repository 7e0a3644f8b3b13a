//! The ring of preallocated slots, and its writer and readers.
//!
//! One thread writes, two read. Only the part of the `disruptor` crate that cannot hang is used:
//! `try_batch_publish` and pollers on our own threads. Its `publish` spins for ever on a full ring,
//! its `batch_publish` on a batch longer than the ring. A ring with several producers stops for
//! good when a writer panics, and a handler on one of the crate's threads that panics takes its
//! thread down silently.

use std::fmt;
use std::time::{Duration, Instant};

use disruptor::{
    BusySpin, EventPoller, MultiConsumerBarrier, Producer, SingleProducer, SingleProducerBarrier,
    build_single_producer,
};

use crate::engine::message::Event;
use crate::machine::{Wait, Waiter};
use crate::market::Timestamp;

/// The most events that are written, or taken, at once. They become visible to the next thread
/// together.
pub const BATCH: usize = 64;

/// One place of the ring. The event's first bytes and the stamps share a cache line, which is all
/// that a tick needs.
#[derive(Clone, Copy, Debug)]
#[repr(C, align(64))]
pub struct Slot {
    /// Time at which the event was due, or else written, in the raw unit of the clock; 0 if no time
    /// was taken.
    pub stamp: u64,
    /// `true` if its latency counts. Events that may close a bar are stamped without being sampled.
    pub is_sampled: bool,
    /// `true` if it may close a bar, so that the sequencer must hear whether a question was asked.
    pub may_close: bool,
    /// The event.
    pub event: Event,
}

impl Slot {
    /// A slot without meaning.
    pub const EMPTY: Slot =
        Slot { stamp: 0, is_sampled: false, may_close: false, event: Event::Timer(Timestamp::MIN) };

    #[inline(always)]
    fn fill(&mut self, slot: &Slot) {
        (self.stamp, self.is_sampled, self.may_close) =
            (slot.stamp, slot.is_sampled, slot.may_close);
        // A tick is a third of the largest event: only its bytes are copied.
        match &slot.event {
            Event::Tick(tick) => self.event = Event::Tick(*tick),
            event => self.event = *event,
        }
    }
}

/// One reader's end.
pub type Reader = EventPoller<Slot, SingleProducerBarrier>;

/// Creates a ring of `slots`, a power of two, with a second reader if there is a journal. Each slot
/// is written once, so that its memory is resident. Each reader must be polled until it says that
/// the ring is shut down, or the ring fills for ever.
pub fn ring(slots: usize, wait: Wait, with_journal: bool) -> (Publisher, Reader, Option<Reader>) {
    // The strategy is for the crate's own threads, which are not used.
    let builder = build_single_producer(slots, || Slot::EMPTY, BusySpin).with_multi_consumer();
    let (stages, builder) = builder.new_event_poller();
    let (journal, ring) = if with_journal {
        let (journal, builder) = builder.new_event_poller();
        (Some(journal), builder.build())
    } else {
        (None, builder.build())
    };
    let most = BATCH.min(slots / 2).max(1);
    let publisher = Publisher { ring, most, waiter: Waiter::new(wait), full: Full::default() };
    (publisher, stages, journal)
}

/// Count and time of a writer's waits for room.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Full {
    /// Times.
    pub times: u64,
    /// Wall time waited in all.
    pub waited: Duration,
}

/// The writer's end.
pub struct Publisher {
    ring: SingleProducer<Slot, MultiConsumerBarrier>,
    most: usize,
    waiter: Waiter,
    /// Count and time of waits for room.
    pub full: Full,
}

impl fmt::Debug for Publisher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Publisher")
            .field("most", &self.most)
            .field("full", &self.full)
            .finish_non_exhaustive()
    }
}

impl Publisher {
    /// Writes `slots` if there is room for all of them.
    pub fn try_publish(&mut self, slots: &[Slot]) -> bool {
        self.ring
            .try_batch_publish(slots.len(), |places| {
                for (place, slot) in places.zip(slots) {
                    place.fill(slot);
                }
            })
            .is_ok()
    }

    /// Writes `slots`, waiting while there is no room; `meanwhile` is called while it waits.
    pub fn publish(&mut self, slots: &[Slot], meanwhile: &mut impl FnMut()) {
        for part in slots.chunks(self.most) {
            if self.try_publish(part) {
                continue;
            }
            let start = Instant::now();
            self.waiter.reset();
            while !self.try_publish(part) {
                meanwhile();
                self.waiter.wait();
            }
            self.full.times += 1;
            self.full.waited += start.elapsed();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn slots(count: usize) -> Vec<Slot> {
        (0..count).map(|stamp| Slot { stamp: stamp as u64, ..Slot::EMPTY }).collect()
    }

    /// Takes the events that `reader` finds now.
    fn take(reader: &mut Reader, into: &mut Vec<u64>) {
        if let Ok(mut slots) = reader.take(BATCH as u64) {
            into.extend((&mut slots).map(|slot| slot.stamp));
        }
    }

    #[test]
    fn a_full_ring_is_counted_and_loses_nothing() {
        let (mut publisher, mut reader, _) = ring(4, Wait::Yield, false);
        assert!(publisher.try_publish(&slots(4)));
        assert!(!publisher.try_publish(&slots(1)));
        assert_eq!(publisher.full.times, 0, "what does not wait is not counted");
        let mut seen = Vec::new();
        publisher.publish(&slots(1), &mut || take(&mut reader, &mut seen));
        assert_eq!(publisher.full.times, 1);
        take(&mut reader, &mut seen);
        assert_eq!(seen, [0, 1, 2, 3, 0]);
    }

    #[test]
    fn a_batch_longer_than_the_ring_is_written_in_parts() {
        let (mut publisher, mut reader, _) = ring(2, Wait::Yield, false);
        let mut seen = Vec::new();
        publisher.publish(&slots(BATCH), &mut || take(&mut reader, &mut seen));
        take(&mut reader, &mut seen);
        assert_eq!(seen, (0..BATCH as u64).collect::<Vec<_>>());
        assert!(publisher.full.times > 0);
        drop(publisher);
        assert!(matches!(reader.take(1), Err(disruptor::Polling::Shutdown)));
    }

    #[test]
    fn a_reader_that_is_gone_still_gates_the_ring() {
        let (mut publisher, mut reader, journal) = ring(2, Wait::Yield, true);
        drop(journal);
        assert!(publisher.try_publish(&slots(2)));
        take(&mut reader, &mut Vec::new());
        // So no thread may end before the ring is shut down, not even after a failure.
        assert!(!publisher.try_publish(&slots(1)));
    }
}
