//! The thread that drives the links: sockets and clocks on one side, events of the engine on the
//! other.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::Sender;
use std::time::{Duration, Instant};

use algospace_hft_rithmic::Monotonic;
use algospace_hft_rithmic::edge::{self, Connection, Event as Told};
use algospace_hft_rithmic::feed::{ClockEvent, History};
use algospace_hft_rithmic::link::{Change, Latch, Link, LinkSettings, Logins, Plant, State};
use algospace_hft_rithmic::wire::{Envelope, Incoming, body, decode, decode_message, rti};
use quanta::Clock;
use rti::messages::RithmicMessage;
use rtrb::{Consumer, Producer, PushError};

use super::login::Login;
use super::market::{Market, Wish};
use super::watch::{Sight, Watch};
use crate::engine::Event;
use crate::engine::pinned::{Feed, Polled};

/// The exchange of all instruments.
pub(super) const EXCHANGE: &str = "CME";
/// Events between the threads.
const QUEUE: usize = 1 << 16;
/// The time between two polls when nothing comes.
const PAUSE: Duration = Duration::from_micros(100);
/// The time between two readings of the machine's clocks.
const READING: Duration = Duration::from_millis(200);
/// The time for which the logout is sent.
const FAREWELL: Duration = Duration::from_millis(200);

/// The market's events, on the sequencer's side.
#[derive(Debug)]
pub(super) struct LiveFeed(Consumer<(Event, u64)>);

impl Feed for LiveFeed {
    #[inline]
    fn poll(&mut self) -> Polled {
        match self.0.pop() {
            Ok((event, received)) => Polled::Due(event, received),
            Err(_) if self.0.is_abandoned() && self.0.is_empty() => Polled::Ended,
            Err(_) => Polled::Idle,
        }
    }
}

/// Returns both ends of the queue of events.
pub(super) fn queue() -> (Producer<(Event, u64)>, LiveFeed) {
    let (producer, consumer) = rtrb::RingBuffer::new(QUEUE);
    (producer, LiveFeed(consumer))
}

/// The way in which the start went: the contract, or the reason that it is not known.
pub(super) type Started = Result<String, NotStarted>;

/// The reason that the market did not start.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotStarted {
    /// The gateway refused the login, or the subscription.
    #[error("the gateway refused {what}: {text} (code {code}); {remedy}")]
    Refused {
        /// The login, or a request.
        what: &'static str,
        /// The gateway's code.
        code: String,
        /// Its text.
        text: String,
        /// A remedy for the user.
        remedy: &'static str,
    },
    /// There is no way to the gateway.
    #[error("the gateway cannot be reached: {0}")]
    Unreachable(String),
    /// The gateway names no front month.
    #[error(
        "the gateway names no front month of {0}; name a contract in data_handler.live_settings.contract"
    )]
    NoFrontMonth(String),
}

/// The links, on their own thread.
pub(super) struct Plants<'a> {
    ticker: Connection,
    history: Connection,
    logins: Logins,
    past: History,
    /// The product, whose front month is asked for if no contract is named.
    product: String,
    market: Option<Market>,
    last_change: Option<Change>,
    events: Producer<(Event, u64)>,
    started: Option<Sender<Started>>,
    asked: Option<u32>,
    /// The last reading of the clocks.
    read: Monotonic,
    sight: Sight,
    watch: &'a Watch,
    log: &'a (dyn Fn(&str) + Sync),
}

/// Messages of one poll that are dealt with behind it.
#[derive(Default)]
struct Noted {
    changes: Vec<Change>,
    /// `true` if the subscription was refused.
    is_refused: bool,
    front_month: Option<Option<String>>,
    failure: Option<NotStarted>,
}

