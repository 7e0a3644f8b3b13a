//! The pinned runner when something goes wrong or slow: full rings, failing threads, slow
//! decisions, a stop in the middle. Threads are held up by what the test sees happen, never by
//! time.
//!
//! The traps of the `disruptor` crate, and what is done about each:
//!
//! | trap | here |
//! |---|---|
//! | handlers get `&E` only | stages keep their state themselves; slots are read only |
//! | dropping the producer drains and joins managed threads only | ours read until `Shutdown` and are joined: `everything_published_is_drained` |
//! | a full ring refuses | counted and timed: `ring::tests::a_full_ring_is_counted_and_loses_nothing` |
//! | `publish` on a full ring spins blindly | only `try_batch_publish`, with our own waiting |
//! | `batch_publish` beyond the ring's size spins for ever | written in parts: `ring::tests::a_batch_longer_than_the_ring_is_written_in_parts` |
//! | a panicking handler dies silently | caught, told, its ring read on: `a_panicking_*` |
//! | panic inside the publish closure, one producer | the closure only copies; the feed is called outside of it: `a_panicking_feed_*` |
//! | the same with many producers hangs | there is one producer |
//! | a dropped poller still gates the ring | no thread loses its reader: `a_panicking_log_leaves_no_ring_unread`, `ring::tests::a_reader_that_is_gone_still_gates_the_ring` |
//! | a builder that is dropped leaks threads | no thread is the crate's |
//! | a batch is visible only when it is whole | batches of 64 at most, of 1 live: `live_every_event_is_acted_on_before_the_next_one_comes` |
//! | `pin_at_core` looks at the caller's mask | not used: `a_pinned_caller_changes_no_threads_place` |
//! | an unpinned thread inherits a one-core mask | it is given the shared cores: the same test |
//! | sequences are `i64` without a guard | 2^63 events take 29,000 years at 10 M a second |

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use algospace_hft::engine::pinned::{
    Feed, PinnedRun, PinnedSettings, Polled, ThreadFailure, ThreadLayout, Wiring, run,
};
use algospace_hft::engine::{
    Action, Break, DecisionTiming, Downstream, Entries, Entry, Event, FeatureStage, Output,
    Pipeline, Question, Quote, Sink, TradingStage, WarmUpGauge, warm,
};
use algospace_hft::execution::{
    Account, Bracket, Decision, Desk, ExitReason, Fill, FillId, Order, OrderKind, OrderMessage,
    OrderPort, Purpose, Refusal, Report, ReportKind, SimulatedExchange, Target, Venue,
};
use algospace_hft::journal::{End, Journal};
use algospace_hft::machine::{Machine, Role, Wait, pin_current_thread};
use algospace_hft::market::{
    Bar, Gap, GapPhase, Money, Price, Side, Tick, TickFlags, Timeframe, Timestamp,
};
use algospace_hft::random::Random;
use algospace_hft::strategy::Strategy;
use proptest::prelude::*;

use crate::assembly::random::{any_setup, any_step, market_of, restless};
use crate::assembly::threads::{begin_journal, settings};
use crate::assembly::{By, CAPITAL, POINT_VALUE, Setup, TICK_SIZE, at, market, price};

const LAYOUTS: [ThreadLayout; 3] =
    [ThreadLayout::Fused, ThreadLayout::DecisionApart, ThreadLayout::AllApart];

/// Outputs so far, visible to every thread during the run.
#[derive(Clone, Default)]
struct Told(Arc<(Mutex<Vec<Output<'static>>>, Condvar)>);

impl Told {
    fn add(&self, output: Output<'static>) {
        self.0.0.lock().unwrap().push(output);
        self.0.1.notify_all();
    }
    /// Holds the caller up until it has been told.
    fn wait_for(&self, is_it: impl Fn(&Output) -> bool) {
        let told = self.0.0.lock().unwrap();
        drop(self.0.1.wait_while(told, |told| !told.iter().any(&is_it)).unwrap());
    }
    fn has(&self, is_it: impl Fn(&Output) -> bool) -> bool {
        self.0.0.lock().unwrap().iter().any(is_it)
    }
    fn all(&self) -> Vec<Output<'static>> {
        self.0.0.lock().unwrap().clone()
    }
    fn bars(&self) -> usize {
        self.all().iter().filter(|output| matches!(output, Output::Bar(_))).count()
    }
}

impl Sink for Told {
    fn output(&mut self, output: &Output<'_>) {
        if let Some(output) = output.kept() {
            self.add(output);
        }
    }
}

fn is_trade(reason: ExitReason) -> impl Fn(&Output) -> bool {
    move |output| matches!(output, Output::Action(Action::Trade(t)) if t.exit_reason == reason)
}

/// A feed from a closure.
struct Fed<F>(F);

impl<F: FnMut() -> Polled + Send> Feed for Fed<F> {
    fn poll(&mut self) -> Polled {
        (self.0)()
    }
}

/// All of `events`.
fn recorded(events: Vec<Event>) -> Fed<impl FnMut() -> Polled + Send> {
    let mut events = events.into_iter();
    Fed(move || events.next().map_or(Polled::Ended, Polled::Event))
}

/// A trade at the start of each minute, and one half a minute later; the n-th minute's first, n
/// from 1 on, is event `2 n`, closes bar `n` and asks question `n`.
fn minutes(count: i64) -> Vec<Tick> {
    let start = at("2024-01-04T15:00:00Z");
    let tick =
        |half| Tick::new(start + half * (Timestamp::MINUTE / 2), price(19_000 + half % 3), 1);
    (0..2 * count).map(tick).collect()
}

fn events(ticks: &[Tick]) -> Vec<Event> {
    ticks.iter().copied().map(Event::Tick).collect()
}

/// A journal's events and actions.
type Kept = (Vec<Event>, Vec<(u64, Action)>);

/// The results of a run.
struct Left<S, V> {
    run: Result<PinnedRun<S, V>, ThreadFailure>,
    events: Vec<Event>,
    actions: Vec<(u64, Action)>,
}

fn run_with<S: Strategy + Send, V: Venue + Send, F: Feed, K: Sink + Send>(
    pipeline: Pipeline<S, V>,
    feed: F,
    settings: &PinnedSettings,
    results: &mut K,
    on_features: &mut (impl FnMut(&FeatureStage) + Send),
    stop: &AtomicBool,
) -> Left<S, V> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run.journal");
    let journal = Some(begin_journal(&path, settings.layout));
    let wiring = Wiring { feed, results, on_features, journal, log: &|_| {} };
    let run = run(pipeline, wiring, settings, stop, &mut |_| {});
    let journal = Journal::open(&path).unwrap();
    let mut records = journal.records();
    let (mut events, mut actions) = (Vec::new(), Vec::new());
    while let Some(record) = records.read().unwrap() {
        match Entry::of(&record).unwrap() {
            Entry::Event(number, event) => {
                assert_eq!(number, events.len() as u64);
                events.push(event);
            }
            Entry::Action(event, action) => actions.push((event, action)),
        }
    }
    let end = records.end().unwrap();
    assert!(matches!(end, Some(End::Finished { .. })), "{end:?}");
    Left { run, events, actions }
}

