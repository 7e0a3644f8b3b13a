//! Which contract rows belong to, by all that a source says of it.

use std::ffi::c_char;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use algospace_hft::market::{Calendar, Instrument, RollRule, Tick, Timestamp};
use algospace_hft::source::import::{
    Finding, ImportError, ImportOptions, ImportReport, roll_choice, run,
};
use algospace_hft::source::native::{Adjustment, TickFile};
use dbn::encode::{DbnEncoder, EncodeRecord};
use dbn::{MappingInterval, Metadata, RecordHeader, SType, Schema, SymbolMapping, TradeMsg, rtype};

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// One instrument of a Databento file: symbol, number, first day and the day after its last.
type Mapped<'a> = (&'a str, u32, &'a str, &'a str);

/// Trades of one contract each: instrument number, time, price in points.
fn databento(path: &Path, mapped: &[Mapped], trades: &[(u32, Timestamp, i64)]) {
    let nanos = |day: &str| at(&format!("{day}T00:00:00Z")).nanos() as u64;
    let metadata = |start: u64| {
        Metadata::builder()
            .dataset("GLBX.MDP3")
            .schema(Some(Schema::Trades))
            .start(start)
            .end(std::num::NonZeroU64::new(mapped.iter().map(|row| nanos(row.3)).max().unwrap()))
            .stype_in(Some(SType::RawSymbol))
            .stype_out(SType::InstrumentId)
            .build()
    };
    // The decoder's own kind of date, which is not this program's.
    let day = |text: &str| metadata(nanos(text)).start().date();
    let mut metadata = metadata(mapped.iter().map(|row| nanos(row.2)).min().unwrap());
    for &(symbol, number, from, until) in mapped {
        let interval = MappingInterval {
            start_date: day(from),
            end_date: day(until),
            symbol: number.to_string(),
        };
        match metadata.mappings.iter_mut().find(|mapping| mapping.raw_symbol == symbol) {
            Some(mapping) => mapping.intervals.push(interval),
            None => metadata
                .mappings
                .push(SymbolMapping { raw_symbol: symbol.to_owned(), intervals: vec![interval] }),
        }
    }
    let mut encoder = DbnEncoder::new(fs::File::create(path).unwrap(), &metadata).unwrap();
    for &(number, time, points) in trades {
        let nanos = time.nanos() as u64;
        let trade = TradeMsg {
            hd: RecordHeader::new::<TradeMsg>(rtype::MBP_0, 1, number, nanos),
            price: points * 1_000_000_000,
            size: 1,
            action: b'T' as c_char,
            side: b'B' as c_char,
            ts_recv: nanos,
            ..TradeMsg::default()
        };
        encoder.encode_record(&trade).unwrap();
    }
}

struct Case {
    folder: tempfile::TempDir,
    options: ImportOptions,
}

impl Case {
    /// An import of what `write` puts into a folder.
    fn new(format: &str, symbol: &str, write: impl FnOnce(&Path)) -> Case {
        let folder = tempfile::tempdir().unwrap();
        let input = folder.path().join("input");
        fs::create_dir(&input).unwrap();
        write(&input);
        let output = folder.path().join("output.ticks");
        let instrument = Instrument::built_in(symbol).unwrap();
        let mut inputs: Vec<PathBuf> =
            fs::read_dir(&input).unwrap().map(|e| e.unwrap().path()).collect();
        inputs.sort();
        Case { folder, options: ImportOptions::new(format, inputs, output, instrument) }
    }

    fn contract(mut self, contract: &str) -> Case {
        self.options.contract = Some(contract.to_owned());
        self
    }

    fn roll(mut self, rule: RollRule) -> Case {
        let calendar = self.options.instrument.calendar;
        self.options.roll = Some(roll_choice(rule, Adjustment::None, calendar));
        self
    }

    fn run(&self) -> Result<(ImportReport, Vec<Tick>), ImportError> {
        let report = run(&self.options, &mut |_| {})?;
        let ticks = TickFile::open(&self.options.output).unwrap().ticks().to_vec();
        Ok((report, ticks))
    }

    fn good(&self) -> (ImportReport, Vec<Tick>) {
        self.run().unwrap()
    }

