//! Rows in, ticks out: every row is imported, dropped or refused, and counted.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::atomic::Ordering;

use super::bar_length::{LengthWatch, OtherLength, greatest_common_divisor};
use super::expansion::check_bar;
use super::importer::{ImportError, ImportOptions, ImportProgress, Stop};
use super::input;
use super::join::{ContractStream, JoinPlan, Stint, join_contracts};
use super::labels::{ContractIdentity, FileNames, Labels, Verdict};
use super::ledger::{ImportLedger, RowPlace};
use super::order;
use super::output::TickOutput;
use super::placement::{DAY, Dated, Misplaced, Placer, date_bar, is_weekend};
use super::policy::{
    IdenticalTrades, ImplausiblePrices, LateRows, OffTickPrices, Policies, PricesBelowZero,
};
use super::price_watch::{Candidate, Judged, PriceVerdict, PriceWatch, SessionRange};
use super::report::{Effect, Example, Finding, ImportReport};
use super::row::{BarRow, Label, Row, RowRefusal, RowSink, TradeRow};
use super::text::TextSummary;
use crate::market::{Instrument, Naming, Price, Tick, TickFault, TickFlags, Timestamp};
use crate::source::native::{self, Adjustment, ContractEntry, TickFileDescription};

/// Refused rows at the start of an input that show another layout.
const ALL_REFUSED: u64 = 100;
/// The longest bar, in seconds.
const LONGEST_BAR: i64 = native::LONGEST_BAR as i64;
/// New prices by which an instrument's tick can be told: half of them are odd numbers of ticks.
const FEWEST_PRICES: u32 = 50;
/// The most contracts, and the most names of any contracts: more are no names of contracts.
const MOST_CONTRACTS: usize = 4_096;
const MOST_NAMES: usize = 65_536;
/// Input files that the output names.
const NAMED: usize = 3;

/// One contract's rows.
struct Stream {
    identity: ContractIdentity,
    rows: u64,
    latest: Timestamp,
    ticks: Vec<(Tick, RowPlace)>,
    bars: Vec<(BarRow, RowPlace)>,
}

/// The plan that makes one series of several contracts.
enum Plan {
    /// As the user's rule says.
    ByRule,
    /// None traded at the time of another: one after the other.
    AsTheyCome,
}

/// Returns whether contracts follow one another in time, so that there is nothing to choose.
fn is_sequence(streams: &[Stream]) -> bool {
    let times = |stream: &Stream| {
        let ticks = stream.ticks.iter().map(|(tick, _)| tick.time);
        let (mut first, mut last) = (Timestamp::MAX, Timestamp::MIN);
        for time in ticks.chain(stream.bars.iter().map(|(bar, _)| bar.start)) {
            (first, last) = (first.min(time), last.max(time));
        }
        (first, last)
    };
    let mut spans: Vec<(Timestamp, Timestamp, &ContractIdentity)> = streams
        .iter()
        .map(|stream| (times(stream).0, times(stream).1, &stream.identity))
        .filter(|(first, last, _)| first <= last)
        .collect();
    spans.sort_by_key(|&(first, last, _)| (first, last));
    spans.windows(2).all(|pair| {
        let in_order = match (pair[0].2, pair[1].2) {
            (ContractIdentity::Contract(one), ContractIdentity::Contract(next)) => one < next,
            (
                ContractIdentity::Series { name, .. },
                ContractIdentity::Series { name: next, .. },
            ) => name == next,
            _ => false,
        };
        in_order && pair[0].1 < pair[1].0
    })
}

#[cold]
fn other_product(foreign: &[(String, String)], instrument: &str) -> ImportError {
    let (product, name) = foreign[0].clone();
    ImportError::OtherProduct { product, name, instrument: instrument.to_owned() }
}

