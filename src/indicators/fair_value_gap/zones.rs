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
    #[inline]
    pub(super) fn of(bar: &TickBar) -> Prices {
        Prices { high: bar.high, low: bar.low, close: bar.close }
    }

    /// Returns the bar on a chart turned upside down, where a bearish gap is a bullish one.
    #[inline]
    pub(super) fn upside_down(self) -> Prices {
        Prices { high: -self.low, low: -self.high, close: -self.close }
    }

    pub(super) fn shifted(self, ticks: i64) -> Prices {
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
    /// The lowest low since it was confirmed. Inside [`Zones`] only of bars on which this zone was
    /// the last: the lowest since it was confirmed is then the least of its own and all behind it.
    lowest: i64,
}

/// The lowest low of no bars.
const NO_LOW: i64 = i64::MAX;

impl Zone {
    #[inline]
    pub(super) fn new(top: i64, bottom: i64, formed: u64) -> Zone {
        Zone { top, bottom, formed, lowest: NO_LOW }
    }

    #[inline]
    pub(super) fn is_tapped(&self) -> bool {
        self.lowest <= self.top
    }

    /// Returns the depth that prices have reached in it, 0 to 1.
    #[inline]
    pub(super) fn fill(&self) -> f64 {
        let depth = self.top - self.lowest.max(self.bottom).min(self.top);
        depth as f64 / (self.top - self.bottom) as f64
    }
}

/// The active bullish zones as they formed, which is also by rising bottom.
///
/// For the bottom of a zone that forms now is the high of two bars ago. That is not below the close
/// of two bars ago, which every zone active then survived; and the zone of the bar before now, if
/// there is one, was confirmed only because that close is above its bottom. So a new zone goes to
/// the back, fills are taken from the back, and the oldest zone is in front.
#[derive(Clone, Debug, Serialize, Deserialize)]
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

/// The effect of one bar on the zones.
#[derive(Clone, Copy, Debug)]
pub(super) struct ZoneStep {
    /// `true` if the oldest zone expires, or makes room.
    drops_oldest: bool,
    /// Zones filled, which are the last ones.
    pub filled: usize,
    /// Zones that are neither.
    kept: usize,
    /// The lowest low since the last of them was confirmed.
    lowest: i64,
    /// `true` if a zone is confirmed.
    pub confirms: bool,
}

impl ZoneStep {
    /// Returns the number of zones active afterwards.
    #[inline]
    pub(super) fn active(&self) -> usize {
        self.kept + usize::from(self.confirms)
    }
}

impl Zones {
    pub(super) fn new(max_age: u64, capacity: usize) -> Zones {
        Zones { max_age, capacity, zones: VecDeque::with_capacity(capacity) }
    }

    /// Returns the effect of bar number `now`, which may confirm a zone.
    #[inline]
    pub(super) fn step(&self, bar: Prices, confirms: bool, now: u64) -> ZoneStep {
        // At most one zone forms on a bar, so at most one expires, and that makes room enough.
        let drops_oldest = self.zones.front().is_some_and(|oldest| {
            let expired = self.max_age > 0 && now - oldest.formed > self.max_age;
            expired || (confirms && self.zones.len() == self.capacity)
        });
        let before = self.zones.len() - usize::from(drops_oldest);
        let (mut kept, mut lowest) = (before, bar.low);
        for zone in self.zones.iter().rev().take(before) {
            lowest = lowest.min(zone.lowest);
            if zone.bottom <= bar.close {
                break;
            }
            kept -= 1;
        }
        ZoneStep { drops_oldest, filled: before - kept, kept, lowest, confirms }
    }

    /// Returns the active zone with the highest bottom after a step; of equals, the newest. `new`
    /// is the zone that the bar confirms if it does.
    #[inline]
    pub(super) fn nearest(&self, step: &ZoneStep, new: Zone) -> Option<Zone> {
        if step.confirms {
            return Some(new);
        }
        let last = (step.kept + usize::from(step.drops_oldest)).checked_sub(1)?;
        self.zones
            .get(last)
            .filter(|_| step.kept > 0)
            .map(|zone| Zone { lowest: step.lowest, ..*zone })
    }

    /// Returns the zones from the newest to the oldest, each with the lowest low since it formed.
    pub(super) fn nearest_first(&self) -> impl Iterator<Item = Zone> {
        self.zones.iter().rev().scan(NO_LOW, |lowest, zone| {
            *lowest = zone.lowest.min(*lowest);
            Some(Zone { lowest: *lowest, ..*zone })
        })
    }

    /// Returns the zones as they matter at bar `now`: with their age in place of the bar that
    /// formed them.
    pub(super) fn aged(&self, now: u64) -> impl Iterator<Item = Zone> {
        self.zones.iter().map(move |zone| Zone { formed: now - zone.formed, ..*zone })
    }

    /// Takes a step of the same bar. `new` is the zone that it confirms if it does.
    #[inline]
    pub(super) fn take(&mut self, step: &ZoneStep, new: Zone) {
        if step.drops_oldest {
            self.zones.pop_front();
        }
        self.zones.truncate(step.kept);
        if let Some(last) = self.zones.back_mut() {
            last.lowest = step.lowest;
        }
        if step.confirms {
            debug_assert!(self.zones.back().is_none_or(|last| last.bottom <= new.bottom));
            self.zones.push_back(new);
        }
    }

    /// Returns the number of zones that can be held without allocating.
    #[cfg(test)]
    pub(super) fn room(&self) -> usize {
        self.zones.capacity()
    }

    pub(super) fn shift(&mut self, ticks: i64) {
        for zone in &mut self.zones {
            zone.top += ticks;
            zone.bottom += ticks;
            if zone.lowest != NO_LOW {
                zone.lowest += ticks;
            }
        }
    }
}
