//! `stitch`: one run of several that follow each other in time.

use std::path::{Path, PathBuf};

use super::run::say_results;
use super::{Failure, say};
use crate::market::Timestamp;
use crate::performance::{
    StitchError, WallTimes, check_run_directory, hold_run_directory, remove_journal, stitch_runs,
    write_run_directory,
};

pub(super) fn stitch(runs: &[PathBuf], output: &Path, json: bool) -> Result<(), Failure> {
    let real = |path: &Path| path.canonicalize().ok();
    if let Some(run) = runs.iter().find(|run| real(run).is_some() && real(run) == real(output)) {
        return Err(Failure::usage(format!(
            "{}: is one of the runs; give --output another directory",
            run.display()
        )));
    }
    check_run_directory(output).map_err(Failure::run)?;
    let started = Timestamp::now();
    let record = stitch_runs(runs).map_err(|error| match error {
        StitchError::Run(_) => Failure::run(error),
        error => Failure::usage(error),
    })?;
    let _held = hold_run_directory(output).map_err(Failure::run)?;
    let times = WallTimes { started, finished: Timestamp::now() };
    let summary = write_run_directory(output, &record, times).map_err(Failure::run)?;
    // That of another run, if there is one.
    remove_journal(output).map_err(Failure::run)?;
    if json {
        say(serde_json::to_string(&summary).map_err(Failure::run)?);
    } else {
        say_results(&summary);
        say(output.join("report.html").display());
    }
    Ok(())
}
