//! The bar stage: one pass over the ticks, any number of timeframes.

use super::fold::{BarFold, interval};
use crate::market::{
    Bar, BarFlags, Calendar, Gap, GapPhase, Session, Tick, TickFlags, Timeframe, Timestamp,
};

/// The flags of a bar that overlaps a gap which was not recovered.
const OF_GAP: BarFlags = BarFlags(BarFlags::INCOMPLETE.0 | BarFlags::GAP.0);

/// Counts of ticks that the bar stage saw and left out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TickCounts {
    /// Left out: their bar was already closed.
    pub late: u64,
    /// Left out: no session holds them.
    pub outside_session: u64,
    /// Left out: their session halts then.
    pub in_halt: u64,
    /// Left out: a position is held in another contract.
    pub of_other_contract: u64,
}

/// Builds bars of every requested timeframe from ticks. See the [module](super) for the rules.
///
/// Ticks update one bar only, that of the greatest common divisor of the timeframes; the others are
/// folded from it when it closes. No allocation after construction.
///
/// ```
/// use algospace_hft::bars::BarBuilder;
/// use algospace_hft::market::{Calendar, Price, Tick, Timeframe, Timestamp};
///
/// let mut builder =
///     BarBuilder::new(&[Timeframe::MINUTES_5], Calendar::AlwaysOpen, Timestamp::HOUR);
/// let mut closes = Vec::new();
/// for (time, price) in [("2024-01-02T09:00:00Z", "10"), ("2024-01-02T09:05:00Z", "11")] {
///     let tick = Tick::new(time.parse().unwrap(), price.parse().unwrap(), 1);
///     builder.on_tick(&tick, &mut |bar| closes.push(bar.close));
/// }
/// // The first tick at or after a bar's end closes it.
/// assert_eq!(closes, ["10".parse::<Price>().unwrap()]);
/// ```
#[derive(Clone, Debug)]
pub struct BarBuilder {
    calendar: Calendar,
    base: Timeframe,
    emit_base: bool,
    coarse: Vec<BarFold>,
    fill_gaps_up_to: i64,
    /// Nanoseconds in a bar of the history that the ticks are made from; 0 for trades.
    history_bar: i64,
    /// The session of the last tick, or the next one to open.
    session: Session,
    /// The open base bar; meaningful while `is_open`.
    bar: Bar,
    is_open: bool,
    /// A tick at or after this instant needs more than an update of the open bar.
    boundary: Timestamp,
    /// Time of the last tick in the session; `Timestamp::MIN` before the first.
    last_time: Timestamp,
    seen_any: bool,
    /// `true` if the next bar begins within the interval of one that a contract change cut off.
    cut: bool,
    counts: TickCounts,
    /// `true` while a gap is open: it is not known what is missing.
    is_gap_open: bool,
    /// Trades are missing from the first of these instants to the second, both included; what lies
    /// before the last tick is settled.
    missing: (Timestamp, Timestamp),
}

impl BarBuilder {
    /// Creates a builder of bars of `timeframes` (at least one; order and repetition do not
    /// matter).
    ///
    /// `fill_gaps_up_to` is in nanoseconds (≥ 0).
    pub fn new(timeframes: &[Timeframe], calendar: Calendar, fill_gaps_up_to: i64) -> BarBuilder {
        let mut sorted = timeframes.to_vec();
        sorted.sort_unstable();
        sorted.dedup();
        let divisor = sorted.iter().fold(0, |divisor, timeframe| {
            greatest_common_divisor(divisor, u32::from(timeframe.minutes()))
        });
        // Daily bars alone are sessions, of any length, and need no finer bar; any base
        // that divides a day serves them.
        let base = Timeframe::from_minutes(divisor).unwrap_or(Timeframe::MINUTE_1);
        let emit_base = sorted.first() == Some(&base);
        let coarse = sorted.iter().filter(|&&t| t != base).map(|&t| BarFold::new(t)).collect();
        BarBuilder {
            calendar,
            base,
            emit_base,
            coarse,
            fill_gaps_up_to,
            history_bar: 0,
            session: Session::NEVER,
            bar: Bar { timeframe: base, ..Bar::NONE },
            is_open: false,
            boundary: Timestamp::MIN,
            last_time: Timestamp::MIN,
            seen_any: false,
            cut: false,
            counts: TickCounts::default(),
            is_gap_open: false,
            missing: (Timestamp::MIN, Timestamp::MIN),
        }
    }

