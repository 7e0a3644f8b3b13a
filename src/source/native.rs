//! The native tick file: a 4 KiB header, 32-byte tick records, and a description of them.
//!
//! Layout (little-endian):
//!
//! | bytes | what |
//! | --- | --- |
//! | 0..8 | magic `ASHFTICK` |
//! | 8..12 | format version, `u32`: 2 |
//! | 12..16 | record size in bytes, `u32` (32) |
//! | 16..24 | record count, `u64` |
//! | 24..32 | zeros |
//! | 32..40 | xxh3-64 of the header with this field zero |
//! | 40..48 | time of the first tick, UTC nanoseconds, `i64` |
//! | 48..56 | time of the last tick |
//! | 56..64 | length of the description, `u64` |
//! | 64..80 | xxh3-128 of everything behind the header |
//! | 80..4096 | zeros |
//! | 4096.. | the records, then [`TickFileDescription`] as JSON |
//!
//! Version 1, which is read too, has the xxh3-64 of the records at 24..32 and the description in
//! the header, from byte 64 on.
//!
//! Who opens a file reads every byte once: for the checksum, and to hold every tick against
//! [`TickRule`], which the writer does too. A checksum that fits shows that no byte changed by
//! accident; anybody can compute one, so it does not show who wrote the file.
//!
//! The file appears under its name only when it is whole: the writer fills a temporary file beside
//! it and renames that at the end.

use std::fmt;
use std::fs::File;
use std::io::{self, BufWriter, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread::JoinHandle;

use memmap2::Mmap;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use tempfile::NamedTempFile;
use xxhash_rust::xxh3::{Xxh3, xxh3_64};

use crate::market::{Instrument, Price, Tick, TickFault, TickRule, Timestamp};
use crate::whole_file::{self, FileKind};

/// First bytes of every native tick file.
pub const MAGIC: [u8; 8] = *b"ASHFTICK";
/// The version that this program writes; it reads those from 1 on.
pub const VERSION: u32 = 2;
/// Bytes before the first record.
pub const HEADER_BYTES: usize = 4096;
/// The longest history bar: 31 days, in seconds.
pub const LONGEST_BAR: u32 = 31 * 24 * 3600;

/// The beginning of the origin of a synthetic market, and of no import's.
pub(super) const MADE_UP: &str = "synthetic ";

const HEADER_HASH_AT: usize = 32;
/// Offset of the checksum, in version 1 of the description.
const BEHIND_FIXED: usize = 64;
/// Contracts that an index can tell apart.
const MOST_CONTRACTS: usize = 1 << 16;

/// The content of a tick file, in words that a person can read with `tail -c 1000`.
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
    /// Method by which prices of several contracts were joined.
    pub adjustment: Adjustment,
    /// Origin of the ticks, for people: format, files, seed.
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
    /// Its expiry, ISO-8601 UTC, where known.
    pub expiry: Option<String>,
    /// Amount added to its prices to join them to the last contract's, as a decimal.
    pub price_offset: String,
}

/// The method by which prices of several contracts were joined.
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
    /// Returns `none` or `back`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Back => "back",
        }
    }
}

impl TickFileDescription {
    /// Returns whether the ticks are of a synthetic market: `synth` says so in
    /// [`TickFileDescription::origin`].
    pub fn is_made_up(&self) -> bool {
        self.origin.starts_with(MADE_UP)
    }

    /// Returns whether prices and money count as `instrument` has them: tick size and point value.
    pub fn has_numbers_of(&self, instrument: &Instrument) -> bool {
        self.tick_size == instrument.tick_size.to_string()
            && self.point_value == instrument.point_value.to_string()
    }

    /// Describes a file of `instrument` with one contract named like it.
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

    /// Returns the rule for the ticks of such a file.
    ///
    /// # Errors
    /// The first invalid statement of the description.
    pub fn tick_rule(&self) -> Result<TickRule, DescriptionFault> {
        let positive = |what, text: &str| match text.parse() {
            Ok(number) if number > Price::ZERO => Ok(number),
            _ => Err(DescriptionFault::Number { what, text: text.to_owned() }),
        };
        let tick_size = positive("tick size", &self.tick_size)?;
        positive("point value", &self.point_value)?;
        let contracts = self.contracts.len();
        if !(1..=MOST_CONTRACTS).contains(&contracts) {
            return Err(DescriptionFault::Contracts(contracts));
        }
        match self.expanded_from_bars_of_seconds {
            Some(seconds) if !(1..=LONGEST_BAR).contains(&seconds) => {
                Err(DescriptionFault::Bars(seconds))
            }
            _ => Ok(TickRule::new(tick_size, contracts)),
        }
    }
}

