//! Bad inputs, and what each of them gets. `docs/import.md` shows the same table to users; this
//! test holds the two together.

use std::fs;
use std::path::Path;

use algospace_hft::market::{Instrument, Price, Tick, Timestamp};
use algospace_hft::source::import::{
    Effect, IdenticalTrades, ImportOptions, ImportReport, LateRows, OffTickPrices, PRESETS, Preset,
    run,
};
use algospace_hft::source::native::{TickFile, TickFileDescription, TickFileWriter};

/// The outcome of an input.
enum Outcome {
    /// Rows imported, of how many.
    Imported(u64, u64),
    /// Nothing is written.
    Failed,
}
use Outcome::{Failed, Imported};

struct Case {
    name: &'static str,
    format: &'static str,
    /// The rows; a `*` in front of a line stands for 200 good rows.
    text: &'static str,
    options: fn(&mut ImportOptions),
    outcome: Outcome,
    /// Part of the report or of the error.
    words: &'static str,
}

fn defaults(_: &mut ImportOptions) {}

/// No more than one row in a hundred may be refused.
fn strict(options: &mut ImportOptions) {
    options.policies.max_refused = 0.01;
}

/// `max_refused` such that a short file with one bad row passes.
fn lenient(options: &mut ImportOptions) {
    options.policies.max_refused = 0.5;
}

const BARS: &str = "Timestamp,Open,High,Low,Close,Volume\n\
                    2013-10-07 13:30,10,11,9,10,8\n2013-10-07 13:31,10,11,9,10,8\n";

