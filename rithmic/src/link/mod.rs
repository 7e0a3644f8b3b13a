//! One link to one plant, as a machine: told what happened and the time, it says what to do.
//!
//! The order of a link's life is [`State`]'s. What it keeps ([`Link::keep`]) is asked again after
//! each login, and only when all of it is answered the link is live. A link that is live and hears
//! nothing asks (a ping and a heartbeat); if nothing answers, it is dead, even if the socket seems
//! well. Staleness of the *data* is [another question](crate::feed::Freshness).

mod backoff;
mod logins;
mod refusal;

use std::time::Duration;

use prost::Message as _;

pub use backoff::Backoff;
pub use logins::Logins;
pub use refusal::Refusal;

use crate::Monotonic;
use crate::wire::{Envelope, Verdict, encode, encode_body, rti};

/// A part of the gateway, which has a login and a socket of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i32)]
pub enum Plant {
    /// Market data.
    Ticker = 1,
    /// Orders.
    Orders = 2,
    /// Past market data.
    History = 3,
    /// Positions and money.
    Pnl = 4,
}

/// The state of a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// There is no connection. It tries again at that time, when no other link is logging in.
    Down {
        /// The earliest time of the next try.
        until: Monotonic,
    },
    /// A socket is being opened.
    Connecting,
    /// The login is under way.
    LoggingIn,
    /// The requests that it keeps are being asked.
    Restoring,
    /// It works.
    Live,
    /// Nothing has come for a while, and it has asked.
    Stale {
        /// The time that something came last.
        since: Monotonic,
    },
    /// It stays down until [`Link::release`].
    LoggedOut(Latch),
}

impl State {
    /// Returns true if the link is up: live, or stale and asking.
    pub fn is_up(self) -> bool {
        matches!(self, State::Live | State::Stale { .. })
    }
}

/// The reason that a link stays down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Latch {
    /// It was stopped.
    Stopped,
    /// The gateway logged it out twice: somebody else uses this login.
    ForcedTwice,
    /// The gateway refuses the login, and would refuse it again.
    Refused(Refusal),
}

/// The reason that a link's state changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// Its turn to connect came.
    Turn,
    /// The socket is open.
    Connected,
    /// The login is accepted.
    Accepted,
    /// All that it keeps is answered.
    Restored,
    /// Something came.
    Traffic,
    /// Nothing came for a while.
    Silence,
    /// The socket could not be opened, or not in time.
    NotConnected,
    /// The socket closed.
    Closed,
    /// The login was not answered.
    LoginUnanswered,
    /// A request that it keeps was not answered.
    RestoreUnanswered,
    /// Neither ping nor heartbeat was answered.
    ProbeUnanswered,
    /// The login was refused for a reason that may pass.
    RefusedForNow,
    /// The login was refused for good.
    Refused,
    /// The gateway logged it out (template 77).
    ForcedLogout,
    /// The machine slept.
    Suspended,
    /// It was told to.
    Told,
}

/// A change of a link's state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Change {
    /// Which link.
    pub plant: Plant,
    /// The state before.
    pub from: State,
    /// The state now.
    pub to: State,
    /// Which connection: counts them.
    pub generation: u32,
    /// The reason.
    pub why: Why,
}

/// An action to take, or an event to tell.
#[derive(Clone, Debug, PartialEq)]
pub enum Output {
    /// Open a socket; then [`Link::on_connected`], or [`Link::on_closed`] if that fails.
    Connect,
    /// Send the login with that request number.
    Login(u32),
    /// Send a frame.
    Send(Vec<u8>),
    /// Send a WebSocket ping.
    Ping,
    /// Close the socket, if there is one.
    Disconnect,
    /// The state changed.
    Changed(Change),
    /// The gateway refused a login, or a request that the link keeps, by the template of its
    /// answer: code and text.
    Refused(Option<i32>, String, String),
    /// A request has no answer, and will not be waited for.
    Unanswered(u32, Unanswered),
}

/// The reason that a request has no answer. Its fate is unknown either way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unanswered {
    /// Its time is over.
    Late,
    /// The connection is gone.
    Lost,
}