    /// Prepares for ticks made from history bars of `length` nanoseconds (≥ 0; 0 for trades). The
    /// time before a bar's first tick, inside the bar, is then not a silence.
    pub fn with_history_bars_of(mut self, length: i64) -> BarBuilder {
        self.history_bar = length;
        self
    }

    /// Returns the ticks left out so far.
    pub fn counts(&self) -> TickCounts {
        self.counts
    }

    /// Returns the session of the last tick that was taken, or the one that opens next.
    pub fn session(&self) -> &Session {
        &self.session
    }

    /// Returns the time of the last tick and the next bar boundary. A plain trade from the first up
    /// to (not including) the second only changes the open bar: it may be given to
    /// [`BarBuilder::on_calm_tick`].
    pub fn calm(&self) -> (Timestamp, Timestamp) {
        (self.last_time, self.boundary)
    }

    /// Takes a plain trade within [`BarBuilder::calm`].
    #[inline(always)]
    pub fn on_calm_tick(&mut self, tick: &Tick) {
        self.bar.high = self.bar.high.max(tick.price);
        self.bar.low = self.bar.low.min(tick.price);
        self.bar.close = tick.price;
        self.bar.volume += u64::from(tick.size);
        self.bar.ticks += 1;
        self.last_time = tick.time;
    }

    /// Takes one tick; calls `emit` for every bar that closes, in order. Returns whether the tick
    /// was taken: false for a tick outside every session, or late for a closed bar.
    #[inline(always)]
    pub fn on_tick(&mut self, tick: &Tick, emit: &mut impl FnMut(&Bar)) -> bool {
        let (from, until) = self.calm();
        if tick.time < from || tick.time >= until || tick.flags != TickFlags::NONE {
            return self.on_unusual_tick(tick, emit);
        }
        self.on_calm_tick(tick);
        true
    }

    /// Takes a gap of the feed, or a stretch of one. Every bar that overlaps a stretch which is not
    /// recovered is flagged [`BarFlags::INCOMPLETE`] and [`BarFlags::GAP`], and so is every bar
    /// that closes while a gap is open. From the gap's beginning to the next tick nothing is
    /// filled.
    pub fn on_gap(&mut self, gap: &Gap) {
        self.is_gap_open = gap.phase == GapPhase::Opened;
        if self.is_gap_open || gap.is_recovered() {
            return;
        }
        let (from, until) = self.missing;
        self.missing = match self.lacks_trades() {
            true => (from.min(gap.from), until.max(gap.to)),
            false => (gap.from, gap.to),
        };
        if gap.from < self.bar.end {
            self.bar.flags = self.bar.flags.with(OF_GAP);
        }
        self.coarse.iter_mut().for_each(|fold| fold.flag_beyond(gap.from, OF_GAP));
    }

    /// Returns whether trades are missing behind the last tick.
    fn lacks_trades(&self) -> bool {
        let until = self.missing.1;
        let is_missing = match self.last_time {
            Timestamp::MIN => until >= self.session.open,
            last => until > last,
        };
        self.is_gap_open || is_missing
    }

    /// Returns the flags of a bar from `start` to `end` by what is missing.
    fn flags_of_gap(&self, (start, end): (Timestamp, Timestamp)) -> BarFlags {
        let (from, until) = self.missing;
        let overlaps = self.is_gap_open || start <= until && from < end;
        if overlaps { OF_GAP } else { BarFlags::NONE }
    }

    /// Closes what ends by `now`, without a tick: at the session's end, and only then, since within
    /// a session the next tick closes a bar.
    pub fn on_session_end(&mut self, now: Timestamp, emit: &mut impl FnMut(&Bar)) {
        if self.last_time != Timestamp::MIN && now >= self.session.close {
            self.close_session(emit);
        }
    }

    /// Closes the open bars at the end of the data; those that would have gone on are flagged
    /// incomplete.
    pub fn finish(&mut self, emit: &mut impl FnMut(&Bar)) {
        if self.is_open {
            if self.last_time + 1 < self.bar.end {
                self.bar.flags = self.bar.flags.with(BarFlags::INCOMPLETE);
            }
            self.close_base(emit);
        }
        for fold in &mut self.coarse {
            if let Some(mut bar) = fold.close() {
                bar.flags = bar.flags.with(BarFlags::INCOMPLETE);
                emit(&bar);
            }
        }
        self.boundary = Timestamp::MIN;
    }

