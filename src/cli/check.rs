//! `check`: is this configuration, with its history, ready to run?

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::progress::Progress;
use super::{Failure, say, stop};
use crate::agents::model_set::{GOLDEN_TOLERANCE, GraphFile, shapes_text};
use crate::config::{Config, Mode, process_variables};
use crate::market::{Instrument, Timestamp};
use crate::performance::{
    MADE_UP_MARKET, NOTHING_TO_DECIDE, RUN_FILES, belongs_to_a_run, check_run_directory,
};
use crate::run::{Missing, Survey, open_backend, open_model_set, survey};
use crate::strategy::StrategyKind;
use crate::whole_file::Identity;

/// Most holes that are listed to people.
const MOST_HOLES: usize = 10;

/// Reads a configuration; anything wrong with it is bad usage.
pub(super) fn load(path: &Path) -> Result<(Config, Instrument), Failure> {
    let config = Config::load(path, &process_variables()).map_err(Failure::usage)?;
    let instrument = config.instrument().map_err(Failure::usage)?;
    Ok((config, instrument))
}

/// Refuses an output that would replace what it is made from: the configuration at `path`, its
/// history, its model set.
pub(super) fn keep_inputs(
    path: &Path,
    config: &Config,
    outputs: &[PathBuf],
) -> Result<(), Failure> {
    let history = config.data_handler.backtest_settings.file_path.as_deref();
    let inputs = [
        (Some(path), "the configuration"),
        (history, "the history"),
        (config.marl_core.model_set.as_deref(), "the model set"),
    ];
    for (input, what) in inputs {
        for file in input.map(files_of).unwrap_or_default() {
            if let Some(output) = outputs.iter().find(|output| Identity::is_same(output, &file)) {
                return Err(Failure::usage(format!(
                    "{}: both {what} and an output; choose another output",
                    output.display()
                )));
            }
        }
    }
    Ok(())
}

/// Refuses an output that is a file of a run, finished or at work, for commands that are no run.
pub(super) fn keep_runs<'a>(outputs: impl IntoIterator<Item = &'a Path>) -> Result<(), Failure> {
    match outputs.into_iter().find(|output| belongs_to_a_run(output)) {
        Some(output) => Err(Failure::usage(format!(
            "{}: the name is that of a file of the run in its folder; choose another output",
            output.display()
        ))),
        None => Ok(()),
    }
}

/// Returns a file itself, or the files in a folder.
fn files_of(path: &Path) -> Vec<PathBuf> {
    match std::fs::read_dir(path) {
        Ok(entries) => entries.flatten().map(|entry| entry.path()).collect(),
        Err(_) => vec![path.to_owned()],
    }
}

/// Reads the configuration of a run. A mode that cannot be run is told before anything that only it
/// needs, such as a password.
pub(super) fn load_runnable(path: &Path) -> Result<(Config, Instrument), Failure> {
    let refused = |mode: Mode| {
        let why = match mode {
            Mode::Live => {
                "`live` sends orders to a broker, which this version does not do; `paper` trades live data with simulated fills"
            }
            Mode::Paper if cfg!(not(feature = "live")) => {
                "this program was built without paper trading: build it with `cargo build --release --features live`"
            }
            Mode::Paper | Mode::Backtest => return None,
        };
        Some(Failure::usage(format!("{}: system.mode: {why}", path.display())))
    };
    let written = Config::written_mode(path);
    let written = Mode::ALL.into_iter().find(|mode| Some(mode.name()) == written.as_deref());
    if let Some(failure) = written.and_then(refused) {
        return Err(failure);
    }
    let (config, instrument) = load(path)?;
    refused(config.system.mode).map_or(Ok((config, instrument)), Err)
}

/// Refuses every invalid output of a run.
pub(super) fn check_outputs(path: &Path, config: &Config) -> Result<(), Failure> {
    let directory = &config.output.directory;
    let files: Vec<_> = RUN_FILES.iter().map(|name| directory.join(name)).collect();
    keep_inputs(path, config, &files)
}

pub(super) fn check(path: &Path, json: bool) -> Result<(), Failure> {
    let (config, _instrument) = load_runnable(path)?;
    check_outputs(path, &config)?;
    check_run_directory(&config.output.directory).map_err(Failure::usage)?;
    #[cfg(feature = "live")]
    if config.system.mode == Mode::Paper {
        return super::paper::check(path, &config, &_instrument, json);
    }
    let models =
        (config.strategy.kind == StrategyKind::Marl).then(|| check_models(&config)).transpose()?;
    let survey = survey_apart(&config)?;
    let notes: Vec<String> = caveats(&survey).chain(config.notes()).collect();
    if json {
        let mut said =
            json!({ "configuration": path, "history": as_json(&survey), "notes": notes });
        if let Some((_, set)) = models {
            said["model_set"] = set;
        }
        say(said);
    } else {
        say(format!("{}: ok", path.display()));
        for line in lines(&config, &survey) {
            say(line);
        }
        for line in models.map(|(lines, _)| lines).unwrap_or_default() {
            say(line);
        }
        for note in notes {
            say(format!("note: {note}"));
        }
    }
    Ok(())
}

/// Surveys the history as a run would see it, in a folder that is gone at the end: results of
/// earlier runs stay.
fn survey_apart(config: &Config) -> Result<Survey, Failure> {
    let directory = &config.output.directory;
    let existing = directory.ancestors().find(|it| !it.as_os_str().is_empty() && it.exists());
    let (mut progress, stop) = (Progress::new(), stop::on_signal());
    let show = &mut |now| progress.show_backtest(now);
    let survey = survey(config, existing.unwrap_or(Path::new(".")), &stop, show);
    progress.finish();
    survey.map_err(Failure::usage)
}

