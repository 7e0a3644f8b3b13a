//! Queues between two threads, and how long a hop over each takes.
//!
//! Each sits behind [`Queue`] as its users would use it: spinning, never blocking, [`CAPACITY`]
//! slots, messages of a cache line. [`ours`] is what the pinned pipeline does.

#![allow(dead_code, reason = "every bench uses a part of it")]

pub mod channels;
pub mod disruptors;
pub mod measure;
pub mod ours;
pub mod rtrb_queue;

use std::thread::{self, JoinHandle};

use core_affinity::CoreId;

/// Messages that a queue holds.
pub const CAPACITY: usize = 1024;

/// Messages in a batch.
pub const BATCH: usize = 16;

/// The message that is sent: a line of cache, as a tick with its time stamps is.
#[derive(Clone, Copy, Debug, Default)]
#[repr(C, align(64))]
pub struct Message {
    pub number: u64,
    pub payload: [u64; 7],
}

impl Message {
    pub fn new(number: u64) -> Message {
        Message { number, payload: [number; 7] }
    }
}

/// The end that sends; dropping it ends the receiver once it has everything.
pub trait Send: std::marker::Send + 'static {
    /// Sends one message; spins while there is no room.
    fn send(&mut self, message: Message);

    /// Sends [`BATCH`] messages, numbered from `first`; spins while there is no room for all.
    fn send_batch(&mut self, first: u64) {
        (first..first + BATCH as u64).for_each(|number| self.send(Message::new(number)));
    }
}

/// The end that receives.
pub trait Receive: std::marker::Send + 'static {
    /// Hands over what has come, perhaps nothing. False once the sender is gone and everything has
    /// been handed over.
    fn poll(&mut self, each: &mut impl FnMut(&Message)) -> bool;
}

/// A kind of queue.
pub trait Queue {
    const NAME: &'static str;
    /// `true` if it can send many messages at once.
    const BATCHES: bool = true;
    type Sender: Send;
    type Receiver: Receive;

    /// A queue whose receiver is polled.
    fn open() -> (Self::Sender, Self::Receiver);

    /// A queue whose messages go to `each` in a thread on `core`, until the sender is dropped. The
    /// thread is returned, unless dropping the sender joins it.
    fn start(
        core: CoreId,
        mut each: impl FnMut(&Message) + std::marker::Send + 'static,
    ) -> (Self::Sender, Option<JoinHandle<()>>) {
        let (sender, mut receiver) = Self::open();
        let thread = thread::spawn(move || {
            pin(core);
            while receiver.poll(&mut each) {}
        });
        (sender, Some(thread))
    }
}

/// Pins this thread.
pub fn pin(core: CoreId) {
    assert!(core_affinity::set_for_current(core), "cannot pin a thread to core {}", core.id);
}

/// The first two cores that this process may use, if there are two.
pub fn two_cores() -> Option<[CoreId; 2]> {
    match core_affinity::get_core_ids()?.as_slice() {
        [first, second, ..] => Some([*first, *second]),
        _ => None,
    }
}
