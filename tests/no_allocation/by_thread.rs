//! The stages allocate nothing after the first session.

use std::num::NonZeroU64;
use std::time::Duration;

use algospace_hft::agents::model_set::ModelSet;
use algospace_hft::agents::{AgentSettings, Agents, ByGraphs, RiskRules};
use algospace_hft::engine::{Action, Output, Sink};
use algospace_hft::execution::{
    Account, Bracket, Decision, ExitReason, LimitFill, OrderKind, RiskSettings, Slippage, Target,
};
use algospace_hft::inference::{Backend, Graph, InferenceError, Signature};
use algospace_hft::latency::{LONGEST, Load, Recorder, Sample, Span};
use algospace_hft::market::{Bar, Instrument, Money, Price, Tick, TickFlags, Timeframe, Timestamp};
use algospace_hft::matrix::MatrixKind;
use algospace_hft::source::synthetic::{Generator, Settings, SyntheticMarket, SyntheticSettings};
use algospace_hft::strategy::{
    BaselineSettings, Levels, MovingAverageCross, Observation, RandomEntries,
    RandomEntriesSettings, Strategy, StrategySettings,
};

use crate::assembly::{By, Setup, TICK_SIZE, price};
use crate::counting_allocator::allocations;

/// Counts what comes, and allocates nothing.
#[derive(Debug, Default)]
struct Counts {
    bars: u64,
    filled: u64,
    points: u64,
    by_reason: [u64; ExitReason::ALL.len()],
}

impl Counts {
    fn exits(&self, reason: ExitReason) -> u64 {
        self.by_reason[reason as usize]
    }
}

impl Sink for Counts {
    fn output(&mut self, output: &Output<'_>) {
        match output {
            Output::Bar(bar) => {
                self.bars += 1;
                self.filled += u64::from(bar.volume == 0);
            }
            Output::Action(Action::Trade(trade)) => self.by_reason[trade.exit_reason as usize] += 1,
            Output::Equity(_) => self.points += 1,
            _ => {}
        }
    }
}

/// Six sessions over a weekend, each of another contract, with hours of silence, stretches without
/// a trade, ticks that come late, ticks out of hours and history bars.
fn market() -> Vec<Vec<Tick>> {
    let market = SyntheticSettings::new(SyntheticMarket::Martingale, 6, 30_000);
    let mut generator = Generator::new(Settings::new(market, 3)).unwrap();
    let mut sessions = Vec::new();
    let mut ticks = Vec::new();
    while let Some(session) = generator.next_session(&mut ticks) {
        let number = sessions.len() as u16;
        let hour = |tick: &Tick| (tick.time - session.open) / Timestamp::HOUR;
        let minute = |tick: &Tick| (tick.time - session.open) / Timestamp::MINUTE;
        ticks.retain(|tick| hour(tick) != 3 && hour(tick) != 4 && minute(tick) % 30 > 4);
        for tick in &mut ticks {
            *tick = tick.with_contract(number);
        }
        for index in (100..ticks.len()).step_by(1000) {
            ticks[index].time = ticks[index - 50].time;
        }
        let last = *ticks.last().unwrap();
        let out_of_hours = session.close + 10 * Timestamp::MINUTE;
        ticks.push(Tick::new(out_of_hours, last.price, 1).with_contract(last.contract));
        let mut at_noon = ticks.partition_point(|tick| hour(tick) < 19);
        for bar in 0..10 {
            let start = session.open + 19 * Timestamp::HOUR + bar * Timestamp::MINUTE;
            for (offset, away, flags) in [
                (0, 0, TickFlags::BAR_OPEN),
                (Timestamp::SECOND, 9, TickFlags::BAR_EXTREME),
                (2 * Timestamp::SECOND, -9, TickFlags::BAR_EXTREME),
                (Timestamp::MINUTE - 1, 1, TickFlags::BAR_CLOSE),
            ] {
                let price = last.price.offset_ticks(away, TICK_SIZE);
                let tick = Tick::new(start + offset, price, 50).with_flags(flags);
                ticks.insert(at_noon, tick.with_contract(last.contract));
                at_noon += 1;
            }
        }
        sessions.push(std::mem::take(&mut ticks));
    }
    sessions
}

fn setup() -> Setup {
    let mut setup = Setup::free();
    setup.stages.timeframes =
        vec![Timeframe::MINUTE_1, Timeframe::MINUTES_5, Timeframe::MINUTES_30, Timeframe::DAILY];
    setup.exchange.order_latency_microseconds = 2_000;
    setup.exchange.acknowledgement_latency_microseconds = 2_000;
    setup.exchange.commission_per_side = Money::from_nanos(2_250_000_000);
    setup.exchange.slippage = Slippage { ticks: 0, cross_spread: true, assumed_spread_ticks: 1 };
    setup.exchange.limit_fill = LimitFill::Touch;
    setup.rules.max_position_size = 20;
    setup.rules.max_daily_drawdown = 0.02;
    setup.rules.max_orders_per_second = 2;
    setup
}

