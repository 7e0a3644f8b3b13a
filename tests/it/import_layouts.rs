//! The layouts that vendors and charting programs export, each read into the ticks that it says.

use std::fs;
use std::io::Write;
use std::path::Path;

use algospace_hft::market::{Calendar, Instrument, Money, Price, Tick};
use algospace_hft::source::import::{
    Detected, ImportError, ImportOptions, ImportReport, PricesBelowZero, Stamp, detect, run,
};
use algospace_hft::source::native::TickFile;

fn import_file(
    path: &Path,
    format: &str,
    change: impl FnOnce(&mut ImportOptions),
) -> Result<(ImportReport, Vec<Tick>), ImportError> {
    let folder = tempfile::tempdir().unwrap();
    let output = folder.path().join("output.ticks");
    let es = Instrument::built_in("ES").unwrap();
    let mut options = ImportOptions::new(format, vec![path.to_owned()], output.clone(), es);
    change(&mut options);
    let report = run(&options, &mut |_| {})?;
    Ok((report, TickFile::open(&output).unwrap().ticks().to_vec()))
}

fn import(
    format: &str,
    text: &[u8],
    change: impl FnOnce(&mut ImportOptions),
) -> Result<(ImportReport, Vec<Tick>), ImportError> {
    let folder = tempfile::tempdir().unwrap();
    let input = folder.path().join("input.txt");
    fs::write(&input, text).unwrap();
    import_file(&input, format, change)
}

/// Time to the second, price, size, and bid and ask where there are any.
fn shown(ticks: &[Tick], tick_size: Price) -> Vec<String> {
    let show = |tick: &Tick| {
        let time = tick.time.to_string();
        let mut text = format!("{} {} {}", &time[11..19], tick.price, tick.size);
        for quote in [tick.bid(tick_size), tick.ask(tick_size)].into_iter().flatten() {
            text += &format!(" {quote}");
        }
        text
    };
    ticks.iter().map(show).collect()
}

/// Two bars of a minute from 13:30 UTC, with any label.
const BARS: [&str; 8] = [
    "13:30:15 1684.25 300",
    "13:30:30 1685 300",
    "13:30:45 1684 300",
    "13:30:59 1684.5 300",
    "13:31:15 1684.25 300",
    "13:31:30 1685 300",
    "13:31:45 1684 300",
    "13:31:59 1684.5 300",
];

