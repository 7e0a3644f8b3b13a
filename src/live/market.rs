//! The market of one contract, from a gateway's messages to events of the engine.

use std::collections::VecDeque;
use std::time::Duration;

use algospace_hft_rithmic::Monotonic;
use algospace_hft_rithmic::feed::{
    AccountsSettings, Aggressor, Answer, ClockEvent, ClockGuard, ClockGuardSettings, Clocks,
    Contract, ContractFeed, Doubt, Feed, FreshnessSettings, Kind, Origin, Phase, Query, Rows,
    Session, Symptom, Told, TopOfBook, Trade, What,
};
use algospace_hft_rithmic::link::Change;
use algospace_hft_rithmic::wire::{BestBidOffer, LastTrade, Nanoseconds, rti};

use crate::engine::{Entries, Event, Timers};
use crate::execution::Refusal;
use crate::market::{Calendar, Gap, GapPhase, Instrument, Price, Side, Tick, TickFlags, Timestamp};

/// A wish of the market, for the caller to carry out.
#[derive(Clone, Debug)]
pub enum Wish {
    /// Ask the history plant.
    History(Query),
    /// Subscribe again.
    AskAgain,
    /// Give the connection to the ticker plant up.
    Reconnect,
}

/// A contract, as gateway and engine name it.
#[derive(Clone, Debug)]
pub struct Names {
    /// The gateway's symbol, such as `ESZ6`.
    pub symbol: String,
    /// The exchange, `CME`.
    pub exchange: String,
    /// The number that its ticks have: [`Tick::contract`].
    pub contract: u16,
}

/// The market as a machine: it is told what came and the time, and gives events in the order that
/// the engine takes them in. No tick is older than the one before.
///
/// A gap's recovered trades follow its end, flagged. As long as a gap is open, or the clock waits
/// for a stamp, no timer is given: time that nobody has seen yet closes no bar.
///
/// Nothing is entered while the clock is in doubt, data are stale, the market is halted or the
/// subscription refused. That is told as an event, before the tick that it is about.
#[derive(Debug)]
pub struct Market {
    names: Names,
    tick_size: Price,
    calendar: Calendar,
    gateway_contract: Contract,
    feed: ContractFeed,
    told: Told,
    guard: ClockGuard,
    is_real_time: bool,
    doubts: Vec<Option<Doubt>>,
    timers: Timers,
    /// The open of the last session.
    session: Option<Timestamp>,
    /// The state of the session, by the calendar.
    planned: Session,
    /// The time of the last tick or timer.
    last: Timestamp,
    is_in_gap: bool,
    /// `true` if the gateway refused the subscription.
    is_refused: bool,
    /// The reason for which entries are off, as it was told last.
    entries_refused: Option<Refusal>,
    recovered: Vec<Tick>,
    events: VecDeque<Event>,
    wishes: Vec<Wish>,
}

impl Market {
    /// The time for which a gap waits for history.
    const PATIENCE: Duration = Duration::from_secs(2);

    /// Creates the market of a contract whose link is down. Data are stale after `stale` in
    /// silence. Without `is_real_time` the gateway plays the market at another pace than time
    /// passes, and its clock is not doubted.
    pub fn new(
        names: Names,
        instrument: &Instrument,
        timers: Timers,
        stale: Duration,
        is_real_time: bool,
    ) -> Market {
        let tick_size = instrument.tick_size;
        let nanoseconds = Nanoseconds::Whole;
        let contract = Contract { tick_size: tick_size.as_f64(), nanoseconds };
        let accounts = AccountsSettings { patience: Self::PATIENCE, ..Default::default() };
        let freshness = FreshnessSettings { regular: stale, other: stale };
        let mut timers = timers;
        timers.on_contract(names.contract);
        Market {
            names,
            tick_size,
            calendar: instrument.calendar,
            gateway_contract: contract,
            feed: ContractFeed::new(contract, accounts, freshness, Session::Closed),
            told: Told::default(),
            guard: ClockGuard::new(ClockGuardSettings::default()),
            is_real_time,
            doubts: Vec::new(),
            timers,
            session: None,
            planned: Session::Closed,
            last: Timestamp::MIN,
            is_in_gap: false,
            is_refused: false,
            entries_refused: None,
            recovered: Vec::new(),
            events: VecDeque::new(),
            wishes: Vec::new(),
        }
    }

