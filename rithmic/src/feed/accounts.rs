//! The account of the cumulative volume: whether every contract that traded was seen.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use super::{Minute, Trade};
use crate::Monotonic;

/// A stretch in which trades are missing, told when it opens and again when it closes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gap {
    /// Its number, from 1.
    pub number: u32,
    /// The end of the gap that this tells.
    pub phase: Phase,
    /// The time of the last trade before it, in nanoseconds since 1970.
    pub from: i64,
    /// The time of the first trade after it, once there is one.
    pub to: Option<i64>,
    /// Contracts that are missing, once it is known. Of a gap over a session's beginning only
    /// history's minutes tell it.
    pub missing: Option<u64>,
    /// Contracts of them that came after all.
    pub recovered: u64,
}

impl Gap {
    /// Returns true if all that was missing came after all. If not, the bars that it touches are
    /// incomplete, unless [`Feed::Short`] says that it took nothing from their minutes.
    pub fn is_recovered(&self) -> bool {
        self.missing == Some(self.recovered)
    }
}

/// The end of a gap that is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// From here something is missing. Live trades are held.
    Opened,
    /// All that could be recovered was told; the trades that were held follow.
    Closed,
}

/// The way by which a trade came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// It was received in its turn.
    Live,
    /// It came late, or from history: nobody could have acted on it.
    Recovered,
}

/// An event that the account tells, in the order of the market.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Feed {
    /// A trade.
    Trade(Trade, Origin),
    /// A gap that opens or closes.
    Gap(Gap),
    /// History is wanted for that gap, whose end is known: from its beginning, the second before
    /// that included. The answer goes to [`Accounts::on_history`]. If its contracts are not known,
    /// minutes from the session's beginning are wanted too: [`Accounts::on_minutes`].
    Wanted(Gap),
    /// A minute of a gap that was not recovered, before that gap closes. A minute of such a gap
    /// that this does not tell lacks an unknown number of contracts.
    Short(Short),
}

/// The contracts that a gap took from a minute.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Short {
    /// The gap's number.
    pub gap: u32,
    /// The beginning of the minute, in nanoseconds since 1970.
    pub minute: i64,
    /// Contracts that are missing in it: zero if all of them came.
    pub missing: u64,
}

/// Frames that were told nowhere else.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Trades that had come before.
    pub repeated: u64,
    /// Trades that came behind later ones and filled a gap.
    pub late: u64,
    /// Trades whose volume contradicts what was seen: each opens and closes a gap.
    pub contradictory: u64,
    /// Trades without a volume.
    pub unnumbered: u64,
    /// Answers of history, trades or minutes, that contradict the volume: not used.
    pub refused_history: u64,
    /// Gaps given up because too many trades were held.
    pub overflowed: u64,
}

/// The times and the room of an account.
#[derive(Clone, Copy, Debug)]
pub struct AccountsSettings {
    /// The time that a gap stays open once its size is known.
    pub patience: Duration,
    /// The time, after the link came back, for the first trade to say what is missing.
    pub first_trade: Duration,
    /// Trades that may be held.
    pub held: usize,
}

impl Default for AccountsSettings {
    fn default() -> AccountsSettings {
        AccountsSettings {
            patience: Duration::from_secs(2),
            first_trade: Duration::from_secs(10),
            held: 1 << 20,
        }
    }
}

/// The last trade that is known from elsewhere, before an account begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Known {
    /// Its time, in nanoseconds since 1970.
    pub time: i64,
    /// Contracts that are known of its microsecond.
    pub at_time: u64,
    /// Contracts that are known of its minute; `None` if more may have been traded in it before.
    pub in_minute: Option<u64>,
}

/// A gap that is open.
#[derive(Debug)]
struct Open {
    gap: Gap,
    /// The volume at its end, once it is known.
    target: Option<u64>,
    deadline: Monotonic,
    /// Trades that came late, by volume.
    late: Vec<Trade>,
    /// The trades that history has of it: the best answer so far.
    history: Vec<Trade>,
    /// The minutes that history has of it.
    minutes: Vec<Minute>,
}

/// The minute of the last trade that was told.
#[derive(Debug)]
struct InMinute {
    /// Its number since 1970.
    number: i64,
    /// Contracts of it that were told.
    told: u64,
    /// Contracts of it that earlier gaps took, if that is known.
    lost: Option<u64>,
}

