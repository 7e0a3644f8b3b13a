//! Prices that no market can have made, told by their neighbours.
//!
//! A price is *astray* if it is not between half and twice the prices before it, nor within 1,000
//! ticks of them. Where prices are not above zero no ratio tells anything, and nothing is astray.
//! Rows astray wait until it is clear what they are: if a price comes back within 100 rows, both
//! neighbours contradict them; if none does, the price has *jumped*, as in files in two scales. A
//! step of more than a tenth, as joins of contracts make, is a jump too. The first three rows are
//! held against the median of the three. An import may look at both neighbours; a run never judges
//! a print.
//!
//! Some vendors' first bar after a halt has the session's whole range for its own. [`SessionRange`]
//! tells it by what is before it alone.

use std::collections::VecDeque;

use jiff::civil::Date;

use super::expansion::expand_bar;
use super::importer::Stop;
use super::intake::row_text;
use super::ledger::RowPlace;
use super::placement::PlacedBar;
use super::row::{BarRow, Row};
use crate::market::{Price, Tick, Timestamp};

/// Rows that may be astray before they are a jump.
const PATIENCE: usize = 100;
/// Rows that are looked at before the first one is taken.
const OPENING: usize = 3;
/// Distance in ticks below which nothing is astray.
const REACH: i64 = 1_000;
/// Bars before a halt whose ranges are compared.
const BARS: usize = 15;
/// Fewer tell nothing.
const FEWEST_BARS: usize = 3;

/// A row on its way to the output.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Candidate {
    Tick(Tick),
    Bar(PlacedBar),
}

impl Candidate {
    /// Returns its lowest and its highest price.
    fn range(&self) -> (Price, Price) {
        match self {
            Candidate::Tick(tick) => (tick.price, tick.price),
            Candidate::Bar(PlacedBar { bar, .. }) => (bar.low, bar.high),
        }
    }

    fn first(&self) -> Price {
        match self {
            Candidate::Tick(tick) => tick.price,
            Candidate::Bar(PlacedBar { bar, .. }) => bar.open,
        }
    }

    fn last(&self) -> Price {
        match self {
            Candidate::Tick(tick) => tick.price,
            Candidate::Bar(PlacedBar { bar, .. }) => bar.close,
        }
    }

    /// Returns the row as it was understood.
    pub(super) fn text(&self) -> String {
        match self {
            Candidate::Tick(Tick { time, price, size, .. }) => format!("{time},{price},{size}"),
            Candidate::Bar(placed) => row_text(&Row::Bar(placed.bar)),
        }
    }

    /// Hands its ticks to `emit`.
    pub(super) fn emit(&self, emit: &mut dyn FnMut(Tick) -> Result<(), Stop>) -> Result<(), Stop> {
        match self {
            Candidate::Tick(tick) => emit(*tick),
            Candidate::Bar(PlacedBar { bar, halt, .. }) => {
                let mut result = Ok(());
                expand_bar(bar, *halt, |tick| {
                    if result.is_ok() {
                        result = emit(tick);
                    }
                });
                result
            }
        }
    }
}

/// The verdict on a row.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum PriceVerdict {
    Good,
    /// The rows before and after it are near `near`, and it is not.
    Astray {
        near: Price,
    },
    /// The prices before it are near `from`, and those after it are not.
    Jump {
        from: Price,
    },
}

/// Rows with what they turned out to be, in order.
pub(super) type Judged = Vec<(Candidate, RowPlace, PriceVerdict)>;

/// Holds rows back whose prices are astray.
#[derive(Clone, Debug)]
pub(super) struct PriceWatch {
    reach: i64,
    /// A price of late; none before the first rows were looked at.
    anchor: Option<Price>,
    /// Nothing is to be done for prices from the first to the second.
    calm: (Price, Price),
    waiting: Vec<(Candidate, RowPlace)>,
}