fn small(layout: ThreadLayout) -> PinnedSettings {
    settings(layout, 4, 2, Wait::Yield)
}

/// Long at the first question, and nothing more.
fn buys_once() -> impl Strategy {
    let mut is_first = true;
    By(Timeframe::MINUTE_1, move |_: &Bar, _| {
        std::mem::take(&mut is_first).then(|| market(Target::Long, 1))
    })
}

/// Stands behind the bars when the answers are among the events.
struct Nobody;

impl Downstream for Nobody {
    fn on_trade(&mut self, _: &Tick) {}
    fn on_bar(&mut self, _: &Bar, _: &mut impl Sink) {}
    fn on_question(&mut self, _: &Bar, _: &Question, _: &Account) {}
    fn on_contract_change(&mut self, _: Price, _: Price) {}
    fn on_restart(&mut self, _: Break) {}
}

/// Returns what the stages make of a journal's events; the answers are among them.
fn replayed(setup: &Setup, events: &[Event]) -> (Vec<Output<'static>>, Vec<(u64, Action)>) {
    let desk = Desk::new(CAPITAL, TICK_SIZE, POINT_VALUE, setup.rules);
    let exchange = SimulatedExchange::new(setup.exchange, TICK_SIZE, POINT_VALUE);
    let mut trading = TradingStage::new(setup.stages.clone(), Timeframe::MINUTE_1, desk, exchange);
    let (mut told, mut actions) = (Told::default(), Vec::new());
    let mut seen = 0;
    for (number, event) in events.iter().enumerate() {
        trading.on_event(event, &mut Nobody, &mut told);
        let outputs = told.all();
        actions.extend(outputs[seen..].iter().filter_map(|output| match output {
            Output::Action(action) => Some((number as u64, *action)),
            _ => None,
        }));
        seen = outputs.len();
    }
    (told.all(), actions)
}

/// A failed run's journal: the first events of the feed, the end, and nothing missing in between.
fn assert_is_whole_prefix(left: &[Event], ticks: &[Tick], at_least: usize) {
    assert_eq!(left.last(), Some(&Event::End(ExitReason::Shutdown)));
    let is_tick = |event: &&Event| matches!(event, Event::Tick(_));
    let kept: Vec<Event> = left.iter().filter(is_tick).copied().collect();
    assert!(kept.len() >= at_least, "{} ticks, not {at_least}", kept.len());
    assert_eq!(kept, events(&ticks[..kept.len()]));
}

fn failure<S>(run: Result<PinnedRun<S>, ThreadFailure>) -> ThreadFailure {
    match run {
        Ok(_) => panic!("it did not fail"),
        Err(failure) => failure,
    }
}

#[test]
fn a_panicking_strategy_is_told_with_its_thread_and_event() {
    let ticks = minutes(200);
    for layout in LAYOUTS {
        let mut questions = 0;
        let strategy = By(Timeframe::MINUTE_1, move |_: &Bar, _| {
            questions += 1;
            assert!(questions < 5, "no idea");
            Some(market(if questions % 2 == 0 { Target::Long } else { Target::Short }, 1))
        });
        let mut told = Told::default();
        let left = run_with(
            Setup::free().pipeline(strategy),
            recorded(events(&ticks)),
            &small(layout),
            &mut told,
            &mut |_| {},
            &AtomicBool::new(false),
        );
        let (thread, event) = match layout {
            ThreadLayout::Fused => (Role::Stages, Some(10)),
            ThreadLayout::DecisionApart | ThreadLayout::AllApart => (Role::Decision, None),
        };
        let reason = "no idea".to_owned();
        assert_eq!(failure(left.run), ThreadFailure { thread, event, reason });
        assert_is_whole_prefix(&left.events, &ticks, 11);
        // The bar of the fatal question, and every trade of the decisions before it.
        assert!(told.bars() >= 5);
        assert!(told.has(is_trade(ExitReason::Signal)));
        let outputs = told.all();
        let told = outputs.iter().filter_map(|output| match output {
            Output::Action(action) => Some(*action),
            _ => None,
        });
        let kept: Vec<Action> = left.actions.iter().map(|&(_, action)| action).collect();
        assert_eq!(told.collect::<Vec<_>>(), kept, "{layout:?}");
    }
}

#[test]
fn a_panicking_feature_reader_is_told() {
    let ticks = minutes(200);
    for layout in LAYOUTS {
        let mut rows = 0;
        let mut told = Told::default();
        let left = run_with(
            Setup::free().pipeline(buys_once()),
            recorded(events(&ticks)),
            &small(layout),
            &mut told,
            &mut |_| {
                rows += 1;
                assert!(rows < 5, "{} rows", rows);
            },
            &AtomicBool::new(false),
        );
        let (thread, event) = match layout {
            ThreadLayout::Fused => (Role::Stages, Some(10)),
            // Four answers are events too.
            ThreadLayout::DecisionApart => (Role::Stages, Some(14)),
            ThreadLayout::AllApart => (Role::Features, None),
        };
        // The reason is made at run time: a text that is not static.
        let reason = "5 rows".to_owned();
        assert_eq!(failure(left.run), ThreadFailure { thread, event, reason });
        assert_is_whole_prefix(&left.events, &ticks, 11);
        assert!(told.bars() >= 5);
    }
}

/// Fails at the fifth bar.
struct Failing(usize);

impl Sink for Failing {
    fn output(&mut self, output: &Output<'_>) {
        if let Output::Bar(_) = output {
            self.0 += 1;
            assert!(self.0 != 5, "disk full");
        }
    }
}

#[test]
fn a_panicking_results_sink_is_told() {
    let ticks = minutes(200);
    for layout in LAYOUTS {
        let mut sink = Failing(0);
        let left = run_with(
            Setup::free().pipeline(buys_once()),
            recorded(events(&ticks)),
            &small(layout),
            &mut sink,
            &mut |_| {},
            &AtomicBool::new(false),
        );
        let reason = "disk full".to_owned();
        assert_eq!(failure(left.run), ThreadFailure { thread: Role::Metrics, event: None, reason });
        assert_is_whole_prefix(&left.events, &ticks, 11);
        assert_eq!(sink.0, 5, "it was called after it had failed");
    }
}

