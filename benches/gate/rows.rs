//! The hot stages, each as a row of the gate.
//!
//! A row sets up, gives its work to [`measured`], checks that the work was done, and returns how
//! many operations it was. To add one, write such a function and name it in [`ROWS`]; then write
//! the baseline again, also since another caller of a function may change where the compiler
//! inlines it.

use std::hint::black_box;

use algospace_hft::bars::BarBuilder;
use algospace_hft::engine::Event;
use algospace_hft::engine::pinned::ring::{BATCH, Slot, ring};
use algospace_hft::execution::{
    Bracket, Decision, ExitReason, Order, OrderId, OrderKind, OrderMessage, OrderPort, Purpose,
    Report, ReportKind, Target, Venue,
};
use algospace_hft::features::{FeatureEngine, IndicatorSettings};
use algospace_hft::indicators::TradedVolume;
use algospace_hft::journal::Writer;
use algospace_hft::machine::Wait;
use algospace_hft::market::{
    Bar, Calendar, Instrument, Side, Tick, TickDivision, Timeframe, Timestamp,
};
use algospace_hft::matrix::{FeatureMatrix, MatrixKind, MatrixSettings};
use algospace_hft::source::synthetic::{Generator, Settings, SyntheticMarket, SyntheticSettings};

use crate::measured::measured;
use crate::whole_pipeline::{self, Counts};

