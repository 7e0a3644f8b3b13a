//! The `disruptor` crate as it comes.

use std::thread::JoinHandle;

use core_affinity::CoreId;
use disruptor::{
    BusySpin, EventPoller, Polling, Producer, SingleConsumerBarrier, SingleProducer,
    SingleProducerBarrier, build_single_producer,
};

use super::{BATCH, CAPACITY, Message, Queue, Receive, Send, pin};

type Sender = SingleProducer<Message, SingleConsumerBarrier>;

impl Send for Sender {
    #[inline]
    fn send(&mut self, message: Message) {
        self.publish(|slot| *slot = message);
    }

    #[inline]
    fn send_batch(&mut self, first: u64) {
        self.batch_publish(BATCH, |slots| {
            for (number, slot) in (first..).zip(slots) {
                *slot = Message::new(number);
            }
        });
    }
}

impl Receive for EventPoller<Message, SingleProducerBarrier> {
    #[inline]
    fn poll(&mut self, each: &mut impl FnMut(&Message)) -> bool {
        match EventPoller::poll(self) {
            Ok(mut messages) => {
                for message in &mut messages {
                    each(message);
                }
                true
            }
            Err(Polling::NoEvents) => true,
            Err(Polling::Shutdown) => false,
        }
    }
}

/// Received by polling.
pub struct Poller;

impl Queue for Poller {
    const NAME: &'static str = "disruptor, polled";
    type Sender = Sender;
    type Receiver = EventPoller<Message, SingleProducerBarrier>;

    fn open() -> (Self::Sender, Self::Receiver) {
        let builder = build_single_producer(CAPACITY, Message::default, BusySpin);
        let (poller, builder) = builder.new_event_poller();
        (builder.build(), poller)
    }
}

/// Received by a handler in a thread of the crate's. The way back of a round trip is polled, since
/// the thread that measures is our own.
pub struct Handler;

impl Queue for Handler {
    const NAME: &'static str = "disruptor, handler";
    type Sender = Sender;
    type Receiver = <Poller as Queue>::Receiver;

    fn open() -> (Self::Sender, Self::Receiver) {
        Poller::open()
    }

    fn start(
        core: CoreId,
        mut each: impl FnMut(&Message) + std::marker::Send + 'static,
    ) -> (Self::Sender, Option<JoinHandle<()>>) {
        // Not `pin_at_core`, which refuses cores that the calling thread is not on.
        let sender = build_single_producer(CAPACITY, Message::default, BusySpin)
            .handle_events_and_state_with(
                move |(), message: &Message, _, _| each(message),
                move || pin(core),
            )
            .build();
        (sender, None)
    }
}