/// The account of one contract.
#[derive(Debug)]
pub struct Accounts {
    settings: AccountsSettings,
    /// The time for which the gap stays open that it began with.
    beginning: Duration,
    /// The cumulative volume up to which everything was told.
    last: Option<u64>,
    /// Contracts that were told since without a volume.
    unnumbered: u64,
    /// The time of the last trade that was told, and the contracts told with its microsecond.
    last_time: i64,
    at_last_time: u64,
    in_minute: InMinute,
    /// The time at which the session began, whose volume counts from zero.
    session: i64,
    is_new_session: bool,
    open: Option<Open>,
    held: VecDeque<Trade>,
    gaps: u32,
    counts: Counts,
}

impl Accounts {
    /// Creates an account that takes the first trade's volume as given, unless it
    /// [begins after](Accounts::begin_after) others.
    pub fn new(settings: AccountsSettings) -> Accounts {
        Accounts {
            settings,
            beginning: settings.patience,
            last: None,
            unnumbered: 0,
            last_time: 0,
            at_last_time: 0,
            in_minute: InMinute { number: 0, told: 0, lost: None },
            session: 0,
            is_new_session: false,
            open: None,
            held: VecDeque::new(),
            gaps: 0,
            counts: Counts::default(),
        }
    }

    /// The counts so far.
    pub fn counts(&self) -> Counts {
        self.counts
    }

    /// The gap that is open, if one is.
    pub fn gap(&self) -> Option<Gap> {
        self.open.as_ref().map(|open| open.gap)
    }

    /// Returns when it must be told the time, if nothing happens before.
    pub fn due(&self) -> Monotonic {
        self.open.as_ref().map_or(Monotonic::NEVER, |open| open.deadline)
    }

    /// Begins after trades that are known from elsewhere, with a gap that is open until the first
    /// trade after them says where it ends, and then for that long at most. Repeated trades from
    /// before are left out.
    pub fn begin_after(&mut self, known: &Known, patience: Duration, out: &mut Vec<Feed>) {
        self.beginning = patience;
        (self.last_time, self.at_last_time) = (known.time, known.at_time);
        let (number, told) = (minute(known.time), known.in_minute.unwrap_or(0));
        self.in_minute = InMinute { number, told, lost: known.in_minute.map(|_| 0) };
        self.open(None, None, Monotonic::NEVER, out);
    }

    /// Takes note that a session began at that time, in nanoseconds since 1970: its volume counts
    /// from zero.
    pub fn on_session(&mut self, began: i64) {
        (self.session, self.is_new_session) = (began, true);
    }

    /// Takes note that the link is gone: from here trades may be missing.
    pub fn on_lost(&mut self, now: Monotonic, out: &mut Vec<Feed>) {
        if self.open.as_ref().is_some_and(|open| open.target.is_none()) {
            // The same silence continues.
            self.set_deadline(Monotonic::NEVER);
            return;
        }
        // Each closing may open the next gap of what was held.
        while self.open.is_some() {
            self.close(now, out);
        }
        if self.last.is_some() {
            self.open(None, None, Monotonic::NEVER, out);
        }
    }

    /// Takes note that the link works again.
    pub fn on_live(&mut self, now: Monotonic) {
        let is_wanted = |open: &Open| open.target.is_none();
        // What begins after known trades has a gap in any case.
        if self.last.is_some() && self.open.as_ref().is_some_and(is_wanted) {
            self.set_deadline(now.after(self.settings.first_trade));
        }
    }

    /// Takes a trade.
    #[inline]
    pub fn on_trade(&mut self, trade: Trade, now: Monotonic, out: &mut Vec<Feed>) {
        if self.open.is_none() {
            self.judge(trade, now, out);
        } else {
            self.on_trade_in_gap(trade, now, out);
        }
    }

    /// Takes what history has of the gap that is open, in the order of time. It may come several
    /// times.
    pub fn on_history(&mut self, trades: &[Trade], now: Monotonic, out: &mut Vec<Feed>) {
        let Some(open) = &self.open else { return };
        let (missing, Some(to)) = (open.gap.missing, open.gap.to) else { return };
        let found = self.inside(trades, to);
        let sum = contracts(&found);
        if missing.is_some_and(|missing| sum > missing) {
            // It is not known which of them are missing.
            self.counts.refused_history += 1;
        } else if let Some(open) = &mut self.open
            && sum > contracts(&open.history)
        {
            open.history = found;
        }
        if missing == Some(sum) {
            self.close(now, out);
        }
    }

