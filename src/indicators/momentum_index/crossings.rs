//! The crossings remembered, and the vote of those nearest to a point.

use std::collections::VecDeque;
use std::ops::Range;

use serde::{Deserialize, Serialize};

/// The memory of one crossing of the averages.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Crossing {
    /// Smoothed slow RSI at the crossing, 0 to 100.
    pub slow: f64,
    /// Smoothed quick RSI at the crossing, 0 to 100.
    pub quick: f64,
    /// +1 if the price was at or above that of the crossing before, else -1; 0 only in the
    /// sentinel.
    pub label: i8,
    /// The label of the crossing after this one, 0 while that is not known.
    pub next_label: i8,
}

impl Crossing {
    /// The point without a label with which the published definition begins its store.
    const SENTINEL: Crossing = Crossing { slow: 0.0, quick: 0.0, label: 0, next_label: 0 };

    fn is_sentinel(&self) -> bool {
        self.label == 0
    }

    /// Returns 1, `next_label` + 1 and `label` + 1 side by side in one number, so that one addition
    /// counts a point and adds both its labels.
    fn ballot(&self) -> u64 {
        let shifted = |label: i8| (i64::from(label) + 1) as u64;
        1 << (2 * FIELD) | shifted(self.next_label) << FIELD | shifted(self.label)
    }
}

/// Bits of a ballot's label fields. A sum of 2^20 labels of at most 2 stays below 2^21.
const FIELD: u32 = 21;

/// The most crossings that can be remembered.
pub(super) const MOST: usize = 1 << 20;

/// The vote of the nearest crossings.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Vote {
    /// Sum of their labels.
    pub labels: i64,
    /// Sum of their next labels.
    pub next_labels: i64,
    /// Square of the distance of the farthest of them.
    pub square_radius: f64,
}

/// A crossing on the bar that asks for a vote: it votes already, though it is not yet remembered.
/// Its distance is zero.
#[derive(Clone, Copy, Debug)]
pub(super) struct Newcomer {
    /// Its label, +1 or -1.
    pub label: i8,
}

/// The latest crossings, up to a limit; the oldest makes place for the newest.
///
/// They are held twice: in the order of time, and as columns in the order of the quick feature,
/// whose values spread most. A vote looks only at the strip of columns that is near enough in that
/// feature.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(into = "Remembered", try_from = "Remembered")]
pub(super) struct Crossings {
    capacity: usize,
    in_time: VecDeque<Crossing>,
    quick: Vec<f64>,
    slow: Vec<f64>,
    ballots: Vec<u64>,
    /// First guess of the search, without influence on any result.
    expected_square_radius: f64,
    last_square_radius: f64,
}

/// The columns follow from these, and the order of equals in them changes no sum.
impl PartialEq for Crossings {
    fn eq(&self, other: &Crossings) -> bool {
        self.capacity == other.capacity && self.in_time == other.in_time
    }
}

/// The saved part of [`Crossings`]; the rest follows from it.
#[derive(Serialize, Deserialize)]
struct Remembered {
    capacity: usize,
    crossings: Vec<Crossing>,
}

/// A saved state that no store ever had.
#[derive(Debug, thiserror::Error)]
#[error("momentum index: the saved crossings are damaged; replay the history instead")]
struct Damaged;

impl From<Crossings> for Remembered {
    fn from(crossings: Crossings) -> Remembered {
        Remembered { capacity: crossings.capacity, crossings: crossings.in_time.into() }
    }
}

impl TryFrom<Remembered> for Crossings {
    type Error = Damaged;

    fn try_from(remembered: Remembered) -> Result<Crossings, Damaged> {
        let Remembered { capacity, crossings } = remembered;
        let possible = |crossing: &Crossing| {
            // An average may exceed the strengths it is of by rounding.
            (-1.0..=101.0).contains(&crossing.slow)
                && (-1.0..=101.0).contains(&crossing.quick)
                && crossing.label.abs() <= 1
                && crossing.next_label.abs() <= 1
        };
        if capacity > MOST
            || crossings.is_empty()
            || crossings.len() > capacity
            || !crossings.iter().all(possible)
        {
            return Err(Damaged);
        }
        let mut whole = Crossings::empty(capacity);
        for crossing in crossings {
            whole.in_time.push_back(crossing);
            whole.insert(&crossing);
        }
        Ok(whole)
    }
}

