//! The cost of a hop from one core to another: our ring beside `disruptor`, `rtrb` and two
//! channels.
//!
//! `cargo bench --bench hop [-- ROUNDS]` (default 60): two threads pinned to two cores. In every
//! round each queue has its turn, since a virtual machine's cores move nearer to and farther from
//! each other within seconds; ratios are those of one round, and the table shows their medians.
//! Prints tables for `perf/README.md`.
//!
//! A round trip crosses two queues; half of it is a hop. It is timed from sending, at most one a
//! microsecond, so waiting for a slow trip before it does not count.

use std::time::Duration;

use core_affinity::CoreId;
use hdrhistogram::Histogram;
use quanta::Clock;

use queues::channels::{Crossbeam, Standard};
use queues::disruptors::{Handler, Poller};
use queues::measure::{median, nanoseconds, round_trips, throughput};
use queues::ours::Ours;
use queues::rtrb_queue::Rtrb;
use queues::{BATCH, CAPACITY, Message, Queue};

mod queues;

/// Round trips of each queue in a round.
const TRIPS: u64 = 2_000;

/// A round trip begins no sooner after the one before.
const PACE: Duration = Duration::from_micros(1);

/// Messages of each queue in a round, in a row.
const MESSAGES: u64 = 100_000;

/// A queue, and what was seen of it.
struct Contender {
    name: &'static str,
    batches: bool,
    round_trips: fn(&Clock, CoreId, u64, Duration, &mut Histogram<u64>),
    throughput: fn(&Clock, CoreId, u64, bool) -> f64,
    /// Nanoseconds of all round trips.
    all: Histogram<u64>,
    /// Of each round: the median and the 99th percentile of its round trips.
    p50: Vec<f64>,
    p99: Vec<f64>,
    /// Of each round: messages a second, one by one and in batches.
    single: Vec<f64>,
    batched: Vec<f64>,
}

impl Contender {
    fn of<Q: Queue>() -> Contender {
        Contender {
            name: Q::NAME,
            batches: Q::BATCHES,
            round_trips: round_trips::<Q>,
            throughput: throughput::<Q>,
            all: nanoseconds(),
            p50: Vec::new(),
            p99: Vec::new(),
            single: Vec::new(),
            batched: Vec::new(),
        }
    }

    fn play_round(&mut self, clock: &Clock, core: CoreId) {
        let mut round = nanoseconds();
        (self.round_trips)(clock, core, TRIPS, PACE, &mut round);
        self.p50.push(round.value_at_quantile(0.5) as f64);
        self.p99.push(round.value_at_quantile(0.99) as f64);
        self.all.add(&round).expect("both have the same bounds");
        self.single.push((self.throughput)(clock, core, MESSAGES, false));
        if self.batches {
            self.batched.push((self.throughput)(clock, core, MESSAGES, true));
        }
    }
}

fn main() {
    let rounds = std::env::args().skip(1).find_map(|word| word.parse().ok()).unwrap_or(60usize);
    let Some([here, there]) = queues::two_cores() else {
        println!("SKIPPED: a hop needs two cores, and this process may use one");
        return;
    };
    queues::pin(here);
    let clock = Clock::new();
    // The first is what the others are measured by.
    let mut contenders = [
        Contender::of::<Handler>(),
        Contender::of::<Poller>(),
        Contender::of::<Ours>(),
        Contender::of::<Rtrb>(),
        Contender::of::<Crossbeam>(),
        Contender::of::<Standard>(),
    ];
    for round in 0..rounds {
        // Each begins a round in turn, so that none always follows the same other.
        for turn in 0..contenders.len() {
            let turn = (round + turn) % contenders.len();
            contenders[turn].play_round(&clock, there);
        }
    }
    report(&contenders, rounds);
}

fn report(contenders: &[Contender], rounds: usize) {
    let (size, raw) = (size_of::<Message>(), &contenders[0]);
    println!(
        "{rounds} rounds of {TRIPS} round trips and of {MESSAGES} messages, {size} bytes each, {CAPACITY} slots. \
         × is the median of the rounds' ratios to `{}`.\n",
        raw.name
    );
    println!("| round trip, ns | p50 | p99 | p99.9 | p50 × | p99 × |");
    println!("| --- | --- | --- | --- | --- | --- |");
    for contender in contenders {
        let at = |quantile| contender.all.value_at_quantile(quantile);
        println!(
            "| {} | {} | {} | {} | {:.2} | {:.2} |",
            contender.name,
            at(0.5),
            at(0.99),
            at(0.999),
            median_ratio(&contender.p50, &raw.p50),
            median_ratio(&contender.p99, &raw.p99),
        );
    }
    println!("\n| M messages a second | one by one | × | in batches of {BATCH} | × |");
    println!("| --- | --- | --- | --- | --- |");
    for contender in contenders {
        print!(
            "| {} | {:.1} | {:.2} ",
            contender.name,
            median(contender.single.clone()) / 1e6,
            median_ratio(&contender.single, &raw.single),
        );
        if contender.batches {
            println!(
                "| {:.1} | {:.2} |",
                median(contender.batched.clone()) / 1e6,
                median_ratio(&contender.batched, &raw.batched),
            );
        } else {
            println!("| | |");
        }
    }
}

fn median_ratio(figures: &[f64], yardstick: &[f64]) -> f64 {
    median(figures.iter().zip(yardstick).map(|(figure, yardstick)| figure / yardstick).collect())
}
