//! The market of one product, from a gateway's messages to events of the engine.

use std::collections::{BTreeMap, VecDeque};
use std::mem::take;
use std::time::Duration;

use algospace_hft_rithmic::Monotonic;
use algospace_hft_rithmic::feed::{
    AccountsSettings, Aggressor, Answer, ClockEvent, ClockGuard, ClockGuardSettings, Clocks,
    Contract, ContractFeed, Doubt, Feed, FreshnessSettings, Gap as GatewayGap, Kind, Known, Origin,
    Phase, Query, Rows, Session, Symptom, Told, Trade, What,
};
use algospace_hft_rithmic::link::{Change, State};
use algospace_hft_rithmic::wire::{BestBidOffer, LastTrade, Name, Nanoseconds, rti};

use super::seam::{Seam, second};
use super::series::{Opened, Series};
use super::stretches::stretches;
use crate::engine::{Entries, Event, Timers};
use crate::execution::Refusal;
use crate::market::{
    self, Calendar, Gap, GapPhase, Instrument, Price, Side, Tick, TickFlags, Timestamp,
};
use crate::run::LastTick;

/// A wish of the market, for the caller to carry out.
#[derive(Clone, Debug)]
pub enum Wish {
    /// Ask the history plant.
    History(Query),
    /// Subscribe to this contract as well.
    Subscribe(String),
    /// Subscribe again.
    AskAgain,
    /// Give the connection to the ticker plant up.
    Reconnect,
    /// Tell the user this.
    Tell(String),
    /// History is asked for what lies before the first trade.
    Await,
    /// Nothing more comes from before the first trade. If trades have come from history, the run
    /// trades from that time on.
    Begin(Option<Timestamp>),
}

/// The exchange of all instruments.
pub(super) const EXCHANGE: &str = "CME";

/// The market as a machine: it is told what came and the time, and gives events in the order that
/// the engine takes them in. No tick is older than the one before.
///
/// One contract enters; of the others the volume counts. The next one follows at the open of a
/// session, if the run is known to be flat.
///
/// A gap's recovered trades follow its end, flagged; if history's minutes say which of its minutes
/// lack trades, it ends in stretches. It ends as soon as history has no more to say. As long as it
/// is open, or the clock waits for a stamp, no timer is given: time that nobody has seen yet closes
/// no bar. Where data come late, timers and the session's end are as late. A session ends only when
/// history was asked for its last trades, since no later trade tells that they are missing.
///
/// Nothing is entered while the clock is in doubt, data are stale, the market is halted, the
/// subscription refused or a roll due. That is told as an event, before the tick that it is about.
#[derive(Debug)]
pub struct Market {
    series: Series,
    tick_size: Price,
    calendar: Calendar,
    gateway_contract: Contract,
    freshness: FreshnessSettings,
    feed: ContractFeed,
    /// The last change of the ticker link.
    link: Option<Change>,
    told: Told,
    guard: ClockGuard,
    is_real_time: bool,
    /// The delay of the last data behind the market's time, in nanoseconds (≥ 0).
    late: i64,
    doubts: Vec<Option<Doubt>>,
    timers: Timers,
    /// The open of the last session.
    session: Option<Timestamp>,
    /// The close of that session, until it has passed.
    close: Option<Timestamp>,
    /// The state of the session, by the calendar.
    planned: Session,
    /// The time of the last tick or timer.
    last: Timestamp,
    last_tick: Timestamp,
    /// The time up to which the run is known to have neither position nor order.
    flat_until: Timestamp,
    gap: Option<Gap>,
    /// The seam before the first trade, as long as it is open.
    seam: Option<Seam>,
    /// `true` if the gateway refused the subscription.
    is_refused: bool,
    /// The reason for which entries are off, as it was told last.
    entries_refused: Option<Refusal>,
    /// Trades whose time lay ahead of the market's.
    ahead: u64,
    /// `true` while the history plant can be asked.
    has_history: bool,
    /// `true` if it stays down for good.
    is_history_gone: bool,
    /// Answers of it that the open gap waits for.
    awaited: u32,
    /// Trades of the open gap that came after all, and the contracts that each minute of it lacks.
    recovered: Vec<Tick>,
    short: BTreeMap<i64, u64>,
    events: VecDeque<Event>,
    wishes: Vec<Wish>,
}

