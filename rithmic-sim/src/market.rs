//! The market that is replayed.

use std::io::{self, Write};
use std::ops::Range;

use algospace_hft::market::{
    Contract, Instrument, InstrumentError, Price, Session, Tick, Timestamp,
};
use algospace_hft::source::native::{TickFile, TickFileDescription};

/// The months in which index futures expire.
const QUARTERS: [(u8, char); 4] = [(3, 'H'), (6, 'M'), (9, 'U'), (12, 'Z')];

/// The reason that there is no market.
#[derive(Debug, thiserror::Error)]
pub enum MarketError {
    /// The instrument is not built in.
    #[error(transparent)]
    Instrument(#[from] InstrumentError),
    /// There is nothing to replay.
    #[error("there are no ticks")]
    Empty,
    /// The tick size of the file is not the instrument's.
    #[error("the file's tick size is {file}, that of {instrument} is {built_in}")]
    TickSize {
        /// That of the file.
        file: String,
        /// The instrument.
        instrument: String,
        /// Its own.
        built_in: Price,
    },
}

#[derive(Debug)]
enum Ticks {
    File(Box<TickFile>),
    Memory(Vec<Tick>),
}

/// Ticks with their contracts, and the place up to which they have been told.
#[derive(Debug)]
pub struct Market {
    ticks: Ticks,
    instrument: Instrument,
    /// Rithmic's names: `ESZ6`.
    symbols: Vec<String>,
    next: usize,
    session: Session,
    states: Vec<State>,
    /// Ticks that never happen, since trading was halted: spans of places, in their order.
    untraded: Vec<Range<usize>>,
    halted_until: Timestamp,
}

/// The state of one contract.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct State {
    /// Contracts traded in this session.
    pub(crate) volume: u64,
    /// The last trade, as an index.
    pub(crate) last: Option<usize>,
    /// Best bid and offer, where they are known.
    pub(crate) quotes: [Option<Price>; 2],
}

impl Market {
    /// Creates the market of a tick file. It stands before the first tick.
    ///
    /// # Errors
    /// If the file is empty or its instrument unknown.
    pub fn of_file(file: TickFile) -> Result<Market, MarketError> {
        let description = file.description().clone();
        Market::new(Ticks::File(Box::new(file)), &description)
    }

    /// Creates the market of ticks of one contract in the order of time: that which is in front at
    /// the first of them.
    ///
    /// # Errors
    /// If there are no ticks or the instrument is unknown.
    pub fn of_ticks(instrument: &str, ticks: Vec<Tick>) -> Result<Market, MarketError> {
        let built_in = Instrument::built_in(instrument)?;
        let description = TickFileDescription::new(&built_in, "memory");
        Market::new(Ticks::Memory(ticks), &description)
    }

    fn new(ticks: Ticks, description: &TickFileDescription) -> Result<Market, MarketError> {
        let instrument = Instrument::built_in(&description.instrument)?;
        if description.tick_size.parse() != Ok(instrument.tick_size) {
            return Err(MarketError::TickSize {
                file: description.tick_size.clone(),
                instrument: description.instrument.clone(),
                built_in: instrument.tick_size,
            });
        }
        let first = ticks.slice().first().ok_or(MarketError::Empty)?.time;
        let symbol = |symbol: &str| {
            let front = || front(&instrument, first);
            rithmics(&instrument.symbol, symbol).unwrap_or_else(front)
        };
        let symbols: Vec<_> =
            description.contracts.iter().map(|entry| symbol(&entry.symbol)).collect();
        let session = instrument.calendar.session_at_or_after(first);
        let states = vec![State::default(); symbols.len()];
        Ok(Market {
            ticks,
            instrument,
            symbols,
            next: 0,
            session,
            states,
            untraded: Vec::new(),
            halted_until: Timestamp::MIN,
        })
    }

    /// Goes to the first tick at or after that time. Earlier ticks are history.
    pub fn start_at(&mut self, time: Timestamp) {
        let place = self.ticks().partition_point(|tick| tick.time < time);
        self.session = self.instrument.calendar.session_at_or_after(time);
        let open = self.session.open;
        self.next = self.ticks().partition_point(|tick| tick.time < open).min(place);
        self.states.fill(State::default());
        self.pass_untraded();
        while self.next < place {
            self.advance();
        }
    }

    /// Writes the ticks from that time up to the place of the market as CSV: contract, nanoseconds
    /// since 1970, price, size, and the session's volume with it.
    ///
    /// # Errors
    /// If they cannot be written.
    pub fn write_past(&mut self, from: Timestamp, into: &mut impl Write) -> io::Result<()> {
        let end = self.next;
        self.start_at(from);
        writeln!(into, "symbol,time,price,size,volume")?;
        while self.next < end
            && let Some((tick, _)) = self.advance()
        {
            let symbol = &self.symbols[usize::from(tick.contract)];
            let volume = self.state(tick.contract).volume;
            writeln!(into, "{symbol},{},{},{},{volume}", tick.time.nanos(), tick.price, tick.size)?;
        }
        into.flush()
    }

    /// The instrument.
    pub fn instrument(&self) -> &Instrument {
        &self.instrument
    }

    /// All ticks.
    pub fn ticks(&self) -> &[Tick] {
        self.ticks.slice()
    }