/// A name for the baseline, and what is run.
pub type Row = (&'static str, fn() -> u64);

pub const ROWS: [Row; 11] = [
    ("calm tick, whole pipeline", calm_ticks),
    ("tick of a session, whole pipeline", whole_session),
    ("tick, bars of 5 and 30 minutes", bars),
    ("trade into the profile", trades_into_profile),
    ("row of features, 5 minutes", rows_of_5_minutes),
    ("row of features, 30 minutes", rows_of_30_minutes),
    ("a row of each of the three matrices", matrices),
    ("tick, exchange with brackets at work", brackets_at_work),
    ("decision to order, and its cancellation", decisions),
    ("tick into the journal", journal),
    ("tick into the ring and out", ring_hop),
];

/// The first sessions of the market with regimes.
pub fn sessions(days: u32, trades_per_day: u32) -> Vec<Vec<Tick>> {
    let market = SyntheticSettings::new(SyntheticMarket::Regimes, days, trades_per_day);
    let mut generator = Generator::new(Settings::new(market, 1)).expect("a good market");
    let mut ticks = Vec::new();
    let mut sessions = Vec::new();
    while generator.next_session(&mut ticks).is_some() {
        sessions.push(std::mem::take(&mut ticks));
    }
    sessions
}

/// Trades at the last price, a nanosecond apart.
fn calm_ticks() -> u64 {
    let mut pipeline = whole_pipeline::pipeline(&IndicatorSettings::default());
    let mut counts = Counts::default();
    let sessions = sessions(2, 50_000);
    let ticks = sessions[0].iter().chain(&sessions[1][..20_000]);
    ticks.for_each(|tick| pipeline.on_tick(tick, &mut counts));
    let mut calm = vec![sessions[1][19_999]; 10_100];
    (1..).zip(&mut calm).for_each(|(later, tick)| tick.time = tick.time + later);
    let (first, calm) = calm.split_at(100);
    first.iter().for_each(|tick| pipeline.on_tick(tick, &mut counts));
    let bars = counts.bars;
    measured(|| calm.iter().for_each(|tick| pipeline.on_tick(tick, &mut counts)));
    assert_eq!(counts.bars, bars, "a bar closed");
    calm.len() as u64
}

/// A session with all its bars, trades and its end, after another.
fn whole_session() -> u64 {
    let mut pipeline = whole_pipeline::pipeline(&IndicatorSettings::default());
    let mut counts = Counts::default();
    let sessions = sessions(2, 200_000);
    sessions[0].iter().for_each(|tick| pipeline.on_tick(tick, &mut counts));
    let before = counts.trades;
    measured(|| {
        sessions[1].iter().for_each(|tick| pipeline.on_tick(tick, &mut counts));
        pipeline.finish(ExitReason::EndOfData, &mut counts);
    });
    assert!(counts.trades > before, "nothing was traded");
    sessions[1].len() as u64
}

fn bars() -> u64 {
    let sessions = sessions(2, 100_000);
    let mut builder = new_builder();
    let mut volume = 0;
    sessions[0].iter().for_each(|tick| {
        builder.on_tick(tick, &mut |bar| volume += bar.volume);
    });
    let before = volume;
    measured(|| {
        sessions[1].iter().for_each(|tick| {
            builder.on_tick(tick, &mut |bar| volume += bar.volume);
        });
    });
    assert!(volume > before, "no bar closed");
    sessions[1].len() as u64
}

fn trades_into_profile() -> u64 {
    let ticks = sessions(1, 100_000).remove(0);
    let division = new_division();
    let mut traded = TradedVolume::default();
    ticks.iter().for_each(|tick| traded.add(division.ticks(tick.price), tick.size));
    let total = traded.total();
    measured(|| {
        ticks.iter().for_each(|tick| traded.add(division.ticks(tick.price), tick.size));
    });
    assert_eq!(traded.total(), 2 * total);
    ticks.len() as u64
}

fn rows_of_5_minutes() -> u64 {
    let Warm { mut engine, five, .. } = Warm::after(DAYS);
    measured(|| {
        for bar in &five {
            black_box(engine.update(bar, None).expect("a good bar"));
        }
    });
    five.len() as u64
}

fn rows_of_30_minutes() -> u64 {
    let Warm { mut engine, thirty, .. } = Warm::after(DAYS);
    measured(|| {
        for (bar, traded) in &thirty {
            black_box(engine.update(bar, Some(traded)).expect("a good bar"));
        }
    });
    assert_eq!(engine.disagreeing_trades(), 0, "the trades were left aside");
    thirty.len() as u64
}

fn matrices() -> u64 {
    let Warm { engine, five, thirty } = Warm::after(DAYS);
    let [mut at_five, mut at_thirty] = [engine.clone(), engine];
    at_five.update(&five[0], None).expect("a good bar");
    at_thirty.update(&thirty[0].0, Some(&thirty[0].1)).expect("a good bar");
    let matrix = |settings: &MatrixSettings| {
        FeatureMatrix::new(MatrixKind::Structure, settings, at_five.layout())
            .expect("a default matrix")
    };
    let mut structure = matrix(&MatrixSettings::structure());
    let mut tactical = matrix(&MatrixSettings::tactical());
    let mut regime = matrix(&MatrixSettings::regime());
    let mut update =
        || structure.update(&at_thirty) & tactical.update(&at_five) & regime.update(&at_thirty);
    assert!((0..200).all(|_| update()), "a matrix took no row");
    let rows = 1_000;
    measured(|| (0..rows).for_each(|_| assert!(black_box(update()))));
    rows
}

/// An entry with stop and target whenever there is no other.
fn brackets_at_work() -> u64 {
    let sessions = sessions(2, 100_000);
    let mut exchange = whole_pipeline::exchange();
    let mut entries = 0;
    let mut play = |tick: &Tick| {
        exchange.on_tick(tick);
        while let Some(report) = exchange.take_report(tick.time) {
            black_box(report);
        }
        if exchange.orders() == 0 && exchange.position() == 0 {
            entries += 1;
            let side = if entries % 2 == 0 { Side::Buy } else { Side::Sell };
            let bracket = Bracket { stop_loss_ticks: 8, profit_target_ticks: 12 };
            let (kind, purpose) = (OrderKind::Market, Purpose::Entry(bracket));
            let order =
                Order { id: OrderId(entries), contract: 0, side, quantity: 2, kind, purpose };
            exchange.send(OrderMessage::Submit(order), tick.time);
        }
    };
    sessions[0].iter().for_each(&mut play);
    measured(|| sessions[1].iter().for_each(&mut play));
    assert!(entries > 20, "brackets did not end");
    sessions[1].len() as u64
}

/// Limit entries through all rules, cancelled before they fill.
fn decisions() -> u64 {
    struct Sent(Option<OrderId>);
    impl OrderPort for Sent {
        fn send(&mut self, message: OrderMessage, now: Timestamp) {
            if let OrderMessage::Submit(order) = black_box((message, now)).0 {
                self.0 = Some(order.id);
            }
        }
    }
    let last = sessions(1, 1_000)[0][500];
    let mut desk = whole_pipeline::desk();
    desk.on_session_open();
    let mut port = Sent(None);
    desk.on_tick(&last, &mut port);
    let (decisions, mut sent) = (1_000, 0);
    measured(|| {
        for at in 0..decisions {
            let now = last.time + at * Timestamp::SECOND;
            let decision = Decision {
                target: if at % 2 == 0 { Target::Long } else { Target::Short },
                quantity: 2,
                entry: OrderKind::Limit { price: last.price },
                bracket: Bracket { stop_loss_ticks: 16, profit_target_ticks: 32 },
            };
            desk.on_decision(&black_box(decision), now, &mut port);
            if let Some(id) = port.0.take() {
                sent += 1;
                let report = Report { arrives: now, kind: ReportKind::Cancelled(id) };
                desk.on_report(&report, now, &mut port);
            }
        }
    });
    assert_eq!(sent, decisions, "a decision was refused");
    decisions as u64
}

/// Sessions before the one whose bars are taken: 1,380 bars of 30 minutes.
const DAYS: u32 = 30;

/// The features after some sessions, and the bars of the next.
struct Warm {
    engine: FeatureEngine,
    five: Vec<Bar>,
    thirty: Vec<(Bar, TradedVolume)>,
}

impl Warm {
    fn after(days: u32) -> Warm {
        let instrument = Instrument::built_in("ES").expect("built in");
        let (settings, timeframes) = (IndicatorSettings::default(), whole_pipeline::timeframes());
        let mut engine =
            FeatureEngine::new(&settings, &timeframes, &instrument).expect("the defaults are good");
        let (mut five, mut thirty) = (Vec::new(), Vec::new());
        let (mut builder, division) = (new_builder(), new_division());
        let mut traded = TradedVolume::default();
        for (day, ticks) in (0..).zip(sessions(days + 1, 10_000)) {
            let mut take = |bar: &Bar, traded: &mut TradedVolume| {
                let trades = (bar.timeframe == Timeframe::MINUTES_30).then_some(&*traded);
                match trades {
                    _ if day < days => drop(engine.update(bar, trades).expect("a good bar")),
                    None => five.push(*bar),
                    Some(trades) => thirty.push((*bar, trades.clone())),
                }
                if trades.is_some() {
                    traded.clear();
                }
            };
            for tick in &ticks {
                builder.on_tick(tick, &mut |bar| take(bar, &mut traded));
                traded.add(division.ticks(tick.price), tick.size);
            }
            let close = builder.session().close;
            builder.on_session_end(close, &mut |bar| take(bar, &mut traded));
        }
        assert!(five.len() > 200 && thirty.len() > 40);
        Warm { engine, five, thirty }
    }
}

fn new_builder() -> BarBuilder {
    let timeframes = whole_pipeline::timeframes();
    BarBuilder::new(&timeframes, Calendar::CmeEquityIndex, Timestamp::HOUR)
}

fn new_division() -> TickDivision {
    TickDivision::new(Instrument::built_in("ES").expect("built in").tick_size)
}

/// Ticks appended as the journal's thread does, windows and all.
fn journal() -> u64 {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut journal = Writer::create(&folder.path().join("gate.journal"), b"{}").expect("room");
    let ticks = &sessions(1, 100_000)[0];
    measured(|| {
        for (number, tick) in (0..).zip(ticks) {
            journal.append(1, number, bytemuck::bytes_of(tick)).expect("room");
        }
    });
    assert_eq!(journal.finish().expect("room"), ticks.len() as u64);
    ticks.len() as u64
}

/// Batches published and taken by one thread: the instructions of a hop, without its wait.
fn ring_hop() -> u64 {
    let (mut publisher, mut reader, _) = ring(8192, Wait::SpinHint, false);
    let ticks = &sessions(1, 100_000)[0];
    let mut volume = 0;
    measured(|| {
        let mut batch = [Slot::EMPTY; BATCH];
        for ticks in ticks.chunks(BATCH) {
            for (slot, tick) in batch.iter_mut().zip(ticks) {
                slot.event = Event::Tick(*tick);
            }
            publisher.publish(&batch[..ticks.len()], &mut || {});
            let mut slots = reader.take(BATCH as u64).expect("they were published");
            for slot in &mut slots {
                if let Event::Tick(tick) = &slot.event {
                    volume += u64::from(tick.size);
                }
            }
        }
    });
    assert_eq!(volume, ticks.iter().map(|tick| u64::from(tick.size)).sum::<u64>());
    ticks.len() as u64
}