/// Candidates that a search sorts at once.
const CANDIDATES: usize = 256;

/// Lower end of the first search for a square radius, in parts of the expected one.
const LOWER: f64 = 0.84;
const UPPER: f64 = 1.19;

/// Largest error, as a factor, of a square radius that is estimated from a band that missed it.
const ESTIMATE: f64 = 1.12;

/// Estimates before all that is left is searched.
const ESTIMATES: u32 = 4;

/// Points whose square distance lies in a band, and the ballots of all nearer ones.
struct Band {
    low: f64,
    high: f64,
    /// Sum of the ballots of points below `low`.
    nearer: u64,
    /// Points in the band.
    found: usize,
    /// These, as long as they do not fill it: the last place is written also for points outside.
    candidates: [(f64, u64); CANDIDATES],
}

impl Band {
    fn new() -> Band {
        Band { low: 0.0, high: 0.0, nearer: 0, found: 0, candidates: [(0.0, 0); CANDIDATES] }
    }
}

impl Crossings {
    /// Creates a store of at most `capacity` crossings that holds only the sentinel.
    pub(super) fn new(capacity: usize) -> Crossings {
        let mut crossings = Crossings::empty(capacity);
        crossings.in_time.push_back(Crossing::SENTINEL);
        crossings.insert(&Crossing::SENTINEL);
        crossings
    }

    fn empty(capacity: usize) -> Crossings {
        Crossings {
            capacity,
            in_time: VecDeque::with_capacity(capacity),
            quick: Vec::with_capacity(capacity),
            slow: Vec::with_capacity(capacity),
            ballots: Vec::with_capacity(capacity),
            expected_square_radius: 1.0,
            last_square_radius: 1.0,
        }
    }

    /// Returns the number of crossings remembered, without the sentinel.
    pub(super) fn count(&self) -> usize {
        self.in_time.len() - usize::from(self.in_time.front().is_some_and(Crossing::is_sentinel))
    }

    /// Returns [`Crossings::count`] after one more crossing.
    pub(super) fn count_after_next(&self) -> usize {
        (self.count() + 1).min(self.capacity)
    }

    /// Remembers a crossing, whose label is the outcome of the one before. Forgets the oldest point
    /// if there is no more place.
    pub(super) fn push(&mut self, slow: f64, quick: f64, label: i8) {
        if let Some(&last) = self.in_time.back()
            && !last.is_sentinel()
        {
            let position = self.position(&last);
            let known = Crossing { next_label: label, ..last };
            self.ballots[position] = known.ballot();
            *self.in_time.back_mut().expect("seen above") = known;
        }
        if self.in_time.len() == self.capacity
            && let Some(oldest) = self.in_time.pop_front()
        {
            let position = self.position(&oldest);
            self.quick.remove(position);
            self.slow.remove(position);
            self.ballots.remove(position);
        }
        let crossing = Crossing { slow, quick, label, next_label: 0 };
        self.in_time.push_back(crossing);
        self.insert(&crossing);
    }

    fn insert(&mut self, crossing: &Crossing) {
        let position = self.quick.partition_point(|&quick| quick < crossing.quick);
        self.quick.insert(position, crossing.quick);
        self.slow.insert(position, crossing.slow);
        self.ballots.insert(position, crossing.ballot());
    }

    /// Returns the place in the columns of a remembered crossing, or of one equal to it in
    /// everything.
    fn position(&self, crossing: &Crossing) -> usize {
        let first = self.quick.partition_point(|&quick| quick < crossing.quick);
        let ballot = crossing.ballot();
        let offset = self.slow[first..]
            .iter()
            .zip(&self.ballots[first..])
            .position(|(&slow, &other)| slow == crossing.slow && other == ballot);
        first + offset.expect("what is remembered is in the columns")
    }