    /// Takes note that history has no more to say on the gap that is open, which closes if its size
    /// is known.
    pub fn on_history_over(&mut self, now: Monotonic, out: &mut Vec<Feed>) {
        if self.open.as_ref().is_some_and(|open| open.target.is_some()) {
            self.close(now, out);
        }
    }

    /// Takes the minutes that history has of the gap that is open, in the order of time. They judge
    /// which minutes lack what, if trades stay missing. Of a gap over a session's beginning they
    /// tell the size, if they go back to that beginning.
    pub fn on_minutes(&mut self, minutes: &[Minute]) {
        if let Some(open) = &mut self.open {
            open.minutes = minutes.to_vec();
        }
    }

    /// Does what is due.
    pub fn on_time(&mut self, now: Monotonic, out: &mut Vec<Feed>) {
        if now >= self.due() {
            self.close(now, out);
        }
    }

    /// Judges a trade while no gap is open.
    #[inline]
    fn judge(&mut self, trade: Trade, now: Monotonic, out: &mut Vec<Feed>) {
        let (Some(volume), Some(last)) = (trade.volume, self.last) else {
            return self.first_or_unnumbered(trade, out);
        };
        let expected = last + self.unnumbered;
        if !trade.is_snapshot && volume.checked_sub(u64::from(trade.size)) == Some(expected) {
            self.last = Some(volume);
            self.unnumbered = 0;
            self.is_new_session = false;
            self.tell(trade, Origin::Live, out);
        } else {
            self.judge_exception(trade, volume, last, now, out);
        }
    }

    /// Judges a trade that does not continue the volume.
    #[cold]
    fn judge_exception(
        &mut self,
        trade: Trade,
        volume: u64,
        last: u64,
        now: Monotonic,
        out: &mut Vec<Feed>,
    ) {
        let expected = if self.begins_again(volume, last) { 0 } else { last + self.unnumbered };
        let before = if trade.is_snapshot {
            Some(volume)
        } else {
            volume.checked_sub(u64::from(trade.size))
        };
        match before {
            Some(before) if before > expected => {
                let deadline = now.after(self.settings.patience);
                self.open(Some(before - expected), Some(before), deadline, out);
                self.end_gap_at(&trade, out);
                if !trade.is_snapshot {
                    self.held.push_back(trade);
                }
            }
            // The session's first trade.
            Some(before) if before == expected && !trade.is_snapshot => {
                (self.last, self.unnumbered, self.is_new_session) = (Some(volume), 0, false);
                self.tell(trade, Origin::Live, out);
            }
            _ if trade.is_snapshot || volume <= last && trade.time <= self.last_time => {
                self.counts.repeated += 1;
            }
            // A volume that was corrected, or began again untold: nobody knows what is missing.
            _ => {
                self.counts.contradictory += 1;
                self.open(None, None, now, out);
                self.end_gap_at(&trade, out);
                (self.last, self.unnumbered) = (None, 0);
                self.close(now, out);
                self.judge(trade, now, out);
            }
        }
    }

    fn first_or_unnumbered(&mut self, trade: Trade, out: &mut Vec<Feed>) {
        match trade.volume {
            Some(volume) => {
                (self.last, self.unnumbered) = (Some(volume), 0);
                self.is_new_session = false;
            }
            None => {
                self.counts.unnumbered += 1;
                self.unnumbered += u64::from(trade.size);
            }
        }
        if !trade.is_snapshot {
            self.tell(trade, Origin::Live, out);
        }
    }

    fn begins_again(&self, volume: u64, last: u64) -> bool {
        self.is_new_session && volume < last
    }

