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
    layouts: Vec<Layout>,
    /// Why no row of this file can be read.
    problem: Option<Refusal>,
    started: bool,
    named: bool,
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
            named: false,
            plain: false,
            line: 0,
        }
    }

    pub(super) fn summary(&self) -> TextSummary {
        self.clock.summary()
    }

    /// Whether the file had a header.
    pub(super) fn is_named(&self) -> bool {
        self.named
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

    /// Refuses a line that does not fit into memory and begins like `start`. A comment is no row, however long.
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
        let refusal = self.problem.clone().unwrap_or_else(|| Refusal::Field {
            field: "line",
            reason: format!("it has {bytes} bytes or more, too many for a row"),
        });
        let text = String::from_utf8_lossy(&start[..start.len().min(SHOWN)]);
        sink.refuse(self.line, refusal, &text)
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

    /// Looks whether the first line is text.
    fn look_for_text(&mut self, line: &[u8]) {
        if line.starts_with(&[0xFF, 0xFE]) || line.starts_with(&[0xFE, 0xFF]) || line.contains(&0) {
            self.problem = Some(Refusal::Field {
                field: "file",
                reason: "not plain text (UTF-16 or binary); save it as UTF-8 text".to_owned(),
            });
        }
    }

    /// Looks at the first line; gives whether it is a header.
    fn start(&mut self, line: &[u8], fields: &[&[u8]]) -> bool {
        self.look_for_text(line);
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
        self.named = is_header;
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
                let quote = |field, column: Option<usize>| match column.map(|column| fields[column])
                {
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

#[cfg(test)]
mod tests {
    use super::super::Preset;
    use super::*;
    use proptest::prelude::*;

    /// What a reader handed over, as text.
    #[derive(Default)]
    struct Seen(Vec<String>);

    impl RowSink for Seen {
        type Error = std::convert::Infallible;

        fn begin(&mut self, _: &str) -> Result<(), Self::Error> {
            Ok(())
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

        fn refuse(&mut self, line: u64, refusal: Refusal, _: &str) -> Result<(), Self::Error> {
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
            let two = format!("{0}\n{0}", preset.example);
            let format = TextFormat { bar_length: Some(Timestamp::MINUTE), ..preset.format() };
            for row in read_as(&format, two.as_bytes()) {
                let instant = match preset.name {
                    "ninjatrader-tick" => "2013-10-07T13:30:00.250000000Z",
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
             2013-10-07T13:30:00.5-05:00,1684,1.0,more\n1381152600,1684,2\n1381152600250,1,2\n\
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
            ("tick-csv", "20131007,2,3", "is not a time such as"),
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

    /// Lines near what the fast lane takes, and what it must leave alone.
    fn line() -> impl Strategy<Value = String> {
        // The fast lane takes times on the date of the line before, so there must be few dates.
        let time = prop_oneof![
            4 => (0u8..30, 0u8..70, 0u8..70)
                .prop_map(|(h, m, s)| format!("2013-10-07 {h:02}:{m:02}:{s:02}")),
            2 => "2013-1[01]-03[ T]0[0-3]:[0-5]0:00",
            1 => "2013-10-07[ T:][0-2][0-9][:;9][0-5][0-9][:;9][0-5][0-9]",
            1 => "2013-10-0[6-8][ T:][0-9:]{1,8}",
            1 => prop_oneof!["[0-9]{7,20}", "[0-9]{10}", "[0-9]{13}", "[0-9]{16}", "8[0-9]{18}"],
        ];
        let fraction =
            prop_oneof![Just(String::new()), "\\.[0-9]{9}", "\\.[0-9]{0,11}", "[.:;a/]{1,2}"];
        let offset = prop_oneof![Just(""), Just("Z"), Just("+00:00"), Just("-05:00"), Just("z")];
        let price = prop_oneof![
            "[0-9]{1,5}\\.[0-9]{0,3}",
            "-?[0-9]{0,12}\\.?[0-9]{0,12}",
            "[0-9/:.e]{0,9}"
        ];
        let size = prop_oneof!["[0-9]{1,4}", "-?[0-9]{0,12}(\\.0)?", "[0-9/:\u{e9}]{0,5}"];
        let end = prop_oneof![Just(""), Just("\r"), Just(",x,1"), Just(" "), Just(";"), Just(",")];
        (time, fraction, offset, price, size, end).prop_map(
            |(time, fraction, offset, price, size, end)| {
                format!("{time}{fraction}{offset},{price},{size}{end}")
            },
        )
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: crate::sampling::runs(500, 2_000), ..ProptestConfig::default() })]
        #[test]
        fn the_fast_lane_reads_what_the_general_reader_reads(
            lines in prop::collection::vec(line(), 1..12),
            new_york: bool,
        ) {
            let mut format = Preset::by_name("tick-csv").unwrap().format();
            if new_york {
                format.zone = TimeZone::get("America/New_York").unwrap();
            }
            // The window of the fast lane needs bytes after the last line.
            let text = lines.join("\n") + "\n" + &"#".repeat(100) + "\n";
            let fast = read_as(&format, text.as_bytes());
            // Twice the same layout: the fast lane takes only a single one.
            format.layouts.push(format.layouts[0].clone());
            prop_assert_eq!(fast, read_as(&format, text.as_bytes()));
        }

        #[test]
        fn no_bytes_are_too_much(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
            for preset in super::super::PRESETS {
                read_as(&preset.format(), &bytes);
            }
        }
    }
}