    fn error(&self) -> String {
        let error = self.run().unwrap_err().to_string();
        assert!(!self.options.output.exists(), "{}", self.folder.path().display());
        error
    }
}

const CUSTOMARY: RollRule = RollRule::Calendar { days_before_expiry: 4 };

/// ESZ0 of 2010 and of 2020 under the instrument numbers 1 and 2, and ESH1 of 2021.
fn two_decades(folder: &Path) {
    let mapped = [
        ("ESZ0", 1, "2010-11-01", "2010-12-18"),
        ("ESZ0", 2, "2020-11-01", "2020-12-19"),
        ("ESH1", 3, "2020-11-01", "2021-03-20"),
    ];
    let mut trades = vec![(1, at("2010-11-02T15:00:00Z"), 1_200)];
    for (day, front, next) in [("2020-12-08", 3_690, 3_695), ("2020-12-15", 3_692, 3_697)] {
        trades.push((2, at(&format!("{day}T15:00:00Z")), front));
        trades.push((3, at(&format!("{day}T15:00:01Z")), next));
    }
    databento(&folder.join("es.dbn"), &mapped, &trades);
}

#[test]
fn a_symbol_that_comes_again_after_ten_years_is_another_contract() {
    let case = || Case::new("databento", "ES", two_decades);
    let error = case().error();
    assert!(
        error.contains("3 contracts: ESZ10 (1 rows), ESZ20 (2 rows), ESH21 (2 rows)"),
        "{error}"
    );
    // The year in full means one of them, one digit of it both.
    for (name, price) in [("ESZ10", 1_200), ("ESZ2020", 3_690), ("ES Z20", 3_690)] {
        let (report, ticks) = case().contract(name).good();
        assert_eq!(report.contracts.len(), 1, "{name}");
        assert_eq!(ticks[0].price.units(), price * 1_000_000_000, "{name}");
    }
    let error = case().contract("ESZ0").error();
    assert!(error.contains("ESZ0 means ESZ10 or ESZ20"), "{error}");
    let (report, _) = case().contract("ESH1").good();
    assert_eq!(report.contracts, ["ESH21"]);
    // In a series each has its own time.
    let (report, ticks) = case().roll(CUSTOMARY).good();
    assert_eq!(report.contracts, ["ESZ10", "ESZ20", "ESH21"]);
    let shown: Vec<_> =
        ticks.iter().map(|tick| (tick.contract, tick.price.units() / 1_000_000_000)).collect();
    assert_eq!(shown, [(0, 1_200), (1, 3_690), (2, 3_697)]);
}

#[test]
fn a_series_of_the_source_whose_instrument_changes_is_a_roll() {
    let mapped =
        [("ES.c.0", 11, "2023-12-10", "2023-12-14"), ("ES.c.0", 12, "2023-12-14", "2023-12-20")];
    let minute =
        |day: &str, minute: i64| at(&format!("{day}T23:00:00Z")) + minute * Timestamp::MINUTE;
    // Midnight in UTC, where the source changes, is within the session.
    let mut trades: Vec<_> = (50..60).map(|n| (11, minute("2023-12-13", n), 4_700)).collect();
    trades.extend((60..70).map(|n| (12, minute("2023-12-13", n), 4_750)));
    let write = |folder: &Path| databento(&folder.join("front.dbn"), &mapped, &trades);
    let (report, ticks) = Case::new("databento", "ES", write).good();
    assert_eq!(report.contracts, ["ES.c.0:11", "ES.c.0:12"]);
    assert_eq!(ticks.iter().filter(|tick| tick.contract == 0).count(), 10);
    assert!(ticks.iter().all(|tick| tick.contract == u16::from(tick.price.to_string() == "4750")));
    let error = Case::new("databento", "ES", write).roll(CUSTOMARY).error();
    assert!(error.contains("`--roll` can have no effect") && error.contains("ES.c.0"), "{error}");

    // A series of one instrument bears its own name.
    let write = |folder: &Path| databento(&folder.join("front.dbn"), &mapped, &trades[..10]);
    assert_eq!(Case::new("databento", "ES", write).good().0.contracts, ["ES.c.0"]);

    // Two instruments of one name at one time are no series.
    let mut mixed = trades.clone();
    mixed.push((11, minute("2023-12-12", 0), 4_700));
    mixed.push((12, minute("2023-12-14", 0), 4_700));
    mixed.push((11, minute("2023-12-12", 30), 4_700));
    let mapped =
        [("ES.c.0", 11, "2023-12-10", "2023-12-20"), ("ES.c.1", 12, "2023-12-10", "2023-12-20")];
    let write = |folder: &Path| databento(&folder.join("front.dbn"), &mapped, &mixed);
    let error = Case::new("databento", "ES", write).error();
    assert!(error.contains("ES.c.0:11") && error.contains("ES.c.1:12"), "{error}");
    let (report, _) = Case::new("databento", "ES", write).contract("es.c.1").good();
    assert_eq!((report.contracts, report.rows), (vec!["ES.c.1".to_owned()], 11));
}

