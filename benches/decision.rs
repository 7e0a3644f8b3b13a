//! A decision of the agents: how long it takes, and what of it, on every backend.
//!
//! `cargo bench --bench decision -- [decisions]`: the number of decisions (default 5,000) on a
//! 5-minute close, where the tactical encoder runs, and on a 30-minute close, where all encoders
//! do; with the built-in set, 30 passes, and thresholds at 0, so that both stages run. All of it is
//! on the backend's thread, pinned to one core, as in the pinned pipeline; masks are filled after
//! the answer before, as there. With ONNXRUNTIME_LIBRARY naming the library of ONNX Runtime the
//! same is timed on ONNX Runtime. With DECISION_PEERS_PYTHON set to a Python that has PyTorch and
//! ONNX Runtime, the same graphs are timed there right after.

use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use algospace_hft::agents::model_set::{GraphKind, ModelSet};
use algospace_hft::agents::{AgentSettings, Agents, RiskRules, count_votes};
use algospace_hft::execution::{Account, RiskSettings};
use algospace_hft::inference::{Backend, DropoutMasks};
use algospace_hft::machine::{Machine, pin_current_thread};
use algospace_hft::market::{Bar, Instrument, Money, Price};
use algospace_hft::matrix::MatrixKind;
use algospace_hft::random::Random;
use algospace_hft::strategy::{Levels, Observation, Strategy};
use hdrhistogram::Histogram;

#[allow(dead_code, reason = "every file uses a part of it")]
#[path = "../tests/no_allocation/counting_allocator/mod.rs"]
mod counting_allocator;

#[path = "../tests/it/backends/mod.rs"]
mod backends;

#[global_allocator]
static ALLOCATOR: counting_allocator::Counting = counting_allocator::Counting(count);

/// Allocations of every thread: graphs run on the backend's.
static ALLOCATIONS: AtomicU64 = AtomicU64::new(0);

fn count() {
    ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
}

const PASSES: u32 = 30;
const WARM: u64 = 500;

fn main() {
    let decisions = std::env::args().skip(1).find_map(|word| word.parse().ok()).unwrap_or(5_000);
    let machine = Machine::read();
    let core = machine.cores().next();
    let pin = || core.into_iter().for_each(|core| drop(pin_current_thread(core)));
    println!("{}", machine.summary());
    pin();
    let set = ModelSet::built_in().expect("the set is whole");
    let es = Instrument::built_in("ES").expect("it is built in");
    let settings = AgentSettings {
        passes: PASSES,
        seed: 1,
        confidence_threshold: 0.0,
        maximum_epistemic: 2.0,
        minimum_agreement: 0.0,
        gate_threshold: 0.0,
        rules: RiskRules::new(RiskSettings::default(), &es),
    };
    for backend in backends::backends() {
        println!("\n{} backend", backend.name());
        println!("{:<28}{:>10}{:>10}{:>10}{:>14}", "", "p50, µs", "p99", "p99.9", "allocations");
        backend.together(&mut || {
            pin();
            let agents =
                || Agents::new(&set, Arc::clone(&backend), settings).expect("it was verified");
            whole("decision, 5-minute close", agents(), &set, &[MatrixKind::Tactical], decisions);
            whole("decision, 30-minute close", agents(), &set, &MatrixKind::ALL, decisions);
            graphs(&set, backend.as_ref(), decisions);
        });
    }
    println!();
    masks_and_vote(&set, decisions);
    let passes = PASSES as usize;
    println!(
        "\nfloor: {:.2} and {:.2} million multiply-adds",
        work(false, passes),
        work(true, passes)
    );

    match std::env::var_os("DECISION_PEERS_PYTHON") {
        None => println!("\nDECISION_PEERS_PYTHON is not set: no peers are timed"),
        Some(python) => {
            println!();
            let peers = concat!(env!("CARGO_MANIFEST_DIR"), "/perf/decision_peers.py");
            let status = Command::new(python).arg(peers).status();
            println!("peers: {status:?}");
        }
    }
}

/// Times of something done again and again, which says itself when it is done; what it does then is
/// not timed.
fn timed(name: &str, count: u64, mut work: impl FnMut(u64) -> Instant) {
    let mut times = Histogram::<u64>::new_with_bounds(1, 10_000_000_000, 3).expect("good bounds");
    for number in 0..WARM {
        let _ = work(number);
    }
    let before = ALLOCATIONS.load(Ordering::Relaxed);
    for number in WARM..WARM + count {
        let start = Instant::now();
        let done = work(number);
        times.saturating_record((done - start).as_nanos() as u64);
    }
    let allocations = (ALLOCATIONS.load(Ordering::Relaxed) - before) as f64 / count as f64;
    let at = |quantile| times.value_at_quantile(quantile) as f64 / 1e3;
    println!("{name:<28}{:>10.1}{:>10.1}{:>10.1}{allocations:>14.1}", at(0.5), at(0.99), at(0.999));
}