    fn on_trade_in_gap(&mut self, trade: Trade, now: Monotonic, out: &mut Vec<Feed>) {
        let Some(open) = &mut self.open else { return };
        let Some(target) = open.target else {
            return self.on_first_trade_after(trade, now, out);
        };
        let last = self.last.unwrap_or(0);
        match trade.volume {
            _ if trade.is_snapshot => self.counts.repeated += 1,
            Some(volume) if open.gap.missing.is_none() && volume <= target => {
                self.counts.repeated += 1;
            }
            // It lies in the gap: a frame that others have overtaken.
            Some(volume) if volume <= target && target >= last && volume > last => {
                let place = open.late.partition_point(|late| late.volume < trade.volume);
                if open.late.get(place).is_some_and(|late| late.volume == trade.volume) {
                    self.counts.repeated += 1;
                    return;
                }
                open.late.insert(place, trade);
                self.counts.late += 1;
                if Some(contracts(&open.late)) == open.gap.missing {
                    self.close(now, out);
                }
            }
            Some(volume) if volume <= last && trade.time <= self.last_time => {
                self.counts.repeated += 1;
            }
            _ => self.hold(trade, now, out),
        }
    }

    /// The link was gone, and this says what it has cost: all of it, unless a session has begun.
    fn on_first_trade_after(&mut self, trade: Trade, now: Monotonic, out: &mut Vec<Feed>) {
        if self.last.is_none() && trade.time <= self.last_time {
            self.counts.repeated += 1;
            return;
        }
        let Some(volume) = trade.volume else { return self.hold(trade, now, out) };
        let last = match self.last {
            Some(_) if self.is_new_session && trade.time >= self.session => None,
            last => last,
        };
        let expected = last.map_or(0, |last| last + self.unnumbered);
        // What was held has no volume and follows the gap.
        let held: u64 = self.held.iter().map(|trade| u64::from(trade.size)).sum();
        let own = if trade.is_snapshot { 0 } else { held + u64::from(trade.size) };
        match volume.checked_sub(own).and_then(|before| before.checked_sub(expected)) {
            Some(missing) => {
                let is_first = self.last.is_none();
                let patience = if is_first { self.beginning } else { self.settings.patience };
                let deadline = now.after(patience);
                let measured = last.map(|_| missing);
                if let Some(open) = &mut self.open {
                    open.gap.missing = measured;
                    open.target = Some(expected + missing);
                    open.deadline = deadline;
                }
                self.end_gap_at(&trade, out);
                if measured == Some(0) {
                    self.close(now, out);
                    self.on_trade(trade, now, out);
                } else if !trade.is_snapshot {
                    self.held.push_back(trade);
                }
            }
            None if last.is_some_and(|last| volume <= last) && trade.time <= self.last_time => {
                self.counts.repeated += 1;
            }
            None => {
                self.close(now, out);
                self.on_trade(trade, now, out);
            }
        }
    }

    fn hold(&mut self, trade: Trade, now: Monotonic, out: &mut Vec<Feed>) {
        // Most volumes are beyond the last; the others may be there already.
        let is_held = |held: &Trade| held.volume == trade.volume;
        let is_beyond = self.held.back().is_none_or(|last| last.volume < trade.volume);
        if trade.volume.is_some() && !is_beyond && self.held.iter().any(is_held) {
            self.counts.repeated += 1;
            return;
        }
        if self.held.len() >= self.settings.held {
            self.counts.overflowed += 1;
            self.close(now, out);
            return self.on_trade(trade, now, out);
        }
        self.held.push_back(trade);
    }

    fn open(
        &mut self,
        missing: Option<u64>,
        target: Option<u64>,
        deadline: Monotonic,
        out: &mut Vec<Feed>,
    ) {
        self.gaps += 1;
        let gap = Gap {
            number: self.gaps,
            phase: Phase::Opened,
            from: self.last_time,
            to: None,
            missing,
            recovered: 0,
        };
        out.push(Feed::Gap(gap));
        self.open = Some(Open {
            gap,
            target,
            deadline,
            late: Vec::new(),
            history: Vec::new(),
            minutes: Vec::new(),
        });
    }

    /// Notes that this trade is the first behind the gap, and asks for what is missing.
    fn end_gap_at(&mut self, trade: &Trade, out: &mut Vec<Feed>) {
        let Some(open) = &mut self.open else { return };
        // Trades without a volume may already be held.
        let first = self.held.front().unwrap_or(trade);
        open.gap.to = Some(first.time.max(open.gap.from));
        if open.target.is_some() && open.gap.missing != Some(0) {
            out.push(Feed::Wanted(open.gap));
        }
    }

