use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use algospace_hft::config::Config;
use algospace_hft::market::{Instrument, Price, Tick, TickFlags, Timestamp};
use algospace_hft::run::history::HistoryError;
use algospace_hft::run::{BacktestError, JournalHeader, replay_journal, run_backtest};
use algospace_hft::source::native::{MAGIC, TickFileDescription, VERSION};
use xxhash_rust::xxh3::{xxh3_64, xxh3_128};

use crate::journal;

/// 2024-01-04 15:00 UTC.
const START: i64 = 1_704_380_400 * Timestamp::SECOND;
/// A quarter point.
const QUARTER: i64 = 250_000_000;

/// Ticks that are nearly right, in a native tick file and in a journal whose checksums fit: a
/// backtest of the one and a replay of the other take the same ticks, or both are refused.
pub fn received_ticks(bytes: &[u8]) {
    _ = trades(bytes);
}

/// The trades that are made of the ticks; `None` if these are refused.
pub(crate) fn trades(bytes: &[u8]) -> Option<usize> {
    let [kind, bytes @ ..] = bytes else { return None };
    let is_wild = *kind >= 160;
    let contracts = [1, 1, 2, 0][usize::from(kind % 4)];
    let ticks = ticks(bytes, contracts, is_wild);
    let mut description = TickFileDescription::new(&Instrument::built_in("ES").expect("it is"), "");
    let contract = description.contracts[0].clone();
    description.contracts.resize(usize::from(contracts), contract);
    let bars = [None, None, None, None, None, Some(60), Some(300), Some(0)];
    description.expanded_from_bars_of_seconds = bars[usize::from(kind / 4 % 8)];

    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("a.ticks");
    std::fs::write(&file, sealed(&description, &ticks)).expect("room for it");
    let configuration = configuration(&file, folder.path());
    let config =
        Config::parse(&configuration, "fuzz.yaml", &Default::default()).expect("it is good");
    let stop = Arc::new(AtomicBool::new(false));
    let run = run_backtest(&config, &stop, &mut |_| {}, &|_| {});

    let header = JournalHeader {
        version: "0".to_owned(),
        seed: 0,
        input: "a.ticks".to_owned(),
        description,
        notes: Vec::new(),
        configuration,
        model_set: None,
        has_answers: false,
        trades_from: None,
        follows: None,
    };
    let header = serde_json::to_vec(&header).expect("it is text");
    let records: Vec<(u8, &[u8])> =
        ticks.iter().map(|tick| (1, bytemuck::bytes_of(tick))).collect();
    let journal = folder.path().join("a.journal");
    std::fs::write(&journal, journal::sealed(&header, &records)).expect("room for it");
    let replay = replay_journal(&journal, &stop, &mut |_, _| {});
    match (run, replay) {
        (Ok(run), Ok(replay)) => {
            assert_eq!(run.ticks, ticks.len() as u64);
            assert_eq!(replay.record.ticks, run.ticks);
            assert_eq!(replay.record.bars, run.bars);
            let entries = |trades: &[algospace_hft::execution::Trade]| -> Vec<Timestamp> {
                trades.iter().map(|trade| trade.entry_time).collect()
            };
            assert_eq!(entries(&replay.record.trades), entries(&run.trades));
            Some(run.trades.len())
        }
        (Err(run), Err(replay)) => {
            assert!(!run.to_string().is_empty() && !replay.to_string().is_empty());
            None
        }
        // How history bars lie in the calendar is asked of the file only.
        (Err(BacktestError::History(HistoryError::BarInTwo { .. })), Ok(_)) => None,
        (run, replay) => panic!(
            "the run: {:?}, the replay: {:?}",
            run.map(|record| record.ticks),
            replay.map(|replayed| replayed.record.ticks)
        ),
    }
}

/// A tick of every eight bytes: a step from the one before, and in a wild series now and then
/// anything.
fn ticks(bytes: &[u8], contracts: u8, is_wild: bool) -> Vec<Tick> {
    let (mut time, mut price) = (START, 18_800 * QUARTER);
    let tick = |piece: &[u8]| {
        let &[kind, a, b, step, flags, size, contract, side] = piece else { unreachable!("eight") };
        let (wide, step) = (i64::from(a) << 8 | i64::from(b), i64::from(step as i8));
        let is_odd = |byte: u8| is_wild && byte > 250;
        time = match kind % 16 {
            _ if is_odd(kind) => i64::from(a) << (b % 64),
            0..=9 => time.saturating_add(wide * 1_000_000),
            10..=12 => time.saturating_add(wide * Timestamp::SECOND),
            13 => time.saturating_add(wide * Timestamp::HOUR),
            _ => time,
        };
        price = match kind / 16 {
            // Whole quarters up to what a price holds, and parts of them.
            _ if is_odd(flags) && b < 128 => (step << (a % 36)).wrapping_mul(QUARTER),
            _ if is_odd(flags) => step << (a % 64),
            0..=13 => price.saturating_add(step * QUARTER),
            _ => price.saturating_add(step * 400 * QUARTER),
        };
        let size = match size {
            0 if !is_wild => 1,
            1 => u32::MAX,
            _ => size.into(),
        };
        let contract = if is_odd(contract) { contract } else { contract % contracts.max(1) };
        let flags = if flags < 128 { 0 } else { flags >> 2 & if is_wild { 63 } else { 31 } };
        let mut tick = Tick::new(Timestamp::from_nanos(time), Price::from_units(price), size)
            .with_contract(contract.into())
            .with_flags(TickFlags(flags));
        if side > 128 {
            let tick_size = Price::from_units(QUARTER);
            let quote =
                |ticks: u8| Some(tick.price.offset_ticks(i64::from(ticks as i8), tick_size));
            tick = tick.with_quotes(quote(side), quote(a), tick_size);
        }
        tick
    };
    bytes.chunks_exact(8).map(tick).collect()
}

/// A tick file with good checksums, as `source::native` has it.
fn sealed(description: &TickFileDescription, ticks: &[Tick]) -> Vec<u8> {
    let description = serde_json::to_vec(description).expect("it is text");
    let mut behind: Vec<u8> = ticks.iter().flat_map(bytemuck::bytes_of).copied().collect();
    behind.extend(&description);
    let end = |tick: Option<&Tick>| tick.map_or(i64::MIN, |tick| tick.time.nanos()) as u64;
    let mut header = MAGIC.to_vec();
    for number in [
        u64::from(VERSION) | 32 << 32,
        ticks.len() as u64,
        0,
        0,
        end(ticks.first()),
        end(ticks.last()),
        description.len() as u64,
    ] {
        header.extend(number.to_le_bytes());
    }
    header.extend(xxh3_128(&behind).to_le_bytes());
    header.resize(4096, 0);
    let hash = xxh3_64(&header);
    header[32..40].copy_from_slice(&hash.to_le_bytes());
    header.extend(behind);
    header
}

fn configuration(history: &Path, folder: &Path) -> String {
    format!(
        "
strategy: {{ kind: random_entries, random_entries: {{ entries_per_hundred_bars: 60, hold_bars: 3 }} }}
bars: {{ timeframes: [5, 30] }}
data_handler: {{ backtest_settings: {{ file_path: {} }} }}
output: {{ directory: {}/run }}
",
        history.display(),
        folder.display()
    )
}