/// 2 trades of ES and 3 of NQ.
fn two_products(folder: &Path) {
    let mapped = [("ESH4", 1, "2024-01-08", "2024-01-10"), ("NQH4", 2, "2024-01-08", "2024-01-10")];
    let trades: Vec<_> = [1, 2, 1, 2, 2]
        .into_iter()
        .zip(0..)
        .map(|(number, second)| {
            (
                number,
                at("2024-01-08T15:00:00Z") + second * Timestamp::SECOND,
                4_000 * i64::from(number),
            )
        })
        .collect();
    databento(&folder.join("two.dbn"), &mapped, &trades);
}

#[test]
fn another_product_than_the_instrument_is_never_imported_as_it() {
    // A file of that product only.
    let nq = |folder: &Path| {
        let mapped = [("NQH4", 2, "2024-01-08", "2024-01-10")];
        databento(&folder.join("a.dbn"), &mapped, &[(2, at("2024-01-08T15:00:00Z"), 16_500)]);
    };
    let error = Case::new("databento", "ES", nq).error();
    for part in ["`NQH4`, which is NQ", "the instrument is ES", "--instrument NQ", "instrument: NQ"]
    {
        assert!(error.contains(part), "{error}");
    }
    assert_eq!(Case::new("databento", "NQ", nq).good().0.contracts, ["NQH24"]);
    // Asked for by name.
    let error = Case::new("databento", "ES", two_products).contract("NQH4").error();
    assert!(error.contains("`NQH4`, which is NQ"), "{error}");
    // Beside the instrument's own: left out, and counted.
    for (symbol, own, other) in [("ES", 2, 3), ("NQ", 3, 2)] {
        let (report, ticks) = Case::new("databento", symbol, two_products).good();
        assert_eq!((report.imported, report.rows), (own, 5), "{symbol}");
        assert_eq!(report.count(Finding::OtherProduct).rows, other, "{symbol}");
        assert_eq!(ticks.len() as u64, own);
    }
}

#[test]
fn a_files_name_tells_product_and_contract() {
    let line = "20231211 150000 0000000;4620.25;4620;4620.25;10\n";
    let text = |names: &'static [&'static str]| {
        move |folder: &Path| {
            for (name, second) in names.iter().zip(0..) {
                fs::write(folder.join(name), line.replace("150000", &format!("15000{second}")))
                    .unwrap();
            }
        }
    };
    let case = |names| Case::new("ninjatrader-tick", "ES", text(names));
    let pair: &[&str] = &["ES 12-23.Last.txt", "ES 03-24.Last.txt"];
    // The Monday of the week of expiry, on which the series moves on.
    let report = case(pair).roll(CUSTOMARY).good().0;
    assert_eq!(report.contracts, ["ESH24"]);
    assert_eq!(report.count(Finding::OtherContract).rows, 1);
    let (report, ticks) = case(pair).contract("ESH4").good();
    assert_eq!((report.contracts, ticks.len()), (vec!["ESH24".to_owned()], 1));
    let error = case(pair).contract("ESM24").error();
    assert!(error.contains("ESM24 is not in the input, which holds"), "{error}");

    // One name of a contract, one of none: the names are of something else.
    let (report, ticks) = case(&["ES 12-23.txt", "more.txt"]).good();
    assert_eq!((report.contracts, ticks.len()), (vec!["ES".to_owned()], 2));
    for name in ["NQ 12-23.txt", "NQ.txt", "@NQ#.csv", "NQ_5m_2023.txt"] {
        let error = Case::new("ninjatrader-tick", "ES", |folder| {
            fs::write(folder.join(name), line).unwrap();
        })
        .error();
        assert!(error.contains("which is NQ"), "{error}");
    }
    // A product's name tells no contract, so `--contract` gives the name.
    let (report, _) = case(&["ES_1min.txt"]).contract("ESZ23").good();
    assert_eq!(report.contracts, ["ESZ23"]);
    // Rows that follow one another leave nothing to choose.
    let (report, _) = case(&["ES 09-23.txt", "ES 12-23.txt"]).good();
    assert_eq!(report.contracts, ["ESU23", "ESZ23"]);
    // Without names there is nothing to roll.
    let error = case(&["a.txt"]).roll(CUSTOMARY).error();
    assert!(error.contains("`--roll` can have no effect"), "{error}");
}

