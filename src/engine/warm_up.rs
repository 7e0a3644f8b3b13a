//! The warm-up of the stages before a live run begins.

use super::message::Event;
use super::sink::Sink;
use super::stages::Pipeline;
use crate::execution::Venue;
use crate::market::Timestamp;
use crate::strategy::Strategy;

/// Takes what happened before a run through the stages, without ending the run: ticks of a file, of
/// journals or of a history, in order of time. Nobody's decision is heard, and nothing is sent. It
/// may be called several times; [`pinned::run`](super::pinned::run) continues with the pipeline.
///
/// Of the events only ticks, timers and gaps are taken: reports, answers and ends are of an earlier
/// run. Afterwards the pipeline is that of a run whose warm-up was configured to end with the last
/// event, bit for bit. [`FeatureStage::missing`](super::FeatureStage::missing) says what it lacks.
pub fn warm<S: Strategy, V: Venue>(
    pipeline: &mut Pipeline<S, V>,
    events: impl IntoIterator<Item = Event>,
    sink: &mut impl Sink,
) {
    pipeline.trading.begin_warm_up();
    pipeline.deciding.strategy.watch_until(Timestamp::MAX);
    for event in events {
        if matches!(event, Event::Tick(_) | Event::Timer(_) | Event::Gap(_)) {
            pipeline.on_event(&event, sink);
        }
    }
    let until = pipeline.trading.end_warm_up();
    pipeline.deciding.strategy.watch_until(until);
}