/// An invalid statement of a description.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DescriptionFault {
    /// A number that must be above 0.
    #[error("a {what} of `{text}`, which is no decimal above 0")]
    Number {
        /// The number.
        what: &'static str,
        /// The text found there.
        text: String,
    },
    /// Too few contracts, or more than ticks can name.
    #[error("{0} contracts; there are from 1 to {MOST_CONTRACTS}")]
    Contracts(usize),
    /// A length that no history bar has.
    #[error("history bars of {0} s; a bar has from 1 s to 31 days")]
    Bars(u32),
}

/// The reason why a native tick file cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum TickFileError {
    /// The operating system refused.
    #[error("{path}: cannot {action}: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// Attempted action.
        action: &'static str,
        /// The operating system's error.
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
    /// The file is of another version of the format.
    #[error(
        "{path}: tick file version {found}, this program reads versions 1 to {VERSION}; import the history again with this program"
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
        /// Fault that was found.
        what: String,
    },
    /// The checksum fits, but no import writes such a tick.
    #[error(
        "{path}: tick {number} cannot be: {fault}. No import of this program writes such a tick: import the history again"
    )]
    Impossible {
        /// The file.
        path: PathBuf,
        /// Its place, from 1.
        number: u64,
        /// Fault that was found.
        fault: TickFault,
    },
    /// An invalid tick was to be written.
    #[error("{path}: tick {number} cannot be written: {fault}")]
    Tick {
        /// The file.
        path: PathBuf,
        /// Its place, from 1.
        number: u64,
        /// Fault that was found.
        fault: TickFault,
    },
    /// The file's description is invalid.
    #[error("{path}: cannot be written with {fault}")]
    Description {
        /// The file.
        path: PathBuf,
        /// Fault that was found.
        fault: DescriptionFault,
    },
}

/// Bytes between two early syncs.
const SYNC_EVERY: u64 = 16 << 20;

/// Sends written bytes to the disk while more are being made, so that the sync at the end finds
/// little left to do.
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
    /// But for the contracts, which may be known only at the end.
    rule: TickRule,
    hash: Xxh3,
    count: u64,
    first: Timestamp,
    last: Timestamp,
    /// The number of the first tick of the highest contract, and that contract.
    highest_contract: (u64, u16),
}

impl fmt::Debug for TickFileWriter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TickFileWriter")
            .field("path", &self.path)
            .field("description", &self.description)
            .field("count", &self.count)
            .finish_non_exhaustive()
    }
}

impl TickFileWriter {
    /// Starts a file that appears at `path` when [`TickFileWriter::finish`] succeeds; until then
    /// what stands at `path` is kept.
    ///
    /// # Errors
    /// If the folder cannot be written to, or the description is invalid.
    pub fn create(
        path: &Path,
        description: TickFileDescription,
    ) -> Result<TickFileWriter, TickFileError> {
        let io = |action, source| TickFileError::Io { path: path.to_owned(), action, source };
        let rule = description
            .tick_rule()
            .map_err(|fault| TickFileError::Description { path: path.to_owned(), fault })?
            .with_contracts(MOST_CONTRACTS);
        let temporary =
            whole_file::begin(path, &TICK_FILE).map_err(|source| io("write", source))?;
        let mut file = BufWriter::with_capacity(1 << 20, temporary);
        file.write_all(&[0; HEADER_BYTES]).map_err(|source| io("write", source))?;
        let handle = file.get_ref().as_file().try_clone();
        let early_sync = EarlySync::start(handle.map_err(|source| io("open", source))?);
        Ok(TickFileWriter {
            path: path.to_owned(),
            file,
            early_sync,
            unsynced: 0,
            description,
            rule,
            hash: Xxh3::new(),
            count: 0,
            first: Timestamp::MIN,
            last: Timestamp::MIN,
            highest_contract: (0, 0),
        })
    }

