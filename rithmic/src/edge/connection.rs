//! A link with its socket.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, TryRecvError, sync_channel};
use std::time::Duration;

use tungstenite::Bytes;

use super::{ConnectError, Connector, Received, Socket};
use crate::Monotonic;
use crate::credentials::Credentials;
use crate::link::{Change, Link, Logins, NotNow, Output, Unanswered};
use crate::wire::{BestBidOffer, Envelope, Incoming, LastTrade, decode, messages};

/// An event that a connection tells.
#[derive(Debug)]
pub enum Event<'a> {
    /// A last trade.
    Trade(LastTrade),
    /// A change of the best bid and offer.
    Quote(BestBidOffer),
    /// Another message that is not the link's own affair.
    Message(Envelope<'a>, &'a [u8]),
    /// The link's state changed.
    Changed(Change),
    /// The gateway refused the login, or a request that the link keeps, by the template of its
    /// answer: code and text.
    Refused(Option<i32>, &'a str, &'a str),
    /// A request has no answer.
    Unanswered(u32, Unanswered),
    /// The socket closed or broke.
    Closed(&'a tungstenite::Error),
    /// A socket could not be opened.
    NotConnected(&'a ConnectError),
}

/// Frames by what became of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FrameCounts {
    /// Binary frames.
    pub frames: u64,
    /// Messages that were skipped because they are not valid.
    pub invalid: u64,
    /// Texts, which no gateway sends.
    pub texts: u64,
}

#[derive(Debug)]
enum Slot {
    Empty,
    Opening(Receiver<Result<Socket, ConnectError>>),
    Open(Box<Socket>),
}

/// A link, driven. [`poll`](Connection::poll) never waits.
#[derive(Debug)]
pub struct Connection {
    link: Link,
    connector: Arc<Connector>,
    credentials: Credentials,
    slot: Slot,
    outputs: Vec<Output>,
    counts: FrameCounts,
}

impl Connection {
    /// Frames that one poll takes at most, so that the link's deadlines are seen in a flood.
    pub const BATCH: usize = 256;
    /// The longest that each step of opening a socket may take: less than the link waits, so that
    /// the reason is told.
    const PATIENCE: Duration = Duration::from_secs(3);

    /// Creates a connection that is down.
    pub fn new(link: Link, connector: Arc<Connector>, credentials: Credentials) -> Connection {
        Connection {
            link,
            connector,
            credentials,
            slot: Slot::Empty,
            outputs: Vec::with_capacity(Link::REQUESTS),
            counts: FrameCounts::default(),
        }
    }

    /// The link.
    pub fn link(&self) -> &Link {
        &self.link
    }

    /// The counts so far.
    pub fn counts(&self) -> FrameCounts {
        self.counts
    }

    /// Keeps a request: [`Link::keep`].
    pub fn keep(&mut self, body: Vec<u8>, now: Monotonic) {
        self.link.keep(body, now, &mut self.outputs);
    }

    /// Sends all that it keeps again: [`Link::ask_again`].
    pub fn ask_again(&mut self, now: Monotonic) {
        self.link.ask_again(now, &mut self.outputs);
    }

    /// Sends a request with the next poll: [`Link::request`].
    ///
    /// # Errors
    /// If the link takes none.
    pub fn request(
        &mut self,
        body: &[u8],
        patience: Duration,
        now: Monotonic,
    ) -> Result<u32, NotNow> {
        self.link.request(body, patience, now, &mut self.outputs)
    }

    /// Gives the connection up, as if the socket had closed.
    pub fn reconnect(&mut self, now: Monotonic, logins: &mut Logins) {
        self.link.on_closed(now, logins, &mut self.outputs);
    }

    /// Takes note that the machine slept.
    pub fn suspended(&mut self, now: Monotonic, logins: &mut Logins) {
        self.link.on_suspended(now, logins, &mut self.outputs);
    }

    /// Logs out and stays down, with the next poll.
    pub fn stop(&mut self, now: Monotonic, logins: &mut Logins) {
        self.link.stop(now, logins, &mut self.outputs);
    }