/// A link has [`Link::REQUESTS`] requests under way, or is not live.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the link takes no request now")]
pub struct NotNow;

/// The times of a link.
#[derive(Clone, Copy, Debug)]
pub struct LinkSettings {
    /// The silence after which the link asks.
    pub silence: Duration,
    /// The time that it then waits.
    pub probe: Duration,
    /// The time that a socket may take to open.
    pub connect: Duration,
    /// The time that a login, and each request that it keeps, may take.
    pub answer: Duration,
    /// The wait after the gateway logged it out.
    pub forced_logout: Duration,
    /// After which time a forced logout is forgotten.
    pub forgive: Duration,
    /// The time that a link must be up for its failures to be forgotten.
    pub settled: Duration,
}

impl Default for LinkSettings {
    fn default() -> LinkSettings {
        LinkSettings {
            silence: Duration::from_secs(3),
            probe: Duration::from_secs(4),
            connect: Duration::from_secs(5),
            answer: Duration::from_secs(5),
            forced_logout: Duration::from_secs(30),
            forgive: Duration::from_secs(12 * 3600),
            settled: Duration::from_secs(30),
        }
    }
}

/// The purpose of a request under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Purpose {
    Login,
    Keep,
    Caller,
}

#[derive(Clone, Copy, Debug)]
struct Request {
    number: u32,
    purpose: Purpose,
    patience: Duration,
    deadline: Monotonic,
}

/// One link.
#[derive(Debug)]
pub struct Link {
    plant: Plant,
    settings: LinkSettings,
    state: State,
    generation: u32,
    backoff: Backoff,
    /// The time that the present try began.
    tried: Monotonic,
    /// The time that it became live, if it is.
    live_since: Option<Monotonic>,
    last_traffic: Monotonic,
    heartbeat: Duration,
    heartbeat_due: Monotonic,
    /// The time that it gives up: a socket that opens, or a probe.
    deadline: Monotonic,
    next_request: u32,
    requests: Vec<Request>,
    kept: Vec<Vec<u8>>,
    /// Logins refused in a row for a reason that may pass; `None` once one was accepted.
    refusals: Option<u32>,
    forced_at: Option<Monotonic>,
}

impl Link {
    /// Requests that may be under way.
    pub const REQUESTS: usize = 32;
    /// The heartbeat where the login's answer has none.
    const HEARTBEAT: Duration = Duration::from_secs(30);
    /// Logins that may be refused in a row for a reason that may pass, before one is accepted.
    /// Afterwards the login is known to be good: a gateway in maintenance refuses it for an hour.
    const REFUSALS: u32 = 3;

    /// Creates a link that is down and may try at once. The seed is that of its waits.
    pub fn new(plant: Plant, settings: LinkSettings, seed: u64) -> Link {
        Link {
            plant,
            settings,
            state: State::Down { until: Monotonic::default() },
            generation: 0,
            backoff: Backoff::new(seed),
            tried: Monotonic::default(),
            live_since: None,
            last_traffic: Monotonic::default(),
            heartbeat: Self::HEARTBEAT,
            heartbeat_due: Monotonic::NEVER,
            deadline: Monotonic::NEVER,
            next_request: 1,
            requests: Vec::with_capacity(Self::REQUESTS),
            kept: Vec::new(),
            refusals: Some(0),
            forced_at: None,
        }
    }

    /// Which plant it is to.
    pub fn plant(&self) -> Plant {
        self.plant
    }

    /// Its state.
    pub fn state(&self) -> State {
        self.state
    }

    /// Returns true while it is up: live, or stale and asking.
    pub fn is_up(&self) -> bool {
        self.state.is_up()
    }

    /// Which connection it has or had last: 0 before the first.
    pub fn generation(&self) -> u32 {
        self.generation
    }