    /// Appends ticks.
    ///
    /// # Errors
    /// If a tick breaks the [`TickRule`]. If the disk is full.
    pub fn extend(&mut self, ticks: &[Tick]) -> Result<(), TickFileError> {
        if let Some((index, fault)) = self.rule.first_fault(self.last, ticks) {
            let number = self.count + index as u64 + 1;
            return Err(TickFileError::Tick { path: self.path.clone(), number, fault });
        }
        let (Some(first), Some(last)) = (ticks.first(), ticks.last()) else { return Ok(()) };
        if self.count == 0 {
            self.first = first.time;
        }
        self.last = last.time;
        let highest = ticks.iter().map(|tick| tick.contract).max().unwrap_or(0);
        if highest > self.highest_contract.1 {
            let index = ticks.iter().position(|tick| tick.contract == highest);
            let number = self.count + index.expect("the highest is one of them") as u64 + 1;
            self.highest_contract = (number, highest);
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

    /// Returns the description, to complete it before [`TickFileWriter::finish`].
    pub fn description_mut(&mut self) -> &mut TickFileDescription {
        &mut self.description
    }

    /// Returns the number of ticks written.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// Adds description and header and puts the file in its place.
    ///
    /// # Errors
    /// If a tick names a contract that is not in the description, that is invalid, or the disk is
    /// full.
    pub fn finish(mut self) -> Result<u64, TickFileError> {
        let fault = |fault| TickFileError::Description { path: self.path.clone(), fault };
        self.description.tick_rule().map_err(fault)?;
        let contracts = self.description.contracts.len();
        let (number, contract) = self.highest_contract;
        if usize::from(contract) >= contracts {
            let fault = TickFault::Contract { contract, contracts };
            return Err(TickFileError::Tick { path: self.path, number, fault });
        }
        let description = serde_json::to_vec(&self.description)
            .expect("a description of strings and numbers is always valid JSON");
        self.hash.update(&description);
        let header = self.header(description.len());
        let io = |action, source| TickFileError::Io { path: self.path.clone(), action, source };
        self.file.write_all(&description).map_err(|source| io("write", source))?;
        self.file.seek(SeekFrom::Start(0)).map_err(|source| io("seek", source))?;
        self.file.write_all(&header).map_err(|source| io("write", source))?;
        let temporary = self.file.into_inner().map_err(|error| io("write", error.into_error()))?;
        self.early_sync.finish().map_err(|source| io("sync", source))?;
        whole_file::put_in_place(temporary, &self.path, &TICK_FILE)
            .map_err(|source| io("put in place", source))?;
        Ok(self.count)
    }

    fn io(&self, action: &'static str, source: io::Error) -> TickFileError {
        TickFileError::Io { path: self.path.clone(), action, source }
    }

    fn header(&self, description: usize) -> [u8; HEADER_BYTES] {
        let mut header = [0; HEADER_BYTES];
        header[0..8].copy_from_slice(&MAGIC);
        header[8..12].copy_from_slice(&VERSION.to_le_bytes());
        header[12..16].copy_from_slice(&(size_of::<Tick>() as u32).to_le_bytes());
        header[16..24].copy_from_slice(&self.count.to_le_bytes());
        header[40..48].copy_from_slice(&self.first.nanos().to_le_bytes());
        header[48..56].copy_from_slice(&self.last.nanos().to_le_bytes());
        header[56..64].copy_from_slice(&(description as u64).to_le_bytes());
        header[BEHIND_FIXED..BEHIND_FIXED + 16]
            .copy_from_slice(&self.hash.digest128().to_le_bytes());
        let hash = xxh3_64(&header);
        header[HEADER_HASH_AT..HEADER_HASH_AT + 8].copy_from_slice(&hash.to_le_bytes());
        header
    }
}

/// The files that a tick file may replace.
pub(crate) const TICK_FILE: FileKind =
    FileKind { what: "a tick file", is_ours: &|file| whole_file::begins_with(file, &MAGIC) };

/// A native tick file, mapped into memory and verified.
///
/// ```
/// use algospace_hft::market::{Instrument, Tick};
/// use algospace_hft::source::native::{TickFile, TickFileDescription, TickFileWriter};
///
/// # let folder = tempfile::tempdir()?;
/// let path = folder.path().join("es.ticks");
/// let description = TickFileDescription::new(&Instrument::built_in("ES")?, "by hand");
/// let mut writer = TickFileWriter::create(&path, description)?;
/// writer.extend(&[Tick::new("2024-01-04T15:00:00Z".parse()?, "4750.25".parse()?, 3)])?;
/// writer.finish()?;
///
/// let file = TickFile::open(&path)?;
/// assert_eq!((file.ticks().len(), file.ticks()[0].size), (1, 3));
/// assert_eq!(file.description().instrument, "ES");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct TickFile {
    path: PathBuf,
    map: Mmap,
    /// Bytes of all records.
    records: usize,
    description: TickFileDescription,
    sha256: String,
}

impl TickFile {
    /// Maps the file and verifies its header, its length, every byte and every tick.
    ///
    /// # Errors
    /// If the file is foreign, of another version, truncated, corrupted, or holds an invalid tick.
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
        let Some((header, rest)) = map.split_at_checked(HEADER_BYTES) else {
            return Err(length("truncated inside the header", HEADER_BYTES as u64));
        };
        let number =
            |at: usize| u64::from_le_bytes(header[at..at + 8].try_into().expect("eight bytes"));
        let half =
            |at: usize| u32::from_le_bytes(header[at..at + 4].try_into().expect("four bytes"));
        let version = half(8);
        if !(1..=VERSION).contains(&version) {
            return Err(TickFileError::Version { path: path.to_owned(), found: version });
        }
        let mut unhashed: [u8; HEADER_BYTES] = header.try_into().expect("a whole header");
        unhashed[HEADER_HASH_AT..HEADER_HASH_AT + 8].fill(0);
        if xxh3_64(&unhashed) != number(HEADER_HASH_AT) {
            return Err(corrupted("the header is not what was written".to_owned()));
        }
        if half(12) as usize != size_of::<Tick>() {
            return Err(corrupted(format!("records of {} bytes", half(12))));
        }
        let (count, text) = (number(16), number(56));
        let is_behind = version > 1;
        let expected = count
            .checked_mul(size_of::<Tick>() as u64)
            .and_then(|records| records.checked_add(if is_behind { text } else { 0 }))
            .and_then(|rest| rest.checked_add(HEADER_BYTES as u64))
            .ok_or_else(|| corrupted(format!("{count} records and a text of {text} bytes")))?;
        if found < expected {
            return Err(length("truncated", expected));
        }
        if found > expected {
            return Err(length("bytes after the last record", expected));
        }
        let records = count as usize * size_of::<Tick>();
        let json = if is_behind {
            &rest[records..]
        } else {
            usize::try_from(text)
                .ok()
                .and_then(|bytes| header[BEHIND_FIXED..].get(..bytes))
                .ok_or_else(|| corrupted("the description's length".to_owned()))?
        };
        let description: TickFileDescription = serde_json::from_slice(json)
            .map_err(|error| corrupted(format!("the description: {error}")))?;
        let rule =
            description.tick_rule().map_err(|fault| corrupted(format!("it tells of {fault}")))?;