/// Gold in its months and in serial ones, one trade a day each.
#[test]
fn gold_rolls_past_months_in_which_little_trades() {
    let names = ["GCG4", "GCH4", "GCJ4", "GCK4", "GCM4", "GCV4", "GCZ4"];
    let mapped: Vec<Mapped> = names
        .iter()
        .zip(1..)
        .map(|(&name, number)| (name, number, "2024-01-01", "2024-12-31"))
        .collect();
    let mut trades = Vec::new();
    for day in 0..300 {
        for number in 1..=names.len() as u32 {
            trades.push((number, at("2024-01-02T15:00:00Z") + day * 24 * Timestamp::HOUR, 2_000));
        }
    }
    let gold = |rule| {
        let write = |folder: &Path| databento(&folder.join("gc.dbn"), &mapped, &trades);
        Case::new("databento", "GC", write).roll(rule).good().0
    };
    let report = gold(RollRule::customary(Calendar::ComexMetals));
    assert_eq!(report.contracts, ["GCG24", "GCJ24", "GCM24", "GCZ24"]);
    assert_eq!(gold(RollRule::Volume).contracts[0], "GCG24");
    // Serial months alone: which of them is for the user to say.
    let write = |folder: &Path| {
        let mapped =
            [("GCH4", 1, "2024-01-01", "2024-12-31"), ("GCK4", 2, "2024-01-01", "2024-12-31")];
        databento(&folder.join("gc.dbn"), &mapped, &trades[..2]);
    };
    let error = Case::new("databento", "GC", write).roll(CUSTOMARY).error();
    assert!(error.contains("GCH24, GCK24 are of months in which little trades"), "{error}");
}

/// Two contracts of one file, told by a column: December until the roll of 11 December 2023, March
/// all along.
fn column(name: &str, december: &str, march: &str) -> String {
    let mut text = format!("ts_event,price,size,extra,{name}\n");
    for (day, size) in [(7, 10), (8, 10), (11, 1), (12, 1)] {
        for second in 0..3 {
            let time = format!("2023-12-{day:02} 15:00:0{second}");
            text += &format!("{time},4600,{size},x,{december}\n{time}.5,4650,5,y,{march}\n");
        }
    }
    text
}

fn text_case(format: &str, text: &str) -> Case {
    Case::new(format, "ES", |folder| fs::write(folder.join("a.csv"), text).unwrap())
}

