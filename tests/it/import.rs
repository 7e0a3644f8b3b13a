//! Histories into native files, from the outside.

use std::fs;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use algospace_hft::market::{Instrument, Price, Tick, TickFlags, Timestamp};
use algospace_hft::source::import::{
    Detected, Effect, Finding, ImplausiblePrices, ImportError, ImportOptions, ImportReport,
    PRESETS, detect, run,
};
use algospace_hft::source::native::TickFile;
use proptest::prelude::*;

fn options(format: &str, inputs: &[&Path], output: &Path) -> ImportOptions {
    let es = Instrument::built_in("ES").unwrap();
    ImportOptions::new(format, inputs.iter().map(PathBuf::from).collect(), output.to_owned(), es)
}

fn import(format: &str, text: &[u8]) -> Result<(ImportReport, Vec<Tick>), ImportError> {
    let folder = tempfile::tempdir().unwrap();
    let (input, output) = (folder.path().join("input.csv"), folder.path().join("output.ticks"));
    fs::write(&input, text).unwrap();
    let mut options = options(format, &[&input], &output);
    options.policies.max_refused = 1.0;
    options.policies.implausible_prices = ImplausiblePrices::Keep;
    let report = run(&options, &mut |_| {})?;
    Ok((report, TickFile::open(&output).unwrap().ticks().to_vec()))
}

fn ticks() -> impl Strategy<Value = Vec<Tick>> {
    let tick = (0i64..3_000_000_000_000, 1i64..400_000, 1u32..5_000);
    prop::collection::vec(tick, 1..300).prop_map(|rows| {
        let mut rows = rows;
        rows.sort_by_key(|row| row.0);
        // From 2024-02-28 22:00, so that the date changes, over a leap day.
        rows.into_iter()
            .map(|(after, quarters, size)| {
                let time = Timestamp::from_nanos(1_709_157_600_000_000_000 + after * 60);
                Tick::new(time, Price::from_units(quarters * 250_000_000), size)
            })
            .collect()
    })
}

fn csv(ticks: &[Tick], time: impl Fn(Timestamp) -> String) -> String {
    let row = |tick: &Tick| format!("{},{},{}\n", time(tick.time), tick.price, tick.size);
    "timestamp,price,volume\n".to_owned() + &ticks.iter().map(row).collect::<String>()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, ..ProptestConfig::default() })]

    #[test]
    fn ticks_come_back_as_they_were(ticks in ticks()) {
        let iso = csv(&ticks, |time| time.to_string());
        let spaced = csv(&ticks, |time| time.to_string().replace('T', " ").replace('Z', ""));
        let integers = csv(&ticks, |time| time.nanos().to_string());
        for text in [iso, spaced, integers] {
            let (report, imported) = import("tick-csv", text.as_bytes()).unwrap();
            prop_assert_eq!(&imported, &ticks);
            prop_assert_eq!(report.imported, ticks.len() as u64);
            prop_assert_eq!(report.total(Effect::Refused) + report.total(Effect::Dropped), 0);
        }
    }

    /// In two files, each in any order: as if the ticks had been sorted before.
    #[test]
    fn disorder_is_sorted(
        ticks in ticks().prop_shuffle(),
        cut in any::<prop::sample::Index>(),
        seed in any::<u64>(),
    ) {
        let folder = tempfile::tempdir().unwrap();
        let mut shuffled = ticks.clone();
        let half = shuffled.len() / 2;
        shuffled.rotate_left((seed % (half as u64 + 1)) as usize);
        let cut = cut.index(shuffled.len());
        let [a, b] = ["a.csv", "b.txt.gz"].map(|name| folder.path().join(name));
        fs::write(&a, csv(&shuffled[..cut], |time| time.to_string())).unwrap();
        let mut gz = flate2::write::GzEncoder::new(
            fs::File::create(&b).unwrap(),
            flate2::Compression::fast(),
        );
        gz.write_all(csv(&shuffled[cut..], |time| time.to_string()).as_bytes()).unwrap();
        gz.finish().unwrap();
        fs::write(folder.path().join("README.md"), "not history").unwrap();
        let output = folder.path().join("output.ticks");
        let mut options = options("tick-csv", &[folder.path()], &output);
        options.policies.implausible_prices = ImplausiblePrices::Keep;
        let report = run(&options, &mut |_| {}).unwrap();
        shuffled.sort_by_key(|tick| tick.time);
        let file = TickFile::open(&output).unwrap();
        prop_assert_eq!(file.ticks(), &shuffled[..]);
        prop_assert_eq!((report.first, report.last), (
            shuffled[0].time, shuffled[shuffled.len() - 1].time
        ));
    }

    /// Every row of any bytes is accounted for.
    #[test]
    fn no_row_is_lost(
        lines in prop::collection::vec(
            prop_oneof![
                "2013-10-0[1-9] [0-2][0-9]:[0-6]0,[0-9]{1,2}\\.[0257]{1,2},-?[0-3]",
                "2013-10-0[1-9] 13:[0-5]0,[1-3],[1-3],[1-3],[1-3],[0-5]",
                "2013100[0-9] 13[0-5]000;[1-3];[0-3]",
                "[ -~]{1,20}",
            ],
            1..60,
        ),
        noise in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
    ) {
        let mut bytes = lines.join("\n").into_bytes();
        for (place, byte) in noise {
            let place = place.index(bytes.len());
            bytes[place] = byte;
        }
        for preset in PRESETS {
            if let Ok((report, ticks)) = import(preset.name, &bytes) {
                let (dropped, refused) =
                    (report.total(Effect::Dropped), report.total(Effect::Refused));
                prop_assert_eq!(report.rows, report.imported + dropped + refused);
                prop_assert!(report.imported > 0);
                prop_assert!(ticks.is_sorted_by_key(|tick| tick.time));
                let closes = ticks.iter().filter(|tick| tick.flags.any(TickFlags::BAR_CLOSE));
                let is_bars = report.bar_seconds.is_some();
                prop_assert_eq!(report.imported, if is_bars { closes.count() } else { ticks.len() } as u64);
            }
        }
    }
}