    /// Returns when it must be told the time, if nothing happens before.
    pub fn due(&self) -> Monotonic {
        let answers = self.requests.iter().map(|request| request.deadline).min();
        let own = match self.state {
            State::Down { until } => return until,
            State::LoggedOut(_) => return Monotonic::NEVER,
            State::Connecting | State::Stale { .. } => self.deadline,
            State::LoggingIn | State::Restoring => Monotonic::NEVER,
            State::Live => self.last_traffic.after(self.settings.silence),
        };
        let heartbeat = if self.is_up() { self.heartbeat_due } else { Monotonic::NEVER };
        own.min(heartbeat).min(answers.unwrap_or(Monotonic::NEVER))
    }

    /// Keeps a request ([`body`](crate::wire::body) made it): it is sent after each login, and now
    /// if the link is up.
    pub fn keep(&mut self, body: Vec<u8>, now: Monotonic, out: &mut Vec<Output>) {
        if self.is_up() {
            self.ask(&body, Purpose::Keep, self.settings.answer, now, out);
        }
        self.kept.push(body);
    }

    /// Sends all that it keeps again, if it is up: the data have stopped and the link lives.
    pub fn ask_again(&mut self, now: Monotonic, out: &mut Vec<Output>) {
        if self.is_up() {
            self.restore(now, out);
        }
    }

    /// Sends a request and returns its number. Its answer is due after `patience`, and each part of
    /// it after the last.
    ///
    /// # Errors
    /// If the link is not up or has too much under way. Nothing was sent then.
    pub fn request(
        &mut self,
        body: &[u8],
        patience: Duration,
        now: Monotonic,
        out: &mut Vec<Output>,
    ) -> Result<u32, NotNow> {
        if !self.is_up() || self.requests.len() >= Self::REQUESTS {
            return Err(NotNow);
        }
        Ok(self.ask(body, Purpose::Caller, patience, now, out))
    }

    /// Lets a link that stays down try again: somebody has seen to it.
    pub fn release(&mut self, now: Monotonic, out: &mut Vec<Output>) {
        if let State::LoggedOut(_) = self.state {
            (self.refusals, self.forced_at) = (Some(0), None);
            self.change(State::Down { until: now }, Why::Told, out);
        }
    }

    /// Does what is due.
    pub fn on_time(&mut self, now: Monotonic, logins: &mut Logins, out: &mut Vec<Output>) {
        match self.state {
            State::Down { until } if now >= until && logins.begin(self.plant, now) => {
                self.generation += 1;
                self.tried = now;
                self.deadline = now.after(self.settings.connect);
                out.push(Output::Connect);
                self.change(State::Connecting, Why::Turn, out);
            }
            State::Connecting if now >= self.deadline => {
                self.drop(Why::NotConnected, now, logins, out);
            }
            State::Stale { .. } if now >= self.deadline => {
                self.drop(Why::ProbeUnanswered, now, logins, out);
            }
            State::Live if now >= self.last_traffic.after(self.settings.silence) => {
                self.deadline = now.after(self.settings.probe);
                out.push(Output::Ping);
                self.beat(now, out);
                self.change(State::Stale { since: self.last_traffic }, Why::Silence, out);
            }
            _ => {}
        }
        self.end_late_requests(now, logins, out);
        if self.is_up() && now >= self.heartbeat_due {
            self.beat(now, out);
        }
    }

    /// Takes note that the socket is open.
    pub fn on_connected(&mut self, now: Monotonic, out: &mut Vec<Output>) {
        if self.state == State::Connecting {
            self.last_traffic = now;
            let number = self.await_answer(Purpose::Login, self.settings.answer, now);
            out.push(Output::Login(number));
            self.change(State::LoggingIn, Why::Connected, out);
        }
    }

    /// Takes note that the socket closed, or could not be opened.
    pub fn on_closed(&mut self, now: Monotonic, logins: &mut Logins, out: &mut Vec<Output>) {
        match self.state {
            State::Down { .. } | State::LoggedOut(_) => {}
            State::Connecting => self.drop(Why::NotConnected, now, logins, out),
            _ => self.drop(Why::Closed, now, logins, out),
        }
    }

    /// Takes note that the machine slept: every socket is dead, even if it seems well.
    pub fn on_suspended(&mut self, now: Monotonic, logins: &mut Logins, out: &mut Vec<Output>) {
        if !matches!(self.state, State::Down { .. } | State::LoggedOut(_)) {
            self.drop(Why::Suspended, now, logins, out);
        }
    }

