//! A client in virtual time: its links and what follows from them, before a simulated gateway.

use std::collections::BTreeMap;
use std::time::Duration;

use algospace_hft::market::{Price, Side, Tick, Timestamp};
use algospace_hft_rithmic::Monotonic;
use algospace_hft_rithmic::feed::{
    AccountsSettings, Answer, Contract, ContractFeed, End, Feed, FreshnessSettings, Gap, History,
    Phase, Query, Rows, Session, Symptom, Told, Trade, What,
};
use algospace_hft_rithmic::link::{
    Change, Link, LinkSettings, Logins, Output as Said, Plant, State, Why,
};
use algospace_hft_rithmic::wire::prost::Message as _;
use algospace_hft_rithmic::wire::{Incoming, Nanoseconds, body, decode, encode, messages, rti};
use rithmic_sim::{ClientId, Gateway, Input, Market, Output, Script, Settings};

/// A second in nanoseconds.
pub const SECOND: i64 = 1_000_000_000;
/// 2023-11-15, 14:30 UTC, in the regular session of a day on which ESZ3 is in front.
pub const OPEN: i64 = 1_700_058_600 * SECOND;
const ES: Contract = Contract { tick_size: 0.25, nanoseconds: Nanoseconds::Whole };

/// Trades of ES with quotes, some each second. They begin half a minute before [`OPEN`].
pub fn ticks(seconds: i64, each_second: i64) -> Vec<Tick> {
    let tick_size = Price::from_units(Price::SCALE / 4);
    let tick = |place: i64| {
        let time = OPEN + (place - 30 * each_second) * SECOND / each_second + 123_456;
        let price = Price::from_units((18_000 + place % 7) * Price::SCALE / 4);
        let side = if place % 2 == 0 { Side::Buy } else { Side::Sell };
        let quotes = (price.offset_ticks(-1, tick_size), price.offset_ticks(1, tick_size));
        Tick::new(Timestamp::from_nanos(time), price, 1 + (place % 3) as u32)
            .with_aggressor(Some(side))
            .with_quotes(Some(quotes.0), Some(quotes.1), tick_size)
    };
    (0..seconds * each_second).map(tick).collect()
}

/// One link to the gateway.
pub struct One {
    pub link: Link,
    pub client: Option<ClientId>,
    pub changes: Vec<(Monotonic, Change)>,
    pub refused: Vec<String>,
}

/// A gateway and a client of it: a ticker link and a history link, and the machines behind them.
pub struct World {
    now: Monotonic,
    pub gateway: Gateway,
    logins: Logins,
    pub links: [One; 2],
    pub feed: ContractFeed,
    past: History,
    pub told: Told,
    /// Answers of history that have come, and the ends of those before.
    answers: Vec<Answer>,
    pub ends: Vec<End>,
    /// Events of the feed that were seen to.
    seen: usize,
    clients: ClientId,
    pub invalid: u32,
    pub texts: u32,
}

/// The place of the ticker link.
pub const TICKER: usize = 0;
/// That of the history link.
pub const HISTORY: usize = 1;

impl World {
    /// A client that is about to connect, before a market whose history is half a minute.
    pub fn new(script: Script, ticks: Vec<Tick>) -> World {
        let now = Monotonic(1_000_000_000);
        let mut market = Market::of_ticks("ES", ticks).unwrap();
        market.start_at(Timestamp::from_nanos(OPEN));
        let one = |plant| {
            let link = Link::new(plant, LinkSettings::default(), plant as u64);
            One { link, client: None, changes: Vec::new(), refused: Vec::new() }
        };
        let mut links = [one(Plant::Ticker), one(Plant::History)];
        let mut request = crate::machine::subscription("ESZ3", true);
        request.update_bits =
            Some(1 | 2 | rti::request_market_data_update::UpdateBits::MarketMode as u32);
        links[TICKER].link.keep(body(&request), now, &mut Vec::new());
        let (accounts, freshness) = (AccountsSettings::default(), FreshnessSettings::default());
        World {
            now,
            gateway: Gateway::new(Settings { script, ..Settings::default() }, market),
            logins: Logins::new(Duration::ZERO),
            links,
            feed: ContractFeed::new(ES, accounts, freshness, Session::Regular),
            past: History::default(),
            told: Told::default(),
            answers: Vec::new(),
            ends: Vec::new(),
            seen: 0,
            clients: 0,
            invalid: 0,
            texts: 0,
        }
    }

    /// A world of a script in YAML, and a market of minutes with four trades a second.
    pub fn of(script: &str, minutes: i64) -> World {
        let script = Script::parse(script, "test").unwrap_or_else(|error| panic!("{error}"));
        World::new(script, ticks(minutes * 60 + 30, 4))
    }

