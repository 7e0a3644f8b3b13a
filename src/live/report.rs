//! The report of a session, made from the journal of the run that continues.

use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

use super::status::Status;
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

/// Writes the report of each session that ends while a run is watched.
#[derive(Debug)]
pub struct Reporter {
    directory: PathBuf,
    calendar: Calendar,
    /// The session that was seen last, until it is reported.
    session: Option<Session>,
}

impl Reporter {
    /// Time after a session's end in which its last events reach the journal.
    const GRACE: i64 = 30 * Timestamp::SECOND;

    /// Creates one for the run whose journals are in `directory`.
    pub fn new(directory: &Path, calendar: Calendar) -> Reporter {
        Reporter { directory: directory.to_owned(), calendar, session: None }
    }

    /// Returns the session that is over by the market's time of a status, once.
    fn ended(&mut self, status: &Status) -> Option<Session> {
        let time = status.time?;
        let over =
            self.session.take_if(|session| time >= session.close.saturating_add(Self::GRACE));
        if self.session.is_none() {
            self.session = self.calendar.session_at(time);
        }
        over
    }

    /// Writes the report of a session that is over, and returns a line that tells of it.
    pub fn on_status(&mut self, status: &Status, stop: &AtomicBool) -> Option<String> {
        let session = self.ended(status)?;
        let done = write_session_report(&self.directory, self.calendar, &session, stop);
        let day = session.trade_date;
        Some(match done {
            Ok(_) => {
                let path = self.directory.join(day.to_string()).join("report.html");
                format!("report of {day}: {}", path.display())
            }
            Err(error) => format!("warning: there is no report of {day}: {error}"),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_session_is_over_once() {
        let mut reporter = Reporter::new(Path::new("nowhere"), Calendar::CmeEquityIndex);
        let mut at = |text: &str| {
            let time = Some(text.parse().unwrap());
            reporter
                .ended(&Status { time, ..Status::default() })
                .map(|it| it.trade_date.to_string())
        };
        // A session closes at 16:00 in Chicago, 22:00 UTC, and the next opens an hour later.
        assert_eq!(at("2024-01-03T21:59:59Z"), None);
        assert_eq!(at("2024-01-03T22:00:29Z"), None);
        assert_eq!(at("2024-01-03T22:00:30Z").as_deref(), Some("2024-01-03"));
        assert_eq!(at("2024-01-03T22:30:00Z"), None);
        assert_eq!(at("2024-01-03T23:00:00Z"), None);
        assert_eq!(at("2024-01-04T12:00:00Z"), None);
        // Over a weekend without a look at it.
        assert_eq!(at("2024-01-07T23:10:00Z").as_deref(), Some("2024-01-04"));
        assert_eq!(at("2024-01-08T22:10:00Z").as_deref(), Some("2024-01-08"));
    }
}
