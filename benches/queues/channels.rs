//! Channels that any number of threads may send to, polled without blocking.

use std::hint::spin_loop;
use std::sync::mpsc;

use super::{CAPACITY, Message, Queue, Receive, Send};

impl Send for crossbeam_channel::Sender<Message> {
    #[inline]
    fn send(&mut self, message: Message) {
        while self.try_send(message).is_err() {
            spin_loop();
        }
    }
}

impl Receive for crossbeam_channel::Receiver<Message> {
    #[inline]
    fn poll(&mut self, each: &mut impl FnMut(&Message)) -> bool {
        loop {
            match self.try_recv() {
                Ok(message) => each(&message),
                Err(error) => return error.is_empty(),
            }
        }
    }
}

pub struct Crossbeam;

impl Queue for Crossbeam {
    const NAME: &'static str = "crossbeam-channel";
    const BATCHES: bool = false;
    type Sender = crossbeam_channel::Sender<Message>;
    type Receiver = crossbeam_channel::Receiver<Message>;

    fn open() -> (Self::Sender, Self::Receiver) {
        crossbeam_channel::bounded(CAPACITY)
    }
}

impl Send for mpsc::SyncSender<Message> {
    #[inline]
    fn send(&mut self, message: Message) {
        while self.try_send(message).is_err() {
            spin_loop();
        }
    }
}

impl Receive for mpsc::Receiver<Message> {
    #[inline]
    fn poll(&mut self, each: &mut impl FnMut(&Message)) -> bool {
        loop {
            match self.try_recv() {
                Ok(message) => each(&message),
                Err(error) => return error == mpsc::TryRecvError::Empty,
            }
        }
    }
}

pub struct Standard;

impl Queue for Standard {
    const NAME: &'static str = "std::sync::mpsc";
    const BATCHES: bool = false;
    type Sender = mpsc::SyncSender<Message>;
    type Receiver = mpsc::Receiver<Message>;

    fn open() -> (Self::Sender, Self::Receiver) {
        mpsc::sync_channel(CAPACITY)
    }
}
