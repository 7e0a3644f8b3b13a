use crate::CheckingSink;
use algospace_hft::market::Timestamp;
use algospace_hft::source::import::{
    Columns, Header, Layout, RowSink, Stamp, TextFormat, TimePattern, read_text,
};
use jiff::tz::TimeZone;

/// The first bytes choose how times and rows are written, the rest is the file.
pub fn text_import(bytes: &[u8]) {
    let [time, delimiter, bytes @ ..] = bytes else { return };
    let time = match time % 5 {
        0 => TimePattern::Iso,
        1 => TimePattern::DayFirst,
        2 => TimePattern::MonthFirst,
        3 => TimePattern::Compact,
        _ => TimePattern::MillisecondsSince(Timestamp::default()),
    };
    let trade = Columns::Trade { price: 1, size: 2, bid: Some(3), ask: Some(4), side: Some(5) };
    let bar = Columns::Bar { open: 2, high: 3, low: 4, close: 5, volume: 6 };
    let format = TextFormat {
        delimiter: if delimiter % 2 == 0 { b',' } else { b';' },
        header: Header::Auto,
        layouts: vec![
            Layout { fields: 6, more: false, time: 0, clock: None, columns: trade },
            Layout { fields: 7, more: true, time: 0, clock: Some(1), columns: bar },
        ],
        time,
        zone: TimeZone::get("America/Chicago").expect("the time zones are built in"),
        stamp: Stamp::End,
        bar_length: None,
    };
    let mut sink = CheckingSink::new(bytes.len());
    // The parser calls neither `begin` nor `advance`: its caller does.
    _ = sink.begin("a.csv");
    _ = read_text(bytes, &format, &mut sink);
}