#[test]
fn a_panicking_feed_loses_nothing_that_it_gave_before() {
    let ticks = minutes(20);
    for layout in LAYOUTS {
        let mut given = ticks.iter().take(30);
        let feed = Fed(move || Polled::Event(Event::Tick(*given.next().expect("cable cut"))));
        let mut told = Told::default();
        let left = run_with(
            Setup::free().pipeline(buys_once()),
            feed,
            &small(layout),
            &mut told,
            &mut |_| {},
            &AtomicBool::new(false),
        );
        let failure = failure(left.run);
        assert_eq!((failure.thread, failure.reason.as_str()), (Role::Sequencer, "cable cut"));
        // It stands where the end was put instead.
        assert_eq!(failure.event, Some(left.events.len() as u64 - 1));
        assert_is_whole_prefix(&left.events, &ticks[..30], 30);
        assert!(told.has(is_trade(ExitReason::Shutdown)), "the position was left open");
    }
}

#[test]
fn a_panicking_log_leaves_no_ring_unread() {
    let cores: Vec<_> = Machine::read().cores().collect();
    for layout in LAYOUTS {
        let mut settings = small(layout);
        settings.shared = cores.clone();
        let (mut told, stop) = (Told::default(), AtomicBool::new(false));
        let wiring = Wiring {
            feed: recorded(events(&minutes(200))),
            results: &mut told,
            on_features: &mut |_: &FeatureStage| {},
            journal: None,
            log: &|_| panic!("no terminal"),
        };
        settings.threads.retain(|placed| placed.role != Role::Journal);
        let pipeline = Setup::free().pipeline(buys_once());
        let run = run(pipeline, wiring, &settings, &stop, &mut |_| {});
        assert_eq!(failure(run).reason, "no terminal");
    }
}

