//! `replay`: a run again, from its journal.

use std::path::Path;
use std::sync::atomic::Ordering;

use super::progress::Progress;
use super::run::{now, say_results};
use super::{Failure, say, stop};
use crate::performance::{Summary, WallTimes, check_run_directory, write_run_directory};
use crate::pipeline::{Replayed, replay_journal};

pub(super) fn replay(
    path: &Path,
    verify: bool,
    output: Option<&Path>,
    json: bool,
) -> Result<(), Failure> {
    if let Some(directory) = output {
        check_run_directory(directory).map_err(Failure::run)?;
        let home = path.canonicalize().ok().and_then(|path| path.parent().map(Path::to_owned));
        if home.is_some() && directory.canonicalize().ok() == home {
            return Err(Failure::usage(format!(
                "{}: is the journal's own run; give --output another directory",
                directory.display()
            )));
        }
    }
    let started = now();
    let stop = stop::on_signal();
    let mut progress = Progress::new();
    let replayed =
        replay_journal(path, &stop, &mut |done, total| progress.show("replaying", done, total));
    progress.finish();
    let Replayed { record, end, version, same_actions, difference, changed_answers } =
        replayed.map_err(Failure::run)?;
    let summary = match output {
        Some(directory) => {
            let times = WallTimes { started, finished: now() };
            write_run_directory(directory, &record, times).map_err(Failure::run)?
        }
        None => Summary::of(&record),
    };
    if json {
        say(serde_json::to_string(&summary).map_err(Failure::run)?);
    } else {
        say_results(&summary);
        say(format!("journal: {end}"));
        if let Some(directory) = output {
            say(directory.join("report.html").display());
        }
    }
    let mut problems = Vec::new();
    if let Some(difference) = difference {
        problems.push(difference.to_string());
    }
    if !problems.is_empty() && version != record.version {
        problems.push(format!("version {version} wrote it, this is {}", record.version));
    }
    if stop.load(Ordering::Relaxed) {
        problems.push("the replay was stopped, and the rest was not compared".to_owned());
    }
    if changed_answers > 0 {
        problems.push(format!("{changed_answers} decisions are not those of the journal"));
    }
    if problems.is_empty() {
        if !json {
            say(format!("the same as the run: {same_actions} decisions, orders, fills and trades"));
        }
        Ok(())
    } else if verify {
        Err(Failure::run(format!("{}: {}", path.display(), problems.join("; "))))
    } else {
        problems.iter().for_each(|problem| eprintln!("warning: {problem}"));
        Ok(())
    }
}