#[rustfmt::skip]
const CASES: &[Case] = &[
    Case { name: "empty file", format: "tick-csv", text: "", options: defaults,
        outcome: Failed, words: "nothing to import: of 0 rows" },
    Case { name: "header only", format: "tick-csv", text: "timestamp,price,volume\n", options: defaults,
        outcome: Failed, words: "nothing to import: of 0 rows" },
    Case { name: "no final newline", format: "tick-csv", text: "2013-10-07 13:30,10,1\n2013-10-07 13:31,10,1", options: defaults,
        outcome: Imported(2, 2), words: "2 ticks" },
    Case { name: "byte order mark, CRLF, blank lines, comments", format: "tick-csv",
        text: "\u{feff}# from a spreadsheet\r\n\r\ntimestamp,price,volume\r\n2013-10-07 13:30,10,1\r\n", options: defaults,
        outcome: Imported(1, 1), words: "1 ticks" },
    Case { name: "half last line", format: "tick-csv", text: "*\n2013-10-07 14:30:00,10", options: defaults,
        outcome: Imported(200, 201), words: "expected 3 columns, found 2" },
    Case { name: "half last line, few rows", format: "tick-csv", text: "2013-10-07 13:30,10,1\n2013-10-07 13:31,10,1\n2013-10", options: strict,
        outcome: Failed, words: "1 of 3 rows (33.33 %) are refused, 1.00 % are allowed" },
    Case { name: "wrong delimiter", format: "firstrate", text: "2013-10-07 09:30;10;11;9;10;8\n", options: defaults,
        outcome: Failed, words: "the line would fit with `;` between its columns instead of `,`" },
    Case { name: "bars given as trades", format: "tick-csv", text: BARS, options: defaults,
        outcome: Failed, words: "column 2 must be the price, but the header `Timestamp,Open,High,Low,Close,Volume` names it `open`" },
    Case { name: "trades given as bars", format: "bar-csv", text: "timestamp,price,volume\n2013-10-07 13:30,10,1\n", options: defaults,
        outcome: Failed, words: "no column `open` in the header `timestamp,price,volume`" },
    Case { name: "columns in another order, every name known", format: "tick-csv", text: "volume,price,timestamp\n1,10,2013-10-07 13:30\n", options: defaults,
        outcome: Imported(1, 1), words: "1 ticks" },
    Case { name: "columns in another order, a name unknown", format: "tick-csv", text: "id,price,qty,base_qty,time\n1381152600,10,1,10,1700000000000\n", options: defaults,
        outcome: Failed, words: "column 1 must be the timestamp, but the header `id,price,qty,base_qty,time` names it `id`" },
    Case { name: "columns of an unknown order, said", format: "tick-csv", text: "id,price,qty,base_qty,time\n1381152600,10,1,10,1700000000000\n",
        options: |options| options.columns = Some("-,price,size,-,time".parse().unwrap()),
        outcome: Imported(1, 1), words: "2023-11-14T22:13:20" },
    Case { name: "more columns than the format has", format: "tick-csv", text: "*\n2013-10-07 14:30:00,10,1,7,7\n", options: defaults,
        outcome: Imported(200, 201), words: "expected 3 columns, found 5" },
    Case { name: "more columns than the header", format: "bar-csv", text: "Timestamp,Open,High,Low,Close,Volume\n2013-10-07 13:30,10,11,9,10,8\n2013-10-07 13:31,10,11,9,10,8\n2013-10-07 13:32,10,11,9,10,8,1\n", options: lenient,
        outcome: Imported(2, 3), words: "expected 6 columns, found 7" },
    Case { name: "decimal comma", format: "tick-csv", text: "2013-10-07 13:30:00,1684,25,3\n2013-10-07 13:30:01,1684,50,2\n", options: defaults,
        outcome: Failed, words: "is a number cut in two by its decimal or thousands separator?" },
    Case { name: "thousands comma", format: "tick-csv", text: "timestamp,price,volume\n2013-10-07 13:30:00,14,936,3\n2013-10-07 13:30:01,14,937,2\n", options: defaults,
        outcome: Failed, words: "expected 3 columns, found 4; is a number cut in two by its decimal or thousands separator?" },
    Case { name: "decimal comma between semicolons", format: "tick-csv", text: "2013-10-07 13:30:00;1684,25;3\n", options: defaults,
        outcome: Failed, words: "price: `1684,25` is not a decimal price" },
    Case { name: "first column is no time", format: "tick-csv", text: "10.25,2013-10-07 13:30:00,3\n", options: defaults,
        outcome: Failed, words: "time: `10.25` is not a time" },
    Case { name: "minutes without separators", format: "tick-csv", text: "201310071330,10,1\n201310071335,10,1\n", options: defaults,
        outcome: Imported(2, 2), words: "2013-10-07T13:35:00" },
    Case { name: "hours without separators", format: "bar-csv", text: "Timestamp,Open,High,Low,Close,Volume\n2013100713,10,11,9,10,8\n2013100714,10,11,9,10,8\n", options: defaults,
        outcome: Imported(2, 2), words: "2013-10-07T14:59:59" },
    Case { name: "binary file", format: "tick-csv", text: "\u{1}PK\u{3}\u{4}\u{0}\u{0}\u{8}\n\u{0}\n", options: defaults,
        outcome: Failed, words: "not plain text (UTF-16 or binary); save it as UTF-8 text" },
    Case { name: "damaged Parquet", format: "tick-csv", text: "PAR1\u{15}\u{4}\u{15}\n", options: defaults,
        outcome: Failed, words: "Parquet: Invalid Parquet file" },
    Case { name: "another instrument's prices", format: "tick-csv", text: "2013-10-07 13:30,1.35715,1\n", options: defaults,
        outcome: Failed, words: "a price of 1.35715 is not a whole number of ES's ticks of 0.25" },
    Case { name: "slash dates under an ISO format", format: "bar-csv", text: "3/4/2013 9:30,10,11,9,10,8\n", options: defaults,
        outcome: Failed, words: "`bar-csv-day-first` or `bar-csv-month-first`" },
    Case { name: "day first read as month first", format: "bar-csv-month-first", text: "25/12/2013 9:30,10,11,9,10,8\n25/12/2013 9:31,10,11,9,10,8\n", options: defaults,
        outcome: Failed, words: "`25/12/2013 9:30` is not a day of the calendar" },
    Case { name: "price that is not a number", format: "tick-csv", text: "*\n2013-10-07 14:30:00,NaN,1\n", options: defaults,
        outcome: Imported(200, 201), words: "price: `NaN` is not a decimal price" },
    Case { name: "price with an exponent", format: "tick-csv", text: "*\n2013-10-07 14:30:00,1e3,1\n", options: defaults,
        outcome: Imported(200, 201), words: "`1e3` is not a decimal price" },
    Case { name: "price of zero", format: "tick-csv", text: "*\n2013-10-07 14:30:00,0,1\n", options: defaults,
        outcome: Imported(200, 201), words: "a price of 0 is not above 0" },
    Case { name: "negative price", format: "tick-csv", text: "*\n2013-10-07 14:30:00,-10,1\n", options: defaults,
        outcome: Imported(200, 201), words: "a price of -10 is not above 0" },
    Case { name: "price off the tick grid", format: "tick-csv", text: "*\n2013-10-07 14:30:00,10.1,1\n", options: defaults,
        outcome: Imported(200, 201), words: "refused 1: price off the tick grid" },
    Case { name: "price off the tick grid, to be rounded", format: "tick-csv", text: "2013-10-07 14:30:00,10.1,1\n",
        options: |options| options.policies.off_tick_prices = OffTickPrices::Round,
        outcome: Imported(1, 1), words: "kept 1: price rounded to the tick grid" },
    Case { name: "negative size", format: "tick-csv", text: "*\n2013-10-07 14:30:00,10,-1\n", options: defaults,
        outcome: Imported(200, 201), words: "a size of -1 is not from 1 to 4294967295" },
    Case { name: "size beyond a tick", format: "tick-csv", text: "*\n2013-10-07 14:30:00,10,4294967296\n", options: defaults,
        outcome: Imported(200, 201), words: "a size of 4294967296 is not from 1 to 4294967295" },
    Case { name: "size of zero", format: "tick-csv", text: "2013-10-07 14:30:00,10,0\n2013-10-07 14:30:00,10,1\n", options: defaults,
        outcome: Imported(1, 2), words: "dropped 1: trade of size 0" },
    Case { name: "no such day", format: "tick-csv", text: "*\n2013-02-29 14:30:00,10,1\n", options: defaults,
        outcome: Imported(200, 201), words: "`2013-02-29 14:30:00` is not a day of the calendar" },
    Case { name: "year that no market has", format: "tick-csv", text: "*\n2200-01-01 00:00,10,1\n1969-12-31 23:59:59,10,1\n", options: lenient,
        outcome: Imported(200, 202), words: "refused 2: time out of range" },
    Case { name: "local time that the clocks left out", format: "firstrate",
        text: "2013-03-10 01:59,10,11,9,10,8\n2013-03-10 02:00,10,11,9,10,8\n2013-03-10 03:00,10,11,9,10,8\n",
        options: |options| { lenient(options); options.bar_seconds = Some(60); },
        outcome: Imported(2, 3), words: "1 rows in an hour that the clocks left out: refused" },
    Case { name: "local time that comes twice", format: "firstrate",
        text: "2013-11-03 01:59,10,11,9,10,8\n2013-11-03 01:00,10,11,9,10,8\n", options: |options| options.bar_seconds = Some(60),
        outcome: Imported(2, 2), words: "2 rows in an hour that the clocks went through twice" },
    Case { name: "row back in time", format: "tick-csv", text: "2013-10-07 14:30,10,1\n2013-10-07 13:30,11,1\n2013-10-07 15:30,12,1\n", options: defaults,
        outcome: Imported(3, 3), words: "kept 1: back in time, sorted into place" },
    Case { name: "row back in time, to be dropped", format: "tick-csv", text: "2013-10-07 14:30,10,1\n2013-10-07 13:30,11,1\n",
        options: |options| options.policies.late_rows = LateRows::Drop,
        outcome: Imported(1, 2), words: "dropped 1: back in time" },
    Case { name: "row back in time, to be refused", format: "tick-csv", text: "2013-10-07 14:30,10,1\n2013-10-07 13:30,11,1\n",
        options: |options| options.policies.late_rows = LateRows::Refuse,
        outcome: Failed, words: "`--late-rows sort` puts such rows into their place" },
    Case { name: "the same trade twice", format: "tick-csv", text: "2013-10-07 14:30,10,1\n2013-10-07 14:30,10,1\n", options: defaults,
        outcome: Imported(2, 2), words: "kept 1: same trade as before, kept" },
    Case { name: "the same trade twice, to be dropped", format: "tick-csv", text: "2013-10-07 14:30,10,1\n2013-10-07 14:30,10,1\n",
        options: |options| options.policies.identical_trades = IdenticalTrades::Drop,
        outcome: Imported(1, 2), words: "dropped 1: same trade as before" },
    Case { name: "the same bar twice", format: "bar-csv", text: "2013-10-07 13:30,10,11,9,10,8\n2013-10-07 13:30,10,11,9,10,8\n2013-10-07 13:31,10,11,9,10,8\n", options: defaults,
        outcome: Imported(2, 3), words: "dropped 1: same bar as before" },
    Case { name: "two bars of one start", format: "bar-csv", text: "2013-10-07 13:30,10,11,9,10,8\n2013-10-07 13:30,10,12,9,10,8\n2013-10-07 13:31,10,11,9,10,8\n", options: lenient,
        outcome: Imported(2, 3), words: "refused 1: second bar of the same start" },
    Case { name: "bar inside another", format: "bar-csv", text: "2013-10-07 13:30,10,11,9,10,8\n2013-10-07 13:30:30,10,12,9,10,8\n2013-10-07 13:32,10,11,9,10,8\n",
        options: |options| { lenient(options); options.bar_seconds = Some(60); },
        outcome: Imported(2, 3), words: "refused 1: bar inside the one before" },
    Case { name: "high below the close", format: "bar-csv", text: "2013-10-07 13:30,10,10.5,9,11,8\n2013-10-07 13:31,10,11,9,10,8\n", options: lenient,
        outcome: Imported(1, 2), words: "the high must be the highest and the low the lowest" },
    Case { name: "low above the open", format: "bar-csv", text: "2013-10-07 13:30,10,12,11,11,8\n2013-10-07 13:31,10,11,9,10,8\n", options: lenient,
        outcome: Imported(1, 2), words: "the high must be the highest and the low the lowest" },
    Case { name: "more prices than contracts in a bar", format: "bar-csv", text: "2013-10-07 13:30,10,11,9,10,2\n2013-10-07 13:31,10,11,9,10,8\n", options: lenient,
        outcome: Imported(1, 2), words: "a volume of 2 cannot have made the 4 trades that these prices need" },
    Case { name: "bar without volume", format: "bar-csv", text: "2013-10-07 13:30,10,10,10,10,0\n2013-10-07 13:31,10,11,9,10,8\n", options: defaults,
        outcome: Imported(1, 2), words: "dropped 1: bar without volume" },
    Case { name: "a single bar of unknown length", format: "bar-csv", text: "2013-10-07 13:30,10,10,10,10,1\n", options: defaults,
        outcome: Failed, words: "the bar length cannot be told from so few rows" },
    Case { name: "bars of less than a second", format: "bar-csv", text: "2013-10-07 13:30:00.0,10,10,10,10,1\n2013-10-07 13:30:00.5,10,10,10,10,1\n", options: defaults,
        outcome: Failed, words: "a bar must be of whole seconds, from 1 second to 31 days" },
    Case { name: "hours that begin between two product bars", format: "bar-csv",
        text: "2013-10-07 13:30,10,11,9,10,8\n2013-10-07 14:30,10,11,9,10,8\n2013-10-07 15:30,10,11,9,10,8\n", options: defaults,
        outcome: Failed, words: "3 of 3 bars fit no product bar of cme_equity_index" },
    Case { name: "bars beyond the session's end", format: "bar-csv",
        text: "2013-10-07 14:00,10,11,9,10,8\n2013-10-07 18:00,10,11,9,10,8\n", options: defaults,
        outcome: Imported(2, 2), words: "made from bars of 14400 s" },
    Case { name: "days of a clock", format: "bar-csv",
        text: "2013-10-04,10,11,9,10,8\n2013-10-06,10,11,9,10,8\n2013-10-07,10,11,9,10,8\n2013-10-08,10,11,9,10,8\n", options: defaults,
        outcome: Failed, words: "a daily bar of 2013-10-06, a Sunday, which is no trade date" },
    Case { name: "daily bar of a holiday", format: "bar-csv",
        text: "2013-12-23,10,11,9,10,8\n2013-12-24,10,11,9,10,8\n2013-12-25,10,11,9,10,8\n2013-12-26,10,11,9,10,8\n", options: lenient,
        outcome: Imported(3, 4), words: "refused 1: daily bar of a day that is no session" },
    Case { name: "hours in a format of minutes", format: "kibot-minute",
        text: "10/07/2013,10:00,10,11,9,10,8\n10/07/2013,11:00,10,11,9,10,8\n10/07/2013,12:00,10,11,9,10,8\n", options: defaults,
        outcome: Failed, words: "bars are taken to be of 60 s, and from here on they are 3600 s apart" },
    Case { name: "a print a hundred times its neighbours", format: "tick-csv", text: "*\n2013-10-07 14:30:00,1000,1\n2013-10-07 14:30:01,10,1\n", options: defaults,
        outcome: Imported(201, 202), words: "refused 1: price that its neighbours contradict" },
    Case { name: "prices that go on in another scale", format: "tick-csv", text: "*\n2013-10-07 14:30:00,1000,1\n2013-10-07 14:30:01,1000,2\n", options: defaults,
        outcome: Imported(202, 202), words: "kept 1: price that jumps and stays there" },
    Case { name: "unknown format", format: "tick_csv", text: "", options: defaults,
        outcome: Failed, words: "there is no format `tick_csv`; there are: tick-csv" },
    Case { name: "unknown time zone", format: "tick-csv", text: "", options: |options| options.time_zone = Some("Chicago".to_owned()),
        outcome: Failed, words: "there is no time zone `Chicago`; give an IANA name" },
    Case { name: "missing file", format: "tick-csv", text: "", options: |options| options.inputs = vec!["no/such/file.csv".into()],
        outcome: Failed, words: "no/such/file.csv: cannot be read" },
    Case { name: "folder without a fitting file", format: "tick-csv", text: "", options: |options| {
            let folder = options.output.with_file_name("empty");
            fs::create_dir(&folder).unwrap();
            options.inputs = vec![folder];
        },
        outcome: Failed, words: "no file ending in .csv, .txt, .csv.gz, .txt.gz, .csv.zst, .txt.zst, .zip, .parquet in this folder" },
    Case { name: "truncated .gz", format: "tick-csv", text: "", options: |options| {
            let path = options.output.with_file_name("cut.csv.gz");
            let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
            std::io::Write::write_all(&mut packer, b"2013-10-07 13:30,10,1\n").unwrap();
            let packed = packer.finish().unwrap();
            fs::write(&path, &packed[..packed.len() - 9]).unwrap();
            options.inputs = vec![path];
        },
        outcome: Failed, words: "cut.csv.gz: cannot be read" },
    Case { name: "output that is the input", format: "tick-csv", text: "2013-10-07 13:30,10,1\n",
        options: |options| options.inputs = vec![options.output.clone()],
        outcome: Failed, words: "is both input and output" },
];

