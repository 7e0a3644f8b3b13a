//! The length of a file's bars: found where it is not given, checked where it is.

use std::collections::BTreeMap;

use jiff::civil::Date;
use jiff::tz::TimeZone;

use super::ledger::RowPlace;
use super::placement::DAY;
use super::row::{Row, RowRefusal, RowSink};
use super::text::{TextFormat, TextReader};
use crate::market::Timestamp;

/// Bars that are looked at.
const BARS: usize = 1_000;
/// One step in this number is rare.
const RARE: u32 = 10;
/// A run of steps counts for nothing where bars of the right length make one as long by accident
/// more often than once in this number of files.
const ONCE_IN: f64 = 1_000.0;
/// The same where nearly all bars follow the one before at once. In half a million real bars of
/// five minutes, no stretch is less likely than one in 150 by accident.
const ONCE_IN_DENSE: f64 = 10_000.0;
/// Steps from which that is known.
const FEWEST_STEPS: u64 = 500;
/// The same for a whole file.
const ONCE_IN_WHOLE: f64 = 100.0;
/// Bars that are compared at least.
const FEWEST_BARS: u64 = 1_000;
/// Bars in a row, each starting inside the one before, that show a shorter length.
const INSIDE: u32 = 10;

/// Returns the shortest step between the first bars of which nearly all are multiples, if it is not
/// rare beside the most frequent one: bars that start a minute apart are no longer than that,
/// however many minutes are missing. Otherwise the most frequent one; `None` for trades, and where
/// fewer than two bars can be read.
pub(super) fn infer(text: &[u8], format: &TextFormat) -> Option<i64> {
    let starts = first_starts(text, format.clone());
    let mut steps = BTreeMap::new();
    for pair in starts.windows(2) {
        // Some exports have the newest bar first.
        *steps.entry(pair[1].abs_diff(pair[0])).or_insert(0u32) += 1;
    }
    steps.remove(&0);
    let most = steps.values().copied().max()?;
    let all: u32 = steps.values().sum();
    let is_length = |step: u64, count: u32| {
        let multiples = steps.iter().filter(|(other, _)| **other % step == 0);
        let multiples: u32 = multiples.map(|(_, count)| count).sum();
        count * RARE >= most && (all - multiples) * RARE <= all
    };
    let (&step, _) = steps
        .iter()
        .find(|&(&step, &count)| is_length(step, count))
        .or_else(|| steps.iter().find(|(_, count)| **count == most))?;
    i64::try_from(step).ok()
}

/// Returns whether the first bars carry dates without times of day, which mean the same in every
/// zone, also where the clocks leave a midnight out.
pub(super) fn are_dates(text: &[u8], format: &TextFormat) -> bool {
    let starts = first_starts(text, TextFormat { zone: TimeZone::UTC, ..format.clone() });
    starts.iter().all(|start| start % DAY == 0)
}

/// Returns the starts, or ends, of the first bars, in nanoseconds.
fn first_starts(text: &[u8], mut format: TextFormat) -> Vec<i64> {
    // Any length will do.
    format.bar_length = Some(0);
    let mut starts = Starts(Vec::new());
    // It stops early once it has seen enough.
    let _ = TextReader::new(&format).read(text, &mut starts);
    starts.0
}

struct Starts(Vec<i64>);

/// Enough has been seen.
struct Enough;

impl RowSink for Starts {
    type Error = Enough;

    fn begin(&mut self, _: &str) -> Result<(), Enough> {
        Ok(())
    }

    fn row(&mut self, _: u64, row: Row) -> Result<(), Enough> {
        match row {
            Row::Bar(bar) if self.0.len() < BARS => {
                self.0.push(bar.start.nanos());
                Ok(())
            }
            _ => Err(Enough),
        }
    }

    fn refuse(&mut self, line: u64, _: RowRefusal, _: &str) -> Result<(), Enough> {
        if line > 2 * BARS as u64 { Err(Enough) } else { Ok(()) }
    }