    /// Closes the open bars and fills what lies before `now`, when another contract's first tick
    /// comes, since no bar holds prices of two contracts. A bar that is cut off, and one that
    /// begins within its interval, are flagged incomplete.
    pub fn on_contract_change(&mut self, now: Timestamp, emit: &mut impl FnMut(&Bar)) {
        if self.is_open && now >= self.bar.end && now < self.session.close {
            let (start, _) = interval(&self.session, self.base, now);
            self.close_and_fill_until(start, now, emit);
        }
        self.cut = self.is_open || self.coarse.iter().any(BarFold::is_open);
        self.finish(emit);
    }

    #[cold]
    #[inline(never)]
    fn on_unusual_tick(&mut self, tick: &Tick, emit: &mut impl FnMut(&Bar)) -> bool {
        if tick.time < self.last_time {
            return self.on_late_tick(tick);
        }
        if tick.time >= self.session.close {
            if self.last_time != Timestamp::MIN {
                self.close_session(emit);
            }
            self.session = self.calendar.session_at_or_after(tick.time);
            self.last_time = Timestamp::MIN;
            self.is_open = false;
        }
        if tick.time < self.session.open {
            self.counts.outside_session += 1;
            // Every tick before the next open comes this way, at the price of one comparison.
            self.boundary = Timestamp::MIN;
            return false;
        }
        if !self.is_open || tick.time >= self.bar.end {
            self.start_base(tick, emit);
        } else {
            self.on_calm_tick(tick);
        }
        if tick.flags.any(TickFlags::AFTER_GAP) {
            self.bar.flags = self.bar.flags.with(BarFlags::INCOMPLETE);
        }
        if tick.flags.any(TickFlags::OF_BAR) {
            self.bar.flags = self.bar.flags.with(BarFlags::FROM_BARS);
        }
        // A halt up to the bar's end leaves nothing to wait for.
        let next = tick.time + 1;
        if tick.flags.any(TickFlags::BAR_CLOSE)
            && next + self.halted_between(next, self.bar.end) >= self.bar.end
        {
            self.close_base(emit);
            let end = self.bar.end;
            self.close_coarse_by(end, emit);
        }
        true
    }

    /// Leaves out a tick in its session's halt.
    pub fn on_halted_tick(&mut self) {
        self.counts.in_halt += 1;
    }

    /// Leaves out a tick of another contract than the one that is traded.
    pub fn on_other_contract(&mut self) {
        self.counts.of_other_contract += 1;
    }

    /// Takes a tick from before the last one into the open bar, if that is its own. Returns whether
    /// it is.
    pub fn on_late_tick(&mut self, tick: &Tick) -> bool {
        let is_its_own = tick.time >= self.bar.start && tick.contract == self.bar.contract;
        if !self.is_open || !is_its_own {
            self.counts.late += 1;
            return false;
        }
        self.bar.high = self.bar.high.max(tick.price);
        self.bar.low = self.bar.low.min(tick.price);
        self.bar.volume += u64::from(tick.size);
        self.bar.ticks += 1;
        true
    }

    /// Opens the base bar of `tick` after closing or filling what lies before it in the session.
    fn start_base(&mut self, tick: &Tick, emit: &mut impl FnMut(&Bar)) {
        let (start, end) = interval(&self.session, self.base, tick.time);
        let mut flags = BarFlags::NONE;
        let first_in_session = self.last_time == Timestamp::MIN;
        let follows_gap = self.lacks_trades();
        if first_in_session {
            let missing = self.began(tick) - self.session.open > self.fill_gaps_up_to;
            let data_starts = !self.seen_any && start != self.session.open;
            if missing || data_starts {
                flags = BarFlags::INCOMPLETE;
            }
        } else if !self.close_and_fill_until(start, self.began(tick), emit) {
            flags = BarFlags::INCOMPLETE;
        }
        if std::mem::take(&mut self.cut) && !first_in_session {
            flags = flags.with(BarFlags::INCOMPLETE);
        }
        if follows_gap {
            flags = flags.with(self.flags_of_gap((start, end)));
            for place in 0..self.coarse.len() {
                let of = interval(&self.session, self.coarse[place].timeframe(), tick.time);
                let flags = self.flags_of_gap(of);
                self.coarse[place].flag_next(flags);
            }
        }
        self.seen_any = true;
        self.bar = Bar {
            start,
            end,
            open: tick.price,
            high: tick.price,
            low: tick.price,
            close: tick.price,
            volume: u64::from(tick.size),
            ticks: 1,
            timeframe: self.base,
            contract: tick.contract,
            flags,
        };
        self.is_open = true;
        self.boundary = end;
        self.last_time = tick.time;
    }

