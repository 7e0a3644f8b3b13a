//! The machine learning momentum index: how the crossings of two averages that most resembled the
//! present turned out.
//!
//! Definition: Zeiierman, "Machine Learning Momentum Index (MLMI)", TradingView, rebuilt from its
//! published description. Whenever the 5- and the 20-bar weighted averages of the price cross, the
//! smoothed relative strength of that bar over 20 (slow) and 5 (quick) bars is remembered, labelled
//! +1 if the price is at or above that of the crossing before, else −1. On every bar the K
//! remembered crossings nearest to the present in (slow, quick) vote with their labels.
//!
//! The published label looks back: it says how the move that *led to* a crossing turned out, so the
//! index is an oscillator. [`MomentumIndexValues::forward`] is the vote of the same crossings with
//! what came *after* each, as far as it is known: the variant that predicts.

mod crossings;
mod rolling_range;
#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};

use self::crossings::{Crossings, MOST, Newcomer, Vote};
use self::rolling_range::RollingRange;
use super::{
    ExactWeightedAverage, Indicator, RelativeStrengthIndex, SettingOutOfRange, Source, TickBar,
    WeightedAverage,
};
use crate::settings::settings;

/// Lengths in bars of the two averages that cross.
const FAST_AVERAGE: usize = 5;
const SLOW_AVERAGE: usize = 20;
/// Lengths in bars of the two relative strengths.
const QUICK_STRENGTH: usize = 5;
const SLOW_STRENGTH: usize = 20;
/// Length in bars of the average of the vote.
const VOTE_AVERAGE: usize = 20;
/// Bars over which the bands are the extremes of the vote.
const BAND_WINDOW: u64 = 2000;

settings! {
    /// Settings of a [`MomentumIndex`]. The defaults are the published ones, but for the price
    /// and the bounded store.
    #[derive(Copy, Eq)]
    pub struct MomentumIndexSettings {
        /// The price that it looks at.
        pub source: Source = Source::Ohlc4;
        /// Crossings that vote; at most `capacity` (published: "Prediction Data").
        pub neighbours: usize = 200, 1..=MOST, "crossings";
        /// Bars over which the relative strengths are smoothed (published: "Trend Length").
        pub trend_length: usize = 20, 1..=10_000, "bars";
        /// Most crossings remembered, at least `neighbours`; the oldest is forgotten first. The
        /// published script never forgets: a capacity above the number of crossings gives the same.
        pub capacity: usize = 2048, 1..=MOST, "crossings";
    }
}

impl MomentumIndexSettings {
    /// Checks that every setting is in its range.
    ///
    /// # Errors
    /// Naming the first that is not.
    pub fn validate(&self) -> Result<(), SettingOutOfRange> {
        let indicator = "momentum_index";
        SettingOutOfRange::first(indicator, self)?;
        let MomentumIndexSettings { neighbours, capacity, .. } = *self;
        if capacity < neighbours {
            let range = format!("from {neighbours} (neighbours) to {MOST} crossings");
            let value = capacity.to_string();
            return Err(SettingOutOfRange { indicator, setting: "capacity", value, range });
        }
        Ok(())
    }
}

impl MomentumIndexSettings {
    /// The first bar on which the averages can have crossed.
    pub const FIRST_CROSSING: usize = SLOW_AVERAGE;
    /// The first bar that can have bands.
    pub const FIRST_BAND: usize = BAND_WINDOW as usize - 1;

    /// Returns the first bar with a vote: that of the slower relative strength, smoothed.
    pub fn first_vote(&self) -> usize {
        SLOW_STRENGTH + self.trend_length - 1
    }

    /// Returns the first bar with an average of votes.
    pub fn first_vote_average(&self) -> usize {
        self.first_vote() + VOTE_AVERAGE - 1
    }
}

/// The values of one bar. Bars are counted from 0; what is not yet defined is NaN.
///
/// First bars are for the default trend length; for another they move by the difference, except
/// `crossing` and the bands.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MomentumIndexValues {
    /// The vote: a whole number from −K to K (more only by votes that tie with the K-th nearest). 0
    /// while there is no crossing to vote. From bar 39. Column `mlmi`.
    pub vote: f64,
    /// `vote` / min(K, `crossings`): −1 to 1 but for ties. From bar 39 and the first crossing on.
    /// Column `mlmi_norm`.
    pub vote_normalized: f64,
    /// The 20-bar weighted average of `vote`. From bar 58. Column `mlmi_ma`.
    pub vote_average: f64,
    /// The vote with the labels of the crossings that followed; 0 for one that none has followed
    /// yet. From bar 39. Column `mlmi_fwd`.
    pub forward: f64,
    /// `forward` / min(K, `crossings`). From bar 39 and the first crossing on. Column
    /// `mlmi_fwd_norm`.
    pub forward_normalized: f64,
    /// The greatest `vote` of the last 2000 bars. From bar 1999. Column `mlmi_upper`.
    pub upper: f64,
    /// The least `vote` of the last 2000 bars. From bar 1999. Column `mlmi_lower`.
    pub lower: f64,
    /// +1 where the fast average crosses over the slow one, −1 under, else 0. From bar 20. Column
    /// `mlmi_cross`.
    pub crossing: i8,
    /// Crossings remembered. Column `mlmi_n`.
    pub crossings: usize,
    /// The distance of the farthest voter in points of relative strength: how new the present is.
    /// From bar 39. Column `mlmi_radius`.
    pub radius: f64,
}