    fn advance(&mut self, _: u64) -> Result<(), Self::Error> {
        Ok(())
    }
}

/// Bars that are not as long as they are taken for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct OtherLength {
    /// Place of the first of them.
    pub(super) place: RowPlace,
    /// Nanoseconds from one to the next.
    pub(super) step: i64,
}

/// Tells bars that are not as long as they are taken for by where they start, in order of time.
///
/// A gap is no other length: bars of a minute that trade seldom start on any minute. But if all
/// starts of a stretch of `n` steps lie on every fifth minute, that is an accident of one in 5ⁿ,
/// and if they are five minutes apart most of the time, they are bars of five minutes.
#[derive(Clone, Debug, Default)]
pub(super) struct LengthWatch {
    /// Start, place and trade date of the bar before.
    before: Option<(Timestamp, RowPlace, Option<Date>)>,
    bars: u64,
    /// Steps within sessions, and those of them that are one bar long.
    steps: u64,
    single_steps: u64,
    /// The latest steps that bars of a longer length make too, within sessions.
    run: Steps,
    /// All steps.
    all: Steps,
    /// Bars in a row that start inside the one before, and the first of them.
    inside: u32,
    first_inside: Option<RowPlace>,
}

/// Steps from one bar to the next.
#[derive(Clone, Copy, Debug, Default)]
struct Steps {
    count: u32,
    /// Their greatest common divisor.
    grid: i64,
    shortest: i64,
    /// Steps that are as short.
    shortest_count: u32,
    /// The bar at which the first one begins.
    first: Option<RowPlace>,
}

impl Steps {
    fn add(&mut self, step: i64, from: RowPlace) {
        self.first.get_or_insert(from);
        self.count += 1;
        self.grid = greatest_common_divisor(self.grid, step);
        if self.shortest == 0 || step < self.shortest {
            (self.shortest, self.shortest_count) = (step, 0);
        }
        self.shortest_count += u32::from(step == self.shortest);
    }

    /// Returns the bars of a longer length that these steps must be of.
    fn other(&self, length: i64, once_in: f64) -> Option<OtherLength> {
        let accident = f64::from(self.count) * (self.grid as f64 / length as f64).ln();
        let is_dense = self.shortest == self.grid && 2 * self.shortest_count >= self.count;
        let place = self.first.filter(|_| is_dense && accident > once_in.ln())?;
        Some(OtherLength { place, step: self.grid })
    }
}

impl LengthWatch {
    /// Looks at a bar of `length` nanoseconds that starts at `start` in the session of that trade
    /// date; gives the first bar of another length as soon as that is clear.
    pub(super) fn see(
        &mut self,
        start: Timestamp,
        length: i64,
        session: Option<Date>,
        place: RowPlace,
    ) -> Option<OtherLength> {
        self.bars += 1;
        let (before, from, its_session) = self.before.replace((start, place, session))?;
        let step = start - before;
        if step <= 0 {
            return None;
        }
        self.all.add(step, from);
        if step >= length {
            self.inside = 0;
        } else {
            if self.inside == 0 {
                self.first_inside = Some(place);
            }
            self.inside += 1;
            if self.inside == INSIDE {
                return self.first_inside.map(|place| OtherLength { place, step });
            }
        }
        // What lies between two sessions says nothing of bars.
        if session.is_none() || session != its_session {
            return None;
        }
        self.steps += 1;
        self.single_steps += u64::from(step == length);
        if greatest_common_divisor(self.run.grid, step) <= length {
            self.run = Steps::default();
        }
        if step > length && step % length == 0 {
            self.run.add(step, from);
        }
        let is_dense = self.steps >= FEWEST_STEPS && self.single_steps * 10 >= self.steps * 9;
        let once_in = match is_dense {
            true => ONCE_IN_DENSE,
            false => ONCE_IN * self.bars.max(FEWEST_BARS) as f64,
        };
        self.run.other(length, once_in)
    }

