//! The thread that keeps results and times.

use std::time::{Duration, Instant};

use rtrb::Consumer;

use super::failure::Failures;
use crate::engine::message::Output;
use crate::engine::sink::Sink;
use crate::latency::{LatencyRecord, Recorder, Sample};
use crate::machine::{Role, Wait, Waiter};

/// Length of an interval of the latency log.
const INTERVAL: Duration = Duration::from_secs(1);

/// Gives `sink` every result and counts every time, until all writers have ended.
pub(super) fn run(
    mut results: Consumer<Output<'static>>,
    mut times: Vec<Consumer<Sample>>,
    sink: &mut impl Sink,
    mut recorder: Recorder,
    wait: Wait,
    failures: &Failures,
) -> LatencyRecord {
    let start = Instant::now();
    let mut interval_end = INTERVAL;
    let mut waiter = Waiter::new(wait);
    let mut has_failed = false;
    loop {
        // Asked before looking, so that the last results are seen.
        let is_last = results.is_abandoned() && times.iter().all(Consumer::is_abandoned);
        let mut found = false;
        let elapsed = start.elapsed();
        // After a failure it keeps taking everything, since no other thread may wait for it.
        let came_through = failures.catch(Role::Metrics, || {
            while let Ok(output) = results.pop() {
                found = true;
                if !has_failed {
                    sink.output(&output);
                }
            }
            for times in &mut times {
                while let Ok(sample) = times.pop() {
                    found = true;
                    if !has_failed {
                        recorder.record(sample);
                    }
                }
            }
            if elapsed >= interval_end && !has_failed {
                recorder.end_interval(elapsed);
                sink.times(&recorder);
                interval_end = elapsed + INTERVAL;
            }
        });
        has_failed = has_failed || !came_through;
        if found {
            waiter.reset();
        } else if is_last {
            return recorder.finish(elapsed, 0);
        } else {
            waiter.wait();
        }
    }
}