#[test]
fn bars_of_every_vendor_are_the_same_minutes() {
    let chicago = |options: &mut ImportOptions| {
        options.time_zone = Some("America/Chicago".to_owned());
    };
    type Change = fn(&mut ImportOptions);
    let cases: [(&str, &str, Change); 12] = [
        (
            "metatrader",
            "<DATE>\t<TIME>\t<OPEN>\t<HIGH>\t<LOW>\t<CLOSE>\t<TICKVOL>\t<VOL>\t<SPREAD>\n\
             2013.10.07\t08:30:00\t1684.25\t1685\t1684\t1684.5\t12\t1200\t1\n\
             2013.10.07\t08:31:00\t1684.25\t1685\t1684\t1684.5\t12\t1200\t1\n",
            chicago,
        ),
        (
            "tradestation",
            "\"Date\",\"Time\",\"Open\",\"High\",\"Low\",\"Close\",\"Up\",\"Down\"\n\
             10/07/2013,08:31,1684.25,1685.00,1684.00,1684.50,700,500\n\
             10/07/2013,08:32,1684.25,1685.00,1684.00,1684.50,600,600\n",
            chicago,
        ),
        (
            "tradestation",
            "\"Date\",\"Time\",O,H,L,\"Close\",\"Volume\",\"OpenInt\"\r\n\
             10/07/2013,0831,1684.25,1685.00,1684.00,1684.50,1200,7\r\n\
             10/07/2013,0832,1684.25,1685.00,1684.00,1684.50,1200,7\r\n",
            chicago,
        ),
        (
            "metastock",
            "<TICKER>,<PER>,<DATE>,<TIME>,<OPEN>,<HIGH>,<LOW>,<CLOSE>,<VOL>\n\
             ES,1,20131007,083000,1684.25,1685,1684,1684.5,1200\n\
             ES,1,20131007,083100,1684.25,1685,1684,1684.5,1200\n",
            |options| {
                options.time_zone = Some("America/Chicago".to_owned());
                options.stamp = Some(Stamp::Start);
            },
        ),
        (
            "metastock",
            "<TICKER>;<DTYYYYMMDD>;<TIME>;<OPEN>;<HIGH>;<LOW>;<CLOSE>;<VOL>;<OPENINT>\n\
             ES;20131007;0831;1684.25;1685;1684;1684.5;1200;0\n\
             ES;20131007;0832;1684.25;1685;1684;1684.5;1200;0\n",
            |options| {
                options.time_zone = Some("America/Chicago".to_owned());
                options.stamp = Some(Stamp::End);
            },
        ),
        (
            "sierra-text",
            "Date, Time, Open, High, Low, Last, Volume, NumberOfTrades, BidVolume, AskVolume\n\
             2013/10/07, 08:30:00, 1684.25, 1685.00, 1684.00, 1684.50, 1200, 30, 500, 700\n\
             2013/10/07, 08:31:00, 1684.25, 1685.00, 1684.00, 1684.50, 1200, 30, 500, 700\n",
            chicago,
        ),
        (
            "databento-csv",
            "ts_event,rtype,publisher_id,instrument_id,open,high,low,close,volume\n\
             1381152600000000000,33,1,101,1684250000000,1685000000000,1684000000000,1684500000000,1200\n\
             1381152660000000000,33,1,101,1684250000000,1685000000000,1684000000000,1684500000000,1200\n",
            |_| {},
        ),
        (
            "iqfeed-bar",
            "2013-10-07 09:31:00,1685.0000,1684.0000,1684.2500,1684.5000,5000,1200,0,\n\
             2013-10-07 09:32:00,1685.0000,1684.0000,1684.2500,1684.5000,6200,1200,0,\n",
            |_| {},
        ),
        (
            "bar-csv",
            "Timestamp;Open;High;Low;Close;Volume\n\
             2013-10-07 13:30:00;1684.25;1685;1684;1684.5;1200\n\
             2013-10-07 13:31:00;1684.25;1685;1684;1684.5;1200\n",
            |_| {},
        ),
        (
            "bar-csv",
            "time,open,high,low,close,volume\r2013-10-07 13:30,1684.25,1685,1684,1684.5,1200\r\
             2013-10-07 13:31,1684.25,1685,1684,1684.5,1200",
            |_| {},
        ),
        (
            "bar-csv",
            "2013-10-07 13:31,1200,9,1684.25,1685,1684,1684.5\n\
             2013-10-07 13:32,1200,9,1684.25,1685,1684,1684.5\n",
            |options| {
                options.columns = Some("time,volume,-,open,high,low,close".parse().unwrap());
                options.stamp = Some(Stamp::End);
            },
        ),
        (
            "bar-csv",
            "201310071330^1684.25^1685^1684^1684.5^1200\n201310071331^1684.25^1685^1684^1684.5^1200\n",
            |options| options.delimiter = Some(b'^'),
        ),
    ];
    let quarter = Instrument::built_in("ES").unwrap().tick_size;
    for (format, text, change) in cases {
        let (report, ticks) = import(format, text.as_bytes(), change)
            .unwrap_or_else(|error| panic!("{format}: {error}"));
        assert_eq!(shown(&ticks, quarter), BARS, "{format}");
        assert_eq!((report.rows, report.imported), (2, 2), "{format}");
    }
    // As many columns of studies as a chart has.
    let studies: Vec<String> = (0..50).map(|plot| format!("Plot{plot}")).collect();
    let row = |time: u32| {
        format!("{time},1684.25,1685,1684,1684.5,{}1200\n", "NaN,".repeat(studies.len()))
    };
    let header = format!("time,open,high,low,close,{},Volume\n", studies.join(","));
    let text = header + &row(1_381_152_600) + &row(1_381_152_660);
    let (_, ticks) = import("tradingview", text.as_bytes(), |_| {}).unwrap();
    assert_eq!(shown(&ticks, quarter), BARS);
}