/// Returns the cores on which the calling thread may run.
fn mask() -> String {
    let status = std::fs::read_to_string("/proc/thread-self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("Cpus_allowed_list")).unwrap();
    line.split_whitespace().nth(1).unwrap().to_owned()
}

#[test]
fn a_pinned_caller_changes_no_threads_place() {
    let cores: Vec<_> = Machine::read().cores().collect();
    let (first, last) = (cores[0], *cores.last().unwrap());
    let everywhere = mask();
    let caller = move || {
        assert!(pin_current_thread(first).is_done());
        let before = mask();
        let mut settings = small(ThreadLayout::AllApart);
        settings.shared = cores;
        let stages = settings.threads.iter_mut().find(|placed| placed.role == Role::Stages);
        stages.unwrap().core = Some(last);
        let masks = Arc::new(Mutex::new(Vec::new()));
        let (in_feed, in_seat, in_features) = (masks.clone(), masks.clone(), masks.clone());
        let mut events = events(&minutes(20)).into_iter();
        let feed = Fed(move || {
            in_feed.lock().unwrap().push((Role::Sequencer, mask()));
            events.next().map_or(Polled::Ended, Polled::Event)
        });
        let strategy = By(Timeframe::MINUTE_1, move |_: &Bar, _| {
            in_seat.lock().unwrap().push((Role::Decision, mask()));
            None
        });
        let mut on_features =
            |_: &FeatureStage| in_features.lock().unwrap().push((Role::Features, mask()));
        let log = Mutex::new(Vec::new());
        let wiring = Wiring {
            feed,
            results: &mut Told::default(),
            on_features: &mut on_features,
            journal: None,
            log: &|line: &str| log.lock().unwrap().push((line.to_owned(), mask())),
        };
        let pipeline = Setup::free().pipeline(strategy);
        run(pipeline, wiring, &settings, &AtomicBool::new(false), &mut |_| {}).unwrap();
        assert_eq!(mask(), before, "the caller was moved");
        for role in [Role::Sequencer, Role::Features, Role::Decision] {
            let masks = masks.lock().unwrap();
            let mut seen = masks.iter().filter(|seen| seen.0 == role).peekable();
            assert!(seen.peek().is_some());
            assert!(seen.all(|(_, mask)| *mask == everywhere), "{role} is on one core");
        }
        let log = log.into_inner().unwrap();
        let stages = log.iter().find(|(line, _)| line.starts_with("stages")).unwrap();
        assert_eq!(stages.1, last.cpu.to_string());
    };
    std::thread::spawn(caller).join().unwrap();
}

#[test]
fn everything_published_is_drained() {
    let ticks = minutes(300);
    for layout in LAYOUTS {
        let mut told = Told::default();
        let left = run_with(
            Setup::free().pipeline(buys_once()),
            recorded(events(&ticks)),
            &settings(layout, 2, 1, Wait::Yield),
            &mut told,
            &mut |_| {},
            &AtomicBool::new(false),
        );
        assert_eq!(left.run.unwrap().ticks, 600);
        assert_eq!(told.bars(), 300);
        let kept = left.events.iter().filter(|event| matches!(event, Event::Tick(_)));
        assert_eq!(kept.count(), 600);
        assert_eq!(left.events.last(), Some(&Event::End(ExitReason::EndOfData)));
    }
}

fn quote(number: i64) -> Event {
    let time = at("2024-01-04T15:01:00Z") + number;
    Event::Quote(Quote { time, bid: price(number), ask: price(number + 1), contract: 0 })
}

/// Ten quotes while the stages are held up at the first bar's close, then what `after` says.
fn run_quotes(
    layout: ThreadLayout,
    timing: DecisionTiming,
    after: Option<Event>,
) -> (Vec<Event>, u64) {
    let ticks = minutes(2);
    let (held, is_held) = std::sync::mpsc::channel();
    let (release, is_released) = std::sync::mpsc::channel();
    let mut script = events(&ticks[..3]);
    script.extend((0..10).map(quote));
    let (mut script, mut given, mut after) = (script.into_iter(), 0, after);
    let feed = Fed(move || {
        given += 1;
        if given == 4 && timing == DecisionTiming::OnArrival {
            is_held.recv().unwrap();
        }
        if let Some(event) = script.next() {
            return Polled::Event(event);
        }
        let _ = release.send(());
        after.take().map_or(Polled::Ended, Polled::Event)
    });
    let mut setup = Setup::free();
    setup.stages.decisions = timing;
    let mut on_features = move |_: &FeatureStage| {
        let _ = held.send(());
        let _ = is_released.recv();
    };
    let left = run_with(
        setup.pipeline(buys_once()),
        feed,
        &settings(layout, 4, 8, Wait::Yield),
        &mut Told::default(),
        &mut on_features,
        &AtomicBool::new(false),
    );
    (left.events, left.run.unwrap().waits.replaced_quotes)
}

#[test]
fn live_quotes_give_way_to_newer_ones_and_stay_in_their_place() {
    for layout in [ThreadLayout::Fused, ThreadLayout::DecisionApart] {
        for after in [None, Some(Event::Tick(minutes(3)[5])), Some(Event::Timer(Timestamp::MIN))] {
            let (events, replaced) = run_quotes(layout, DecisionTiming::OnArrival, after);
            let is_quote = |event: &Event| matches!(event, Event::Quote(_));
            let kept: Vec<Event> = events.iter().filter(|e| is_quote(e)).copied().collect();
            assert_eq!(kept.len() as u64 + replaced, 10);
            assert!(replaced >= 6, "a ring of 4 took {} quotes", kept.len());
            assert_eq!(kept.last(), Some(&quote(9)), "the newest is lost");
            let all: Vec<Event> = (0..10).map(quote).collect();
            let place = |kept: &Event| all.iter().position(|quote| quote == kept).unwrap();
            assert!(kept.is_sorted_by_key(place), "reordered");
            let newest = events.iter().position(|event| *event == quote(9)).unwrap();
            if let Some(after) = after {
                assert!(newest < events.iter().position(|event| *event == after).unwrap());
            }
        }
    }
}

#[test]
fn in_a_simulation_quotes_wait() {
    for layout in [ThreadLayout::Fused, ThreadLayout::DecisionApart] {
        let (events, replaced) = run_quotes(layout, DecisionTiming::After(Timestamp::HOUR), None);
        let quotes = events.iter().filter(|event| matches!(event, Event::Quote(_)));
        assert_eq!(quotes.copied().collect::<Vec<_>>(), (0..10).map(quote).collect::<Vec<_>>());
        assert_eq!(replaced, 0);
    }
}

/// A live run whose decision seat is stuck with its second question until the series has gone on in
/// another contract. Gives what was told, the journal, and the unasked questions.
fn run_with_a_stuck_seat(
    queue_slots: usize,
    bars: i64,
) -> (Setup, Vec<Output<'static>>, Kept, u64) {
    let told = Told::default();
    let (held, is_held) = std::sync::mpsc::channel();
    let mut question = 0;
    let seat = told.clone();
    let strategy = By(Timeframe::MINUTE_1, move |_: &Bar, _| {
        question += 1;
        let bracket = Bracket { stop_loss_ticks: 40, profit_target_ticks: 0 };
        match question {
            1 => Some(Decision { bracket, ..market(Target::Long, 1) }),
            2 => {
                held.send(()).unwrap();
                seat.wait_for(is_trade(ExitReason::StopLoss));
                seat.wait_for(|output| matches!(output, Output::Bar(bar) if bar.contract == 1));
                Some(market(Target::Short, 2))
            }
            _ => None,
        }
    });
    let mut script = minutes(bars + 3);
    // The stop's minute, and then the next contract's.
    let count = script.len();
    script[count - 5].price = price(18_900);
    for tick in &mut script[count - 4..] {
        *tick = tick.with_contract(1);
    }
    let (mut given, seen) = (0, told.clone());
    let feed = Fed(move || {
        let has_entered = || seen.has(|o| matches!(o, Output::Action(Action::Order { .. })));
        if given == 3 && !has_entered() {
            return Polled::Idle;
        }
        if given == 5 {
            is_held.recv().unwrap();
        }
        // The last answer's effect is awaited before the run ends.
        let is_second = |o: &Output| matches!(o, Output::Action(Action::Decision { answer, .. }) if answer.question.number == 2);
        if given == script.len() && !seen.has(is_second) {
            return Polled::Idle;
        }
        given += 1;
        script.get(given - 1).map_or(Polled::Ended, |tick| Polled::Event(Event::Tick(*tick)))
    });
    let mut setup = Setup::free();
    setup.stages.decisions = DecisionTiming::OnArrival;
    let mut sink = told.clone();
    let left = run_with(
        setup.pipeline(strategy),
        feed,
        &settings(ThreadLayout::DecisionApart, 4, queue_slots, Wait::Yield),
        &mut sink,
        &mut |_| {},
        &AtomicBool::new(false),
    );
    let unasked = left.run.unwrap().waits.unasked;
    (setup, told.all(), (left.events, left.actions), unasked)
}

#[test]
fn a_stuck_decision_delays_no_stop_and_a_full_queue_is_counted() {
    // Of 23 questions one is answered, one is stuck and one waits; the seat is free again at the
    // last two.
    for (queue_slots, bars, unasked) in [(64, 20, 0..=0), (1, 20, 18..=20)] {
        let (setup, told, (kept, actions), counted) = run_with_a_stuck_seat(queue_slots, bars);
        assert!(unasked.contains(&counted), "{counted} questions were not asked");
        // All that the feed gave came through, and the answer stands where it arrived: after the
        // last tick.
        let ticks = kept.iter().filter(|event| matches!(event, Event::Tick(_))).count();
        assert_eq!(ticks as i64, 2 * (bars + 3));
        let second = kept.iter().position(
            |event| matches!(event, Event::Answer(answer) if answer.question.number == 2),
        );
        let is_new = |event: &Event| matches!(event, Event::Tick(tick) if tick.contract == 1);
        assert!(second > kept.iter().position(is_new));
        let again = replayed(&setup, &kept);
        assert_eq!(again.0, told);
        assert_eq!(again.1, actions);
    }
}

#[test]
fn a_late_answer_takes_effect_at_the_time_at_which_it_arrives() {
    let told = Told::default();
    let seat = told.clone();
    let (held, is_held) = std::sync::mpsc::channel();
    let mut question = 0;
    let strategy = By(Timeframe::MINUTE_1, move |_: &Bar, _| {
        question += 1;
        (question == 1).then(|| {
            held.send(()).unwrap();
            let fifth =
                |o: &Output| matches!(o, Output::Bar(bar) if bar.end >= at("2024-01-04T15:05:00Z"));
            seat.wait_for(fifth);
            market(Target::Long, 1)
        })
    });
    let ticks = minutes(6);
    let (mut given, seen, script) = (0, told.clone(), ticks.clone());
    let feed = Fed(move || {
        if given == 3 {
            is_held.recv().unwrap();
        }
        let is_order = |o: &Output| matches!(o, Output::Action(Action::Order { .. }));
        if given == 11 && !seen.has(is_order) {
            return Polled::Idle;
        }
        given += 1;
        script.get(given - 1).map_or(Polled::Ended, |tick| Polled::Event(Event::Tick(*tick)))
    });
    let mut setup = Setup::free();
    setup.stages.decisions = DecisionTiming::OnArrival;
    let mut sink = told.clone();
    let left = run_with(
        setup.pipeline(strategy),
        feed,
        &small(ThreadLayout::DecisionApart),
        &mut sink,
        &mut |_| {},
        &AtomicBool::new(false),
    );
    left.run.unwrap();
    let sent = told.all().into_iter().find_map(|output| match output {
        Output::Action(Action::Order { time, .. }) => Some(time),
        _ => None,
    });
    // The eleventh tick closed the fifth bar; the question was asked four minutes before.
    assert_eq!(sent, Some(ticks[10].time));
}

/// Yields at random, so that answers arrive anywhere.
fn stalling(seed: u64) -> impl Strategy {
    struct Stalling<S>(S, Random);
    impl<S: Strategy + Send> Strategy for Stalling<S> {
        fn timeframe(&self) -> Timeframe {
            self.0.timeframe()
        }
        fn on_bar(&mut self, bar: &Bar, question: u64, account: &Account) -> Option<Decision> {
            for _ in 0..self.1.below(60) {
                std::thread::yield_now();
            }
            self.0.on_bar(bar, question, account)
        }
        fn restart(&mut self) {
            self.0.restart();
        }
    }
    Stalling(restless(Timeframe::MINUTE_1, |_| {}), Random::new(seed, 1))
}

fn any_layout() -> impl proptest::strategy::Strategy<Value = ThreadLayout> {
    prop::sample::select(LAYOUTS.to_vec())
}

fn any_latency() -> impl proptest::strategy::Strategy<Value = i64> {
    prop::sample::select(vec![0, 2_000_000, 5 * Timestamp::MINUTE])
}

/// Returns the outputs of the inline runner.
fn inline(setup: &Setup, events: &[Event]) -> Vec<Output<'static>> {
    inline_of(setup, restless(Timeframe::MINUTE_1, |_| {}), events)
}

