//! The native tick file: a 4 KiB header that describes itself, then 32-byte tick records.
//!
//! Layout (little-endian):
//!
//! | bytes | what |
//! | --- | --- |
//! | 0..8 | magic `ASHFTICK` |
//! | 8..12 | format version, `u32` |
//! | 12..16 | record size in bytes, `u32` (32) |
//! | 16..24 | record count, `u64` |
//! | 24..32 | xxh3-64 of all record bytes |
//! | 32..40 | xxh3-64 of the header with this field zero |
//! | 40..48 | time of the first tick, UTC nanoseconds, `i64` |
//! | 48..56 | time of the last tick |
//! | 56..64 | length of the JSON text that follows, `u64` |
//! | 64..4096 | [`TickFileDescription`] as JSON, then zeros |
//!
//! The file appears under its name only when it is whole: the writer fills a temporary file beside
//! it and renames that at the end.

use std::fs::File;
use std::io::{self, BufWriter, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread::JoinHandle;

use memmap2::Mmap;
use serde::{Deserialize, Serialize};
use tempfile::NamedTempFile;
use xxhash_rust::xxh3::{Xxh3, xxh3_64};

use crate::market::{Instrument, Money, Price, Tick, Timestamp};
use crate::whole_file;

/// First bytes of every native tick file.
pub const MAGIC: [u8; 8] = *b"ASHFTICK";
/// The version that this program writes and reads.
pub const VERSION: u32 = 1;
/// Bytes before the first record.
pub const HEADER_BYTES: usize = 4096;

const JSON_AT: usize = 64;
const HEADER_HASH_AT: usize = 32;

/// What a tick file holds, in words a person can read with `head -c 4096`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TickFileDescription {
    /// Product symbol, such as `ES`.
    pub instrument: String,
    /// Tick size, as a decimal.
    pub tick_size: String,
    /// Dollars a point, as a decimal.
    pub point_value: String,
    /// The contracts in the file, in order of time; [`Tick::contract`] is an index into these.
    pub contracts: Vec<ContractEntry>,
    /// How prices of several contracts were joined.
    pub adjustment: Adjustment,
    /// Where the ticks came from, for people: format, files, seed.
    pub origin: String,
    /// Set if the ticks were made from history bars of this many seconds, not from trades.
    pub expanded_from_bars_of_seconds: Option<u32>,
    /// Version of the program that wrote the file.
    pub written_by: String,
    /// Free facts by name, such as a synthetic market's best attainable profit.
    #[serde(default, skip_serializing_if = "std::collections::BTreeMap::is_empty")]
    pub facts: std::collections::BTreeMap<String, String>,
}

/// One contract of a tick file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ContractEntry {
    /// Such as `ESZ3`; the product's symbol where the source does not tell.
    pub symbol: String,
    /// When it stops trading, ISO-8601 UTC, where known.
    pub expiry: Option<String>,
    /// What was added to its prices to join them to the last contract's, as a decimal.
    pub price_offset: String,
}

/// How prices of several contracts were joined.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Adjustment {
    /// As traded.
    #[default]
    None,
    /// Earlier contracts moved by the sum of the later roll gaps ("Panama").
    Back,
}

impl Adjustment {
    /// `none` or `back`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Back => "back",
        }
    }
}

impl TickFileDescription {
    /// A file of `instrument` with one contract named like it.
    pub fn new(instrument: &Instrument, origin: &str) -> TickFileDescription {
        TickFileDescription {
            instrument: instrument.symbol.clone(),
            tick_size: instrument.tick_size.to_string(),
            point_value: instrument.point_value.to_string(),
            contracts: vec![ContractEntry {
                symbol: instrument.symbol.clone(),
                expiry: None,
                price_offset: "0".to_owned(),
            }],
            adjustment: Adjustment::None,
            origin: origin.to_owned(),
            expanded_from_bars_of_seconds: None,
            written_by: format!("algospace-hft {}", env!("CARGO_PKG_VERSION")),
            facts: std::collections::BTreeMap::new(),
        }
    }
}