    fn set_deadline(&mut self, deadline: Monotonic) {
        if let Some(open) = &mut self.open {
            open.deadline = deadline;
        }
    }

    /// Tells what was found, closes the gap, and continues with what was held.
    fn close(&mut self, now: Monotonic, out: &mut Vec<Feed>) {
        let Some(open) = self.open.take() else { return };
        let Open { mut gap, target, late, history, minutes, .. } = open;
        let found = if contracts(&late) >= contracts(&history) { late } else { history };
        gap.recovered = contracts(&found);
        gap.phase = Phase::Closed;
        let short = match (gap.missing, target) {
            (None, Some(volume)) => self.measure(&mut gap, volume, &found, &minutes),
            _ => self.short(&gap, &found, &minutes),
        };
        for trade in &found {
            self.tell(*trade, Origin::Recovered, out);
        }
        if !gap.is_recovered() {
            self.lose(&gap, short.last());
            out.extend(short.into_iter().map(Feed::Short));
        }
        out.push(Feed::Gap(gap));
        if target.is_some() {
            (self.last, self.unnumbered, self.is_new_session) = (target, 0, false);
        }
        let held = std::mem::take(&mut self.held);
        for trade in held {
            self.on_trade(trade, now, out);
        }
    }

    /// Returns what a gap that was not recovered took from each of its minutes, as far as that is
    /// known: of those before its last by history's bars, of its last, which is not over, by what
    /// is left.
    fn short(&mut self, gap: &Gap, found: &[Trade], bars: &[Minute]) -> Vec<Short> {
        let (Some(missing), Some(to)) = (gap.missing, gap.to) else { return Vec::new() };
        let mut lacking = missing.saturating_sub(gap.recovered);
        if lacking == 0 {
            return Vec::new();
        }
        let (first, last) = (minute(gap.from), minute(to));
        let mut told = BTreeMap::new();
        for trade in found {
            *told.entry(minute(trade.time)).or_insert(0) += u64::from(trade.size);
        }
        let traded: BTreeMap<i64, u64> = bars
            .iter()
            .map(|bar| (minute(bar.start), bar.volume))
            .filter(|(number, _)| (first..last).contains(number))
            .collect();
        let mut short = BTreeMap::new();
        for (&number, &volume) in &traded {
            let before = match (number == self.in_minute.number, self.in_minute.lost) {
                (false, _) => 0,
                (true, Some(lost)) => self.in_minute.told + lost,
                (true, None) => continue,
            };
            let known = before + told.get(&number).unwrap_or(&0);
            let took = volume.checked_sub(known).filter(|took| *took <= lacking);
            let Some(took) = took else {
                // The bar has less than was told, or lacks more than there is to lack.
                self.counts.refused_history += 1;
                return Vec::new();
            };
            lacking -= took;
            short.insert(number, took);
        }
        if lacking == 0 {
            // All that is missing is told, so the others lack nothing.
            (first..=last).for_each(|number| _ = short.entry(number).or_insert(0));
        } else if short.len() as i64 == last - first {
            short.insert(last, lacking);
        }
        let of = |(number, missing)| Short { gap: gap.number, minute: number * MINUTE, missing };
        short.into_iter().map(of).collect()
    }