/// Runs the first session, then counts the allocations of the stages in all others and at the end.
fn allocations_of(setup: &Setup, strategy: impl Strategy + Send) -> (u64, Counts) {
    let sessions = market();
    let mut pipeline = setup.pipeline(strategy);
    let mut counts = Counts::default();
    for tick in &sessions[0] {
        pipeline.on_tick(tick, &mut counts);
    }
    let before = allocations();
    for tick in sessions[1..].iter().flatten() {
        pipeline.on_tick(tick, &mut counts);
    }
    pipeline.finish(ExitReason::EndOfData, &mut counts);
    (allocations() - before, counts)
}

const BRACKET: Bracket = Bracket { stop_loss_ticks: 4, profit_target_ticks: 3 };

#[test]
fn the_counter_counts() {
    let before = allocations();
    let vector = std::hint::black_box(vec![1_u8, 2, 3]);
    assert_eq!(allocations() - before, 1);
    drop(vector);
}

fn on_every_minute() -> StrategySettings {
    let Bracket { stop_loss_ticks, profit_target_ticks } = BRACKET;
    let timeframe = Timeframe::MINUTE_1;
    StrategySettings { timeframe, stop_loss_ticks, profit_target_ticks, ..Default::default() }
}

#[test]
fn the_baseline_allocates_nothing() {
    let mut setup = setup();
    setup.stages.flatten_before_close = Some(5 * Timestamp::MINUTE);
    // The day's limit would lock nearly every session before its close.
    setup.rules.max_daily_drawdown = 0.5;
    let baseline = BaselineSettings { fast_period: 3, slow_period: 8, flat_band_ticks: 0 };
    let settings = StrategySettings { baseline, ..on_every_minute() };
    let strategy = MovingAverageCross::new(settings, TICK_SIZE);
    let (allocations, counts) = allocations_of(&setup, strategy);
    println!("baseline: {allocations} allocations, {counts:?}");
    assert_eq!(allocations, 0);
    for reason in [ExitReason::StopLoss, ExitReason::ProfitTarget, ExitReason::SessionClose] {
        assert!(counts.exits(reason) > 0, "{reason:?} did not happen");
    }
    assert!(counts.filled > 100 && counts.bars > 5_000 && counts.points > 4_000);
}

#[test]
fn random_entries_allocate_nothing() {
    let random_entries = RandomEntriesSettings { entries_per_hundred_bars: 60, hold_bars: 4 };
    let settings = StrategySettings { quantity: 3, random_entries, ..on_every_minute() };
    let strategy = RandomEntries::new(settings, 1);
    let (allocations, counts) = allocations_of(&setup(), strategy);
    println!("random entries: {allocations} allocations, {counts:?}");
    assert_eq!(allocations, 0);
    for reason in [ExitReason::StopLoss, ExitReason::Signal, ExitReason::DailyDrawdown] {
        assert!(counts.exits(reason) > 0, "{reason:?} did not happen");
    }
}

/// Every kind of order, refused and cancelled ones among them, positions over the break and the
/// roll.
#[test]
fn every_kind_of_order_allocates_nothing() {
    let mut setup = setup();
    (setup.rules.max_daily_drawdown, setup.rules.max_position_size) = (1.0, 1);
    let mut bars = 0_u32;
    let strategy = By(Timeframe::MINUTE_1, move |bar: &Bar, _| {
        bars += 1;
        let close = bar.close.ticks_from(Price::ZERO, TICK_SIZE);
        let target = [Target::Long, Target::Short][(bars / 2 % 2) as usize];
        let sign = if target == Target::Long { 1 } else { -1 };
        let entry = match bars % 7 {
            0 => OrderKind::Limit { price: price(close - 2 * sign) },
            1 => OrderKind::Stop { trigger: price(close + 3 * sign) },
            2 => OrderKind::StopLimit { trigger: price(close + 1), price: price(close) },
            3 => OrderKind::Limit { price: price(close - 1_000_000) },
            _ => OrderKind::Market,
        };
        let quantity = 1 + bars % 2;
        let bracket = if bars.is_multiple_of(3) { BRACKET } else { Bracket::default() };
        Some(Decision { target, quantity, entry, bracket })
    });
    let (allocations, counts) = allocations_of(&setup, strategy);
    println!("every kind of order: {allocations} allocations, {counts:?}");
    assert_eq!(allocations, 0);
    for reason in [ExitReason::StopLoss, ExitReason::Signal, ExitReason::ContractRoll] {
        assert!(counts.exits(reason) > 0, "{reason:?} did not happen");
    }
}