fn old_file(path: &Path) -> Vec<u8> {
    let instrument = Instrument::built_in("ES").unwrap();
    let description = TickFileDescription::new(&instrument, "an earlier import");
    let mut writer = TickFileWriter::create(path, description).unwrap();
    let price: Price = "100".parse().unwrap();
    writer.extend(&[Tick::new(Timestamp::from_nanos(0), price, 1)]).unwrap();
    writer.finish().unwrap();
    fs::read(path).unwrap()
}

fn good_rows() -> String {
    (0..200)
        .map(|second| format!("2013-10-07 13:30:{:02}.{second:03},10,1\n", 10 + second / 100))
        .collect()
}

fn check(case: &Case) -> Result<(), String> {
    let folder = tempfile::tempdir().unwrap();
    let input = folder.path().join("input.csv");
    let text = case.text.replacen("*\n", &good_rows(), 1);
    fs::write(&input, &text).unwrap();
    let output = folder.path().join("output.ticks");
    let before = old_file(&output);
    let es = Instrument::built_in("ES").unwrap();
    let mut options = ImportOptions::new(case.format, vec![input], output.clone(), es);
    (case.options)(&mut options);
    let result = run(&options, &mut |_| {});
    let said = match &result {
        Ok(report) => report.to_string(),
        Err(error) => error.to_string(),
    };
    let ensure = |holds: bool, what: &str| match holds {
        true => Ok(()),
        false => Err(format!("{}: {what}: {said}", case.name)),
    };
    ensure(said.contains(case.words), case.words)?;
    match (&case.outcome, &result) {
        (Imported(imported, rows), Ok(report)) => {
            ensure((report.imported, report.rows) == (*imported, *rows), "other counts")?;
            ensure(balances(report), "rows are lost")?;
            let file = TickFile::open(&output).map_err(|error| error.to_string())?;
            ensure(file.ticks().len() as u64 == report.ticks, "other ticks")?;
            let refused = report.total(Effect::Refused);
            ensure(report.rejects.is_some() == (refused > 0), "the refused rows' file")?;
            if let Some(rejects) = &report.rejects {
                let lines = fs::read_to_string(rejects).unwrap().lines().count() as u64;
                ensure(lines == refused + 1, "refused rows not written down")?;
            }
        }
        (Failed, Err(_)) => {
            ensure(fs::read(&output).unwrap() == before, "the old output was touched")?;
            let left: Vec<_> = fs::read_dir(folder.path())
                .unwrap()
                .map(|entry| entry.unwrap().file_name().into_string().unwrap())
                .filter(|name| name.starts_with('.'))
                .collect();
            ensure(left.is_empty(), "temporary files are left")?;
        }
        _ => return Err(format!("{}: another outcome: {said}", case.name)),
    }
    Ok(())
}

