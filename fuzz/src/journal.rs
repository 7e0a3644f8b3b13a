use std::io::Write;

use algospace_hft::engine::Entry;
use algospace_hft::journal::{End, Journal, MAGIC, VERSION};
use xxhash_rust::xxh3::{Xxh3, xxh3_64_with_seed};

/// Reads the bytes as they are, and as records behind a good head with good checksums, without
/// which no other input gets past the checks.
pub fn journal(bytes: &[u8]) {
    read(bytes);
    let (mut rest, mut records) = (bytes, Vec::new());
    while let [kind @ 1..=254, length, after @ ..] = rest {
        let (payload, after) = after.split_at((*length as usize).min(after.len()));
        records.push((*kind, payload));
        rest = after;
    }
    let mut file = sealed(b"", &records);
    let written = records.len() as u64;
    let end = file.len() as u64;
    file.extend(rest);
    let read = read(&file).expect("the head is good");
    assert!(read.records() >= written, "{read}");
    if let End::Open { at, .. } | End::Damaged { at, .. } = read {
        assert!(at >= end, "{read}");
    }
}

/// Returns a journal with good checksums that is not ended: each record has the kind and the
/// content given.
pub(crate) fn sealed(header: &[u8], records: &[(u8, &[u8])]) -> Vec<u8> {
    let mut file = MAGIC.to_vec();
    file.extend(VERSION.to_le_bytes());
    file.extend((header.len() as u32).to_le_bytes());
    let mut hash = Xxh3::new();
    hash.update(&file);
    hash.update(header);
    file.extend(hash.digest().to_le_bytes());
    file.extend(header);
    file.resize(file.len().next_multiple_of(8), 0);
    for (number, (kind, payload)) in records.iter().enumerate() {
        let word = payload.len() as u32 | u32::from(*kind) << 24;
        let mut body = (number as u64).to_le_bytes().to_vec();
        body.extend(*payload);
        body.resize(body.len().next_multiple_of(8), 0);
        let place = (file.len() as u64).rotate_left(32);
        let check = xxh3_64_with_seed(&body, u64::from(word) ^ place) as u32;
        file.extend(word.to_le_bytes());
        file.extend(check.to_le_bytes());
        file.extend(body);
    }
    file
}

fn read(bytes: &[u8]) -> Option<End> {
    let mut file = tempfile::NamedTempFile::new().expect("a temporary file");
    file.write_all(bytes).expect("room for it");
    let journal = Journal::open(file.path()).ok()?;
    let mut records = journal.records();
    let mut count = 0;
    while let Some(record) = records.read().expect("it is readable") {
        _ = Entry::of(&record);
        count += 1;
    }
    let end = records.end().expect("it is readable").expect("every record was read");
    assert_eq!(end.records(), count);
    Some(end)
}
