//! The layouts that traders' history comes in, by name.

use jiff::tz::TimeZone;

use super::text::{Header, Stamp, TextFormat, TimePattern};
use crate::market::{Timestamp, time_zone};

/// A layout by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Preset {
    /// The value of `--format`.
    pub name: &'static str,
    /// The columns and the zone of the times, for people.
    pub columns: &'static str,
    /// A line of it.
    pub example: &'static str,
    /// Rows of a text file, as `--columns` takes them; none for a format that is not text.
    layouts: &'static [&'static str],
    delimiter: Option<u8>,
    header: Header,
    /// The names that the vendor gives to the columns, if the first line of every file has them.
    pub(super) vendor_header: &'static str,
    time: TimePattern,
    zone: VendorZone,
    /// `None`: whichever the user chose at the export.
    stamp: Option<Stamp>,
    bar_seconds: Option<i64>,
    nano_prices: bool,
}

/// The zone of a vendor's clocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum VendorZone {
    Utc,
    NewYork,
    /// It depends on what this says.
    Ask(&'static str),
}

/// Every text layout that is built in.
#[rustfmt::skip]
pub const PRESETS: [Preset; 23] = [
    Preset { delimiter: None, layouts: TRADES, ..text(
        "tick-csv",
        "timestamp,price,volume or date,time,price,volume (UTC unless it has an offset; year first, or an integer since 1970)",
        "2013-10-07 13:30:00.250,1684.25,3",
    ) },
    Preset { delimiter: None, layouts: TRADES, time: TimePattern::DayFirst, ..text(
        "tick-csv-day-first",
        "as tick-csv (UTC, day first)",
        "7/10/2013 13:30:00.250,1684.25,3",
    ) },
    Preset { delimiter: None, layouts: TRADES, time: TimePattern::MonthFirst, ..text(
        "tick-csv-month-first",
        "as tick-csv (UTC, month first)",
        "10/7/2013 13:30:00.250,1684.25,3",
    ) },
    Preset { delimiter: None, layouts: BARS, ..text(
        "bar-csv",
        "Timestamp,Open,High,Low,Close,Volume or Date,Time,Open,… (UTC, start of the bar, year first)",
        "2013-10-07 13:30:00,1684.25,1685,1684,1684.5,1200",
    ) },
    Preset { delimiter: None, layouts: BARS, time: TimePattern::DayFirst, ..text(
        "bar-csv-day-first",
        "as bar-csv (UTC, start of the bar, day first)",
        "7/10/2013 13:30,1684.25,1685,1684,1684.5,1200",
    ) },
    Preset { delimiter: None, layouts: BARS, time: TimePattern::MonthFirst, ..text(
        "bar-csv-month-first",
        "as bar-csv (UTC, start of the bar, month first)",
        "10/7/2013 13:30,1684.25,1685,1684,1684.5,1200",
    ) },
    Preset { layouts: &["time,price,volume", "time,price,bid,ask,volume"], ..ninjatrader(
        "ninjatrader-tick",
        "time;price;volume or time;last;bid;ask;volume (UTC)",
        "20131007 133000 2500000;1684.25;1684;1684.25;3",
    ) },
    Preset { stamp: Some(Stamp::End), bar_seconds: Some(60), ..ninjatrader(
        "ninjatrader-minute",
        "time;open;high;low;close;volume (UTC, end of the minute)",
        "20131007 133100;1684.25;1685;1684;1684.5;1200",
    ) },
    Preset { bar_seconds: Some(DAY), ..ninjatrader(
        "ninjatrader-daily",
        "date;open;high;low;close;volume (the trading day)",
        "20131007;1684.25;1685;1684;1684.5;1200",
    ) },
    Preset { zone: VendorZone::NewYork, layouts: &[BAR], ..text(
        "firstrate",
        "timestamp,open,high,low,close,volume (New York, start of the bar)",
        "2013-10-07 09:30:00,1684.25,1685,1684,1684.5,1200",
    ) },
    Preset { bar_seconds: Some(60), layouts: &[BAR_WITH_CLOCK], ..kibot(
        "kibot-minute",
        "date,time,open,high,low,close,volume (New York, start of the minute)",
        "10/07/2013,09:30,1684.25,1685,1684,1684.5,1200",
    ) },
    Preset { layouts: &["date,time,price,volume"], ..kibot(
        "kibot-tick",
        "date,time,price,size (New York)",
        "10/07/2013,09:30:00,1684.25,3",
    ) },
    Preset { layouts: &["date,time,price,bid,ask,volume"], ..kibot(
        "kibot-tick-bid-ask",
        "date,time,price,bid,ask,size (New York)",
        "10/07/2013,09:30:00,1684.25,1684,1684.25,3",
    ) },
    Preset { vendor_header: "Date,Time,Open,High,Low,Close,Up,Down", delimiter: None, time: TimePattern::MonthFirst,
        stamp: Some(Stamp::End), zone: VendorZone::Ask("the zone that the chart was set to, the exchange's or the computer's"), layouts: BARS, ..text(
        "tradestation",
        "Date,Time,Open,High,Low,Close and Up,Down or Volume, by the header's names (month first, end of the bar; say the zone)",
        "10/07/2013,1331,1684.25,1685,1684,1684.5,700,500",
    ) },
    Preset { vendor_header: "<DATE>,<TIME>,<OPEN>,<HIGH>,<LOW>,<CLOSE>,<TICKVOL>,<VOL>,<SPREAD>", delimiter: None,
        zone: VendorZone::Ask("the zone of the broker's server"), layouts: BARS, ..text(
        "metatrader",
        "<DATE>,<TIME>,<OPEN>,<HIGH>,<LOW>,<CLOSE>,<TICKVOL>,<VOL>,<SPREAD> by the header's names (start of the bar; say the zone)",
        "2013.10.07,13:30:00,1684.25,1685,1684,1684.5,12,1200,1",
    ) },
    Preset { vendor_header: "<TICKER>,<PER>,<DATE>,<TIME>,<OPEN>,<HIGH>,<LOW>,<CLOSE>,<VOL>", delimiter: None, stamp: None,
        zone: VendorZone::Ask("the zone that was chosen for the export (Finam: Moscow's or the exchange's)"), layouts: BARS, ..text(
        "metastock",
        "<TICKER>,<PER>,<DATE> or <DTYYYYMMDD>,<TIME>,<OPEN>,<HIGH>,<LOW>,<CLOSE>,<VOL> by the header's names, MetaStock's and Finam's (say the zone and `--stamp`)",
        "ES,1,20131007,133000,1684.25,1685,1684,1684.5,1200",
    ) },
    Preset { vendor_header: "<TICKER>,<PER>,<DATE>,<TIME>,<LAST>,<VOL>", delimiter: None,
        zone: VendorZone::Ask("the zone that was chosen for the export (Finam: Moscow's or the exchange's)"), layouts: TRADES, ..text(
        "metastock-tick",
        "<TICKER>,<PER>,<DATE>,<TIME>,<LAST>,<VOL> by the header's names, MetaStock's and Finam's (say the zone)",
        "ES,0,20131007,133000,1684.25,3",
    ) },
    Preset { vendor_header: "Date, Time, Open, High, Low, Last, Volume, NumberOfTrades, BidVolume, AskVolume",
        zone: VendorZone::Ask("the zone of the chart, or UTC, as the export was told"), layouts: BARS, ..text(
        "sierra-text",
        "Date, Time, Open, High, Low, Last, Volume, … by the header's names (start of the bar; say the zone)",
        "2013/10/07, 13:30:00, 1684.25, 1685, 1684, 1684.5, 1200, 10, 500, 700",
    ) },
    Preset { header: Header::Skip, zone: VendorZone::Ask("the zone of the chart, or UTC, as the export was told"),
        layouts: &["date,time,-,ask,bid,price,volume,-,-,-"], ..text(
        "sierra-text-tick",
        "Date, Time, Open, High, Low, Last, Volume, NumberOfTrades, BidVolume, AskVolume of one trade each: High is the ask, Low the bid, Last the price (say the zone)",
        "2013/10/07, 13:30:00.250, 1684.25, 1684.50, 1684.25, 1684.50, 3, 1, 0, 3",
    ) },
    Preset { vendor_header: "time,open,high,low,close,Volume", layouts: BARS, ..text(
        "tradingview",
        "time,open,high,low,close,Volume by the header's names, with any columns of studies (seconds since 1970 or a time with its offset, start of the bar)",
        "1381152600,1684.25,1685,1684,1684.5,1200",
    ) },
    Preset { zone: VendorZone::NewYork, layouts: &["time,price,volume,-,bid,ask,..."], ..text(
        "iqfeed-tick",
        "time,last,last size,total volume,bid,ask,… (New York)",
        "2013-10-07 09:30:00.250000,1684.25,3,51200,1684,1684.25,8437,C,43,01",
    ) },
    Preset { zone: VendorZone::NewYork, stamp: Some(Stamp::End), layouts: &["time,high,low,open,close,-,volume,..."], ..text(
        "iqfeed-bar",
        "time,high,low,open,close,total volume,volume,… (New York, end of the bar)",
        "2013-10-07 09:31:00,1685,1684,1684.25,1684.5,51200,1200,0",
    ) },
    Preset { vendor_header: "ts_recv,ts_event,rtype,publisher_id,instrument_id,action,side,depth,price,size,flags,ts_in_delta,sequence,symbol",
        nano_prices: true, layouts: &["time,price,volume", BAR], ..text(
        "databento-csv",
        "ts_event, price and size, or open, high, low, close and volume, by the header's names; of a book's actions the trades (UTC; prices with a point, or × 1e-9)",
        "1381152600000000000,1381152600000000000,0,1,101,T,A,0,1684250000000,3,0,1,1,ESZ3",
    ) },
];

