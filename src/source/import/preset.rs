//! The layouts that traders' history comes in, by name.

use jiff::tz::TimeZone;

use super::text::{Columns, Header, Layout, Stamp, TextFormat, TimePattern};
use crate::market::{Timestamp, time_zone};

/// A text layout by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Preset {
    /// What `--format` takes.
    pub name: &'static str,
    /// What the columns are and in which zone the times, for people.
    pub columns: &'static str,
    /// A line of it.
    pub example: &'static str,
}

/// Every text layout that is built in.
pub const PRESETS: [Preset; 11] = [
    preset(
        "tick-csv",
        "timestamp,price,volume (UTC unless it has an offset; year first, or an integer since 1970)",
        "2013-10-07 13:30:00.250,1684.25,3",
    ),
    preset(
        "tick-csv-day-first",
        "timestamp,price,volume (UTC)",
        "7/10/2013 13:30:00.250,1684.25,3",
    ),
    preset(
        "tick-csv-month-first",
        "timestamp,price,volume (UTC)",
        "10/7/2013 13:30:00.250,1684.25,3",
    ),
    preset(
        "bar-csv",
        "Timestamp,Open,High,Low,Close,Volume or Date,Time,Open,… (UTC, start of the bar, year first)",
        "2013-10-07 13:30:00,1684.25,1685,1684,1684.5,1200",
    ),
    preset(
        "bar-csv-day-first",
        "as bar-csv (UTC, start of the bar, day first)",
        "7/10/2013 13:30,1684.25,1685,1684,1684.5,1200",
    ),
    preset(
        "bar-csv-month-first",
        "as bar-csv (UTC, start of the bar, month first)",
        "10/7/2013 13:30,1684.25,1685,1684,1684.5,1200",
    ),
    preset(
        "ninjatrader-tick",
        "time;price;volume or time;last;bid;ask;volume (UTC)",
        "20131007 133000 2500000;1684.25;1684;1684.25;3",
    ),
    preset(
        "ninjatrader-minute",
        "time;open;high;low;close;volume (UTC, end of the minute)",
        "20131007 133100;1684.25;1685;1684;1684.5;1200",
    ),
    preset(
        "firstrate",
        "timestamp,open,high,low,close,volume (New York, start of the bar)",
        "2013-10-07 09:30:00,1684.25,1685,1684,1684.5,1200",
    ),
    preset(
        "kibot-minute",
        "date,time,open,high,low,close,volume (New York, start of the minute)",
        "10/07/2013,09:30,1684.25,1685,1684,1684.5,1200",
    ),
    preset(
        "kibot-tick-bid-ask",
        "date,time,price,bid,ask,size (New York)",
        "10/07/2013,09:30:00,1684.25,1684,1684.25,3",
    ),
];

/// Every format that is not text.
pub const BINARY_PRESETS: [Preset; 3] = [
    preset(
        "databento",
        "DBN versions 1 to 3, .dbn and .dbn.zst: trades, tbbo, mbp-1, mbo (its trades), ohlcv",
        "esh4.mbo.dbn.zst",
    ),
    preset("sierra", "Sierra Chart intraday data, .scid (UTC)", "ESZ23_FUT_CME.scid"),
    preset("lean", "LEAN trade archives: tick, minute, hour, daily (UTC)", "20131007_trade.zip"),
];

/// What `--format` takes, for people.
pub fn preset_names() -> String {
    let names: Vec<_> = PRESETS.iter().chain(&BINARY_PRESETS).map(|preset| preset.name).collect();
    names.join(", ")
}

const fn preset(name: &'static str, columns: &'static str, example: &'static str) -> Preset {
    Preset { name, columns, example }
}

impl Preset {
    /// The preset of that name, if it is one.
    pub fn by_name(name: &str) -> Option<Preset> {
        PRESETS.into_iter().find(|preset| preset.name == name)
    }

    /// The layout that it stands for.
    pub fn format(self) -> TextFormat {
        let trade = Layout {
            fields: 3,
            more: true,
            time: 0,
            clock: None,
            columns: Columns::Trade { price: 1, size: 2, bid: None, ask: None, side: None },
        };
        let bar = Layout {
            fields: 6,
            more: false,
            time: 0,
            clock: None,
            columns: Columns::Bar { open: 1, high: 2, low: 3, close: 4, volume: 5 },
        };
        let bar_with_clock = Layout {
            fields: 7,
            clock: Some(1),
            columns: Columns::Bar { open: 2, high: 3, low: 4, close: 5, volume: 6 },
            ..bar.clone()
        };
        let csv = |layouts: &[&Layout], time| TextFormat {
            delimiter: b',',
            header: Header::Auto,
            layouts: layouts.iter().map(|&layout| layout.clone()).collect(),
            time,
            zone: TimeZone::UTC,
            stamp: Stamp::Start,
            bar_length: None,
        };
        let bars = [&bar, &bar_with_clock];
        let ninjatrader = |layouts: &[&Layout]| TextFormat {
            delimiter: b';',
            header: Header::Absent,
            ..csv(layouts, TimePattern::Compact)
        };
        let kibot = |layout: &Layout| TextFormat {
            header: Header::Absent,
            zone: new_york(),
            ..csv(&[layout], TimePattern::MonthFirst)
        };
        let minute = Some(Timestamp::MINUTE);
        match self.name {
            "tick-csv" => csv(&[&trade], TimePattern::Iso),
            "tick-csv-day-first" => csv(&[&trade], TimePattern::DayFirst),
            "tick-csv-month-first" => csv(&[&trade], TimePattern::MonthFirst),
            "bar-csv" => csv(&bars, TimePattern::Iso),
            "bar-csv-day-first" => csv(&bars, TimePattern::DayFirst),
            "bar-csv-month-first" => csv(&bars, TimePattern::MonthFirst),
            "ninjatrader-tick" => {
                let plain = Layout { more: false, ..trade.clone() };
                let columns =
                    Columns::Trade { price: 1, bid: Some(2), ask: Some(3), size: 4, side: None };
                ninjatrader(&[&plain, &Layout { fields: 5, columns, ..plain.clone() }])
            }
            "ninjatrader-minute" => {
                TextFormat { stamp: Stamp::End, bar_length: minute, ..ninjatrader(&[&bar]) }
            }
            "firstrate" => TextFormat { zone: new_york(), ..csv(&[&bar], TimePattern::Iso) },
            "kibot-minute" => TextFormat { bar_length: minute, ..kibot(&bar_with_clock) },
            "kibot-tick-bid-ask" => {
                let columns =
                    Columns::Trade { price: 2, bid: Some(3), ask: Some(4), size: 5, side: None };
                kibot(&Layout { fields: 6, more: false, time: 0, clock: Some(1), columns })
            }
            name => unreachable!("{name} is not among the presets"),
        }
    }
}

fn new_york() -> TimeZone {
    time_zone("America/New_York").expect("the time zone database is bundled")
}
