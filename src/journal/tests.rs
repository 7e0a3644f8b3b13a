//! Every record that is written is read, up to any cut.

use std::fs;
use std::path::Path;

use proptest::prelude::*;

use super::{End, Journal, JournalError, LONGEST, Record, Writer};

type Owned = (u8, u64, Vec<u8>);

fn read(path: &Path) -> Result<(Vec<Owned>, End), JournalError> {
    let journal = Journal::open(path)?;
    assert_eq!(journal.header(), b"what it was");
    let (mut records, mut all) = (journal.records(), Vec::new());
    while let Some(Record { kind, sequence, payload }) = records.read()? {
        all.push((kind, sequence, payload.to_vec()));
    }
    Ok((all, records.end()?.unwrap()))
}

fn write(path: &Path, records: &[Owned], window: usize) -> Writer {
    let mut writer = Writer::with_window(path, b"what it was", window).unwrap();
    for (kind, sequence, payload) in records {
        writer.append(*kind, *sequence, payload).unwrap();
    }
    writer.flush().unwrap();
    writer
}

fn any_record() -> impl Strategy<Value = Owned> {
    let payload = prop_oneof![
        8 => prop::collection::vec(any::<u8>(), 0..60),
        1 => prop::collection::vec(any::<u8>(), LONGEST - 20..=LONGEST),
    ];
    (1_u8..255, any::<u64>(), payload)
}

fn small() -> Vec<Owned> {
    vec![
        (1, 0, vec![7; 32]),
        (16, 0, vec![]),
        (2, 1, vec![1, 2, 3]),
        (255 - 1, u64::MAX, vec![0; 9]),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    /// In windows so small that many records do not fit into the first.
    #[test]
    fn what_is_written_is_read(records in prop::collection::vec(any_record(), 0..60)) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("run.journal");
        let writer = write(&path, &records, 1);
        let count = records.len() as u64;
        // Before it is ended it reads as that of a writer that was killed.
        let (all, end) = read(&path).unwrap();
        prop_assert_eq!(&all, &records);
        let is_open = matches!(end, End::Open { records, .. } if records == count);
        prop_assert!(is_open, "{:?}", end);
        prop_assert_eq!(writer.finish().unwrap(), count);
        prop_assert_eq!(read(&path).unwrap(), (records, End::Finished { records: count }));
    }

    #[test]
    fn no_bytes_make_the_reader_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("run.journal");
        write(&path, &small(), 1).finish().unwrap();
        let mut all = fs::read(&path).unwrap();
        all.truncate(24 + 16);
        all.extend(&bytes);
        fs::write(&path, all).unwrap();
        let (records, end) = read(&path).unwrap();
        prop_assert_eq!(records.len() as u64, end.records());
    }
}

#[test]
fn cut_at_any_byte_it_keeps_every_whole_record_and_says_what_was_cut() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run.journal");
    let records = small();
    write(&path, &records, 1).finish().unwrap();
    let whole = fs::read(&path).unwrap();
    let start = 24 + 16;
    let mut ends = vec![start];
    for (_, _, payload) in &records {
        ends.push(ends.last().unwrap() + 16 + payload.len().next_multiple_of(8));
    }
    for cut in 0..whole.len() {
        fs::write(&path, &whole[..cut]).unwrap();
        if cut < 24 + b"what it was".len() {
            let error = read(&path).unwrap_err().to_string();
            assert!(
                error.contains("run.journal") && error.contains("give a `run.journal`"),
                "{error}"
            );
            continue;
        }
        let (kept, end) = read(&path).unwrap();
        let count = ends.iter().filter(|&&end| end <= cut).count().saturating_sub(1);
        assert_eq!(kept, records[..count], "{cut}");
        let (count, at) = (count as u64, ends[count] as u64);
        if cut as u64 <= at {
            assert_eq!(end, End::Open { records: count, at }, "{cut}");
        } else {
            // A cut record of which only zeros are left looks like one that was never written.
            let is_told = match end {
                End::Damaged { records, at: from, left_out } => {
                    (records, from) == (count, at) && left_out <= cut as u64 - at
                }
                End::Open { .. } => whole[at as usize..cut].iter().all(|&byte| byte == 0),
                End::Finished { .. } => false,
            };
            assert!(is_told, "{cut}: {end}");
        }
    }
}

