//! Delimited text into rows, by a declarative description of the layout.

use std::ops::AddAssign;

use clap::ValueEnum;
use jiff::tz::TimeZone;

use super::clock::{Clock, quoted};
use super::lane::Lane;
use super::layout::{COLUMN_LIMIT, Column, Layout};
use super::row::{BarRow, Label, Row, RowRefusal, RowSink, TradeRow};
use super::{bar_length, detect, header, parts};
use crate::market::{Price, Side, Timestamp};
use crate::settings::names;

/// Bytes of a refused row that are kept.
const SHOWN: usize = 200;
/// Separators of columns, where the format does not name one.
const DELIMITERS: [u8; 4] = [b',', b';', b'\t', b'|'];

/// The format of a text file.
#[derive(Clone, Debug, PartialEq)]
pub struct TextFormat {
    /// Between two columns; `None`: whichever of comma, semicolon, tab and `|` makes the most
    /// columns of the first line.
    pub delimiter: Option<u8>,
    /// The treatment of a header.
    pub header: Header,
    /// The content of the columns. A row uses the first layout that fits its number of columns; the
    /// header, where there is one, takes their place.
    pub layouts: Vec<Layout>,
    /// The pattern of times.
    pub time: TimePattern,
    /// The zone of times that do not carry an offset of their own.
    pub zone: TimeZone,
    /// The end of its interval with which a bar is labelled.
    pub stamp: Stamp,
    /// Nanoseconds in a bar; `None`: the most frequent step between the first bars of the file.
    pub bar_length: Option<i64>,
    /// `true` if a price without a point is in units of 1e-9.
    pub nano_prices: bool,
}

/// The treatment of a first line that starts with a letter and has no digit in the column of the
/// time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Header {
    /// The names of the columns.
    Auto,
    /// The vendor's names of the columns, some of which nobody reads; there must be such a line.
    Vendor,
    /// A line to skip: the layouts say what the columns are.
    Skip,
}

/// The pattern of times: the order of day and month, which nothing in a file tells.
///
/// A date may also be written `yyyyMMdd`, and a time of day `HHmm` or `HHmmss` with a fraction
/// after a point, a space or nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimePattern {
    /// `yyyy-MM-dd[T ]HH:mm[:ss[.fraction]]` with or without an offset;
    /// `yyyyMMddHH[mm[ss[fraction]]]`; or an integer since 1970 in seconds (9 to 11 digits), milli-
    /// (12 to 14), micro- (15 to 17) or nanoseconds (18, 19).
    Iso,
    /// `d/M/yyyy H:mm[:ss[.fraction]]`.
    DayFirst,
    /// `M/d/yyyy H:mm[:ss[.fraction]]`.
    MonthFirst,
    /// Milliseconds since this instant.
    MillisecondsSince(Timestamp),
}

names! {
    /// The end of its interval that a bar is labelled with.
    #[derive(ValueEnum)]
    pub enum Stamp {
        /// Its first instant.
        Start = "start",
        /// The first instant after it.
        End = "end",
    }
}

/// The value given is not a delimiter.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("give one character, such as `,` or `;`, or the word `tab`, not `{0}`")]
pub struct DelimiterError(String);

/// Reads what stands between columns: one character, or `tab`.
///
/// # Errors
/// If it is a letter, a digit, part of a number or more than one character.
pub fn delimiter(text: &str) -> Result<u8, DelimiterError> {
    match text.as_bytes() {
        _ if text == "tab" || text == "\\t" => Ok(b'\t'),
        &[byte] if byte.is_ascii_punctuation() && !b"\"'.:+-".contains(&byte) || byte == b'\t' => {
            Ok(byte)
        }
        _ => Err(DelimiterError(text.to_owned())),
    }
}

/// Facts that [`read_text`] saw beside the rows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TextSummary {
    /// Rows in an hour that the clocks went through twice.
    pub rows_in_repeated_hour: u64,
    /// Rows in an hour that the clocks left out; each was refused.
    pub rows_in_skipped_hour: u64,
    /// Columns that the header names and nobody reads.
    pub unread_columns: Vec<String>,
}

/// Reads the rows of `bytes` (a whole file) into `sink`; a row that cannot be read goes to
/// [`RowSink::refuse`]. Calls neither [`RowSink::begin`] nor [`RowSink::advance`].
///
/// Blank lines and lines that start with `#` are no rows. Spaces and double quotes around a field
/// are dropped; a byte order mark and either kind of line end are tolerated.
///
/// # Errors
/// What the sink says.
pub fn read_text<S: RowSink>(
    bytes: &[u8],
    format: &TextFormat,
    sink: &mut S,
) -> Result<TextSummary, S::Error> {
    let mut format = format.clone();
    if format.bar_length.is_none() {
        format.bar_length = bar_length::infer(bytes, &format);
    }
    let mut reader = TextReader::new(&format);
    reader.read(bytes, sink)?;
    Ok(reader.summary())
}

/// Reads a file that comes in blocks of whole lines.
pub(super) struct TextReader<'f> {
    format: &'f TextFormat,
    clock: Clock,
    delimiter: u8,
    layouts: Vec<Layout>,
    /// The reason why no row of this file can be read.
    problem: Option<RowRefusal>,
    started: bool,
    named: bool,
    unread_columns: Vec<String>,
    /// Reads rows of the layout of the last row that the general reader could read.
    lane: Option<Lane>,
    /// The index of that layout.
    lane_layout: usize,
    /// `true` if every row goes to the general reader.
    is_slow: bool,
    line_end: u8,
    line: u64,
}