#[test]
fn a_column_tells_contracts_apart() {
    for (name, december, march) in [
        ("symbol", "ESZ3", "ESH4"),
        ("Contract", "ESZ23", "ESH24"),
        ("\"Ticker\"", "CME_MINI:ESZ2023", "CME_MINI:ESH2024"),
        ("contract symbol", "ES 12-23", "ES 03-24"),
        ("raw_symbol", "@ESZ23", "@ESH24"),
    ] {
        let text = column(name, december, march);
        let error = text_case("tick-csv", &text).error();
        assert!(error.contains("2 contracts: ESZ23 (12 rows), ESH24 (12 rows)"), "{error}");
        for (contract, price) in [("ESZ3", "4600"), ("ES 03-24", "4650")] {
            let (report, ticks) = text_case("tick-csv", &text).contract(contract).good();
            assert_eq!((report.contracts.len(), ticks.len()), (1, 12), "{name}");
            assert!(ticks.iter().all(|tick| tick.price.to_string() == price), "{name}");
        }
        let (report, ticks) = text_case("tick-csv", &text).roll(CUSTOMARY).good();
        assert_eq!(report.contracts, ["ESZ23", "ESH24"]);
        assert_eq!(report.count(Finding::OtherContract).rows, 12);
        assert_eq!(report.unread_columns, ["extra"]);
        assert!(report.to_string().contains("columns that were not read: extra"));
        let monday = at("2023-12-10T23:00:00Z");
        assert!(ticks.iter().all(|tick| tick.contract == u16::from(tick.time >= monday)));
        // March traded more on the Monday first, so it is shown from Tuesday on.
        let (report, ticks) = text_case("tick-csv", &text).roll(RollRule::Volume).good();
        assert_eq!((report.contracts.len(), ticks.len()), (2, 12));
        let tuesday = at("2023-12-11T23:00:00Z");
        assert!(ticks.iter().all(|tick| tick.contract == u16::from(tick.time >= tuesday)));
    }
}

#[test]
fn a_column_may_hold_spreads_other_products_and_nothing() {
    let row = |second, symbol| format!("2023-12-07 15:00:0{second},4600,5,{symbol}\n");
    let text = "time,price,size,symbol\n".to_owned()
        + &row(0, "ESZ3")
        + &row(1, "ESZ3-ESH4")
        + &row(2, "NQZ3")
        + &row(3, "")
        + &row(4, "ESZ3");
    let (report, ticks) = text_case("tick-csv", &text).good();
    assert_eq!((&report.contracts[..], ticks.len()), (&["ESZ23".to_owned()][..], 2));
    let count = |finding| report.count(finding).rows;
    assert_eq!(
        [Finding::Combination, Finding::OtherProduct, Finding::Unreadable].map(count),
        [1, 1, 1]
    );
    let text = text.replace("ESZ3", "NQZ3");
    assert!(text_case("tick-csv", &text).error().contains("which is NQ"));
}

#[test]
fn bars_of_many_contracts_one_after_the_other_are_a_series() {
    // As exports of continuous charts have them: each bar of the contract that was followed then.
    let mut text = "timestamp_utc,open,high,low,close,volume,trades,contract\n".to_owned();
    let mut expected = Vec::new();
    for (year, letter, month) in
        (2014..2017).flat_map(|y| [(y, 'H', 3), (y, 'M', 6), (y, 'U', 9), (y, 'Z', 12)])
    {
        expected.push(format!("ES{letter}{}", year - 2000));
        for minute in (0..30).step_by(5) {
            text += &format!(
                "{year}-{month:02}-06T15:{minute:02}:00Z,2000,2001,1999,2000.5,40,9,ES{letter}{}\n",
                year % 10
            );
        }
    }
    let (report, ticks) = text_case("bar-csv", &text).good();
    assert_eq!(report.contracts, expected);
    assert_eq!((report.imported, ticks[ticks.len() - 1].contract), (72, 11));
    let (report, _) = text_case("bar-csv", &text).contract("ESM5").good();
    assert_eq!((report.contracts, report.imported), (vec!["ESM15".to_owned()], 6));
}

/// Two trades of a text file without a column of contracts.
const TWO_TRADES: &str = "20231211 150000 0000000;4620.25;4620;4620.25;10\n20231211 150005 0000000;4620;4620;4620.25;10\n";

fn archive(path: &Path, members: &[&str]) {
    let mut archive = zip::ZipWriter::new(fs::File::create(path).unwrap());
    for &member in members {
        archive.start_file(member, zip::write::SimpleFileOptions::default()).unwrap();
        archive.write_all(TWO_TRADES.as_bytes()).unwrap();
    }
    archive.finish().unwrap();
}

