//! Finer bars into coarser ones.

use crate::market::{Bar, BarFlags, Calendar, Session, Timeframe, Timestamp};

/// Returns the interval of `timeframe` that holds `time` in `session`: counted from the session's
/// open and cut at its close.
pub(super) fn interval(
    session: &Session,
    timeframe: Timeframe,
    time: Timestamp,
) -> (Timestamp, Timestamp) {
    if timeframe.is_daily() {
        return (session.open, session.close);
    }
    let length = timeframe.nanos();
    let start = session.open + (time - session.open).div_euclid(length) * length;
    (start, (start + length).min(session.close))
}

/// Folds finer bars, in order, into bars of one coarser timeframe.
#[derive(Clone, Debug)]
pub(super) struct BarFold {
    timeframe: Timeframe,
    bar: Option<Bar>,
    /// Flags of the bar that takes the next finer one.
    next: BarFlags,
}

impl BarFold {
    pub(super) fn new(timeframe: Timeframe) -> BarFold {
        BarFold { timeframe, bar: None, next: BarFlags::NONE }
    }

    /// Takes the open bar out if it ends at or before `time`.
    pub(super) fn close_by(&mut self, time: Timestamp) -> Option<Bar> {
        self.bar.take_if(|bar| bar.end <= time)
    }

    pub(super) fn is_open(&self) -> bool {
        self.bar.is_some()
    }

    /// Returns the length of its bars.
    pub(super) fn timeframe(&self) -> Timeframe {
        self.timeframe
    }

    /// Adds flags to the open bar if it ends after `time`.
    pub(super) fn flag_beyond(&mut self, time: Timestamp, flags: BarFlags) {
        if let Some(bar) = self.bar.as_mut().filter(|bar| bar.end > time) {
            bar.flags = bar.flags.with(flags);
        }
    }

    /// Adds flags to the bar that takes the next finer one.
    pub(super) fn flag_next(&mut self, flags: BarFlags) {
        self.next = self.next.with(flags);
    }

    /// Takes the open bar out, whenever it would end.
    pub(super) fn close(&mut self) -> Option<Bar> {
        self.bar.take()
    }

    /// Adds a finer bar, which lies within one bar of this timeframe. Every bar that ended before
    /// it must have been taken out with [`BarFold::close_by`].
    pub(super) fn add(&mut self, finer: &Bar, session: &Session) {
        let next = std::mem::replace(&mut self.next, BarFlags::NONE);
        match &mut self.bar {
            None => {
                let (start, end) = interval(session, self.timeframe, finer.start);
                let flags = finer.flags.with(next);
                self.bar = Some(Bar { start, end, timeframe: self.timeframe, flags, ..*finer });
            }
            Some(bar) => {
                if bar.flags.any(BarFlags::FILLED) {
                    // Prices of bars without trades are no prices of this bar once it has a trade.
                    (bar.open, bar.high, bar.low) = (finer.open, finer.high, finer.low);
                }
                bar.high = bar.high.max(finer.high);
                bar.low = bar.low.min(finer.low);
                bar.close = finer.close;
                bar.volume += finer.volume;
                bar.ticks += finer.ticks;
                // A coarse bar is filled only if nothing at all traded in it; it is incomplete or
                // made from bars if any part of it is.
                let filled = BarFlags(bar.flags.0 & finer.flags.0 & BarFlags::FILLED.0);
                let flags = bar.flags.with(finer.flags).with(next);
                bar.flags = flags.without(BarFlags::FILLED).with(filled);
            }
        }
    }
}

/// Returns coarser bars from finer ones: the same bars as from the ticks.
///
/// `bars` are of one timeframe that divides `timeframe`, in order of time, each inside a session of
/// `calendar`. The last bar is returned even if the input ends before it does.
pub fn resample(bars: &[Bar], timeframe: Timeframe, calendar: Calendar) -> Vec<Bar> {
    let mut fold = BarFold::new(timeframe);
    let mut coarse = Vec::with_capacity(bars.len() / 4 + 1);
    let mut session: Option<Session> = None;
    for bar in bars {
        coarse.extend(fold.close_by(bar.start));
        let session = match session {
            Some(session) if bar.start < session.close => session,
            _ => *session.insert(calendar.session_at_or_after(bar.start)),
        };
        fold.add(bar, &session);
    }
    coarse.extend(fold.close());
    coarse
}
