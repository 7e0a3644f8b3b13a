//! A file of records that are only ever added: framed, checksummed, and readable up to
//! the last whole record after any end of its writer.
//!
//! | bytes | what |
//! | --- | --- |
//! | 8 | `ALGOJRNL` |
//! | 4 | version of the format, little-endian like every number: 3 |
//! | 4 | length of the header |
//! | 8 | XXH3 of the 16 bytes before and of the header |
//! | … | the header, and zeros up to a multiple of 8 |
//! | … | records, each at a multiple of 8 |
//!
//! A record is 4 bytes of which the lowest three count the payload's bytes and the highest is the
//! kind (1 to 255), 4 bytes of check, 8 bytes of sequence, the payload, and zeros up to a multiple
//! of 8. The check is the low half of the XXH3, seeded by the first four bytes and the record's
//! place in the file, of everything behind it. The last record of a journal that was ended in order
//! is of kind 255 and holds how many were before it. Where a writer was killed, the reserved rest
//! of the file is zeros.
//!
//! Only version 3 is read. In version 1 a run's orders had no contract and its fills no identity.
//! In version 2 its questions did not say whether an entry is refused, and gaps were no events.

mod reader;
mod writer;

pub use reader::{End, Journal, Record, Records};
pub use writer::Writer;

use std::io;
use std::path::PathBuf;

/// The reason why a journal cannot be written or read.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// The operating system refused.
    #[error("{path}: cannot {action} the journal: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// Attempted action.
        action: &'static str,
        /// Cause.
        source: io::Error,
    },
    /// There is no room for more; everything up to here is in the file.
    #[error(
        "{path}: no room for the journal after {records} records ({bytes} bytes): {source}; what was written is kept. Free space, or run with `pipeline.journal: false`"
    )]
    Full {
        /// The file.
        path: PathBuf,
        /// Records written.
        records: u64,
        /// Bytes written.
        bytes: u64,
        /// The operating system's error.
        source: io::Error,
    },
    /// A payload is longer than a record can be.
    #[error("a record of {bytes} bytes is longer than a journal takes, {LONGEST}")]
    TooLong {
        /// Its bytes.
        bytes: usize,
    },
    /// The header is longer than its length can say.
    #[error("{path}: a header of {bytes} bytes is longer than a journal takes")]
    HeaderTooLong {
        /// The file.
        path: PathBuf,
        /// Its bytes.
        bytes: usize,
    },
    /// The file does not begin as a journal does.
    #[error("{path}: {reason}; give a `run.journal` that a run has written")]
    NoJournal {
        /// The file.
        path: PathBuf,
        /// Fault that was found.
        reason: &'static str,
    },
}

/// Bytes of the longest payload.
pub const LONGEST: usize = 1 << 16;

/// First bytes of every journal.
pub const MAGIC: [u8; 8] = *b"ALGOJRNL";
/// The version of the format that is written and read.
pub const VERSION: u32 = 3;
/// Bytes before the header.
const HEAD: usize = 24;
/// Bytes of a record before its payload.
const FRAME: usize = 16;
/// The kind of the record that ends a journal in order.
const FINISHED: u8 = 255;

/// Returns the checksum in the head of a file.
fn head_check(head: &[u8], header: &[u8]) -> u64 {
    let mut hash = xxhash_rust::xxh3::Xxh3::new();
    hash.update(head);
    hash.update(header);
    hash.digest()
}

/// Returns the checksum of a record that begins at byte `place` of the file: of its sequence,
/// payload and padding.
#[inline]
fn record_check(word: u32, place: u64, rest: &[u8]) -> u32 {
    // So a good record at another place is invalid there.
    xxhash_rust::xxh3::xxh3_64_with_seed(rest, u64::from(word) ^ place.rotate_left(32)) as u32
}

#[cfg(test)]
mod tests;