/// Takes the rows of all inputs.
pub(super) struct Intake<'i> {
    options: &'i ImportOptions,
    policies: Policies,
    tick_size: Price,
    /// `true` if rows are kept in memory until all are read.
    collect: bool,
    ledger: ImportLedger,
    streams: Vec<Stream>,
    labels: Labels,
    /// Labels that were judged, where they are by their names, and the last one used.
    known: Vec<Known>,
    known_by_name: HashMap<String, Vec<usize>>,
    last_known: usize,
    file_names: FileNames,
    current: usize,
    /// The number of the instrument whose rows have a number and no name.
    unnamed: Option<u32>,
    rows_go: RowsGo,
    /// The last price that was on the tick grid: most prices repeat.
    good_price: Option<Price>,
    /// The bars' length, or 0 for trades; unknown before the first row.
    kind: Option<i64>,
    /// The source's way of dating daily bars; `None` where they are instants.
    pub(super) dated: Option<Dated>,
    /// `true` if the source says how long each bar is.
    pub(super) says_length: bool,
    /// `true` if there are several contracts.
    several: bool,
    before: Before,
    /// The greatest common divisor of the prices, in ticks, and how often a new price was looked
    /// at.
    price_grid: (i64, u32),
    description: TickFileDescription,
    output: TickOutput,
    progress: &'i mut dyn FnMut(ImportProgress),
    bytes_read: u64,
    bytes_total: u64,
}

/// The destination of the rows that follow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum RowsGo {
    /// To [`Intake::current`].
    ToCurrent,
    /// To the contract that the file's name tells, once a row tells the time.
    ByFile,
    /// Nowhere; they are counted.
    Nowhere(Finding),
    /// Nowhere; the decoder need not hand them over.
    Unwanted,
}

/// A label that was judged.
struct Known {
    name: String,
    number: Option<u32>,
    /// The day for which it was.
    day: i64,
    /// The stream of its rows.
    current: usize,
    rows_go: RowsGo,
}

impl Known {
    fn is(&self, label: &Label<'_>) -> bool {
        // A year of one digit means another contract ten years later.
        self.name == label.name && self.number == label.number && self.day == day(label.at)
    }
}

fn day(time: Timestamp) -> i64 {
    time.nanos().div_euclid(24 * Timestamp::HOUR)
}

/// Returns a time of the row that is outside the market years.
fn odd_time_of(row: &Row) -> Option<Timestamp> {
    let last = match row {
        Row::Trade(trade) => trade.time,
        Row::Bar(bar) => bar.start.saturating_add(bar.duration.saturating_sub(1)),
    };
    [row.time(), last].into_iter().find(|time| !time.is_in_market_years())
}

/// Returns a row as it was understood.
pub(super) fn row_text(row: &Row) -> String {
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
    length: LengthWatch,
    prices: PriceWatch,
    session: SessionRange,
    /// The first bar that is not as long as it is taken for.
    other_length: Option<OtherLength>,
}

