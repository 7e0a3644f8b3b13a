//! The hop of our own pinned pipeline: its ring, written and taken as its threads do.

use algospace_hft::engine::Event;
use algospace_hft::engine::pinned::ring::{self, Publisher, Reader, Slot, ring};
use algospace_hft::machine::Wait;
use algospace_hft::market::{Price, Tick, Timestamp};
use disruptor::Polling;

use super::{BATCH, CAPACITY, Message, Queue, Receive, Send};

/// A tick with its stamp, which numbers it here.
fn slot(number: u64) -> Slot {
    let tick = Tick::new(Timestamp::from_nanos(number as i64), Price::ZERO, 1);
    Slot { stamp: number, event: Event::Tick(tick), ..Slot::EMPTY }
}

pub struct Sender(Publisher);

impl Send for Sender {
    #[inline]
    fn send(&mut self, message: Message) {
        self.0.publish(&[slot(message.number)], &mut || {});
    }

    #[inline]
    fn send_batch(&mut self, first: u64) {
        let slots: [Slot; BATCH] = std::array::from_fn(|place| slot(first + place as u64));
        self.0.publish(&slots, &mut || {});
    }
}

pub struct Receiver(Reader);

impl Receive for Receiver {
    #[inline]
    fn poll(&mut self, each: &mut impl FnMut(&Message)) -> bool {
        match self.0.take(ring::BATCH as u64) {
            Ok(mut slots) => {
                for slot in &mut slots {
                    if let Event::Tick(tick) = &slot.event {
                        each(&Message::new(tick.time.nanos() as u64));
                    }
                }
                true
            }
            Err(Polling::NoEvents) => true,
            Err(Polling::Shutdown) => false,
        }
    }
}

pub struct Ours;

impl Queue for Ours {
    const NAME: &'static str = "ours";
    type Sender = Sender;
    type Receiver = Receiver;

    fn open() -> (Self::Sender, Self::Receiver) {
        let (publisher, reader, _) = ring(CAPACITY, Wait::SpinHint, false);
        (Sender(publisher), Receiver(reader))
    }
}