#[test]
fn one_file_under_two_names_is_one_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    fs::write(path("a.csv"), "2013-10-07 14:00:00,1684.25,3\n").unwrap();
    fs::hard_link(path("a.csv"), path("hard.csv")).unwrap();
    std::os::unix::fs::symlink("a.csv", path("soft.csv")).unwrap();
    fs::create_dir(path("sub")).unwrap();
    for other in ["a.csv", "sub/../a.csv", "hard.csv", "soft.csv"] {
        let inputs = [&*path("a.csv"), &path(other)];
        let error =
            run(&options("tick-csv", &inputs, &path("out.ticks")), &mut |_| {}).unwrap_err();
        assert!(
            matches!(&error, ImportError::Twice { path: twice } if *twice == path(other)),
            "{error}"
        );
        let error = run(&options("tick-csv", &inputs[..1], &path(other)), &mut |_| {}).unwrap_err();
        assert!(matches!(error, ImportError::OutputIsInput { .. }), "{error}");
        let mut options = options("tick-csv", &inputs[..1], &path("out.ticks"));
        options.rejects = Some(path(other));
        let error = run(&options, &mut |_| {}).unwrap_err();
        assert!(matches!(error, ImportError::OutputIsInput { .. }), "{error}");
    }
    // Files of one content are different files.
    fs::copy(path("a.csv"), path("copy.csv")).unwrap();
    let inputs = [&*path("a.csv"), &path("copy.csv")];
    let report = run(&options("tick-csv", &inputs, &path("out.ticks")), &mut |_| {}).unwrap();
    assert_eq!(report.imported, 2);
}

/// The content of a line that is too long to be read whole is not a row, and the lines
/// after it keep their numbers.
#[test]
fn a_long_line_is_refused_once_and_nothing_in_it_is_a_row() {
    let row = "2013-10-07 14:00:00,9999.25,7";
    let good = |second: u32| format!("2013-10-07 14:00:{second:02},1684.25,3");
    let long = [262_143, 262_144, 262_145, 524_288, 3_000_000]
        .map(|length| "x".repeat(length) + row)
        .into_iter()
        .chain([format!("{row},").repeat(40_000), " ".repeat(300_000) + row]);
    for (long, line_end) in long.zip(["\n", "\r", "\r\n"].into_iter().cycle()) {
        let comment = format!("#{long}");
        let lines = [&good(1), &long, &good(2), &comment, "wrong", &good(3), &long];
        let text = lines.join(line_end);
        let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        packed.write_all(text.as_bytes()).unwrap();
        for (name, bytes) in [("a.csv", text.as_bytes()), ("a.csv.gz", &packed.finish().unwrap())] {
            let folder = tempfile::tempdir().unwrap();
            let (input, output) = (folder.path().join(name), folder.path().join("a.ticks"));
            fs::write(&input, bytes).unwrap();
            let mut options = options("tick-csv", &[&input], &output);
            options.policies.max_refused = 1.0;
            let report = run(&options, &mut |_| {}).unwrap();
            let refused = report.count(Finding::Unreadable);
            let at: Vec<u64> = refused.examples.iter().map(|example| example.line).collect();
            assert_eq!((report.rows, report.imported, at), (6, 3, vec![2, 5, 7]), "{name}");
            let reason = &refused.examples[0].reason;
            assert!(reason.contains("262144 bytes or more, too many for a row"), "{reason}");
            let file = TickFile::open(&output).unwrap();
            assert!(file.ticks().iter().all(|tick| tick.price.to_string() == "1684.25"));
        }
    }
}

#[test]
fn a_hundred_bad_rows_at_the_start_of_a_file_are_another_format() {
    let good = "2013-10-07 13:30,10,1\n".repeat(1_000);
    let error = import("tick-csv", ("2013-10-07:10:1\n".repeat(100) + &good).as_bytes());
    let error = error.unwrap_err().to_string();
    assert!(error.contains("100 of the first 100 rows are refused; line 1: expected 3"), "{error}");
    let (report, _) =
        import("tick-csv", ("2013-10-07:10:1\n".repeat(99) + &good).as_bytes()).unwrap();
    let unreadable = report.count(Finding::Unreadable);
    assert_eq!((unreadable.rows, unreadable.examples.len()), (99, 20));
    assert_eq!(report.imported, 1_000);
}