/// Returns the warnings of a run, as far as they are known before it.
fn caveats(survey: &Survey) -> impl Iterator<Item = String> {
    let made_up = survey.made_up.then(|| MADE_UP_MARKET.to_owned());
    let never = survey.decides_from.is_none().then(|| NOTHING_TO_DECIDE.to_owned());
    made_up.into_iter().chain(never).chain(survey.notes.clone())
}

fn sessions_text(sessions: usize) -> String {
    format!("{sessions} {}", if sessions == 1 { "session" } else { "sessions" })
}

/// Returns a time without what is finer than a second.
pub(super) fn second(time: Timestamp) -> String {
    let text = time.to_string();
    text.split_once('.').map_or_else(|| text.clone(), |(seconds, _)| format!("{seconds}Z"))
}

/// Returns what the run would see, for people.
fn lines(config: &Config, survey: &Survey) -> Vec<String> {
    let kind = match survey.is_prepared {
        false => "native".to_owned(),
        true if survey.made_up => "generated by the run".to_owned(),
        true => format!("{}, imported by the run", survey.origin),
    };
    let mut lines = vec![format!("history: {}: {kind}, whole", survey.name)];
    let warm_up = match survey.warm_up_sessions {
        0 => String::new(),
        sessions => {
            let sessions = sessions_text(sessions);
            format!(", after {} ticks of warm-up in {sessions}", survey.warm_up_ticks)
        }
    };
    if let (Some(first), Some(last)) = (survey.sessions.first(), survey.sessions.last()) {
        let sessions = sessions_text(survey.sessions.len());
        lines.push(format!("  {first} to {last}: {} ticks in {sessions}{warm_up}", survey.ticks));
    }
    let contracts = survey.contracts.iter();
    let contracts: Vec<String> = contracts
        .map(|it| format!("{} ({} to {})", it.symbol, second(it.first), second(it.last)))
        .collect();
    lines.push(format!("  contracts: {}", contracts.join(", ")));
    for Missing { first, last, sessions } in survey.missing.iter().take(MOST_HOLES) {
        lines.push(match sessions {
            1 => format!("  missing: the session of {first}"),
            _ => format!("  missing: {sessions} sessions, {first} to {last}"),
        });
    }
    if let Some(more) = survey.missing.len().checked_sub(MOST_HOLES).filter(|&more| more > 0) {
        lines.push(format!("  missing: {more} more holes; --json lists them"));
    }
    lines.push(match survey.decides_from {
        Some(time) => format!("first decision: {}", second(time)),
        None => "first decision: never".to_owned(),
    });
    lines.push(format!("results: {}", config.output.directory.display()));
    lines
}

fn as_json(survey: &Survey) -> Value {
    let text = |it: &dyn std::fmt::Display| it.to_string();
    let missing: Vec<Value> = survey
        .missing
        .iter()
        .map(|it| json!({ "first": text(&it.first), "last": text(&it.last), "sessions": it.sessions }))
        .collect();
    let contracts: Vec<Value> = survey
        .contracts
        .iter()
        .map(|it| json!({ "symbol": it.symbol, "first": text(&it.first), "last": text(&it.last) }))
        .collect();
    json!({
        "name": survey.name,
        "origin": survey.origin,
        "made_up": survey.made_up,
        "first_trading_day": survey.sessions.first().map(|it| text(it)),
        "last_trading_day": survey.sessions.last().map(|it| text(it)),
        "sessions": survey.sessions.len(),
        "ticks": survey.ticks,
        "warm_up_sessions": survey.warm_up_sessions,
        "warm_up_ticks": survey.warm_up_ticks,
        "missing": missing,
        "contracts": contracts,
        "decides_from": survey.decides_from.map(|it| text(&it)),
    })
}

/// Loads the model set and runs its golden cases; says what it contains, in lines and as JSON.
pub(super) fn check_models(config: &Config) -> Result<(Vec<String>, Value), Failure> {
    let set = open_model_set(config).map_err(Failure::usage)?;
    let backend = open_backend(config).map_err(Failure::usage)?;
    let difference = set.verify(backend.as_ref()).map_err(Failure::usage)?;
    let manifest = set.manifest();
    let mut lines = vec![
        format!("model set: {}", set.label()),
        format!("  {}", manifest.description),
        format!(
            "  golden cases on the {} backend: whole, off by {difference:.1e} at most ({GOLDEN_TOLERANCE} is allowed)",
            backend.name()
        ),
        format!(
            "  dropout {} on {:?} units, temperature {}, seed {}",
            manifest.dropout.probability,
            manifest.dropout.widths,
            manifest.calibration.temperature,
            manifest.seed
        ),
    ];
    let mut graphs = Vec::new();
    for GraphFile { file, inputs, outputs, .. } in set.files() {
        let (inputs, outputs) = (shapes_text(inputs), shapes_text(outputs));
        lines.push(format!("  {file}: {inputs} → {outputs}"));
        graphs.push(json!({ "file": file, "inputs": inputs, "outputs": outputs }));
    }
    let said = json!({
        "name": manifest.name,
        "origin": set.origin(),
        "sha256": set.sha256(),
        "trained": manifest.trained,
        "graphs": graphs,
        "golden_difference": difference,
    });
    Ok((lines, said))
}
