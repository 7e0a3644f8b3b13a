//! Delimited text into rows, by a declarative description of the layout.

use jiff::tz::TimeZone;

use super::clock::{Clock, quoted};
use super::row::{BarRow, Refusal, Row, RowSink, TradeRow};
use super::{bar_length, header, trade_line};
use crate::market::{Price, Side, Timestamp};

/// Columns of a row that can be told apart; more are counted only.
pub(super) const COLUMN_LIMIT: usize = 32;
/// Bytes of a refused row that are kept.
const SHOWN: usize = 200;

/// How a text file is laid out.
#[derive(Clone, Debug, PartialEq)]
pub struct TextFormat {
    /// Between two columns, such as `b','`.
    pub delimiter: u8,
    /// Whether the first line names the columns.
    pub header: Header,
    /// Which column is what. A row uses the first layout that fits its number of columns.
    pub layouts: Vec<Layout>,
    /// How a time is written.
    pub time: TimePattern,
    /// The zone of times that do not carry an offset of their own.
    pub zone: TimeZone,
    /// Which end of its interval a bar is labelled with.
    pub stamp: Stamp,
    /// Nanoseconds in a bar; `None`: the most frequent step between the first bars of the file.
    pub bar_length: Option<i64>,
}

/// Whether the first line names the columns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Header {
    /// It is a row like any other.
    Absent,
    /// It names the columns if it starts with a letter.
    Auto,
}

/// The columns of one kind of row, counted from 0.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layout {
    /// Columns that a row has.
    pub fields: usize,
    /// Whether more columns may follow; they are not read.
    pub more: bool,
    /// Date and time, or the date where `clock` is given.
    pub time: usize,
    /// Time of day, where it stands in a column of its own.
    pub clock: Option<usize>,
    /// The other columns.
    pub columns: Columns,
}

/// What a row says beside its time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Columns {
    /// A trade.
    Trade {
        /// Price.
        price: usize,
        /// Contracts.
        size: usize,
        /// Best bid with the trade.
        bid: Option<usize>,
        /// Best ask with the trade.
        ask: Option<usize>,
        /// Side that took liquidity: `buy`, `b`, `sell`, `s`, `a` (sold), `n` or empty.
        side: Option<usize>,
    },
    /// A bar.
    Bar {
        /// First price.
        open: usize,
        /// Highest price.
        high: usize,
        /// Lowest price.
        low: usize,
        /// Last price.
        close: usize,
        /// Contracts.
        volume: usize,
    },
}

/// How a time is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimePattern {
    /// `YYYY-MM-DD[T ]HH:MM[:SS[.fraction]]` with or without an offset, or an integer since 1970 in
    /// seconds (9 to 11 digits), milli- (12 to 14), micro- (15 to 17) or nanoseconds (18, 19).
    Iso,
    /// `d/M/yyyy H:mm[:ss[.fraction]]`.
    DayFirst,
    /// `M/d/yyyy H:mm[:ss[.fraction]]`.
    MonthFirst,
    /// `yyyyMMdd HHmmss[ fffffff]`.
    Compact,
    /// Milliseconds since this instant.
    MillisecondsSince(Timestamp),
}

/// Which end of its interval a bar is labelled with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stamp {
    /// Its first instant.
    Start,
    /// The first instant after it.
    End,
}

/// What [`read_text`] saw beside the rows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TextSummary {
    /// Rows in an hour that the clocks went through twice.
    pub rows_in_repeated_hour: u64,
    /// Rows in an hour that the clocks left out; each was refused.
    pub rows_in_skipped_hour: u64,
}

/// Reads the rows of `bytes` (a whole file) into `sink`; a row that cannot be read goes to
/// [`RowSink::refuse`]. Calls neither [`RowSink::begin`] nor [`RowSink::advance`].
///
/// Blank lines and lines that start with `#` are no rows. Spaces and double quotes around a field
/// are dropped; a byte order mark and either kind of line end are tolerated.
///
/// # Errors
/// What the sink says.
pub(super) fn read_text<S: RowSink>(
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
    layouts: Vec<Layout>,
    /// Why no row of this file can be read.
    problem: Option<Refusal>,
    started: bool,
    /// Whether the only layout is `time,price,size` with ISO times, which has a fast lane.
    plain: bool,
    line: u64,
}