impl Market {
    /// The time for which a gap waits for history.
    const PATIENCE: Duration = Duration::from_secs(2);

    /// The time after a session's close in which its last trades arrive, as that of its timer.
    const GRACE: i64 = 2 * Timestamp::SECOND;

    /// The key of the questions about the seam.
    pub(super) const SEAM: u64 = 1;

    /// Creates the market of contracts whose link is down. Data are stale after `stale` in
    /// silence. Without `is_real_time` the gateway plays the market at another pace than time
    /// passes, and its clock is not doubted.
    pub fn new(
        series: Series,
        instrument: &Instrument,
        timers: Timers,
        stale: Duration,
        is_real_time: bool,
    ) -> Market {
        let tick_size = instrument.tick_size;
        let nanoseconds = Nanoseconds::Whole;
        let contract = Contract { tick_size: tick_size.as_f64(), nanoseconds };
        let freshness = FreshnessSettings { regular: stale, other: stale };
        let mut timers = timers;
        timers.on_contract(series.active().contract);
        let first = Wish::Subscribe(series.active().symbol.clone());
        Market {
            series,
            tick_size,
            calendar: instrument.calendar,
            gateway_contract: contract,
            freshness,
            feed: Self::feed_of(contract, freshness),
            link: None,
            told: Told::default(),
            guard: ClockGuard::new(Self::clock_settings(is_real_time)),
            is_real_time,
            late: 0,
            doubts: Vec::new(),
            timers,
            session: None,
            close: None,
            planned: Session::Closed,
            last: Timestamp::MIN,
            last_tick: Timestamp::MIN,
            flat_until: Timestamp::MIN,
            gap: None,
            seam: None,
            is_refused: false,
            entries_refused: None,
            ahead: 0,
            has_history: false,
            is_history_gone: false,
            awaited: 0,
            recovered: Vec::new(),
            short: BTreeMap::new(),
            events: VecDeque::new(),
            wishes: vec![first],
        }
    }

    /// Returns the limits of the market's clock. One that is played at another pace leaps.
    fn clock_settings(is_real_time: bool) -> ClockGuardSettings {
        let settings = ClockGuardSettings::default();
        if is_real_time { settings } else { ClockGuardSettings { leap: Duration::MAX, ..settings } }
    }

    /// Begins behind the last tick that is known: history is asked for what lies between it and
    /// the first trade, or without such a tick from the session before on, and waited for that
    /// long at most.
    pub(crate) fn begin_after(&mut self, last: Option<LastTick>, patience: Duration) {
        let is_cold = last.is_none();
        if is_cold && patience == Duration::ZERO {
            return self.wishes.push(Wish::Begin(None));
        }
        self.seam = Some(Seam { patience, is_cold, is_asked: false, is_lost: false, end: None });
        let Some(last) = last else { return };
        let is_same = last.tick.contract == self.series.active().contract;
        self.last = last.tick.time;
        let known = Known {
            time: last.tick.time.nanos(),
            at_time: if is_same { last.at_time } else { 0 },
            in_minute: last.in_minute().filter(|_| is_same),
        };
        self.feed.begin_after(&known, patience, &mut self.told);
        self.settle(Monotonic::default());
    }

    /// Begins, with nothing known, with the session before that of a trade at `stamp`.
    fn begin_cold(&mut self, stamp: Option<i64>, now: Monotonic) {
        let Some(Seam { is_cold: true, patience, .. }) = self.seam else { return };
        let (Some(stamp), None) = (stamp, self.gap) else { return };
        let session = self.calendar.session_at_or_after(Timestamp::from_nanos(stamp));
        let earlier = (1..10).map(|days| session.open.saturating_add(-days * 24 * Timestamp::HOUR));
        let mut earlier = earlier.map(|time| self.calendar.session_at_or_after(time));
        let before = earlier.find(|it| it.open < session.open).unwrap_or(session);
        let time = before.open.saturating_add(-1).nanos();
        let known = Known { time, at_time: 0, in_minute: Some(0) };
        self.feed.begin_after(&known, patience, &mut self.told);
        self.settle(now);
    }