/// Every format that is not text.
pub const BINARY_PRESETS: [Preset; 3] = [
    text(
        "databento",
        "DBN versions 1 to 3, .dbn and .dbn.zst: trades, tbbo, mbp-1, mbo (its trades), ohlcv",
        "esh4.mbo.dbn.zst",
    ),
    text("sierra", "Sierra Chart intraday data, .scid (UTC)", "ESZ23_FUT_CME.scid"),
    text("lean", "LEAN trade archives: tick, minute, hour, daily (UTC)", "20131007_trade.zip"),
];

const DAY: i64 = 86_400;
const TRADES: &[&str] = &["time,price,volume", "date,time,price,volume"];
const BAR: &str = "time,open,high,low,close,volume";
const BAR_WITH_CLOCK: &str = "date,time,open,high,low,close,volume";
const BARS: &[&str] = &[BAR, BAR_WITH_CLOCK];

/// Returns the values of `--format`, for people.
pub fn preset_names() -> String {
    let names: Vec<_> = PRESETS.iter().chain(&BINARY_PRESETS).map(|preset| preset.name).collect();
    names.join(", ")
}

const fn text(name: &'static str, columns: &'static str, example: &'static str) -> Preset {
    Preset {
        name,
        columns,
        example,
        layouts: &[],
        delimiter: Some(b','),
        header: Header::Auto,
        vendor_header: "",
        time: TimePattern::Iso,
        zone: VendorZone::Utc,
        stamp: Some(Stamp::Start),
        bar_seconds: None,
        nano_prices: false,
    }
}

