//! The thread that drives the links: sockets and clocks on one side, events of the engine on the
//! other.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::Sender;
use std::time::{Duration, Instant};

use algospace_hft_rithmic::Monotonic;
use algospace_hft_rithmic::edge::{self, Connection, Event as Told};
use algospace_hft_rithmic::feed::{ClockEvent, History};
use algospace_hft_rithmic::link::{
    Change, Latch, Link, LinkSettings, Logins, Plant, State, Unanswered, Why,
};
use algospace_hft_rithmic::wire::{Envelope, Incoming, body, decode, decode_message, rti};
use quanta::Clock;
use rti::messages::RithmicMessage;
use rtrb::{Consumer, Producer, PushError};

use super::login::Login;
use super::market::{EXCHANGE, Market, Wish};
use super::seam::second;
use super::watch::{Sight, Watch};
use crate::config::LiveSettings;
use crate::engine::Event;
use crate::engine::pinned::{Feed, Polled};
use crate::machine::{Wait, Waiter};
use crate::market::Timestamp;
use crate::source::native::TickFileDescription;

/// Events between the threads.
const QUEUE: usize = 1 << 16;
/// The time between two polls of the farewell.
const PAUSE: Duration = Duration::from_micros(100);
/// The time for a refusal of the first subscription to come.
const REFUSAL: Duration = Duration::from_secs(1);
/// The template of the answer to [`front_month_of`].
const FRONT_MONTH: i32 = 114;
/// The time between two readings of the machine's clocks.
const READING: Duration = Duration::from_millis(200);
/// The time between two lines on the progress of a warm-up.
const PROGRESS: Duration = Duration::from_secs(10);
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

/// The way in which the start went: the contract and the market's description, or the reason why
/// the market did not start.
pub(super) type Started = Result<(String, TickFileDescription), NotStarted>;

/// News of the seam between what is known of the market and its first trade.
#[derive(Clone, Copy, Debug)]
pub(super) enum SeamNews {
    /// History is asked.
    Asked,
    /// Nothing more comes of it: [`Wish::Begin`].
    Over(Option<Timestamp>),
}

/// The gateway's words that a run begins with.
#[derive(Debug, Default)]
pub(super) struct Learned {
    /// Its time.
    pub(super) time: Option<Timestamp>,
    /// The contract in front.
    pub(super) front: Option<String>,
}

/// A question to the gateway before the market begins, in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Question {
    Time,
    FrontMonth,
}

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
    /// Neither gateway nor calendar know the front month.
    #[error(
        "the gateway names no front month of {0}; name a contract in data_handler.live_settings.contract"
    )]
    NoFrontMonth(String),
    /// The named contract does not trade.
    #[error("data_handler.live_settings.contract: {0} does not trade now")]
    Contract(String),
}

/// The links, on their own thread.
pub(super) struct Plants<'a> {
    ticker: Connection,
    history: Connection,
    logins: Logins,
    past: History,
    /// The product, whose front month is asked for.
    product: String,
    market: Option<Market>,
    last_change: Option<Change>,
    learned: Learned,
    /// The next question, and the number of its request if it was asked.
    question: Option<Question>,
    asked: Option<u32>,
    /// The market's description, from its beginning until that is told.
    begun: Option<(Monotonic, TickFileDescription)>,
    events: Producer<(Event, u64)>,
    started: Option<Sender<Started>>,
    seam: Sender<SeamNews>,
    /// The time of the last word on history that is asked for the seam.
    asking: Option<Monotonic>,
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
    /// `true` if a subscription was refused.
    is_refused: bool,
    /// `true` if the question that was asked is answered, or will not be.
    is_answered: bool,
    /// `true` if it is to be asked again, of the next connection.
    is_lost: bool,
    failure: Option<NotStarted>,
}