/// Whole decisions as the seat makes them, each on new rows of some matrices.
fn whole(name: &str, mut agents: Agents, set: &ModelSet, moves: &[MatrixKind], count: u64) {
    let mut random = Random::new(2, 0);
    let mut numbers = [0u64; 4];
    let mut observe = |kinds: &[MatrixKind]| {
        let mut observation = Observation::EMPTY;
        for &kind in kinds {
            numbers[kind as usize] += 1;
            let width = set.manifest().feature_schema.matrices.of(kind).columns.len();
            let cells: Vec<f32> = (0..width).map(|_| random.unit() as f32 * 4.0 - 2.0).collect();
            observation.add(kind, numbers[kind as usize], true, &cells);
        }
        observation.levels = Levels { average_true_range: 4.0, ..Levels::NONE };
        observation
    };
    for _ in 0..100 {
        agents.observe(&observe(&MatrixKind::ALL));
    }
    let account = Account {
        last_price: Price::from_units(4_600_000_000_000),
        equity: Money::from_dollars(100_000),
        day_open: Money::from_dollars(100_000),
        day_high: Money::from_dollars(101_000),
        day_limit: Money::from_dollars(95_950),
        ..Account::default()
    };
    let observations: Vec<Observation> = (0..64).map(|_| observe(moves)).collect();
    let mut fresh = numbers;
    // Rows go on counting where the warm ones ended.
    for kind in MatrixKind::ALL {
        if moves.contains(&kind) {
            fresh[kind as usize] -= 64;
        }
    }
    let mut executed = 0;
    timed(name, count, |number| {
        let mut observation = Observation::EMPTY;
        let row = &observations[number as usize % 64];
        for &kind in moves {
            fresh[kind as usize] += 1;
            observation.add(
                kind,
                fresh[kind as usize],
                true,
                row.row(kind).expect("it is there").cells,
            );
        }
        observation.levels = row.levels;
        agents.observe(&observation);
        let decision = agents.on_bar(&Bar::NONE, number + 1, &account);
        let done = Instant::now();
        executed += u64::from(decision.is_some());
        let record = agents.take_record().expect("it decided");
        assert!(record.execute.is_some(), "{record:?}");
        agents.prepare(number + 2);
        done
    });
    assert!(executed > 0);
}

/// Every graph alone; of an LSTM in two parts the last step, a whole window, and many at once.
fn graphs(set: &ModelSet, backend: &dyn Backend, count: u64) {
    const WINDOWS: usize = 40;
    let mut random = Random::new(3, 0);
    for kind in GraphKind::ALL {
        let mut graph = set.graph(kind, backend, PASSES as usize).expect("it was verified");
        for input in 0..kind.inputs().len() {
            graph.input(input).fill_with(|| random.unit() as f32 * 2.0 - 1.0);
        }
        let is_in_two = matches!(kind, GraphKind::Structure | GraphKind::Tactical);
        let what = if is_in_two { ", last step" } else { "" };
        timed(&format!("  {}{what}", kind.name()), count, |_| {
            graph.run().expect("it runs");
            Instant::now()
        });
        if !is_in_two {
            continue;
        }
        timed(&format!("  {}, whole window", kind.name()), count, |number| {
            // Another oldest row, so that nothing is known of the window.
            graph.input(0)[0] = number as f32 * 1e-6;
            graph.run().expect("it runs");
            Instant::now()
        });
        if let Some(mut many) = set.graph_of_many(kind, backend, WINDOWS).expect("it was verified")
        {
            many.input(0).fill_with(|| random.unit() as f32 * 2.0 - 1.0);
            timed(&format!("  {}, {WINDOWS} windows", kind.name()), count / 10, |number| {
                many.input(0)[0] = number as f32 * 1e-6;
                many.run().expect("it runs");
                Instant::now()
            });
        }
    }
}

/// Measures the work outside of any backend.
fn masks_and_vote(set: &ModelSet, count: u64) {
    let mut random = Random::new(3, 0);
    let widths = set.manifest().dropout.widths;
    let masks = DropoutMasks::new(1, 3, PASSES, widths, 0.2);
    let mut layers = [0, 1].map(|layer| vec![0.0; masks.size(layer)]);
    timed("  masks", count, |number| {
        for (layer, mask) in layers.iter_mut().enumerate() {
            masks.fill(number, layer, mask);
        }
        Instant::now()
    });
    let logits: Vec<f32> = (0..9 * PASSES).map(|_| random.unit() as f32 * 4.0 - 2.0).collect();
    timed("  vote", count, |_| {
        assert!(count_votes(std::hint::black_box(&logits), 1.0).is_some());
        Instant::now()
    });
}

/// Millions of multiply-adds of a decision, by the networks' shapes.
fn work(is_30_minutes: bool, passes: usize) -> f64 {
    let lstm = |rows: usize, columns: usize| rows * 4 * 64 * (columns + 64);
    let core = 3 * 96 * 256 + 3 * passes * (256 * 128 + 128 * 3);
    let small = 23 * 64 + 64 * 64 + 3 * 64 + 153 * 64 + 64 * 32 + 32;
    let encoders = if is_30_minutes {
        // Two layers: four projections, attention over 100 rows, two feed-forward ones.
        let layer = 100 * (4 * 64 * 64 + 2 * 64 * 128) + 2 * 100 * 100 * 64;
        lstm(48, 8) + 100 * 12 * 64 + 2 * layer
    } else {
        0
    };
    (lstm(60, 7) + core + small + encoders) as f64 / 1e6
}