#[test]
fn a_changed_byte_never_passes_for_what_was_written() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run.journal");
    let records = small();
    write(&path, &records, 1).finish().unwrap();
    let whole = fs::read(&path).unwrap();
    for place in 0..whole.len() {
        let mut changed = whole.clone();
        changed[place] ^= 0x10;
        fs::write(&path, &changed).unwrap();
        // The zeros behind the header are the only bytes that say nothing.
        let padding = 24 + b"what it was".len()..40;
        match read(&path) {
            Err(_) => assert!(place < padding.start, "{place}"),
            Ok((kept, end)) => {
                assert_eq!(kept, records[..kept.len()], "{place}");
                assert_eq!(
                    end == End::Finished { records: 4 },
                    padding.contains(&place),
                    "{place}"
                );
            }
        }
    }
}

#[test]
fn what_cannot_be_written_is_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run.journal");
    let mut writer = write(&path, &small(), 1);
    let error = writer.append(1, 9, &vec![0; LONGEST + 1]).unwrap_err();
    assert!(matches!(error, JournalError::TooLong { bytes } if bytes == LONGEST + 1));
    assert_eq!(writer.finish().unwrap(), 4);
    let again = Writer::create(&path, b"another").unwrap_err().to_string();
    assert!(again.contains("run.journal") && again.contains("exists"), "{again}");
    assert_eq!(read(&path).unwrap().0, small());
    let nowhere = Writer::create(&folder.path().join("none/run.journal"), b"").unwrap_err();
    assert!(nowhere.to_string().contains("none/run.journal"), "{nowhere}");
    fs::write(&path, "time,price,size\n1,2,3\n4,5,6\n").unwrap();
    assert!(read(&path).unwrap_err().to_string().contains("is no journal"));
}

/// Somebody cuts the file under the reader. It gives what it has read, and no signal.
#[test]
fn cut_while_it_is_read_it_ends_where_it_was_cut() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run.journal");
    let all: Vec<Owned> = (0..40_000).map(|number| (1, number, vec![1; 32])).collect();
    let whole = write(&path, &all, 1).finish().unwrap();
    let journal = Journal::open(&path).unwrap();
    let (mut before, mut behind) = (journal.records(), journal.records());
    while before.read().unwrap().is_some() {}
    assert_eq!(before.end().unwrap(), Some(End::Finished { records: whole }));
    assert_eq!(behind.read().unwrap().unwrap().sequence, 0);
    let cut = 40 + 48 * 20_000 + 20;
    fs::OpenOptions::new().write(true).open(&path).unwrap().set_len(cut).unwrap();
    let mut count = 1;
    while let Some(record) = behind.read().unwrap() {
        assert_eq!(record.sequence, count);
        count += 1;
    }
    let end = behind.end().unwrap();
    assert_eq!(end, Some(End::Damaged { records: 20_000, at: cut - 20, left_out: 20 }));
    assert_eq!(count, 20_000);
    let mut bytes = 0;
    journal.read_whole(|block| bytes += block.len() as u64).unwrap();
    assert_eq!(bytes, cut);
}

#[test]
fn a_writer_reserves_little_more_than_it_has_written() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run.journal");
    let length = || fs::metadata(&path).unwrap().len();
    let mut writer = Writer::create(&path, b"what it was").unwrap();
    for number in 0..100_000_u64 {
        writer.append(1, number, &[1; 32]).unwrap();
        let written = 40 + 48 * (number + 1);
        assert!(length() >= written + 24 && length() <= (2 * written).max(1 << 20) + (1 << 16));
    }
    drop(writer);
    assert_eq!(read(&path).unwrap().0.len(), 100_000);
}