impl AddAssign for TextSummary {
    fn add_assign(&mut self, other: TextSummary) {
        self.rows_in_repeated_hour += other.rows_in_repeated_hour;
        self.rows_in_skipped_hour += other.rows_in_skipped_hour;
        for name in other.unread_columns {
            if !self.unread_columns.contains(&name) {
                self.unread_columns.push(name);
            }
        }
    }
}

impl<'f> TextReader<'f> {
    pub(super) fn new(format: &'f TextFormat) -> TextReader<'f> {
        TextReader {
            format,
            clock: Clock::new(format.time, format.zone.clone()),
            delimiter: format.delimiter.unwrap_or(DELIMITERS[0]),
            layouts: format.layouts.clone(),
            problem: None,
            started: false,
            named: false,
            unread_columns: Vec::new(),
            lane: None,
            lane_layout: usize::MAX,
            is_slow: matches!(format.time, TimePattern::MillisecondsSince(_)),
            line_end: b'\n',
            line: 0,
        }
    }

    pub(super) fn summary(&self) -> TextSummary {
        TextSummary { unread_columns: self.unread_columns.clone(), ..self.clock.summary() }
    }

    /// Returns whether the file had a header.
    pub(super) fn is_named(&self) -> bool {
        self.named
    }

    /// Reads a block that ends at a line's end or at the file's.
    pub(super) fn read<S: RowSink>(&mut self, block: &[u8], sink: &mut S) -> Result<(), S::Error> {
        let mut rest = block;
        if self.line == 0 {
            rest = rest.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(rest);
        }
        if self.line == 0 {
            self.line_end = line_end(rest);
        }
        while !rest.is_empty() {
            if let Some(lane) = &mut self.lane {
                let bars = self.format.bar_length.map(|length| (length, self.format.stamp));
                while let Some((values, length)) = lane.read(rest, &mut self.clock) {
                    self.line += 1;
                    let line = &rest[..length];
                    rest = &rest[length..];
                    let row = match bars {
                        Some((length, stamp)) if lane.is_bar => Row::Bar(values.bar(length, stamp)),
                        _ => Row::Trade(values.trade()),
                    };
                    match (values.contract, values.instrument) {
                        (None, None) => sink.row(self.line, row)?,
                        (contract, number) => {
                            let name = contract.map(|(from, to)| bare(&line[from..to]));
                            labelled_row(self.line, row, name, number, line, sink)?;
                        }
                    }
                }
            }
            let end = rest.iter().position(|&byte| byte == self.line_end);
            let line = &rest[..end.unwrap_or(rest.len())];
            rest = &rest[end.map_or(rest.len(), |end| end + 1)..];
            if end.is_some() || !line.is_empty() {
                self.line += 1;
                self.line(line, sink)?;
            }
        }
        Ok(())
    }

    /// Refuses a line that does not fit into memory and begins like `start`. A comment is no row,
    /// however long.
    pub(super) fn refuse_long_line<S: RowSink>(
        &mut self,
        start: &[u8],
        sink: &mut S,
    ) -> Result<(), S::Error> {
        self.line += 1;
        let bytes = start.len();
        let start = start.trim_ascii_start();
        if start.first() == Some(&b'#') {
            return Ok(());
        }
        self.look_for_text(start);
        let refusal = self.problem.clone().unwrap_or_else(|| RowRefusal::Field {
            field: "line",
            reason: format!("it has {bytes} bytes or more, too many for a row"),
        });
        let text = String::from_utf8_lossy(&start[..start.len().min(SHOWN)]);
        sink.refuse(self.line, refusal, &text)
    }

    fn line<S: RowSink>(&mut self, line: &[u8], sink: &mut S) -> Result<(), S::Error> {
        let whole = line;
        // A tab at either end is an empty column.
        let line = trim(line);
        if line.trim_ascii().is_empty() || line[0] == b'#' {
            return Ok(());
        }
        if !self.started && self.format.delimiter.is_none() {
            let columns = |&delimiter: &u8| line.iter().filter(|&&byte| byte == delimiter).count();
            // The first of the most.
            let most = DELIMITERS.iter().rev().copied().max_by_key(columns);
            self.delimiter = most.expect("there are some");
        }
        let mut fields = [&line[..0]; COLUMN_LIMIT];
        let count = split(line, self.delimiter, &mut fields);
        if !self.started {
            self.started = true;
            if self.start(line, &fields[..count.min(COLUMN_LIMIT)], count) {
                return Ok(());
            }
        }
        let row = self.row(&fields, count);
        let contract = |layout: &Layout| {
            let column = layout.columns.iter().position(|&column| column == Column::Contract);
            column.filter(|_| layout.fits(count)).map(|column| fields[column])
        };
        let contract = self.layouts.iter().find(|layout| layout.fits(count)).and_then(contract);
        match (row, contract) {
            (Ok(Some((row, None))), None) => sink.row(self.line, row),
            (Ok(Some((row, number))), name) => {
                labelled_row(self.line, row, name, number, whole, sink)
            }
            (Ok(None), _) => Ok(()),
            (Err(refusal), _) => refuse(self.line, refusal, whole, sink),
        }
    }

    /// Looks whether the first line is text.
    fn look_for_text(&mut self, line: &[u8]) {
        if let Some(reason) = detect::foreign(line) {
            self.problem = Some(RowRefusal::Field { field: "file", reason });
            return;
        }
        if line.starts_with(&[0xFF, 0xFE]) || line.starts_with(&[0xFE, 0xFF]) || line.contains(&0) {
            self.problem = Some(RowRefusal::Field {
                field: "file",
                reason: "not plain text (UTF-16 or binary); save it as UTF-8 text".to_owned(),
            });
        }
    }

    /// Looks at the first line; gives whether it is a header.
    fn start(&mut self, line: &[u8], fields: &[&[u8]], count: usize) -> bool {
        self.look_for_text(line);
        if self.problem.is_some() {
            // A row, to be refused.
            return false;
        }
        self.named = matches!(fields[0], [first, ..] | [b'<', first, ..] if first.is_ascii_alphabetic())
            && !(self.format.header == Header::Skip && self.has_time(fields, count));
        let header = |reason| Some(RowRefusal::Field { field: "header", reason });
        match self.format.header {
            Header::Auto | Header::Vendor if self.named => {
                let is_vendors = self.format.header == Header::Vendor;
                match header::layout(fields, &self.layouts, is_vendors) {
                    _ if count > COLUMN_LIMIT => {
                        self.problem =
                            header(format!("{count} columns; {COLUMN_LIMIT} are the most"));
                    }
                    Ok(layout) => {
                        let unread = layout.columns.iter().zip(fields);
                        self.unread_columns = unread
                            .filter(|(column, _)| **column == Column::Unread)
                            .map(|(_, name)| {
                                String::from_utf8_lossy(name).chars().take(40).collect()
                            })
                            .collect();
                        self.layouts = vec![layout];
                    }
                    Err(reason) => self.problem = header(reason),
                }
            }
            Header::Vendor => {
                self.problem = header(
                    "no header in the first line; give the columns with `--columns`".to_owned(),
                );
            }
            Header::Auto | Header::Skip => {}
        }
        self.named
    }

    /// Returns whether a line has a number where the time stands, so that it is a row, not a
    /// header.
    fn has_time(&self, fields: &[&[u8]], count: usize) -> bool {
        let is_number = |field: &&[u8]| field.first().is_some_and(u8::is_ascii_digit);
        match self.layouts.iter().find(|layout| layout.fits(count)) {
            Some(layout) => layout.columns.iter().zip(fields).any(|(column, field)| {
                matches!(column, Column::Time | Column::Date | Column::Clock) && is_number(field)
            }),
            None => fields.iter().any(is_number),
        }
    }

    /// Reads a row and the number of its instrument, or `None` if the line tells of something else.
    fn row(
        &mut self,
        fields: &[&[u8]; COLUMN_LIMIT],
        count: usize,
    ) -> Result<Option<(Row, Option<u32>)>, RowRefusal> {
        if let Some(problem) = &self.problem {
            return Err(problem.clone());
        }
        let fitting = self.layouts.iter().enumerate().find(|(_, layout)| layout.fits(count));
        let (index, layout) = fitting.ok_or_else(|| RowRefusal::Columns {
            expected: self.layouts[0].columns.len(),
            found: count,
        })?;
        let (mut date, mut clock) = (&b""[..], None);
        for (&column, &text) in layout.columns.iter().zip(fields) {
            match column {
                Column::Time | Column::Date => date = text,
                Column::Clock => clock = Some(text),
                // What happened in the book.
                Column::Action if !text.eq_ignore_ascii_case(b"T") => return Ok(None),
                _ => {}
            }
        }
        let time = |reason| RowRefusal::Field { field: "time", reason };
        let mut values =
            Values { time: self.clock.read(date, clock).map_err(time)?, ..Values::default() };
        let is_bar = layout.is_bar();
        let (last, volume) = if is_bar { ("close", "volume") } else { ("price", "size") };
        let price = |field, text: &[u8]| match self.format.nano_prices && !text.contains(&b'.') {
            true => read_count(field, text).map(Price::from_units),
            false => read_price(field, text),
        };
        for (&column, &text) in layout.columns.iter().zip(fields) {
            match column {
                Column::Unread | Column::Contract | Column::Action => {}
                Column::Time | Column::Date | Column::Clock => {}
                Column::Price | Column::Close => values.last = price(last, text)?,
                Column::Volume | Column::Up | Column::Down => {
                    values.volume = values.volume.saturating_add(read_count(volume, text)?);
                }
                Column::Bid | Column::Ask if text.is_empty() => {}
                Column::Bid => values.bid = Some(price("bid", text)?),
                Column::Ask => values.ask = Some(price("ask", text)?),
                Column::Side => values.side = read_side(text)?,
                Column::InstrumentId => {
                    let number = read_count("instrument_id", text)?;
                    values.instrument = Some(u32::try_from(number).map_err(|_| {
                        let reason = format!("{} is no number of an instrument", quoted(text));
                        RowRefusal::Field { field: "instrument_id", reason }
                    })?);
                }
                Column::Open => values.open = price("open", text)?,
                Column::High => values.high = price("high", text)?,
                Column::Low => values.low = price("low", text)?,
            }
        }
        let has_length = !is_bar || self.format.bar_length.is_some();
        if self.lane_layout != index && !self.is_slow && has_length {
            self.lane_layout = index;
            let is_iso = self.format.time == TimePattern::Iso;
            let nano_prices = self.format.nano_prices;
            self.lane = Some(Lane::new(layout, self.delimiter, self.line_end, is_iso, nano_prices));
        }
        if !is_bar {
            return Ok(Some((Row::Trade(values.trade()), values.instrument)));
        }
        let duration = self.format.bar_length.ok_or_else(|| {
            time("the bar length cannot be told from so few rows; say it in seconds".to_owned())
        })?;
        Ok(Some((Row::Bar(values.bar(duration, self.format.stamp)), values.instrument)))
    }
}

/// Hands over a row of the contract that its columns name or number.
#[inline]
fn labelled_row<S: RowSink>(
    line: u64,
    row: Row,
    name: Option<&[u8]>,
    number: Option<u32>,
    text: &[u8],
    sink: &mut S,
) -> Result<(), S::Error> {
    let name = match name.map(|name| (name, std::str::from_utf8(name))) {
        None => "",
        Some((_, Ok(name))) if !name.is_empty() => name,
        Some((name, _)) => {
            let reason = format!("{} is no contract", quoted(name));
            return refuse(line, RowRefusal::Field { field: "contract", reason }, text, sink);
        }
    };
    // The importer counts the rows of contracts that it does not want, too.
    sink.select(Label { name, number, at: row.time() })?;
    sink.row(line, row)
}

fn refuse<S: RowSink>(
    line: u64,
    refusal: RowRefusal,
    text: &[u8],
    sink: &mut S,
) -> Result<(), S::Error> {
    let text = String::from_utf8_lossy(&text[..text.len().min(SHOWN)]);
    sink.refuse(line, refusal, text.trim())
}

/// Returns a field without spaces and quotes around it.
fn bare(field: &[u8]) -> &[u8] {
    match field.trim_ascii() {
        [b'"', inside @ .., b'"'] => inside.trim_ascii(),
        field => field,
    }
}

/// The values of a row's columns.
#[derive(Default)]
pub(super) struct Values {
    pub time: Timestamp,
    pub open: Price,
    pub high: Price,
    pub low: Price,
    /// A trade's price, a bar's close.
    pub last: Price,
    pub volume: i64,
    pub bid: Option<Price>,
    pub ask: Option<Price>,
    pub side: Option<Side>,
    /// Place of the contract, found by the fast lane: its first byte in the line and the one after
    /// it.
    pub contract: Option<(usize, usize)>,
    /// The source's number of the instrument.
    pub instrument: Option<u32>,
}

impl Values {
    #[inline(always)]
    pub(super) fn trade(&self) -> TradeRow {
        TradeRow {
            time: self.time,
            price: self.last,
            size: self.volume,
            aggressor: self.side,
            received: None,
            bid: self.bid,
            ask: self.ask,
        }
    }