    /// Logs out and stays down.
    pub fn stop(&mut self, now: Monotonic, logins: &mut Logins, out: &mut Vec<Output>) {
        if self.is_up() || self.state == State::Restoring {
            out.push(Output::Send(encode(&rti::RequestLogout::default(), None)));
        }
        self.disconnect(now, logins, out);
        self.change(State::LoggedOut(Latch::Stopped), Why::Told, out);
    }

    /// Takes note that something came: a message of any kind, or a pong.
    #[inline]
    pub fn on_traffic(&mut self, now: Monotonic, out: &mut Vec<Output>) {
        self.last_traffic = now;
        if let State::Stale { .. } = self.state {
            self.change(State::Live, Why::Traffic, out);
        }
    }

    /// Takes a message other than a last trade or a quote, of which
    /// [`on_traffic`](Link::on_traffic) was told. Returns whether it was the link's own affair:
    /// answers to requests are not.
    pub fn on_message(
        &mut self,
        envelope: &Envelope<'_>,
        message: &[u8],
        now: Monotonic,
        logins: &mut Logins,
        out: &mut Vec<Output>,
    ) -> bool {
        if envelope.template == 77 {
            self.on_forced_logout(now, logins, out);
            return true;
        }
        let answered = envelope
            .request
            .and_then(|number| self.requests.iter().position(|request| request.number == number));
        let Some(place) = answered else {
            // Answers to our heartbeats, and the gateway's own.
            return matches!(envelope.template, 18 | 19);
        };
        let request = &mut self.requests[place];
        let (purpose, verdict) = (request.purpose, envelope.verdict());
        if verdict == Verdict::More {
            request.deadline = now.after(request.patience);
            return purpose != Purpose::Caller;
        }
        self.requests.swap_remove(place);
        let (code, text) = (envelope.code.unwrap_or(""), envelope.text.unwrap_or(""));
        if verdict == Verdict::Refused && purpose != Purpose::Caller {
            let kept = (purpose == Purpose::Keep).then_some(envelope.template);
            out.push(Output::Refused(kept, code.to_owned(), text.to_owned()));
        }
        match purpose {
            Purpose::Caller => return false,
            Purpose::Login if verdict == Verdict::Refused => {
                self.on_refused(Refusal::of(code, text), now, logins, out);
            }
            Purpose::Login => self.on_accepted(message, now, logins, out),
            Purpose::Keep => {}
        }
        let is_whole = !self.requests.iter().any(|request| request.purpose == Purpose::Keep);
        if self.state == State::Restoring && is_whole {
            self.live_since = Some(now);
            self.change(State::Live, Why::Restored, out);
        }
        true
    }

    fn on_accepted(
        &mut self,
        message: &[u8],
        now: Monotonic,
        logins: &mut Logins,
        out: &mut Vec<Output>,
    ) {
        logins.end(self.plant, now);
        self.refusals = None;
        let answer = rti::ResponseLogin::decode(message).unwrap_or_default();
        let seconds = answer.heartbeat_interval.filter(|seconds| *seconds >= 1.0);
        // A little more often than asked for; never less often than each two minutes.
        self.heartbeat = seconds.map_or(Self::HEARTBEAT, |seconds| {
            Duration::from_secs_f64(seconds.min(120.0)).mul_f64(0.75)
        });
        self.heartbeat_due = now.after(self.heartbeat);
        self.change(State::Restoring, Why::Accepted, out);
        self.restore(now, out);
    }

    fn on_refused(
        &mut self,
        refusal: Option<Refusal>,
        now: Monotonic,
        logins: &mut Logins,
        out: &mut Vec<Output>,
    ) {
        self.refusals = self.refusals.map(|refusals| refusals + 1);
        let repeated = self.refusals.is_some_and(|refusals| refusals >= Self::REFUSALS);
        match refusal.or(repeated.then_some(Refusal::Repeated)) {
            Some(refusal) => {
                self.disconnect(now, logins, out);
                self.change(State::LoggedOut(Latch::Refused(refusal)), Why::Refused, out);
            }
            None => self.drop(Why::RefusedForNow, now, logins, out),
        }
    }