fn inline_of(
    setup: &Setup,
    strategy: impl Strategy + Send,
    events: &[Event],
) -> Vec<Output<'static>> {
    let mut pipeline = setup.pipeline(strategy);
    let mut told = Told::default();
    events.iter().for_each(|event| pipeline.on_event(event, &mut told));
    told.all()
}

/// A gap up to `to`: open, recovered or lost, as `kind` has it.
fn gap(to: Timestamp, kind: u64) -> Gap {
    let phase = if kind.is_multiple_of(3) { GapPhase::Opened } else { GapPhase::Closed };
    let recovered = if kind % 3 == 2 { kind } else { 0 };
    Gap { contract: 0, from: to, to, missing: (kind != 7).then_some(kind), recovered, phase }
}

fn entries(time: Timestamp, are_refused: bool) -> Event {
    let refused = are_refused.then_some(Refusal::StaleData);
    Event::Entries(Entries { time, refused })
}

/// A limit order rests below the market, which comes there once entries are off.
#[test]
fn an_entry_that_rests_is_taken_back_by_every_runner_alike() {
    let buys_below = || {
        By(Timeframe::MINUTE_1, |bar: &Bar, _| {
            let entry = OrderKind::Limit { price: bar.close.offset_ticks(-10, TICK_SIZE) };
            Some(Decision { entry, ..market(Target::Long, 1) })
        })
    };
    let ticks = minutes(5);
    let mut all = events(&ticks);
    for (at, price) in [(4, -1), (6, -20), (7, -20)] {
        let Event::Tick(tick) = &mut all[at] else { unreachable!("they are ticks") };
        tick.price = tick.price.offset_ticks(price, TICK_SIZE);
    }
    let mut with_word = all.clone();
    with_word.insert(5, entries(ticks[4].time, true));
    all.push(Event::End(ExitReason::EndOfData));
    let has = |actions: &[Action], is_it: fn(&Action) -> bool| actions.iter().any(is_it);
    let is_fill = |action: &Action| {
        matches!(action, Action::Report(Report { kind: ReportKind::Filled(_), .. }))
    };
    let is_cancel =
        |action: &Action| matches!(action, Action::Order { message: OrderMessage::Cancel(_), .. });
    let setup = Setup::free();
    let actions = |outputs: Vec<Output<'static>>| -> Vec<Action> {
        let actions = outputs.into_iter().filter_map(|output| match output {
            Output::Action(action) => Some(action),
            _ => None,
        });
        actions.collect()
    };
    let without = actions(inline_of(&setup, buys_below(), &all));
    assert!(has(&without, is_fill) && !has(&without, is_cancel), "the market comes there");
    for layout in LAYOUTS {
        let given = recorded(with_word.clone());
        let (pipeline, mut told) = (setup.pipeline(buys_below()), Told::default());
        let on_features = &mut |_: &FeatureStage| {};
        let stop = AtomicBool::new(false);
        let left = run_with(pipeline, given, &small(layout), &mut told, on_features, &stop);
        left.run.unwrap();
        let made: Vec<Action> = left.actions.iter().map(|&(_, action)| action).collect();
        assert!(has(&made, is_cancel) && !has(&made, is_fill), "{layout:?}: {made:?}");
        let mut inline_events = with_word.clone();
        inline_events.push(Event::End(ExitReason::EndOfData));
        assert_eq!(actions(inline_of(&setup, buys_below(), &inline_events)), made, "{layout:?}");
    }
}