    /// Returns what a gap over a session's beginning took from each of its minutes, as far as that
    /// is known: of those before its last by history's bars, of its last, which is not over, by the
    /// session's volume until then. If it is known of all, the gap is measured.
    fn measure(&self, gap: &mut Gap, volume: u64, found: &[Trade], bars: &[Minute]) -> Vec<Short> {
        let Some(to) = gap.to else { return Vec::new() };
        let (first, last) = (minute(gap.from), minute(to));
        let mut told = BTreeMap::new();
        for trade in found {
            *told.entry(minute(trade.time)).or_insert(0) += u64::from(trade.size);
        }
        let mut unknown = BTreeSet::new();
        match self.in_minute.lost {
            _ if self.in_minute.number != first => {}
            Some(lost) => *told.entry(first).or_insert(0) += self.in_minute.told + lost,
            None => _ = unknown.insert(first),
        }
        let told = |number: i64| *told.get(&number).unwrap_or(&0);
        let traded: BTreeMap<i64, u64> =
            bars.iter().map(|bar| (minute(bar.start), bar.volume)).collect();
        let mut took = BTreeMap::new();
        for (&number, volume) in traded.range(first..last) {
            match volume.checked_sub(told(number)) {
                Some(missing) => _ = took.insert(number, missing),
                // Trades and bars do not agree on the minute of a trade.
                None => unknown.extend([number - 1, number, number + 1]),
            }
        }
        let opened = minute(self.session);
        let before: u64 = traded.range(opened.min(last)..last).map(|(_, volume)| volume).sum();
        match volume.checked_sub(before + told(last)) {
            Some(missing) => {
                took.insert(last, missing);
                // Bars that add up to the volume lack no minute.
                let silent = (opened.max(first)..last).filter(|it| missing == 0 && told(*it) == 0);
                silent.for_each(|number| _ = took.entry(number).or_insert(0));
            }
            None => unknown.extend([last - 1, last]),
        }
        took.retain(|number, _| !unknown.contains(number));
        if took.len() as i64 == last - first + 1 {
            gap.missing = Some(took.values().sum::<u64>() + contracts(found));
        }
        let of = |(number, missing)| Short { gap: gap.number, minute: number * MINUTE, missing };
        took.into_iter().map(of).collect()
    }

    /// Notes what a gap took from its last minute.
    fn lose(&mut self, gap: &Gap, last: Option<&Short>) {
        let Some(to) = gap.to.map(minute) else {
            self.in_minute.lost = None;
            return;
        };
        if to > self.in_minute.number {
            self.in_minute = InMinute { number: to, told: 0, lost: Some(0) };
        }
        let took = last.filter(|short| minute(short.minute) == to).map(|short| short.missing);
        self.in_minute.lost = self.in_minute.lost.zip(took).map(|(lost, took)| lost + took);
    }

    #[inline]
    fn tell(&mut self, trade: Trade, origin: Origin, out: &mut Vec<Feed>) {
        let size = u64::from(trade.size);
        if micros(trade.time) == micros(self.last_time) {
            self.at_last_time += size;
        } else if trade.time > self.last_time {
            self.at_last_time = size;
        }
        let number = minute(trade.time);
        if number == self.in_minute.number {
            self.in_minute.told += size;
        } else if number > self.in_minute.number {
            // Of the first minute of all nobody knows what came before.
            let lost = if self.in_minute.number == 0 { None } else { Some(0) };
            self.in_minute = InMinute { number, told: size, lost };
        }
        self.last_time = self.last_time.max(trade.time);
        out.push(Feed::Trade(trade, origin));
    }

    /// Returns what of history lies between the last trade that was told and the first that is
    /// held. In the microseconds of those two, contracts tell what belongs where, since times do
    /// not.
    fn inside(&self, trades: &[Trade], to: i64) -> Vec<Trade> {
        let (seam, end) = (micros(self.last_time), micros(to));
        let at_end = |trade: &&Trade| micros(trade.time) == end;
        let sum = |trades: &mut dyn Iterator<Item = &Trade>| -> u64 {
            trades.map(|trade| u64::from(trade.size)).sum()
        };
        let held = sum(&mut self.held.iter().filter(at_end));
        let mut told = self.at_last_time;
        let all = sum(&mut trades.iter().filter(at_end));
        let told_at_end = if seam == end { told } else { 0 };
        let mut room = all.saturating_sub(held + told_at_end);
        let mut inside = Vec::new();
        for trade in trades {
            let (time, mut size) = (micros(trade.time), u64::from(trade.size));
            if time < seam || time > end {
                continue;
            }
            if time == seam {
                let skipped = told.min(size);
                told -= skipped;
                size -= skipped;
            }
            if time == end {
                size = size.min(room);
                room -= size;
            }
            if size > 0 {
                inside.push(Trade { size: size as u32, volume: None, ..*trade });
            }
        }
        inside
    }
}

/// A minute in nanoseconds.
const MINUTE: i64 = 60_000_000_000;

fn minute(time: i64) -> i64 {
    time.div_euclid(MINUTE)
}

fn micros(time: i64) -> i64 {
    time.div_euclid(1_000)
}

fn contracts(trades: &[Trade]) -> u64 {
    trades.iter().map(|trade| u64::from(trade.size)).sum()
}
