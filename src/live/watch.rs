//! The eye on a paper session: it is told what happens, and gives the status at any time.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use algospace_hft_rithmic::link::{Latch, Link, Plant, State};
use algospace_hft_rithmic::{Monotonic, edge};

use super::status::{AccountStatus, BarStatus, FeedStatus, LatencyStatus, LinkStatus, Status};
use crate::config::Config;
use crate::engine::{Action, Event, Output, Sink, WarmUpGauge};
use crate::execution::{Ledger, OrderId, OrderMessage, Refusal, Report, ReportKind};
use crate::latency::{Recorder, Span};
use crate::market::{
    Bar, BarFlags, Calendar, GapPhase, Instrument, Money, Session, Timeframe, Timestamp,
};
use crate::strategy::{Reason, StrategyKind};

/// The eye on a paper session. The threads of links and of results tell it; neither waits
/// for the other.
#[derive(Debug)]
pub struct Watch {
    seen: Mutex<Seen>,
    /// The time up to which the run is known to be flat, as nanoseconds; [`Timestamp::MIN`] if it
    /// is not. The thread of the links waits for nobody.
    flat_until: AtomicI64,
    gauge: WarmUpGauge,
    /// `true` if agents decide, who need every matrix whole.
    needs_matrices: bool,
}

#[derive(Debug)]
struct Seen {
    status: Status,
    calendar: Calendar,
    /// The session of the last bar.
    session: Session,
    ledger: Ledger,
    /// Equity at the start of that session.
    begun_with: Money,
    heard: Option<Monotonic>,
    /// Bars on which a rule decides, and the number that it has yet to see.
    decides_on: Option<Timeframe>,
    needs: u64,
    missing: u64,
    sessions: Sessions,
    exposure: Exposure,
}

/// The orders that may still open a position.
#[derive(Debug, Default)]
struct Exposure {
    /// Each with the contracts that have not filled.
    entries: Vec<(OrderId, u32)>,
    /// The time of the last entry of the account.
    until: Option<Timestamp>,
}

impl Exposure {
    fn on_action(&mut self, action: &Action) {
        match action {
            Action::Order { message: OrderMessage::Submit(order), .. } => {
                self.entries.push((order.id, order.quantity));
            }
            Action::Report(Report { kind: ReportKind::Filled(fill), .. }) => {
                for (id, open) in &mut self.entries {
                    *open -= if *id == fill.order { fill.quantity.min(*open) } else { 0 };
                }
                self.entries.retain(|(_, open)| *open > 0);
            }
            Action::Report(Report {
                kind: ReportKind::Cancelled(id) | ReportKind::Rejected(id, _),
                ..
            }) => self.entries.retain(|(entry, _)| entry != id),
            _ => {}
        }
    }

    /// Takes the time of an entry of the account. No order outlives its session.
    fn on_equity(&mut self, time: Timestamp, session: &Session) {
        self.until = Some(time);
        if time >= session.close {
            self.entries.clear();
        }
    }

    /// Returns the time up to which nothing is held.
    fn flat_until(&self, position: i64) -> Timestamp {
        let is_flat = position == 0 && self.entries.is_empty();
        self.until.filter(|_| is_flat).unwrap_or(Timestamp::MIN)
    }
}

/// The sessions that were traded.
#[derive(Debug, Default)]
struct Sessions {
    now: Option<Session>,
    /// Those that are over and were not taken.
    over: VecDeque<Session>,
    /// The close of the last that is over.
    last: Option<Timestamp>,
}

impl Sessions {
    /// Time after a session's end in which the last of it arrives.
    const GRACE: i64 = 30 * Timestamp::SECOND;

    /// Takes the time of an entry of the account: in a session, or at its end. A warm-up has no
    /// entries.
    fn on_equity(&mut self, time: Timestamp, calendar: Calendar) {
        let is_in = |session: &Session| time <= session.close;
        if self.now.as_ref().is_some_and(is_in) || self.last.is_some_and(|last| time <= last) {
            return;
        }
        self.end();
        self.now = Some(calendar.session_at_or_after(time.saturating_add(-1)));
    }

    fn end(&mut self) {
        if let Some(session) = self.now.take() {
            self.last = Some(session.close);
            self.over.push_back(session);
        }
    }