impl<'i> Intake<'i> {
    pub(super) fn new(
        options: &'i ImportOptions,
        inputs: &[PathBuf],
        bytes_total: u64,
        collect: bool,
        progress: &'i mut dyn FnMut(ImportProgress),
    ) -> Result<Intake<'i>, Stop> {
        let name = |path: &PathBuf| {
            path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned()
        };
        let mut names = inputs.iter().take(NAMED).map(name).collect::<Vec<_>>().join(", ");
        if inputs.len() > NAMED {
            names += &format!(" and {} more", inputs.len() - NAMED);
        }
        let origin = format!("import of {}: {names}", options.format);
        let symbol = &options.instrument.symbol;
        let labels = Labels::new(symbol, options.contract.as_deref());
        if let Some((product, name)) = labels.foreign_wanted() {
            return Err(other_product(&[(product, name)], symbol).into());
        }
        let mut file_names = FileNames::new(symbol);
        for path in inputs {
            file_names.add(path, &input::members(path));
        }
        let description = TickFileDescription::new(&options.instrument, &origin);
        Ok(Intake {
            options,
            policies: options.policies,
            tick_size: options.instrument.tick_size,
            collect,
            ledger: ImportLedger::new(options.rejects_path()),
            streams: Vec::new(),
            labels,
            known: Vec::new(),
            known_by_name: HashMap::new(),
            last_known: 0,
            file_names,
            current: 0,
            unnamed: None,
            rows_go: RowsGo::ByFile,
            good_price: None,
            kind: None,
            dated: None,
            says_length: true,
            several: false,
            before: Before::new(&options.instrument),
            price_grid: (0, 0),
            output: TickOutput::create(&options.output, description.clone())?,
            description,
            progress,
            bytes_read: 0,
            bytes_total,
        })
    }

    /// Sends the rows that follow where the verdict says.
    fn follow(&mut self, verdict: Verdict) -> Result<(), Stop> {
        self.rows_go = match verdict {
            Verdict::Unwanted => RowsGo::Unwanted,
            Verdict::Skip(finding) => RowsGo::Nowhere(finding),
            Verdict::Take(identity) => {
                let known = self.streams.iter().position(|stream| stream.identity == identity);
                self.current = match known {
                    Some(known) => known,
                    None if !self.streams.is_empty() && !self.collect => {
                        return Err(Stop::Collect);
                    }
                    None if self.streams.len() == MOST_CONTRACTS => {
                        return Err(self.too_many(MOST_CONTRACTS));
                    }
                    None => {
                        self.streams.push(Stream {
                            identity,
                            rows: 0,
                            latest: Timestamp::MIN,
                            ticks: Vec::new(),
                            bars: Vec::new(),
                        });
                        self.streams.len() - 1
                    }
                };
                RowsGo::ToCurrent
            }
        };
        Ok(())
    }

    /// Holds rows that have a number and no name to one instrument: nothing tells contracts apart.
    #[cold]
    fn hold_to_one(&mut self, number: Option<u32>) -> Result<(), Stop> {
        let first = *self.unnamed.get_or_insert(number.unwrap_or_default());
        match number {
            Some(second) if second != first => {
                let input = self.ledger.input().to_owned();
                Err(ImportError::SeveralInstruments { input, first, second }.into())
            }
            _ => Ok(()),
        }
    }

    /// Finds what a label means, or judges it.
    fn look_up(&mut self, label: Label<'_>) -> Result<(), Stop> {
        let named = self.known_by_name.get(label.name).map_or(&[][..], Vec::as_slice);
        let found = named.iter().copied().find(|&at| self.known[at].number == label.number);
        if let Some(found) = found.filter(|&found| self.known[found].is(&label)) {
            self.last_known = found;
            return Ok(());
        }
        if found.is_none() && self.known.len() == MOST_NAMES {
            return Err(self.too_many(MOST_NAMES));
        }
        let verdict = self.labels.judge(label);
        self.follow(verdict)?;
        let known = Known {
            name: label.name.to_owned(),
            number: label.number,
            day: day(label.at),
            current: self.current,
            rows_go: self.rows_go,
        };
        match found {
            Some(found) => {
                self.known[found] = known;
                self.last_known = found;
            }
            None => {
                self.last_known = self.known.len();
                self.known_by_name.entry(known.name.clone()).or_default().push(self.last_known);
                self.known.push(known);
            }
        }
        Ok(())
    }

    #[cold]
    fn too_many(&self, most: usize) -> Stop {
        ImportError::TooManyContracts { input: self.ledger.input().to_owned(), most }.into()
    }

    /// Returns whether a row is taken that does not simply go to the current stream.
    #[cold]
    fn place(&mut self, line: u64, row: &Row) -> Result<bool, Stop> {
        if self.rows_go == RowsGo::ByFile {
            // A row that is refused tells no decade.
            if let Some(time) = odd_time_of(row) {
                self.ledger.rows += 1;
                self.odd_time(line, time, *row)?;
                return Ok(false);
            }
            let file = self.ledger.input().to_owned();
            let naming = self.file_names.naming(&file)?;
            let verdict = self.labels.judge_file(&file, &naming, row.time());
            self.follow(verdict)?;
        }
        match self.rows_go {
            RowsGo::ToCurrent => Ok(true),
            RowsGo::ByFile => Ok(false),
            RowsGo::Unwanted => {
                self.ledger.rows += 1;
                self.ledger.counts[Finding::OtherContract as usize].rows += 1;
                Ok(false)
            }
            RowsGo::Nowhere(finding) => {
                self.ledger.rows += 1;
                let place = self.ledger.place(line);
                self.ledger.note(finding, place, || finding.words().to_owned());
                Ok(false)
            }
        }
    }

    #[inline(always)]
    fn trade(&mut self, line: u64, trade: &TradeRow) -> Result<(), Stop> {
        let Ok(size @ 1..) = u32::try_from(trade.size) else {
            return self.odd_size(line, trade);
        };
        if !trade.time.is_in_market_years() {
            return self.odd_time(line, trade.time, Row::Trade(*trade));
        }
        let price = if Some(trade.price) == self.good_price {
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
        self.streams[self.current].rows += 1;
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
    fn odd_time(&mut self, line: u64, time: Timestamp, row: Row) -> Result<(), Stop> {
        let place = self.ledger.place(line);
        self.refuse_row(Finding::TimeOutOfRange, place, TickFault::Year(time).to_string(), row)
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

    /// Returns the price as it is to be taken, if it is.
    #[inline(never)]
    fn price(
        &mut self,
        line: u64,
        price: Price,
        row: impl FnOnce() -> Row,
    ) -> Result<Option<Price>, Stop> {
        let tick_size = self.tick_size;
        let place = self.ledger.place(line);
        let (lowest, hint) = match self.policies.prices_below_zero {
            PricesBelowZero::Keep => (Price::from_units(-Price::HIGHEST.units()), ""),
            PricesBelowZero::RefuseRow => (
                Price::from_units(1),
                "; where the instrument trades at or below 0, say `--prices-below-zero keep`",
            ),
        };
        if price < lowest || price > Price::HIGHEST {
            let hint = if price > Price::HIGHEST { "" } else { hint };
            let reason =
                format!("a price of {price} is not above 0 and up to {}{hint}", Price::HIGHEST);
            self.refuse_row(Finding::PriceOutOfRange, place, reason, row())?;
            return Ok(None);
        }
        if price.is_on_tick(tick_size) {
            if self.price_grid.0 != 1 {
                let (grid, seen) = self.price_grid;
                let ticks = price.units() / tick_size.units();
                self.price_grid = (greatest_common_divisor(grid, ticks.abs()), seen + 1);
            }
            self.good_price = Some(price);
            return Ok(Some(price));
        }
        match self.policies.off_tick_prices {
            OffTickPrices::Round if price.round_to_tick(tick_size) >= lowest => {
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
        if let Some(time) = odd_time_of(&Row::Bar(*row)) {
            return self.odd_time(line, time, Row::Bar(*row));
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
        self.streams[self.current].rows += 1;
        if self.collect {
            self.streams[self.current].bars.push((bar, place));
            return Ok(());
        }
        let output = &mut self.output;
        self.before
            .bar(bar, place, &self.policies, &mut self.ledger, |tick| Ok(output.push(tick)?))?;
        match self.before.other_length {
            None => Ok(()),
            Some(_) => self.check_length(),
        }
    }

    /// Refuses bars that are not as long as they are taken for, if the source does not say how
    /// long.
    fn check_length(&mut self) -> Result<(), Stop> {
        let Some(length) = self.kind.filter(|&kind| kind > 0 && kind < DAY && !self.says_length)
        else {
            return Ok(());
        };
        // Of several contracts some hardly trade: their few bars tell nothing.
        let length_of_all = || match self.several {
            true => None,
            false => self.before.length.finish(length),
        };
        match self.before.other_length.or_else(length_of_all) {
            None => Ok(()),
            Some(OtherLength { place, step }) => {
                let Example { input, line, .. } =
                    self.ledger.example(place, String::new(), String::new());
                let [length, step] = [length, step].map(|nanos| nanos / Timestamp::SECOND);
                Err(ImportError::OtherLength { input, line, length, step }.into())
            }
        }
    }

    /// Returns the daily bar over its whole session, if it has one.
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

    /// Returns whether a row that goes back in time is taken.
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
        place: RowPlace,
        reason: String,
        row: Row,
    ) -> Result<(), Stop> {
        self.refused(finding, place, reason, &row_text(&row))
    }

    #[cold]
    fn refused(
        &mut self,
        finding: Finding,
        place: RowPlace,
        reason: String,
        text: &str,
    ) -> Result<(), Stop> {
        self.ledger.refuse(finding, place, reason, text)?;
        match self.ledger.only_refused(ALL_REFUSED) {
            Some(first) => Err(self.wrong_format(first, ALL_REFUSED, ALL_REFUSED).into()),
            None => Ok(()),
        }
    }

    fn wrong_format(&self, first: Example, refused: u64, rows: u64) -> ImportError {
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
        if self.streams.is_empty()
            && !self.labels.others.is_empty()
            && let Some(wanted) = self.options.contract.clone()
        {
            let seen = std::mem::take(&mut self.labels.others);
            return Err(ImportError::NoSuchContract { wanted, seen }.into());
        }
        let output = &mut self.output;
        self.before.finish(&self.policies, &mut self.ledger, |tick| Ok(output.push(tick)?))?;
        self.check_length()?;
        self.streams.retain(|stream| stream.rows > 0);
        self.several = self.streams.len() > 1;
        let streams = std::mem::take(&mut self.streams);
        let (contracts, adjustment) = match self.plan(&streams)? {
            None => {
                let contracts = streams.iter().map(|stream| self.entry(stream)).collect();
                for stream in streams {
                    self.settle(stream, |output, tick| Ok(output.push(tick)?))?;
                }
                (contracts, Adjustment::None)
            }
            Some(choice) => self.join(streams, choice)?,
        };
        self.judge()?;
        let (mut writer, [first, last], [lowest, highest]) = self.output.into_writer()?;
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
            lowest,
            highest,
            coarser_tick: Some(self.price_grid)
                .filter(|&(grid, seen)| grid > 1 && seen >= FEWEST_PRICES)
                .map(|(grid, _)| Price::from_units(grid * self.tick_size.units())),
            contracts: contracts.into_iter().map(|contract| contract.symbol).collect(),
            bar_seconds,
            rows_in_repeated_hour: summary.rows_in_repeated_hour,
            rows_in_skipped_hour: summary.rows_in_skipped_hour,
            unread_columns: summary.unread_columns,
            counts: self.ledger.counts,
        })
    }

    /// Returns the plan that makes one series of the contracts found; `None`: there is one at most.
    fn plan(&self, streams: &[Stream]) -> Result<Option<Plan>, Stop> {
        let symbol = &self.options.instrument.symbol;
        let wanted = || self.options.contract.clone().unwrap_or_default();
        if streams.is_empty() && !self.labels.foreign.is_empty() {
            return Err(other_product(&self.labels.foreign, symbol).into());
        }
        let names = || streams.iter().map(|stream| stream.identity.name(symbol)).collect();
        let are_contracts = streams.iter().all(|stream| stream.identity.contract().is_some());
        if self.options.roll.is_some() && !are_contracts && !streams.is_empty() {
            return Err(ImportError::NothingToRoll { names: names() }.into());
        }
        let [_, _, ..] = streams else { return Ok(None) };
        if self.options.contract.is_some() && are_contracts {
            return Err(ImportError::AmbiguousContract { wanted: wanted(), seen: names() }.into());
        }
        if self.options.roll.is_some() {
            return Ok(Some(Plan::ByRule));
        }
        if is_sequence(streams) {
            return Ok(Some(Plan::AsTheyCome));
        }
        let rows = streams.iter().map(|stream| stream.rows);
        let names: Vec<String> = names();
        Err(ImportError::SeveralContracts { contracts: names.into_iter().zip(rows).collect() }
            .into())
    }

    /// Returns the output's entry for the only contract.
    fn entry(&self, stream: &Stream) -> ContractEntry {
        let instrument = &self.options.instrument;
        let contract = match (&stream.identity, &self.options.contract) {
            (ContractIdentity::Unnamed, Some(label)) => match self.labels.naming(label) {
                Naming::Contract(name) => name.resolve(&instrument.symbol, stream.latest),
                _ => None,
            },
            (identity, _) => identity.contract().cloned(),
        };
        let unnamed = self.options.contract.as_ref().unwrap_or(&instrument.symbol);
        ContractEntry {
            symbol: contract
                .as_ref()
                .map_or_else(|| stream.identity.only_name(unnamed), ToString::to_string),
            // What is no contract, such as a product, has no expiry.
            expiry: contract.map(|contract| contract.expiry(instrument.calendar).to_string()),
            price_offset: "0".to_owned(),
        }
    }

    /// Writes several contracts as one series.
    fn join(
        &mut self,
        streams: Vec<Stream>,
        plan: Plan,
    ) -> Result<(Vec<ContractEntry>, Adjustment), Stop> {
        let mut sorted = Vec::new();
        for stream in streams {
            let contract = stream.identity.contract().cloned();
            let symbol = stream.identity.name(&self.options.instrument.symbol);
            let mut ticks = Vec::new();
            self.settle(stream, |_, tick| {
                ticks.push(tick);
                Ok(())
            })?;
            if !ticks.is_empty() {
                sorted.push(ContractStream { symbol, contract, ticks });
            }
        }
        let plan = match (plan, &self.options.roll) {
            (Plan::ByRule, Some(roll)) => roll(&sorted).map_err(ImportError::Roll)?,
            _ => self.in_order(&sorted),
        };
        if plan.stints.is_empty() {
            // Every row was dropped or refused, which the judgement tells.
            return Ok((Vec::new(), Adjustment::None));
        }
        let joined = join_contracts(&sorted, &plan).map_err(ImportError::Join)?;
        let is_row = |tick: &&Tick| self.kind == Some(0) || tick.flags.any(TickFlags::BAR_CLOSE);
        let all: usize = sorted.iter().map(|s| s.ticks.iter().filter(is_row).count()).sum();
        let shown = joined.ticks.iter().filter(is_row).count();
        self.ledger.leave_out((all - shown) as u64);
        // The contracts are known only now, and the writer checks each tick against them.
        self.description.contracts.clone_from(&joined.contracts);
        self.output = TickOutput::create(&self.options.output, self.description.clone())?;
        for &tick in &joined.ticks {
            self.output.push(tick)?;
        }
        Ok((joined.contracts, plan.adjustment))
    }

    /// Returns the plan that takes each contract from its first tick on.
    fn in_order(&self, sorted: &[ContractStream]) -> JoinPlan {
        let calendar = self.options.instrument.calendar;
        let mut stints: Vec<Stint> = sorted
            .iter()
            .enumerate()
            .map(|(stream, ContractStream { contract, ticks, .. })| Stint {
                from: ticks[0].time,
                stream,
                expiry: contract.as_ref().map(|contract| contract.expiry(calendar)),
                offset: Price::ZERO,
            })
            .collect();
        stints.sort_by_key(|stint| stint.from);
        JoinPlan { stints, adjustment: Adjustment::None }
    }

    /// Hands a contract's collected rows to `emit`, in order of time.
    fn settle(
        &mut self,
        mut stream: Stream,
        mut emit: impl FnMut(&mut TickOutput, Tick) -> Result<(), Stop>,
    ) -> Result<(), Stop> {
        self.before = Before::new(&self.options.instrument);
        let output = &mut self.output;
        let mut emit = |tick| emit(output, tick);
        order::sort(&mut stream.ticks, |tick| tick.time);
        order::drop_repeated(&mut stream.ticks, &mut self.ledger);
        for (tick, place) in stream.ticks {
            self.before.tick(tick, place, &self.policies, &mut self.ledger, &mut emit)?;
        }
        order::sort(&mut stream.bars, |bar| bar.start);
        for (bar, place) in stream.bars {
            self.before.bar(bar, place, &self.policies, &mut self.ledger, &mut emit)?;
        }
        self.before.finish(&self.policies, &mut self.ledger, &mut emit)?;
        self.check_length()
    }

    /// Checks that enough rows were taken.
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

    fn begin(&mut self, input: &str) -> Result<(), Stop> {
        self.ledger.begin(input);
        self.rows_go = RowsGo::ByFile;
        if matches!(self.file_names.naming(input), Ok(Naming::Contract(_))) {
            self.unnamed = None;
        }
        Ok(())
    }

    #[inline]
    fn select(&mut self, label: Label<'_>) -> Result<bool, Stop> {
        if label.name.is_empty() {
            if self.unnamed != label.number {
                self.hold_to_one(label.number)?;
            }
            return Ok(true);
        }
        if !self.known.get(self.last_known).is_some_and(|known| known.is(&label)) {
            if !label.at.is_in_market_years() {
                // Such a row is refused for any contract.
                self.rows_go = RowsGo::ByFile;
                return Ok(true);
            }
            self.look_up(label)?;
        }
        let known = &self.known[self.last_known];
        (self.current, self.rows_go) = (known.current, known.rows_go);
        Ok(self.rows_go != RowsGo::Unwanted)
    }

    #[inline(always)]
    fn row(&mut self, line: u64, row: Row) -> Result<(), Stop> {
        if self.rows_go != RowsGo::ToCurrent && !self.place(line, &row)? {
            return Ok(());
        }
        self.ledger.rows += 1;
        match row {
            Row::Trade(trade) => self.trade(line, &trade),
            Row::Bar(bar) => self.bar(line, &bar),
        }
    }

    fn refuse(&mut self, line: u64, refusal: RowRefusal, text: &str) -> Result<(), Stop> {
        self.ledger.rows += 1;
        let place = self.ledger.place(line);
        self.refused(Finding::Unreadable, place, refusal.to_string(), text)
    }

    fn advance(&mut self, bytes: u64) -> Result<(), Stop> {
        if self.options.stop.load(Ordering::Relaxed) {
            return Err(ImportError::Stopped.into());
        }
        self.bytes_read += bytes;
        (self.progress)(ImportProgress {
            bytes_read: self.bytes_read,
            bytes_total: self.bytes_total,
            rows: self.ledger.rows,
        });
        Ok(())
    }
}

impl Before {
    fn new(instrument: &Instrument) -> Before {
        Before {
            tick: None,
            bar: None,
            placer: Placer::new(instrument.calendar),
            length: LengthWatch::default(),
            prices: PriceWatch::new(instrument.tick_size),
            session: SessionRange::default(),
            other_length: None,
        }
    }

    #[inline(always)]
    fn tick(
        &mut self,
        tick: Tick,
        place: RowPlace,
        policies: &Policies,
        ledger: &mut ImportLedger,
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
        let before = self.tick.replace(tick);
        if !self.prices.is_calm(tick.price, tick.price) {
            let before = before.map(|before| before.price);
            return self.doubt(Candidate::Tick(tick), place, before, policies, ledger, &mut emit);
        }
        ledger.imported += 1;
        emit(tick)
    }

    /// Looks at prices that are far from those before them.
    #[cold]
    #[inline(never)]
    fn doubt(
        &mut self,
        row: Candidate,
        place: RowPlace,
        before: Option<Price>,
        policies: &Policies,
        ledger: &mut ImportLedger,
        emit: &mut dyn FnMut(Tick) -> Result<(), Stop>,
    ) -> Result<(), Stop> {
        let mut judged = Judged::new();
        self.prices.take(row, place, before, &mut judged);
        pass(judged, policies, ledger, emit)
    }

    /// Hands out what waits for a row after it.
    fn finish(
        &mut self,
        policies: &Policies,
        ledger: &mut ImportLedger,
        mut emit: impl FnMut(Tick) -> Result<(), Stop>,
    ) -> Result<(), Stop> {
        let mut judged = Judged::new();
        self.prices.finish(&mut judged);
        pass(judged, policies, ledger, &mut emit)
    }

    fn bar(
        &mut self,
        bar: BarRow,
        place: RowPlace,
        policies: &Policies,
        ledger: &mut ImportLedger,
        mut emit: impl FnMut(Tick) -> Result<(), Stop>,
    ) -> Result<(), Stop> {
        let placed = self.placer.place(&bar);
        let trade_date = self.placer.trade_date(bar.start);
        let other = self.length.see(bar.start, bar.duration, trade_date, place);
        self.other_length = self.other_length.or(other);
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
        let placed = match placed {
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
        if placed.session.is_none() {
            let reason = || format!("the bar of {} lies outside every session", bar.start);
            ledger.note(Finding::OutsideSession, place, reason);
        }
        if let Some(reason) = self.session.see(&placed, self.placer.halt()) {
            if policies.implausible_prices == ImplausiblePrices::RefuseRow {
                let text = row_text(&Row::Bar(bar));
                return Ok(ledger.refuse(Finding::Implausible, place, reason, &text)?);
            }
            ledger.note(Finding::ImplausibleKept, place, || reason);
        }
        let before = self.bar.replace(bar).map(|before| before.close);
        let row = Candidate::Bar(placed);
        if !self.prices.is_calm(bar.low, bar.high) {
            return self.doubt(row, place, before, policies, ledger, &mut emit);
        }
        ledger.imported += 1;
        row.emit(&mut emit)
    }
}

/// Hands out rows, or refuses them, by what they turned out to be.
fn pass(
    judged: Judged,
    policies: &Policies,
    ledger: &mut ImportLedger,
    emit: &mut dyn FnMut(Tick) -> Result<(), Stop>,
) -> Result<(), Stop> {
    for (row, place, verdict) in judged {
        let text = row.text();
        match verdict {
            PriceVerdict::Good => {}
            PriceVerdict::Astray { near } => {
                let reason = format!("prices before and after it are near {near}: `{text}`");
                if policies.implausible_prices == ImplausiblePrices::RefuseRow {
                    ledger.refuse(Finding::Implausible, place, reason, &text)?;
                    continue;
                }
                ledger.note(Finding::ImplausibleKept, place, || reason);
            }
            PriceVerdict::Jump { from } => {
                let reason = || format!("prices before it are near {from}: `{text}`");
                ledger.note(Finding::PriceJump, place, reason);
            }
        }
        ledger.imported += 1;
        row.emit(emit)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::market::Instrument;
    use crate::source::import::join::{JoinPlan, Stint};
    use crate::source::native::TickFile;

    /// Imports two contracts in two files each, as LEAN's daily archives have them: seconds 0 to 5
    /// of ESZ3 and 3 to 8 of ESH4.
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
                intake.begin(input)?;
                let at = Timestamp::from_nanos(1_386_000_000_000_000_000);
                if intake.select(Label { name: contract, number: None, at })? {
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
        assert!(error.contains("2 contracts: ESZ13 (6 rows), ESH14 (6 rows)"), "{error}");
        options.contract = Some("ESM4".to_owned());
        let error = failure(&options);
        assert!(error.contains("ESM4 is not in the input, which holds ESZ13, ESH14"), "{error}");
        assert!(!output.exists());

        options.contract = Some("ESH4".to_owned());
        let report = import(&options).unwrap();
        assert_eq!((report.rows, report.imported, report.ticks), (6, 6, 24));
        assert_eq!(report.contracts, ["ESH14"]);

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
                ["ESZ13", "ESH14"]
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
