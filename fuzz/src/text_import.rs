use crate::CheckingSink;
use algospace_hft::market::Timestamp;
use algospace_hft::source::import::{
    Header, Layout, RowSink, Stamp, TextFormat, TimePattern, read_text,
};
use jiff::tz::TimeZone;

/// The first bytes choose how times and rows are written, the rest is the file.
pub fn text_import(bytes: &[u8]) {
    let [time, delimiter, bytes @ ..] = bytes else { return };
    let time = match time % 4 {
        0 => TimePattern::Iso,
        1 => TimePattern::DayFirst,
        2 => TimePattern::MonthFirst,
        _ => TimePattern::MillisecondsSince(Timestamp::default()),
    };
    let layout = |columns: &str| columns.parse::<Layout>().expect("a good layout");
    let format = TextFormat {
        delimiter: [Some(b','), Some(b';'), None][usize::from(delimiter % 3)],
        header: [Header::Auto, Header::Vendor, Header::Skip][usize::from(delimiter / 3 % 3)],
        layouts: vec![
            layout("timestamp,price,volume,bid,ask,side"),
            layout("date,time,open,high,low,close,volume,..."),
        ],
        time,
        zone: TimeZone::get("America/Chicago").expect("the time zones are built in"),
        stamp: Stamp::End,
        bar_length: None,
        nano_prices: *delimiter >= 128,
    };
    let mut sink = CheckingSink::new(bytes.len());
    // The parser calls neither `begin` nor `advance`: its caller does.
    _ = sink.begin("a.csv");
    _ = read_text(bytes, &format, &mut sink);
}
