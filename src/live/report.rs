//! The report of a session, made from the journal of the run that continues.

use std::path::Path;
use std::sync::atomic::AtomicBool;

use crate::market::{Calendar, Session, Timestamp};
use crate::performance::{Maker, RunDirectoryError, Summary, WallTimes, hold_run_directory};
use crate::run::{ReplayError, replay_session};

/// The reason that a session has no report.
#[derive(Debug, thiserror::Error)]
pub enum SessionReportError {
    /// The journal cannot be replayed.
    #[error(transparent)]
    Replay(#[from] ReplayError),
    /// The folder of the report cannot be written.
    #[error(transparent)]
    Directory(#[from] RunDirectoryError),
}

/// Writes the report of a session into a folder of `directory` that is named by the trading day,
/// from the chain of journals in `directory`. It replays the chain: not for a thread that is in a
/// hurry. The session must be over, and its last events journaled.
///
/// # Errors
/// If the chain cannot be replayed, or the folder cannot be written.
pub fn write_session_report(
    directory: &Path,
    calendar: Calendar,
    session: &Session,
    stop: &AtomicBool,
) -> Result<Summary, SessionReportError> {
    let started = Timestamp::now();
    let held = hold_run_directory(&directory.join(session.trade_date.to_string()))?;
    let mut record = replay_session(directory, calendar, session, stop)?;
    record.mode = "paper".to_owned();
    // The run continues, but the session is whole.
    record.interrupted = false;
    let times = WallTimes { started, finished: Timestamp::now() };
    Ok(held.write(Maker::Run, &record, times)?)
}