    /// Returns the next session that is over, by what came behind it or by the market's time.
    fn take_over(&mut self, time: Option<Timestamp>) -> Option<Session> {
        let end = self.now.as_ref().map(|now| now.close.saturating_add(Sessions::GRACE));
        if end.zip(time).is_some_and(|(end, time)| time >= end) {
            self.end();
        }
        self.over.pop_front()
    }
}

impl Watch {
    /// Creates one for a session that has not begun.
    pub fn new(config: &Config, instrument: &Instrument) -> Watch {
        let begun_with = config.account.initial_capital;
        let needs = match config.strategy.kind {
            StrategyKind::Baseline => config.strategy.baseline.slow_period.into(),
            StrategyKind::Marl | StrategyKind::RandomEntries => 0,
        };
        let seen = Seen {
            status: Status::default(),
            calendar: instrument.calendar,
            session: Session::NEVER,
            ledger: Ledger::new(begun_with, instrument.point_value),
            begun_with,
            heard: None,
            decides_on: config.strategy.timeframe(),
            needs,
            missing: needs,
            sessions: Sessions::default(),
            exposure: Exposure::default(),
        };
        let flat_until = AtomicI64::new(Timestamp::MIN.nanos());
        let needs_matrices = config.strategy.kind == StrategyKind::Marl;
        let gauge = WarmUpGauge::default();
        Watch { seen: Mutex::new(seen), flat_until, gauge, needs_matrices }
    }

    /// The rows and bars that the matrices lack.
    pub(super) fn gauge(&self) -> &WarmUpGauge {
        &self.gauge
    }

    /// Returns the market time up to which the run is known to have neither position nor order;
    /// [`Timestamp::MIN`] if it has one.
    pub(super) fn flat_until(&self) -> Timestamp {
        Timestamp::from_nanos(self.flat_until.load(Ordering::Relaxed))
    }

    /// Returns the status at this moment.
    pub fn status(&self) -> Status {
        self.status_at(edge::now())
    }

    /// Returns the next session that is over, once. Of a run that continues, these are the earlier
    /// ones as well.
    pub fn take_session(&self) -> Option<Session> {
        let mut seen = self.seen();
        let time = seen.status.time;
        seen.sessions.take_over(time)
    }

    fn status_at(&self, now: Monotonic) -> Status {
        let seen = self.seen();
        let mut status = seen.status.clone();
        status.feed.age = seen.heard.map(|heard| now.since(heard));
        status.account = seen.account();
        if seen.missing > 0 {
            let timeframe = seen.decides_on.map_or_else(String::new, |it| it.to_string());
            status.warm_up =
                Some(format!("the rule needs {} more bars of {timeframe}", seen.missing));
        }
        if self.needs_matrices
            && let Some(missing) = self.gauge.missing()
        {
            status.warm_up = Some(missing);
        }
        if status.feed.is_in_gap {
            status.stopped.push("a gap is open".to_owned());
        }
        if !status.is_open {
            status.stopped.push("the session is closed".to_owned());
        }
        status
    }