#[test]
fn trades_of_every_vendor_are_the_same_trades() {
    let quarter = Instrument::built_in("ES").unwrap().tick_size;
    type Change = fn(&mut ImportOptions);
    let cases: [(&str, &str, &[&str], Change); 7] = [
        (
            "kibot-tick",
            "10/07/2013,09:30:00,1684.25,3\n10/07/2013,09:30:01,1684.5,2\n",
            &["13:30:00 1684.25 3", "13:30:01 1684.5 2"],
            |_| {},
        ),
        (
            "tick-csv-month-first",
            "10/07/2013,13:30:00,1684.25,3\n10/07/2013,13:30:01,1684.5,2\n",
            &["13:30:00 1684.25 3", "13:30:01 1684.5 2"],
            |_| {},
        ),
        (
            "metastock-tick",
            "<TICKER>;<PER>;<DATE>;<TIME>;<LAST>;<VOL>\nES;0;20131007;173000;1684.25;3\n\
             ES;0;20131007;173001;1684.5;2\n",
            &["13:30:00 1684.25 3", "13:30:01 1684.5 2"],
            |options| options.time_zone = Some("Europe/Moscow".to_owned()),
        ),
        (
            "sierra-text-tick",
            "Date, Time, Open, High, Low, Last, Volume, NumberOfTrades, BidVolume, AskVolume\n\
             2013/10/07, 13:30:00.250, 0, 1684.50, 1684.25, 1684.25, 3, 1, 3, 0\n\
             2013/10/07, 13:30:01.300, 0, 1684.50, 1684.25, 1684.50, 2, 1, 0, 2\n",
            &["13:30:00 1684.25 3 1684.25 1684.5", "13:30:01 1684.5 2 1684.25 1684.5"],
            |options| options.time_zone = Some("UTC".to_owned()),
        ),
        (
            "iqfeed-tick",
            "2013-10-07 09:30:00.250125,1684.2500,3,512,1684.2500,1684.5000,8437,C,43,01,\n\
             2013-10-07 09:30:01.300001,1684.5000,2,514,1684.2500,1684.5000,8438,C,43,01,\n",
            &["13:30:00 1684.25 3 1684.25 1684.5", "13:30:01 1684.5 2 1684.25 1684.5"],
            |_| {},
        ),
        // Orders added and cancelled, and the resting side of a fill, are no trades.
        (
            "databento-csv",
            "ts_recv,ts_event,rtype,publisher_id,instrument_id,action,side,depth,price,size,flags,bid_px_00,ask_px_00\n\
             1381152600000000000,1381152600000000000,1,1,101,A,B,0,1684000000000,9,0,1684000000000,1684250000000\n\
             1381152600000000000,1381152600000000000,1,1,101,T,A,0,1684250000000,3,0,1684000000000,1684250000000\n\
             1381152600000000000,1381152600000000000,1,1,101,F,B,0,1684250000000,3,0,1684000000000,1684250000000\n\
             1381152601000000000,1381152601000000000,1,1,101,T,B,0,1684500000000,2,0,1684250000000,1684500000000\n",
            &["13:30:00 1684.25 3 1684 1684.25", "13:30:01 1684.5 2 1684.25 1684.5"],
            |_| {},
        ),
        (
            "databento-csv",
            "ts_recv,ts_event,action,side,price,size\n\
             2013-10-07T13:30:00.000000001Z,2013-10-07T13:30:00.000000000Z,T,A,1684.250000000,3\n\
             2013-10-07T13:30:01.000000001Z,2013-10-07T13:30:01.000000000Z,T,B,1684.500000000,2\n",
            &["13:30:00 1684.25 3", "13:30:01 1684.5 2"],
            |_| {},
        ),
    ];
    for (format, text, trades, change) in cases {
        let (_, ticks) = import(format, text.as_bytes(), change)
            .unwrap_or_else(|error| panic!("{format}: {error}"));
        assert_eq!(shown(&ticks, quarter), trades, "{format}");
    }
    let sides = |text: &str| {
        let (_, ticks) = import("databento-csv", text.as_bytes(), |_| {}).unwrap();
        ticks.iter().map(|tick| tick.aggressor().map(|side| side.sign())).collect::<Vec<_>>()
    };
    assert_eq!(sides(cases[6].1), [Some(-1), Some(1)]);
}

