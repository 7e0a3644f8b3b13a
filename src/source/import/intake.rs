//! Rows in, ticks out: every row is imported, dropped or refused, and counted.

use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;

use super::expansion::{check_bar, expand_bar};
use super::importer::{ImportError, ImportOptions, Progress, Stop};
use super::join::{ContractStream, join_contracts};
use super::ledger::{Ledger, Place};
use super::output::TickOutput;
use super::placement::{DAY, Dated, Misplaced, PlacedBar, Placer, date_bar, is_weekend};
use super::policy::{IdenticalTrades, LateRows, OffTickPrices, Policies};
use super::report::{Effect, Finding, ImportReport};
use super::row::{BarRow, Refusal, Row, RowSink, TradeRow};
use super::text::TextSummary;
use crate::market::{Calendar, Contract, Price, Tick, TickFlags, Timestamp};
use crate::source::native::{Adjustment, ContractEntry, TickFileDescription};

/// An input is of another layout if it starts with so many refused rows.
const ALL_REFUSED: u64 = 100;
/// No market has ever been near it; it leaves room to round and to move prices.
const HIGHEST: Price = Price::from_units(i64::MAX / 2);
/// The longest bar, in seconds.
const LONGEST_BAR: i64 = 31 * 24 * 3600;
/// Input files that the output names.
const NAMED: usize = 3;

/// One contract's rows.
struct Stream {
    /// Where the source tells.
    symbol: Option<String>,
    rows: u64,
    latest: Timestamp,
    ticks: Vec<(Tick, Place)>,
    bars: Vec<(BarRow, Place)>,
}

/// Takes the rows of all inputs.
pub(super) struct Intake<'i> {
    options: &'i ImportOptions,
    policies: Policies,
    tick_size: Price,
    /// Whether rows are kept in memory until all are read.
    collect: bool,
    ledger: Ledger,
    streams: Vec<Stream>,
    current: usize,
    /// Contracts that were not asked for.
    others: Vec<String>,
    /// The last price that was on the tick grid: most prices repeat.
    good_price: Price,
    /// The bars' length, or 0 for trades; unknown before the first row.
    kind: Option<i64>,
    /// How the source dates its daily bars; `None` where they are instants.
    pub(super) dated: Option<Dated>,
    before: Before,
    description: TickFileDescription,
    output: TickOutput,
    progress: &'i mut dyn FnMut(Progress),
    bytes_read: u64,
    bytes_total: u64,
}

/// Whether two codes name one contract: `ESZ3`, `ESZ13` and `ESZ2013` do, as sources write the year
/// with one, two or four digits.
fn is_same_contract(one: &str, other: &str) -> bool {
    let parts = |code: &str| {
        let year = code.len() - code.bytes().rev().take_while(u8::is_ascii_digit).count();
        (code[..year].to_ascii_uppercase(), code[year..].to_owned())
    };
    let ((name, year), (other_name, other_year)) = (parts(one), parts(other));
    name == other_name
        && (year == other_year
            || !year.is_empty()
                && !other_year.is_empty()
                && (year.ends_with(&other_year) || other_year.ends_with(&year)))
}

/// A row as it was understood.
fn row_text(row: &Row) -> String {
    match row {
        Row::Trade(trade) => format!("{},{},{}", trade.time, trade.price, trade.size),
        Row::Bar(BarRow { start, open, high, low, close, volume, .. }) => {
            format!("{start},{open},{high},{low},{close},{volume}")
        }
    }
}

/// The row before, in the order of the output.
struct Before {
    tick: Option<Tick>,
    bar: Option<BarRow>,
    placer: Placer,
}

