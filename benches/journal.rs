//! The cost of appending a record of a tick to the journal, beside two floors.
//!
//! * `copy`: the same 48 bytes a record, copied into an anonymous map whose pages are there
//!   already. No checksum, no file.
//! * `write`: batches of 64 records of the same 48 bytes, framed beforehand, with one system call
//!   each into a file. The checksum is not counted.
//!
//! The journal itself is timed from its first record to its last, windows taken on the way
//! included; `finish` (the disk) is apart. `cargo bench --bench journal -- [millions of records]`
//! (default 4). Runs alternate; figures are medians.

use std::fs::File;
use std::hint::black_box;
use std::io::Write;
use std::path::Path;
use std::time::{Duration, Instant};

use algospace_hft::journal::Writer;
use memmap2::MmapOptions;

const RUNS: usize = 9;
const PAYLOAD: usize = 32;
/// With its frame.
const RECORD: usize = 48;
const BATCH: usize = 64;

fn main() {
    let millions = std::env::args().skip(1).find_map(|word| word.parse().ok()).unwrap_or(4_u64);
    let records = millions * 1_000_000;
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("bench.journal");
    let bytes = records as usize * RECORD;
    let mut anonymous =
        MmapOptions::new().len(bytes).populate().map_anon().expect("memory for all records");
    anonymous.fill(1);

    let mut taken: [Vec<Duration>; 4] = Default::default();
    for _ in 0..RUNS {
        taken[0].push(copy(&mut anonymous, records));
        taken[1].push(write(&path, records));
        let (appended, finished) = append(&path, records);
        taken[2].push(appended);
        taken[3].push(finished);
    }
    let [copy, write, append, finish] = taken.map(median);
    println!("{records} records of {PAYLOAD} + 16 bytes, medians of {RUNS} alternating runs");
    let row = |name: &str, time: Duration| {
        println!(
            "{name:<24} {:>7.2} ns/record {:>7.2} GB/s {:>7.2} × copy",
            time.as_secs_f64() * 1e9 / records as f64,
            bytes as f64 / time.as_secs_f64() / 1e9,
            time.as_secs_f64() / copy.as_secs_f64(),
        );
    };
    row("copy to memory", copy);
    row("write in batches of 64", write);
    row("append to the journal", append);
    row("then finish", finish);
}

fn payload(number: u64) -> [u8; PAYLOAD] {
    let mut payload = [1; PAYLOAD];
    payload[..8].copy_from_slice(&number.to_le_bytes());
    payload
}

fn framed(number: u64) -> [u8; RECORD] {
    let mut record = [2; RECORD];
    record[8..16].copy_from_slice(&number.to_le_bytes());
    record[16..].copy_from_slice(&payload(number));
    record
}

fn copy(map: &mut [u8], records: u64) -> Duration {
    let start = Instant::now();
    for (place, number) in map.chunks_exact_mut(RECORD).zip(0..records) {
        place.copy_from_slice(black_box(&framed(number)));
    }
    let taken = start.elapsed();
    black_box(map);
    taken
}

fn write(path: &Path, records: u64) -> Duration {
    let mut file = File::create(path).expect("a file");
    let mut batch = [0; BATCH * RECORD];
    let start = Instant::now();
    for first in (0..records).step_by(BATCH) {
        for (place, number) in batch.chunks_exact_mut(RECORD).zip(first..) {
            place.copy_from_slice(black_box(&framed(number)));
        }
        file.write_all(&batch).expect("room on the disk");
    }
    let taken = start.elapsed();
    std::fs::remove_file(path).expect("the file just written");
    taken
}

/// The time to append, and the time to finish.
fn append(path: &Path, records: u64) -> (Duration, Duration) {
    let mut writer = Writer::create(path, b"bench").expect("a journal");
    let start = Instant::now();
    for number in 0..records {
        writer.append(1, number, black_box(&payload(number))).expect("room on the disk");
    }
    let appended = start.elapsed();
    writer.finish().expect("the disk");
    let finished = start.elapsed() - appended;
    std::fs::remove_file(path).expect("the file just written");
    (appended, finished)
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times[times.len() / 2]
}