    fn feed_of(contract: Contract, freshness: FreshnessSettings) -> ContractFeed {
        let accounts = AccountsSettings { patience: Self::PATIENCE, ..Default::default() };
        ContractFeed::new(contract, accounts, freshness, Session::Closed)
    }

    /// Takes the next event for the engine.
    pub fn take(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// Puts an event back that could not be taken.
    pub fn put_back(&mut self, event: Event) {
        self.events.push_front(event);
    }

    /// The gateway's symbol of the contract that enters.
    pub fn symbol(&self) -> &str {
        &self.series.active().symbol
    }

    /// Takes the time up to which the run is known to have neither position nor order;
    /// [`Timestamp::MIN`] if it is not.
    pub fn on_flat(&mut self, until: Timestamp) {
        self.flat_until = until;
    }

    /// Takes the gateway's word on the contract in front; `None` if it names none.
    pub fn on_front_month(&mut self, symbol: Option<&str>) {
        self.series.on_front_month(symbol);
    }

    /// Takes the wishes since the last call.
    pub fn wishes(&mut self) -> std::vec::Drain<'_, Wish> {
        self.wishes.drain(..)
    }

    /// Returns the market's time; `None` until the gateway has told one.
    pub fn time(&self, now: Monotonic) -> Option<Timestamp> {
        self.guard.market().now(now).map(Timestamp::from_nanos)
    }

    /// Returns the reason for which nothing is entered, the weightiest of several; `None` if
    /// entries are allowed.
    fn refusal(&self) -> Option<Refusal> {
        let is_open = self.feed.session().is_open();
        let is_stale = [Kind::Trades, Kind::Quotes].into_iter().any(|it| self.feed.is_stale(it));
        [
            (self.is_real_time && self.guard.doubt().is_some(), Refusal::ClockDoubt),
            (self.is_refused, Refusal::NotSubscribed),
            (self.planned.is_open() && !is_open, Refusal::MarketHalted),
            (is_open && is_stale, Refusal::StaleData),
            (self.series.is_roll_due(), Refusal::RollDue),
        ]
        .into_iter()
        .find_map(|(is_so, refusal)| is_so.then_some(refusal))
    }

    /// Takes a reading of the machine's clocks, some times a second. Returns what it noticed.
    pub fn on_reading(&mut self, clocks: Clocks) -> Option<ClockEvent> {
        let noticed = self.guard.on_reading(clocks, &mut self.doubts);
        self.settle(clocks.now);
        noticed
    }

    /// Takes note that the gateway refused the subscription. It lasts until data come.
    pub fn on_refused(&mut self) {
        self.is_refused = true;
        self.tell_entries();
    }

    /// Takes a last trade.
    pub fn on_trade(&mut self, message: &LastTrade, now: Monotonic) {
        let (stamp, symbol) = (message.gateway_time(), message.symbol());
        if message.is_snapshot() != Some(true)
            && let Some(stamp) = stamp
        {
            self.on_stamp(stamp, now);
        }
        if let Some((volume, stamp)) = message.volume().zip(stamp)
            // Not that of the session before.
            && self.session.is_some_and(|open| stamp >= open.nanos())
        {
            self.series.on_volume(symbol, volume);
        }
        if self.series.admits(symbol) {
            self.begin_cold(stamp, now);
            self.feed.on_last_trade(message, now, &mut self.told);
        }
        self.settle(now);
        if self.seam.as_ref().is_some_and(|seam| !seam.is_asked) {
            // Nothing is waited for: the trade enters with the quotes that stand.
            self.feed.on_history_over(now, &mut self.told);
            self.settle(now);
        }
    }