    fn on_forced_logout(&mut self, now: Monotonic, logins: &mut Logins, out: &mut Vec<Output>) {
        if let State::LoggedOut(_) | State::Down { .. } = self.state {
            return;
        }
        let forgiven = |at: Monotonic| now.since(at) >= self.settings.forgive;
        let is_first = self.forced_at.is_none_or(forgiven);
        self.forced_at = Some(now);
        self.disconnect(now, logins, out);
        let next = if is_first {
            State::Down { until: now.after(self.settings.forced_logout) }
        } else {
            State::LoggedOut(Latch::ForcedTwice)
        };
        self.change(next, Why::ForcedLogout, out);
    }

    /// Sends what it keeps.
    fn restore(&mut self, now: Monotonic, out: &mut Vec<Output>) {
        let kept = std::mem::take(&mut self.kept);
        for body in &kept {
            self.ask(body, Purpose::Keep, self.settings.answer, now, out);
        }
        if kept.is_empty() && self.state == State::Restoring {
            self.live_since = Some(now);
            self.change(State::Live, Why::Restored, out);
        }
        self.kept = kept;
    }

    fn ask(
        &mut self,
        body: &[u8],
        purpose: Purpose,
        patience: Duration,
        now: Monotonic,
        out: &mut Vec<Output>,
    ) -> u32 {
        let number = self.await_answer(purpose, patience, now);
        out.push(Output::Send(encode_body(body, Some(number))));
        number
    }

    /// Returns the number of a new request, which no other connection has had.
    fn await_answer(&mut self, purpose: Purpose, patience: Duration, now: Monotonic) -> u32 {
        let number = self.next_request;
        self.next_request = self.next_request.wrapping_add(1).max(1);
        self.requests.push(Request { number, purpose, patience, deadline: now.after(patience) });
        number
    }

    fn end_late_requests(&mut self, now: Monotonic, logins: &mut Logins, out: &mut Vec<Output>) {
        while let Some(place) = self.requests.iter().position(|request| now >= request.deadline) {
            let request = self.requests.swap_remove(place);
            match request.purpose {
                Purpose::Caller => {
                    out.push(Output::Unanswered(request.number, Unanswered::Late));
                }
                Purpose::Login => self.drop(Why::LoginUnanswered, now, logins, out),
                Purpose::Keep => self.drop(Why::RestoreUnanswered, now, logins, out),
            }
        }
    }

    fn beat(&mut self, now: Monotonic, out: &mut Vec<Output>) {
        out.push(Output::Send(encode(&rti::RequestHeartbeat::default(), None)));
        self.heartbeat_due = now.after(self.heartbeat);
    }

    /// Gives the connection up and tries again later.
    fn drop(&mut self, why: Why, now: Monotonic, logins: &mut Logins, out: &mut Vec<Output>) {
        let lived = self.live_since.map(|since| now.since(since));
        if lived.is_some_and(|lived| lived >= self.settings.settled) {
            self.backoff.settled();
        }
        let until = match lived {
            Some(_) => self.backoff.lost(now),
            None => self.backoff.failed(self.tried, now),
        };
        self.disconnect(now, logins, out);
        self.change(State::Down { until }, why, out);
    }

    fn disconnect(&mut self, now: Monotonic, logins: &mut Logins, out: &mut Vec<Output>) {
        logins.end(self.plant, now);
        self.live_since = None;
        for request in self.requests.drain(..) {
            if request.purpose == Purpose::Caller {
                out.push(Output::Unanswered(request.number, Unanswered::Lost));
            }
        }
        out.push(Output::Disconnect);
    }

    fn change(&mut self, to: State, why: Why, out: &mut Vec<Output>) {
        let (plant, from, generation) = (self.plant, self.state, self.generation);
        self.state = to;
        out.push(Output::Changed(Change { plant, from, to, generation, why }));
    }
}