impl<'f> TextReader<'f> {
    pub(super) fn new(format: &'f TextFormat) -> TextReader<'f> {
        TextReader {
            format,
            clock: Clock::new(format.time, format.zone.clone()),
            layouts: format.layouts.clone(),
            problem: None,
            started: false,
            plain: false,
            line: 0,
        }
    }

    pub(super) fn summary(&self) -> TextSummary {
        self.clock.summary()
    }

    /// Reads a block that ends at a line's end or at the file's.
    pub(super) fn read<S: RowSink>(&mut self, block: &[u8], sink: &mut S) -> Result<(), S::Error> {
        let mut rest = block;
        if self.line == 0 {
            rest = rest.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(rest);
        }
        while !rest.is_empty() {
            if self.plain {
                while let Some((row, length)) =
                    trade_line::read(rest, self.format.delimiter, &mut self.clock)
                {
                    self.line += 1;
                    rest = &rest[length..];
                    sink.row(self.line, Row::Trade(row))?;
                }
            }
            let end = rest.iter().position(|&byte| byte == b'\n');
            let line = &rest[..end.unwrap_or(rest.len())];
            rest = &rest[end.map_or(rest.len(), |end| end + 1)..];
            if end.is_some() || !line.is_empty() {
                self.line += 1;
                self.line(line, sink)?;
            }
        }
        Ok(())
    }

    fn line<S: RowSink>(&mut self, line: &[u8], sink: &mut S) -> Result<(), S::Error> {
        let line = line.trim_ascii();
        if line.is_empty() || line[0] == b'#' {
            return Ok(());
        }
        let mut fields = [&line[..0]; COLUMN_LIMIT];
        let count = split(line, self.format.delimiter, &mut fields);
        if !self.started {
            self.started = true;
            if self.start(line, &fields[..count.min(COLUMN_LIMIT)]) {
                return Ok(());
            }
        }
        match self.row(&fields, count) {
            Ok(row) => sink.row(self.line, row),
            Err(refusal) => {
                let text = String::from_utf8_lossy(&line[..line.len().min(SHOWN)]);
                sink.refuse(self.line, refusal, &text)
            }
        }
    }

    /// Looks at the first line; gives whether it is a header.
    fn start(&mut self, line: &[u8], fields: &[&[u8]]) -> bool {
        if line.starts_with(&[0xFF, 0xFE]) || line.starts_with(&[0xFE, 0xFF]) || line.contains(&0) {
            self.problem = Some(Refusal::Field {
                field: "file",
                reason: "not plain text (UTF-16 or binary); save it as UTF-8 text".to_owned(),
            });
        }
        let is_header = self.format.header == Header::Auto
            && matches!(fields[0], [first, ..] | [b'<', first, ..] if first.is_ascii_alphabetic());
        if is_header {
            match header::layout(fields, &self.layouts[0]) {
                Ok(layout) => self.layouts = vec![layout],
                Err(reason) => self.problem = Some(Refusal::Field { field: "header", reason }),
            }
        }
        let positional = Layout {
            fields: 3,
            more: true,
            time: 0,
            clock: None,
            columns: Columns::Trade { price: 1, size: 2, bid: None, ask: None, side: None },
        };
        self.plain = self.problem.is_none()
            && self.format.time == TimePattern::Iso
            && self.layouts == [positional];
        is_header
    }

    fn row(&mut self, fields: &[&[u8]; COLUMN_LIMIT], count: usize) -> Result<Row, Refusal> {
        if let Some(problem) = &self.problem {
            return Err(problem.clone());
        }
        let layout = self
            .layouts
            .iter()
            .find(|layout| layout.fields == count || (layout.more && layout.fields < count))
            .ok_or_else(|| Refusal::Columns { expected: self.layouts[0].fields, found: count })?;
        let time = self
            .clock
            .read(fields[layout.time], layout.clock.map(|column| fields[column]))
            .map_err(|reason| Refusal::Field { field: "time", reason })?;
        Ok(match layout.columns {
            Columns::Trade { price, size, bid, ask, side } => {
                let quote = |field, column: Option<usize>| match column.map(|column| fields[column]) {
                    None | Some([]) => Ok(None),
                    Some(text) => read_price(field, text).map(Some),
                };
                Row::Trade(TradeRow {
                    time,
                    price: read_price("price", fields[price])?,
                    size: read_count("size", fields[size])?,
                    aggressor: side.map_or(Ok(None), |column| read_side(fields[column]))?,
                    received: None,
                    bid: quote("bid", bid)?,
                    ask: quote("ask", ask)?,
                })
            }
            Columns::Bar { open, high, low, close, volume } => {
                let duration = self.format.bar_length.ok_or_else(|| Refusal::Field {
                    field: "time",
                    reason: "the bar length cannot be told from so few rows; say it in seconds"
                        .to_owned(),
                })?;
                let start = match self.format.stamp {
                    Stamp::Start => time,
                    Stamp::End => time.saturating_add(-duration),
                };
                Row::Bar(BarRow {
                    start,
                    duration,
                    open: read_price("open", fields[open])?,
                    high: read_price("high", fields[high])?,
                    low: read_price("low", fields[low])?,
                    close: read_price("close", fields[close])?,
                    volume: read_count("volume", fields[volume])?,
                })
            }
        })
    }
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
            let field = field.trim_ascii();
            *slot = match field {
                [b'"', inside @ .., b'"'] => inside.trim_ascii(),
                _ => field,
            };
        }
        count += 1;
    }
    count
}

fn read_price(field: &'static str, text: &[u8]) -> Result<Price, Refusal> {
    let error = |reason| Refusal::Field { field, reason };
    let text = std::str::from_utf8(text)
        .map_err(|_| error(format!("{} is not a decimal price such as 4512.25", quoted(text))))?;
    text.parse().map_err(|reason: crate::market::PriceError| error(reason.to_string()))
}

/// A whole number; a fraction of zeros, as in `3.0`, is tolerated.
fn read_count(field: &'static str, text: &[u8]) -> Result<i64, Refusal> {
    let whole = match text.iter().position(|&byte| byte == b'.') {
        Some(point) if text[point + 1..].iter().all(|&byte| byte == b'0') => &text[..point],
        _ => text,
    };
    std::str::from_utf8(whole).ok().and_then(|whole| whole.parse().ok()).ok_or_else(|| {
        Refusal::Field { field, reason: format!("{} is not a whole number", quoted(text)) }
    })
}

fn read_side(text: &[u8]) -> Result<Option<Side>, Refusal> {
    match text.to_ascii_lowercase().as_slice() {
        b"buy" | b"b" => Ok(Some(Side::Buy)),
        b"sell" | b"s" | b"a" => Ok(Some(Side::Sell)),
        b"" | b"n" | b"none" => Ok(None),
        _ => Err(Refusal::Field {
            field: "side",
            reason: format!("{} is neither buy (b) nor sell (s, a) nor none (n)", quoted(text)),
        }),
    }
}