/// As DBN of the same data is: a series is cut where its instrument changes, and instruments
/// without names are not mixed.
#[test]
fn databentos_text_is_cut_where_the_instrument_changes() {
    let text = |symbols: [&str; 3], numbers: [&str; 3]| {
        let mut text = "ts_event,action,side,price,size,instrument_id,symbol\n".to_owned();
        for (second, (symbol, number)) in symbols.into_iter().zip(numbers).enumerate() {
            text += &format!("138115260{second}000000000,T,A,1684250000000,3,{number},{symbol}\n");
        }
        match symbols {
            ["", ..] => text.replace(",symbol", "").replace(",\n", "\n"),
            _ => text,
        }
    };
    let contracts = |text: String| {
        let (report, ticks) =
            import("databento-csv", text.as_bytes(), |_| {}).map_err(|error| error.to_string())?;
        let numbers = ticks.iter().map(|tick| tick.contract).collect::<Vec<_>>();
        Ok((report.contracts, numbers))
    };
    let joined = ["ES.c.0"; 3];
    assert_eq!(
        contracts(text(joined, ["4916", "4916", "183748"])),
        Ok((vec!["ES.c.0:4916".to_owned(), "ES.c.0:183748".to_owned()], vec![0, 0, 1]))
    );
    assert_eq!(
        contracts(text(joined, ["4916"; 3])),
        Ok((vec!["ES.c.0".to_owned()], vec![0, 0, 0]))
    );
    // A contract's symbol says all.
    assert_eq!(
        contracts(text(["ESZ3"; 3], ["4916", "4916", "5"])),
        Ok((vec!["ESZ13".to_owned()], vec![0, 0, 0]))
    );
    assert_eq!(contracts(text([""; 3], ["7"; 3])), Ok((vec!["ES".to_owned()], vec![0, 0, 0])));
    let error: Result<_, String> = contracts(text([""; 3], ["7", "7", "8"]));
    let error = error.unwrap_err();
    assert!(error.contains("rows of instrument 7 and of instrument 8"), "{error}");
    assert!(error.contains("download with symbols"), "{error}");

    // One instrument a file, by the files' names.
    let folder = tempfile::tempdir().unwrap();
    let files = |names: [&str; 2]| {
        let paths = names.map(|name| folder.path().join(name));
        fs::write(&paths[0], text([""; 3], ["7"; 3])).unwrap();
        let later = text([""; 3], ["8"; 3]).replace("138115", "138215");
        fs::write(&paths[1], later).unwrap();
        import_file(&paths[0], "databento-csv", |options| options.inputs = paths.to_vec())
    };
    let (report, _) = files(["ESZ3.csv", "ESH4.csv"]).unwrap();
    assert_eq!(report.contracts, ["ESZ13", "ESH14"]);
    let error = files(["a.csv", "b.csv"]).unwrap_err().to_string();
    assert!(error.contains("rows of instrument 7 and of instrument 8"), "{error}");
}

#[test]
fn what_a_vendors_program_was_told_must_be_said() {
    let failure = |format, change: fn(&mut ImportOptions)| {
        import(format, b"", change).unwrap_err().to_string()
    };
    let zone = |options: &mut ImportOptions| options.time_zone = Some("America/Chicago".to_owned());
    for format in [
        "tradestation",
        "metatrader",
        "metastock",
        "metastock-tick",
        "sierra-text",
        "sierra-text-tick",
    ] {
        let error = failure(format, |_| {});
        assert!(error.contains("`--time-zone`"), "{format}: {error}");
        let error = failure(format, zone);
        assert_eq!(error.contains("`--stamp end`"), format == "metastock", "{format}: {error}");
    }
    let error = failure("lean", |options| options.stamp = Some(Stamp::End));
    assert!(error.contains("`--stamp` can have no effect"), "{error}");
}

