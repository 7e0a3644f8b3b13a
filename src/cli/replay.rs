//! `replay`: a run again, from its journal.

use std::path::Path;
use std::sync::atomic::Ordering;

use super::progress::Progress;
use super::run::say_results;
use super::{Failure, say, stop, tell};
use crate::market::Timestamp;
use crate::performance::{Maker, Summary, WallTimes, check_run_directory, hold_run_directory};
use crate::run::{Replayed, replay_journal};

pub(super) fn replay(
    path: &Path,
    verify: bool,
    output: Option<&Path>,
    json: bool,
) -> Result<(), Failure> {
    if let Some(directory) = output {
        check_run_directory(directory).map_err(Failure::run)?;
    }
    let held = output.map(hold_run_directory).transpose().map_err(Failure::run)?;
    held.iter().try_for_each(|held| held.keep_runs(Maker::Replay)).map_err(Failure::usage)?;
    let started = Timestamp::now();
    let stop = stop::on_signal();
    let mut progress = Progress::new();
    let replayed =
        replay_journal(path, &stop, &mut |done, total| progress.show("replaying", done, total));
    progress.finish();
    let replayed = replayed.map_err(Failure::run)?;
    let summary = match &held {
        Some(held) => {
            let times = WallTimes { started, finished: Timestamp::now() };
            held.write(Maker::Replay, &replayed.record, times).map_err(Failure::run)?
        }
        None => Summary::of(&replayed.record),
    };
    let problems = problems(&replayed);
    let Replayed { end, is_whole, same_actions, .. } = replayed;
    let unseen = match (stop.load(Ordering::Relaxed), is_whole) {
        (true, _) => Some("the replay was stopped, and the rest was not compared"),
        (_, false) => {
            Some("the journal does not hold the whole run; what it lacks was not compared")
        }
        _ => None,
    };
    if json {
        let mut all = serde_json::to_value(&summary).map_err(Failure::run)?;
        all["journal"] = serde_json::json!({
            "end": end.to_string(),
            "is_whole": is_whole,
            "same_actions": same_actions,
            "problems": problems,
            "not_compared": unseen,
        });
        say(all);
    } else {
        say_results(&summary);
        say(format!("journal: {end}"));
        if let Some(directory) = output {
            say(directory.join("report.html").display());
        }
        if problems.is_empty() {
            let how_far = if unseen.is_none() { "" } else { ", as far as it was compared" };
            say(format!(
                "the same as the run{how_far}: {same_actions} decisions, orders, fills and trades"
            ));
        }
    }
    match (verify, unseen) {
        (true, _) if !problems.is_empty() => {
            Err(Failure::run(format!("{}: {}", path.display(), problems.join("; "))))
        }
        (true, Some(unseen)) => Err(Failure::Unseen(format!("{}: {unseen}", path.display()))),
        _ => {
            let warnings = problems.iter().map(String::as_str).chain(unseen);
            warnings.for_each(|problem| tell(format!("warning: {problem}")));
            Ok(())
        }
    }
}

/// Returns the differences between the replay and the run, one a sentence.
fn problems(replayed: &Replayed) -> Vec<String> {
    let mut problems: Vec<String> = replayed.difference.iter().map(ToString::to_string).collect();
    let (wrote_it, this) = (&replayed.version, &replayed.record.version);
    if !problems.is_empty() && wrote_it != this {
        problems.push(format!("version {wrote_it} wrote it, this is {this}"));
    }
    if replayed.changed_answers > 0 {
        let changed = replayed.changed_answers;
        problems.push(format!("{changed} decisions are not those of the journal"));
    }
    problems
}
