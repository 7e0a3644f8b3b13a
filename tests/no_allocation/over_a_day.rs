//! Neither the inline runner nor any thread of the pinned runner allocates anything on the second
//! of three full days.
//!
//! Every allocation of any thread of the process is counted, so the count is taken in a process of
//! its own.

use std::backtrace::Backtrace;
use std::cell::Cell;
use std::process::Command;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use algospace_hft::engine::pinned::{
    Feed, PinnedSettings, Polled, Recorded, ThreadLayout, Wiring, run,
};
use algospace_hft::engine::{Action, DecisionTiming, FeatureStage, Output, Sink};

use algospace_hft::latency::Load;
use algospace_hft::machine::{Placed, Wait};
use algospace_hft::market::{Instrument, Money, Tick, Timeframe, Timestamp};
use algospace_hft::run::JournalHeader;
use algospace_hft::source::native::TickFileDescription;
use algospace_hft::source::synthetic::{Generator, Settings, SyntheticMarket, SyntheticSettings};

use crate::assembly::Setup;
use crate::assembly::random::restless;

static IS_ARMED: AtomicBool = AtomicBool::new(false);
/// Of every thread but the metrics'.
static ALLOCATIONS: AtomicU64 = AtomicU64::new(0);
/// Of the metrics' thread, which writes a line of the interval log every second.
static BY_METRICS: AtomicU64 = AtomicU64::new(0);
/// The place of the first allocation.
static FIRST: Mutex<Option<Backtrace>> = Mutex::new(None);

thread_local! {
    // Neither lazy nor dropped, so that counting needs no allocation itself.
    static IS_METRICS: Cell<bool> = const { Cell::new(false) };
    static IS_COUNTING: Cell<bool> = const { Cell::new(false) };
}

/// Counts what is asked of the allocator while it is armed.
pub fn count() {
    if !IS_ARMED.load(Ordering::Relaxed) || IS_COUNTING.replace(true) {
        return;
    }
    if IS_METRICS.get() {
        BY_METRICS.fetch_add(1, Ordering::Relaxed);
    } else if ALLOCATIONS.fetch_add(1, Ordering::Relaxed) == 0 {
        *FIRST.lock().unwrap() = Some(Backtrace::force_capture());
    }
    IS_COUNTING.set(false);
}

/// Arms the counter where the second day begins, and disarms it when so much of the third was given
/// that every thread is done with the second.
struct Armed<'a> {
    feed: Recorded<'a>,
    given: usize,
    arm_at: usize,
    disarm_at: usize,
}

impl Feed for Armed<'_> {
    fn poll(&mut self) -> Polled {
        if self.given == self.arm_at {
            IS_ARMED.store(true, Ordering::Relaxed);
        } else if self.given == self.disarm_at {
            IS_ARMED.store(false, Ordering::Relaxed);
        }
        self.given += 1;
        self.feed.poll()
    }
}

/// Counts what comes while the counter is armed, and allocates nothing.
#[derive(Debug, Default)]
struct Counts {
    bars: u64,
    others: u64,
    orders: u64,
    trades: u64,
}

impl Counts {
    fn count(&mut self, what: impl FnOnce(&mut Counts) -> &mut u64) {
        IS_METRICS.set(true);
        *what(self) += u64::from(IS_ARMED.load(Ordering::Relaxed));
    }

    fn check(&self) {
        assert!(self.bars > 1_500 && self.orders > 1_000 && self.trades > 400, "{self:?}");
    }
}

impl Sink for Counts {
    fn output(&mut self, output: &Output<'_>) {
        self.count(|counts| match output {
            Output::Bar(_) => &mut counts.bars,
            Output::Action(Action::Trade(_)) => &mut counts.trades,
            Output::Action(Action::Order { .. }) => &mut counts.orders,
            _ => &mut counts.others,
        });
    }
}

const SLOTS: usize = 4096;

#[test]
fn no_thread_allocates_over_a_full_day() {
    let name = "over_a_day::a_full_day_in_a_process_of_its_own";
    let program = std::env::current_exe().unwrap();
    let arguments = ["--exact", name, "--ignored", "--nocapture"];
    let ended = Command::new(program).args(arguments).output().unwrap();
    let [output, error] = [ended.stdout, ended.stderr].map(|text| String::from_utf8(text).unwrap());
    print!("{output}");
    assert!(ended.status.success() && output.contains("1 passed"), "{}: {error}", ended.status);
}