/// Holds no price.
const NOWHERE: (Price, Price) = (Price::from_units(1), Price::ZERO);

impl PriceWatch {
    pub(super) fn new(tick_size: Price) -> PriceWatch {
        let reach = tick_size.units().saturating_mul(REACH);
        PriceWatch { reach, anchor: None, calm: NOWHERE, waiting: Vec::new() }
    }

    /// Returns whether a row with prices from `low` to `high` is good as it stands; otherwise it
    /// must be given to [`PriceWatch::take`].
    #[inline(always)]
    pub(super) fn is_calm(&self, low: Price, high: Price) -> bool {
        self.calm.0 <= low && high <= self.calm.1
    }

    /// Takes a row after one that ended at `before`; gives what is now clear, of it and of those
    /// before it.
    pub(super) fn take(
        &mut self,
        row: Candidate,
        place: RowPlace,
        before: Option<Price>,
        judged: &mut Judged,
    ) {
        let Some(near) = self.anchor else {
            self.waiting.push((row, place));
            if self.waiting.len() == OPENING {
                let mut closes: Vec<Price> =
                    self.waiting.iter().map(|(row, _)| row.last()).collect();
                closes.sort_unstable();
                self.open(closes[OPENING / 2], judged);
            }
            return;
        };
        let (low, high) = row.range();
        if self.is_near(near, low, high) {
            let from = before
                .filter(|&before| self.waiting.is_empty() && self.is_jump(before, row.first()));
            let verdict = from.map_or(PriceVerdict::Good, |from| PriceVerdict::Jump { from });
            let astray = self.waiting.drain(..);
            judged.extend(astray.map(|(row, place)| (row, place, PriceVerdict::Astray { near })));
            self.follow(row.last());
            judged.push((row, place, verdict));
            return;
        }
        self.calm = NOWHERE;
        self.waiting.push((row, place));
        if self.waiting.len() == PATIENCE {
            self.jump(near, judged);
        }
    }

    /// Gives what is left at the end of the rows.
    pub(super) fn finish(&mut self, judged: &mut Judged) {
        if self.anchor.is_none()
            && let Some((row, _)) = self.waiting.first()
        {
            // Of two prices nothing tells which is right.
            self.open(row.last(), judged);
        }
        while let Some(from) = self.anchor.filter(|_| !self.waiting.is_empty()) {
            self.jump(from, judged);
        }
    }

    fn open(&mut self, anchor: Price, judged: &mut Judged) {
        self.anchor = Some(anchor);
        let rows = std::mem::take(&mut self.waiting);
        self.take_again(rows.into_iter(), None, judged);
    }

    fn take_again(
        &mut self,
        rows: impl Iterator<Item = (Candidate, RowPlace)>,
        mut before: Option<Price>,
        judged: &mut Judged,
    ) {
        for (row, place) in rows {
            self.take(row, place, before, judged);
            before = Some(row.last());
        }
    }

    /// Takes the first row that waits as the new level, and looks at the others again.
    fn jump(&mut self, from: Price, judged: &mut Judged) {
        let mut waiting = std::mem::take(&mut self.waiting).into_iter();
        if let Some((row, place)) = waiting.next() {
            self.follow(row.last());
            judged.push((row, place, PriceVerdict::Jump { from }));
            self.take_again(waiting, Some(row.last()), judged);
        }
    }

    fn is_near(&self, near: Price, low: Price, high: Price) -> bool {
        if near <= Price::ZERO || low <= Price::ZERO {
            return true;
        }
        let near = near.units();
        low.units() >= near - (near / 2).max(self.reach)
            && high.units() <= near.saturating_add(near.max(self.reach))
    }

    fn is_jump(&self, from: Price, to: Price) -> bool {
        let step = to.units().abs_diff(from.units());
        from > Price::ZERO
            && to > Price::ZERO
            && step > (from.units() / 10).max(self.reach / 5).unsigned_abs()
    }