impl<'i> Intake<'i> {
    pub(super) fn new(
        options: &'i ImportOptions,
        inputs: &[PathBuf],
        bytes_total: u64,
        collect: bool,
        progress: &'i mut dyn FnMut(Progress),
    ) -> Result<Intake<'i>, Stop> {
        let name = |path: &PathBuf| {
            path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned()
        };
        let mut names = inputs.iter().take(NAMED).map(name).collect::<Vec<_>>().join(", ");
        if inputs.len() > NAMED {
            names += &format!(" and {} more", inputs.len() - NAMED);
        }
        let origin = format!("import of {}: {names}", options.format);
        let description = TickFileDescription::new(&options.instrument, &origin);
        Ok(Intake {
            options,
            policies: options.policies,
            tick_size: options.instrument.tick_size,
            collect,
            ledger: Ledger::new(options.rejects_path()),
            streams: Vec::new(),
            current: 0,
            others: Vec::new(),
            good_price: Price::ZERO,
            kind: None,
            dated: None,
            before: Before::new(options.instrument.calendar),
            output: TickOutput::create(&options.output, description.clone())?,
            description,
            progress,
            bytes_read: 0,
            bytes_total,
        })
    }

    /// Rows of a file that has no contracts to tell apart.
    pub(super) fn open(&mut self, path: &Path) -> Result<(), Stop> {
        self.begin(&path.display().to_string(), None).map(drop)
    }

    #[inline(always)]
    fn trade(&mut self, line: u64, trade: &TradeRow) -> Result<(), Stop> {
        let Ok(size @ 1..) = u32::try_from(trade.size) else {
            return self.odd_size(line, trade);
        };
        let price = if trade.price == self.good_price {
            trade.price
        } else {
            match self.price(line, trade.price, || Row::Trade(*trade))? {
                Some(price) => price,
                None => return Ok(()),
            }
        };
        if self.kind != Some(0) {
            self.set_kind(line, 0)?;
        }
        if trade.time < self.streams[self.current].latest {
            if !self.late(line, trade.time)? {
                return Ok(());
            }
        } else {
            self.streams[self.current].latest = trade.time;
        }
        let mut tick = Tick::new(trade.time, price, size).with_aggressor(trade.aggressor);
        if let Some(received) = trade.received {
            tick = tick.with_receive_time(received);
        }
        if trade.bid.is_some() || trade.ask.is_some() {
            tick = tick.with_quotes(trade.bid, trade.ask, self.tick_size);
        }
        let place = self.ledger.place(line);
        if self.collect {
            self.streams[self.current].ticks.push((tick, place));
            return Ok(());
        }
        let output = &mut self.output;
        self.before
            .tick(tick, place, &self.policies, &mut self.ledger, |tick| Ok(output.push(tick)?))
    }

    #[cold]
    fn odd_size(&mut self, line: u64, trade: &TradeRow) -> Result<(), Stop> {
        let place = self.ledger.place(line);
        if trade.size == 0 {
            self.ledger.note(Finding::ZeroSize, place, || "size 0".to_owned());
            return Ok(());
        }
        let reason = format!("a size of {} is not from 1 to {}", trade.size, u32::MAX);
        self.refuse_row(Finding::SizeOutOfRange, place, reason, Row::Trade(*trade))
    }

    /// The price as it is to be taken, if it is.
    #[inline(never)]
    fn price(
        &mut self,
        line: u64,
        price: Price,
        row: impl FnOnce() -> Row,
    ) -> Result<Option<Price>, Stop> {
        let tick_size = self.tick_size;
        let place = self.ledger.place(line);
        if price <= Price::ZERO || price > HIGHEST {
            let reason = format!("a price of {price} is not above 0 and up to {HIGHEST}");
            self.refuse_row(Finding::PriceOutOfRange, place, reason, row())?;
            return Ok(None);
        }
        if price.is_on_tick(tick_size) {
            self.good_price = price;
            return Ok(Some(price));
        }
        match self.policies.off_tick_prices {
            OffTickPrices::Round if price.round_to_tick(tick_size) > Price::ZERO => {
                let rounded = price.round_to_tick(tick_size);
                self.ledger.note(Finding::Rounded, place, || format!("{price} to {rounded}"));
                Ok(Some(rounded))
            }
            _ => {
                let reason = format!(
                    "a price of {price} is not a whole number of {}'s ticks of {tick_size}",
                    self.options.instrument.symbol
                );
                self.refuse_row(Finding::OffTick, place, reason, row())?;
                Ok(None)
            }
        }
    }

    fn bar(&mut self, line: u64, row: &BarRow) -> Result<(), Stop> {
        let place = self.ledger.place(line);
        let seconds = row.duration / Timestamp::SECOND;
        if row.duration % Timestamp::SECOND != 0 || !(1..=LONGEST_BAR).contains(&seconds) {
            return Err(ImportError::BarLength { nanos: row.duration }.into());
        }
        if row.volume == 0 {
            self.ledger.note(Finding::ZeroVolumeBar, place, || "volume 0".to_owned());
            return Ok(());
        }
        if row.volume < 0 {
            let reason = format!("a volume of {} is below 0", row.volume);
            return self.refuse_row(Finding::SizeOutOfRange, place, reason, Row::Bar(*row));
        }
        let mut bar = *row;
        for price in [&mut bar.open, &mut bar.high, &mut bar.low, &mut bar.close] {
            match self.price(line, *price, || Row::Bar(*row))? {
                Some(good) => *price = good,
                None => return Ok(()),
            }
        }
        if let Err(impossible) = check_bar(&bar) {
            let reason = impossible.to_string();
            return self.refuse_row(Finding::ImpossibleBar, place, reason, Row::Bar(*row));
        }
        self.set_kind(line, bar.duration)?;
        if bar.duration == DAY {
            match self.date(line, &bar)? {
                Some(dated) => bar = dated,
                None => return Ok(()),
            }
        }
        if bar.start < self.streams[self.current].latest {
            if !self.late(line, bar.start)? {
                return Ok(());
            }
        } else {
            self.streams[self.current].latest = bar.start;
        }
        if self.collect {
            self.streams[self.current].bars.push((bar, place));
            return Ok(());
        }
        let output = &mut self.output;
        self.before.bar(bar, place, &mut self.ledger, |tick| Ok(output.push(tick)?))
    }

    /// A daily bar over its whole session, if it has one.
    fn date(&mut self, line: u64, bar: &BarRow) -> Result<Option<BarRow>, Stop> {
        let calendar = self.options.instrument.calendar;
        match date_bar(bar, calendar, self.dated.as_ref()) {
            Ok(bar) => Ok(Some(bar)),
            Err(Misplaced::NoSession { date }) if is_weekend(date) => {
                let input = self.ledger.input().to_owned();
                Err(ImportError::Weekend { input, line, date, calendar }.into())
            }
            Err(misplaced) => {
                let place = self.ledger.place(line);
                let reason = misplaced.to_string();
                self.refuse_row(Finding::NoSession, place, reason, Row::Bar(*bar))?;
                Ok(None)
            }
        }
    }

    /// Holds all rows to one kind: bars of one length, or trades (0).
    #[cold]
    fn set_kind(&mut self, line: u64, duration: i64) -> Result<(), Stop> {
        let kind = *self.kind.get_or_insert(duration);
        if kind == duration {
            return Ok(());
        }
        let what = if kind == 0 || duration == 0 {
            "the input holds both trades and bars"
        } else {
            "the input holds bars of different lengths"
        };
        let input = self.ledger.input().to_owned();
        Err(ImportError::Mixed { input, line, what }.into())
    }

    /// Whether a row that goes back in time is taken.
    #[cold]
    fn late(&mut self, line: u64, time: Timestamp) -> Result<bool, Stop> {
        let last = self.streams[self.current].latest;
        let place = self.ledger.place(line);
        let reason = || format!("{time} is before {last}");
        match self.policies.late_rows {
            LateRows::Sort if !self.collect => Err(Stop::Collect),
            LateRows::Sort => {
                self.ledger.note(Finding::LateSorted, place, reason);
                Ok(true)
            }
            LateRows::Drop => {
                self.ledger.note(Finding::LateDropped, place, reason);
                Ok(false)
            }
            LateRows::Refuse => {
                let input = self.ledger.input().to_owned();
                Err(ImportError::Late { input, line, time, last }.into())
            }
        }
    }

    #[cold]
    fn refuse_row(
        &mut self,
        finding: Finding,
        place: Place,
        reason: String,
        row: Row,
    ) -> Result<(), Stop> {
        self.refused(finding, place, reason, &row_text(&row))
    }

    #[cold]
    fn refused(
        &mut self,
        finding: Finding,
        place: Place,
        reason: String,
        text: &str,
    ) -> Result<(), Stop> {
        self.ledger.refuse(finding, place, reason, text)?;
        match self.ledger.only_refused(ALL_REFUSED) {
            Some(first) => Err(self.wrong_format(first, ALL_REFUSED, ALL_REFUSED).into()),
            None => Ok(()),
        }
    }

    fn wrong_format(&self, first: super::report::Example, refused: u64, rows: u64) -> ImportError {
        ImportError::WrongFormat {
            format: self.options.format.clone(),
            instrument: self.options.instrument.symbol.clone(),
            refused,
            rows,
            first: Box::new(first),
            expected: String::new(),
            hint: String::new(),
        }
    }

    /// Sorts what was collected, judges the whole and puts the output into its place.
    pub(super) fn finish(
        mut self,
        inputs: &[PathBuf],
        summary: TextSummary,
    ) -> Result<ImportReport, Stop> {
        self.streams.retain(|stream| stream.rows > 0);
        if self.streams.is_empty()
            && !self.others.is_empty()
            && let Some(wanted) = &self.options.contract
        {
            let (wanted, seen) = (wanted.clone(), self.others.clone());
            return Err(ImportError::NoSuchContract { wanted, seen }.into());
        }
        let name = |stream: &Stream| {
            let fallback = || self.options.instrument.symbol.clone();
            stream.symbol.clone().or_else(|| self.options.contract.clone()).unwrap_or_else(fallback)
        };
        let symbols: Vec<String> = self.streams.iter().map(name).collect();
        let mut adjustment = Adjustment::None;
        let calendar = self.options.instrument.calendar;
        let mut contracts: Vec<ContractEntry> = symbols
            .iter()
            .zip(&self.streams)
            .map(|(symbol, stream)| ContractEntry {
                symbol: symbol.clone(),
                // A symbol that is no contract's, such as a product's, has no expiry.
                expiry: Contract::parse(symbol, stream.latest)
                    .ok()
                    .map(|contract| contract.expiry(calendar).to_string()),
                price_offset: "0".to_owned(),
            })
            .collect();
        let streams = std::mem::take(&mut self.streams);
        if let [_, _, ..] = streams[..] {
            let Some(roll) = &self.options.roll else {
                let rows = streams.iter().map(|stream| stream.rows);
                let contracts = symbols.into_iter().zip(rows).collect();
                return Err(ImportError::SeveralContracts { contracts }.into());
            };
            let mut sorted = Vec::new();
            for (stream, symbol) in streams.into_iter().zip(symbols) {
                let mut ticks = Vec::new();
                self.settle(stream, |_, tick| {
                    ticks.push(tick);
                    Ok(())
                })?;
                sorted.push(ContractStream { symbol, ticks });
            }
            let plan = roll(&sorted).map_err(ImportError::Roll)?;
            let joined = join_contracts(&sorted, &plan).map_err(ImportError::Join)?;
            let is_row =
                |tick: &&Tick| self.kind == Some(0) || tick.flags.any(TickFlags::BAR_CLOSE);
            let all: usize = sorted.iter().map(|s| s.ticks.iter().filter(is_row).count()).sum();
            let shown = joined.ticks.iter().filter(is_row).count();
            self.ledger.leave_out((all - shown) as u64);
            // The contracts are known only now, and the writer checks each tick against them.
            self.description.contracts.clone_from(&joined.contracts);
            self.output = TickOutput::create(&self.options.output, self.description.clone())?;
            for &tick in &joined.ticks {
                self.output.push(tick)?;
            }
            (contracts, adjustment) = (joined.contracts, plan.adjustment);
        } else {
            for stream in streams {
                self.settle(stream, |output, tick| Ok(output.push(tick)?))?;
            }
        }
        self.judge()?;
        let (mut writer, first, last) = self.output.into_writer()?;
        let description = writer.description_mut();
        let bar_seconds =
            self.kind.filter(|&kind| kind > 0).map(|kind| (kind / Timestamp::SECOND) as u32);
        description.contracts.clone_from(&contracts);
        description.adjustment = adjustment;
        description.expanded_from_bars_of_seconds = bar_seconds;
        let ticks = writer.finish()?;
        let rejects = self.ledger.keep_rejects()?;
        Ok(ImportReport {
            output: self.options.output.clone(),
            rejects,
            format: self.options.format.clone(),
            inputs: inputs.to_vec(),
            rows: self.ledger.rows,
            imported: self.ledger.imported,
            ticks,
            first,
            last,
            contracts: contracts.into_iter().map(|contract| contract.symbol).collect(),
            bar_seconds,
            rows_in_repeated_hour: summary.rows_in_repeated_hour,
            rows_in_skipped_hour: summary.rows_in_skipped_hour,
            counts: self.ledger.counts,
        })
    }

    /// Hands a contract's collected rows to `emit`, in order of time.
    fn settle(
        &mut self,
        mut stream: Stream,
        mut emit: impl FnMut(&mut TickOutput, Tick) -> Result<(), Stop>,
    ) -> Result<(), Stop> {
        self.before = Before::new(self.options.instrument.calendar);
        let output = &mut self.output;
        let mut emit = |tick| emit(output, tick);
        stream.ticks.sort_by_key(|(tick, _)| tick.time);
        for (tick, place) in stream.ticks {
            self.before.tick(tick, place, &self.policies, &mut self.ledger, &mut emit)?;
        }
        stream.bars.sort_by_key(|(bar, _)| bar.start);
        for (bar, place) in stream.bars {
            self.before.bar(bar, place, &mut self.ledger, &mut emit)?;
        }
        Ok(())
    }

    /// Whether the rows that were taken are enough.
    fn judge(&mut self) -> Result<(), Stop> {
        let rows = self.ledger.rows;
        let refused = self.ledger.total(Effect::Refused);
        if let Some(first) = self.ledger.first_refused.clone() {
            let counts = [Finding::OffGrid, Finding::TwoSessions, Finding::NoSession]
                .map(|finding| &self.ledger.counts[finding as usize]);
            let misplaced = counts.iter().map(|count| count.rows).sum::<u64>();
            let example = counts.iter().find_map(|count| count.examples.first());
            if let Some(example) = example.filter(|_| misplaced * 2 > rows) {
                let calendar = self.options.instrument.calendar;
                let first = Box::new(example.clone());
                return Err(ImportError::Misplaced { misplaced, rows, calendar, first }.into());
            }
            if refused * 2 > rows {
                return Err(self.wrong_format(first, refused, rows).into());
            }
            let limit = self.policies.max_refused;
            if refused as f64 > limit * rows as f64 {
                let rejects = self.ledger.keep_rejects()?.unwrap_or_default();
                // The next whole percent, so that the same command passes with it.
                let remedy = (refused as f64 / rows as f64 * 100.0).ceil() / 100.0;
                return Err(ImportError::TooManyRefused {
                    refused,
                    rows,
                    limit: limit * 100.0,
                    remedy,
                    rejects,
                    first: Box::new(first),
                }
                .into());
            }
        }
        if self.ledger.imported == 0 {
            let dropped = self.ledger.total(Effect::Dropped);
            return Err(ImportError::Nothing { rows, dropped, refused }.into());
        }
        Ok(())
    }
}