#[test]
fn names_inside_archives_and_of_archives_tell_contracts_apart() {
    let inputs: [&[(&str, &[&str])]; 4] = [
        &[("es.zip", &["ESH4.csv", "ESZ3.csv"])],
        &[("es.zip", &["2023/ESZ3.csv", "2024/ESH4.csv"])],
        &[("ESZ3.zip", &["data.csv"]), ("ESH4.zip", &["data.csv"])],
        &[("ESZ3.zip", &["ES.csv"]), ("more.zip", &["ESH4.csv"])],
    ];
    for input in inputs {
        let case = || {
            Case::new("ninjatrader-tick", "ES", |folder| {
                input.iter().for_each(|(name, members)| archive(&folder.join(name), members));
            })
        };
        let error = case().error();
        assert!(error.contains("2 contracts:"), "{error}");
        assert!(error.contains("ESZ23 (2 rows)") && error.contains("ESH24 (2 rows)"), "{error}");
        let (report, ticks) = case().contract("ESH4").good();
        assert_eq!(report.contracts, ["ESH24"]);
        assert_eq!(ticks.len(), 2);
        // Rows of the other contract are counted.
        assert_eq!((report.rows, report.count(Finding::OtherContract).rows), (4, 2));
    }
}

#[test]
fn one_file_without_a_contract_does_not_merge_those_that_name_theirs() {
    for notes in ["notes.csv", "a.csv", "ES.csv"] {
        let case = Case::new("ninjatrader-tick", "ES", |folder| {
            for name in ["ESZ3.csv", "ESH4.csv", notes] {
                fs::write(folder.join(name), TWO_TRADES).unwrap();
            }
        });
        let error = case.error();
        assert!(error.contains(&format!("{notes}: its name tells no contract")), "{error}");
    }
}

#[test]
fn a_refused_row_decides_no_contract() {
    let rows =
        "2023-12-07 15:00:00,4600,5\n2023-12-07 15:00:01,4600,5\n2023-12-07 15:00:02,4600,5\n";
    let old = "1969-12-31 18:00:00,4600,5\n";
    let case = Case::new("tick-csv", "ES", |folder| {
        fs::write(folder.join("ESZ3.csv"), format!("time,price,size\n{old}{rows}")).unwrap();
    });
    let report = case.good().0;
    assert_eq!(report.contracts, ["ESZ23"]);
    assert_eq!((report.rows, report.count(Finding::TimeOutOfRange).rows), (4, 1));
    for wanted in [None, Some("ESZ3")] {
        let text = format!("time,price,size,symbol\n{old}{rows}").replace(",5\n", ",5,ESZ3\n");
        let mut case = text_case("tick-csv", &text);
        case.options.contract = wanted.map(str::to_owned);
        let report = case.good().0;
        assert_eq!(report.contracts, ["ESZ23"]);
        assert_eq!((report.rows, report.count(Finding::TimeOutOfRange).rows), (4, 1));
    }
}

#[test]
fn an_instruments_own_symbol_is_no_contract() {
    for symbol in ["HK50", "F", "ICE", "CME", "ABZ4"] {
        let text = format!(
            "time,price,size,symbol\n2023-12-07 15:00:00,4600,5,{symbol}\n2023-12-07 15:00:01,4601,5,{symbol}\n"
        );
        for wanted in [None, Some(symbol)] {
            let mut case = text_case("tick-csv", &text);
            case.options.instrument.symbol = symbol.to_owned();
            case.options.contract = wanted.map(str::to_owned);
            let (report, ticks) = case.good();
            assert_eq!((report.contracts, ticks.len()), (vec![symbol.to_owned()], 2));
        }
    }
}

#[test]
fn rows_of_contracts_that_were_not_asked_for_are_counted() {
    let text = column("symbol", "ESZ3", "ESH4");
    let report = text_case("tick-csv", &text).contract("ESZ3").good().0;
    assert_eq!((report.rows, report.imported), (24, 12));
    assert_eq!(report.count(Finding::OtherContract).rows, 12);
}

#[test]
fn a_column_of_numbers_is_none_of_contracts() {
    let mut text = "time,price,size,symbol\n".to_owned();
    for row in 0..4_100 {
        text += &format!("2023-12-07 15:00:00,4600,5,order-{row}\n");
    }
    let error = text_case("tick-csv", &text).error();
    assert!(error.contains("more than 4096 contracts"), "{error}");
}