/// Real Euro FX futures. The sums are taken from the text by themselves.
#[test]
fn real_minute_bars_come_in_whole() {
    let path = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../shared/data/databento_es/xcme/6EH4.XCME_1min_bars_20240101_20240131.csv.gz"
    );
    let path = Path::new(path);
    let Ok(packed) = fs::File::open(path) else {
        eprintln!("skipped: {} is not there", path.display());
        return;
    };
    let mut text = String::new();
    flate2::read::MultiGzDecoder::new(packed).read_to_string(&mut text).unwrap();
    let rows: Vec<Vec<&str>> = text.lines().skip(1).map(|line| line.split(',').collect()).collect();

    assert_eq!(detect(path).unwrap(), Detected::Format("bar-csv"));
    let folder = tempfile::tempdir().unwrap();
    let output = folder.path().join("6E.ticks");
    let mut options = options("bar-csv", &[path], &output);
    options.instrument = Instrument::built_in("6E").unwrap();
    options.contract = Some("6EH4".to_owned());
    let mut seen = 0;
    let report = run(&options, &mut |progress| seen = progress.bytes_read).unwrap();
    assert_eq!(seen, fs::metadata(path).unwrap().len());
    assert_eq!((report.rows, report.imported), (29_996, 29_996));
    assert_eq!((rows.len(), report.bar_seconds), (29_996, Some(60)));

    let file = TickFile::open(&output).unwrap();
    assert_eq!(file.description().contracts[0].symbol, "6EH24");
    assert_eq!(file.description().expanded_from_bars_of_seconds, Some(60));
    // Bars again, by the minute of each tick.
    let bars: Vec<&[Tick]> = file
        .ticks()
        .chunk_by(|a, b| a.time.floor_to(Timestamp::MINUTE) == b.time.floor_to(Timestamp::MINUTE))
        .collect();
    assert_eq!(bars.len(), rows.len());
    for (bar, row) in bars.iter().zip(&rows) {
        let start = bar[0].time.floor_to(Timestamp::MINUTE).to_string();
        assert_eq!(start.replace('T', " ")[..19], row[0][..19]);
        let high = bar.iter().map(|tick| tick.price).max().unwrap();
        let low = bar.iter().map(|tick| tick.price).min().unwrap();
        let prices = [bar[0].price, high, low, bar[bar.len() - 1].price].map(Price::as_f64);
        let written: Vec<f64> = row[1..5].iter().map(|price| price.parse().unwrap()).collect();
        assert_eq!(prices[..], written[..], "{start}");
        let volume: u64 = bar.iter().map(|tick| u64::from(tick.size)).sum();
        assert_eq!(volume.to_string(), row[5], "{start}");
    }
}

#[test]
fn tells_what_a_file_is_only_when_that_is_clear() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("history");
    let look = |bytes: &[u8]| {
        fs::write(&path, bytes).unwrap();
        detect(&path).map_err(|error| error.to_string())
    };
    for (bytes, format) in [
        (&b"DBN\x02"[..], "databento"),
        (b"\x28\xB5\x2F\xFD", "databento"),
        (b"SCID8", "sierra"),
        (b"PK\x03\x04", "lean"),
        (b"timestamp,price,volume\n2013-10-07 13:30,10,1\n", "tick-csv"),
        (b"1381152600,10,1", "tick-csv"),
        (b"2013-10-07 13:30;10;1\n", "tick-csv"),
        (b"20131007 133000;10;1\n", "tick-csv"),
        (b"Date,Time,Open,High,Low,Close,Volume\n2013-10-07,13:30,10,11,9,10,4\n", "bar-csv"),
    ] {
        assert_eq!(look(bytes), Ok(Detected::Format(format)));
    }
    for (bytes, reason) in [
        (&b""[..], "no rows"),
        (b"timestamp,price,volume\n", "no rows"),
        (b"3/4/2013 9:30,10,1\n", "day first"),
        (
            b"Timestamp,Open,High,Low,Close,Volume\n3/4/2013 9:30,10,11,9,10,4\n",
            "bar-csv-day-first",
        ),
        (b"2013-10-07 13:30,10,11,9,10,4\n", "New York's (`firstrate`)"),
        (b"GIF89a", "no rows"),
        (b"2013-10-07 13:30 10 1\n", "expected 3 columns, found 1"),
    ] {
        let error = look(bytes).unwrap_err();
        assert!(error.contains(reason), "{error}");
        assert!(error.contains("data_handler.backtest_settings.format"), "{error}");
    }
    let native = folder.path().join("native");
    fs::write(&path, "timestamp,price,volume\n2013-10-07 13:30,10,1\n").unwrap();
    run(&options("tick-csv", &[&path], &native), &mut |_| {}).unwrap();
    assert_eq!(detect(&native).unwrap(), Detected::Native);
}