/// The machine learning momentum index; see the module.
///
/// It allocates nothing after construction. Its serde state holds all of it: a restored index
/// continues with the same bits.
///
/// Two are equal if they give the same values for all later bars. One that began later is equal to
/// the other when all this has passed: the relative strengths have forgotten their beginnings (to
/// the last bit after about 750 bars), the crossings from before have left the store, and then 2000
/// bars.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MomentumIndex {
    settings: MomentumIndexSettings,
    fast_average: ExactWeightedAverage,
    slow_average: ExactWeightedAverage,
    slow_strength: RelativeStrengthIndex,
    quick_strength: RelativeStrengthIndex,
    slow_feature: WeightedAverage,
    quick_feature: WeightedAverage,
    /// Fast minus slow average of the bar before, in 1/210 of a quarter tick.
    difference: Option<i64>,
    /// The price at the last crossing, remembered or not, in quarter ticks.
    crossing_price: Option<i64>,
    crossings: Crossings,
    vote_average: ExactWeightedAverage,
    band: RollingRange,
}

/// The facts of a bar, before the vote.
struct Present {
    /// In quarter ticks.
    price: i64,
    difference: Option<i64>,
    /// The smoothed slow strength, NaN while it is not defined.
    slow: f64,
    /// The smoothed quick strength, as `slow`.
    quick: f64,
}

impl Present {
    /// Returns whether both features are defined.
    fn is_whole(&self) -> bool {
        !self.slow.is_nan() && !self.quick.is_nan()
    }
}

/// The result of a vote, with the store as it is after the bar.
struct Outcome {
    vote: Vote,
    crossings: usize,
}

impl MomentumIndex {
    /// Creates an index without bars.
    ///
    /// # Errors
    /// If a setting is out of its range.
    pub fn new(settings: MomentumIndexSettings) -> Result<MomentumIndex, SettingOutOfRange> {
        settings.validate()?;
        let MomentumIndexSettings { trend_length, capacity, .. } = settings;
        Ok(MomentumIndex {
            settings,
            fast_average: ExactWeightedAverage::new(FAST_AVERAGE),
            slow_average: ExactWeightedAverage::new(SLOW_AVERAGE),
            slow_strength: RelativeStrengthIndex::new(SLOW_STRENGTH),
            quick_strength: RelativeStrengthIndex::new(QUICK_STRENGTH),
            slow_feature: WeightedAverage::new(trend_length),
            quick_feature: WeightedAverage::new(trend_length),
            difference: None,
            crossing_price: None,
            crossings: Crossings::new(capacity),
            vote_average: ExactWeightedAverage::new(VOTE_AVERAGE),
            band: RollingRange::new(BAND_WINDOW),
        })
    }

    /// Returns +1 or −1 if the averages cross on the present bar, else 0.
    fn crossing(&self, present: &Present) -> i8 {
        match (self.difference, present.difference) {
            (Some(before), Some(now)) if now > 0 && before <= 0 => 1,
            (Some(before), Some(now)) if now < 0 && before >= 0 => -1,
            _ => 0,
        }
    }

    /// Returns the vote with the present crossing already remembered, if it can be: one before the
    /// features are defined is not, and only its price counts.
    fn outcome(&self, present: &Present, crossing: i8) -> Option<Outcome> {
        if !present.is_whole() {
            return None;
        }
        let newcomer = (crossing != 0).then(|| Newcomer { label: self.label(present.price) });
        let crossings = match newcomer {
            Some(_) => self.crossings.count_after_next(),
            None => self.crossings.count(),
        };
        let vote =
            self.crossings.vote(present.slow, present.quick, self.settings.neighbours, newcomer);
        Some(Outcome { vote, crossings })
    }

    /// Returns the label of a crossing at `price`.
    fn label(&self, price: i64) -> i8 {
        if self.crossing_price.is_none_or(|before| price >= before) { 1 } else { -1 }
    }