    /// Does what is due and takes what has come, all of it received `now`. Returns the number of
    /// frames: [`BATCH`](Connection::BATCH) means that there may be more.
    ///
    /// A link that waits for its login asks for its turn with each poll, and loses its place if it
    /// does not ask for a second: poll all links that often, those that are down too.
    pub fn poll(
        &mut self,
        now: Monotonic,
        logins: &mut Logins,
        on: &mut impl FnMut(Event<'_>),
    ) -> usize {
        // What the kernel did not take when it was sent.
        if let Slot::Open(socket) = &mut self.slot
            && let Err(error) = socket.flush()
        {
            on(Event::Closed(&error));
            self.link.on_closed(now, logins, &mut self.outputs);
        }
        self.link.on_time(now, logins, &mut self.outputs);
        self.act(now, logins, on);
        self.see_whether_it_opened(now, logins, on);
        for taken in 0..Self::BATCH {
            let Slot::Open(socket) = &mut self.slot else { return taken };
            match socket.receive() {
                Ok(None) => return taken,
                Ok(Some(Received::Frame(frame))) => self.on_frame(&frame, now, logins, on),
                Ok(Some(received)) => {
                    self.counts.texts += u64::from(received == Received::Text);
                    self.link.on_traffic(now, &mut self.outputs);
                }
                Err(error) => {
                    on(Event::Closed(&error));
                    self.link.on_closed(now, logins, &mut self.outputs);
                }
            }
            if !self.outputs.is_empty() {
                self.act(now, logins, on);
            }
        }
        Self::BATCH
    }

    #[inline]
    fn on_frame(
        &mut self,
        frame: &[u8],
        now: Monotonic,
        logins: &mut Logins,
        on: &mut impl FnMut(Event<'_>),
    ) {
        self.counts.frames += 1;
        self.link.on_traffic(now, &mut self.outputs);
        for message in messages(frame) {
            match message.and_then(decode) {
                Ok(Incoming::Trade(trade)) => on(Event::Trade(trade)),
                Ok(Incoming::Quote(quote)) => on(Event::Quote(quote)),
                Ok(Incoming::Other(envelope, message)) => {
                    let out = &mut self.outputs;
                    if !self.link.on_message(&envelope, message, now, logins, out) {
                        on(Event::Message(envelope, message));
                    }
                }
                Err(_) => self.counts.invalid += 1,
            }
        }
    }

    fn see_whether_it_opened(
        &mut self,
        now: Monotonic,
        logins: &mut Logins,
        on: &mut impl FnMut(Event<'_>),
    ) {
        let Slot::Opening(receiver) = &self.slot else { return };
        let opened = match receiver.try_recv() {
            Err(TryRecvError::Empty) => return,
            Err(TryRecvError::Disconnected) => None,
            Ok(opened) => Some(opened),
        };
        self.slot = Slot::Empty;
        match opened {
            Some(Ok(socket)) => {
                self.slot = Slot::Open(Box::new(socket));
                self.link.on_connected(now, &mut self.outputs);
            }
            failed => {
                if let Some(Err(error)) = &failed {
                    on(Event::NotConnected(error));
                }
                self.link.on_closed(now, logins, &mut self.outputs);
            }
        }
        self.act(now, logins, on);
    }

    /// Does what the link says, which may lead to more.
    fn act(&mut self, now: Monotonic, logins: &mut Logins, on: &mut impl FnMut(Event<'_>)) {
        while !self.outputs.is_empty() {
            let mut outputs = std::mem::take(&mut self.outputs);
            for output in outputs.drain(..) {
                if let Err(error) = self.act_on(output, on) {
                    on(Event::Closed(&error));
                    self.link.on_closed(now, logins, &mut self.outputs);
                }
            }
            // Its room is used again.
            if self.outputs.is_empty() {
                self.outputs = outputs;
            }
        }
    }

    fn act_on(
        &mut self,
        output: Output,
        on: &mut impl FnMut(Event<'_>),
    ) -> Result<(), Box<tungstenite::Error>> {
        match (output, &mut self.slot) {
            (Output::Connect, slot) => *slot = Slot::Opening(open(Arc::clone(&self.connector))),
            (Output::Disconnect, slot) => {
                if let Slot::Open(socket) = std::mem::replace(slot, Slot::Empty) {
                    socket.close();
                }
            }
            (Output::Login(number), Slot::Open(socket)) => {
                let frame = self.credentials.login(self.link.plant(), number);
                socket.send(Bytes::from_owner(frame))?;
            }
            (Output::Send(frame), Slot::Open(socket)) => socket.send(frame)?,
            (Output::Ping, Slot::Open(socket)) => socket.ping()?,
            // The socket has gone meanwhile, which the link has been told.
            (Output::Login(_) | Output::Send(_) | Output::Ping, _) => {}
            (Output::Changed(change), _) => on(Event::Changed(change)),
            (Output::Refused(kept, code, text), _) => on(Event::Refused(kept, &code, &text)),
            (Output::Unanswered(number, why), _) => on(Event::Unanswered(number, why)),
        }
        Ok(())
    }
}

/// Opens a socket on a thread of its own, since the system offers no way to look up a host without
/// waiting. If nobody wants the socket any more, it closes.
fn open(connector: Arc<Connector>) -> Receiver<Result<Socket, ConnectError>> {
    let (sender, receiver) = sync_channel(1);
    let opening = move || drop(sender.send(connector.open(Connection::PATIENCE)));
    // Without a thread the sender is gone, which the receiver notices.
    _ = std::thread::Builder::new().name("connect".to_owned()).spawn(opening);
    receiver
}
