//! Faults, each against the client's own machines, in virtual time.

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
use rithmic_sim::script::{Action, Fault, Moment, Pause, When};
use rithmic_sim::{ClientId, Gateway, Input, Market, Output, Script, Settings};

const SECOND: i64 = 1_000_000_000;
/// 2023-11-15, 14:30 UTC, in the regular session of a day on which ESZ3 is in front.
const OPEN: i64 = 1_700_058_600 * SECOND;
const ES: Contract = Contract { tick_size: 0.25, nanoseconds: Nanoseconds::Whole };

/// Trades of ES with quotes, some each second. They begin half a minute before [`OPEN`].
fn ticks(seconds: i64, each_second: i64) -> Vec<Tick> {
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
struct One {
    link: Link,
    client: Option<ClientId>,
    changes: Vec<(Monotonic, Change)>,
    refused: Vec<String>,
}

/// A gateway and a client of it: a ticker link and a history link, and the machines behind them.
struct World {
    now: Monotonic,
    gateway: Gateway,
    logins: Logins,
    links: [One; 2],
    feed: ContractFeed,
    past: History,
    told: Told,
    /// Answers of history that have come, and the ends of those before.
    answers: Vec<Answer>,
    ends: Vec<End>,
    /// Events of the feed that were seen to.
    seen: usize,
    clients: ClientId,
    invalid: u32,
    texts: u32,
}

const TICKER: usize = 0;
const HISTORY: usize = 1;

impl World {
    /// A client that is about to connect, before a market whose history is half a minute.
    fn new(script: Script, ticks: Vec<Tick>) -> World {
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
    fn of(script: &str, minutes: i64) -> World {
        let script = Script::parse(script, "test").unwrap_or_else(|error| panic!("{error}"));
        World::new(script, ticks(minutes * 60 + 30, 4))
    }

    /// Passes that many seconds, from deadline to deadline.
    fn run(mut self, seconds: u64) -> World {
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

    fn state(&self, which: usize) -> State {
        self.links[which].link.state()
    }

    /// The reasons for which a link went down, with the times.
    fn falls(&self, which: usize) -> Vec<(Monotonic, Why)> {
        let is_fall = |(_, change): &&(Monotonic, Change)| {
            matches!(change.to, State::Down { .. } | State::LoggedOut(_))
        };
        let changes = self.links[which].changes.iter().filter(is_fall);
        changes.map(|(at, change)| (*at, change.why)).collect()
    }

    /// The trades that were told.
    fn trades(&self) -> Vec<Trade> {
        let trade = |event: &Feed| match event {
            Feed::Trade(trade, _) => Some(*trade),
            _ => None,
        };
        self.told.feed.iter().filter_map(trade).collect()
    }

    /// The gaps that were closed.
    fn gaps(&self) -> Vec<Gap> {
        let gap = |event: &Feed| match event {
            Feed::Gap(gap) if gap.phase == Phase::Closed => Some(*gap),
            _ => None,
        };
        self.told.feed.iter().filter_map(gap).collect()
    }

    /// Asserts that all trades of the market were told, each once and in order, less those that
    /// `is_left_out`, up to the last that was told.
    fn assert_told_all_but(&self, is_left_out: impl Fn(&Tick) -> bool) {
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

    /// Asserts that each minute up to the last trade has the volume of the market, less what
    /// `is_left_out`, or lies in a gap that was told and not recovered. Returns the number of
    /// minutes that do.
    fn assert_no_minute_is_wrong_unflagged(&self, is_left_out: impl Fn(&Tick) -> bool) -> usize {
        let (mut told, mut traded) = (BTreeMap::new(), BTreeMap::new());
        let trades = self.trades();
        let last = trades.last().unwrap().time / 1_000;
        for trade in trades {
            *told.entry(minute(trade.time)).or_insert(0) += trade.size;
        }
        let ticks = self.gateway.market().ticks().iter();
        let ticks = ticks.filter(|tick| tick.time.nanos() >= OPEN && !is_left_out(tick));
        for tick in ticks.filter(|tick| tick.time.nanos() / 1_000 <= last) {
            *traded.entry(minute(tick.time.nanos())).or_insert(0) += tick.size;
        }
        let gaps = self.gaps();
        let is_flagged = |at: i64| {
            let is_in = |gap: &&Gap| {
                !gap.is_recovered()
                    && minute(gap.from) <= at
                    && gap.to.is_none_or(|to| minute(to) >= at)
            };
            gaps.iter().find(is_in).is_some()
        };
        assert!(told.keys().all(|minute| traded.contains_key(minute)));
        let mut flagged = 0;
        for (minute, traded) in &traded {
            let told = told.get(minute).copied().unwrap_or(0);
            flagged += usize::from(is_flagged(*minute));
            assert!(told <= *traded, "minute {minute}: {told} of {traded}");
            assert!(told == *traded || is_flagged(*minute), "minute {minute}: {told} of {traded}");
        }
        flagged
    }
}

/// The minute of a time in nanoseconds.
fn minute(time: i64) -> i64 {
    time.div_euclid(60 * SECOND)
}

/// The time from one instant to another.
fn between(from: Monotonic, to: Monotonic) -> Duration {
    to.since(from)
}

#[test]
fn without_a_script_each_trade_is_told() {
    let world = World::of("seed: 1", 2).run(115);
    assert_eq!((world.state(TICKER), world.falls(TICKER)), (State::Live, vec![]));
    assert!(world.trades().len() > 450 && world.gaps().is_empty());
    world.assert_told_all_but(|_| false);
}

#[test]
fn a_connection_that_drops_or_breaks_is_opened_again_and_nothing_is_lost() {
    for action in ["drop", "reset"] {
        let script =
            format!("faults: [{{ when: {{ after_ticks: 100 }}, plant: ticker, do: {action} }}]");
        let world = World::of(&script, 2).run(110);
        assert_eq!(world.falls(TICKER).len(), 1);
        assert_eq!(world.falls(TICKER)[0].1, Why::Closed);
        assert!(world.falls(HISTORY).is_empty() && world.state(TICKER) == State::Live);
        assert!(world.gaps()[0].is_recovered() && world.gaps()[0].missing > Some(0));
        world.assert_told_all_but(|_| false);
    }
}

#[test]
fn a_mute_gateway_is_noticed_and_left() {
    let script = "faults: [{ when: { after_ticks: 100 }, plant: ticker, do: mute, for: 60s }]";
    let world = World::of(script, 2).run(110);
    let (fell, why) = world.falls(TICKER)[0];
    // The hundredth trade came after some 25 s.
    let noticed = between(Monotonic(26_000_000_000), fell);
    assert_eq!(why, Why::ProbeUnanswered);
    assert!(noticed > Duration::from_secs(6) && noticed < Duration::from_secs(9), "{noticed:?}");
    assert!(world.state(TICKER) == State::Live && world.falls(TICKER).len() == 1);
    world.assert_told_all_but(|_| false);
    // Without a plant nobody gets in either.
    let script = "faults: [{ when: { after_ticks: 100 }, do: mute, for: 30s }]";
    let world = World::of(script, 2).run(140);
    assert!(world.falls(TICKER).iter().any(|(_, why)| *why == Why::LoginUnanswered));
    assert!(world.state(TICKER) == State::Live && world.state(HISTORY) == State::Live);
    world.assert_no_minute_is_wrong_unflagged(|_| false);
}

#[test]
fn trades_that_are_lost_come_from_history_or_leave_a_gap() {
    let script = "faults: [{ when: { after_ticks: 100 }, do: lose, count: 5 }]";
    for (quirk, recovered) in [("0", true), ("1", false)] {
        let script = format!("quirks: {{ tick_replay_loss: {quirk} }}\n{script}");
        let world = World::of(&script, 1).run(60);
        let gap = world.gaps()[0];
        let all = &world.gateway.market().ticks()[120 + 100..120 + 105];
        let missing = all.iter().map(|tick| u64::from(tick.size)).sum();
        assert_eq!((gap.missing, gap.is_recovered()), (Some(missing), recovered));
        let is_lost = |tick: &Tick| all.contains(tick) && !recovered;
        world.assert_told_all_but(is_lost);
    }
}

#[test]
fn refused_connections_lead_to_no_storm() {
    let script = "faults:
  - { when: { after_ticks: 100 }, do: refuse_connections, count: 20 }
  - { when: { after_ticks: 100 }, plant: ticker, do: drop }";
    let world = World::of(script, 10).run(600);
    let refused: Vec<_> =
        world.falls(TICKER).into_iter().filter(|(_, why)| *why == Why::NotConnected).collect();
    assert_eq!(refused.len(), 20);
    for six in refused.windows(7) {
        assert!(between(six[0].0, six[6].0) >= Duration::from_secs(60), "a storm");
    }
    assert_eq!(world.state(TICKER), State::Live);
    world.assert_told_all_but(|_| false);
}

#[test]
fn the_clock_stops_behind_the_first_trade_of_each_bar() {
    let script = "market: { pause_at_bar_seconds: 60, pause: 90s }";
    let script = Script::parse(script, "test").unwrap();
    for speed in [1.0, f64::INFINITY] {
        let settings = Settings { script: script.clone(), speed, ..Settings::default() };
        let mut market = Market::of_ticks("ES", ticks(150, 4)).unwrap();
        market.start_at(Timestamp::from_nanos(OPEN));
        let mut gateway = Gateway::new(settings, market);
        crate::machine::connected(&mut gateway, 1, 1);
        let request = encode(&crate::machine::subscription("ESZ3", true), Some(1));
        gateway.on(Input::Frame(1, &request), Monotonic(0));
        let mut stops = Vec::new();
        let mut before = (gateway.market().position(), Monotonic(0));
        while let Some(due) = gateway.due()
            && gateway.market().next_time().is_some()
        {
            gateway.on(Input::Time, due);
            if between(before.1, due) >= Duration::from_secs(90) {
                stops.push(before.0);
            }
            before = (gateway.market().position(), due);
        }
        assert_eq!(stops, [121, 361], "speed {speed}");
    }
}

#[test]
fn the_documents_script_is_one() {
    let document = include_str!("../../../docs/rithmic-sim.md");
    let text = document.split("```yaml\n").nth(1).unwrap().split("```").next().unwrap();
    let script = Script::parse(text, "docs").unwrap_or_else(|error| panic!("{error}"));
    let names: Vec<_> = text.split("do: ").skip(1).collect();
    assert_eq!((script.seed, script.faults.len(), names.len()), (7, 13, 13));
    assert_eq!(script.pause, Some(Pause { bar_seconds: 60, length: Duration::from_millis(50) }));
    assert_eq!((script.quirks.tick_replay_loss, script.quirks.history_rows), (0.02, 500));
    let ticker = Some(Plant::Ticker);
    let (when, action) = (When::Ticks(4000), Action::Mute(Duration::from_secs(12)));
    assert_eq!(script.faults[0], Fault { when, plant: ticker, action });
    let (plant, template, nth) = (Some(Plant::History), 10, 2);
    let when = When::Request { plant, template, nth, at: Moment::BeforeReply };
    let action = Action::Reject { code: "1".to_owned(), text: "try later".to_owned() };
    assert_eq!(script.faults[3], Fault { when, plant: None, action });
    assert_eq!(script.faults[7].action, Action::ClockStep(-5 * SECOND));
    // All there are.
    let kind = |fault: &Fault| std::mem::discriminant(&fault.action);
    let mut kinds: Vec<_> = script.faults.iter().map(kind).collect();
    kinds.dedup();
    assert_eq!(kinds.len(), 13);
}

#[test]
fn what_no_script_can_be_is_refused_where_it_stands() {
    let cases = [
        ("sed: 7", "1:1", "unknown key `sed`; the keys here are seed, market, quirks, faults"),
        ("", "1:1", "the file is empty"),
        ("quirks:\n  tick_replay_loss: 2", "2:21", "a share from 0 to 1 is expected"),
        ("quirks: { history_rows: 0 }", "1:25", "a whole number from 1 to 1000000000"),
        ("market: { pause_at_bar_seconds: 60, pause: 50 }", "1:44", "such as 250ms, 12s, 5m or 1h"),
        (
            "faults:\n  - { when: { after_ticks: 1 }, do: explode }",
            "2:37",
            "not one of drop, reset",
        ),
        (
            "faults:\n  - { when: { after_ticks: 1 }, do: mute }",
            "2:37",
            "`mute` needs the key `for`",
        ),
        (
            "faults:\n  - { when: { after_ticks: 1 }, do: drop, for: 1s }",
            "2:48",
            "`drop` has no `for`; its keys are when, do, plant",
        ),
        ("faults:\n  - { do: drop }", "2:7", "the key `when` is missing"),
        ("faults: [{ when: {}, do: drop }]", "1:18", "one of after_ticks, time and template"),
        (
            "faults: [{ when: { after_ticks: 5, nth: 2 }, do: drop }]",
            "1:18",
            "`plant`, `nth` and `at` belong to `template`",
        ),
        ("faults: [{ when: { after_ticks: 0 }, do: drop }]", "1:33", "whole number from 1"),
        ("faults: [{ when: { time: 14:31 }, do: drop }]", "1:26", "such as 2024-01-03T14:30:00Z"),
        (
            "faults: [{ when: { template: 10, at: later }, do: drop }]",
            "1:38",
            "before_request, before_reply, after_reply",
        ),
        (
            "faults: [{ when: { after_ticks: 1 }, do: reject, code: 1, text: no }]",
            "1:18",
            "`reject` answers a request",
        ),
        ("faults: [{ when: { after_ticks: 1 }, plant: p, do: drop }]", "1:45", "ticker, orders"),
    ];
    for (text, place, words) in cases {
        let error = Script::parse(text, "storm.yaml").unwrap_err().to_string();
        let first = error.lines().next().unwrap();
        assert!(first.starts_with(&format!("storm.yaml:{place}: ")), "{error}");
        assert!(first.contains(words), "{error}");
    }
}