    /// Returns the vote of the `neighbours` (≥ 1) points nearest to (`slow`, `quick`), and of all
    /// others that are exactly as far as the farthest of these; of all points if they are fewer.
    ///
    /// With a `newcomer` it is the vote after [`Crossings::push`] of that crossing at this point.
    pub(super) fn vote(
        &self,
        slow: f64,
        quick: f64,
        neighbours: usize,
        newcomer: Option<Newcomer>,
    ) -> Vote {
        let Some(Newcomer { label }) = newcomer else {
            return self.vote_of_others(slow, quick, neighbours, None);
        };
        let oldest = self.in_time.front().filter(|_| self.in_time.len() == self.capacity);
        let forgotten = oldest.map(|oldest| self.position(oldest));
        let others = self.in_time.len() - usize::from(forgotten.is_some());
        // The newcomer is the nearest of all, so that one neighbour less is sought among the
        // others.
        let mut vote = if neighbours == 1 || others == 0 {
            self.vote_within(slow, quick, 0.0, forgotten)
        } else {
            self.vote_of_others(slow, quick, neighbours - 1, forgotten)
        };
        vote.labels += i64::from(label);
        // The newcomer's label is the next label of the crossing before, unless that goes now.
        if let Some(last) = self.in_time.back()
            && !last.is_sentinel()
            && (forgotten.is_none() || self.in_time.len() > 1)
            && square_distance(last.slow - slow, last.quick - quick) <= vote.square_radius
        {
            vote.next_labels += i64::from(label);
        }
        vote
    }

    /// Tells where to look first in the next vote: this bar's square radius, and on as it last
    /// moved.
    pub(super) fn expect_near(&mut self, square_radius: f64) {
        let growth = square_radius / self.last_square_radius.max(f64::MIN_POSITIVE);
        self.expected_square_radius = square_radius * growth.clamp(0.5, 2.0);
        self.last_square_radius = square_radius;
    }

    /// Returns the vote of all points up to `square_radius`, but the one at `skipped`.
    fn vote_within(
        &self,
        slow: f64,
        quick: f64,
        square_radius: f64,
        skipped: Option<usize>,
    ) -> Vote {
        let mut band = Band { low: square_radius.next_up(), high: square_radius, ..Band::new() };
        self.fill(&mut band, slow, quick, skipped);
        Vote::new(band.nearer, square_radius)
    }

    /// Returns the vote of all points but the one at `skipped`. There must be another.
    fn vote_of_others(
        &self,
        slow: f64,
        quick: f64,
        neighbours: usize,
        skipped: Option<usize>,
    ) -> Vote {
        let points = self.in_time.len() - usize::from(skipped.is_some());
        let neighbours = neighbours.min(points);
        // The square radius lies in `floor..=ceiling`, and is sought in the band.
        let (mut floor, mut ceiling) = (0.0_f64, f64::MAX);
        let mut band = Band::new();
        (band.low, band.high) =
            (self.expected_square_radius * LOWER, self.expected_square_radius * UPPER);
        let mut estimates = 0;
        loop {
            self.fill(&mut band, slow, quick, skipped);
            let nearer = count(band.nearer);
            let within = nearer + band.found;
            if nearer >= neighbours || within < neighbours {
                // Points lie about evenly, so their number grows with the square radius.
                let expected = if nearer >= neighbours {
                    ceiling = band.low.next_down();
                    band.low * (neighbours as f64 / nearer as f64)
                } else {
                    floor = band.high.next_up();
                    band.high * (neighbours as f64 / within.max(1) as f64)
                };
                (band.low, band.high) = (floor, ceiling);
                if estimates < ESTIMATES {
                    estimates += 1;
                    band.low = (expected / ESTIMATE).max(floor).min(ceiling);
                    band.high = (expected * ESTIMATE).max(floor).min(ceiling);
                }
            } else if band.found < CANDIDATES {
                let candidates = &mut band.candidates[..band.found];
                let nearest = |a: &(f64, u64), b: &(f64, u64)| a.0.total_cmp(&b.0);
                let last = neighbours - nearer - 1;
                let square_radius = candidates.select_nth_unstable_by(last, nearest).1.0;
                let within = candidates.iter().filter(|candidate| candidate.0 <= square_radius);
                let ballots = within.fold(band.nearer, |sum, candidate| sum + candidate.1);
                return Vote::new(ballots, square_radius);
            } else if band.low == band.high {
                return self.vote_within(slow, quick, band.low, skipped);
            } else {
                // Too many candidates: halve the band. Floats that are not negative are in the
                // order of their bits, so this ends.
                (floor, ceiling) = (band.low, band.high);
                band.high = f64::from_bits(band.low.to_bits().midpoint(band.high.to_bits()));
            }
        }
    }