impl<'a> Plants<'a> {
    /// Creates the links, which are down. `started` is told how the start went, `seam` what becomes
    /// of the time before the first trade.
    pub(super) fn new(
        settings: &LiveSettings,
        login: &Login,
        product: &str,
        events: Producer<(Event, u64)>,
        (started, seam): (Sender<Started>, Sender<SeamNews>),
        watch: &'a Watch,
        log: &'a (dyn Fn(&str) + Sync),
    ) -> Plants<'a> {
        let spacing = Duration::from_millis(settings.login_spacing_milliseconds.into());
        let mut links = LinkSettings::default();
        if settings.simulated_pace {
            // Hours of the market may have passed since the last failure.
            links.settled = Duration::ZERO;
        }
        let connection = |plant, seed| {
            let link = Link::new(plant, links, seed);
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
            learned: Learned::default(),
            question: Some(Question::Time),
            asked: None,
            begun: None,
            events,
            started: Some(started),
            seam,
            asking: None,
            read: Monotonic::default(),
            sight: Sight::default(),
            watch,
            log,
        }
    }

    /// Drives the links until `ended` is set or the start fails. `begin` makes the market, and its
    /// description, of what the gateway has told.
    pub(super) fn run(
        mut self,
        begin: impl Fn(&Learned) -> Result<(Market, TickFileDescription), NotStarted>,
        wait: Wait,
        ended: &AtomicBool,
    ) {
        let (clock, mut waiter) = (Clock::new(), Waiter::new(wait));
        while !ended.load(Ordering::Relaxed) {
            let (now, received) = (edge::now(), clock.raw().max(1));
            let mut noted = Noted::default();
            if let Some(market) = &mut self.market {
                market.on_flat(self.watch.flat_until());
            }
            self.look_at_clocks(now);
            let frames = self.poll(now, &mut noted);
            if noted.is_answered {
                (self.question, self.asked) = (self.question.and_then(Question::next), None);
            } else if noted.is_lost {
                self.asked = None;
            }
            if self.question.is_none() && self.market.is_none() && noted.failure.is_none() {
                match begin(&self.learned) {
                    Ok((market, description)) => self.begin(market, description, now),
                    Err(failure) => noted.failure = Some(failure),
                }
            }
            if let Some(failure) = noted.failure
                && let Some(started) = self.started.take()
            {
                let _ = started.send(Err(failure));
                break;
            }
            if noted.is_refused
                && let Some(market) = &mut self.market
            {
                market.on_refused();
            }
            noted.changes.iter().for_each(|change| self.on_change(change, now));
            self.ask(now);
            self.grant(now);
            self.show(now);
            self.tell_start(now);
            self.tell_progress(now);
            if self.hand_over(received) || frames > 0 {
                waiter.reset();
            } else {
                waiter.wait();
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
        let Plants { ticker, history, logins, past, market, asked, sight, log, learned, .. } = self;
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
                noted.is_answered = true;
                learn(learned, &envelope, message);
            }
            (Told::Unanswered(number, why), _) if *asked == Some(number) => {
                noted.is_answered = why == Unanswered::Late;
                noted.is_lost = !noted.is_answered;
            }
            (Told::Message(envelope, message), Some(market)) => {
                match decode_message(envelope.template, message) {
                    Ok(Some(RithmicMessage::MarketMode(mode))) => market.on_mode(&mode, now),
                    Ok(Some(RithmicMessage::FrontMonthContractUpdate(update))) => {
                        market.on_front_month(update.trading_symbol.as_deref());
                    }
                    _ => {}
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
        if let Some(silence) = silence(change) {
            (self.log)(&format!("{:?} link: the gateway cannot be used: {silence}", change.plant));
        }
        if change.from.is_up() != change.to.is_up() {
            let state = if change.to.is_up() { "up" } else { "down" };
            (self.log)(&format!("{:?} link {state}: {:?}", change.plant, change.why));
        }
        if change.plant == Plant::History
            && let Some(market) = &mut self.market
        {
            market.on_history_link(change.to);
        }
        if change.plant != Plant::Ticker {
            return;
        }
        self.last_change = Some(*change);
        if let Some(market) = &mut self.market {
            market.on_link(change, now);
        }
    }

    /// Begins with a market.
    fn begin(&mut self, mut market: Market, description: TickFileDescription, now: Monotonic) {
        market.on_front_month(self.learned.front.as_deref());
        market.on_history_link(self.history.link().state());
        if let Some(change) = self.last_change.filter(|change| change.to.is_up()) {
            let from = State::Restoring;
            market.on_link(&Change { from, ..change }, now);
        }
        self.market = Some(market);
        self.begun = Some((now, description));
        self.ticker.keep(body(&front_month_of(&self.product, true)), now);
    }

    /// Tells that the market has begun, once data have come, or nobody has refused them.
    fn tell_start(&mut self, now: Monotonic) {
        let is_due = |at: Monotonic| self.sight.has_heard() || now.since(at) >= REFUSAL;
        if self.begun.as_ref().is_some_and(|(at, _)| is_due(*at))
            && let Some((_, description)) = self.begun.take()
            && let (Some(market), Some(started)) = (&self.market, self.started.take())
        {
            let _ = started.send(Ok((market.symbol().to_owned(), description)));
        }
    }

    /// Tells now and then how far history's answer for the seam has come.
    fn tell_progress(&mut self, now: Monotonic) {
        if self.asking.is_some_and(|told| now.since(told) >= PROGRESS)
            && let Some((rows, last)) = self.past.progress(Market::SEAM)
        {
            self.asking = Some(now);
            let last = second(Timestamp::from_nanos(last));
            (self.log)(&format!("warm-up: {rows} rows of history have come, up to {last}"));
        }
    }

    fn subscribe(&mut self, contract: &str, now: Monotonic) {
        use rti::request_market_data_update::{Request, UpdateBits};
        let mut request = rti::RequestMarketDataUpdate::default();
        request.symbol = Some(contract.to_owned());
        request.exchange = Some(EXCHANGE.to_owned());
        request.request = Some(Request::Subscribe.into());
        let bits = [UpdateBits::LastTrade, UpdateBits::Bbo, UpdateBits::MarketMode];
        request.update_bits = Some(bits.into_iter().map(|bit| bit as u32).sum());
        self.ticker.keep(body(&request), now);
    }

    /// Asks the next question, once the link is up.
    fn ask(&mut self, now: Monotonic) {
        if let Some(question) = self.question
            && self.asked.is_none()
            && self.ticker.link().state().is_up()
        {
            let body = match question {
                Question::Time => body(&rti::RequestHeartbeat::default()),
                Question::FrontMonth => body(&front_month_of(&self.product, false)),
            };
            self.asked = self.ticker.request(&body, Duration::from_secs(5), now).ok();
        }
    }

    /// Carries out what the market wishes.
    fn grant(&mut self, now: Monotonic) {
        let Some(market) = &mut self.market else { return };
        for wish in market.wishes().collect::<Vec<_>>() {
            match wish {
                Wish::History(query) => self.past.query(query),
                Wish::Subscribe(contract) => self.subscribe(&contract, now),
                Wish::Tell(text) => (self.log)(&text),
                Wish::Await => {
                    self.asking = Some(now);
                    _ = self.seam.send(SeamNews::Asked);
                }
                Wish::Begin(trades_from) => {
                    self.asking = None;
                    self.past.forget(Market::SEAM);
                    _ = self.seam.send(SeamNews::Over(trades_from));
                }
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
            if let Some(silence) = silence(&change) {
                noted.failure.get_or_insert(NotStarted::Unreachable(silence.to_owned()));
            }
            noted.changes.push(change);
        }
        // The calendar knows the front month as well.
        Told::Refused(Some(FRONT_MONTH), code, text) => {
            log(&format!("the gateway tells no change of the front month: {text} (code {code})"));
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

/// Returns why a link that was not refused cannot be used; `None` if that is told elsewhere, or it
/// can.
fn silence(change: &Change) -> Option<&'static str> {
    match (change.why, change.to) {
        (_, State::LoggedOut(Latch::ForcedTwice)) => {
            Some("it logged this login out twice; another program has the same login: end it")
        }
        (Why::LoginUnanswered, _) => Some("it does not answer the login"),
        _ => None,
    }
}

impl Question {
    fn next(self) -> Option<Question> {
        match self {
            Question::Time => Some(Question::FrontMonth),
            Question::FrontMonth => None,
        }
    }
}

/// Takes an answer that the run begins with.
fn learn(learned: &mut Learned, envelope: &Envelope<'_>, message: &[u8]) {
    match decode_message(envelope.template, message) {
        Ok(Some(RithmicMessage::ResponseHeartbeat(answer))) => {
            let seconds = answer.ssboe.map(|seconds| i64::from(seconds) * Timestamp::SECOND);
            let time = seconds.map(Timestamp::from_nanos);
            learned.time = time.filter(|time| time.is_in_market_years());
        }
        Ok(Some(RithmicMessage::ResponseFrontMonthContract(answer))) => {
            learned.front = answer.trading_symbol.filter(|symbol| !symbol.is_empty());
        }
        _ => {}
    }
}

fn front_month_of(product: &str, need_updates: bool) -> rti::RequestFrontMonthContract {
    let mut request = rti::RequestFrontMonthContract::default();
    request.symbol = Some(product.to_owned());
    request.exchange = Some(EXCHANGE.to_owned());
    request.need_updates = Some(need_updates);
    request
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failure(event: Told<'_>) -> (Option<NotStarted>, bool) {
        let mut noted = Noted::default();
        note(event, &mut noted, &|_| ());
        (noted.failure, noted.is_refused)
    }

    #[test]
    fn a_start_that_nobody_answers_ends_with_the_reason() {
        let (plant, from, generation) = (Plant::Ticker, State::Connecting, 1);
        let down = State::Down { until: Monotonic::NEVER };
        let latched = State::LoggedOut(Latch::ForcedTwice);
        let told = |to, why| failure(Told::Changed(Change { plant, from, to, generation, why })).0;
        for (to, why, part) in [
            (down, Why::LoginUnanswered, "does not answer the login"),
            (latched, Why::ForcedLogout, "another program"),
        ] {
            let text = told(to, why).unwrap().to_string();
            assert!(text.contains(part), "{text}");
        }
        assert_eq!(told(down, Why::Closed), None);
    }

    #[test]
    fn a_refusal_of_the_front_months_changes_ends_no_start() {
        assert_eq!(failure(Told::Refused(Some(FRONT_MONTH), "13", "no")), (None, false));
        let (failure, is_refused) = failure(Told::Refused(Some(101), "13", "no"));
        assert!(failure.is_some() && is_refused);
    }
}
