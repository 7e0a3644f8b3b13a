//! A made-up run whose trades and equity agree with each other.

use std::collections::BTreeMap;
use std::time::Duration;

use algospace_hft::execution::{EquityPoint, ExitReason, Target, Trade};
use algospace_hft::latency::{LatencyRecord, Load, Recorder, Sample, Span};
use algospace_hft::market::{Calendar, Money, Price, Side, Timeframe, Timestamp};
use algospace_hft::performance::{DecidedBy, InputDescription, RunRecord, WallTimes};
use algospace_hft::strategy::{DecisionRecord, Opportunity, Reason};
use hdrhistogram::Histogram;

/// A text that would break a page, a table or a chart that did not escape it.
pub const HOSTILE: &str = "\"<b>x</b>' & </script>, \u{fc}";

/// Small numbers by a linear congruence (Knuth's MMIX constants).
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, bound: i64) -> i64 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as i64 % bound
    }
}

/// Returns the wall times of the made-up run.
pub fn wall_times() -> WallTimes {
    let time = |text: &str| text.parse().unwrap();
    WallTimes { started: time("2024-05-01T10:00:00Z"), finished: time("2024-05-01T10:00:02Z") }
}

/// A run without ticks, trades or equity.
pub fn empty_run() -> RunRecord {
    RunRecord {
        mode: "backtest".to_owned(),
        strategy: "baseline".to_owned(),
        version: "0.1.0".to_owned(),
        input: "data/ES_historical.ticks".to_owned(),
        input_sha256: "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08".to_owned(),
        input_description: InputDescription {
            origin: "made up for a test".to_owned(),
            made_up: false,
            expanded_from_bars_of_seconds: None,
            adjustment: "none".to_owned(),
            facts: BTreeMap::new(),
        },
        instrument: "ES".to_owned(),
        calendar: Calendar::CmeEquityIndex,
        tick_size: "0.25".parse().unwrap(),
        point_value: Money::from_dollars(50),
        contract_symbols: vec!["ESZ3".to_owned()],
        ticks: 0,
        warm_up_ticks: 0,
        decides_from: Some(Timestamp::from_nanos(0)),
        bars: vec![(Timeframe::MINUTES_5, 0)],
        first_tick: None,
        last_tick: None,
        initial_capital: Money::from_dollars(100_000),
        seed: 42,
        trades: Vec::new(),
        equity: Vec::new(),
        decided_by: None,
        decisions: Vec::new(),
        time_in_market: 0,
        open_market_time: 0,
        counters: Vec::new(),
        data_notes: Vec::new(),
        simulated_latency: String::new(),
        configuration: String::new(),
        elapsed_seconds: 0.0,
        ticks_per_second: f64::NAN,
        confidence_level: 0.95,
        bootstrap_resamples: 2_000,
        processing_time: Histogram::new(3).unwrap(),
        latency: None,
        machine: String::new(),
        interrupted: false,
    }
}

/// A run over `days` sessions of 276 five-minute bars in the summer of 2013, on a random walk.
pub fn sample_run(days: i64) -> RunRecord {
    let mut run = empty_run();
    let mut numbers = Numbers(1);
    let point_value = run.point_value;
    let mut price: Price = "1680".parse().unwrap();
    let mut cash = run.initial_capital;
    let mut open: Option<Trade> = None;
    let mut time: Timestamp = "2013-06-02T22:00:00Z".parse().unwrap();
    run.first_tick = Some(time);
    for day in 0..days {
        for bar in 0..276_i64 {
            time = time + 5 * Timestamp::MINUTE;
            price = price.offset_ticks(numbers.below(13) - 6, run.tick_size);
            run.open_market_time += 5 * Timestamp::MINUTE as u64;
            let last_bar = bar == 275;
            if let Some(mut trade) = open.take() {
                let quantity = i64::from(trade.quantity) * trade.side.sign();
                let profit = price.value_from(trade.entry_price, point_value) * quantity;
                trade.mfe = trade.mfe.max(profit);
                trade.mae = trade.mae.min(profit);
                trade.bars_held += 1;
                run.time_in_market += 5 * Timestamp::MINUTE as u64;
                let reason = match profit.nanos() / Money::SCALE {
                    _ if last_bar => Some(ExitReason::SessionClose),
                    600.. => Some(ExitReason::ProfitTarget),
                    ..=-450 => Some(ExitReason::StopLoss),
                    _ if numbers.below(40) == 0 => Some(ExitReason::Signal),
                    _ => None,
                };
                match reason {
                    None => open = Some(trade),
                    Some(reason) => {
                        trade.id = run.trades.len() as u32 + 1;
                        trade.exit_time = time;
                        trade.exit_price = price;
                        trade.exit_reason = reason;
                        trade.gross_pnl = profit;
                        cash += profit;
                        run.trades.push(trade);
                    }
                }
            } else if !last_bar && numbers.below(12) == 0 {
                let quantity = 1 + numbers.below(2) as u32;
                let costs = Money::from_nanos(4_240_000_000) * i64::from(quantity);
                cash -= costs;
                open = Some(Trade {
                    id: 0,
                    contract: 0,
                    side: if numbers.below(2) == 0 { Side::Buy } else { Side::Sell },
                    quantity,
                    entry_time: time,
                    entry_price: price,
                    exit_time: time,
                    exit_price: price,
                    exit_reason: ExitReason::Signal,
                    gross_pnl: Money::ZERO,
                    costs,
                    mfe: Money::ZERO,
                    mae: Money::ZERO,
                    bars_held: 0,
                    slippage: Money::from_nanos(12_500_000_000) * i64::from(quantity),
                });
            }
            let held = open.map_or(0, |it| it.quantity as i32 * it.side.sign() as i32);
            let profit = open.map_or(Money::ZERO, |it| {
                price.value_from(it.entry_price, point_value) * i64::from(held)
            });
            let equity = cash + profit;
            run.equity.push(EquityPoint { time, cash, position: held, mark: price, equity });
        }
        // Sunday to Thursday evening, an hour's pause, and the weekend after five sessions.
        time = time + Timestamp::HOUR + if day % 5 == 4 { 48 * Timestamp::HOUR } else { 0 };
    }
    run.last_tick = run.equity.last().map(|point| point.time);
    run.ticks = 1_234_567;
    run.bars = vec![(Timeframe::MINUTES_5, 276 * days as u64), (Timeframe::DAILY, days as u64)];
    run.counters = vec![
        ("orders".to_owned(), 3 * run.trades.len() as u64),
        ("fills".to_owned(), 2 * run.trades.len() as u64),
        ("refused: position limit".to_owned(), 3),
    ];
    run.input_description.expanded_from_bars_of_seconds = Some(60);
    run.input_description.facts.insert("oracle_net".to_owned(), "81234.5".to_owned());
    run.data_notes = vec!["3 bars of 5 minutes are incomplete.".to_owned()];
    run.simulated_latency = "250 µs ± 50 µs to the exchange, fills one tick behind".to_owned();
    run.configuration = "system:\n  mode: backtest\nstrategy:\n  kind: baseline\n".to_owned();
    run.elapsed_seconds = 1.75;
    run.ticks_per_second = 1_234_567.0 / 1.75;
    for batch in 0..20_000 {
        let rare = if batch % 997 == 0 { 40_000 } else { 0 };
        run.processing_time.record(20 + numbers.below(30) as u64 + rare).unwrap();
    }
    run.latency = Some(sample_latency(&mut numbers));
    run.machine = "Example CPU at 3.0 GHz, 2 cores".to_owned();
    run
}