const fn ninjatrader(name: &'static str, columns: &'static str, example: &'static str) -> Preset {
    Preset { delimiter: Some(b';'), layouts: &[BAR], ..text(name, columns, example) }
}

const fn kibot(name: &'static str, columns: &'static str, example: &'static str) -> Preset {
    Preset {
        time: TimePattern::MonthFirst,
        zone: VendorZone::NewYork,
        ..text(name, columns, example)
    }
}

impl Preset {
    /// Returns the text preset of that name, if it is one.
    pub fn by_name(name: &str) -> Option<Preset> {
        PRESETS.into_iter().find(|preset| preset.name == name)
    }

    /// Returns the setting of the vendor's program on which the zone of the times depends, where it
    /// does. Then the zone must be given.
    pub fn zone_depends_on(self) -> Option<&'static str> {
        match self.zone {
            VendorZone::Ask(setting) => Some(setting),
            VendorZone::Utc | VendorZone::NewYork => None,
        }
    }

    /// Returns whether the end of the interval that a bar is labelled with depends on a setting of
    /// the vendor's program. Then it must be given.
    pub fn stamp_depends(self) -> bool {
        self.stamp.is_none()
    }

    /// Returns the layout that it stands for; in UTC and with the start where it depends on a
    /// setting.
    pub fn format(self) -> TextFormat {
        let layout = |text: &&str| text.parse().expect("a preset's columns");
        TextFormat {
            delimiter: self.delimiter,
            header: if self.vendor_header.is_empty() { self.header } else { Header::Vendor },
            layouts: self.layouts.iter().map(layout).collect(),
            time: self.time,
            zone: match self.zone {
                VendorZone::Utc | VendorZone::Ask(_) => TimeZone::UTC,
                VendorZone::NewYork => {
                    time_zone("America/New_York").expect("the time zone database is bundled")
                }
            },
            stamp: self.stamp.unwrap_or(Stamp::Start),
            bar_length: self.bar_seconds.map(|seconds| seconds * Timestamp::SECOND),
            nano_prices: self.nano_prices,
        }
    }
}