#[test]
fn packed_text_is_read_whatever_its_name_says() {
    let text = b"timestamp,price,volume\n2013-10-07 13:30:00,1684.25,3\n";
    let later = b"timestamp,price,volume\n2013-10-07 13:31:00,1684.5,2\n";
    let folder = tempfile::tempdir().unwrap();
    let quarter = Instrument::built_in("ES").unwrap().tick_size;
    let gzip = |bytes: &[u8]| {
        let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        packer.write_all(bytes).unwrap();
        packer.finish().unwrap()
    };
    let zip = |members: &[(&str, &[u8])]| {
        let mut archive = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
        for (name, bytes) in members {
            archive.start_file(*name, zip::write::SimpleFileOptions::default()).unwrap();
            archive.write_all(bytes).unwrap();
        }
        archive.finish().unwrap().into_inner()
    };
    let one = vec!["13:30:00 1684.25 3"];
    let two = vec!["13:30:00 1684.25 3", "13:31:00 1684.5 2"];
    for (name, bytes, trades) in [
        ("a.csv.zst", zstd::encode_all(&text[..], 0).unwrap(), &one),
        ("b.csv.gz", gzip(text), &one),
        ("c.csv", gzip(text), &one),
        ("d.zip", zip(&[("ticks.csv", text)]), &one),
        ("f.zip", zip(&[("es_trades.csv", text)]), &one),
        ("g.zip", zip(&[("all_trade_201312.csv", text), ("b.csv", later)]), &two),
        ("e.zip", zip(&[("2.txt", later), ("1.csv", text), ("__MACOSX/1.csv", b"x")]), &two),
    ] {
        let path = folder.path().join(name);
        fs::write(&path, bytes).unwrap();
        assert_eq!(detect(&path).unwrap(), Detected::Format("tick-csv"), "{name}");
        let (_, ticks) = import_file(&path, "tick-csv", |_| {}).unwrap();
        assert_eq!(&shown(&ticks, quarter), trades, "{name}");
    }
    let path = folder.path().join("20131007_trade.zip");
    let row: &[u8] = b"48600000,1684.25,1,,,0\n";
    fs::write(&path, zip(&[("20131007_es_tick_trade_201312.csv", row)])).unwrap();
    assert_eq!(detect(&path).unwrap(), Detected::Format("lean"));
    let path = folder.path().join("book.xlsx");
    fs::write(&path, zip(&[("xl/workbook.xml", b"<workbook/>")])).unwrap();
    let error = import_file(&path, "tick-csv", |_| {}).unwrap_err();
    let ImportError::Input { source, .. } = &error else { panic!("{error}") };
    assert!(source.to_string().contains("save a spreadsheet as CSV"), "{source}");
}

/// Oil on 20 April 2020, and a ten-year note in 32nds.
#[test]
fn prices_below_zero_and_in_parts_are_prices_where_the_instrument_has_them() {
    let instrument = |symbol, tick: &str, point: i64| {
        let tick = tick.parse().unwrap();
        let point = Money::from_nanos(point * 1_000_000_000);
        Instrument::new(symbol, "", tick, point, Calendar::CmeFx).unwrap()
    };
    let oil = || instrument("CL", "0.01", 1_000);
    let text = "2020-04-20 17:25:00,0.00,15\n2020-04-20 17:30:00,-0.01,16\n\
                2020-04-20 17:35:00,-37.63,19\n2020-04-20 17:40:00,10.01,19\n";
    let error = import("tick-csv", text.as_bytes(), |options| options.instrument = oil());
    let error = error.unwrap_err().to_string();
    assert!(error.contains("say `--prices-below-zero keep`"), "{error}");
    let (report, ticks) = import("tick-csv", text.as_bytes(), |options| {
        options.instrument = oil();
        options.policies.prices_below_zero = PricesBelowZero::Keep;
        options.policies.implausible_prices =
            algospace_hft::source::import::ImplausiblePrices::Keep;
    })
    .unwrap();
    assert_eq!(report.lowest, "-37.63".parse().unwrap());
    let prices: Vec<String> = ticks.iter().map(|tick| tick.price.to_string()).collect();
    assert_eq!(prices, ["0", "-0.01", "-37.63", "10.01"]);

    let text = "2024-01-09 15:00:00,110'165,3\n2024-01-09 15:00:01,110-17,3\n";
    let (_, ticks) = import("tick-csv", text.as_bytes(), |options| {
        options.instrument = instrument("ZN", "0.015625", 1_000);
    })
    .unwrap();
    let prices: Vec<String> = ticks.iter().map(|tick| tick.price.to_string()).collect();
    assert_eq!(prices, ["110.515625", "110.53125"]);
}
