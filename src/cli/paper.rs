//! Paper trading, as users meet it.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::channel;
use std::time::Duration;

use serde_json::json;

use super::board::Board;
use super::check::{check_models, second};
use super::{Failure, say};
use crate::config::{Config, LiveSettings};
use crate::live::{Login, NotStarted, PaperError, Reporter, Watch, open_warm_up, run_paper};
use crate::market::Instrument;
use crate::performance::{HeldDirectory, RunRecord};
use crate::strategy::StrategyKind;

/// The time between two looks at the status.
const PACE: Duration = Duration::from_millis(250);

/// Runs a paper session until a signal ends it, and shows its status.
pub(super) fn run(
    held: &HeldDirectory,
    config: &Config,
    instrument: &Instrument,
    stop: &Arc<AtomicBool>,
    json: bool,
) -> Result<RunRecord, Failure> {
    let watch = &Watch::new(config, instrument);
    let (board, ended) = (&Board::new(json), &AtomicBool::new(false));
    let log = &|line: &str| board.news(line);
    let (over, sessions) = channel();
    let record = std::thread::scope(|scope| {
        let shown = scope.spawn(move || {
            let mut painter = board.painter();
            while !ended.load(Ordering::Relaxed) {
                painter.show(&watch.status());
                if let Some(session) = watch.take_session() {
                    over.send(session).expect("its receiver waits for the sender's end");
                }
                std::thread::park_timeout(PACE);
            }
            painter.finish();
        });
        // What is there before the run begins.
        let reporter = Reporter::new(held.path(), instrument.calendar);
        scope.spawn(move || {
            let news = sessions.iter().filter_map(|session| reporter.report(&session, ended));
            news.for_each(|line| board.news(&line));
        });
        let record = run_paper(held, config, &mut &*watch, watch, stop, log);
        ended.store(true, Ordering::Relaxed);
        shown.thread().unpark();
        record
    });
    record.map_err(|error| match error {
        PaperError::Run(error) => Failure::backtest(error),
        error @ PaperError::NotStarted(NotStarted::Unreachable(_)) => Failure::run(error),
        error => Failure::usage(error),
    })
}

/// Checks a configuration for paper trading: its login, its certificates, its warm-up. Nobody is
/// connected to.
pub(super) fn check(
    path: &Path,
    config: &Config,
    instrument: &Instrument,
    json: bool,
) -> Result<(), Failure> {
    let settings = &config.data_handler.live_settings;
    let models =
        (config.strategy.kind == StrategyKind::Marl).then(|| check_models(config)).transpose()?;
    let login = Login::read(settings).map_err(Failure::usage)?;
    let warm_up = open_warm_up(config, instrument).map_err(Failure::usage)?;
    let notes = config.notes();
    if json {
        let warm_up = warm_up.as_ref().map(|file| {
            json!({ "path": file.path(), "ticks": file.ticks().len(), "sha256": file.sha256() })
        });
        let mut said = json!({
            "configuration": path, "contract": settings.contract, "is_encrypted": login.is_encrypted,
            "warm_up": warm_up, "notes": notes,
        });
        if let Some((_, set)) = models {
            said["model_set"] = set;
        }
        say(said);
        return Ok(());
    }
    say(format!("{}: ok; nothing was connected to", path.display()));
    for line in login_lines(settings, &login) {
        say(line);
    }
    say(match &warm_up {
        None => "warm-up: no file; nothing is entered until enough bars have come".to_owned(),
        Some(file) => {
            let ticks = file.ticks();
            let span = match (ticks.first(), ticks.last()) {
                (Some(first), Some(last)) => {
                    format!(", {} to {}", second(first.time), second(last.time))
                }
                _ => String::new(),
            };
            format!("warm-up: {}: {} ticks{span}", file.path().display(), ticks.len())
        }
    });
    say(format!("results: {}", config.output.directory.display()));
    for line in models.map(|(lines, _)| lines).unwrap_or_default() {
        say(line);
    }
    for note in notes {
        say(format!("note: {note}"));
    }
    Ok(())
}

fn login_lines(settings: &LiveSettings, login: &Login) -> Vec<String> {
    let password = match &settings.password_file {
        Some(file) => format!("the password from {}", file.display()),
        None => "the password from the configuration".to_owned(),
    };
    let way = match (&settings.certificate_authority, login.is_encrypted) {
        (_, false) => "on this machine, without TLS".to_owned(),
        (None, true) => "TLS, verified by the certificates that this machine trusts".to_owned(),
        (Some(file), true) => format!("TLS, verified by {}", file.display()),
    };
    let contract = settings.contract.as_deref().unwrap_or("the front month");
    vec![
        format!("login: user, system and {password} are there"),
        format!("gateway: {way}"),
        format!("contract: {contract}"),
    ]
}