impl RowSink for Intake<'_> {
    type Error = Stop;

    fn begin(&mut self, input: &str, contract: Option<&str>) -> Result<bool, Stop> {
        if let (Some(contract), Some(wanted)) = (contract, &self.options.contract)
            && !is_same_contract(contract, wanted)
        {
            if !self.others.iter().any(|other| other == contract) {
                self.others.push(contract.to_owned());
            }
            return Ok(false);
        }
        let known = self.streams.iter().position(|stream| stream.symbol.as_deref() == contract);
        self.current = match known {
            Some(known) => known,
            None if !self.streams.is_empty() && !self.collect => return Err(Stop::Collect),
            None => {
                self.streams.push(Stream {
                    symbol: contract.map(str::to_owned),
                    rows: 0,
                    latest: Timestamp::MIN,
                    ticks: Vec::new(),
                    bars: Vec::new(),
                });
                self.streams.len() - 1
            }
        };
        self.ledger.begin(input);
        Ok(true)
    }

    #[inline(always)]
    fn row(&mut self, line: u64, row: Row) -> Result<(), Stop> {
        self.ledger.rows += 1;
        self.streams[self.current].rows += 1;
        match row {
            Row::Trade(trade) => self.trade(line, &trade),
            Row::Bar(bar) => self.bar(line, &bar),
        }
    }

    fn refuse(&mut self, line: u64, refusal: Refusal, text: &str) -> Result<(), Stop> {
        self.ledger.rows += 1;
        self.streams[self.current].rows += 1;
        let place = self.ledger.place(line);
        self.refused(Finding::Unreadable, place, refusal.to_string(), text)
    }

    fn advance(&mut self, bytes: u64) -> Result<(), Stop> {
        if self.options.stop.load(Ordering::Relaxed) {
            return Err(ImportError::Stopped.into());
        }
        self.bytes_read += bytes;
        (self.progress)(Progress {
            bytes_read: self.bytes_read,
            bytes_total: self.bytes_total,
            rows: self.ledger.rows,
        });
        Ok(())
    }
}