#[test]
fn a_timer_ahead_of_a_tick_loses_no_bar() {
    let tick = |time, size| Event::Tick(Tick::new(at(time), price(19_000), size));
    let given = [
        tick("2024-01-04T15:00:30Z", 1),
        Event::Timer(at("2024-01-04T15:01:30Z")),
        tick("2024-01-04T15:01:10Z", 2),
        Event::Timer(at("2024-01-04T15:04:00Z")),
        tick("2024-01-04T15:01:40Z", 4),
        tick("2024-01-04T15:03:59Z", 8),
        // Older than the last tick, and of its bar; of a bar that has closed.
        tick("2024-01-04T15:03:30Z", 16),
        tick("2024-01-04T15:01:50Z", 32),
        tick("2024-01-04T15:04:10Z", 64),
    ];
    let made = inline(&Setup::free(), &given);
    let volumes = made.iter().filter_map(|output| match output {
        Output::Bar(bar) if bar.ticks > 0 => Some(bar.volume),
        _ => None,
    });
    assert_eq!(volumes.collect::<Vec<_>>(), [1, 2 + 4, 8 + 16]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(crate::sampling::runs(20, 60)))]

    #[test]
    fn a_live_journal_replays_to_the_same(
        steps in prop::collection::vec(any_step(), 1..300),
        rolls in any::<bool>(),
        mut setup in any_setup(),
        layout in prop::sample::select(vec![ThreadLayout::DecisionApart, ThreadLayout::AllApart]),
        queue in prop_oneof![1_usize..4, Just(256)],
        seed in any::<u64>(),
    ) {
        let ticks = market_of(&steps, rolls, false);
        setup.stages.decisions = DecisionTiming::OnArrival;
        let mut told = Told::default();
        let mut random = Random::new(seed, 2);
        let gaps = ticks.iter().enumerate().filter(|(index, _)| index % 9 == 8);
        let mut given = events(&ticks);
        given.extend(gaps.map(|(index, tick)| Event::Gap(gap(tick.time, index as u64))));
        let changes = ticks.iter().enumerate().filter(|(index, _)| index % 20 == 5);
        given.extend(changes.map(|(index, tick)| entries(tick.time, index % 40 == 5)));
        given.sort_by_key(Event::time);
        let mut given = given.into_iter();
        let feed = Fed(move || match random.below(3) {
            0 => Polled::Idle,
            _ => given.next().map_or(Polled::Ended, Polled::Event),
        });
        let left = run_with(
            setup.pipeline(stalling(seed)), feed, &settings(layout, 8, queue, Wait::Yield),
            &mut told, &mut |_| {}, &AtomicBool::new(false),
        );
        left.run.unwrap();
        let (outputs, actions) = replayed(&setup, &left.events);
        prop_assert_eq!(outputs, told.all());
        prop_assert_eq!(actions, left.actions);
    }

    #[test]
    fn a_simulations_journal_replays_to_what_the_inline_runner_gives(
        steps in prop::collection::vec(any_step(), 1..300),
        rolls in any::<bool>(),
        mut setup in any_setup(),
        layout in any_layout(),
        latency in any_latency(),
        seed in any::<u64>(),
    ) {
        let mut all = events(&market_of(&steps, rolls, false));
        setup.stages.decisions = DecisionTiming::After(latency);
        let mut told = Told::default();
        let left = run_with(
            setup.pipeline(stalling(seed)), recorded(all.clone()), &small(layout),
            &mut told, &mut |_| {}, &AtomicBool::new(false),
        );
        left.run.unwrap();
        all.push(Event::End(ExitReason::EndOfData));
        let expected = inline(&setup, &all);
        prop_assert_eq!(&told.all(), &expected);
        if layout == ThreadLayout::Fused {
            prop_assert_eq!(&left.events, &all);
        } else {
            let (outputs, actions) = replayed(&setup, &left.events);
            prop_assert_eq!(outputs, expected);
            prop_assert_eq!(actions, left.actions);
        }
    }

    #[test]
    fn a_warmed_pipeline_goes_on_as_one_that_saw_everything(
        steps in prop::collection::vec(any_step(), 2..300),
        (rolls, has_bars) in any::<(bool, bool)>(),
        mut setup in any_setup(),
        layout in any_layout(),
        latency in any_latency(),
        parts in any::<[prop::sample::Index; 2]>(),
    ) {
        let all = events(&market_of(&steps, rolls, has_bars));
        setup.stages.decisions = DecisionTiming::After(latency);
        let [first, second] = parts.map(|part| part.index(all.len()));
        let (from, until) = (first.min(second), first.max(second));
        let begun = || {
            let mut told = Told::default();
            let mut pipeline = setup.pipeline(restless(Timeframe::MINUTE_1, |_| {}));
            // What a run of before decided, reported and ended by is left out.
            let end = Event::End(ExitReason::EndOfData);
            warm(&mut pipeline, all[..from].iter().copied().chain([end]), &mut told);
            warm(&mut pipeline, all[from..until].iter().copied(), &mut told);
            (pipeline, told)
        };
        let (mut pipeline, mut told) = begun();
        let gauge = WarmUpGauge::default();
        gauge.see(pipeline.features());
        prop_assert_eq!(gauge.missing(), pipeline.features().missing());
        let seen = told.all().len();
        let mut cold_setup = setup.clone();
        cold_setup.stages.trades_from = pipeline.trades_from();
        let mut cold = cold_setup.pipeline(restless(Timeframe::MINUTE_1, |_| {}));
        let mut cold_told = Told::default();
        let mut rest = all[until..].to_vec();
        rest.push(Event::End(ExitReason::EndOfData));
        all[..until].iter().chain(&rest).for_each(|event| cold.on_event(event, &mut cold_told));
        rest.iter().for_each(|event| pipeline.on_event(event, &mut told));
        prop_assert_eq!(told.all(), cold_told.all());
        let counts = |pipeline: &Pipeline<_>| (
            pipeline.desk().counters(), pipeline.sessions(), pipeline.holes(),
            pipeline.tick_counts(), pipeline.features().missing(),
        );
        prop_assert_eq!(counts(&pipeline), counts(&cold));
        gauge.see(pipeline.features());
        prop_assert_eq!(gauge.missing(), pipeline.features().missing());

        let (pipeline, _) = begun();
        let mut told = Told::default();
        rest.pop();
        let left = run_with(
            pipeline, recorded(rest), &small(layout), &mut told, &mut |_| {},
            &AtomicBool::new(false),
        );
        prop_assert_eq!(counts(&left.run.unwrap().pipeline), counts(&cold));
        prop_assert_eq!(&told.all()[..], &cold_told.all()[seen..]);
    }

    #[test]
    fn timers_change_no_result(
        steps in prop::collection::vec(any_step(), 1..300),
        rolls in any::<bool>(),
        mut setup in any_setup(),
        layout in any_layout(),
        latency in any_latency(),
        timers in prop::collection::vec((any::<prop::sample::Index>(), 0_u32..=4), 0..60),
    ) {
        let ticks = market_of(&steps, rolls, false);
        setup.stages.decisions = DecisionTiming::After(latency);
        let mut all = events(&ticks);
        all.push(Event::End(ExitReason::EndOfData));
        let expected = inline(&setup, &all);
        // Any quarter of the way from the tick before; a later one may follow an earlier.
        let mut timed: Vec<(usize, Timestamp)> = timers.iter().map(|(index, quarter)| {
            let next = index.index(ticks.len());
            let from = ticks[next.saturating_sub(1)].time;
            (next, from + (ticks[next].time - from) / 4 * i64::from(*quarter))
        }).collect();
        timed.sort_by_key(|&(next, _)| next);
        let mut given = Vec::new();
        for (index, tick) in ticks.iter().enumerate() {
            let here = timed.iter().filter(|&&(next, _)| next == index);
            given.extend(here.map(|&(_, time)| Event::Timer(time)));
            given.push(Event::Tick(*tick));
        }
        let mut told = Told::default();
        let left = run_with(
            setup.pipeline(stalling(1)), recorded(given), &small(layout),
            &mut told, &mut |_| {}, &AtomicBool::new(false),
        );
        left.run.unwrap();
        // Where a session's end and a new contract come with one tick, a timer between them lets
        // the answer to the last bar's question, too late in any case, be told before the old
        // contract's position closes.
        let is_decision = |output: &Output| match output {
            Output::Action(Action::Decision { .. }) => true,
            Output::Action(Action::Refused { refusal, .. }) => *refusal == Refusal::Late,
            _ => false,
        };
        let parted = |all: Vec<Output<'static>>| -> (Vec<_>, Vec<_>) {
            all.into_iter().partition(is_decision)
        };
        prop_assert_eq!(parted(told.all()), parted(expected));
    }

    #[test]
    fn whatever_comes_in_whatever_order_every_layout_does_the_same(
        steps in prop::collection::vec(any_step(), 1..300),
        rolls in any::<bool>(),
        has_bars in any::<bool>(),
        mut setup in any_setup(),
        layout in any_layout(),
        latency in any_latency(),
        decides_on in prop::sample::select(vec![Timeframe::MINUTE_1, Timeframe::MINUTES_5]),
        mischief in prop::collection::vec((any::<prop::sample::Index>(), 0_u32..8, 0_i64..400), 0..60),
    ) {
        let mut ticks = market_of(&steps, rolls, has_bars);
        let mut others = Vec::new();
        let last = ticks.len() - 1;
        for (index, kind, seconds) in &mischief {
            let here = index.index(last + 1);
            match kind {
                // A timer ahead of ticks that come after it.
                0 => {
                    let at = ticks[here].time + seconds * 1_000_000_000;
                    others.push((here, Event::Timer(at)));
                }
                // A gap, and a tick that was recovered.
                4 => others.push((here, Event::Gap(gap(ticks[here].time, *seconds as u64)))),
                6 => others.push((here, entries(ticks[here].time, seconds % 3 > 0))),
                5 => ticks[here].flags = ticks[here].flags.with(TickFlags::BACKFILLED),
                // A tick that comes late.
                1 => ticks.swap(here, (here + 1).min(last)),
                // One tick of another contract.
                2 => ticks[here] = ticks[here].with_contract(ticks[here].contract ^ 8),
                // Another contract from here on.
                _ => ticks[here..].iter_mut().for_each(|t| *t = t.with_contract(t.contract + 16)),
            }
        }
        let mut all = Vec::new();
        for (index, tick) in ticks.iter().enumerate() {
            let before = others.iter().filter(|(place, _)| *place == index);
            all.extend(before.map(|&(_, event)| event));
            all.push(Event::Tick(*tick));
        }
        setup.stages.decisions = DecisionTiming::After(latency);
        let mut told = Told::default();
        let strategy = restless(decides_on, |_| {});
        let left = run_with(
            setup.pipeline(strategy), recorded(all.clone()), &small(layout),
            &mut told, &mut |_| {}, &AtomicBool::new(false),
        );
        left.run.unwrap();
        all.push(Event::End(ExitReason::EndOfData));
        prop_assert_eq!(told.all(), inline_of(&setup, restless(decides_on, |_| {}), &all));
    }

    #[test]
    fn a_run_that_is_stopped_ends_in_order(
        minute in 4_i64..60,
        layout in any_layout(),
        latency in any_latency(),
        timing_is_live in any::<bool>(),
    ) {
        let ticks = minutes(80);
        let mut setup = Setup::free();
        setup.stages.decisions =
            if timing_is_live { DecisionTiming::OnArrival } else { DecisionTiming::After(latency) };
        let (told, stop) = (Told::default(), AtomicBool::new(false));
        let (mut given, seen, flag, script) = (0, told.clone(), &stop, ticks.clone());
        let feed = Fed(move || {
            // Live, an entry must have come through before there is something to close: the answer
            // comes when it comes, and its order fills on a later tick.
            let is_submitted = |o: Output| submitted(o).is_some();
            let is_fill = |o: &Output| {
                matches!(o, Output::Action(Action::Report(Report { kind: ReportKind::Filled(_), .. })))
            };
            if given >= 2 * minute as usize {
                let is_filled = seen.has(is_fill);
                if !timing_is_live || is_filled {
                    flag.store(true, Ordering::Relaxed);
                }
                let may_fill = seen.all().into_iter().any(is_submitted);
                if timing_is_live && !is_filled && (!may_fill || given == script.len()) {
                    return Polled::Idle;
                }
            }
            given += 1;
            script.get(given - 1).map_or(Polled::Idle, |tick| Polled::Event(Event::Tick(*tick)))
        });
        let mut sink = told.clone();
        let left = run_with(
            setup.pipeline(buys_once()), feed, &small(layout), &mut sink, &mut |_| {}, &stop,
        );
        let run = left.run.unwrap();
        prop_assert!(run.interrupted);
        prop_assert!(timing_is_live || run.ticks as i64 <= 2 * minute + 1);
        prop_assert_eq!(run.pipeline.desk().ledger().position(), 0);
        assert_is_whole_prefix(&left.events, &ticks, run.ticks as usize);
        if timing_is_live || latency + 3 * Timestamp::MINUTE < minute * Timestamp::MINUTE {
            prop_assert!(told.has(is_trade(ExitReason::Shutdown)), "{:?}", told.all());
        }
        if layout != ThreadLayout::Fused {
            let (outputs, actions) = replayed(&setup, &left.events);
            prop_assert_eq!(outputs, told.all());
            prop_assert_eq!(actions, left.actions);
        }
    }
}