/// Why a native tick file cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum TickFileError {
    /// The operating system said no.
    #[error("{path}: cannot {action}: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// What was tried.
        action: &'static str,
        /// What the system said.
        source: io::Error,
    },
    /// The file does not start with the magic of a tick file.
    #[error(
        "{path}: not a native tick file; convert it with `algospace-hft import --format PRESET --input {path} --output FILE.ticks`"
    )]
    Foreign {
        /// The file.
        path: PathBuf,
    },
    /// What stands at the output's name is something else than a tick file.
    #[error(
        "{path}: there is something that is not a tick file; it is not overwritten. Choose another name, or remove it"
    )]
    Occupied {
        /// The file.
        path: PathBuf,
    },
    /// The file is of another version of the format.
    #[error(
        "{path}: tick file version {found}, this program reads version {VERSION}; import the history again with this program"
    )]
    Version {
        /// The file.
        path: PathBuf,
        /// The version that it has.
        found: u32,
    },
    /// The file is shorter or longer than its header says.
    #[error(
        "{path}: {problem}: the header promises {expected} bytes, the file has {found}; copy or import it again"
    )]
    Length {
        /// The file.
        path: PathBuf,
        /// `truncated` or `bytes after the last record`.
        problem: &'static str,
        /// Bytes that there should be.
        expected: u64,
        /// Bytes that there are.
        found: u64,
    },
    /// Some bytes are not those that were written.
    #[error("{path}: corrupted: {what}; copy or import it again")]
    Corrupted {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        what: String,
    },
    /// Ticks must come in order of time, be of at least one contract, and name a contract of the table.
    #[error("{path}: tick {index} cannot be written: {what}")]
    Tick {
        /// The file.
        path: PathBuf,
        /// Its place, from 0.
        index: u64,
        /// What is wrong.
        what: String,
    },
    /// The description does not fit in the header.
    #[error("{path}: the description takes {bytes} bytes, the header holds {limit}; shorten the origin or split the contracts over several files", limit = HEADER_BYTES - JSON_AT)]
    DescriptionTooLong {
        /// The file.
        path: PathBuf,
        /// Its length.
        bytes: usize,
    },
}

/// Bytes between two early syncs.
const SYNC_EVERY: u64 = 16 << 20;

/// Sends written bytes to the disk while more are being made, so that the sync at the end finds little
/// left to do.
struct EarlySync {
    wake: SyncSender<()>,
    thread: JoinHandle<io::Result<()>>,
}

impl EarlySync {
    fn start(file: File) -> EarlySync {
        let (wake, woken) = sync_channel::<()>(1);
        let thread = std::thread::spawn(move || {
            // An error is told once per file, so it must not be lost here.
            woken.into_iter().try_for_each(|()| file.sync_data())
        });
        EarlySync { wake, thread }
    }

    fn wake(&self) {
        // It is busy, or has failed; the end will tell.
        let _ = self.wake.try_send(());
    }

    fn finish(self) -> io::Result<()> {
        drop(self.wake);
        self.thread.join().expect("syncing a file does not panic")
    }
}

/// Writes a native tick file.
pub struct TickFileWriter {
    path: PathBuf,
    file: BufWriter<NamedTempFile>,
    early_sync: EarlySync,
    unsynced: u64,
    description: TickFileDescription,
    hash: Xxh3,
    count: u64,
    first: Timestamp,
    last: Timestamp,
    /// The tick of the highest contract, and that contract.
    highest_contract: (u64, u16),
}

impl TickFileWriter {
    /// Starts a file that appears at `path` when [`TickFileWriter::finish`] succeeds; until then
    /// what stands at `path` is kept.
    ///
    /// # Errors
    /// If the folder cannot be written to, or the description is too long.
    pub fn create(
        path: &Path,
        description: TickFileDescription,
    ) -> Result<TickFileWriter, TickFileError> {
        let io = |action, source| TickFileError::Io { path: path.to_owned(), action, source };
        if is_occupied(path) {
            return Err(TickFileError::Occupied { path: path.to_owned() });
        }
        let temporary =
            whole_file::begin(path).map_err(|source| io("create a file beside it", source))?;
        let mut file = BufWriter::with_capacity(1 << 20, temporary);
        file.write_all(&[0; HEADER_BYTES]).map_err(|source| io("write", source))?;
        let handle = file.get_ref().as_file().try_clone();
        let early_sync = EarlySync::start(handle.map_err(|source| io("open", source))?);
        let writer = TickFileWriter {
            path: path.to_owned(),
            file,
            early_sync,
            unsynced: 0,
            description,
            hash: Xxh3::new(),
            count: 0,
            first: Timestamp::MIN,
            last: Timestamp::MIN,
            highest_contract: (0, 0),
        };
        writer.header()?;
        Ok(writer)
    }

