//! The market of one contract, from a gateway's messages to events of the engine.

use std::collections::VecDeque;
use std::time::Duration;

use algospace_hft_rithmic::Monotonic;
use algospace_hft_rithmic::feed::{
    AccountsSettings, Aggressor, Answer, Contract, ContractFeed, Feed, FreshnessSettings,
    MarketClock, Origin, Phase, Query, Rows, Session, Symptom, Told, TopOfBook, Trade, What,
};
use algospace_hft_rithmic::link::Change;
use algospace_hft_rithmic::wire::{BestBidOffer, LastTrade, Nanoseconds, rti};

use crate::engine::{Event, Timers};
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
/// A gap's recovered trades follow its end, flagged. As long as a gap is open no timer is given:
/// time that nobody has seen yet closes no bar.
#[derive(Debug)]
pub struct Market {
    names: Names,
    tick_size: Price,
    calendar: Calendar,
    gateway_contract: Contract,
    feed: ContractFeed,
    told: Told,
    clock: MarketClock,
    timers: Timers,
    session: Option<Timestamp>,
    /// The time of the last tick or timer.
    last: Timestamp,
    is_in_gap: bool,
    recovered: Vec<Tick>,
    events: VecDeque<Event>,
    wishes: Vec<Wish>,
}

impl Market {
    /// The time for which a gap waits for history.
    const PATIENCE: Duration = Duration::from_secs(2);

    /// Creates the market of a contract whose link is down. Data are stale after `stale` in
    /// silence.
    pub fn new(names: Names, instrument: &Instrument, timers: Timers, stale: Duration) -> Market {
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
            clock: MarketClock::new(),
            timers,
            session: None,
            last: Timestamp::MIN,
            is_in_gap: false,
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
        self.clock.now(now).map(Timestamp::from_nanos)
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
        self.feed.on_time(now, &mut self.told);
        self.settle(now);
        let Some(time) = self.time(now) else { return };
        self.see_session(time, now);
        while !self.is_in_gap
            && let Some(timer) = self.timers.poll(time)
        {
            // What a tick has told already needs no timer.
            if timer >= self.last {
                self.events.push_back(Event::Timer(timer));
            }
        }
    }

    fn on_stamp(&mut self, stamp: i64, now: Monotonic) {
        self.clock.on_stamp(stamp, now);
        self.see_session(Timestamp::from_nanos(stamp), now);
    }

    /// Notes which session there is at `time`.
    fn see_session(&mut self, time: Timestamp, now: Monotonic) {
        let session = self.calendar.session_at(time).map(|session| session.open);
        if session != self.session {
            let begins = session.is_some() && self.session.is_some();
            self.session = session;
            let expected = if session.is_some() { Session::Other } else { Session::Closed };
            self.feed.on_session(expected, begins, now);
        }
    }

    /// Makes events and wishes of what the machines below have told.
    fn settle(&mut self, now: Monotonic) {
        if self.told.feed.is_empty() && self.told.symptoms.is_empty() {
            return;
        }
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