        // The map starts at a page and the header is one page, so records are aligned.
        let ticks: &[Tick] = bytemuck::cast_slice(&rest[..records]);
        let (hash, fault) = read_all(ticks, &rest[records..], &rule);
        let is_as_written = if is_behind {
            header[BEHIND_FIXED..BEHIND_FIXED + 16] == hash.digest128().to_le_bytes()
        } else {
            number(24) == hash.digest()
        };
        if !is_as_written {
            return Err(corrupted("the records are not what was written".to_owned()));
        }
        if let Some((index, fault)) = fault {
            let number = index as u64 + 1;
            return Err(TickFileError::Impossible { path: path.to_owned(), number, fault });
        }
        let time = |tick: Option<&Tick>| tick.map_or(Timestamp::MIN, |tick| tick.time).nanos();
        if (number(40) as i64, number(48) as i64) != (time(ticks.first()), time(ticks.last())) {
            return Err(corrupted("its first or last time is not that of its ticks".to_owned()));
        }
        // Of the header that was verified, even if the file changes later.
        let sha256 = Sha256::digest(header);
        let sha256 = sha256.iter().map(|byte| format!("{byte:02x}")).collect();
        Ok(TickFile { path: path.to_owned(), map, records, description, sha256 })
    }

    /// Returns the file's path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Returns the file's description of itself.
    pub fn description(&self) -> &TickFileDescription {
        &self.description
    }

    /// Returns all ticks, in order of time.
    pub fn ticks(&self) -> &[Tick] {
        bytemuck::cast_slice(&self.map[HEADER_BYTES..HEADER_BYTES + self.records])
    }