    /// Looks at all bars together, which were taken to be of `length` nanoseconds.
    pub(super) fn finish(&self, length: i64) -> Option<OtherLength> {
        self.all.other(length, ONCE_IN_WHOLE)
    }
}

pub(super) fn greatest_common_divisor(a: i64, b: i64) -> i64 {
    if b == 0 { a } else { greatest_common_divisor(b, a % b) }
}

#[cfg(test)]
mod tests {
    use super::super::ledger::ImportLedger;
    use super::*;
    use crate::random::Random;

    /// Returns the line, and the minutes, of bars of another length than a minute, or of `length`
    /// minutes.
    fn watch(length: i64, minutes: impl IntoIterator<Item = i64>) -> Option<(u64, i64)> {
        let ledger = ImportLedger::new("rejects.csv".into());
        let mut watch = LengthWatch::default();
        let session =
            |minute: i64| Date::ZERO.checked_add(jiff::Span::new().days(minute / 1440)).ok();
        let mut found = None;
        let length = length * Timestamp::MINUTE;
        let mut lines = Vec::new();
        for (line, minute) in (1..).zip(minutes) {
            lines.push(ledger.place(line));
            let start = Timestamp::from_nanos(minute * Timestamp::MINUTE);
            found = watch.see(start, length, session(minute), ledger.place(line));
            if found.is_some() {
                break;
            }
        }
        let found = found.or_else(|| watch.finish(length))?;
        let line = lines.iter().position(|place| *place == found.place).unwrap() + 1;
        Some((line as u64, found.step / Timestamp::MINUTE))
    }

    #[test]
    fn tells_bars_of_another_length_and_where_they_begin() {
        let minutes = || 0..600;
        // Ten fives after ten hours of minutes, and an hour of fives on the next day.
        assert_eq!(watch(1, minutes().chain((0..12).map(|five| 600 + 5 * five))), Some((601, 5)));
        assert_eq!(watch(1, minutes().chain((0..12).map(|five| 1440 + 5 * five))), Some((601, 5)));
        // Seven fives where nearly every minute trades, or ten where half of them do.
        assert_eq!(watch(1, minutes().chain((0..7).map(|five| 1440 + 5 * five))), Some((601, 5)));
        let half = || minutes().filter(|minute| minute % 8 < 5);
        assert_eq!(watch(1, half().chain((0..7).map(|five| 1440 + 5 * five))), None);
        assert_eq!(watch(1, half().chain((0..10).map(|five| 1440 + 5 * five))), Some((376, 5)));
        // Hours that are said to be minutes, over some days.
        assert_eq!(watch(1, (0..4).map(|hour| hour * 60)), Some((1, 60)));
        assert_eq!(watch(1, (0..4).map(|five| five * 5)), Some((1, 5)));
        assert_eq!(watch(1, (0..9).map(|day| day * 1440 + 600)), Some((1, 1440)));
        // Minutes after fives.
        let fives = (0..100).map(|five| 5 * five);
        assert_eq!(watch(5, fives.chain(500..600)), Some((102, 1)));
    }

    #[test]
    fn gaps_are_no_other_length() {
        // Few rows tell nothing.
        assert_eq!(watch(1, [0, 5, 10]), None);
        assert_eq!(watch(1, [0, 15, 25, 45, 60]), None);
        // A break of an hour, and some days without a trade.
        assert_eq!(watch(1, (0..600).chain(660..900).chain(5000..5100)), None);
        // Ten years of a contract that trades every seventh minute or so, at random.
        let mut random = Random::at(7, 0, 0);
        let mut minute = 0;
        let seldom = std::iter::repeat_with(|| {
            minute += 1 + (random.next_u64() % 13) as i64;
            minute
        });
        assert_eq!(watch(1, seldom.take(500_000)), None);
        // Hours with the break of the session.
        assert_eq!(watch(60, (0..200).filter(|hour| hour % 24 != 22).map(|hour| hour * 60)), None);
    }
}