    /// Takes what the thread of the links has seen, unless another thread is looking: it waits for
    /// nobody.
    fn take(&self, sight: &Sight, contract: &str, time: Option<Timestamp>, links: [&Link; 2]) {
        let Ok(mut seen) = self.seen.try_lock() else { return };
        let calendar = seen.calendar;
        seen.heard = sight.heard;
        let status = &mut seen.status;
        status.stopped.clear();
        status.stopped.extend(sight.refused.map(|refusal| words(refusal).to_owned()));
        status.feed = sight.feed.clone();
        contract.clone_into(&mut status.contract);
        status.time = time;
        status.is_open = time.is_some_and(|time| calendar.session_at(time).is_some());
        status.links.clear();
        status.links.extend(links.map(link_status));
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The sight of the thread of the links. It is that thread's own, shown now and then.
#[derive(Debug, Default)]
pub(super) struct Sight {
    feed: FeedStatus,
    /// The last trade or quote.
    heard: Option<Monotonic>,
    /// The reason for which the stages were told to enter nothing.
    refused: Option<Refusal>,
    shown: Monotonic,
}

impl Sight {
    /// The time between two looks at it.
    const PACE: Duration = Duration::from_millis(200);

    /// Returns true if a trade or quote has come.
    pub(super) fn has_heard(&self) -> bool {
        self.heard.is_some()
    }

    /// Notes that a trade or quote came.
    pub(super) fn on_data(&mut self, now: Monotonic) {
        self.heard = Some(now);
    }

    /// Takes an event on its way to the stages.
    pub(super) fn on_event(&mut self, event: &Event) {
        let feed = &mut self.feed;
        match event {
            Event::Tick(tick) => {
                feed.trades += 1;
                feed.last = Some(tick.price);
            }
            // What was before the first trade is no gap of this feed.
            Event::Gap(_) if feed.trades == 0 => {}
            Event::Gap(gap) if gap.phase == GapPhase::Opened => {
                feed.is_in_gap = true;
                feed.gaps += 1;
            }
            Event::Gap(gap) => {
                feed.is_in_gap = false;
                match gap.missing {
                    Some(missing) => feed.missing += missing,
                    None => feed.unmeasured += 1,
                }
                feed.recovered += gap.recovered;
            }
            Event::Entries(entries) => self.refused = entries.refused,
            _ => {}
        }
    }

    /// Makes the next sight due, however soon it comes after the last.
    pub(super) fn show_at_once(&mut self) {
        self.shown = Monotonic::default();
    }

    /// Shows it, with the market's time and the links, if it is time.
    pub(super) fn show(
        &mut self,
        watch: &Watch,
        contract: &str,
        time: Option<Timestamp>,
        links: [&Link; 2],
        now: Monotonic,
    ) {
        if now.since(self.shown) >= Self::PACE {
            self.shown = now;
            watch.take(self, contract, time, links);
        }
    }
}

impl Sink for &Watch {
    fn output(&mut self, output: &Output<'_>) {
        let mut seen = self.seen();
        match output {
            Output::Bar(bar) => seen.on_bar(bar),
            Output::Restart => seen.missing = seen.needs,
            Output::Equity(point) => {
                let calendar = seen.calendar;
                seen.sessions.on_equity(point.time, calendar);
                let session = seen.session;
                seen.exposure.on_equity(point.time, &session);
            }
            Output::Action(action) => seen.on_action(action),
            _ => {}
        }
        let flat_until = seen.exposure.flat_until(seen.ledger.position());
        self.flat_until.store(flat_until.nanos(), Ordering::Relaxed);
    }

    fn times(&mut self, times: &Recorder) {
        let order = ("frame to order", Span::TickToOrder);
        let decision = ("bar to decision", Span::BarToDecision);
        let told = [order, decision].into_iter().find_map(|(name, span)| {
            let (p50, p99) = times.quantiles(span)?;
            Some(LatencyStatus { span: name, p50, p99 })
        });
        self.seen().status.latency = told;
    }
}

impl Seen {
    fn account(&self) -> AccountStatus {
        let ledger = &self.ledger;
        let (open, equity) = match self.status.feed.last {
            Some(mark) => (ledger.unrealised(mark), ledger.equity(mark)),
            None => (Money::ZERO, ledger.cash()),
        };
        let day = equity - self.begun_with;
        AccountStatus { position: ledger.position(), day, open, equity }
    }

    fn on_bar(&mut self, bar: &Bar) {
        if self.decides_on == Some(bar.timeframe) {
            self.missing = self.missing.saturating_sub(1);
        }
        if bar.start >= self.session.close || self.session == Session::NEVER {
            self.session = self.calendar.session_at_or_after(bar.start);
            self.begun_with = self.ledger.equity(bar.open);
            self.status.bars.clear();
        }
        let bars = &mut self.status.bars;
        let place = bars.iter().position(|it| it.timeframe == bar.timeframe);
        let place = place.unwrap_or_else(|| {
            bars.push(BarStatus { timeframe: bar.timeframe, closed: 0, incomplete: 0 });
            bars.sort_by_key(|it| it.timeframe);
            bars.iter().position(|it| it.timeframe == bar.timeframe).unwrap_or_default()
        });
        bars[place].closed += 1;
        bars[place].incomplete += u64::from(bar.flags.any(BarFlags::INCOMPLETE));
    }

    fn on_action(&mut self, action: &Action) {
        self.exposure.on_action(action);
        match action {
            Action::Order {
                message: OrderMessage::Submit(_) | OrderMessage::ClosePosition(_),
                ..
            } => {
                self.count("orders");
            }
            Action::Report(Report { kind: ReportKind::Filled(fill), .. }) => {
                self.ledger.on_fill(fill, fill.price);
                self.count("fills");
            }
            Action::Trade(_) => self.count("trades"),
            Action::Refused { refusal, .. } => {
                self.count(&format!("refused: {}", refusal.name()));
            }
            Action::Considered(record) => {
                let is_ready = !record.reasons.has(Reason::NotReady);
                let missing = || "the agents' matrices are not whole".to_owned();
                self.status.warm_up = (!is_ready).then(missing);
                self.count("questions to the agents");
            }
            _ => {}
        }
    }

    fn count(&mut self, name: &str) {
        let counters = &mut self.status.counters;
        match counters.iter_mut().find(|(other, _)| other == name) {
            Some((_, count)) => *count += 1,
            None => counters.push((name.to_owned(), 1)),
        }
    }
}

/// Returns the reason for which the feed allows no entry, in words.
fn words(refusal: Refusal) -> &'static str {
    match refusal {
        Refusal::ClockDoubt => "the clock is in doubt",
        Refusal::StaleData => "the data are stale",
        Refusal::NotSubscribed => "the gateway refused the subscription",
        Refusal::MarketHalted => "the market is halted",
        Refusal::RollDue => "the next contract is due, and a position is in its way",
        other => other.name(),
    }
}

fn link_status(link: &Link) -> LinkStatus {
    let plant = match link.plant() {
        Plant::Ticker => "ticker",
        Plant::Orders => "orders",
        Plant::History => "history",
        Plant::Pnl => "profit",
    };
    let (state, remedy) = match link.state() {
        State::Down { .. } => ("down", None),
        State::Connecting => ("connecting", None),
        State::LoggingIn => ("logging in", None),
        State::Restoring => ("subscribing", None),
        State::Live => ("live", None),
        State::Stale { .. } => ("silent", None),
        State::LoggedOut(Latch::Stopped) => ("stopped", None),
        State::LoggedOut(Latch::ForcedTwice) => {
            ("logged out", Some("somebody else uses this login: end that, and start again"))
        }
        State::LoggedOut(Latch::Refused(refusal)) => ("refused", Some(refusal.remedy())),
    };
    LinkStatus { plant, state, connections: link.generation(), remedy }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::Entries;
    use crate::execution::{
        Bracket, EquityPoint, ExitReason, Fill, FillId, Order, OrderId, OrderKind, Purpose,
    };
    use crate::latency::{Load, Sample};
    use crate::market::{Gap, Price, Side, Tick};

    fn watch() -> Watch {
        let text = "system: { mode: paper }
strategy: { kind: baseline, baseline: { fast_period: 2, slow_period: 3 } }";
        let config = Config::parse(text, "my.yaml", &Default::default()).unwrap();
        Watch::new(&config, &config.instrument().unwrap())
    }

    fn time(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn price(text: &str) -> Price {
        text.parse().unwrap()
    }

    fn bar(start: &str) -> Bar {
        let start = time(start);
        let (timeframe, end) =
            (Timeframe::MINUTES_5, start.saturating_add(300 * Timestamp::SECOND));
        let open = price("4500");
        Bar { timeframe, start, end, open, high: open, low: open, close: open, ..Bar::NONE }
    }

    fn filled(side: Side, at: &str, quantity: u32) -> Output<'static> {
        let (now, zero) = (time("2024-01-03T15:00:00Z"), Money::ZERO);
        let fill = Fill {
            id: FillId(1),
            order: OrderId(1),
            side,
            quantity,
            price: price(at),
            slippage: zero,
            commission: Money::from_dollars(2),
            time: now,
            purpose: Purpose::Exit(ExitReason::Signal),
            contract: 0,
        };
        let report = Report { arrives: now, kind: ReportKind::Filled(fill) };
        Output::Action(Action::Report(report))
    }

    #[test]
    fn each_session_is_over_once() {
        let (mut sessions, calendar) = (Sessions::default(), Calendar::CmeEquityIndex);
        let over = |sessions: &mut Sessions, at: &str| {
            let over = sessions.take_over(Some(time(at)));
            over.map(|session| session.trade_date.to_string())
        };
        // A session closes at 16:00 in Chicago, 22:00 UTC, and the next opens an hour later.
        assert_eq!(over(&mut sessions, "2024-01-03T22:10:00Z"), None);
        for at in ["2024-01-03T21:50:00Z", "2024-01-03T21:59:59Z"] {
            sessions.on_equity(time(at), calendar);
            assert_eq!(over(&mut sessions, at), None);
        }
        assert_eq!(over(&mut sessions, "2024-01-03T22:00:29Z"), None);
        assert_eq!(over(&mut sessions, "2024-01-03T22:00:30Z").as_deref(), Some("2024-01-03"));
        // The entry at its end came late.
        sessions.on_equity(time("2024-01-03T22:00:00Z"), calendar);
        assert_eq!(over(&mut sessions, "2024-01-03T22:30:00Z"), None);
        // Two at once: nobody looked while the market was fast.
        for at in ["2024-01-04T10:00:00Z", "2024-01-04T22:00:00Z", "2024-01-07T23:10:00Z"] {
            sessions.on_equity(time(at), calendar);
        }
        sessions.on_equity(time("2024-01-08T23:05:00Z"), calendar);
        assert_eq!(sessions.take_over(None).unwrap().trade_date.to_string(), "2024-01-04");
        assert_eq!(over(&mut sessions, "2024-01-08T23:05:00Z").as_deref(), Some("2024-01-08"));
        assert_eq!(over(&mut sessions, "2024-01-08T23:05:00Z"), None);
        assert_eq!(over(&mut sessions, "2024-01-09T22:01:00Z").as_deref(), Some("2024-01-09"));
    }

    #[test]
    fn money_is_that_of_the_fills_at_the_last_price() {
        let watch = watch();
        let mut sink = &watch;
        let mut sight = Sight::default();
        let link = |plant| Link::new(plant, Default::default(), 1);
        let links = [link(Plant::Ticker), link(Plant::History)];
        let now = time("2024-01-03T15:00:00Z");
        let show = |sight: &mut Sight, at: u64| {
            let links = [&links[0], &links[1]];
            sight.show(&watch, "ESH4", Some(now), links, Monotonic(at));
            watch.status_at(Monotonic(at))
        };
        sink.output(&filled(Side::Buy, "4500", 2));
        sight.on_data(Monotonic(1_000_000_000));
        sight.on_event(&Event::Tick(Tick::new(now, price("4501.5"), 3)));
        let status = show(&mut sight, 3_000_000_000);
        // Two contracts by a point and a half at $50, and $2 of costs.
        let money = |dollars| Money::from_dollars(dollars);
        let expected = AccountStatus {
            position: 2,
            day: money(148),
            open: money(150),
            equity: money(100_148),
        };
        assert_eq!(status.account, expected);
        assert_eq!(
            (status.contract.as_str(), status.is_open, status.feed.trades),
            ("ESH4", true, 1)
        );
        assert_eq!(status.feed.age, Some(Duration::from_secs(2)));
        assert_eq!((status.links[1].plant, status.links[1].state), ("history", "down"));
        sink.output(&filled(Side::Sell, "4502", 2));
        let status = watch.status_at(Monotonic(3_000_000_000));
        assert_eq!((status.account.position, status.account.equity), (0, money(100_196)));
        assert_eq!(status.counters, [("fills".to_owned(), 2)]);

        // What was seen is shown five times a second at most.
        let gap = |phase| {
            let (from, to) = (now, now);
            Event::Gap(Gap { contract: 0, from, to, missing: Some(7), recovered: 5, phase })
        };
        sight.on_event(&gap(GapPhase::Opened));
        assert!(!show(&mut sight, 3_100_000_000).feed.is_in_gap);
        assert_eq!(show(&mut sight, 3_200_000_000).stopped, ["a gap is open"]);
        sight.on_event(&gap(GapPhase::Closed));
        let feed = show(&mut sight, 3_400_000_000).feed;
        assert_eq!((feed.gaps, feed.missing, feed.recovered, feed.is_in_gap), (1, 7, 5, false));

        let entries = |refused| Event::Entries(Entries { time: now, refused });
        sight.on_event(&entries(Some(Refusal::StaleData)));
        assert_eq!(show(&mut sight, 3_600_000_000).stopped, ["the data are stale"]);
        sight.on_event(&entries(None));
        assert_eq!(show(&mut sight, 3_800_000_000).stopped, [""; 0]);
    }

    #[test]
    fn bars_are_counted_by_session_and_the_rule_says_what_it_needs() {
        let watch = watch();
        let mut sink = &watch;
        let needs = || watch.status_at(Monotonic(0)).warm_up;
        assert_eq!(needs().as_deref(), Some("the rule needs 3 more bars of 5m"));
        sink.output(&Output::Bar(bar("2024-01-03T21:50:00Z")));
        let cut = Bar { flags: BarFlags::INCOMPLETE, ..bar("2024-01-03T21:55:00Z") };
        sink.output(&Output::Bar(cut));
        let bars = watch.status_at(Monotonic(0)).bars;
        assert_eq!((bars[0].closed, bars[0].incomplete), (2, 1));
        sink.output(&Output::Bar(bar("2024-01-03T23:00:00Z")));
        let bars = watch.status_at(Monotonic(0)).bars;
        assert_eq!((bars.len(), bars[0].closed, bars[0].incomplete), (1, 1, 0));
        assert_eq!(needs(), None);
        sink.output(&Output::Restart);
        assert!(needs().is_some());
        let refusal = Refusal::IncompleteBar;
        let refused = Action::Refused { refusal, time: time("2024-01-03T23:05:00Z") };
        sink.output(&Output::Action(refused));
        let counters = watch.status_at(Monotonic(0)).counters;
        assert_eq!(counters, [(format!("refused: {}", refusal.name()), 1)]);
    }

    #[test]
    fn a_run_is_flat_without_position_and_order_up_to_the_last_entry_of_its_account() {
        let watch = watch();
        let mut sink = &watch;
        let now = time("2024-01-03T15:00:00Z");
        let mut told = |output: Output<'static>| {
            sink.output(&output);
            watch.flat_until()
        };
        let equity = |time| {
            let (cash, mark) = (Money::from_dollars(100_000), price("4500"));
            Output::Equity(EquityPoint { time, cash, position: 0, mark, equity: cash })
        };
        let submitted = |id| {
            let (side, quantity, kind) = (Side::Buy, 2, OrderKind::Market);
            let purpose = Purpose::Entry(Bracket::default());
            let order = Order { id: OrderId(id), contract: 0, side, quantity, kind, purpose };
            Output::Action(Action::Order { message: OrderMessage::Submit(order), time: now })
        };
        let cancelled = |id| {
            let kind = ReportKind::Cancelled(OrderId(id));
            Output::Action(Action::Report(Report { arrives: now, kind }))
        };
        assert_eq!(watch.flat_until(), Timestamp::MIN);
        assert_eq!(told(equity(now)), now);
        assert_eq!(told(submitted(7)), Timestamp::MIN);
        assert_eq!(told(cancelled(7)), now);
        assert_eq!(told(submitted(1)), Timestamp::MIN);
        assert_eq!(told(filled(Side::Buy, "4500", 2)), Timestamp::MIN);
        assert_eq!(told(filled(Side::Sell, "4501", 2)), now);
        // An order of the session that is over works no more.
        told(Output::Bar(bar("2024-01-03T15:00:00Z")));
        assert_eq!(told(submitted(9)), Timestamp::MIN);
        let close = time("2024-01-03T22:00:00Z");
        assert_eq!(told(equity(close)), close);
    }

    #[test]
    fn latency_is_that_of_orders_once_there_is_one() {
        let watch = watch();
        let mut sink = &watch;
        let mut recorder = Recorder::new(time("2024-01-03T15:00:00Z"), Load::OpenLoop);
        let mut told = |span: Option<(Span, u64)>| {
            if let Some((span, nanoseconds)) = span {
                recorder.record(Sample { span, nanoseconds });
            }
            recorder.end_interval(Duration::ZERO);
            sink.times(&recorder);
            watch.status_at(Monotonic(0)).latency
        };
        let latency = |span, nanos| {
            let at = Duration::from_nanos(nanos);
            Some(LatencyStatus { span, p50: at, p99: at })
        };
        assert_eq!(told(None), None);
        assert_eq!(told(Some((Span::BarToDecision, 900))), latency("bar to decision", 900));
        assert_eq!(told(Some((Span::TickToOrder, 1_500))), latency("frame to order", 1_500));
    }
}