impl Before {
    fn new(calendar: Calendar) -> Before {
        Before { tick: None, bar: None, placer: Placer::new(calendar) }
    }

    #[inline(always)]
    fn tick(
        &mut self,
        tick: Tick,
        place: Place,
        policies: &Policies,
        ledger: &mut Ledger,
        mut emit: impl FnMut(Tick) -> Result<(), Stop>,
    ) -> Result<(), Stop> {
        if self.tick == Some(tick) {
            let reason = || format!("{} at {} is there twice", tick.price, tick.time);
            match policies.identical_trades {
                IdenticalTrades::Keep => ledger.note(Finding::IdenticalTradeKept, place, reason),
                IdenticalTrades::Drop => {
                    ledger.note(Finding::IdenticalTradeDropped, place, reason);
                    return Ok(());
                }
            }
        }
        self.tick = Some(tick);
        ledger.imported += 1;
        emit(tick)
    }

    fn bar(
        &mut self,
        bar: BarRow,
        place: Place,
        ledger: &mut Ledger,
        mut emit: impl FnMut(Tick) -> Result<(), Stop>,
    ) -> Result<(), Stop> {
        if let Some(before) = self.bar {
            if bar == before {
                let reason = || format!("the bar of {} is there twice", bar.start);
                ledger.note(Finding::IdenticalBar, place, reason);
                return Ok(());
            }
            if bar.start < before.start + before.duration {
                let (finding, what) = if bar.start == before.start {
                    (Finding::ConflictingBar, "another bar of this start")
                } else {
                    (Finding::OverlappingBar, "the bar before it, which ends later")
                };
                let reason = format!("the bar of {} conflicts with {what}", bar.start);
                return Ok(ledger.refuse(finding, place, reason, &row_text(&Row::Bar(bar)))?);
            }
        }
        let PlacedBar { bar: placed, halt, session } = match self.placer.place(&bar) {
            Ok(placed) => placed,
            Err(misplaced) => {
                let finding = match misplaced {
                    Misplaced::OffGrid { .. } => Finding::OffGrid,
                    Misplaced::TwoSessions { .. } => Finding::TwoSessions,
                    _ => Finding::NoSession,
                };
                let text = row_text(&Row::Bar(bar));
                return Ok(ledger.refuse(finding, place, misplaced.to_string(), &text)?);
            }
        };
        if session.is_none() {
            let reason = || format!("the bar of {} lies outside every session", bar.start);
            ledger.note(Finding::OutsideSession, place, reason);
        }
        self.bar = Some(bar);
        ledger.imported += 1;
        let mut result = Ok(());
        expand_bar(&placed, halt, |tick| {
            if result.is_ok() {
                result = emit(tick);
            }
        });
        result
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::market::Instrument;
    use crate::source::import::join::{JoinPlan, Stint};
    use crate::source::native::TickFile;

    /// Two contracts in two files each, as LEAN's daily archives have them: seconds 0 to 5 of ESZ3
    /// and 3 to 8 of ESH4.
    fn import(options: &ImportOptions) -> Result<ImportReport, Stop> {
        let bar = |second: i64, quarters: i64| {
            let price = Price::from_units(quarters * 250_000_000);
            Row::Bar(BarRow {
                start: Timestamp::from_nanos(second * Timestamp::SECOND),
                duration: Timestamp::SECOND,
                open: price,
                high: price,
                low: price,
                close: price,
                volume: 10,
            })
        };
        let read = |intake: &mut Intake| {
            for (input, contract, seconds, quarters) in [
                ("a/z3", "ESZ3", 0..3, 400),
                ("a/h4", "ESH4", 3..4, 404),
                ("b/z3", "ESZ3", 3..6, 400),
                ("b/h4", "ESH4", 4..9, 404),
            ] {
                if intake.begin(input, Some(contract))? {
                    for (line, second) in (1..).zip(seconds) {
                        intake.row(line, bar(second, quarters))?;
                    }
                }
            }
            Ok(())
        };
        let mut result = Err(Stop::Collect);
        for collect in [false, true] {
            let mut progress = |_| {};
            let mut intake = Intake::new(options, &[], 0, collect, &mut progress).unwrap();
            result = read(&mut intake).and_then(|()| intake.finish(&[], TextSummary::default()));
            if !matches!(result, Err(Stop::Collect)) {
                break;
            }
        }
        result
    }

    fn failure(options: &ImportOptions) -> String {
        match import(options) {
            Err(Stop::Error(error)) => error.to_string(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn several_contracts_need_a_choice() {
        let folder = tempfile::tempdir().unwrap();
        let output = folder.path().join("out.ticks");
        let es = Instrument::built_in("ES").unwrap();
        let mut options = ImportOptions::new("lean", vec![], output.clone(), es);
        let error = failure(&options);
        assert!(error.contains("2 contracts: ESZ3 (6 rows), ESH4 (6 rows)"), "{error}");
        options.contract = Some("ESM4".to_owned());
        let error = failure(&options);
        assert!(error.contains("ESM4 is not in the input, which holds ESZ3, ESH4"), "{error}");
        assert!(!output.exists());

        options.contract = Some("ESH4".to_owned());
        let report = import(&options).unwrap();
        assert_eq!((report.rows, report.imported, report.ticks), (6, 6, 24));
        assert_eq!(report.contracts, ["ESH4"]);

        options.contract = None;
        options.roll = Some(Box::new(|streams| {
            let stint = |from, stream, points: i64| Stint {
                from: Timestamp::from_nanos(from * Timestamp::SECOND),
                stream,
                expiry: None,
                offset: Price::from_units(points * Price::SCALE),
            };
            assert_eq!(
                streams.iter().map(|s| s.symbol.as_str()).collect::<Vec<_>>(),
                ["ESZ3", "ESH4"]
            );
            assert!(streams.iter().all(|stream| stream.ticks.len() == 24));
            let stints = vec![stint(0, 0, 1), stint(4, 1, 0)];
            Ok(JoinPlan { stints, adjustment: Adjustment::Back })
        }));
        let report = import(&options).unwrap();
        assert_eq!((report.rows, report.imported), (12, 9));
        // ESZ3's last two bars and ESH4's first one.
        assert_eq!(report.count(Finding::OtherContract).rows, 3);
        let file = TickFile::open(&output).unwrap();
        assert_eq!(file.description().adjustment, Adjustment::Back);
        let contracts: Vec<u16> = file.ticks().iter().map(|tick| tick.contract).collect();
        assert_eq!(contracts, [[0; 16].as_slice(), &[1; 20]].concat());
        assert!(file.ticks().iter().all(|tick| tick.price.to_string() == "101"));

        options.roll = Some(Box::new(|_| Err("no volume".to_owned())));
        assert!(failure(&options).contains("cannot be joined: no volume"));
        assert_eq!(TickFile::open(&output).unwrap().ticks().len(), 36);
    }
}
