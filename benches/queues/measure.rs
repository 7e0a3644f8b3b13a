//! Round trips and throughput of a queue between this thread and one on another core.
//!
//! One-way times are not measured: the cores' counters are some 70 ns apart, as much as a hop
//! takes.

use std::hint::{black_box, spin_loop};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use core_affinity::CoreId;
use hdrhistogram::Histogram;
use quanta::Clock;

use super::{BATCH, Message, Queue, Receive, Send};

/// Round trips before those that count.
const WARM_UP: u64 = 200;

/// The slowest round trip that is told apart, in nanoseconds: a second.
const SLOWEST: u64 = 1_000_000_000;

/// A histogram of nanoseconds.
pub fn nanoseconds() -> Histogram<u64> {
    Histogram::new_with_bounds(1, SLOWEST, 3).expect("the bounds are far enough apart")
}

/// Nanoseconds of `trips` round trips over two queues, one in each direction, to a thread on `core`
/// that sends every message back. A trip begins no sooner than `pace` after the one before it
/// began.
pub fn round_trips<Q: Queue>(
    clock: &Clock,
    core: CoreId,
    trips: u64,
    pace: Duration,
    into: &mut Histogram<u64>,
) {
    let pace = pace.as_nanos() as u64;
    let (mut sender_back, mut receiver_back) = Q::open();
    let (mut sender, thread) = Q::start(core, move |message| sender_back.send(*message));
    let mut last = clock.raw();
    for number in 1..=WARM_UP + trips {
        while clock.delta_as_nanos(last, clock.raw()) < pace {
            spin_loop();
        }
        let start = clock.raw();
        sender.send(Message::new(number));
        let mut came = 0;
        while came != number {
            receiver_back.poll(&mut |message| came = message.number);
        }
        let end = clock.raw();
        if number > WARM_UP {
            into.saturating_record(clock.delta_as_nanos(start, end));
        }
        last = start;
    }
    drop(sender);
    if let Some(thread) = thread {
        thread.join().expect("it only sends back");
    }
}

/// Messages a second to a thread on `core`, sent as fast as they are taken, one by one or in
/// batches.
pub fn throughput<Q: Queue>(clock: &Clock, core: CoreId, messages: u64, in_batches: bool) -> f64 {
    let warm_up = WARM_UP.next_multiple_of(BATCH as u64);
    let last = warm_up + messages.next_multiple_of(BATCH as u64);
    let taken = Arc::new(AtomicU64::new(0));
    let told = Arc::clone(&taken);
    let (mut sum, mut expected) = (0u64, 1);
    let (mut sender, thread) = Q::start(core, move |message| {
        assert_eq!(message.number, expected, "a message was lost");
        expected += 1;
        sum = sum.wrapping_add(message.payload[6]);
        if message.number == warm_up || message.number == last {
            black_box(sum);
            told.store(message.number, Ordering::Release);
        }
    });
    let mut send = |first: u64, last: u64| {
        if in_batches {
            (first..=last).step_by(BATCH).for_each(|first| sender.send_batch(first));
        } else {
            (first..=last).for_each(|number| sender.send(Message::new(number)));
        }
        while taken.load(Ordering::Acquire) < last {
            spin_loop();
        }
    };
    send(1, warm_up);
    let start = clock.raw();
    send(warm_up + 1, last);
    let end = clock.raw();
    drop(sender);
    if let Some(thread) = thread {
        thread.join().expect("it only counts");
    }
    (last - warm_up) as f64 * 1e9 / clock.delta_as_nanos(start, end) as f64
}

/// The median of figures, of which there is at least one.
pub fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures[figures.len() / 2]
}