impl<'a> Plants<'a> {
    /// Creates the links, which are down. `started` is told how the start went.
    pub(super) fn new(
        login: &Login,
        product: &str,
        spacing: Duration,
        events: Producer<(Event, u64)>,
        started: Sender<Started>,
        watch: &'a Watch,
        log: &'a (dyn Fn(&str) + Sync),
    ) -> Plants<'a> {
        let connection = |plant, seed| {
            let link = Link::new(plant, LinkSettings::default(), seed);
            Connection::new(link, login.connector.clone(), login.credentials.clone())
        };
        Plants {
            ticker: connection(Plant::Ticker, 1),
            history: connection(Plant::History, 2),
            logins: Logins::new(spacing),
            past: History::default(),
            product: product.to_owned(),
            market: None,
            last_change: None,
            events,
            started: Some(started),
            asked: None,
            read: Monotonic::default(),
            sight: Sight::default(),
            watch,
            log,
        }
    }

    /// Drives the links until `ended` is set or the start fails. `market` makes the market of a
    /// contract; with `contract`, none is asked for.
    pub(super) fn run(
        mut self,
        contract: Option<String>,
        market: impl Fn(&str) -> Market,
        ended: &AtomicBool,
    ) {
        let clock = Clock::new();
        if let Some(contract) = contract {
            self.subscribe(&contract, market(&contract), edge::now());
        }
        while !ended.load(Ordering::Relaxed) {
            let (now, received) = (edge::now(), clock.raw().max(1));
            let mut noted = Noted::default();
            self.look_at_clocks(now);
            let frames = self.poll(now, &mut noted);
            if let Some(failure) = noted.failure
                && let Some(started) = self.started.take()
            {
                let _ = started.send(Err(failure));
                break;
            }
            if let Some(named) = noted.front_month {
                let Some(contract) = named else {
                    let failure = NotStarted::NoFrontMonth(self.product.clone());
                    self.started.take().map(|started| started.send(Err(failure)));
                    break;
                };
                self.subscribe(&contract, market(&contract), now);
            }
            if noted.is_refused
                && let Some(market) = &mut self.market
            {
                market.on_refused();
            }
            noted.changes.iter().for_each(|change| self.on_change(change, now));
            self.ask_for_front_month(now);
            self.grant(now);
            self.show(now);
            if !self.hand_over(received) && frames == 0 {
                std::thread::sleep(PAUSE);
            }
        }
        self.leave();
    }

    /// Reads the machine's clocks now and then. After a sleep the sockets are dead and what they
    /// hold is old: the links are given up before anything is taken from them.
    fn look_at_clocks(&mut self, now: Monotonic) {
        let Some(market) = &mut self.market else { return };
        if now.since(self.read) < READING {
            return;
        }
        self.read = now;
        match market.on_reading(edge::clocks()) {
            Some(ClockEvent::Suspended(slept)) => {
                let slept = slept.as_secs_f64();
                (self.log)(&format!(
                    "the machine slept for {slept:.1} s: the links are made again"
                ));
                self.ticker.suspended(now, &mut self.logins);
                self.history.suspended(now, &mut self.logins);
            }
            Some(ClockEvent::Stepped(nanos)) => {
                let step = nanos as f64 / 1e9;
                (self.log)(&format!("the machine's wall clock was set by {step:+.3} s"));
            }
            None => {}
        }
    }

    fn poll(&mut self, now: Monotonic, noted: &mut Noted) -> usize {
        let Plants { ticker, history, logins, past, market, asked, sight, log, .. } = self;
        let mut frames = ticker.poll(now, logins, &mut |event| match (event, market.as_mut()) {
            (Told::Trade(trade), Some(market)) => {
                sight.on_data(now);
                market.on_trade(&trade, now);
            }
            (Told::Quote(quote), Some(market)) => {
                sight.on_data(now);
                market.on_quote(&quote, now);
            }
            (Told::Message(envelope, message), _)
                if asked.is_some() && envelope.request == *asked =>
            {
                noted.front_month = front_month(&envelope, message);
            }
            (Told::Message(envelope, message), Some(market)) if envelope.template == 157 => {
                if let Ok(Some(RithmicMessage::MarketMode(mode))) = decode_message(157, message) {
                    market.on_mode(&mode, now);
                }
            }
            (event, _) => note(event, noted, *log),
        });
        let mut answers = Vec::new();
        let mut messages = Vec::new();
        frames += history.poll(now, logins, &mut |event| match event {
            Told::Message(_, message) => messages.push(message.to_vec()),
            Told::Unanswered(number, _) => past.on_unanswered(number),
            // Its refusal ends no start: gaps stay unrecovered, and flagged.
            Told::Refused(_, code, text) => log(&format!("history: refused: {text} ({code})")),
            Told::Changed(change) => noted.changes.push(change),
            _ => {}
        });
        let ask = &mut |body: &[u8], patience| history.request(body, patience, now);
        for message in &messages {
            if let Ok(Incoming::Other(envelope, message)) = decode(message) {
                past.on_message(&envelope, message, now, ask, &mut answers);
            }
        }
        past.on_time(now, ask, &mut answers);
        if let Some(market) = market {
            answers.iter().for_each(|answer| market.on_history(answer, now));
            market.on_time(now);
        }
        frames
    }

    fn on_change(&mut self, change: &Change, now: Monotonic) {
        if change.to == State::LoggedOut(Latch::ForcedTwice) {
            (self.log)(
                "the gateway logged this login out twice: somebody else uses it; no new try is made",
            );
        }
        if change.from.is_up() != change.to.is_up() {
            let state = if change.to.is_up() { "up" } else { "down" };
            (self.log)(&format!("{:?} link {state}: {:?}", change.plant, change.why));
        }
        if change.plant != Plant::Ticker {
            return;
        }
        self.last_change = Some(*change);
        if let Some(market) = &mut self.market {
            market.on_link(change, now);
            if change.to.is_up()
                && let Some(started) = self.started.take()
            {
                let _ = started.send(Ok(market.symbol().to_owned()));
            }
        }
    }

    fn subscribe(&mut self, contract: &str, mut market: Market, now: Monotonic) {
        use rti::request_market_data_update::{Request, UpdateBits};
        let mut request = rti::RequestMarketDataUpdate::default();
        request.symbol = Some(contract.to_owned());
        request.exchange = Some(EXCHANGE.to_owned());
        request.request = Some(Request::Subscribe.into());
        let bits = [UpdateBits::LastTrade, UpdateBits::Bbo, UpdateBits::MarketMode];
        request.update_bits = Some(bits.into_iter().map(|bit| bit as u32).sum());
        self.ticker.keep(body(&request), now);
        if let Some(change) = self.last_change.filter(|change| change.to.is_up()) {
            let from = State::Restoring;
            market.on_link(&Change { from, ..change }, now);
            self.started.take().map(|started| started.send(Ok(contract.to_owned())));
        }
        self.market = Some(market);
    }

    /// Asks which contract is the front month, once the link is up, unless it is known.
    fn ask_for_front_month(&mut self, now: Monotonic) {
        if self.market.is_none() && self.asked.is_none() && self.ticker.link().state().is_up() {
            let mut request = rti::RequestFrontMonthContract::default();
            request.symbol = Some(self.product.clone());
            request.exchange = Some(EXCHANGE.to_owned());
            request.need_updates = Some(false);
            self.asked = self.ticker.request(&body(&request), Duration::from_secs(5), now).ok();
        }
    }

    /// Carries out what the market wishes.
    fn grant(&mut self, now: Monotonic) {
        let Some(market) = &mut self.market else { return };
        for wish in market.wishes() {
            match wish {
                Wish::History(query) => self.past.query(query),
                Wish::AskAgain => self.ticker.ask_again(now),
                Wish::Reconnect => self.ticker.reconnect(now, &mut self.logins),
            }
        }
    }

    fn show(&mut self, now: Monotonic) {
        let (contract, time) = match &self.market {
            Some(market) => (market.symbol(), market.time(now)),
            None => ("", None),
        };
        let links = [self.ticker.link(), self.history.link()];
        self.sight.show(self.watch, contract, time, links, now);
    }

    /// Hands events over as far as there is room. Returns whether there were any.
    fn hand_over(&mut self, received: u64) -> bool {
        let Some(market) = &mut self.market else { return false };
        let mut any = false;
        while let Some(event) = market.take() {
            any = true;
            let sent = event;
            if let Err(PushError::Full((event, _))) = self.events.push((event, received)) {
                market.put_back(event);
                return false;
            }
            self.sight.on_event(&sent);
        }
        any
    }

    /// Shows the last of it and logs out.
    fn leave(&mut self) {
        let began = Instant::now();
        self.sight.show_at_once();
        self.show(edge::now());
        self.ticker.stop(edge::now(), &mut self.logins);
        self.history.stop(edge::now(), &mut self.logins);
        while began.elapsed() < FAREWELL {
            self.ticker.poll(edge::now(), &mut self.logins, &mut |_| {});
            self.history.poll(edge::now(), &mut self.logins, &mut |_| {});
            std::thread::sleep(PAUSE);
        }
    }
}

