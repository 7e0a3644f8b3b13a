//! One-to-one queues between the threads, beside the ring.

use std::time::Instant;

use rtrb::{Consumer, Producer, PushError, RingBuffer};

use super::failure::Failures;
use super::ring::Full;
use crate::machine::{Role, Wait, Waiter};

/// Creates a queue for `most` messages at once. Every place is written once, with the message
/// `any`, so that its memory is resident.
pub(super) fn queue<T: Copy>(most: usize, wait: Wait, any: T) -> (Outlet<T>, Consumer<T>) {
    let (mut producer, mut consumer) = RingBuffer::new(most);
    while producer.push(any).is_ok() {}
    while consumer.pop().is_ok() {}
    (Outlet { producer, waiter: Waiter::new(wait), full: Full::default(), dropped: 0 }, consumer)
}

/// The writing end of a queue.
pub(super) struct Outlet<T> {
    producer: Producer<T>,
    waiter: Waiter,
    /// Count and time of waits for room.
    pub(super) full: Full,
    /// Messages given up because there was no room.
    pub(super) dropped: u64,
}

impl<T> Outlet<T> {
    /// Sends, waiting while there is no room. A reader that has ended misses the message.
    #[inline]
    pub(super) fn send(&mut self, message: T) {
        if let Err(PushError::Full(message)) = self.producer.push(message) {
            self.send_when_there_is_room(message);
        }
    }

    /// Sends if there is room. Returns whether there was.
    #[inline]
    pub(super) fn try_send(&mut self, message: T) -> bool {
        self.producer.push(message).is_ok()
    }

    /// Sends if there is room; otherwise counts the message as dropped.
    #[inline]
    pub(super) fn offer(&mut self, message: T) {
        self.dropped += u64::from(!self.try_send(message));
    }

    #[cold]
    fn send_when_there_is_room(&mut self, mut message: T) {
        let start = Instant::now();
        self.waiter.reset();
        while let Err(PushError::Full(back)) = self.producer.push(message) {
            if self.producer.is_abandoned() {
                return;
            }
            message = back;
            self.waiter.wait();
        }
        self.full.times += 1;
        self.full.waited += start.elapsed();
    }
}

/// Calls `work` on every message until all writers have ended. After a panic it keeps reading, so
/// that no writer waits, and works no more.
pub(super) fn serve<T>(
    thread: Role,
    mut inbox: Consumer<T>,
    wait: Wait,
    failures: &Failures,
    mut work: impl FnMut(T),
) {
    let mut waiter = Waiter::new(wait);
    let mut has_failed = false;
    loop {
        // Asked before looking, so that the last messages are seen.
        let is_last = inbox.is_abandoned();
        let mut found = false;
        while let Ok(message) = inbox.pop() {
            found = true;
            if has_failed {
                continue;
            }
            has_failed = !failures.catch(thread, || work(message));
        }
        if found {
            waiter.reset();
        } else if is_last {
            return;
        } else {
            waiter.wait();
        }
    }
}