    /// Appends ticks.
    ///
    /// # Errors
    /// If a tick goes back in time or its size is 0. If the disk is full.
    pub fn extend(&mut self, ticks: &[Tick]) -> Result<(), TickFileError> {
        for (index, tick) in ticks.iter().enumerate() {
            let what = if tick.time < self.last {
                format!("its time {} is before the last tick's {}", tick.time, self.last)
            } else if tick.size == 0 {
                "its size is 0".to_owned()
            } else {
                self.last = tick.time;
                if tick.contract > self.highest_contract.1 {
                    self.highest_contract = (self.count + index as u64, tick.contract);
                }
                continue;
            };
            let index = self.count + index as u64;
            return Err(TickFileError::Tick { path: self.path.clone(), index, what });
        }
        if self.count == 0
            && let Some(first) = ticks.first()
        {
            self.first = first.time;
        }
        let bytes: &[u8] = bytemuck::cast_slice(ticks);
        self.hash.update(bytes);
        self.count += ticks.len() as u64;
        self.file.write_all(bytes).map_err(|source| self.io("write", source))?;
        self.unsynced += bytes.len() as u64;
        if self.unsynced >= SYNC_EVERY {
            self.unsynced = 0;
            self.early_sync.wake();
        }
        Ok(())
    }

    /// The description, to complete it before [`TickFileWriter::finish`].
    pub fn description_mut(&mut self) -> &mut TickFileDescription {
        &mut self.description
    }

    /// How many ticks were written.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// Completes the header and puts the file in its place.
    ///
    /// # Errors
    /// If a tick names a contract that is not in the table, the description is too long, or the disk
    /// is full.
    pub fn finish(mut self) -> Result<u64, TickFileError> {
        let contracts = self.description.contracts.len();
        let (index, contract) = self.highest_contract;
        if self.count > 0 && usize::from(contract) >= contracts {
            let what = format!("contract {contract} is not among the file's {contracts}");
            return Err(TickFileError::Tick { path: self.path, index, what });
        }
        let header = self.header()?;
        let io = |action, source| TickFileError::Io { path: self.path.clone(), action, source };
        self.file.seek(SeekFrom::Start(0)).map_err(|source| io("seek", source))?;
        self.file.write_all(&header).map_err(|source| io("write", source))?;
        let temporary = self.file.into_inner().map_err(|error| io("write", error.into_error()))?;
        self.early_sync.finish().map_err(|source| io("sync", source))?;
        whole_file::put_in_place(temporary, &self.path)
            .map_err(|source| io("put in place", source))?;
        Ok(self.count)
    }

    fn io(&self, action: &'static str, source: io::Error) -> TickFileError {
        TickFileError::Io { path: self.path.clone(), action, source }
    }

    fn header(&self) -> Result<[u8; HEADER_BYTES], TickFileError> {
        let json = serde_json::to_vec(&self.description)
            .expect("a description of strings and numbers is always valid JSON");
        if json.len() > HEADER_BYTES - JSON_AT {
            let bytes = json.len();
            return Err(TickFileError::DescriptionTooLong { path: self.path.clone(), bytes });
        }
        let mut header = [0; HEADER_BYTES];
        header[0..8].copy_from_slice(&MAGIC);
        header[8..12].copy_from_slice(&VERSION.to_le_bytes());
        header[12..16].copy_from_slice(&(size_of::<Tick>() as u32).to_le_bytes());
        header[16..24].copy_from_slice(&self.count.to_le_bytes());
        header[24..32].copy_from_slice(&self.hash.digest().to_le_bytes());
        header[40..48].copy_from_slice(&self.first.nanos().to_le_bytes());
        header[48..56].copy_from_slice(&self.last.nanos().to_le_bytes());
        header[56..64].copy_from_slice(&(json.len() as u64).to_le_bytes());
        header[JSON_AT..JSON_AT + json.len()].copy_from_slice(&json);
        let hash = xxh3_64(&header);
        header[HEADER_HASH_AT..HEADER_HASH_AT + 8].copy_from_slice(&hash.to_le_bytes());
        Ok(header)
    }
}

