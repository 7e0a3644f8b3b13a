//! Time that the machine takes from a thread that only wants to run: interrupts, other threads, the
//! host.
//!
//! A pinned thread reads the time stamp counter as fast as it can. Two reads lie some 10 to 30 ns
//! apart; a gap of more than 1 µs is time that something else had. No pipeline on this core can
//! have a shorter tail than that.
//!
//! `cargo bench --bench jitter -- [seconds] [core]`: that long (default 5 s) on each allowed core,
//! one after the other, or on one. A core is named by its place among the allowed ones, from 0.

use std::process::ExitCode;
use std::thread;
use std::time::Duration;

use algospace_hft::machine::{Core, Machine, pin_current_thread};
use hdrhistogram::Histogram;
use quanta::Clock;

/// A gap of more nanoseconds than this counts as stolen.
const STOLEN: u64 = 1_000;
/// The longest gap that is told apart: ten seconds, in nanoseconds.
const LONGEST: u64 = 10_000_000_000;
/// Number of the largest gaps that are listed.
const LISTED: usize = 5;

fn main() -> ExitCode {
    let mut numbers = std::env::args().skip(1).filter(|word| !word.starts_with("--"));
    let seconds = numbers.next().map_or(Ok(5.0), |word| word.parse::<f64>());
    let core = numbers.next().map(|word| word.parse::<usize>()).transpose();
    let (Ok(seconds), Ok(wanted)) = (seconds, core) else {
        eprintln!("usage: cargo bench --bench jitter -- [seconds] [core]");
        return ExitCode::from(2);
    };
    let Some(duration) = Duration::try_from_secs_f64(seconds).ok().filter(|time| !time.is_zero())
    else {
        eprintln!("{seconds} s is no time to probe; give a number above 0");
        return ExitCode::from(2);
    };
    let machine = Machine::read();
    let cores: Vec<Core> =
        machine.cores().filter(|core| wanted.is_none_or(|index| index == core.index)).collect();
    if cores.is_empty() {
        eprintln!("no such core; this process may use {}", machine.allowed.len());
        return ExitCode::from(2);
    }

    println!("{}", machine.summary());
    for fact in machine.facts() {
        println!("  {fact}");
    }
    println!("\ngaps between two reads of the clock, ns, {seconds} s a core\n");
    println!(
        "{:<16} {:>12} {:>7} {:>7} {:>9} {:>9} {:>10} {:>10} {:>12} {:>9}",
        "", "reads", "p50", "p99", "p99.9", "p99.99", "p99.999", "max", "over 1 us/s", "stolen %"
    );
    let mut largest = Vec::new();
    for core in cores {
        // A thread of its own, since a pinned one could not reach the next core.
        let gaps = thread::spawn(move || {
            let outcome = pin_current_thread(core);
            outcome.is_done().then(|| probe(duration)).ok_or(outcome)
        });
        match gaps.join().expect("the probe does not panic") {
            Ok(gaps) => {
                print(core, &gaps);
                largest.push((core, gaps));
            }
            Err(outcome) => println!("{:<16} {outcome}", core.to_string()),
        }
    }
    println!("\nlargest gaps (at the second of the probe)");
    for (core, gaps) in largest {
        let listed = gaps.largest.iter().map(|gap| {
            format!("{:.1} us ({:.3})", gap.length as f64 / 1e3, gap.start as f64 / 1e9)
        });
        println!("{:<16} {}", core.to_string(), listed.collect::<Vec<_>>().join(", "));
    }
    ExitCode::SUCCESS
}

#[derive(Clone, Copy, Default)]
struct Gap {
    /// Nanoseconds.
    length: u64,
    /// Nanoseconds since the probe began.
    start: u64,
}

struct Gaps {
    histogram: Histogram<u64>,
    /// Descending.
    largest: [Gap; LISTED],
    /// Number of gaps of stolen time, and their nanoseconds together.
    stolen: u64,
    stolen_time: u64,
    /// Nanoseconds of the whole probe.
    elapsed: u64,
}

fn probe(duration: Duration) -> Gaps {
    let clock = Clock::new();
    let mut gaps = Gaps {
        histogram: Histogram::new_with_bounds(1, LONGEST, 3)
            .expect("the bounds are far enough apart"),
        largest: [Gap::default(); LISTED],
        stolen: 0,
        stolen_time: 0,
        elapsed: 0,
    };
    // The first pass brings code and histogram into the caches.
    for seconds in [duration.min(Duration::from_millis(50)), duration] {
        gaps.histogram.reset();
        gaps.largest.fill(Gap::default());
        (gaps.stolen, gaps.stolen_time, gaps.elapsed) = (0, 0, 0);
        let end = seconds.as_nanos() as u64;
        let start = clock.raw();
        let mut before = start;
        while gaps.elapsed < end {
            let now = clock.raw();
            let length = clock.delta_as_nanos(before, now);
            gaps.histogram.saturating_record(length);
            if length > STOLEN {
                gaps.stolen += 1;
                gaps.stolen_time += length;
                let gap = Gap { length, start: clock.delta_as_nanos(start, before) };
                let place = gaps.largest.partition_point(|larger| larger.length >= length);
                if place < LISTED {
                    gaps.largest[place..].rotate_right(1);
                    gaps.largest[place] = gap;
                }
            }
            before = now;
            gaps.elapsed = clock.delta_as_nanos(start, now);
        }
    }
    gaps
}

fn print(core: Core, gaps: &Gaps) {
    let quantile = |quantile| gaps.histogram.value_at_quantile(quantile);
    println!(
        "{:<16} {:>12} {:>7} {:>7} {:>9} {:>9} {:>10} {:>10} {:>12.1} {:>9.3}",
        core.to_string(),
        gaps.histogram.len(),
        quantile(0.5),
        quantile(0.99),
        quantile(0.999),
        quantile(0.9999),
        quantile(0.99999),
        gaps.histogram.max(),
        gaps.stolen as f64 / (gaps.elapsed as f64 / 1e9),
        100.0 * gaps.stolen_time as f64 / gaps.elapsed as f64,
    );
}