    /// Takes a change of the best bid and offer.
    pub fn on_quote(&mut self, message: &BestBidOffer, now: Monotonic) {
        if message.is_snapshot() != Some(true)
            && let Some(stamp) = message.gateway_time()
        {
            self.on_stamp(stamp, now);
        }
        if self.series.admits(message.symbol()) {
            self.feed.on_quote(message, now, &mut self.told);
        }
        self.settle(now);
    }

    /// Takes the gateway's mode of the market. Its time shows that a session is over or begins, so
    /// that a close which the calendar plans is no halt.
    pub fn on_mode(&mut self, message: &rti::MarketMode, now: Monotonic) {
        let nanos = i64::from(message.usecs.unwrap_or(0)) * 1_000;
        let stamp = message.ssboe.map(|it| i64::from(it) * Timestamp::SECOND + nanos);
        let known = self.time(now).map(|time| time.saturating_add(-self.late));
        let known = known.unwrap_or(Timestamp::MIN).max(self.last);
        // It may be that of an old change, or of one to come.
        let is_to_come =
            |it: &Timestamp| self.is_real_time && *it > known.saturating_add(Self::GRACE);
        let stamp = stamp.map(Timestamp::from_nanos).filter(|it| !is_to_come(it));
        let time = stamp.unwrap_or(known).max(known);
        if !self.is_real_time && time > known {
            // Between trades it leaps: this is all that shows the close before the next open.
            self.guard.on_stamp(time.nanos(), now, &mut self.doubts);
        }
        if time > Timestamp::MIN {
            self.see_session(time, now);
        }
        if self.series.admits(message.symbol.as_deref().and_then(Name::new)) {
            self.feed.on_mode(message, now, &mut self.told);
        }
        self.settle(now);
    }

    /// Takes a change of the ticker link's state.
    pub fn on_link(&mut self, change: &Change, now: Monotonic) {
        if change.from.is_up() && !change.to.is_up() {
            self.guard.on_lost(&mut self.doubts);
        }
        if let Some(seam) = &mut self.seam {
            seam.is_lost |= seam.is_asked && !change.to.is_up();
        }
        self.link = Some(*change);
        self.feed.on_link(change, now, &mut self.told);
        self.settle(now);
    }

    /// Takes an answer of the history plant.
    pub fn on_history(&mut self, answer: &Answer, now: Monotonic) {
        // An answer to an earlier gap says nothing of this one.
        let is_open = self.feed.accounts().gap().map(|gap| u64::from(gap.number));
        if is_open == Some(answer.key) {
            self.awaited = self.awaited.saturating_sub(1);
            match &answer.rows {
                Rows::Trades(trades) => {
                    if let Some(seam) = &mut self.seam {
                        seam.end = Some(answer.end.clone());
                    }
                    self.feed.on_history(trades, now, &mut self.told);
                }
                Rows::Minutes(minutes) => self.feed.on_minutes(minutes),
            }
        }
        self.settle(now);
    }

    /// Takes note whether the history plant can be asked. What lies before the first trade waits
    /// for it, unless it stays down for good.
    pub fn on_history_link(&mut self, state: State) {
        let is_lost = std::mem::replace(&mut self.has_history, state.is_up()) && !self.has_history;
        self.is_history_gone = matches!(state, State::LoggedOut(_));
        if self.is_history_gone || is_lost && self.seam.is_none() {
            self.awaited = 0;
        }
    }

    /// Does what is due.
    pub fn on_time(&mut self, now: Monotonic) {
        // What was made by then has come, if data come as the last ones did.
        let time = self.time(now).map(|time| time.saturating_add(-self.late));
        if let Some(time) = time {
            self.see_session(time, now);
        }
        self.guard.on_time(now, &mut self.doubts);
        if self.awaited == 0 {
            self.feed.on_history_over(now, &mut self.told);
        }
        self.feed.on_time(now, &mut self.told);
        self.settle(now);
        let Some(time) = time else { return };
        while self.feed.accounts().gap().is_none()
            && !self.guard.waits_for_stamp()
            && let Some(timer) = self.timers.poll(time)
        {
            // What a tick has told already needs no timer.
            if timer >= self.last {
                self.events.push_back(Event::Timer(timer));
            }
        }
    }

