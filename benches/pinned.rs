//! The pinned runner: ticks a second as fast as they are taken, and latencies of a paced load.
//!
//! `cargo bench --bench pinned -- [days]`: that many days of the synthetic regimes market (default
//! 10, some 3.7 million ticks). Layouts alternate with the inline runner on the same ticks; medians
//! of the runs. The sequencer and the stages are pinned to the first two cores that this process
//! may use; the other threads go where the system puts them.

use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use algospace_hft::engine::pinned::{
    Feed, Pace, Paced, PinnedSettings, Recorded, ThreadLayout, Wiring, run,
};
use algospace_hft::engine::{FeatureStage, RunJournal};
use algospace_hft::features::IndicatorSettings;
use algospace_hft::latency::{LatencyRecord, Load};
use algospace_hft::machine::{Machine, Placed, Role, Wait};
use algospace_hft::market::Tick;
use algospace_hft::run::JournalHeader;
use algospace_hft::source::native::TickFile;
use algospace_hft::source::synthetic::{Settings, SyntheticSettings, write_file};
use whole_pipeline::Counts;

mod whole_pipeline;

const RUNS: usize = 5;

/// A spinning thread needs a core of its own, and two are enough for one layout only.
const LAYOUTS: [(ThreadLayout, Wait); 4] = [
    (ThreadLayout::Fused, Wait::SpinHint),
    (ThreadLayout::Fused, Wait::Adaptive),
    (ThreadLayout::DecisionApart, Wait::Adaptive),
    (ThreadLayout::AllApart, Wait::Adaptive),
];

fn main() {
    let days = std::env::args().skip(1).find_map(|word| word.parse().ok()).unwrap_or(10);
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("pinned.ticks");
    let market = SyntheticSettings { days, ..SyntheticSettings::default() };
    write_file(Settings::new(market, 1), &path, &AtomicBool::new(false), |_, _| {})
        .expect("a market");
    let file = TickFile::open(&path).expect("the file just written");
    let ticks = file.ticks();
    let machine = Machine::read();
    println!("{} on {}\n", machine.summary(), machine.facts().join(", "));

    let journal = || {
        let path = folder.path().join("run.journal");
        let header = JournalHeader {
            version: String::new(),
            seed: 0,
            input: String::new(),
            description: file.description().clone(),
            notes: Vec::new(),
            configuration: String::new(),
            model_set: None,
            has_answers: true,
            trades_from: None,
            follows: None,
        };
        header.begin(&path).expect("room")
    };
    throughput(ticks, &machine, &journal);
    latency(ticks, &machine);
}

fn throughput(ticks: &[Tick], machine: &Machine, journal: &dyn Fn() -> RunJournal) {
    let mut rows: Vec<(String, Vec<Duration>)> = Vec::new();
    let mut note = |name: String, took: Duration| match rows.iter_mut().find(|row| row.0 == name) {
        Some((_, times)) => times.push(took),
        None => rows.push((name, vec![took])),
    };
    for _ in 0..RUNS {
        let start = Instant::now();
        whole_pipeline::run(ticks, &IndicatorSettings::default());
        note("inline".to_owned(), start.elapsed());
        for (layout, wait) in LAYOUTS {
            for with_journal in [false, true] {
                let kept = with_journal.then(journal);
                let settings = settings(layout, with_journal, machine, wait, closed());
                let (elapsed, _) = once(ticks, Recorded::new(ticks), &settings, kept);
                let journal = if with_journal { ", journal" } else { "" };
                note(format!("{layout:?}, {wait}{journal}"), elapsed);
            }
        }
    }
    println!("{} ticks as fast as they are taken, medians of {RUNS}\n", ticks.len());
    println!("| runner | M ticks/s | ns a tick |\n| --- | --- | --- |");
    for (name, mut times) in rows {
        times.sort_unstable();
        let median = times[RUNS / 2].as_secs_f64();
        let ticks = ticks.len() as f64;
        println!("| {name} | {:.1} | {:.1} |", ticks / median / 1e6, median * 1e9 / ticks);
    }
}

/// Forty ticks within each millisecond of work, every 2 ms; a tenth of the ticks.
fn latency(ticks: &[Tick], machine: &Machine) {
    for (layout, wait) in LAYOUTS {
        let ticks = &ticks[..ticks.len() / 10];
        let pace = Pace::Bursts { ticks: 40, every: 2_000_000 };
        let settings = settings(layout, false, machine, wait, Load::OpenLoop);
        let feed = Paced::new(ticks, pace, quanta::Clock::new());
        let (_, latency) = once(ticks, feed, &settings, None);
        println!(
            "\n{layout:?}, waiting by {wait}, bursts of 40 ticks in a millisecond, 2 ms apart\n"
        );
        println!(
            "| span | count | p50 | p90 | p99 | p99.9 | max |\n| --- | --- | --- | --- | --- | --- | --- |"
        );
        for span in &latency.spans {
            let at = |quantile| span.histogram.value_at_quantile(quantile);
            println!(
                "| {} | {} | {} | {} | {} | {} | {} |",
                span.span.name(),
                span.histogram.len(),
                at(0.5),
                at(0.9),
                at(0.99),
                at(0.999),
                span.histogram.max()
            );
        }
        println!("\nnanoseconds; {} samples lost", latency.dropped);
    }
}

fn once(
    ticks: &[Tick],
    feed: impl Feed,
    settings: &PinnedSettings,
    journal: Option<RunJournal>,
) -> (Duration, LatencyRecord) {
    let mut results = Counts::default();
    let wiring = Wiring {
        feed,
        results: &mut results,
        on_features: &mut |_: &FeatureStage| {},
        journal,
        log: &|_| {},
    };
    let stages = whole_pipeline::pipeline(&IndicatorSettings::default());
    let done = run(stages, wiring, settings, &AtomicBool::new(false), &mut |_| {})
        .expect("no thread fails");
    assert_eq!(done.ticks, ticks.len() as u64);
    (done.elapsed, done.latency)
}

fn closed() -> Load {
    Load::ClosedLoop { expected_interval: None }
}

fn settings(
    layout: ThreadLayout,
    with_journal: bool,
    machine: &Machine,
    wait: Wait,
    load: Load,
) -> PinnedSettings {
    let cores: Vec<_> = machine.cores().collect();
    let placed = |role| match role {
        Role::Sequencer => Placed { role, core: cores.first().copied(), wait },
        Role::Stages => Placed { role, core: cores.get(1).copied(), wait },
        Role::Features | Role::Decision | Role::Links => {
            Placed { role, core: None, wait: Wait::Adaptive }
        }
        Role::Journal | Role::Metrics => Placed { role, core: None, wait: Wait::Sleep },
    };
    PinnedSettings {
        layout,
        ring_slots: 8192,
        queue_slots: 8192,
        threads: layout.roles(with_journal).into_iter().map(placed).collect(),
        shared: Vec::new(),
        real_time_priority: None,
        sample_every: 64,
        load,
        decision_budget: std::time::Duration::from_millis(20),
    }
}