    fn follow(&mut self, price: Price) {
        self.anchor = Some(price);
        let units = price.units();
        // Narrow enough that no jump stays within it.
        let calm = (units.saturating_abs() / 25).max(self.reach / 11);
        self.calm = (
            Price::from_units(units.saturating_sub(calm)),
            Price::from_units(units.saturating_add(calm)),
        );
    }
}

/// The bars of a session so far.
#[derive(Clone, Debug, Default)]
pub(super) struct SessionRange {
    session: Option<Date>,
    high: Price,
    low: Price,
    /// Start of the last bar.
    last: Timestamp,
    /// The ranges of the last bars.
    ranges: VecDeque<Price>,
}

impl SessionRange {
    /// Says what is wrong with a bar that stands for the session and not for itself: the first one
    /// after the halt, whose high or low is exactly the session's, farther from its own open and
    /// close than any of the 15 bars before the halt went. Another one is added to the session.
    pub(super) fn see(
        &mut self,
        placed: &PlacedBar,
        halt: Option<(Timestamp, Timestamp)>,
    ) -> Option<String> {
        let BarRow { start, open, high, low, close, .. } = placed.bar;
        if placed.session != self.session {
            let ranges = std::mem::take(&mut self.ranges);
            *self = SessionRange { session: placed.session, high, low, last: start, ranges };
            self.ranges.clear();
        } else if halt.is_some_and(|(from, to)| self.last < from && to <= start)
            && self.ranges.len() >= FEWEST_BARS
        {
            let widest = self.ranges.iter().copied().max().unwrap_or_default();
            let (above, below) = (apart(high, open.max(close)), apart(open.min(close), low));
            let (what, price, away) = if low == self.low && below > widest {
                ("low", low, below)
            } else if high == self.high && above > widest {
                ("high", high, above)
            } else {
                self.add(&placed.bar);
                return None;
            };
            let bars = self.ranges.len();
            return Some(format!(
                "the first bar after the halt has the session's {what} so far, {price}, for its own, {away} away from its open and close, where none of the {bars} bars before the halt ranged over more than {widest}"
            ));
        }
        self.add(&placed.bar);
        None
    }

    fn add(&mut self, bar: &BarRow) {
        self.high = self.high.max(bar.high);
        self.low = self.low.min(bar.low);
        self.last = bar.start;
        if self.ranges.len() == BARS {
            self.ranges.pop_front();
        }
        self.ranges.push_back(apart(bar.high, bar.low));
    }
}

fn apart(above: Price, below: Price) -> Price {
    Price::from_units(above.units() - below.units())
}

#[cfg(test)]
mod tests {
    use super::super::ledger::ImportLedger;
    use super::*;

    fn price(points: i64) -> Price {
        Price::from_units(points * Price::SCALE)
    }

    /// Returns the verdicts on trades at these prices: `g`ood, `a`stray or a `j`ump.
    fn verdicts(points: &[i64]) -> String {
        let mut watch = PriceWatch::new("0.25".parse().unwrap());
        let ledger = ImportLedger::new("rejects.csv".into());
        let mut judged = Judged::new();
        let mut before = None;
        for (line, &points) in (1..).zip(points) {
            let tick = Tick::new(Timestamp::from_nanos(line as i64), price(points), 1);
            let row = (Candidate::Tick(tick), ledger.place(line));
            if watch.is_calm(tick.price, tick.price) {
                judged.push((row.0, row.1, PriceVerdict::Good));
            } else {
                watch.take(row.0, row.1, before, &mut judged);
            }
            before = Some(tick.price);
        }
        watch.finish(&mut judged);
        // In order, none lost.
        let seen: Vec<i64> =
            judged.iter().map(|(row, _, _)| row.last().units() / Price::SCALE).collect();
        assert_eq!(seen, points);
        let letter = |verdict: PriceVerdict| match verdict {
            PriceVerdict::Good => 'g',
            PriceVerdict::Astray { .. } => 'a',
            PriceVerdict::Jump { .. } => 'j',
        };
        judged.iter().map(|&(_, _, verdict)| letter(verdict)).collect()
    }