    fn on_stamp(&mut self, stamp: i64, now: Monotonic) {
        self.guard.on_stamp(stamp, now, &mut self.doubts);
        if let Some(time) = self.guard.market().now(now) {
            self.late = time.saturating_sub(stamp).max(0);
            // A stamp from the future is not the time.
            self.see_session(Timestamp::from_nanos(stamp.min(time)), now);
        }
        if self.is_refused {
            self.is_refused = false;
            self.tell_entries();
        }
    }

    /// Notes which session there is at `time`.
    fn see_session(&mut self, time: Timestamp, now: Monotonic) {
        let is_over = |close: &Timestamp| time >= close.saturating_add(Self::GRACE);
        if let Some(close) = self.close.take_if(|close| is_over(close)) {
            self.feed.on_session_end(close.nanos(), now, &mut self.told);
            self.settle(now);
        }
        let session = self.calendar.session_at(time);
        let is_halted = |(start, end)| start <= time && time < end;
        let planned = match &session {
            Some(session) if !session.halt.is_some_and(is_halted) => Session::Other,
            _ => Session::Closed,
        };
        let later = session.filter(|session| self.session.is_none_or(|open| open < session.open));
        if let Some(session) = later {
            (self.session, self.close) = (Some(session.open), Some(session.close));
            self.open(session, now);
        }
        let began = later.map(|session| session.open.nanos());
        if began.is_some() || planned != self.planned {
            self.planned = planned;
            self.feed.on_session(planned, began, now);
            self.tell_entries();
        }
    }

    /// Lets the contract in that is due in a session.
    fn open(&mut self, session: market::Session, now: Monotonic) {
        let is_flat = if self.last_tick == Timestamp::MIN {
            !self.series.is_resumed()
        } else {
            // Known after all that the last tick may have led to.
            self.flat_until >= self.calendar.session_at_or_after(self.last_tick).close
        };
        for opened in self.series.on_session(session, is_flat) {
            match opened {
                Opened::Told(text) => self.wishes.push(Wish::Tell(text)),
                Opened::Subscribe(symbol) => self.wishes.push(Wish::Subscribe(symbol)),
                Opened::Rolled => self.roll(now),
            }
        }
    }

    /// Begins with the contract that is active now.
    fn roll(&mut self, now: Monotonic) {
        self.recovered.clear();
        self.short.clear();
        if self.seam.take().is_some() {
            self.wishes.push(Wish::Begin(None));
        }
        // Nobody asks any more, of a session's end neither.
        if let Some(gap) = self.feed.accounts().gap()
            && self.gap.is_none()
        {
            self.gap(&gap, now);
        }
        if let Some(gap) = self.gap.take() {
            let (missing, recovered, phase) = (None, 0, GapPhase::Closed);
            let to = self.session.map_or(gap.to, |open| gap.to.max(open.saturating_add(-1)));
            self.events.push_back(Event::Gap(Gap { to, missing, recovered, phase, ..gap }));
        }
        let mut feed = Self::feed_of(self.gateway_contract, self.freshness);
        feed.number_on_from(&self.feed);
        if let Some(open) = self.session.filter(|_| self.last_tick > Timestamp::MIN) {
            feed.begin_with(open.nanos());
        }
        self.feed = feed;
        if let Some(change) = self.link.filter(|change| change.to.is_up()) {
            let change = Change { from: State::Restoring, ..change };
            self.feed.on_link(&change, now, &mut self.told);
        }
        // What the calendar plans is told next.
        self.planned = Session::Closed;
        self.timers.on_contract(self.series.active().contract);
    }

    /// Tells whether entries are off, if that has changed.
    fn tell_entries(&mut self) {
        self.doubts.clear();
        let refused = self.refusal();
        if refused != self.entries_refused {
            self.entries_refused = refused;
            self.events.push_back(Event::Entries(Entries { time: self.last, refused }));
        }
    }

