//! Fair value gaps: prices that the market skipped, and that are open until a close passes them.

mod zones;

#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};

use super::{Indicator, SettingOutOfRange, TickBar};
use crate::settings::settings;
use zones::{Prices, Zone, ZoneStep, Zones};

settings! {
    /// Definition of a gap, and limits on how long it is kept.
    #[derive(Copy, Eq)]
    pub struct FairValueGapSettings {
        /// The narrowest gap that counts; 1 is LuxAlgo's strict inequality.
        pub min_gap_ticks: u32 = 1, 1..=10_000, "ticks";
        /// Older zones are dropped; 0 keeps them until they are filled.
        pub max_age: u32 = 276, 0..=u32::MAX, "bars";
        /// Most zones kept on each side; beyond it the oldest is dropped.
        pub capacity: usize = 512, 1..=65_535, "zones";
    }
}

impl FairValueGapSettings {
    /// Checks that every setting is in its range.
    ///
    /// # Errors
    /// Naming the first that is not.
    pub fn validate(&self) -> Result<(), SettingOutOfRange> {
        SettingOutOfRange::first("fair_value_gap", self)
    }
}

/// Bullish and bearish fair value gaps, by the rule of LuxAlgo's "Fair Value Gap".
///
/// With `x[k]` the value `k` bars back, a bullish gap is confirmed at the close of a bar when
/// `low[0] − high[2] ≥ min_gap_ticks` and `close[1] > high[2]`; its zone is `high[2]..low[0]`. It
/// is *tapped* by the first later bar whose low reaches its top, and *filled*, and gone, with the
/// first close below its bottom. Bearish gaps are the same upside down. Each bar, in this order:
/// zones expire, a gap is confirmed, zones are filled, values are taken.
///
/// The nearest zone of a side is the one with the nearest far edge: the highest bottom of the
/// bullish, the lowest top of the bearish; of equals, the newest.
///
/// An update takes amortised constant time and never allocates. [`FairValueGap::is_ready`] is true
/// from the third bar on: a zone from before the first bar cannot be known.
///
/// Two are equal if they give the same values for all later bars: when their bars began makes no
/// difference. With an age limit, one that began later is equal to the other `max_age` + 3 bars
/// after.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct FairValueGap {
    settings: FairValueGapSettings,
    /// Bars taken.
    bars: u64,
    /// The last bar and the one before it; meaningless until they were taken.
    previous: [Prices; 2],
    bull: Zones,
    /// Upside down.
    bear: Zones,
    newest: Option<NewestGap>,
}

/// The gap that was confirmed last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct NewestGap {
    formed: u64,
    /// In ticks; negative if bearish.
    size: i64,
}

/// Values of [`FairValueGap`] at a bar. Prices and distances are in ticks.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct FairValueGapValues {
    /// The gap confirmed with this bar: 1 bullish, −1 bearish, 0 none. Never both.
    pub new: i8,
    /// The bullish side: zones below the price.
    pub bull: FairValueGapSide,
    /// The bearish side: zones above the price.
    pub bear: FairValueGapSide,
    /// Width of the gap confirmed last, in ticks, negative if bearish, even if its zone is gone.
    /// NaN before the first gap, or if it is older than `max_age`.
    pub newest_size: f64,
    /// Bars since that gap was confirmed, 0 with the bar that confirms it; NaN as `newest_size`.
    pub newest_age: f64,
}

impl FairValueGapValues {
    /// Returns the zones filled with this bar, from −1 (only bullish ones, a fall) to 1 (only
    /// bearish ones, a rise): (bearish − bullish) / (bearish + bullish), 0 if none was.
    pub fn net_fills(&self) -> f64 {
        let (bull, bear) = (f64::from(self.bull.filled), f64::from(self.bear.filled));
        if bull + bear == 0.0 { 0.0 } else { (bear - bull) / (bear + bull) }
    }
}

/// One side's zones at a bar. The floats describe the nearest zone and are NaN without a zone.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct FairValueGapSide {
    /// Zones active after this bar.
    pub active: u16,
    /// Zones filled with this bar.
    pub filled: u16,
    /// Upper edge, in ticks.
    pub top: f64,
    /// Lower edge, in ticks.
    pub bottom: f64,
    /// Ticks from the close to the far edge, ≥ 0: close − bottom (bullish), top − close (bearish).
    pub distance: f64,
    /// Bars since it was confirmed: 0 ≤ age ≤ `max_age`.
    pub age: f64,
    /// Depth that prices have reached in it since: 0 untouched, 1 down to the far edge or beyond.
    pub fill: f64,
    /// `true` if a later bar has reached its near edge; false if there is no zone.
    pub tapped: bool,
}

/// A gap that is not filled, for a chart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FairValueGapZone {
    /// Below the price; else bearish, above it.
    pub bullish: bool,
    /// The bar that confirmed it, counted from the first one taken, which is 0.
    pub formed: u64,
    /// Upper edge in ticks.
    pub top: i64,
    /// Lower edge in ticks.
    pub bottom: i64,
    /// `true` if a later bar has reached its near edge.
    pub tapped: bool,
}

/// The effect of one bar on each side, with the zone that it confirms there, if any.
struct Change {
    bull: (ZoneStep, Zone),
    bear: (ZoneStep, Zone),
}

