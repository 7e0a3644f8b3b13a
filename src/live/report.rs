//! The report of a session, made from the journal of the run that continues.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::market::{Calendar, Session, Timestamp};
use crate::performance::{Maker, RunDirectoryError, Summary, WallTimes, hold_run_directory};
use crate::run::{JournalChain, ReplayError, RunJournalError, replay_session};

/// The reason that a session has no report.
#[derive(Debug, thiserror::Error)]
pub enum SessionReportError {
    /// The journal cannot be read.
    #[error(transparent)]
    Journal(#[from] RunJournalError),
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
/// If the chain cannot be replayed, `stop` was set, or the folder cannot be written.
pub fn write_session_report(
    directory: &Path,
    calendar: Calendar,
    session: &Session,
    stop: &AtomicBool,
) -> Result<Summary, SessionReportError> {
    let started = Timestamp::now();
    let mut record = replay_session(directory, calendar, session, stop)?;
    record.mode = "paper".to_owned();
    // The run continues, but the session is whole.
    record.interrupted = false;
    let held = hold_run_directory(&directory.join(session.trade_date.to_string()))?;
    let times = WallTimes { started, finished: Timestamp::now() };
    Ok(held.write(Maker::Run, &record, times)?)
}

/// The writer of the sessions' reports, on a thread of its own.
#[derive(Debug)]
pub struct Reporter {
    directory: PathBuf,
    calendar: Calendar,
    /// The time up to which an earlier process has come: its reports may be there.
    continues: Option<Timestamp>,
}

impl Reporter {
    /// The time between two looks at the journal.
    const PACE: Duration = Duration::from_millis(100);

    /// Creates one for the run that begins or continues in `directory`.
    pub fn new(directory: &Path, calendar: Calendar) -> Reporter {
        let continues = JournalChain::open(directory).and_then(|chain| chain.time()).ok().flatten();
        Reporter { directory: directory.to_owned(), calendar, continues }
    }

    /// Writes the report of a session that is over, unless an earlier process of this run has
    /// written it. Waits until the journal has events behind the session. Returns a line of news,
    /// if there is any.
    pub fn report(&self, session: &Session, stop: &AtomicBool) -> Option<String> {
        let day = session.trade_date;
        let path = self.directory.join(day.to_string()).join("report.html");
        if self.continues >= Some(session.close) && path.exists() {
            return None;
        }
        Some(match self.write(session, stop) {
            Ok(()) => format!("report of {day}: {}", path.display()),
            Err(SessionReportError::Replay(ReplayError::Stopped)) => {
                format!("the run ended before the report of {day} was written")
            }
            Err(error) => format!("warning: no report of {day}: {error}"),
        })
    }

    fn write(&self, session: &Session, stop: &AtomicBool) -> Result<(), SessionReportError> {
        while JournalChain::open(&self.directory)?.time()? < Some(session.close) {
            if stop.load(Ordering::Relaxed) {
                return Err(ReplayError::Stopped.into());
            }
            std::thread::park_timeout(Reporter::PACE);
        }
        write_session_report(&self.directory, self.calendar, session, stop)?;
        Ok(())
    }
}