#[test]
fn a_stop_gets_out_of_the_wait_for_an_answer() {
    for layout in [ThreadLayout::DecisionApart, ThreadLayout::AllApart] {
        let (told, stop) = (Told::default(), Arc::new(AtomicBool::new(false)));
        let (seat, flag) = (told.clone(), stop.clone());
        let mut question = 0;
        let strategy = By(Timeframe::MINUTE_1, move |_: &Bar, _| {
            question += 1;
            if question == 5 {
                flag.store(true, Ordering::Relaxed);
                // It never answers while the run lasts.
                seat.wait_for(is_trade(ExitReason::Shutdown));
            }
            (question == 1).then(|| market(Target::Long, 1))
        });
        let ticks = minutes(100);
        let mut sink = told.clone();
        let left = run_with(
            Setup::free().pipeline(strategy),
            recorded(events(&ticks)),
            &small(layout),
            &mut sink,
            &mut |_| {},
            &stop,
        );
        assert!(left.run.unwrap().interrupted);
        assert_is_whole_prefix(&left.events, &ticks, 11);
    }
}

/// A broker that does nothing by itself.
struct Broker;

impl OrderPort for Broker {
    fn send(&mut self, _: OrderMessage, _: Timestamp) {}
}

impl Venue for Broker {}

/// The runner takes any venue. Before a broker nothing is held unless a report says so, and the end
/// of the data fills nothing.
#[test]
fn a_brokers_report_is_booked() {
    for layout in LAYOUTS {
        let told = Told::default();
        let strategy = By(Timeframe::MINUTE_1, |_: &Bar, position| {
            (position == 0).then(|| market(Target::Long, 1))
        });
        let ticks = minutes(4);
        let (mut given, seen, mut is_reported) = (0, told.clone(), false);
        let feed = Fed(move || {
            if given == 4 && !is_reported {
                let Some(order) = seen.all().into_iter().find_map(submitted) else {
                    return Polled::Idle;
                };
                is_reported = true;
                return Polled::Event(Event::Report(fill_of(order, ticks[3].time)));
            }
            given += 1;
            ticks.get(given - 1).map_or(Polled::Ended, |tick| Polled::Event(Event::Tick(*tick)))
        });
        let mut sink = told.clone();
        let left = run_with(
            Setup::free().pipeline_before(Broker, strategy),
            feed,
            &small(layout),
            &mut sink,
            &mut |_| {},
            &AtomicBool::new(false),
        );
        let ledger_position = left.run.unwrap().pipeline.desk().ledger().position();
        assert_eq!(ledger_position, 1);
        let report = left.events.iter().position(|event| matches!(event, Event::Report(_)));
        let report = report.expect("it is in the journal") as u64;
        let booked = |&(event, action): &(u64, Action)| {
            event == report && matches!(action, Action::Report(_))
        };
        assert!(left.actions.iter().any(booked));
    }
}