    /// Rithmic's names of the contracts, by their index in a tick.
    pub fn symbols(&self) -> &[String] {
        &self.symbols
    }

    /// The number of ticks that are past: the index of the next.
    pub fn position(&self) -> usize {
        self.next
    }

    /// Returns the time of the next tick; `None` at the end.
    pub fn next_time(&self) -> Option<Timestamp> {
        self.ticks().get(self.next).map(|tick| tick.time)
    }

    /// Returns the time at which the market stands: that of the next tick, or of the last.
    pub fn time(&self) -> Timestamp {
        let last = self.ticks().last().map_or(Timestamp::MIN, |tick| tick.time);
        self.next_time().unwrap_or(last)
    }

    /// The contract in front: that of the next tick.
    pub fn front(&self) -> u16 {
        let tick = self.ticks().get(self.next).or(self.ticks().last());
        tick.map_or(0, |tick| tick.contract)
    }

    /// Returns the index of a contract by Rithmic's name for it.
    pub(crate) fn contract(&self, symbol: &str) -> Option<u16> {
        self.symbols.iter().position(|name| name == symbol).map(|place| place as u16)
    }

    pub(crate) fn state(&self, contract: u16) -> State {
        self.states[usize::from(contract)]
    }

    /// Halts trading from now until that time: ticks before it never happen.
    pub(crate) fn halt(&mut self, until: Timestamp) {
        self.halted_until = self.halted_until.max(until);
        let from = self.next;
        let to = self.ticks().partition_point(|tick| tick.time < until);
        if from < to {
            self.untraded.push(from..to);
            self.pass_untraded();
        }
    }

    /// Returns the end of the halt in which trading is at that time.
    pub(crate) fn halt_at(&self, time: Timestamp) -> Option<Timestamp> {
        (time < self.halted_until).then_some(self.halted_until)
    }

    /// Returns the next time after that one at which the market opens, halts, resumes or closes, as
    /// the calendar plans it; `None` after the last tick's session.
    pub(crate) fn next_change(&self, after: Timestamp) -> Option<Timestamp> {
        let calendar = self.instrument.calendar;
        let last = self.ticks().last()?.time;
        let session = calendar.session_at_or_after(after);
        let (halt, resume) = session.halt.unzip();
        let times = [Some(session.open), halt, resume, Some(session.close)];
        let next = times.into_iter().flatten().filter(|time| *time > after).min()?;
        (next <= calendar.session_at_or_after(last).close).then_some(next)
    }

    /// Returns whether a tick never happens, by its place.
    pub(crate) fn is_untraded(&self, place: usize) -> bool {
        let span = self.untraded.partition_point(|span| span.end <= place);
        self.untraded.get(span).is_some_and(|span| span.contains(&place))
    }

    /// Passes ticks that never happen, at one of which the market never stands.
    fn pass_untraded(&mut self) {
        while self.is_untraded(self.next) {
            self.next += 1;
        }
    }

    /// Passes the next tick and returns it with the quotes that it changed.
    pub(crate) fn advance(&mut self) -> Option<(Tick, [Option<Price>; 2])> {
        let tick = *self.ticks().get(self.next)?;
        if tick.time >= self.session.close {
            self.session = self.instrument.calendar.session_at_or_after(tick.time);
            self.states.iter_mut().for_each(|state| state.volume = 0);
        }
        let tick_size = self.instrument.tick_size;
        let quotes = [tick.bid(tick_size), tick.ask(tick_size)];
        let state = &mut self.states[usize::from(tick.contract)];
        state.volume += u64::from(tick.size);
        state.last = Some(self.next);
        let mut changed = [None; 2];
        for ((known, new), changed) in state.quotes.iter_mut().zip(quotes).zip(&mut changed) {
            if new.is_some() && *known != new {
                (*known, *changed) = (new, new);
            }
        }
        self.next += 1;
        self.pass_untraded();
        Some((tick, changed))
    }
}

impl Ticks {
    fn slice(&self) -> &[Tick] {
        match self {
            Ticks::File(file) => file.ticks(),
            Ticks::Memory(ticks) => ticks,
        }
    }
}

/// Returns Rithmic's name of a contract that other sources call `ESZ13` or `ESZ3`; `None` of a name
/// without a month.
fn rithmics(product: &str, symbol: &str) -> Option<String> {
    let rest = symbol.strip_prefix(product)?;
    let month = rest.chars().next()?;
    let year = rest.strip_prefix(month)?;
    let valid = "FGHJKMNQUVXZ".contains(month)
        && !year.is_empty()
        && year.bytes().all(|byte| byte.is_ascii_digit());
    valid.then(|| format!("{product}{month}{}", &year[year.len() - 1..]))
}

/// Returns the quarterly contract that is in front at that time, by its expiry.
fn front(instrument: &Instrument, time: Timestamp) -> String {
    let product = &instrument.symbol;
    let year = instrument.calendar.session_at_or_after(time).trade_date.year();
    for year in [year, year + 1] {
        for (month, code) in QUARTERS {
            let contract = Contract::from_year_month(product, year, month);
            if contract.is_ok_and(|contract| contract.expiry(instrument.calendar) > time) {
                return format!("{product}{code}{}", year % 10);
            }
        }
    }
    product.clone()
}