/// Whether something stands at `path` that a tick file must not replace: a file of another kind, a
/// device, a folder. An empty file may be replaced, and a tick file of any version.
fn is_occupied(path: &Path) -> bool {
    let Ok(facts) = std::fs::metadata(path) else { return false };
    if !facts.is_file() {
        return true;
    }
    let mut magic = [0; MAGIC.len()];
    facts.len() > 0
        && !File::open(path)
            .is_ok_and(|mut file| file.read_exact(&mut magic).is_ok() && magic == MAGIC)
}

/// A native tick file, mapped into memory and verified.
#[derive(Debug)]
pub struct TickFile {
    path: PathBuf,
    map: Mmap,
    description: TickFileDescription,
}

impl TickFile {
    /// Maps the file and verifies its header, its length and every byte of its records.
    ///
    /// # Errors
    /// By name: a foreign file, another version, a truncated or a corrupted one.
    pub fn open(path: &Path) -> Result<TickFile, TickFileError> {
        let io = |action, source| TickFileError::Io { path: path.to_owned(), action, source };
        let corrupted = |what: String| TickFileError::Corrupted { path: path.to_owned(), what };
        let file = File::open(path).map_err(|source| io("open", source))?;
        let found = file.metadata().map_err(|source| io("read", source))?.len();
        let foreign = || TickFileError::Foreign { path: path.to_owned() };
        if found == 0 {
            return Err(foreign());
        }
        // SAFETY: the map is read-only and private to this process. Another process that truncates
        // the file meanwhile would end this one with SIGBUS, as with any mapped file; the writer
        // never does so, it renames whole files into place. Measured (peers.md): mapped records are
        // scanned at 360-480 M/s.
        let map = unsafe { Mmap::map(&file) }.map_err(|source| io("map", source))?;
        if map.get(0..8) != Some(&MAGIC[..]) {
            return Err(foreign());
        }
        let length = |problem, expected| TickFileError::Length {
            path: path.to_owned(),
            problem,
            expected,
            found,
        };
        let Some(header) = map.get(..HEADER_BYTES) else {
            return Err(length("truncated inside the header", HEADER_BYTES as u64));
        };
        let number =
            |at: usize| u64::from_le_bytes(header[at..at + 8].try_into().expect("eight bytes"));
        let half =
            |at: usize| u32::from_le_bytes(header[at..at + 4].try_into().expect("four bytes"));
        if half(8) != VERSION {
            return Err(TickFileError::Version { path: path.to_owned(), found: half(8) });
        }
        let mut unhashed: [u8; HEADER_BYTES] = header.try_into().expect("a whole header");
        unhashed[HEADER_HASH_AT..HEADER_HASH_AT + 8].fill(0);
        if xxh3_64(&unhashed) != number(HEADER_HASH_AT) {
            return Err(corrupted("the header is not what was written".to_owned()));
        }
        if half(12) as usize != size_of::<Tick>() {
            return Err(corrupted(format!("records of {} bytes", half(12))));
        }
        let expected = number(16)
            .checked_mul(size_of::<Tick>() as u64)
            .and_then(|bytes| bytes.checked_add(HEADER_BYTES as u64))
            .ok_or_else(|| corrupted(format!("{} records", number(16))))?;
        if found < expected {
            return Err(length("truncated", expected));
        }
        if found > expected {
            return Err(length("bytes after the last record", expected));
        }
        let json = usize::try_from(number(56))
            .ok()
            .and_then(|bytes| header.get(JSON_AT..JSON_AT.checked_add(bytes)?))
            .ok_or_else(|| corrupted("the description's length".to_owned()))?;
        let description: TickFileDescription = serde_json::from_slice(json)
            .map_err(|error| corrupted(format!("the description: {error}")))?;
        if xxh3_64(&map[HEADER_BYTES..]) != number(24) {
            return Err(corrupted("the records are not what was written".to_owned()));
        }
        let file = TickFile { path: path.to_owned(), map, description };
        file.instrument_numbers()
            .ok_or_else(|| corrupted("the tick size or the point value".to_owned()))?;
        Ok(file)
    }