/// A second of ticks, a bar each thousand of them, an order at one bar in ten; only the decision is
/// never timed.
fn sample_latency(numbers: &mut Numbers) -> LatencyRecord {
    let mut recorder = Recorder::new(wall_times().started, Load::OpenLoop);
    for tick in 0..100_000_i64 {
        let rare = if tick % 9_973 == 0 { 20_000 + numbers.below(60_000) } else { 0 };
        let handed_over = 80 + numbers.below(60) + rare;
        let in_bar = handed_over + 4 + numbers.below(5);
        let features = 1_500 + numbers.below(900);
        let order = features + 300 + numbers.below(200);
        let mut record = |span, nanoseconds: i64| {
            recorder.record(Sample { span, nanoseconds: nanoseconds as u64 });
        };
        record(Span::HandOver, handed_over);
        record(Span::TickToBar, in_bar);
        if tick % 1_000 == 0 {
            record(Span::BarToFeatures, features);
        }
        if tick % 10_000 == 0 {
            record(Span::BarToOrder, order);
            record(Span::TickToOrder, in_bar + order);
        }
        if tick % 25_000 == 24_999 {
            recorder.end_interval(Duration::from_millis(tick as u64 / 100));
        }
    }
    let mut latency = recorder.finish(Duration::from_secs(1), 12);
    latency.facts = vec!["no core is isolated".to_owned(), format!("clock source: {HOSTILE}")];
    latency
}

/// The same run as if agents had decided it: a question every five minutes, an entry before each
/// trade.
#[allow(dead_code, reason = "not every test has agents")]
pub fn run_of_agents(days: i64) -> RunRecord {
    let mut run = sample_run(days);
    let mut numbers = Numbers(2);
    run.decided_by = Some(DecidedBy {
        model_set: format!("`{HOSTILE}`"),
        trained: false,
        description: format!("knows {HOSTILE}"),
        backend: "cpu".to_owned(),
        confidence_threshold: 0.8,
    });
    let mut trades = run.trades.iter().peekable();
    for (question, point) in (1..).zip(&run.equity) {
        let mut record = DecisionRecord { question, bar_end: point.time, ..DecisionRecord::EMPTY };
        let trade = trades.next_if(|trade| trade.entry_time <= point.time);
        if question <= 100 && trade.is_none() {
            record.reasons.add(Reason::NotReady);
            run.decisions.push(record);
            continue;
        }
        let mut share = |most: i64| numbers.below(most) as f32 / 100.0;
        let short = trade.is_some_and(|trade| trade.side == Side::Sell);
        record.opportunity = Some(Opportunity {
            direction: if short { Target::Short } else { Target::Long },
            probabilities: [0.25, 0.25, 0.5],
            agents: [[0.25, 0.25, 0.5]; 3],
            votes: [[10, 5, 15], [1, 29, 0], [0, 0, 30]],
            confidence: share(100),
            aleatoric: share(109),
            epistemic: share(30),
            agreement: share(100),
        });
        record.regime_width = 8;
        record.regime[..8].fill_with(|| share(300) - 1.5);
        match trade {
            Some(_) => record.execute = Some(0.75),
            None => record.reasons.add(Reason::Confidence),
        }
        run.decisions.push(record);
    }
    run
}
