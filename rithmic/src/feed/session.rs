//! The state of the session: what the calendar plans, and what the gateway says of it.

use crate::wire::rti;

/// The state of the session, by the data to expect in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Session {
    /// Regular hours: data all the time.
    Regular,
    /// Other hours: data each minute or so.
    Other,
    /// Orders are taken and nothing trades yet.
    PreOpen,
    /// Trading is halted (template 157): nothing.
    Halted,
    /// There is no session: nothing. Links that drop are maintenance.
    Closed,
}

impl Session {
    /// Returns true if contracts trade in it. If not, entries are off, and silence is no symptom.
    pub const fn is_open(self) -> bool {
        matches!(self, Session::Regular | Session::Other)
    }
}

/// The mode of a market, as a gateway tells it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Contracts trade.
    Open,
    /// Orders are taken and nothing trades yet.
    PreOpen,
    /// Trading is halted.
    Halted,
    /// The session is over.
    Closed,
}

impl Mode {
    /// The texts of modes, in small letters and without what stands between words. None is
    /// verified: they are the names of the exchange's own states, and what displays show of them.
    pub const TEXTS: [(&str, Mode); 18] = [
        ("open", Mode::Open),
        ("readytotrade", Mode::Open),
        ("trading", Mode::Open),
        ("preopen", Mode::PreOpen),
        ("preopening", Mode::PreOpen),
        ("preopennocancel", Mode::PreOpen),
        ("precross", Mode::PreOpen),
        ("newpriceindication", Mode::PreOpen),
        ("halt", Mode::Halted),
        ("halted", Mode::Halted),
        ("tradinghalt", Mode::Halted),
        ("paused", Mode::Halted),
        ("suspended", Mode::Halted),
        ("close", Mode::Closed),
        ("closed", Mode::Closed),
        ("postclose", Mode::Closed),
        ("endofday", Mode::Closed),
        ("notavailablefortrading", Mode::Closed),
    ];

    /// Returns the mode of a text; `None` if the text is not known.
    pub fn of(text: &str) -> Option<Mode> {
        let letters = text.chars().filter(|c| c.is_ascii_alphanumeric());
        let plain: String = letters.map(|c| c.to_ascii_lowercase()).collect();
        Self::TEXTS.iter().find(|(known, _)| *known == plain).map(|(_, mode)| *mode)
    }
}

/// The reason that the session changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// The calendar.
    Planned,
    /// The gateway's mode of the market, which the calendar did not plan: a halt, an early close,
    /// or its end.
    Mode,
    /// Trades came in a mode without trades: the mode is not believed.
    Trades,
    /// The gateway's mode is not known any more: the calendar counts.
    Forgotten,
}

/// A change of the session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SessionChange {
    /// The session now.
    pub to: Session,
    /// The reason.
    pub cause: Cause,
}

/// Follows the session of one contract. The calendar says when there is one; within it the
/// gateway's mode may halt or close it. A mode never opens what the calendar has closed.
#[derive(Clone, Debug)]
pub struct SessionWatch {
    planned: Session,
    /// The mode, and the gateway's time of it in nanoseconds since 1970.
    mode: Option<(Mode, i64)>,
    told: Session,
    unknown: Vec<String>,
}

impl SessionWatch {
    /// The time after a mode without trades in which trades are on their way still, in nanoseconds.
    const LATE: i64 = 5_000_000_000;
    /// Unknown texts that are kept.
    const UNKNOWN: usize = 16;

    /// Creates a watch with what the calendar plans now: [`Session::Regular`], [`Session::Other`]
    /// or [`Session::Closed`].
    pub fn new(planned: Session) -> SessionWatch {
        SessionWatch { planned, mode: None, told: planned, unknown: Vec::new() }
    }

    /// The session.
    pub fn session(&self) -> Session {
        self.told
    }

    /// Texts of modes that are not known, each once: nothing follows from them.
    pub fn unknown(&self) -> &[String] {
        &self.unknown
    }

    /// Takes note of what the calendar plans from now on. A close or halt of the session before
    /// says nothing of the one that begins.
    pub fn on_calendar(&mut self, planned: Session) -> Option<SessionChange> {
        let begins = !self.planned.is_open() && planned.is_open();
        let ended = |(mode, _): &(Mode, i64)| matches!(mode, Mode::Closed | Mode::Halted);
        if begins && self.mode.as_ref().is_some_and(ended) {
            self.mode = None;
        }
        self.planned = planned;
        self.change(Cause::Planned)
    }

    /// Takes the gateway's mode of the market (template 157).
    pub fn on_mode(&mut self, message: &rti::MarketMode) -> Option<SessionChange> {
        let text = message.market_mode.as_deref()?;
        let Some(mode) = Mode::of(text) else {
            if self.unknown.len() < Self::UNKNOWN && !self.unknown.iter().any(|it| it == text) {
                self.unknown.push(text.to_owned());
            }
            return None;
        };
        let (seconds, micros) = (message.ssboe.unwrap_or(0), message.usecs.unwrap_or(0));
        let time = i64::from(seconds) * 1_000_000_000 + i64::from(micros) * 1_000;
        self.mode = Some((mode, time));
        self.change(Cause::Mode)
    }

    /// Takes the gateway's time, in nanoseconds since 1970, of a trade that is not a repeated one.
    #[inline]
    pub fn on_trade(&mut self, time: i64) -> Option<SessionChange> {
        match self.mode {
            None | Some((Mode::Open, _)) => None,
            Some((_, since)) if time <= since.saturating_add(Self::LATE) => None,
            Some(_) => {
                self.mode = None;
                self.change(Cause::Trades)
            }
        }
    }

    /// Takes note that the ticker link is gone: the subscription tells the mode again.
    pub fn on_lost(&mut self) -> Option<SessionChange> {
        self.mode = None;
        self.change(Cause::Forgotten)
    }

    fn change(&mut self, cause: Cause) -> Option<SessionChange> {
        let to = match self.mode {
            _ if !self.planned.is_open() => self.planned,
            None | Some((Mode::Open, _)) => self.planned,
            Some((Mode::PreOpen, _)) => Session::PreOpen,
            Some((Mode::Halted, _)) => Session::Halted,
            Some((Mode::Closed, _)) => Session::Closed,
        };
        let changed = to != self.told;
        self.told = to;
        changed.then_some(SessionChange { to, cause })
    }
}