/// Notes an event that is not the market's.
fn note(event: Told<'_>, noted: &mut Noted, log: &(dyn Fn(&str) + Sync)) {
    match event {
        Told::Changed(change) => {
            if let State::LoggedOut(Latch::Refused(refusal)) = change.to
                && let Some(NotStarted::Refused { remedy, .. }) = &mut noted.failure
            {
                *remedy = refusal.remedy();
            }
            noted.changes.push(change);
        }
        Told::Refused(kept, code, text) => {
            let what = if kept.is_some() { "the subscription" } else { "the login" };
            let remedy = if kept.is_some() {
                "check contract and market data agreements"
            } else {
                "check user, password and system"
            };
            log(&format!("the gateway refused {what}: {text} (code {code})"));
            noted.is_refused |= kept.is_some();
            let (code, text) = (code.to_owned(), text.to_owned());
            noted.failure = Some(NotStarted::Refused { what, code, text, remedy });
        }
        Told::NotConnected(error) => {
            log(&format!("the gateway cannot be reached: {error}"));
            noted.failure = Some(NotStarted::Unreachable(error.to_string()));
        }
        _ => {}
    }
}

/// Returns the front month that an answer names; `Some(None)` if it names none.
fn front_month(envelope: &Envelope<'_>, message: &[u8]) -> Option<Option<String>> {
    match decode_message(envelope.template, message) {
        Ok(Some(RithmicMessage::ResponseFrontMonthContract(answer))) => {
            Some(answer.trading_symbol.filter(|symbol| !symbol.is_empty()))
        }
        _ => Some(None),
    }
}