fn balances(report: &ImportReport) -> bool {
    report.rows == report.imported + report.total(Effect::Dropped) + report.total(Effect::Refused)
}

#[test]
fn every_bad_input_gets_what_the_table_says() {
    let problems: Vec<String> = CASES.iter().filter_map(|case| check(case).err()).collect();
    assert!(problems.is_empty(), "\n{}", problems.join("\n"));
}

#[test]
fn the_documentation_shows_the_same_table() {
    let documentation = include_str!("../../docs/import.md");
    let missing: Vec<String> = CASES
        .iter()
        .map(|case| {
            let outcome = match case.outcome {
                Imported(imported, rows) => format!("{imported} of {rows} rows"),
                Failed => "fails".to_owned(),
            };
            format!("| {} | `{}` | {outcome} | {} |", case.name, case.format, case.words)
        })
        .filter(|row| !documentation.contains(row.as_str()))
        .collect();
    assert!(missing.is_empty(), "docs/import.md lacks these rows:\n{}", missing.join("\n"));
    for Preset { name, columns, example, .. } in PRESETS {
        let row = format!("| `{name}` | {columns} | `{example}` |");
        assert!(documentation.contains(&row), "docs/import.md lacks this row:\n{row}");
    }
}

/// A refused row names its place; a file of refused rows outlives an import that failed for them.
#[test]
fn too_many_refused_rows_are_written_down_and_a_later_good_import_clears_them() {
    let folder = tempfile::tempdir().unwrap();
    let input = folder.path().join("input.csv");
    fs::write(&input, good_rows() + "bad, \"row\"\n2013-10-07 15:00,10.1,1\n2013,1,1\n").unwrap();
    let output = folder.path().join("output.ticks");
    let es = Instrument::built_in("ES").unwrap();
    let mut options = ImportOptions::new("tick-csv", vec![input.clone()], output.clone(), es);
    options.policies.max_refused = 0.01;
    let error = run(&options, &mut |_| {}).unwrap_err().to_string();
    assert!(error.contains("3 of 203 rows (1.48 %)"), "{error}");
    assert!(error.contains("`--max-refused 0.02`"), "{error}");
    assert!(!output.exists());
    let rejects = folder.path().join("output.ticks.rejects.csv");
    let mut reader = csv::Reader::from_path(&rejects).unwrap();
    let rows: Vec<_> = reader.records().map(|row| row.unwrap()).collect();
    let places: Vec<_> = rows.iter().map(|row| (&row[0], &row[1], &row[3])).collect();
    let name = input.to_str().unwrap();
    assert_eq!(
        places,
        [
            (name, "201", "bad, \"row\""),
            (name, "202", "2013-10-07T15:00:00.000000000Z,10.1,1"),
            (name, "203", "2013,1,1")
        ]
    );
    options.policies.max_refused = 0.02;
    assert_eq!(run(&options, &mut |_| {}).unwrap().imported, 200);
    assert!(rejects.exists());
    fs::write(&input, good_rows()).unwrap();
    assert_eq!(run(&options, &mut |_| {}).unwrap().rejects, None);
    assert!(!rejects.exists());
}