    #[test]
    fn a_print_that_both_neighbours_contradict_is_astray_and_a_new_level_is_a_jump() {
        assert_eq!(verdicts(&[4700, 4701, 470_000, 4702]), "ggag");
        assert_eq!(verdicts(&[4700, 4701, 47, 4702, 4700]), "ggagg");
        // The first, or the second.
        assert_eq!(verdicts(&[470_000, 4700, 4701, 4702]), "aggg");
        assert_eq!(verdicts(&[4700, 47, 4701, 4702]), "gagg");
        // Two in a row, and two levels.
        assert_eq!(verdicts(&[4700, 4701, 470_000, 47, 4702]), "ggaag");
        // Nothing comes back.
        assert_eq!(verdicts(&[4700, 4701, 4702, 470_000, 470_100]), "gggjg");
        assert_eq!(verdicts(&[4700, 470_000]), "gj");
        assert_eq!(verdicts(&[4700]), "g");
        let levels = [[4700; 50], [47; 50], [46; 50], [45; 50]].concat();
        let expected = "g".repeat(50) + "j" + &"g".repeat(149);
        assert_eq!(verdicts(&levels), expected);
        // A crash, steps of a tenth, and prices around zero.
        assert_eq!(verdicts(&[4000, 3700, 3400, 3100, 3400, 3700]), "gggggg");
        assert_eq!(verdicts(&[4000, 4010, 4020, 4400, 4850, 4400, 2500]), "ggggjgj");
        assert_eq!(verdicts(&[20, 1, -37, 10, 40]), "ggggg");
        assert_eq!(verdicts(&[4000, 4000, 4000, -4000, 4000]), "ggggg");
    }

    #[test]
    fn the_sessions_range_on_the_first_bar_after_a_halt_is_told() {
        let halt = Some((Timestamp::from_nanos(20), Timestamp::from_nanos(25)));
        let bar = |start: i64, [open, high, low, close]: [i64; 4]| PlacedBar {
            bar: BarRow {
                start: Timestamp::from_nanos(start),
                duration: 1,
                open: price(open),
                high: price(high),
                low: price(low),
                close: price(close),
                volume: 9,
            },
            halt: None,
            session: Some(jiff::civil::date(2013, 12, 18)),
        };
        let mut session = SessionRange::default();
        // Down to 1767 early on, at 1810 for the last 15 bars.
        for start in 0..20 {
            let at = if start < 4 { 1770 } else { 1810 };
            let low = if start == 1 { 1767 } else { at - 1 };
            assert_eq!(session.see(&bar(start, [at, at + 1, low, at]), halt), None);
        }
        let after = |session: &SessionRange, prices| session.clone().see(&bar(25, prices), halt);
        let said = after(&session, [1810, 1811, 1767, 1810]).unwrap();
        assert!(said.contains("the session's low so far, 1767, for its own, 43 away"), "{said}");
        assert!(said.contains("none of the 15 bars before the halt ranged over more than 2"));
        let said = after(&session, [1800, 1811, 1799, 1800]).unwrap();
        assert!(said.contains("the session's high so far, 1811"), "{said}");
        // A fall of its own: a new low, or one that only nears the old one.
        assert_eq!(after(&session, [1810, 1811, 1766, 1810]), None);
        assert_eq!(after(&session, [1810, 1811, 1768, 1810]), None);
        // At the low it is true.
        assert_eq!(after(&session, [1768, 1769, 1767, 1768]), None);
        // Not the first after the halt.
        assert_eq!(session.see(&bar(25, [1810, 1810, 1810, 1810]), halt), None);
        assert_eq!(after(&session, [1810, 1811, 1767, 1810]), None);
    }
}
