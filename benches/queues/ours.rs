//! The hop of our own pinned pipeline.
//!
//! This file is the place where the pipeline's own ring stands in the comparison: what publishes and takes
//! here must do what the runner does.

use std::hint::spin_loop;

use disruptor::{
    BusySpin, EventPoller, Polling, Producer, SingleConsumerBarrier, SingleProducer,
    SingleProducerBarrier, build_single_producer,
};

use super::{BATCH, CAPACITY, Message, Queue, Receive, Send};

/// Most messages that are taken before the slots are given back.
const MOST_TAKEN: u64 = 64;

/// A slot of the ring: the event, and a line that the stages write.
#[derive(Clone, Copy, Default)]
#[repr(C, align(128))]
struct Slot {
    message: Message,
}

pub struct Sender(SingleProducer<Slot, SingleConsumerBarrier>);

impl Send for Sender {
    #[inline]
    fn send(&mut self, message: Message) {
        while self.0.try_publish(|slot| slot.message = message).is_err() {
            spin_loop();
        }
    }

    #[inline]
    fn send_batch(&mut self, first: u64) {
        while self
            .0
            .try_batch_publish(BATCH, |slots| {
                for (number, slot) in (first..).zip(slots) {
                    slot.message = Message::new(number);
                }
            })
            .is_err()
        {
            spin_loop();
        }
    }
}

pub struct Receiver(EventPoller<Slot, SingleProducerBarrier>);

impl Receive for Receiver {
    #[inline]
    fn poll(&mut self, each: &mut impl FnMut(&Message)) -> bool {
        match self.0.take(MOST_TAKEN) {
            Ok(mut slots) => {
                for slot in &mut slots {
                    each(&slot.message);
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
        let builder = build_single_producer(CAPACITY, Slot::default, BusySpin);
        let (poller, builder) = builder.new_event_poller();
        (Sender(builder.build()), Receiver(poller))
    }
}
