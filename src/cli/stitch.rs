//! `stitch`: one run of several that follow each other in time.

use std::path::{Path, PathBuf};

use super::run::say_results;
use super::{Failure, say};
use crate::market::Timestamp;
use crate::performance::{
    Maker, StitchError, WallTimes, check_run_directory, hold_run_directory, stitch_runs,
};
use crate::whole_file::Identity;

pub(super) fn stitch(runs: &[PathBuf], output: &Path, json: bool) -> Result<(), Failure> {
    if let Some(run) = runs.iter().find(|run| Identity::is_same(run, output)) {
        return Err(Failure::usage(format!(
            "{}: is one of the runs; give --output another directory",
            run.display()
        )));
    }
    check_run_directory(output).map_err(Failure::run)?;
    let held = hold_run_directory(output).map_err(Failure::run)?;
    held.keep_runs(Maker::Stitch).map_err(Failure::usage)?;
    let started = Timestamp::now();
    let record = stitch_runs(runs).map_err(|error| match error {
        StitchError::Run(_) => Failure::run(error),
        error => Failure::usage(error),
    })?;
    let times = WallTimes { started, finished: Timestamp::now() };
    let summary = held.write(Maker::Stitch, &record, times).map_err(Failure::run)?;
    if json {
        say(serde_json::to_string(&summary).map_err(Failure::run)?);
    } else {
        say_results(&summary);
        say(output.join("report.html").display());
    }
    Ok(())
}