    fn values(
        &self,
        crossing: i8,
        outcome: Option<Outcome>,
        vote_average: f64,
        band: Option<(i64, i64)>,
    ) -> MomentumIndexValues {
        let (upper, lower) = match band {
            Some((greatest, least)) => (greatest as f64, least as f64),
            None => (f64::NAN, f64::NAN),
        };
        let Some(Outcome { vote: Vote { labels, next_labels, square_radius }, crossings }) =
            outcome
        else {
            return MomentumIndexValues {
                vote: f64::NAN,
                vote_normalized: f64::NAN,
                vote_average,
                forward: f64::NAN,
                forward_normalized: f64::NAN,
                upper,
                lower,
                crossing,
                crossings: 0,
                radius: f64::NAN,
            };
        };
        let voters = match crossings.min(self.settings.neighbours) {
            0 => f64::NAN,
            voters => voters as f64,
        };
        MomentumIndexValues {
            vote: labels as f64,
            vote_normalized: labels as f64 / voters,
            vote_average,
            forward: next_labels as f64,
            forward_normalized: next_labels as f64 / voters,
            upper,
            lower,
            crossing,
            crossings,
            radius: square_radius.sqrt(),
        }
    }
}

/// Returns 210 (fast − slow average) from the numerators: 14/210 = 1/15. Exact, so that averages
/// that are equal never cross.
fn difference(fast: Option<i64>, slow: Option<i64>) -> Option<i64> {
    const RATIO: i64 =
        (SLOW_AVERAGE * (SLOW_AVERAGE + 1) / (FAST_AVERAGE * (FAST_AVERAGE + 1))) as i64;
    Some(RATIO * fast? - slow?)
}

/// Returns what follows from a value; NaN while that is NaN.
fn when_defined(value: f64, follow: impl FnOnce(f64) -> f64) -> f64 {
    if value.is_nan() { value } else { follow(value) }
}

impl Indicator for MomentumIndex {
    type Output = MomentumIndexValues;

    fn update(&mut self, bar: &TickBar) -> MomentumIndexValues {
        let price = self.settings.source.quarter_ticks(bar);
        self.fast_average.update(price);
        self.slow_average.update(price);
        let present = Present {
            price,
            difference: difference(self.fast_average.numerator(), self.slow_average.numerator()),
            slow: when_defined(self.slow_strength.update(price), |strength| {
                self.slow_feature.update(strength)
            }),
            quick: when_defined(self.quick_strength.update(price), |strength| {
                self.quick_feature.update(strength)
            }),
        };
        let crossing = self.crossing(&present);
        let outcome = self.outcome(&present, crossing);
        let vote = outcome.as_ref().map(|outcome| outcome.vote.labels);
        let vote_average = vote.map_or(f64::NAN, |vote| self.vote_average.update(vote));
        let band = self.band.update(vote);

        if crossing != 0 {
            if present.is_whole() {
                self.crossings.push(present.slow, present.quick, self.label(price));
            }
            self.crossing_price = Some(price);
        }
        if let Some(outcome) = &outcome {
            self.crossings.expect_near(outcome.vote.square_radius);
        }
        self.difference = present.difference;
        self.values(crossing, outcome, vote_average, band)
    }

    fn peek(&self, bar: &TickBar) -> MomentumIndexValues {
        let price = self.settings.source.quarter_ticks(bar);
        let present = Present {
            price,
            difference: difference(
                self.fast_average.peek_numerator(price),
                self.slow_average.peek_numerator(price),
            ),
            slow: when_defined(self.slow_strength.peek(price), |strength| {
                self.slow_feature.peek(strength)
            }),
            quick: when_defined(self.quick_strength.peek(price), |strength| {
                self.quick_feature.peek(strength)
            }),
        };
        let crossing = self.crossing(&present);
        let outcome = self.outcome(&present, crossing);
        let vote = outcome.as_ref().map(|outcome| outcome.vote.labels);
        let vote_average = vote.map_or(f64::NAN, |vote| self.vote_average.peek(vote));
        self.values(crossing, outcome, vote_average, self.band.peek(vote))
    }

    /// Returns the first bar on which every value is defined, if there was a crossing before it:
    /// 1999, or later for a trend length beyond 1961.
    fn first_valid(&self) -> usize {
        MomentumIndexSettings::FIRST_BAND.max(self.settings.first_vote_average())
    }

    /// Returns whether K crossings are remembered. Until then the vote is the sum of all labels.
    fn is_ready(&self) -> bool {
        self.crossings.count() >= self.settings.neighbours
    }

    fn shift(&mut self, ticks: i64) {
        let quarters = 4 * ticks;
        self.fast_average.shift(quarters);
        self.slow_average.shift(quarters);
        self.slow_strength.shift(quarters);
        self.quick_strength.shift(quarters);
        self.crossing_price = self.crossing_price.map(|price| price + quarters);
    }
}