    /// Passes that many seconds, from deadline to deadline.
    pub fn run(mut self, seconds: u64) -> World {
        let end = self.now.after(Duration::from_secs(seconds));
        loop {
            self.gateway.on(Input::Time, self.now);
            self.hear();
            for which in [TICKER, HISTORY] {
                let mut out = Vec::new();
                self.links[which].link.on_time(self.now, &mut self.logins, &mut out);
                self.act(which, out);
            }
            self.mend();
            if self.now >= end {
                return self;
            }
            let links = self.links.iter().map(|one| one.link.due()).min().unwrap();
            let gateway = self.gateway.due().unwrap_or(Monotonic::NEVER);
            let due = links.min(gateway).min(self.feed.due());
            // A link that waits for its turn is due at once; a driver looks again soon.
            let (soon, late) = (Duration::from_millis(5), Duration::from_millis(200));
            self.now = due.max(self.now.after(soon)).min(self.now.after(late)).min(end);
        }
    }

    /// Does what a link says.
    fn act(&mut self, which: usize, said: Vec<Said>) {
        for said in said {
            let mut out = Vec::new();
            let One { link, client, changes, refused } = &mut self.links[which];
            match (said, *client) {
                (Said::Connect, _) if self.gateway.admits(self.now) => {
                    self.clients += 1;
                    *client = Some(self.clients);
                    self.gateway.on(Input::Connect(self.clients), self.now);
                    link.on_connected(self.now, &mut out);
                }
                (Said::Connect, _) => link.on_closed(self.now, &mut self.logins, &mut out),
                (Said::Login(number), Some(id)) => {
                    let login = encode(&crate::machine::login(link.plant() as i32), Some(number));
                    self.gateway.on(Input::Frame(id, &login), self.now);
                }
                (Said::Send(frame), Some(id)) => {
                    self.gateway.on(Input::Frame(id, &frame), self.now);
                }
                (Said::Ping, Some(id)) if !self.gateway.is_mute(id, self.now) => {
                    link.on_traffic(self.now, &mut out);
                }
                (Said::Disconnect, _) => {
                    if let Some(id) = client.take() {
                        self.gateway.on(Input::Closed(id), self.now);
                    }
                }
                (Said::Changed(change), _) => {
                    changes.push((self.now, change));
                    if which == TICKER {
                        self.feed.on_link(&change, self.now, &mut self.told);
                    }
                }
                (Said::Refused(_, code, text), _) => refused.push(format!("{code} {text}")),
                (Said::Unanswered(number, _), _) if which == HISTORY => {
                    self.past.on_unanswered(number);
                }
                _ => {}
            }
            self.act(which, out);
            self.hear();
        }
    }

    /// Takes what the gateway says, until it says nothing.
    fn hear(&mut self) {
        loop {
            let outputs: Vec<_> = self.gateway.outputs().collect();
            if outputs.is_empty() {
                return;
            }
            for output in outputs {
                let (Output::Send(id, _)
                | Output::Text(id, _)
                | Output::Close(id)
                | Output::Reset(id)) = output;
                let Some(which) = self.links.iter().position(|one| one.client == Some(id)) else {
                    continue;
                };
                let mut out = Vec::new();
                match output {
                    Output::Send(_, frame) => self.on_frame(which, &frame, &mut out),
                    Output::Text(..) => {
                        self.texts += 1;
                        self.links[which].link.on_traffic(self.now, &mut out);
                    }
                    Output::Close(_) | Output::Reset(_) => {
                        let link = &mut self.links[which].link;
                        link.on_closed(self.now, &mut self.logins, &mut out);
                    }
                }
                self.act(which, out);
            }
        }
    }

    fn on_frame(&mut self, which: usize, frame: &[u8], out: &mut Vec<Said>) {
        let World { now, logins, links, feed, told, past, answers, .. } = self;
        let link = &mut links[which].link;
        link.on_traffic(*now, out);
        for message in messages(frame) {
            match message.and_then(decode) {
                Ok(Incoming::Trade(trade)) => feed.on_last_trade(&trade, *now, told),
                Ok(Incoming::Quote(quote)) => feed.on_quote(&quote, *now, told),
                Ok(Incoming::Other(envelope, message)) => {
                    if link.on_message(&envelope, message, *now, logins, out) {
                        continue;
                    }
                    if envelope.template == 157 {
                        let mode = rti::MarketMode::decode(message).unwrap();
                        feed.on_mode(&mode, *now, told);
                    }
                    let mut ask = |body: &[u8], patience| link.request(body, patience, *now, out);
                    past.on_message(&envelope, message, *now, &mut ask, answers);
                }
                Err(_) => self.invalid += 1,
            }
        }
    }