#[test]
fn recording_latency_allocates_nothing() {
    let corrected = Load::ClosedLoop { expected_interval: NonZeroU64::new(1_000_000) };
    for load in [Load::OpenLoop, corrected] {
        let mut recorder = Recorder::new(Timestamp::from_nanos(0), load);
        let before = allocations();
        // Of every length from 0 up to one that is too long, in every span.
        for power in 0..u64::BITS {
            for span in Span::ALL {
                recorder.record(Sample { span, nanoseconds: (1 << power) - 1 });
            }
        }
        assert_eq!(allocations() - before, 0);
        let record = recorder.finish(Duration::from_secs(1), 0);
        assert!(record.spans.iter().all(|span| span.histogram.len() >= u64::from(u64::BITS)));
        assert!(record.spans.iter().all(|span| span.histogram.count_at(LONGEST) > 0));
    }
}

/// A graph and backend that do nothing: what remains of a decision is ours.
struct Still {
    inputs: Vec<Vec<f32>>,
    outputs: Vec<Vec<f32>>,
}

impl Graph for Still {
    fn input(&mut self, index: usize) -> &mut [f32] {
        &mut self.inputs[index]
    }
    fn run(&mut self) -> Result<(), InferenceError> {
        Ok(())
    }
    fn output(&self, index: usize) -> &[f32] {
        &self.outputs[index]
    }
}

struct Here;

impl Backend for Here {
    fn name(&self) -> &'static str {
        "test"
    }
    fn another(&self) -> Box<dyn Backend> {
        Box::new(Here)
    }
    fn load(&self, _: &[u8], _: &Signature) -> Result<Box<dyn Graph>, InferenceError> {
        unreachable!("the graphs are there already")
    }
}

/// Both stages of a decision, from the rows of all matrices to the bracket, allocate nothing: what
/// a decision allocates is its backend's, which `cargo bench --bench decision` counts.
#[test]
fn a_decision_of_the_agents_allocates_nothing_but_what_its_backend_does() {
    let still = |inputs: &[usize], outputs: &[usize]| -> Box<dyn Graph> {
        let ones = |sizes: &[usize]| sizes.iter().map(|&size| vec![1.0; size]).collect();
        Box::new(Still { inputs: ones(inputs), outputs: ones(outputs) })
    };
    let graphs = [
        still(&[48 * 8], &[64]),
        still(&[60 * 7], &[64]),
        still(&[100 * 12], &[8]),
        still(&[64, 64, 8, 5, 5, 90 * 256, 90 * 128], &[270]),
        still(&[8, 4, 1, 5, 5], &[1, 1, 1]),
        still(&[64, 64, 8, 5, 5, 4, 3], &[1]),
    ];
    let es = Instrument::built_in("ES").unwrap();
    let settings = AgentSettings {
        passes: 30,
        seed: 1,
        confidence_threshold: 0.0,
        maximum_epistemic: 2.0,
        minimum_agreement: 0.0,
        gate_threshold: 0.0,
        rules: RiskRules::new(RiskSettings::default(), &es),
    };
    let set = ModelSet::built_in().unwrap();
    let team = ByGraphs::new(&set, std::sync::Arc::new(Here), graphs, 30, 1);
    let mut agents = Agents::with_team(&set, Box::new(team), settings);
    let account = Account {
        last_price: price(400_000),
        equity: Money::from_dollars(100_000),
        day_open: Money::from_dollars(100_000),
        day_high: Money::from_dollars(100_000),
        day_limit: Money::from_dollars(95_000),
        ..Account::default()
    };
    let mut executed = 0;
    let mut before = 0;
    for number in 1..=200 {
        if number == 150 {
            before = allocations();
        }
        let mut observation = Observation::EMPTY;
        for kind in MatrixKind::ALL {
            let width = [8, 7, 12, 5][kind as usize];
            observation.add(kind, number, true, &[0.5; 12][..width]);
        }
        observation.levels = Levels { average_true_range: 4.0, ..Levels::NONE };
        agents.observe(&observation);
        executed += u64::from(agents.on_bar(&Bar::NONE, number, &account).is_some());
        assert!(agents.take_record().is_some());
        agents.prepare(number + 1);
    }
    assert_eq!(allocations() - before, 0);
    assert_eq!(executed, 101, "the matrices are whole from the hundredth row on");
}