fn submitted(output: Output) -> Option<Order> {
    match output {
        Output::Action(Action::Order { message: OrderMessage::Submit(order), .. }) => Some(order),
        _ => None,
    }
}

fn fill_of(order: Order, time: Timestamp) -> Report {
    let fill = Fill {
        id: FillId(1),
        order: order.id,
        side: Side::Buy,
        quantity: order.quantity,
        price: price(19_000),
        slippage: Money::ZERO,
        commission: Money::ZERO,
        time,
        purpose: Purpose::Entry(Bracket::default()),
        contract: 0,
    };
    Report { arrives: time, kind: ReportKind::Filled(fill) }
}

/// Trap 11: what a reader takes as a batch is seen by nobody before the batch's end, so the stages
/// must not take what is not there yet for company.
#[test]
fn live_every_event_is_acted_on_before_the_next_one_comes() {
    for layout in LAYOUTS {
        let mut setup = Setup::free();
        setup.stages.decisions = DecisionTiming::OnArrival;
        let told = Told::default();
        let (ticks, seen) = (minutes(30), told.clone());
        let (mut given, script) = (0, ticks.clone());
        let feed = Fed(move || {
            // A tick of a new minute closes the bar before: the next tick comes when that was told.
            let bars = seen.all().iter().filter(|output| matches!(output, Output::Bar(_))).count();
            let closed = script[..given].chunk_by(|a, b| minute(a) == minute(b)).count();
            if bars + 1 < closed {
                return Polled::Idle;
            }
            given += 1;
            script.get(given - 1).map_or(Polled::Ended, |tick| Polled::Event(Event::Tick(*tick)))
        });
        let mut sink = told.clone();
        let left = run_with(
            setup.pipeline(By(Timeframe::MINUTE_1, |_: &Bar, _| None)),
            feed,
            &small(layout),
            &mut sink,
            &mut |_| {},
            &AtomicBool::new(false),
        );
        assert_eq!(left.run.unwrap().ticks, ticks.len() as u64, "{layout}");
    }
}

fn minute(tick: &Tick) -> i64 {
    tick.time.nanos() / Timestamp::MINUTE
}

/// Live, an answer that took longer than the seat's budget does nothing, is counted, and is in the
/// journal.
#[test]
fn an_overdue_decision_is_none() {
    for (budget, orders) in [(Duration::ZERO, false), (Duration::MAX, true)] {
        for layout in [ThreadLayout::DecisionApart, ThreadLayout::AllApart] {
            let (told, ticks) = (Told::default(), minutes(6));
            let (mut given, seen, script) = (0, told.clone(), ticks.clone());
            let feed = Fed(move || {
                // Every answer is awaited, so that each has its effect.
                let decisions = |o: &Output| matches!(o, Output::Action(Action::Decision { .. }));
                let answered = seen.all().iter().filter(|output| decisions(output)).count();
                if given > 2 && answered + 1 < given / 2 {
                    return Polled::Idle;
                }
                given += 1;
                script
                    .get(given - 1)
                    .map_or(Polled::Ended, |tick| Polled::Event(Event::Tick(*tick)))
            });
            let mut setup = Setup::free();
            setup.stages.decisions = DecisionTiming::OnArrival;
            let mut settings = small(layout);
            settings.decision_budget = budget;
            let mut sink = told.clone();
            let stop = AtomicBool::new(false);
            let pipeline = setup.pipeline(buys_once());
            let left = run_with(pipeline, feed, &settings, &mut sink, &mut |_| {}, &stop);
            let pipeline = left.run.unwrap().pipeline;
            let is_sent = |o: &Output| {
                matches!(o, Output::Action(Action::Order { message: OrderMessage::Submit(_), .. }))
            };
            assert_eq!(told.has(is_sent), orders);
            let overdue = |name: &str| name == "refused: overdue";
            let counters = pipeline.desk().counters();
            let counted = counters.iter().find(|(name, _)| overdue(name)).unwrap().1;
            assert_eq!(counted > 0, !orders);
            let is_refused = |&&(_, action): &&(u64, Action)| {
                matches!(action, Action::Refused { refusal: Refusal::Overdue, .. })
            };
            assert_eq!(left.actions.iter().filter(is_refused).count() as u64, counted);
            let kept = left.events.iter().filter(
                |event| matches!(event, Event::Answer(answer) if answer.is_overdue && answer.decision.is_none()),
            );
            assert!(orders || kept.count() as u64 == counted);
        }
    }
}