    /// Where the file is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What the file says of itself.
    pub fn description(&self) -> &TickFileDescription {
        &self.description
    }

    /// All ticks, in order of time.
    pub fn ticks(&self) -> &[Tick] {
        // The map starts at a page and the header is one page, so records are aligned.
        bytemuck::cast_slice(&self.map[HEADER_BYTES..])
    }

    /// Every byte of the file, to name it by a hash.
    pub fn bytes(&self) -> &[u8] {
        &self.map
    }

    /// The tick size and the point value that the file was written with.
    pub fn instrument_numbers(&self) -> Option<(Price, Money)> {
        let tick_size: Price = self.description.tick_size.parse().ok()?;
        let point_value: Price = self.description.point_value.parse().ok()?;
        (tick_size > Price::ZERO && point_value > Price::ZERO)
            .then(|| (tick_size, Money::from_nanos(point_value.units())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(path: &Path, count: i64) {
        let instrument = Instrument::built_in("ES").unwrap();
        let mut writer =
            TickFileWriter::create(path, TickFileDescription::new(&instrument, "a test")).unwrap();
        let ticks: Vec<Tick> = (0..count)
            .map(|i| {
                let price = Price::from_units((18_000 + i % 7) * 250_000_000);
                Tick::new(Timestamp::from_nanos(i * 1_000), price, 1 + i as u32 % 5)
            })
            .collect();
        writer.extend(&ticks).unwrap();
        assert_eq!(writer.finish().unwrap(), count as u64);
        assert_eq!(TickFile::open(path).unwrap().ticks(), &ticks[..]);
    }

    fn refusal(path: &Path) -> String {
        TickFile::open(path).unwrap_err().to_string()
    }

    #[test]
    fn reads_back_what_was_written_and_refuses_every_single_changed_byte_it_is_tried_with() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.ticks");
        write(&path, 0);
        write(&path, 1_000);
        let good = std::fs::read(&path).unwrap();
        for at in (0..good.len()).step_by(97) {
            let mut bad = good.clone();
            bad[at] ^= 1;
            std::fs::write(&path, &bad).unwrap();
            assert!(TickFile::open(&path).is_err(), "byte {at}");
        }
        std::fs::write(&path, &good[..good.len() - 1]).unwrap();
        assert!(refusal(&path).contains("truncated"));
        std::fs::write(&path, &good[..100]).unwrap();
        assert!(refusal(&path).contains("truncated inside the header"));
        std::fs::write(&path, [&good[..], b"x"].concat()).unwrap();
        assert!(refusal(&path).contains("bytes after the last record"));
        let mut other_version = good.clone();
        other_version[8] = 9;
        std::fs::write(&path, &other_version).unwrap();
        assert!(refusal(&path).contains("version 9"));
        for foreign in [&b""[..], b"timestamp,price,volume\n"] {
            std::fs::write(&path, foreign).unwrap();
            assert!(refusal(&path).contains("algospace-hft import"));
        }
    }

    #[test]
    fn keeps_the_good_file_when_a_new_one_fails() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.ticks");
        write(&path, 10);
        let instrument = Instrument::built_in("ES").unwrap();
        let tick = |nanos, size| Tick::new(Timestamp::from_nanos(nanos), Price::ZERO, size);
        for bad in [tick(4, 1), tick(5, 0), tick(5, 1).with_contract(1)] {
            let mut writer =
                TickFileWriter::create(&path, TickFileDescription::new(&instrument, "")).unwrap();
            let done = writer.extend(&[tick(5, 1), bad]).and_then(|()| writer.finish());
            assert!(matches!(done, Err(TickFileError::Tick { index: 1, .. })));
        }
        assert_eq!(TickFile::open(&path).unwrap().ticks().len(), 10);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}