    /// Does what the feed asks for, and what is due in it.
    fn mend(&mut self) {
        let now = self.now;
        self.feed.on_time(now, &mut self.told);
        for event in &self.told.feed[std::mem::replace(&mut self.seen, self.told.feed.len())..] {
            if let Feed::Wanted(gap) = event {
                for what in [What::Trades, What::Minutes] {
                    let deadline = now.after(Duration::from_secs(2));
                    self.past.query(Query::of_gap(what, ("ESZ3", "CME"), ES, gap, deadline));
                }
            }
        }
        let mut out = Vec::new();
        let link = &mut self.links[TICKER].link;
        for symptom in std::mem::take(&mut self.told.symptoms) {
            match symptom {
                Symptom::AskAgain => link.ask_again(now, &mut out),
                Symptom::Reconnect => link.on_closed(now, &mut self.logins, &mut out),
                Symptom::Stale(_) | Symptom::Fresh(_) => {}
            }
        }
        self.act(TICKER, out);
        let mut out = Vec::new();
        let link = &mut self.links[HISTORY].link;
        let mut ask = |body: &[u8], patience| link.request(body, patience, now, &mut out);
        self.past.on_time(now, &mut ask, &mut self.answers);
        self.act(HISTORY, out);
        for Answer { key, rows, end } in std::mem::take(&mut self.answers) {
            let is_open = self.feed.accounts().gap().map(|gap| u64::from(gap.number)) == Some(key);
            match rows {
                Rows::Trades(rows) if is_open => self.feed.on_history(&rows, now, &mut self.told),
                Rows::Minutes(rows) if is_open => self.feed.on_minutes(&rows),
                _ => {}
            }
            self.ends.push(end);
        }
    }

    pub fn state(&self, which: usize) -> State {
        self.links[which].link.state()
    }

    /// The reasons for which a link went down, with the times.
    pub fn falls(&self, which: usize) -> Vec<(Monotonic, Why)> {
        let is_fall = |(_, change): &&(Monotonic, Change)| {
            matches!(change.to, State::Down { .. } | State::LoggedOut(_))
        };
        let changes = self.links[which].changes.iter().filter(is_fall);
        changes.map(|(at, change)| (*at, change.why)).collect()
    }

    /// The trades that were told.
    pub fn trades(&self) -> Vec<Trade> {
        let trade = |event: &Feed| match event {
            Feed::Trade(trade, _) => Some(*trade),
            _ => None,
        };
        self.told.feed.iter().filter_map(trade).collect()
    }

    /// The gaps that were closed.
    pub fn gaps(&self) -> Vec<Gap> {
        let gap = |event: &Feed| match event {
            Feed::Gap(gap) if gap.phase == Phase::Closed => Some(*gap),
            _ => None,
        };
        self.told.feed.iter().filter_map(gap).collect()
    }

    /// Asserts that all trades of the market were told, each once and in order, less those that
    /// `is_left_out`, up to the last that was told.
    pub fn assert_told_all_but(&self, is_left_out: impl Fn(&Tick) -> bool) {
        // History has microseconds.
        let told = self.trades();
        let told: Vec<_> =
            told.iter().map(|trade| (trade.time / 1_000, trade.ticks, trade.size)).collect();
        let ticks = self.gateway.market().ticks().iter();
        let row = |tick: &Tick| {
            (tick.time.nanos() / 1_000, tick.price.units() / (Price::SCALE / 4), tick.size)
        };
        let expected: Vec<_> = ticks
            .filter(|tick| tick.time.nanos() >= OPEN && !is_left_out(tick))
            .map(row)
            .take(told.len())
            .collect();
        assert!(told.len() > 100);
        let differs = told.iter().zip(&expected).position(|(told, expected)| told != expected);
        assert_eq!(differs, None, "{differs:?} of {}", told.len());
    }

    /// Returns the first minute that has neither the volume of what was `traded`, times in
    /// nanoseconds and sizes, nor lies in a gap that was told and not recovered. Nothing is asked
    /// of what is before the first trade that was told, or behind the last.
    pub fn wrong_minute(&self, traded: impl Iterator<Item = (i64, u32)>) -> Option<String> {
        let trades = self.trades();
        let told = trades.first()?.time / 1_000..=trades.last()?.time / 1_000;
        let mut minutes: BTreeMap<i64, (u32, u32)> = BTreeMap::new();
        for trade in trades {
            minutes.entry(minute(trade.time)).or_default().0 += trade.size;
        }
        for (time, size) in traded.filter(|(time, _)| told.contains(&(time / 1_000))) {
            minutes.entry(minute(time)).or_default().1 += size;
        }
        let gaps = self.gaps();
        let is_flagged = |at: i64| {
            let is_in = |gap: &Gap| {
                !gap.is_recovered()
                    && minute(gap.from) <= at
                    && gap.to.is_none_or(|to| minute(to) >= at)
            };
            gaps.iter().any(is_in)
        };
        let is_wrong = |(minute, (told, traded)): &(i64, (u32, u32))| {
            told > traded || told < traded && !is_flagged(*minute)
        };
        let wrong = minutes.into_iter().find(is_wrong);
        wrong.map(|(minute, (told, traded))| format!("minute {minute}: {told} of {traded}"))
    }
}

/// The minute of a time in nanoseconds.
pub fn minute(time: i64) -> i64 {
    time.div_euclid(60 * SECOND)
}

/// The time from one instant to another.
pub fn between(from: Monotonic, to: Monotonic) -> Duration {
    to.since(from)
}