    /// Returns the file's name among all files, in hexadecimal: the SHA-256 of its header, which
    /// holds the checksum of everything else (`head -c 4096 FILE | sha256sum`). Two files that
    /// differ by accident have different names; it is possible to make another file of the same
    /// name, since the checksum is not a cryptographic one.
    pub fn sha256(&self) -> &str {
        &self.sha256
    }
}

/// Reads everything behind the header once: its hash, and the first invalid tick.
fn read_all(ticks: &[Tick], behind: &[u8], rule: &TickRule) -> (Xxh3, Option<(usize, TickFault)>) {
    /// Stays in the processor's cache between the hash and the rule.
    const BLOCK: usize = (64 << 10) / size_of::<Tick>();
    let (mut hash, mut fault, mut last) = (Xxh3::new(), None, Timestamp::MIN);
    for (block, ticks) in ticks.chunks(BLOCK).enumerate() {
        hash.update(bytemuck::cast_slice(ticks));
        if fault.is_none() {
            let found = rule.first_fault(last, ticks);
            fault = found.map(|(index, fault)| (block * BLOCK + index, fault));
        }
        last = ticks.last().map_or(last, |tick| tick.time);
    }
    hash.update(behind);
    (hash, fault)
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
            assert!(matches!(done, Err(TickFileError::Tick { number: 2, .. })));
        }
        assert_eq!(TickFile::open(&path).unwrap().ticks().len(), 10);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    /// Returns a file of version 1 or 2 with good checksums and any content, as the table at the
    /// top has it.
    fn sealed(version: u32, description: &str, ticks: &[Tick]) -> Vec<u8> {
        let records: &[u8] = bytemuck::cast_slice(ticks);
        let mut header = vec![0; 4096];
        header[..8].copy_from_slice(b"ASHFTICK");
        let time = |tick: Option<&Tick>| tick.map_or(i64::MIN, |tick| tick.time.nanos()) as u64;
        let (count, text) = (ticks.len() as u64, description.len() as u64);
        let sizes = u64::from(version) | 32 << 32;
        for (place, number) in
            [sizes, count, 0, 0, time(ticks.first()), time(ticks.last()), text].iter().enumerate()
        {
            header[8 + 8 * place..][..8].copy_from_slice(&number.to_le_bytes());
        }
        let mut behind = records.to_vec();
        if version == 1 {
            header[24..32].copy_from_slice(&xxh3_64(records).to_le_bytes());
            header[64..64 + description.len()].copy_from_slice(description.as_bytes());
        } else {
            behind.extend_from_slice(description.as_bytes());
            let hash = xxhash_rust::xxh3::xxh3_128(&behind);
            header[64..80].copy_from_slice(&hash.to_le_bytes());
        }
        let hash = xxh3_64(&header);
        header[32..40].copy_from_slice(&hash.to_le_bytes());
        header.extend(behind);
        header
    }

    fn tick(nanos: i64, quarters: i64) -> Tick {
        Tick::new(Timestamp::from_nanos(nanos), Price::from_units(quarters * 250_000_000), 1)
    }

    const DESCRIPTION: &str = r#"{"instrument":"ES","tick_size":"0.25","point_value":"50","contracts":[{"symbol":"ES","expiry":null,"price_offset":"0"}],"adjustment":"none","origin":"","expanded_from_bars_of_seconds":null,"written_by":""}"#;

    #[test]
    fn both_versions_are_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.ticks");
        let ticks = [tick(5, 400), tick(5, 400), tick(6, -1)];
        let mut names = Vec::new();
        for version in [1, 2] {
            for ticks in [&ticks[..], &[]] {
                std::fs::write(&path, sealed(version, DESCRIPTION, ticks)).unwrap();
                let file = TickFile::open(&path).unwrap();
                assert_eq!((file.ticks(), &*file.description().instrument), (ticks, "ES"));
                names.push(file.sha256().to_owned());
            }
        }
        names.sort();
        names.dedup();
        assert_eq!(names.len(), 4);
    }

    #[test]
    fn the_name_is_the_hash_of_the_header_and_every_byte_has_a_part_in_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.ticks");
        let name = |bytes: Vec<u8>| {
            std::fs::write(&path, bytes).unwrap();
            TickFile::open(&path).unwrap().sha256().to_owned()
        };
        let good = sealed(2, DESCRIPTION, &[tick(5, 400)]);
        let expected: String =
            Sha256::digest(&good[..4096]).iter().map(|byte| format!("{byte:02x}")).collect();
        let other_origin = DESCRIPTION.replace(r#""origin":"""#, r#""origin":"x""#);
        let names = [
            name(good),
            name(sealed(2, DESCRIPTION, &[tick(5, 401)])),
            name(sealed(2, &other_origin, &[tick(5, 400)])),
        ];
        assert_eq!(names[0], expected);
        assert!(names[0] != names[1] && names[0] != names[2] && names[1] != names[2]);
    }

    /// Anybody can compute a checksum.
    #[test]
    fn a_file_with_good_checksums_and_impossible_content_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.ticks");
        let good = tick(5, 400);
        let of = |bad: Tick| vec![good, good, bad, bad];
        let with = |from: &str, to: &str| DESCRIPTION.replace(from, to);
        let price = |units| Tick::new(good.time, Price::from_units(units), 1);
        let mut cases = vec![
            (DESCRIPTION.to_owned(), of(tick(4, 400)), "tick 3 cannot be: its time, 1970"),
            (DESCRIPTION.to_owned(), of(tick(-1, 400)), "not between 1970 and 2199"),
            (DESCRIPTION.to_owned(), of(tick(i64::MAX, 400)), "not between 1970 and 2199"),
            (DESCRIPTION.to_owned(), of(price(1)), "not a whole number of ticks of 0.25"),
            (DESCRIPTION.to_owned(), of(price(i64::MAX)), "its price, 9223372036.854775807"),
            (DESCRIPTION.to_owned(), of(price(i64::MIN)), "its price, -9223372036.854775808"),
            (DESCRIPTION.to_owned(), of(Tick::new(good.time, good.price, 0)), "its size is 0"),
            (DESCRIPTION.to_owned(), of(good.with_contract(1)), "contract is number 1 of 1"),
            (DESCRIPTION.to_owned(), of(good.with_flags(crate::market::TickFlags(32))), "flags"),
            (with(r#""0.25""#, r#""0""#), vec![], "a tick size of `0`"),
            (with(r#""50""#, r#""-50""#), vec![], "a point value of `-50`"),
            (with(r#"seconds":null"#, r#"seconds":0"#), vec![], "history bars of 0 s"),
            (with(r#"seconds":null"#, r#"seconds":2678401"#), vec![], "history bars of 2678401"),
        ];
        let contract = r#"{"symbol":"ES","expiry":null,"price_offset":"0"}"#;
        cases.push((with(contract, ""), vec![], "0 contracts"));
        for (description, ticks, words) in cases {
            for version in [1, 2] {
                std::fs::write(&path, sealed(version, &description, &ticks)).unwrap();
                let said = refusal(&path);
                assert!(said.contains(words) && said.contains("import"), "{said}: {words}");
            }
        }
        // In a later block than the first.
        let mut ticks = vec![good; 10_000];
        ticks[7_776] = tick(4, 400);
        std::fs::write(&path, sealed(2, DESCRIPTION, &ticks)).unwrap();
        assert!(refusal(&path).contains("tick 7777 cannot be"));
        // The header's times are those of the ticks.
        for place in [40, 48] {
            let mut bytes = sealed(2, DESCRIPTION, &[good]);
            bytes[place] ^= 1;
            bytes[32..40].fill(0);
            let hash = xxh3_64(&bytes[..4096]);
            bytes[32..40].copy_from_slice(&hash.to_le_bytes());
            std::fs::write(&path, bytes).unwrap();
            assert!(refusal(&path).contains("first or last time"));
        }
    }

    /// Monthly contracts of a hundred years, each with a long origin.
    #[test]
    fn a_description_may_be_long() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.ticks");
        let instrument = Instrument::built_in("ES").unwrap();
        let mut writer =
            TickFileWriter::create(&path, TickFileDescription::new(&instrument, "")).unwrap();
        writer.extend(&[tick(5, 400), tick(6, 400).with_contract(1_199)]).unwrap();
        let description = writer.description_mut();
        description.contracts = vec![description.contracts[0].clone(); 1_200];
        description.origin = "o".repeat(100_000);
        let expected = description.clone();
        writer.finish().unwrap();
        let file = TickFile::open(&path).unwrap();
        assert_eq!((file.description(), file.ticks()[1].contract), (&expected, 1_199));
    }
}