#[test]
#[ignore = "a process that another test starts"]
fn a_full_day_in_a_process_of_its_own() {
    let market = SyntheticSettings::new(SyntheticMarket::Martingale, 3, 340_000);
    let mut generator = Generator::new(Settings::new(market, 3)).unwrap();
    let (mut ticks, mut session, mut days) = (Vec::<Tick>::new(), Vec::new(), Vec::new());
    while generator.next_session(&mut session).is_some() {
        // Every day another contract, so that positions are rolled.
        let contract = days.len() as u16;
        ticks.extend(session.drain(..).map(|tick| tick.with_contract(contract)));
        days.push(ticks.len());
    }
    let disarm_at = days[1] + 16 * SLOTS;
    assert!(days[1] - days[0] > 200_000 && disarm_at < days[2], "{days:?}");

    let mut setup = Setup::free();
    setup.stages.timeframes =
        vec![Timeframe::MINUTE_1, Timeframe::MINUTES_5, Timeframe::MINUTES_30, Timeframe::DAILY];
    setup.stages.flatten_before_close = Some(5 * Timestamp::MINUTE);
    setup.stages.decisions = DecisionTiming::After(1_000_000);
    setup.exchange.order_latency_microseconds = 2_000;
    setup.exchange.acknowledgement_latency_microseconds = 2_000;
    setup.exchange.commission_per_side = Money::from_nanos(2_250_000_000);
    setup.rules.max_position_size = 20;

    let folder = tempfile::tempdir().unwrap();
    let instrument = Instrument::built_in("ES").unwrap();
    let header = JournalHeader {
        version: String::new(),
        seed: 3,
        input: String::new(),
        description: TickFileDescription::new(&instrument, "made up"),
        notes: Vec::new(),
        configuration: String::new(),
        model_set: None,
        has_answers: true,
        trades_from: None,
        follows: None,
    };
    let mut pipeline = setup.pipeline(restless(Timeframe::MINUTE_1, |_| {}));
    let mut counts = Counts::default();
    for tick in &ticks[..days[0]] {
        pipeline.on_tick(tick, &mut counts);
    }
    IS_ARMED.store(true, Ordering::Relaxed);
    for tick in &ticks[days[0]..days[1]] {
        pipeline.on_tick(tick, &mut counts);
    }
    IS_ARMED.store(false, Ordering::Relaxed);
    IS_METRICS.set(false);
    let allocations =
        (ALLOCATIONS.swap(0, Ordering::Relaxed), BY_METRICS.swap(0, Ordering::Relaxed));
    println!("inline: {allocations:?} allocations, {counts:?}");
    assert_eq!(allocations, (0, 0));
    counts.check();

    for layout in [ThreadLayout::Fused, ThreadLayout::DecisionApart, ThreadLayout::AllApart] {
        let roles = layout.roles(true).into_iter();
        let place = |role| Placed { role, core: None, wait: Wait::Adaptive };
        let settings = PinnedSettings {
            layout,
            ring_slots: SLOTS,
            queue_slots: SLOTS,
            threads: roles.map(place).collect(),
            shared: Vec::new(),
            real_time_priority: None,
            sample_every: 16,
            load: Load::ClosedLoop { expected_interval: None },
            decision_budget: std::time::Duration::from_millis(20),
        };
        let journal = folder.path().join(format!("{layout:?}.journal"));
        let mut counts = Counts::default();
        let mut rows = 0_u64;
        let wiring = Wiring {
            feed: Armed { feed: Recorded::new(&ticks), given: 0, arm_at: days[0], disarm_at },
            results: &mut counts,
            on_features: &mut |_: &FeatureStage| rows += 1,
            journal: Some(header.begin(&journal).unwrap()),
            log: &|_| {},
        };
        let pipeline = setup.pipeline(restless(Timeframe::MINUTE_1, |_| {}));
        let stop = AtomicBool::new(false);
        let done = run(pipeline, wiring, &settings, &stop, &mut |_| {}).unwrap();
        assert_eq!(done.ticks, ticks.len() as u64);

        let allocations = ALLOCATIONS.swap(0, Ordering::Relaxed);
        let by_metrics = BY_METRICS.swap(0, Ordering::Relaxed);
        let log = String::from_utf8(done.latency.interval_log).unwrap();
        let lines = log.lines().filter(|line| line.starts_with("Tag=")).count() as u64;
        println!(
            "{layout:?}: {allocations} allocations, {by_metrics} of the metrics' thread with {lines} lines of the interval log; {rows} rows, {counts:?}"
        );
        let first = FIRST.lock().unwrap().take();
        assert_eq!(allocations, 0, "{layout:?}: {first:?}");
        // Lines of the log allocate; results and times do not.
        assert!(
            by_metrics <= 20 * lines,
            "{layout:?}: the metrics' thread allocated {by_metrics} times"
        );
        counts.check();
        assert!(rows > 4_000, "{rows}");
    }

    // The counter counts, and sees where from.
    IS_ARMED.store(true, Ordering::Relaxed);
    let vector = std::thread::spawn(|| std::hint::black_box(vec![1_u8, 2, 3])).join().unwrap();
    IS_ARMED.store(false, Ordering::Relaxed);
    assert!(ALLOCATIONS.load(Ordering::Relaxed) > 0 && FIRST.lock().unwrap().is_some());
    drop(vector);
}