    /// Makes events and wishes of what the machines below have told.
    fn settle(&mut self, now: Monotonic) {
        let Told { feed, symptoms, sessions } = &self.told;
        let is_quiet = feed.is_empty() && symptoms.is_empty() && sessions.is_empty();
        if is_quiet && self.doubts.is_empty() {
            return;
        }
        // Before the trades that they are about.
        self.tell_entries();
        let mut told = take(&mut self.told);
        for event in told.feed.drain(..) {
            match event {
                Feed::Trade(trade, origin) => self.trade(&trade, origin, now),
                Feed::Gap(gap) => self.gap(&gap, now),
                Feed::Wanted(gap) if self.seam.is_some() => self.ask_for_seam(&gap, now),
                Feed::Wanted(gap) if self.can_ask(&gap) => {
                    let queries = self.queries(&gap, now.after(Self::PATIENCE));
                    self.awaited = queries.len() as u32;
                    self.wishes.extend(queries.map(Wish::History));
                }
                Feed::Wanted(_) => self.awaited = 0,
                Feed::Short(short) => _ = self.short.insert(short.minute, short.missing),
            }
        }
        for symptom in told.symptoms.drain(..) {
            match symptom {
                Symptom::AskAgain => self.wishes.push(Wish::AskAgain),
                Symptom::Reconnect => self.wishes.push(Wish::Reconnect),
                Symptom::Stale(_) | Symptom::Fresh(_) => {}
            }
        }
        told.sessions.clear();
        // Its room is used again.
        self.told = told;
    }

    /// Asks history for what lies before the first trade, its few minutes first.
    fn ask_for_seam(&mut self, gap: &GatewayGap, now: Monotonic) {
        let Some(seam) = &mut self.seam else { return };
        let patience = seam.patience;
        seam.is_asked = patience > Duration::ZERO && !self.is_history_gone;
        self.awaited = 0;
        if !seam.is_asked {
            return;
        }
        let [mut trades, mut minutes] = self.queries(gap, now.after(patience));
        (trades.is_urgent, minutes.is_urgent) = (false, false);
        let [from, to] = [gap.from, trades.to].map(|time| second(Timestamp::from_nanos(time)));
        self.wishes.push(Wish::Tell(format!(
            "warm-up: history is asked from {from} to {to}, for {} s at most",
            patience.as_secs()
        )));
        self.wishes.extend([Wish::Await, Wish::History(minutes), Wish::History(trades)]);
        self.awaited = 2;
    }

    /// Returns whether history is asked about a gap. That over a session's end, where nobody waits
    /// for the next trade, waits for its link too.
    fn can_ask(&self, gap: &GatewayGap) -> bool {
        self.has_history || gap.missing.is_none() && !self.is_history_gone
    }

    /// Returns the questions about a gap.
    fn queries(&self, gap: &GatewayGap, deadline: Monotonic) -> [Query; 2] {
        let names = (self.series.active().symbol.as_str(), EXCHANGE);
        let query = |what| Query::of_gap(what, names, self.gateway_contract, gap, deadline);
        let mut minutes = query(What::Minutes);
        if gap.missing.is_none() {
            let session = self.calendar.session_at(Timestamp::from_nanos(minutes.to));
            minutes.from = session.map_or(minutes.from, |it| it.open.nanos().min(minutes.from));
        }
        [query(What::Trades), minutes]
    }

    fn trade(&mut self, trade: &Trade, origin: Origin, now: Monotonic) {
        let time = self.believed(Timestamp::from_nanos(trade.time), now);
        let is_possible = trade.ticks > 0 && time.is_in_market_years();
        if !is_possible {
            return;
        }
        let price = Price::ZERO.offset_ticks(trade.ticks, self.tick_size);
        let side = match trade.aggressor {
            Aggressor::Unknown => None,
            Aggressor::Buyer => Some(Side::Buy),
            Aggressor::Seller => Some(Side::Sell),
        };
        let contract = self.series.active().contract;
        let tick =
            |time| Tick::new(time, price, trade.size).with_contract(contract).with_aggressor(side);
        match origin {
            Origin::Recovered if self.gap.is_some() => {
                self.recovered.push(tick(time).with_flags(TickFlags::BACKFILLED));
            }
            Origin::Recovered => {
                self.last = self.last.max(time);
                self.last_tick = self.last;
                let tick = tick(self.last).with_flags(TickFlags::BACKFILLED);
                self.events.push_back(Event::Tick(tick));
            }
            Origin::Live => {
                if self.last == Timestamp::MIN && trade.volume != Some(trade.size.into()) {
                    self.joined_at(time);
                }
                self.last = self.last.max(time);
                self.last_tick = self.last;
                let price = |ticks| Price::ZERO.offset_ticks(ticks, self.tick_size);
                let [bid, ask] = [trade.bid, trade.ask].map(|side| side.map(price));
                let tick = tick(self.last).with_quotes(bid, ask, self.tick_size);
                self.events.push_back(Event::Tick(tick));
            }
        }
    }

