//! One login after another.

use std::time::Duration;

use super::Plant;
use crate::Monotonic;

/// Lets one link at a time connect and log in, in the order of asking, and the next some time after
/// it: logins of all plants at once have led to forced logouts.
#[derive(Clone, Debug)]
pub struct Logins {
    spacing: Duration,
    holder: Option<Plant>,
    free_at: Monotonic,
    /// The plants that asked, the first first, and the time that each asked last.
    asked: Vec<(Plant, Monotonic)>,
}

impl Logins {
    /// The usual time from the end of a login to the next.
    pub const SPACING: Duration = Duration::from_millis(500);
    /// A plant that does not ask again for this long has lost its place.
    const PATIENCE: Duration = Duration::from_secs(1);

    /// Creates one with that time from the end of a login to the next.
    pub fn new(spacing: Duration) -> Logins {
        Logins { spacing, holder: None, free_at: Monotonic::default(), asked: Vec::new() }
    }

    /// Lets a plant begin, unless another is at it, was a moment ago, or has asked before.
    pub(super) fn begin(&mut self, plant: Plant, now: Monotonic) -> bool {
        self.asked.retain(|(_, asked)| now.since(*asked) <= Self::PATIENCE);
        match self.asked.iter_mut().find(|(other, _)| *other == plant) {
            Some((_, asked)) => *asked = now,
            None => self.asked.push((plant, now)),
        }
        let is_first = self.asked.first().is_some_and(|(first, _)| *first == plant);
        let is_free = self.holder.is_none() && now >= self.free_at && is_first;
        if is_free {
            self.holder = Some(plant);
            self.asked.remove(0);
        }
        is_free
    }

    /// Notes that a plant's login has ended, well or not. Does nothing if it had none.
    pub(super) fn end(&mut self, plant: Plant, now: Monotonic) {
        if self.holder == Some(plant) {
            self.holder = None;
            self.free_at = now.after(self.spacing);
        }
    }
}
