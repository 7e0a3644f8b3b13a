//! Files from somebody else: checksums that anybody can compute fit, but their content is
//! impossible.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use algospace_hft::config::Config;
use algospace_hft::journal::Writer;
use algospace_hft::market::{Instrument, Price, Tick, TickFlags, Timestamp};
use algospace_hft::run::{JournalHeader, Replayed, replay_journal, run_backtest};
use algospace_hft::source::native::{TickFileDescription, TickFileWriter};

fn configuration(history: &Path, folder: &Path) -> String {
    format!(
        "
strategy: {{ kind: random_entries, random_entries: {{ entries_per_hundred_bars: 60, hold_bars: 3 }} }}
data_handler: {{ backtest_settings: {{ file_path: {} }} }}
output: {{ directory: {}/run }}
",
        history.display(),
        folder.display()
    )
}

/// 2024-01-04 15:00 UTC.
const START: i64 = 1_704_380_400;

fn tick(second: i64, quarters: i64) -> Tick {
    let time = Timestamp::from_nanos((START + second) * Timestamp::SECOND);
    Tick::new(time, Price::from_units(quarters * 250_000_000), 1)
}

/// Replays a journal of a tick, a record of this kind and content, and another tick.
fn replay(
    kind: u8,
    payload: &[u8],
    describe: fn(&mut TickFileDescription),
) -> Result<Replayed, String> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run.journal");
    let mut description = TickFileDescription::new(&Instrument::built_in("ES").unwrap(), "");
    describe(&mut description);
    let header = JournalHeader {
        version: "0".to_owned(),
        seed: 1,
        input: "a.ticks".to_owned(),
        description,
        notes: Vec::new(),
        configuration: configuration(&path, folder.path()),
        model_set: None,
        has_answers: false,
        trades_from: None,
        follows: None,
    };
    let mut writer = Writer::create(&path, &serde_json::to_vec(&header).unwrap()).unwrap();
    writer.append(1, 0, bytemuck::bytes_of(&tick(0, 18_800))).unwrap();
    writer.append(kind, 1, payload).unwrap();
    writer.append(1, 2, bytemuck::bytes_of(&tick(90, 18_804))).unwrap();
    writer.finish().unwrap();
    let stop = AtomicBool::new(false);
    replay_journal(&path, &stop, &mut |_, _| {}).map_err(|error| error.to_string())
}

#[test]
fn a_journal_of_events_that_cannot_be_is_refused() {
    let of = |tick: Tick| replay(1, bytemuck::bytes_of(&tick), |_| {});
    let good = tick(60, 18_801);
    assert_eq!(of(good).unwrap().record.ticks, 3);
    let refused = |replayed: Result<Replayed, String>, words: &str| {
        let said = replayed.map(|replayed| replayed.record.ticks).unwrap_err();
        assert!(said.contains(words) && said.contains("No run writes such a journal"), "{said}");
    };
    let far = |nanos| Tick::new(Timestamp::from_nanos(nanos), good.price, 1);
    refused(of(tick(-1, 18_801)), "the tick of event 1 cannot be: its time, 2024-01-04T14:59:59");
    refused(of(far(i64::MAX)), "not between 1970 and 2199");
    refused(of(far(i64::MIN)), "not between 1970 and 2199");
    refused(of(Tick::new(good.time, Price::MAX, 1)), "its price, 9223372036.854775807");
    refused(of(Tick::new(good.time, Price::from_units(1), 1)), "not a whole number of ticks");
    refused(of(Tick::new(good.time, good.price, 0)), "its size is 0");
    refused(of(good.with_contract(1)), "contract is number 1 of 1");
    refused(of(good.with_flags(TickFlags(0x80))), "flags");

    let mut buffer = [0; 16];
    for time in [Timestamp::MAX, Timestamp::MIN] {
        let timer = postcard::to_slice(&time, &mut buffer).unwrap();
        refused(replay(4, timer, |_| {}), "event 1 is at ");
    }
    let described = |describe| replay(1, bytemuck::bytes_of(&good), describe);
    refused(described(|of| of.expanded_from_bars_of_seconds = Some(0)), "history bars of 0 s");
    refused(described(|of| of.contracts.clear()), "0 contracts");
}

/// The two instants that are farthest apart make no bars of the time between them.
#[test]
fn a_history_may_have_a_hole_of_two_hundred_years() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.ticks");
    let at = |text: &str| Tick::new(text.parse().unwrap(), tick(0, 18_800).price, 1);
    let ticks =
        [at("1970-01-05T15:00:00Z"), at("2199-12-30T15:00:00Z"), at("2199-12-30T15:02:00Z")];
    write(&path, &ticks);
    let yaml = configuration(&path, folder.path());
    let config = Config::parse(&yaml, "test", &Default::default()).unwrap();
    let stop = Arc::new(AtomicBool::new(false));
    let record = run_backtest(&config, &stop, &mut |_| {}, &|_| {}).unwrap();
    let bars: u64 = record.bars.iter().map(|(_, count)| count).sum();
    assert!(record.ticks == 3 && bars < 5_000, "{bars} bars");
}

fn write(path: &Path, ticks: &[Tick]) {
    let description = TickFileDescription::new(&Instrument::built_in("ES").unwrap(), "a test");
    let mut writer = TickFileWriter::create(path, description).unwrap();
    writer.extend(ticks).unwrap();
    writer.finish().unwrap();
}