    /// Returns the time of a trade: the market's, if the trade's own lies ahead of it, which would
    /// end bars that are open.
    fn believed(&mut self, time: Timestamp, now: Monotonic) -> Timestamp {
        let market = self.time(now).filter(|_| self.is_real_time).unwrap_or(Timestamp::MAX);
        if time <= market.saturating_add(Self::GRACE) {
            return time;
        }
        if self.ahead == 0 {
            let [time, market] = [time, market].map(second);
            let text = format!("a trade of {time} came at {market}: it is taken as of then");
            self.wishes.push(Wish::Tell(text));
        }
        self.ahead += 1;
        market
    }

    /// Tells that nobody has seen the session until its first trade here, at `time`.
    fn joined_at(&mut self, time: Timestamp) {
        let from = self.calendar.session_at(time).map_or(time, |session| session.open);
        let gap = |phase| Gap {
            contract: self.series.active().contract,
            from,
            to: time,
            missing: None,
            recovered: 0,
            phase,
        };
        self.events.extend([GapPhase::Opened, GapPhase::Closed].map(|it| Event::Gap(gap(it))));
    }

    fn gap(&mut self, gap: &GatewayGap, now: Monotonic) {
        let from = Timestamp::from_nanos(gap.from);
        let noticed = self.time(now).unwrap_or(from).max(self.last);
        let to = gap.to.map_or(noticed, Timestamp::from_nanos).max(from);
        let is_over = gap.phase == Phase::Closed;
        let mut gap = Gap {
            contract: self.series.active().contract,
            from,
            to,
            missing: gap.missing,
            recovered: 0,
            phase: GapPhase::Opened,
        };
        self.gap = (!is_over).then_some(gap);
        let is_cold = self.seam.as_ref().is_some_and(|seam| seam.is_cold);
        if is_cold && is_over && !self.recovered.is_empty() {
            self.events.push_back(Event::Gap(gap));
        }
        if !is_over {
            if !is_cold {
                self.events.push_back(Event::Gap(gap));
            }
            return;
        }
        let (mut recovered, short) = (take(&mut self.recovered), take(&mut self.short));
        for tick in &mut recovered {
            self.last = self.last.max(tick.time);
            (self.last_tick, tick.time) = (self.last, self.last);
        }
        gap.recovered = recovered.iter().map(|tick| u64::from(tick.size)).sum();
        gap.phase = GapPhase::Closed;
        let is_open = |time| self.calendar.session_at(time).is_some();
        let stretches = stretches(&gap, &short, &recovered, is_open);
        if let Some(seam) = self.seam.take() {
            let gaps: Vec<Gap> = stretches.iter().map(|(gap, _)| *gap).collect();
            self.wishes.push(Wish::Tell(seam.told(&gap, recovered.len(), &gaps)));
            self.wishes.push(Wish::Begin((!recovered.is_empty()).then_some(gap.to)));
            if seam.is_cold && recovered.is_empty() {
                // Nothing was known before, and no data is no gap.
                return;
            }
        }
        let mut next = 0;
        for (stretch, end) in stretches {
            self.events.push_back(Event::Gap(stretch));
            self.events.extend(recovered[next..end].iter().map(|tick| Event::Tick(*tick)));
            next = end;
        }
    }
}

#[cfg(test)]
mod gap_tests;
#[cfg(test)]
mod tests;