    #[inline(always)]
    pub(super) fn bar(&self, duration: i64, stamp: Stamp) -> BarRow {
        let start = match stamp {
            Stamp::Start => self.time,
            Stamp::End => self.time.saturating_add(-duration),
        };
        let &Values { open, high, low, last: close, volume, .. } = self;
        BarRow { start, duration, open, high, low, close, volume }
    }
}

/// Returns the byte that ends a line of this text: a carriage return where no line feed is before
/// or right after the first, as old spreadsheets write them.
pub(super) fn line_end(text: &[u8]) -> u8 {
    match text.iter().position(|&byte| byte == b'\n' || byte == b'\r') {
        // A block may hold one line only, so what is behind it need not be there.
        Some(at) if text[at] == b'\r' && text.get(at + 1) != Some(&b'\n') => b'\r',
        _ => b'\n',
    }
}

/// Returns `text` without spaces and line ends around it.
fn trim(mut line: &[u8]) -> &[u8] {
    while let [b' ' | b'\r' | b'\n', rest @ ..] | [rest @ .., b' ' | b'\r' | b'\n'] = line {
        line = rest;
    }
    line
}

/// Splits a line into trimmed fields and counts them all.
pub(super) fn split<'l>(
    line: &'l [u8],
    delimiter: u8,
    fields: &mut [&'l [u8]; COLUMN_LIMIT],
) -> usize {
    let mut count = 0;
    for field in line.split(|&byte| byte == delimiter) {
        if let Some(slot) = fields.get_mut(count) {
            *slot = bare(field);
        }
        count += 1;
    }
    count
}

fn read_price(field: &'static str, text: &[u8]) -> Result<Price, RowRefusal> {
    let error = |reason| RowRefusal::Field { field, reason };
    if let Some(price) = parts::read(text) {
        return Ok(price);
    }
    let text = std::str::from_utf8(text)
        .map_err(|_| error(format!("{} is not a decimal price such as 4512.25", quoted(text))))?;
    text.parse().map_err(|reason: crate::market::PriceError| error(reason.to_string()))
}

/// Reads a whole number; a fraction of zeros, as in `3.0`, is tolerated.
fn read_count(field: &'static str, text: &[u8]) -> Result<i64, RowRefusal> {
    let whole = match text.iter().position(|&byte| byte == b'.') {
        Some(point) if text[point + 1..].iter().all(|&byte| byte == b'0') => &text[..point],
        _ => text,
    };
    std::str::from_utf8(whole).ok().and_then(|whole| whole.parse().ok()).ok_or_else(|| {
        RowRefusal::Field { field, reason: format!("{} is not a whole number", quoted(text)) }
    })
}

fn read_side(text: &[u8]) -> Result<Option<Side>, RowRefusal> {
    match text.to_ascii_lowercase().as_slice() {
        b"buy" | b"b" => Ok(Some(Side::Buy)),
        b"sell" | b"s" | b"a" => Ok(Some(Side::Sell)),
        b"" | b"n" | b"none" => Ok(None),
        _ => Err(RowRefusal::Field {
            field: "side",
            reason: format!("{} is neither buy (b) nor sell (s, a) nor none (n)", quoted(text)),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::super::Preset;
    use super::*;
    use proptest::prelude::*;

    /// Rows that a reader handed over, as text, and the numbers of the instruments.
    #[derive(Default, Debug, PartialEq)]
    struct Seen(Vec<String>, Vec<u32>);

    impl RowSink for Seen {
        type Error = std::convert::Infallible;

        fn begin(&mut self, _: &str) -> Result<(), Self::Error> {
            Ok(())
        }

        fn select(&mut self, label: Label<'_>) -> Result<bool, Self::Error> {
            self.1.extend(label.number);
            Ok(true)
        }

        fn row(&mut self, line: u64, row: Row) -> Result<(), Self::Error> {
            self.0.push(match row {
                Row::Trade(TradeRow { time, price, size, aggressor, bid, ask, .. }) => {
                    let mut text = format!("{line} {time} {price} {size}");
                    for quote in [bid, ask].into_iter().flatten() {
                        text += &format!(" {quote}");
                    }
                    text + aggressor.map_or("", |side| if side == Side::Buy { " B" } else { " S" })
                }
                Row::Bar(BarRow { start, duration, open, high, low, close, volume }) => {
                    let seconds = duration / Timestamp::SECOND;
                    format!("{line} {start} {seconds}s {open} {high} {low} {close} {volume}")
                }
            });
            Ok(())
        }

        fn refuse(&mut self, line: u64, refusal: RowRefusal, _: &str) -> Result<(), Self::Error> {
            self.0.push(format!("{line} {refusal}"));
            Ok(())
        }

        fn advance(&mut self, _: u64) -> Result<(), Self::Error> {
            Ok(())
        }
    }

    fn read_as(format: &TextFormat, text: &[u8]) -> Vec<String> {
        let mut seen = Seen::default();
        let Ok(_) = read_text(text, format, &mut seen);
        // Times to the second are enough to read a test, unless there is more.
        seen.0.iter().map(|line| line.replace(".000000000Z", "Z")).collect()
    }

    fn read(preset: &str, text: &str) -> Vec<String> {
        read_as(&Preset::by_name(preset).unwrap().format(), text.as_bytes())
    }

    #[test]
    fn every_preset_reads_its_own_example_and_a_file_of_its_kind() {
        for preset in super::super::PRESETS {
            let two = format!("{0}\n{1}\n{1}", preset.vendor_header, preset.example);
            let bar_length = preset.format().bar_length.or(Some(Timestamp::MINUTE));
            let format = TextFormat { bar_length, ..preset.format() };
            for row in read_as(&format, two.as_bytes()) {
                let instant = match preset.name {
                    name if name.ends_with("text-tick") => "2013-10-07T13:30:00.250000000Z",
                    "ninjatrader-tick" | "iqfeed-tick" => "2013-10-07T13:30:00.250000000Z",
                    "ninjatrader-daily" => "2013-10-07T00:00:00Z",
                    name if name.starts_with("tick-csv") => "2013-10-07T13:30:00.250000000Z",
                    _ => "2013-10-07T13:30:00Z",
                };
                assert!(row.contains(&format!(" {instant} ")), "{}: {row}", preset.name);
            }
        }
        let expect = |preset, text, rows: &[&str]| assert_eq!(read(preset, text), rows, "{preset}");
        expect(
            "tick-csv",
            "\u{feff}Datetime,Last,Volume\r\n# a remark\r\n\r\n2013-10-07 13:30:00,1684.25,3\r\n\
             2013-10-07T13:30:00.5-05:00,1684,1.0\n1381152600,1684,2\n1381152600250,1,2\n\
             1381152600250001,1,2\n1381152600250001002,1,2\n\"2013-10-07 13:30Z\", .5 ,4",
            &[
                "4 2013-10-07T13:30:00Z 1684.25 3",
                "5 2013-10-07T18:30:00.500000000Z 1684 1",
                "6 2013-10-07T13:30:00Z 1684 2",
                "7 2013-10-07T13:30:00.250000000Z 1 2",
                "8 2013-10-07T13:30:00.250001000Z 1 2",
                "9 2013-10-07T13:30:00.250001002Z 1 2",
                "10 2013-10-07T13:30:00Z 0.5 4",
            ],
        );
        expect(
            "tick-csv",
            "time,price,size,side,bid,ask\n2013-10-07 13:30:00,10,3,A,9,10\n2013-10-07 13:30:00,10,3,,,\n",
            &["2 2013-10-07T13:30:00Z 10 3 9 10 S", "3 2013-10-07T13:30:00Z 10 3"],
        );
        expect(
            "bar-csv",
            "Volume,Date,Time,Open,High,Llow,Close\n7,2013-10-07,13:30,2,3,1,2\n8,2013-10-07,13:35,2,3,1,2\n",
            &["2 2013-10-07T13:30:00Z 300s 2 3 1 2 7", "3 2013-10-07T13:35:00Z 300s 2 3 1 2 8"],
        );
        expect(
            "bar-csv",
            "2013-10-07,13:30:00,2,3,1,2,7\n2013-10-07,13:31:00,2,3,1,2,8",
            &["1 2013-10-07T13:30:00Z 60s 2 3 1 2 7", "2 2013-10-07T13:31:00Z 60s 2 3 1 2 8"],
        );
        expect(
            "bar-csv-day-first",
            "Timestamp,Open,High,Low,Close,Volume\n7/3/2013 9:05,2,3,1,2,7\n17/03/2013 09:10:00,2,3,1,2,8",
            &[
                "2 2013-03-07T09:05:00Z 734700s 2 3 1 2 7",
                "3 2013-03-17T09:10:00Z 734700s 2 3 1 2 8",
            ]
            .map(|row| row.replace("734700s", &format!("{}s", 10 * 86_400 + 300)))
            .each_ref()
            .map(String::as_str),
        );
        expect(
            "ninjatrader-minute",
            "20131007 133100;2;3;1;2;7",
            &["1 2013-10-07T13:30:00Z 60s 2 3 1 2 7"],
        );
        expect(
            "ninjatrader-tick",
            "20131007 133100;2;7\n20131007 133100 0000001;2;1;2;7",
            &["1 2013-10-07T13:31:00Z 2 7", "2 2013-10-07T13:31:00.000000100Z 2 7 1 2"],
        );
        // A volume since the open is not a row's.
        expect(
            "iqfeed-bar",
            "Time,High,Low,Open,Close,Total Volume,Volume\n2013-10-07 09:31:00,3,1,2,2,51200,1200\n\
             2013-10-07 09:32:00,3,1,2,2,51210,10",
            &["2 2013-10-07T13:30:00Z 60s 2 3 1 2 1200", "3 2013-10-07T13:31:00Z 60s 2 3 1 2 10"],
        );
        expect(
            "iqfeed-tick",
            "Time,Last,Last Size,Total Volume,Bid,Ask\n2013-10-07 09:31:00,2,3,51200,1,2",
            &["2 2013-10-07T13:31:00Z 2 3 1 2"],
        );
        expect(
            "tick-csv",
            "time,price,size,total volume\n2013-10-07 13:30:00,10,3,51200",
            &["2 2013-10-07T13:30:00Z 10 3"],
        );
        // A header in words of its own, and one with such words behind what is read.
        expect(
            "tick-csv",
            "Zeit,Preis,Menge\n2013-10-07 13:30:00,10,3",
            &["2 2013-10-07T13:30:00Z 10 3"],
        );
        expect(
            "tick-csv",
            "time,price,size,venue,bid\n2013-10-07 13:30:00,10,3,X,9",
            &["2 2013-10-07T13:30:00Z 10 3 9"],
        );
        expect(
            "kibot-tick-bid-ask",
            "01/07/2013,09:30:00,2,1,2,7",
            &["1 2013-01-07T14:30:00Z 2 7 1 2"],
        );
    }

    #[test]
    fn refuses_rows_with_the_reason() {
        let refusal = |preset, text| read(preset, text).pop().unwrap();
        for (preset, text, reason) in [
            ("bar-csv", "3/4/2013 9:30,2,3,1,2,7", "`bar-csv-day-first` or `bar-csv-month-first`"),
            ("tick-csv", "13/04/2013 9:30,2,3", "`tick-csv-month-first`"),
            ("tick-csv", "2013107,2,3", "is not a time such as"),
            ("tick-csv", "2013-02-28 23:00,2,3,4,5", "expected 3 columns, found 5"),
            ("tick-csv", "time,price,size\n2013-02-28 23:00,2,3,4", "expected 3 columns, found 4"),
            ("tick-csv", "time,price,size,x\n2013-02-28 23:00,2,3", "expected 4 columns, found 3"),
            (
                "tick-csv",
                "time,price,last,size\n2013-02-28 23:00,2,3,4",
                "column 3 must be the volume",
            ),
            // An identifier is no time, and one of many columns is not told by its place.
            (
                "tick-csv",
                "agg_trade_id,price,quantity,first_trade_id,last_trade_id,transact_time,is_buyer_maker\n700000001,10,1,5,6,1381152600000,true",
                "column 1 must be the timestamp",
            ),
            ("tick-csv", "trade_id,price,qty\n700000001,2,3", "column 1 must be the timestamp"),
            (
                "tick-csv",
                "seq,price,qty,when,kind\n700000001,2,3,1381152600000,x",
                "5 columns, some of unknown names",
            ),
            ("tick-csv", "time,price,size,volume\n2013-02-28 23:00,2,3,4", "two columns `volume`"),
            ("kibot-tick", "01/07/2013,930,2,7", "is not a time such as"),
            ("tick-csv", "2013-02-29 9:30,2,3", "not a day of the calendar"),
            ("tick-csv", "2013-02-28 24:00,2,3", "not a time of day"),
            ("tick-csv", "2013-02-28 23:00 PM,2,3", "` PM` is left over"),
            ("tick-csv", "9223372036854775807,2,3", "is not a time such as"),
            ("tick-csv", "2013-02-28 23:00,NaN,3", "price: `NaN` is not a decimal price"),
            ("tick-csv", "2013-02-28 23:00,2,2.5", "size: `2.5` is not a whole number"),
            ("tick-csv", "2013-02-28 23:00,2", "expected 3 columns, found 2"),
            ("tick-csv", "t,volume,price\n2013-02-28 23:00,2,3", "column 2 must be the price"),
            ("bar-csv", "time,open,high,low,close\n2013-02-28,2,3,1,2", "no column `volume`"),
            ("bar-csv", "2013-02-28 23:00,2,3,1,2,7", "bar length cannot be told"),
            ("bar-csv-day-first", "2013-02-28 23:00,2,3,1,2,7", "day first"),
            ("tick-csv", "\u{0}", "not plain text"),
        ] {
            let refusal = refusal(preset, text);
            assert!(refusal.contains(reason), "{text}: {refusal}");
        }
    }

    /// Numbers that begin with a year are what they look like, not a time in 1976 or 2033.
    #[test]
    fn dates_and_times_in_one_number_are_no_time_since_1970() {
        let times = |preset, stamps: &[&str]| -> Vec<String> {
            let text: String = stamps.iter().map(|stamp| format!("{stamp},2,3\n")).collect();
            let rows = read(preset, &text);
            rows.iter().map(|row| row.split(' ').nth(1).unwrap().to_owned()).collect()
        };
        for preset in ["tick-csv", "tick-csv-day-first", "tick-csv-month-first"] {
            assert_eq!(
                times(
                    preset,
                    &[
                        "20131007",
                        "201310071330",
                        "20131007133015",
                        "20131007133015250",
                        "20131007133015250125",
                        "20131007133015.5",
                        "20131007 1330",
                        "20131007T133015",
                        "20131007-13:30:15",
                        "20131007 133015 2500000"
                    ]
                ),
                [
                    "2013-10-07T00:00:00Z",
                    "2013-10-07T13:30:00Z",
                    "2013-10-07T13:30:15Z",
                    "2013-10-07T13:30:15.250000000Z",
                    "2013-10-07T13:30:15.250125000Z",
                    "2013-10-07T13:30:15.500000000Z",
                    "2013-10-07T13:30:00Z",
                    "2013-10-07T13:30:15Z",
                    "2013-10-07T13:30:15Z",
                    "2013-10-07T13:30:15.250000000Z"
                ],
                "{preset}"
            );
        }
        assert_eq!(
            times("tick-csv", &["2013100700", "2013100723"]),
            ["2013-10-07T00:00:00Z", "2013-10-07T23:00:00Z"]
        );
        // The file's first time decides what ten digits are.
        assert_eq!(times("tick-csv", &["2013100700", "2013100760"])[1], "time:");
        assert_eq!(
            times("tick-csv", &["2000000000", "2013100700"]),
            ["2033-05-18T03:33:20Z", "2033-10-16T18:38:20Z"]
        );
        for stamp in ["201313071330", "20131007256000"] {
            assert_eq!(times("tick-csv", &[stamp]), ["time:"], "{stamp}");
        }
    }

    /// If the columns are given by `--columns`, the first line may be a header or a row.
    #[test]
    fn a_first_row_that_begins_with_letters_is_no_header() {
        let seen = |columns: &str, text: &str| {
            let mut format = Preset::by_name("tick-csv").unwrap().format();
            format.layouts = vec![columns.parse().unwrap()];
            format.header = Header::Skip;
            format.bar_length = Some(Timestamp::MINUTE);
            read_as(&format, text.as_bytes())
        };
        let rows = "ESZ3,2013-10-07 13:30:00,1684.25,3\nESZ3,2013-10-07 13:30:01,1684.5,2\n";
        let columns = "contract,time,price,size";
        assert_eq!(
            seen(columns, rows),
            ["1 2013-10-07T13:30:00Z 1684.25 3", "2 2013-10-07T13:30:01Z 1684.5 2"]
        );
        assert_eq!(
            seen(columns, &format!("Name,When,Last,Lots\n{rows}")),
            ["2 2013-10-07T13:30:00Z 1684.25 3", "3 2013-10-07T13:30:01Z 1684.5 2"]
        );
        // One more or fewer of them, and a row that is refused is told.
        assert_eq!(seen(columns, &format!("Name,When,Last\n{rows}")).len(), 2);
        let refused = seen(columns, "ESZ3,2013-10-07 13:30:00,NaN,3\n");
        assert!(refused[0].starts_with("1 price: `NaN`"), "{refused:?}");
        let refused = seen(columns, "ESZ3,2013-10-07 13:30:00,10\n");
        assert!(refused[0].starts_with("1 expected 4 columns"), "{refused:?}");
        assert_eq!(
            seen("ticker,-,date,time,open,high,low,close,volume", "ES,1,20131007,133000,2,3,1,2,7"),
            ["1 2013-10-07T13:30:00Z 60s 2 3 1 2 7"]
        );
    }

    #[test]
    fn columns_are_split_by_what_makes_the_most_of_them() {
        for (preset, text) in [
            ("tick-csv", "2013-10-07 13:30:00;10.5;3"),
            ("tick-csv", "time\tprice\tsize\n2013-10-07 13:30:00\t10.5\t3"),
            ("tick-csv", "2013-10-07,13:30:00,10.5,3"),
            ("tick-csv", "20131007|1330|10.5|3"),
            ("tick-csv", "time,price,size\r2013-10-07 13:30:00,10.5,3\r"),
            ("tick-csv-month-first", "10/07/2013,13:30:00,10.5,3"),
        ] {
            let rows = read(preset, text);
            assert!(rows[0].ends_with(" 2013-10-07T13:30:00Z 10.5 3"), "{text:?}: {rows:?}");
        }
    }

    #[test]
    fn daylight_saving_leaves_an_hour_out_and_repeats_one() {
        let mut format = Preset::by_name("tick-csv").unwrap().format();
        format.zone = TimeZone::get("America/New_York").unwrap();
        // 2013: clocks forward on March 10th, back on November 3rd, at 2:00.
        let text = "2013-03-10 01:59:59,1,1\n2013-03-10 02:30:00,1,1\n2013-03-10 03:00:00,1,1\n\
                    2013-11-03 00:59:00,1,1\n2013-11-03 01:10:00,1,1\n2013-11-03 01:50:00,1,1\n\
                    2013-11-03 01:00:00,1,1\n2013-11-03 01:50:00,1,1\n2013-11-03 02:00:00,1,1\n";
        let mut seen = Seen::default();
        let Ok(summary) = read_text(text.as_bytes(), &format, &mut seen);
        let times: Vec<_> = seen
            .0
            .iter()
            .map(|row| row.split(' ').nth(1).unwrap().replace(":00.000000000Z", ""))
            .collect();
        assert_eq!(
            times,
            [
                "2013-03-10T06:59:59.000000000Z",
                "time:",
                "2013-03-10T07:00",
                "2013-11-03T04:59",
                "2013-11-03T05:10",
                "2013-11-03T05:50",
                "2013-11-03T06:00",
                "2013-11-03T06:50",
                "2013-11-03T07:00",
            ]
        );
        assert_eq!((summary.rows_in_repeated_hour, summary.rows_in_skipped_hour), (4, 1));
        assert!(seen.0[1].contains("does not exist in America/New_York"), "{}", seen.0[1]);
    }

    /// Returns lines near what the fast lane takes, and what it must leave alone. The lane takes
    /// times on the date of the line before, so there are few dates.
    fn line(columns: &'static str, delimiter: char) -> impl Strategy<Value = String> {
        let clock = prop_oneof![
            4 => (0u8..26, 0u8..62, 0u8..62).prop_map(|(h, m, s)| format!("{h:02}:{m:02}:{s:02}")),
            1 => (0u8..26, 0u8..62, 0u8..62).prop_map(|(h, m, s)| format!("{h}:{m:02}:{s:02}")),
            1 => "[0-9]{1,2}:[0-5]?[0-9]",
            1 => "[0-2][0-9][:;9][0-5][0-9][:;9][0-5][0-9]",
            1 => "[01][0-9][0-5][0-9]([0-5][0-9])?( [0-9]{7}|[0-9]{3})?",
            1 => "[0-9: ]{0,9}",
        ];
        let fraction = prop_oneof![
            4 => Just(String::new()),
            2 => "\\.[0-9]{9}",
            1 => "\\.[0-9]{0,11}",
            1 => "[.:;a/]{1,2}",
        ];
        let date = prop_oneof![
            4 => Just("2013-10-07".to_owned()),
            4 => Just("20131007".to_owned()),
            4 => Just("10/7/2013".to_owned()),
            2 => "2013-1[01]-0[38]",
            2 => "1?0/0?[78]/2013",
            1 => "201310?0[78]",
        ];
        let offset = prop::sample::select(vec!["", "", "", "Z", "+00:00", "-05:00", "z"]);
        let epoch = prop_oneof![
            "[0-9]{7,20}",
            "1[0-9]{9}(\\.[0-9]{1,3})?",
            "20131007[0-9]{2,12}",
            "1[0-9]{12}",
            "1[0-9]{15}",
            "[18][0-9]{18}",
        ];
        let clock = (clock, fraction).prop_map(|(clock, fraction)| clock + &fraction).boxed();
        let date = date.boxed();
        let time = prop_oneof![
            4 => (date.clone(), "[ T-]?", clock.clone(), offset)
                .prop_map(|(date, gap, clock, offset)| date + &gap + &clock + offset),
            1 => epoch,
            1 => date.clone(),
        ]
        .boxed();
        let price = prop_oneof![
            4 => "[0-9]{1,5}(\\.[0-9]{0,3})?",
            1 => "-?[0-9]{0,12}\\.?[0-9]{0,12}",
            1 => "-?[0-9]{8,20}",
            1 => "[0-9]{3}['-][0-9]{0,3}",
            1 => "[0-9/:.e]{0,9}",
        ]
        .boxed();
        let volume = prop_oneof![
            4 => "[0-9]{1,4}",
            1 => "-?[0-9]{0,12}(\\.0)?",
            1 => "[0-9/:\u{e9}]{0,5}",
        ]
        .boxed();
        let side = prop_oneof![4 => "[BSAN]", 1 => "(Buy|SELL|none|a)?", 1 => "[bsanx ]{0,3}"];
        let side = side.boxed();
        let action = prop_oneof![4 => "[TAC]", 1 => "t?", 1 => "T[T ,]"].boxed();
        let unread = prop_oneof![4 => "[a-z0-9 ]{0,12}", 1 => "\\PC{0,9}"].boxed();
        let fields: Vec<BoxedStrategy<String>> = columns
            .split(',')
            .map(|column| match column {
                "time" if columns.contains("date") => clock.clone(),
                "time" => time.clone(),
                "date" => date.clone(),
                "size" | "volume" | "up" | "down" | "instrument_id" => volume.clone(),
                "side" => side.clone(),
                "action" => action.clone(),
                "-" => unread.clone(),
                _ => price.clone(),
            })
            .collect();
        let end = prop_oneof![
            8 => Just(""),
            1 => prop::sample::select(vec!["\r", ",x,1", " ", ";", ",", "\r\r"]),
        ];
        let gap = prop_oneof![4 => Just(""), 1 => Just(" "), 1 => Just("  ")];
        (fields, gap, end)
            .prop_map(move |(fields, gap, end)| fields.join(&format!("{delimiter}{gap}")) + end)
    }

    /// Returns every kind of column, in several orders.
    fn table() -> impl Strategy<Value = (&'static str, char, Vec<String>)> {
        let columns = prop::sample::select(vec![
            "time,price,size",
            "date,time,price,size",
            "time,price,size,side",
            "side,size,price,bid,ask,time",
            "-,price,-,time,size,-",
            "time,action,price,size",
            "time,open,high,low,close,volume",
            "up,date,time,close,open,low,high,down",
            "time,instrument_id,price,size",
        ]);
        let delimiter = prop::sample::select(vec![',', ';', '\t']);
        (columns, delimiter).prop_flat_map(|(columns, delimiter)| {
            let lines = prop::collection::vec(line(columns, delimiter), 1..12);
            lines.prop_map(move |lines| (columns, delimiter, lines))
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: crate::sampling::runs(300, 5_000), ..ProptestConfig::default() })]
        #[test]
        fn the_fast_lane_reads_what_the_general_reader_reads(
            (columns, delimiter, lines) in table(),
            time in prop::sample::select(vec![TimePattern::Iso, TimePattern::MonthFirst]),
            new_york: bool,
            more: bool,
            nano_prices: bool,
        ) {
            let mut layout: Layout = columns.parse().unwrap();
            layout.more = more;
            let format = TextFormat {
                delimiter: Some(delimiter as u8),
                header: Header::Skip,
                layouts: vec![layout],
                time,
                zone: TimeZone::get(if new_york { "America/New_York" } else { "UTC" }).unwrap(),
                stamp: Stamp::End,
                bar_length: Some(Timestamp::MINUTE),
                nano_prices,
            };
            // The window of the fast lane needs bytes after the last line.
            let text = lines.join("\n") + "\n" + &"#".repeat(300) + "\n";
            let seen = |is_slow| {
                let mut reader = TextReader::new(&format);
                reader.is_slow = is_slow;
                let mut seen = Seen::default();
                let Ok(()) = reader.read(text.as_bytes(), &mut seen);
                seen
            };
            prop_assert_eq!(seen(false), seen(true));
        }

        #[test]
        fn no_bytes_are_too_much(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
            for preset in super::super::PRESETS {
                read_as(&preset.format(), &bytes);
            }
        }
    }
}
