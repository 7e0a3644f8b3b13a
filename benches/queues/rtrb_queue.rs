//! The `rtrb` crate.

use std::hint::spin_loop;

use rtrb::{Consumer, Producer, RingBuffer};

use super::{BATCH, CAPACITY, Message, Queue, Receive, Send};

impl Send for Producer<Message> {
    #[inline]
    fn send(&mut self, message: Message) {
        while self.push(message).is_err() {
            spin_loop();
        }
    }

    #[inline]
    fn send_batch(&mut self, first: u64) {
        loop {
            if let Ok(chunk) = self.write_chunk_uninit(BATCH) {
                chunk.fill_from_iter((first..).map(Message::new));
                return;
            }
            spin_loop();
        }
    }
}

impl Receive for Consumer<Message> {
    #[inline]
    fn poll(&mut self, each: &mut impl FnMut(&Message)) -> bool {
        // Looked at first: what was sent before the sender went is then seen below.
        let is_abandoned = self.is_abandoned();
        let mut is_empty = true;
        while let Ok(message) = self.pop() {
            each(&message);
            is_empty = false;
        }
        !(is_abandoned && is_empty)
    }
}

pub struct Rtrb;

impl Queue for Rtrb {
    const NAME: &'static str = "rtrb";
    type Sender = Producer<Message>;
    type Receiver = Consumer<Message>;

    fn open() -> (Self::Sender, Self::Receiver) {
        RingBuffer::new(CAPACITY)
    }
}
