//! `replay`: a run again, from its journal.

use std::path::Path;
use std::sync::atomic::Ordering;

use super::progress::Progress;
use super::run::say_results;
use super::{Failure, say, stop, tell};
use crate::market::Timestamp;
use crate::performance::{
    Summary, WallTimes, check_run_directory, hold_run_directory, remove_journal,
    write_run_directory,
};
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
    let _held = output.map(hold_run_directory).transpose().map_err(Failure::run)?;
    let started = Timestamp::now();
    let stop = stop::on_signal();
    let mut progress = Progress::new();
    let replayed =
        replay_journal(path, &stop, &mut |done, total| progress.show("replaying", done, total));
    progress.finish();
    let Replayed { record, end, version, same_actions, difference, changed_answers } =
        replayed.map_err(Failure::run)?;
    let summary = match output {
        Some(directory) => {
            let times = WallTimes { started, finished: Timestamp::now() };
            let summary = write_run_directory(directory, &record, times).map_err(Failure::run)?;
            // That of another run; this run's stays where it is.
            remove_journal(directory).map_err(Failure::run)?;
            summary
        }
        None => Summary::of(&record),
    };
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
    let is_whole = end.is_finished();
    if json {
        let mut all = serde_json::to_value(&summary).map_err(Failure::run)?;
        all["journal"] = serde_json::json!({
            "end": end.to_string(),
            "is_whole": is_whole,
            "same_actions": same_actions,
            "problems": problems,
        });
        say(all);
    } else {
        say_results(&summary);
        say(format!("journal: {end}"));
        if let Some(directory) = output {
            say(directory.join("report.html").display());
        }
        if problems.is_empty() {
            let how_far = if is_whole { "" } else { ", as far as the journal goes" };
            say(format!(
                "the same as the run{how_far}: {same_actions} decisions, orders, fills and trades"
            ));
        }
    }
    if problems.is_empty() {
        Ok(())
    } else if verify {
        Err(Failure::run(format!("{}: {}", path.display(), problems.join("; "))))
    } else {
        problems.iter().for_each(|problem| tell(format!("warning: {problem}")));
        Ok(())
    }
}