    /// Takes the next event for the engine.
    pub fn take(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// Puts an event back that could not be taken.
    pub fn put_back(&mut self, event: Event) {
        self.events.push_front(event);
    }

    /// The gateway's symbol.
    pub fn symbol(&self) -> &str {
        &self.names.symbol
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
        if message.is_snapshot() != Some(true)
            && let Some(stamp) = message.gateway_time()
        {
            self.on_stamp(stamp, now);
        }
        self.feed.on_last_trade(message, now, &mut self.told);
        self.settle(now);
    }

    /// Takes a change of the best bid and offer.
    pub fn on_quote(&mut self, message: &BestBidOffer, now: Monotonic) {
        if message.is_snapshot() != Some(true)
            && let Some(stamp) = message.gateway_time()
        {
            self.on_stamp(stamp, now);
        }
        self.feed.on_quote(message, now, &mut self.told);
        self.settle(now);
    }

    /// Takes the gateway's mode of the market.
    pub fn on_mode(&mut self, message: &rti::MarketMode, now: Monotonic) {
        self.feed.on_mode(message, now, &mut self.told);
        self.settle(now);
    }

    /// Takes a change of the ticker link's state.
    pub fn on_link(&mut self, change: &Change, now: Monotonic) {
        if change.from.is_up() && !change.to.is_up() {
            self.guard.on_lost(&mut self.doubts);
        }
        self.feed.on_link(change, now, &mut self.told);
        self.settle(now);
    }

    /// Takes an answer of the history plant.
    pub fn on_history(&mut self, answer: &Answer, now: Monotonic) {
        // An answer to an earlier gap says nothing of this one.
        let is_open = self.feed.accounts().gap().map(|gap| u64::from(gap.number));
        if is_open == Some(answer.key) {
            match &answer.rows {
                Rows::Trades(trades) => self.feed.on_history(trades, now, &mut self.told),
                Rows::Minutes(minutes) => self.feed.on_minutes(minutes),
            }
        }
        self.settle(now);
    }

    /// Does what is due.
    pub fn on_time(&mut self, now: Monotonic) {
        self.guard.on_time(now, &mut self.doubts);
        self.feed.on_time(now, &mut self.told);
        self.settle(now);
        let Some(time) = self.time(now) else { return };
        self.see_session(time, now);
        while !self.is_in_gap
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
        self.see_session(Timestamp::from_nanos(stamp), now);
        if self.is_refused {
            self.is_refused = false;
            self.tell_entries();
        }
    }

    /// Notes which session there is at `time`.
    fn see_session(&mut self, time: Timestamp, now: Monotonic) {
        let session = self.calendar.session_at(time);
        let is_halted = |(start, end)| start <= time && time < end;
        let planned = match &session {
            Some(session) if !session.halt.is_some_and(is_halted) => Session::Other,
            _ => Session::Closed,
        };
        let before = self.session;
        self.session = session.map(|session| session.open).or(before);
        let begins = before.is_some() && self.session != before;
        if begins || planned != self.planned {
            self.planned = planned;
            self.feed.on_session(planned, begins, now);
            self.tell_entries();
        }
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
        let mut told = std::mem::take(&mut self.told);
        for event in told.feed.drain(..) {
            match event {
                Feed::Trade(trade, origin) => self.trade(&trade, origin),
                Feed::Gap(gap) => self.gap(&gap, now),
                Feed::Wanted(gap) => {
                    let names = (self.names.symbol.as_str(), self.names.exchange.as_str());
                    let query = |what| {
                        let deadline = now.after(Self::PATIENCE);
                        Query::of_gap(what, names, self.gateway_contract, &gap, deadline)
                    };
                    let queries = [query(What::Trades), query(What::Minutes)];
                    self.wishes.extend(queries.map(Wish::History));
                }
                Feed::Short(_) => {}
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

    fn trade(&mut self, trade: &Trade, origin: Origin) {
        let time = Timestamp::from_nanos(trade.time);
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
        let tick = |time| {
            Tick::new(time, price, trade.size)
                .with_contract(self.names.contract)
                .with_aggressor(side)
        };
        match origin {
            Origin::Recovered if self.is_in_gap => {
                self.recovered.push(tick(time).with_flags(TickFlags::BACKFILLED));
            }
            Origin::Recovered => {
                self.last = self.last.max(time);
                let tick = tick(self.last).with_flags(TickFlags::BACKFILLED);
                self.events.push_back(Event::Tick(tick));
            }
            Origin::Live => {
                self.last = self.last.max(time);
                let TopOfBook { bid, ask, .. } = *self.feed.book();
                let price = |ticks| Price::ZERO.offset_ticks(ticks, self.tick_size);
                let (bid, ask) = (bid.map(|it| price(it.ticks)), ask.map(|it| price(it.ticks)));
                let tick = tick(self.last).with_quotes(bid, ask, self.tick_size);
                self.events.push_back(Event::Tick(tick));
            }
        }
    }

    fn gap(&mut self, gap: &algospace_hft_rithmic::feed::Gap, now: Monotonic) {
        let from = Timestamp::from_nanos(gap.from);
        let noticed = self.time(now).unwrap_or(from).max(self.last);
        let to = gap.to.map_or(noticed, Timestamp::from_nanos).max(from);
        let is_over = gap.phase == Phase::Closed;
        self.events.push_back(Event::Gap(Gap {
            contract: self.names.contract,
            from,
            to,
            missing: gap.missing,
            recovered: if is_over { gap.recovered } else { 0 },
            phase: if is_over { GapPhase::Closed } else { GapPhase::Opened },
        }));
        self.is_in_gap = !is_over;
        if is_over {
            for mut tick in std::mem::take(&mut self.recovered) {
                self.last = self.last.max(tick.time);
                tick.time = self.last;
                self.events.push_back(Event::Tick(tick));
            }
        }
    }
}

#[cfg(test)]
mod tests;