    /// Returns the end of a silence before `tick`: with the start of the history bar whose first
    /// tick it is.
    fn began(&self, tick: &Tick) -> Timestamp {
        let back = match (tick.flags.any(TickFlags::BAR_OPEN), tick.flags.any(TickFlags::BAR_CLOSE))
        {
            (false, _) => 0,
            (true, false) => self.history_bar / 4,
            // The only tick of its bar stands at its end.
            (true, true) => self.history_bar,
        };
        tick.time.saturating_add(-back).max(self.last_time)
    }

    /// Closes the open base bar and fills the gap up to `start` (a base boundary), where `now` is
    /// when the gap ends. Returns false if the gap is too long to be anything but missing data.
    fn close_and_fill_until(
        &mut self,
        start: Timestamp,
        now: Timestamp,
        emit: &mut impl FnMut(&Bar),
    ) -> bool {
        let silence = now - self.last_time - self.halted_between(self.last_time, now);
        let is_short = silence <= self.fill_gaps_up_to && !self.is_gap_open;
        // What lies before a gap is known to be silence; of the gap nothing is.
        let known = if self.lacks_trades() { self.missing.0 } else { Timestamp::MAX };
        if self.is_open {
            if !is_short {
                self.bar.flags = self.bar.flags.with(BarFlags::INCOMPLETE);
            }
            self.close_base(emit);
        }
        if is_short {
            let (price, contract) = (self.bar.close, self.bar.contract);
            let inherited = BarFlags(self.bar.flags.0 & BarFlags::FROM_BARS.0);
            while self.bar.end < start {
                let (start, end) = interval(&self.session, self.base, self.bar.end);
                if end > known {
                    break;
                }
                self.bar = Bar {
                    start,
                    end,
                    open: price,
                    high: price,
                    low: price,
                    close: price,
                    volume: 0,
                    ticks: 0,
                    timeframe: self.base,
                    contract,
                    flags: inherited.with(BarFlags::FILLED),
                };
                if self.halted_between(start, end) < end - start {
                    self.close_base(emit);
                }
            }
        }
        self.coarse.iter_mut().for_each(|fold| fold.flag_beyond(known, OF_GAP));
        self.close_coarse_by(start, emit);
        is_short
    }

    /// Returns the nanoseconds of the session's halt within `[from, to)`.
    fn halted_between(&self, from: Timestamp, to: Timestamp) -> i64 {
        self.session.halt.map_or(0, |(start, end)| (to.min(end) - from.max(start)).max(0))
    }

    /// Hands out the base bar and folds it into the coarser ones.
    fn close_base(&mut self, emit: &mut impl FnMut(&Bar)) {
        // What the coarser bars hold from before this bar ends first.
        let start = self.bar.start;
        self.close_coarse_by(start, emit);
        if self.is_gap_open {
            self.bar.flags = self.bar.flags.with(OF_GAP);
        }
        if self.emit_base {
            emit(&self.bar);
        }
        for fold in &mut self.coarse {
            fold.add(&self.bar, &self.session);
        }
        self.is_open = false;
        self.boundary = Timestamp::MIN;
    }

    fn close_coarse_by(&mut self, time: Timestamp, emit: &mut impl FnMut(&Bar)) {
        for fold in &mut self.coarse {
            if let Some(mut bar) = fold.close_by(time) {
                if self.is_gap_open {
                    bar.flags = bar.flags.with(OF_GAP);
                }
                emit(&bar);
            }
        }
    }

    fn close_session(&mut self, emit: &mut impl FnMut(&Bar)) {
        let close = self.session.close;
        self.close_and_fill_until(close, close, emit);
        self.last_time = Timestamp::MIN;
    }
}

fn greatest_common_divisor(a: u32, b: u32) -> u32 {
    if b == 0 { a } else { greatest_common_divisor(b, a % b) }
}