impl PartialEq for FairValueGap {
    fn eq(&self, other: &FairValueGap) -> bool {
        // More than three bars are as good as three, and ages count where bar numbers do not.
        let started = |gaps: &FairValueGap| gaps.bars.min(3);
        let previous =
            |gaps: &FairValueGap| gaps.previous.into_iter().take(gaps.bars.min(2) as usize);
        let newest = |gaps: &FairValueGap| {
            gaps.newest.map(|newest| (gaps.bars - newest.formed, newest.size))
        };
        self.settings == other.settings
            && started(self) == started(other)
            && previous(self).eq(previous(other))
            && newest(self) == newest(other)
            && self.bull.aged(self.bars).eq(other.bull.aged(other.bars))
            && self.bear.aged(self.bars).eq(other.bear.aged(other.bars))
    }
}

impl FairValueGap {
    /// Creates an indicator without bars.
    ///
    /// # Errors
    /// If a setting is out of its range.
    pub fn new(settings: FairValueGapSettings) -> Result<FairValueGap, SettingOutOfRange> {
        settings.validate()?;
        let zones = || Zones::new(u64::from(settings.max_age), settings.capacity);
        Ok(FairValueGap {
            settings,
            bars: 0,
            previous: [Prices::default(); 2],
            bull: zones(),
            bear: zones(),
            newest: None,
        })
    }

    /// Returns all active zones, nearest first: the bullish, then the bearish.
    pub fn zones(&self) -> impl Iterator<Item = FairValueGapZone> {
        let bullish = self.bull.nearest_first().map(|zone| FairValueGapZone {
            bullish: true,
            formed: zone.formed,
            top: zone.top,
            bottom: zone.bottom,
            tapped: zone.is_tapped(),
        });
        let bearish = self.bear.nearest_first().map(|zone| FairValueGapZone {
            bullish: false,
            formed: zone.formed,
            top: -zone.bottom,
            bottom: -zone.top,
            tapped: zone.is_tapped(),
        });
        bullish.chain(bearish)
    }

    #[inline]
    fn change(&self, bar: Prices) -> Change {
        let [previous, before] = self.previous;
        let side = |zones: &Zones, bar: Prices, previous: Prices, before: Prices| {
            let wide = bar.low - before.high >= i64::from(self.settings.min_gap_ticks);
            let confirms = self.bars >= 2 && wide && previous.close > before.high;
            let step = zones.step(bar, confirms, self.bars);
            (step, Zone::new(bar.low, before.high, self.bars))
        };
        Change {
            bull: side(&self.bull, bar, previous, before),
            bear: side(&self.bear, bar.upside_down(), previous.upside_down(), before.upside_down()),
        }
    }

    /// Returns the gap confirmed last, with the bar that brings `change`.
    #[inline]
    fn newest(&self, change: &Change) -> Option<NewestGap> {
        let width = |zone: &Zone| zone.top - zone.bottom;
        if change.bull.0.confirms {
            Some(NewestGap { formed: self.bars, size: width(&change.bull.1) })
        } else if change.bear.0.confirms {
            Some(NewestGap { formed: self.bars, size: -width(&change.bear.1) })
        } else {
            let max_age = u64::from(self.settings.max_age);
            self.newest.filter(|newest| max_age == 0 || self.bars - newest.formed <= max_age)
        }
    }

    #[inline]
    fn values(&self, change: &Change, close: i64) -> FairValueGapValues {
        let bull = self.side(&self.bull, &change.bull, 1, close);
        let bear = self.side(&self.bear, &change.bear, -1, close);
        let newest = self.newest(change);
        FairValueGapValues {
            new: i8::from(change.bull.0.confirms) - i8::from(change.bear.0.confirms),
            bull,
            bear: FairValueGapSide { top: bear.bottom, bottom: bear.top, ..bear },
            newest_size: newest.map_or(f64::NAN, |newest| newest.size as f64),
            newest_age: newest.map_or(f64::NAN, |newest| (self.bars - newest.formed) as i64 as f64),
        }
    }

    /// Returns the values of a side whose zones are kept in `direction`; the far edge as its
    /// bottom.
    #[inline]
    fn side(
        &self,
        zones: &Zones,
        (step, new): &(ZoneStep, Zone),
        direction: i64,
        close: i64,
    ) -> FairValueGapSide {
        let (active, filled) = (step.active() as u16, step.filled as u16);
        match zones.nearest(step, *new) {
            Some(zone) => FairValueGapSide {
                active,
                filled,
                top: (direction * zone.top) as f64,
                bottom: (direction * zone.bottom) as f64,
                distance: (direction * close - zone.bottom) as f64,
                age: (self.bars - zone.formed) as i64 as f64,
                fill: zone.fill(),
                tapped: zone.is_tapped(),
            },
            None => FairValueGapSide {
                active,
                filled,
                top: f64::NAN,
                bottom: f64::NAN,
                distance: f64::NAN,
                age: f64::NAN,
                fill: f64::NAN,
                tapped: false,
            },
        }
    }
}

impl Indicator for FairValueGap {
    type Output = FairValueGapValues;

    #[inline]
    fn update(&mut self, bar: &TickBar) -> FairValueGapValues {
        let prices = Prices::of(bar);
        let change = self.change(prices);
        let values = self.values(&change, bar.close);
        self.newest = self.newest(&change);
        self.bull.take(&change.bull.0, change.bull.1);
        self.bear.take(&change.bear.0, change.bear.1);
        self.previous = [prices, self.previous[0]];
        self.bars += 1;
        values
    }

    #[inline]
    fn peek(&self, bar: &TickBar) -> FairValueGapValues {
        self.values(&self.change(Prices::of(bar)), bar.close)
    }

    fn first_valid(&self) -> usize {
        2
    }

    fn is_ready(&self) -> bool {
        self.bars > 2
    }

    fn shift(&mut self, ticks: i64) {
        self.previous = self.previous.map(|prices| prices.shifted(ticks));
        self.bull.shift(ticks);
        self.bear.shift(-ticks);
    }
}
