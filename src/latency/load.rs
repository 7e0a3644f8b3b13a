//! The offered load.

use std::num::NonZeroU64;

use serde::{Deserialize, Serialize};

/// The way in which ticks were offered, which gives a time of the distribution its meaning.
///
/// *Coordinated omission* (Gil Tene): a sender that waits for the last to be done sends
/// nothing during a stall, so that a stall of two seconds counts as one slow sample instead of the
/// thousands that would have waited.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Load {
    /// Every tick had its instant, independent of the ticks before, and its times count from
    /// that instant. Nothing is omitted, so nothing is corrected.
    OpenLoop,
    /// The next tick was sent when there was room for it; its times count from when it was sent.
    ClosedLoop {
        /// Nanoseconds in which the next tick should have been sent: a longer sample of a
        /// span that every tick has stands for those that were not taken meanwhile, and they are
        /// filled in (`recordValueWithExpectedInterval` of the Java original). `None` leaves the
        /// samples as they are, and stalls understated. A stall of the longest time of 60 s
        /// fills in 60 s ÷ this interval.
        expected_interval: Option<NonZeroU64>,
    },
}

impl Load {
    /// Returns a description of the load and its meaning, in one or two sentences.
    pub fn description(self) -> String {
        match self {
            Load::OpenLoop => "Paced load (open loop): times count from the instant at which each \
                               tick was due, so coordinated omission cannot hide a stall."
                .to_owned(),
            Load::ClosedLoop { expected_interval: Some(interval) } => format!(
                "Unpaced load (closed loop), corrected for coordinated omission: a tick was \
                 expected every {interval} ns, and samples of spans that every tick has are filled in for \
                 those that a stall kept from being sent. Counts include them."
            ),
            Load::ClosedLoop { expected_interval: None } => {
                "Unpaced load (closed loop), not corrected for coordinated omission: each tick was \
                 sent when there was room for it, so stalls are understated."
                    .to_owned()
            }
        }
    }
}
