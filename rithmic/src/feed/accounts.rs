//! The account of the cumulative volume: whether every contract that traded was seen.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use super::{Minute, Trade};
use crate::Monotonic;

/// A stretch in which trades are missing, told when it opens and again when it closes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gap {
    /// Its number, from 1. A session's end at which nothing is missing has one, and is not told.
    pub number: u32,
    /// The end of the gap that this tells.
    pub phase: Phase,
    /// The time of the last trade before it, in nanoseconds since 1970, or of the session's
    /// beginning if it lies behind that.
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
    /// `true` if the session's end ends it: history's minutes tell its size.
    is_end: bool,
    /// `true` once it was told.
    is_told: bool,
    /// Trades that came late, by volume.
    late: Vec<Trade>,
    /// The trades that history has of it: the best answer so far.
    history: Vec<Trade>,
    /// The minutes that history has of it.
    minutes: Vec<Minute>,
}

/// The events that wait for the gap before them to close, in their order.
#[derive(Clone, Copy, Debug)]
enum Held {
    Trade(Trade),
    /// A session began.
    Session(i64),
    /// A session ended.
    End(i64),
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
    /// The time of a trade with that volume, if none of that time was told.
    volume_time: i64,
    /// The time of the last trade that was told with a volume, or of the end of a gap behind it.
    numbered_time: i64,
    /// Contracts that were told since without a volume.
    unnumbered: u64,
    /// The time of the last trade that was told, and the contracts told with its microsecond.
    last_time: i64,
    at_last_time: u64,
    in_minute: InMinute,
    /// The time at which the session began, whose volume counts from zero.
    session: i64,
    is_new_session: bool,
    /// The beginning and the end of the last session that is over.
    over: (i64, i64),
    open: Option<Open>,
    held: VecDeque<Held>,
    /// The beginning of the first session that is held.
    held_session: Option<i64>,
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
            volume_time: 0,
            numbered_time: 0,
            unnumbered: 0,
            last_time: 0,
            at_last_time: 0,
            in_minute: InMinute { number: 0, told: 0, lost: None },
            session: 0,
            is_new_session: false,
            over: (0, 0),
            open: None,
            held: VecDeque::new(),
            held_session: None,
            gaps: 0,
            counts: Counts::default(),
        }
    }

    /// The counts so far.
    pub fn counts(&self) -> Counts {
        self.counts
    }

    /// Numbers the gaps on from those of another account of the same link.
    pub fn number_on_from(&mut self, other: &Accounts) {
        self.gaps = other.gaps;
    }

    /// The gap that is open, if one is. That at a session's end may not be told yet.
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
        self.open(known.time, None, Monotonic::NEVER, out);
    }

    /// Begins with a session that opens at that time, in nanoseconds since 1970, with nothing known
    /// of it: what its first trade has behind it is missing. Trades from before are left out.
    pub fn begin_with(&mut self, opens: i64) {
        (self.last, self.last_time) = (Some(0), opens - 1);
        (self.volume_time, self.numbered_time) = (self.last_time, self.last_time);
        self.in_minute = InMinute { number: minute(self.last_time), told: 0, lost: Some(0) };
    }

    /// Takes note that a session began at that time, in nanoseconds since 1970: its volume counts
    /// from zero.
    pub fn on_session(&mut self, began: i64) {
        if self.holds() {
            self.held.push_back(Held::Session(began));
            self.held_session = self.held_session.or(Some(began));
        } else {
            // The answer to a subscription may be of this session.
            let is_seen = self.last_time.max(self.volume_time) >= began;
            (self.session, self.is_new_session) = (began, !is_seen);
        }
    }

    /// Takes note that the session has ended at that time, in nanoseconds since 1970. No later
    /// trade tells what is missing before it: history's minutes do, which must go back to the
    /// session's beginning. Nothing is told if they add up to the volume. To be called before
    /// [`on_session`](Accounts::on_session) and before a trade of the next session.
    pub fn on_session_end(&mut self, ended: i64, now: Monotonic, out: &mut Vec<Feed>) {
        if self.holds() {
            return self.held.push_back(Held::End(ended));
        }
        if self.last.is_none() || ended <= self.session {
            return;
        }
        self.over = (self.session, ended);
        // A link that is down may have more to tell.
        if self.due() != Monotonic::NEVER || self.open.is_none() {
            self.judge_end(now, out);
        }
    }

    /// Takes note that the link is gone: from here trades may be missing.
    pub fn on_lost(&mut self, now: Monotonic, out: &mut Vec<Feed>) {
        // Each closing may open the next gap of what was held.
        while self.holds() && !(self.held.is_empty() && self.is_at_end()) {
            self.close(now, out);
        }
        match &mut self.open {
            // The same silence continues.
            Some(open) => {
                if !std::mem::replace(&mut open.is_told, true) {
                    out.push(Feed::Gap(open.gap));
                }
                (open.is_end, open.deadline) = (false, Monotonic::NEVER);
            }
            None if self.last.is_some() => {
                self.open(self.accounted_until(), None, Monotonic::NEVER, out);
            }
            None => {}
        }
    }

    /// Takes note that the link works again.
    pub fn on_live(&mut self, now: Monotonic, out: &mut Vec<Feed>) {
        let is_wanted = |open: &Open| open.target.is_none();
        // What begins after known trades has a gap in any case.
        if self.last.is_none() || !self.open.as_ref().is_some_and(is_wanted) {
            return;
        }
        if self.session < self.over.1 {
            // No trade comes before the next session.
            self.judge_end(now, out);
        } else {
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
        let (from, missing, Some(to)) = (open.gap.from, open.gap.missing, open.gap.to) else {
            return;
        };
        if from < self.last_time {
            // Trades without a volume were told in it: nobody knows which of these are missing.
            self.counts.refused_history += 1;
            return;
        }
        let found = self.inside(trades, from, to);
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
        if self.holds() {
            self.close(now, out);
        }
    }

    /// Takes the minutes that history has of the gap that is open, in the order of time. They judge
    /// which minutes lack what, if trades stay missing. Of a gap over a session's beginning they
    /// tell the size, if they go back to that beginning, as of one at a session's end.
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

    /// Returns whether a gap is open whose end is known: what is behind that waits.
    fn holds(&self) -> bool {
        self.open.as_ref().is_some_and(|open| open.target.is_some() || open.is_end)
    }

    /// Returns whether the end of a session is being judged.
    fn is_at_end(&self) -> bool {
        self.open.as_ref().is_some_and(|open| open.is_end)
    }

    /// Judges a trade while no gap is open.
    #[inline]
    fn judge(&mut self, trade: Trade, now: Monotonic, out: &mut Vec<Feed>) {
        let (Some(volume), Some(last)) = (trade.volume, self.last) else {
            return self.first_or_unnumbered(trade, out);
        };
        let expected = last + self.unnumbered;
        let is_next = volume.checked_sub(u64::from(trade.size)) == Some(expected);
        if is_next && !trade.is_snapshot && !self.is_new_session {
            self.last = Some(volume);
            self.unnumbered = 0;
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
        if last == 0 && trade.time <= self.last_time {
            self.counts.repeated += 1;
            return;
        }
        let begins = self.is_new_session && (volume < last || trade.time >= self.session);
        let expected = if begins { 0 } else { last + self.unnumbered };
        if begins {
            self.session = self.session.min(trade.time);
        }
        let before = if trade.is_snapshot {
            Some(volume)
        } else {
            volume.checked_sub(u64::from(trade.size))
        };
        match before {
            Some(before) if before > expected => {
                let deadline = now.after(self.settings.patience);
                // What the session before lacks is of no account.
                let from = if begins { self.session } else { i64::MIN };
                let from = from.max(self.accounted_until());
                self.open(from, Some((expected, before)), deadline, out);
                self.end_gap_at(&trade, out);
                if !trade.is_snapshot {
                    self.held.push_back(Held::Trade(trade));
                }
            }
            // The session's first trade, or one of the session before.
            Some(before) if before == expected && !trade.is_snapshot => {
                (self.last, self.unnumbered) = (Some(volume), 0);
                self.is_new_session &= !begins;
                self.tell(trade, Origin::Live, out);
            }
            _ if trade.is_snapshot || volume <= last && trade.time <= self.last_time => {
                self.counts.repeated += 1;
            }
            // A volume that was corrected, or began again untold: nobody knows what is missing.
            _ => {
                self.counts.contradictory += 1;
                self.open(self.accounted_until(), None, now, out);
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
                (self.volume_time, self.is_new_session) = (trade.time, false);
            }
            // It repeats a trade that was counted.
            None if trade.is_snapshot => self.counts.repeated += 1,
            None => {
                self.counts.unnumbered += 1;
                self.unnumbered += u64::from(trade.size);
            }
        }
        if !trade.is_snapshot {
            self.tell(trade, Origin::Live, out);
        }
    }

    fn on_trade_in_gap(&mut self, trade: Trade, now: Monotonic, out: &mut Vec<Feed>) {
        let Some(open) = &mut self.open else { return };
        if self.held_session.is_some_and(|began| trade.time >= began) && !trade.is_snapshot {
            // The volumes of a later session are of no account here.
            return self.hold(trade, now, out);
        }
        if open.is_end {
            return self.on_trade_at_end(trade, now, out);
        }
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
        if self.last.unwrap_or(0) == 0 && trade.time <= self.last_time {
            self.counts.repeated += 1;
            return;
        }
        let Some(volume) = trade.volume else {
            if trade.is_snapshot {
                return self.counts.repeated += 1;
            }
            return self.hold(trade, now, out);
        };
        let last = match self.last {
            Some(_) if self.is_new_session && trade.time >= self.session => None,
            last => last,
        };
        let expected = last.map_or(0, |last| last + self.unnumbered);
        // What was held has no volume and follows the gap.
        let held: u64 = self.held_trades().map(|trade| u64::from(trade.size)).sum();
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
                    self.held.push_back(Held::Trade(trade));
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

    /// Takes a trade of the session that is over, while its end is judged. The answer to a
    /// subscription has the volume of the day, which tells what is missing.
    fn on_trade_at_end(&mut self, trade: Trade, now: Monotonic, out: &mut Vec<Feed>) {
        if !trade.is_snapshot {
            return self.hold(trade, now, out);
        }
        self.counts.repeated += 1;
        let told = self.volume_over();
        let volume = trade.volume.filter(|_| self.held_session.is_none());
        let missing = volume.and_then(|volume| volume.checked_sub(told));
        if let Some(open) = &mut self.open {
            open.gap.missing = open.gap.missing.max(missing);
            if open.gap.missing == Some(0) {
                self.close(now, out);
            }
        }
    }

    fn hold(&mut self, trade: Trade, now: Monotonic, out: &mut Vec<Feed>) {
        // Most volumes are beyond the last; the others may be there already.
        let is_beyond = match self.held.back() {
            Some(Held::Trade(last)) => last.volume < trade.volume,
            _ => self.held.is_empty(),
        };
        let is_held = |held: &Trade| (held.volume, held.time) == (trade.volume, trade.time);
        if trade.volume.is_some() && !is_beyond && self.held_trades().any(is_held) {
            self.counts.repeated += 1;
            return;
        }
        if self.held.len() >= self.settings.held {
            self.counts.overflowed += 1;
            self.close(now, out);
            return self.on_trade(trade, now, out);
        }
        self.held.push_back(Held::Trade(trade));
    }

    fn held_trades(&self) -> impl Iterator<Item = &Trade> {
        self.held.iter().filter_map(|held| match held {
            Held::Trade(trade) => Some(trade),
            _ => None,
        })
    }

    /// Asks for the minutes that tell what is missing at the end of the session that is over.
    fn judge_end(&mut self, now: Monotonic, out: &mut Vec<Feed>) {
        let deadline = now.after(self.settings.patience);
        if self.open.is_none() {
            // It is told if something is missing.
            self.open(self.last_time, None, deadline, &mut Vec::new());
            self.open.iter_mut().for_each(|open| open.is_told = false);
        }
        if let Some(open) = &mut self.open {
            (open.is_end, open.deadline) = (true, deadline);
            open.gap.to = Some((self.over.1 - 1).max(open.gap.from));
            out.push(Feed::Wanted(open.gap));
        }
    }

    /// Returns the time up to which a volume has accounted for what was told: a trade without one
    /// may stand behind a loss.
    fn accounted_until(&self) -> i64 {
        if self.unnumbered > 0 { self.numbered_time } else { self.last_time }
    }

    /// Returns the contracts that were told of the session that is over.
    fn volume_over(&self) -> u64 {
        let is_seen = self.last_time >= self.over.0;
        self.last.filter(|_| is_seen).map_or(0, |last| last + self.unnumbered)
    }

    /// Opens a gap behind that time, in which the volume went from one to the other, if that is
    /// known.
    fn open(
        &mut self,
        from: i64,
        volumes: Option<(u64, u64)>,
        deadline: Monotonic,
        out: &mut Vec<Feed>,
    ) {
        self.gaps += 1;
        let gap = Gap {
            number: self.gaps,
            phase: Phase::Opened,
            from,
            to: None,
            missing: volumes.map(|(before, after)| after - before),
            recovered: 0,
        };
        out.push(Feed::Gap(gap));
        self.open = Some(Open {
            gap,
            target: volumes.map(|(_, after)| after),
            deadline,
            is_end: false,
            is_told: true,
            late: Vec::new(),
            history: Vec::new(),
            minutes: Vec::new(),
        });
    }

    /// Notes that this trade is the first behind the gap, and asks for what is missing.
    fn end_gap_at(&mut self, trade: &Trade, out: &mut Vec<Feed>) {
        // Trades without a volume may already be held.
        let first = self.held_trades().next().unwrap_or(trade).time;
        let Some(open) = &mut self.open else { return };
        open.gap.to = Some(first.max(open.gap.from));
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
        let Some(mut open) = self.open.take() else { return };
        if open.is_end {
            self.measure_end(&mut open);
        }
        let Open { mut gap, target, late, history, minutes, is_told, .. } = open;
        let found = if contracts(&late) >= contracts(&history) { late } else { history };
        if !is_told && gap.missing != Some(0) {
            out.push(Feed::Gap(gap));
        }
        gap.recovered = contracts(&found);
        gap.phase = Phase::Closed;
        let short = match (gap.missing, target) {
            // By minute it is not known what was told in it.
            _ if gap.from < self.last_time => Vec::new(),
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
        if is_told || gap.missing != Some(0) {
            out.push(Feed::Gap(gap));
        }
        if target.is_some() {
            (self.last, self.unnumbered) = (target, 0);
            self.volume_time = gap.to.unwrap_or(gap.from);
            self.numbered_time = self.volume_time;
            self.is_new_session &= gap.to < Some(self.session);
        }
        self.held_session = None;
        for held in std::mem::take(&mut self.held) {
            match held {
                Held::Trade(trade) => self.on_trade(trade, now, out),
                Held::Session(began) => self.on_session(began),
                Held::End(ended) => self.on_session_end(ended, now, out),
            }
        }
    }

    /// Measures what is missing at a session's end by its minutes, unless it is known: they add up
    /// to its volume. Trades of history beyond that are not used.
    fn measure_end(&mut self, open: &mut Open) {
        let (began, ended) = (minute(self.over.0), minute(self.over.1));
        let is_in = |bar: &&Minute| (began..ended).contains(&minute(bar.start));
        let volume: u64 = open.minutes.iter().filter(is_in).map(|bar| bar.volume).sum();
        let told = self.volume_over();
        if open.gap.missing.is_none() && !open.minutes.is_empty() {
            open.gap.missing = volume.checked_sub(told);
        }
        open.target = open.gap.missing.map(|missing| told + missing);
        if open.gap.missing.is_some_and(|missing| contracts(&open.history) > missing) {
            self.counts.refused_history += 1;
            open.history.clear();
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
        if trade.volume.is_some() {
            self.numbered_time = self.last_time;
        }
        out.push(Feed::Trade(trade, origin));
    }

    /// Returns what of history lies between a gap's beginning, at which the last trade may lie that
    /// was told, and the first that is held. In the microseconds of those two, contracts tell what
    /// belongs where, since times do not.
    fn inside(&self, trades: &[Trade], from: i64, to: i64) -> Vec<Trade> {
        let (seam, end) = (micros(from), micros(to));
        let at_end = |trade: &&Trade| micros(trade.time) == end;
        let sum = |trades: &mut dyn Iterator<Item = &Trade>| -> u64 {
            trades.map(|trade| u64::from(trade.size)).sum()
        };
        let held = sum(&mut self.held_trades().filter(at_end));
        let mut told = if seam == micros(self.last_time) { self.at_last_time } else { 0 };
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