    /// Finds the points in a band and sums the nearer ones, without the one at `skipped`.
    fn fill(&self, band: &mut Band, slow: f64, quick: f64, skipped: Option<usize>) {
        (band.nearer, band.found) = (0, 0);
        // A square distance, rounded, is never below the rounded square of its quick part alone:
        // what is left out here lies beyond the band exactly.
        let high = band.high;
        let too_far = |other: f64| (other - quick) * (other - quick) > high;
        let start = self.quick.partition_point(|&other| (other < quick) & too_far(other));
        let length =
            self.quick[start..].partition_point(|&other| (other <= quick) | !too_far(other));
        let end = start + length;
        match skipped.filter(|skipped| (start..end).contains(skipped)) {
            None => self.fill_from(band, slow, quick, start..end),
            Some(skipped) => {
                self.fill_from(band, slow, quick, start..skipped);
                self.fill_from(band, slow, quick, skipped + 1..end);
            }
        }
    }

    fn fill_from(&self, band: &mut Band, slow: f64, quick: f64, strip: Range<usize>) {
        let slows = &self.slow[strip.clone()];
        let quicks = &self.quick[strip.clone()];
        let ballots = &self.ballots[strip];
        let Band { low, high, mut nearer, mut found, .. } = *band;
        // Floats that are not negative are in the order of their bits, and whole numbers are
        // compared without branches, which would often be mispredicted.
        let width = high.to_bits().wrapping_sub(low.to_bits());
        let mut squares = [0.0; BLOCK];
        let blocks = slows.chunks(BLOCK).zip(quicks.chunks(BLOCK)).zip(ballots.chunks(BLOCK));
        for ((slows, quicks), ballots) in blocks {
            // First what the processor can do for several points at once, then the rest.
            let places = squares.iter_mut().zip(slows).zip(quicks).zip(ballots);
            for (((square, &other_slow), &other_quick), &ballot) in places {
                *square = square_distance(other_slow - slow, other_quick - quick);
                nearer += if *square < low { ballot } else { 0 };
            }
            for (&square, &ballot) in squares.iter().zip(ballots) {
                // Written always and kept only if it is in the band: a branch would often be
                // mispredicted.
                band.candidates[found % CANDIDATES] = (square, ballot);
                found += usize::from(square.to_bits().wrapping_sub(low.to_bits()) <= width);
            }
        }
        (band.nearer, band.found) = (nearer, found);
    }
}

/// Points whose distances are computed together.
const BLOCK: usize = 64;

impl Vote {
    fn new(ballots: u64, square_radius: f64) -> Vote {
        let field = |number: u32| (ballots >> (number * FIELD)) as i64 & ((1 << FIELD) - 1);
        let voters = field(2);
        Vote { labels: field(0) - voters, next_labels: field(1) - voters, square_radius }
    }
}

/// Returns the number of points in a sum of ballots.
fn count(ballots: u64) -> usize {
    (ballots >> (2 * FIELD)) as usize
}

/// Returns the square distance, not fused: a fused multiplication is a slow call where the target
/// has no instruction for it (on plain x86-64 it doubles the time of a vote). Either gives the same
/// bits on every machine.
fn square_distance(slow: f64, quick: f64) -> f64 {
    slow * slow + quick * quick
}
