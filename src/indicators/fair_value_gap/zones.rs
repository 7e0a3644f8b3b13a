//! The active zones of one side, sorted.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use crate::indicators::TickBar;

/// Of a bar, what gaps are made of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Prices {
    pub high: i64,
    pub low: i64,
    pub close: i64,
}

impl Prices {
    pub fn of(bar: &TickBar) -> Prices {
        Prices { high: bar.high, low: bar.low, close: bar.close }
    }

    /// The bar on a chart turned upside down, where a bearish gap is a bullish one.
    pub fn upside_down(self) -> Prices {
        Prices { high: -self.low, low: -self.high, close: -self.close }
    }

    pub fn shifted(self, ticks: i64) -> Prices {
        Prices { high: self.high + ticks, low: self.low + ticks, close: self.close + ticks }
    }
}

/// An active bullish zone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Zone {
    pub top: i64,
    pub bottom: i64,
    /// The bar that confirmed it.
    pub formed: u64,
    /// The lowest low since it was confirmed. Inside [`Zones`] only of bars on which this zone was the
    /// last: the lowest since it was confirmed is then the least of its own and all behind it.
    lowest: i64,
    /// The low of the one bar after which a newer zone went before this one: it counts for this zone,
    /// and not for the newer one.
    lowest_before_newer: i64,
}

/// The lowest low of no bars.
const NO_LOW: i64 = i64::MAX;

impl Zone {
    pub fn new(top: i64, bottom: i64, formed: u64) -> Zone {
        Zone { top, bottom, formed, lowest: NO_LOW, lowest_before_newer: NO_LOW }
    }

    fn lowest(&self) -> i64 {
        self.lowest.min(self.lowest_before_newer)
    }

    pub fn is_tapped(&self) -> bool {
        self.lowest() <= self.top
    }

    /// How deep prices have come into it, 0 to 1.
    pub fn fill(&self) -> f64 {
        let depth = self.top - self.lowest().clamp(self.bottom, self.top);
        depth as f64 / (self.top - self.bottom) as f64
    }
}

/// The active bullish zones, by rising bottom.
///
/// This is also the order in which they formed, except that neighbours that formed on two bars in a
/// row may be swapped. For a zone that formed two bars ago or before and is still active survived the
/// close of two bars ago, and the bottom of a zone that forms now is the high of two bars ago, which
/// is not below that close. So a new zone goes to the back or one place before it, fills are taken from
/// the back, and the oldest zone is the first or the second.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(from = "SavedZones", into = "SavedZones")]
pub(super) struct Zones {
    /// In bars; 0 = unlimited.
    max_age: u64,
    capacity: usize,
    zones: VecDeque<Zone>,
}

/// [`Zones`] at rest. Read back, they get their whole capacity again.
#[derive(Serialize, Deserialize)]
struct SavedZones {
    max_age: u64,
    capacity: usize,
    zones: Vec<Zone>,
}

impl From<SavedZones> for Zones {
    fn from(saved: SavedZones) -> Zones {
        let mut zones = Zones::new(saved.max_age, saved.capacity);
        zones.zones.extend(saved.zones);
        zones
    }
}

impl From<Zones> for SavedZones {
    fn from(zones: Zones) -> SavedZones {
        let Zones { max_age, capacity, zones } = zones;
        SavedZones { max_age, capacity, zones: zones.into() }
    }
}

/// What one bar does to the zones.
#[derive(Clone, Copy, Debug)]
pub(super) struct Step {
    /// Index of the zone that expires, or makes room.
    dropped: Option<usize>,
    /// Zones filled, which are the last ones.
    pub filled: usize,
    /// The last zone that is neither, with the lowest low since it formed.
    survivor: Option<Zone>,
    /// The zone confirmed.
    pub new: Option<Zone>,
    /// Zones active afterwards.
    pub active: usize,
}

impl Step {
    /// The active zone with the highest bottom; of equals, the newest.
    pub fn nearest(&self) -> Option<Zone> {
        match (self.new, self.survivor) {
            (Some(new), Some(survivor)) if survivor.bottom > new.bottom => Some(survivor),
            (Some(new), _) => Some(new),
            (None, survivor) => survivor,
        }
    }
}

impl Zones {
    pub fn new(max_age: u64, capacity: usize) -> Zones {
        Zones { max_age, capacity, zones: VecDeque::with_capacity(capacity) }
    }

    /// What bar number `now`, which confirms `new`, does.
    pub fn step(&self, bar: Prices, new: Option<Zone>, now: u64) -> Step {
        // At most one zone forms on a bar, so at most one expires, and that makes room enough.
        let dropped = self.oldest().filter(|&oldest| {
            let expired = self.max_age > 0 && now - self.zones[oldest].formed > self.max_age;
            expired || (new.is_some() && self.zones.len() == self.capacity)
        });
        let mut step = Step { dropped, filled: 0, survivor: None, new, active: 0 };
        let mut lowest = bar.low;
        for (index, zone) in self.zones.iter().enumerate().rev() {
            lowest = lowest.min(zone.lowest);
            if dropped == Some(index) {
                continue;
            }
            if zone.bottom <= bar.close {
                step.survivor = Some(Zone { lowest, ..*zone });
                break;
            }
            step.filled += 1;
        }
        step.active = self.zones.len() + usize::from(new.is_some())
            - usize::from(dropped.is_some())
            - step.filled;
        step
    }

    /// Takes a step of the same bar.
    pub fn take(&mut self, step: &Step) {
        if let Some(index) = step.dropped {
            if index > 0 {
                // The zone before it leant on it for the bars since.
                self.zones[0].lowest = self.zones[0].lowest.min(self.zones[1].lowest);
                self.zones.swap(0, 1);
            }
            self.zones.pop_front();
        }
        for _ in 0..step.filled {
            self.zones.pop_back();
        }
        let swaps = match (self.zones.back_mut(), step.survivor) {
            (Some(last), Some(survivor)) => {
                last.lowest = survivor.lowest;
                step.new.is_some_and(|new| last.bottom > new.bottom)
            }
            _ => false,
        };
        let Some(new) = step.new else { return };
        let place = self.zones.len();
        self.zones.push_back(new);
        if swaps {
            self.zones.swap(place - 1, place);
            // The zone that is last again formed a bar ago: this bar's low is all that it knows.
            let last = &mut self.zones[place];
            let low = std::mem::replace(&mut last.lowest, NO_LOW);
            last.lowest_before_newer = low;
            if place >= 2 {
                let before = &mut self.zones[place - 2];
                before.lowest = before.lowest.min(low);
            }
        }
    }

    fn oldest(&self) -> Option<usize> {
        match (self.zones.front()?, self.zones.get(1)) {
            (first, Some(second)) if second.formed < first.formed => Some(1),
            _ => Some(0),
        }
    }

    /// Zones that can be held without allocating.
    #[cfg(test)]
    pub fn room(&self) -> usize {
        self.zones.capacity()
    }

    pub fn shift(&mut self, ticks: i64) {
        for zone in &mut self.zones {
            zone.top += ticks;
            zone.bottom += ticks;
            for lowest in [&mut zone.lowest, &mut zone.lowest_before_newer] {
                if *lowest != NO_LOW {
                    *lowest += ticks;
                }
            }
        }
    }
}
