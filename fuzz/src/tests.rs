//! Each target takes random bytes: noise, text that is nearly right, and good files that were
//! damaged.

use std::fs;
use std::io::Write as _;

use algospace_hft::journal::Writer;
use algospace_hft::random::Random;
use algospace_hft::source::synthetic::{Settings, SyntheticMarket, SyntheticSettings, write_file};

use super::TARGETS;

/// Inputs of each target: some seconds in all.
const INPUTS: u32 = 10_000;
/// Pieces of text files, configurations and prices.
const WORDS: [&str; 24] = [
    "2024-01-04",
    "20240104",
    "15:00:30",
    "093000",
    "1704380400000",
    "4700.25",
    "-0.5",
    "1e9",
    "7",
    ",",
    ",",
    ";",
    "\t",
    "\n",
    "\n",
    "\r\n",
    " ",
    "time",
    "price",
    "volume",
    "\"",
    "${NAME}",
    ": ",
    "{ data_handler: ",
];

#[test]
fn every_target_comes_back_from_random_bytes() {
    let files = good_files();
    for (stream, (name, target)) in TARGETS.iter().copied().enumerate() {
        let mut random = Random::new(20_240_104, stream as u64);
        let inputs = match name {
            // A whole set is read now and then, a whole run is made of each input, a whole import:
            // slow.
            "model_set" | "import_file" => INPUTS / 20,
            "received_ticks" => INPUTS / 50,
            _ => INPUTS,
        };
        for _ in 0..inputs {
            target(&any_bytes(&mut random, &files));
        }
    }
}

/// A target that refused everything would show nothing.
#[test]
fn received_ticks_are_taken_traded_and_refused() {
    let mut random = Random::new(20_240_104, 99);
    let mut bytes = || -> Vec<u8> { (0..400).map(|_| random.next_u32() as u8).collect() };
    let seen: Vec<Option<usize>> =
        (0..40).map(|_| super::received_ticks::trades(&bytes())).collect();
    let taken = seen.iter().flatten().count();
    let traded = seen.iter().flatten().filter(|trades| **trades > 0).count();
    assert!(taken >= 8 && traded >= 4 && taken <= 32, "{taken} are taken, {traded} traded");
}

/// The smallest good file of each kind that can be made here.
fn good_files() -> Vec<Vec<u8>> {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (ticks, journal) = (folder.path().join("a.ticks"), folder.path().join("a.journal"));
    let market = SyntheticSettings::new(SyntheticMarket::Martingale, 1, 40);
    let settings = Settings::new(market, 1);
    let stop = std::sync::atomic::AtomicBool::new(false);
    write_file(settings, &ticks, &stop, |_, _| {}).expect("a market");
    let mut writer = Writer::create(&journal, b"{}").expect("a journal");
    for number in 0..20 {
        writer.append(1, number, b"a record of a journal").expect("room");
    }
    writer.finish().expect("room");
    let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    let stored =
        zip::write::SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
    zip.start_file("20131007_es_minute_trade_201312.csv", stored).expect("a good name");
    zip.write_all(b"0,16700000,16702500,16697500,16700000,12\n").expect("room in memory");
    vec![
        fs::read(ticks).expect("it was just written"),
        fs::read(journal).expect("it was just written"),
        zip.finish().expect("room in memory").into_inner(),
        b"data_handler: { backtest_settings: { file_path: es.ticks } }\n".to_vec(),
        b"\0\0time,price,size\n2024-01-04 15:00:30,4700.25,3\n".to_vec(),
    ]
}

fn any_bytes(random: &mut Random, files: &[Vec<u8>]) -> Vec<u8> {
    let length = random.below(400) as usize;
    match random.below(4) {
        0 => (0..length).map(|_| random.next_u32() as u8).collect(),
        1 => {
            let words = (0..length / 4).map(|_| WORDS[random.below(WORDS.len() as u32) as usize]);
            words.collect::<String>().into_bytes()
        }
        _ => {
            let file = &files[random.below(files.len() as u32) as usize];
            damaged(random, file.clone())
        }
    }
}

/// A file with some bytes changed, cut out or doubled.
fn damaged(random: &mut Random, mut file: Vec<u8>) -> Vec<u8> {
    for _ in 0..random.below(6) {
        let at = random.below(file.len().max(1) as u32) as usize;
        let until = (at + random.below(64) as usize).min(file.len());
        match random.below(4) {
            0 if at < file.len() => file[at] = random.next_u32() as u8,
            1 if at < file.len() => file[at] ^= 1 << random.below(8),
            2 => drop(file.drain(at.min(until)..until)),
            _ => {
                let part = file[at.min(until)..until].to_vec();
                file.extend(part);
            }
        }
    }
    file
}
