//! A paper session, from its configuration to its record.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;

use super::login::{Login, LoginError};
use super::market::{Market, Names};
use super::plants::{EXCHANGE, NotStarted, Plants, queue};
use super::warm_up::{WarmUpError, open_warm_up};
use super::watch::Watch;
use crate::config::Config;
use crate::engine::Sink;
use crate::market::InstrumentError;
use crate::performance::{HeldDirectory, RunRecord};
use crate::run::{AssemblyError, BacktestError, Fed, run_fed, timers};
use crate::source::native::{ContractEntry, TickFileDescription};

/// The reason that a paper session did not run.
#[derive(Debug, thiserror::Error)]
pub enum PaperError {
    /// There is no login.
    #[error(transparent)]
    Login(#[from] LoginError),
    /// The file of the warm-up cannot be used.
    #[error(transparent)]
    WarmUp(#[from] WarmUpError),
    /// The instrument is not known.
    #[error(transparent)]
    Instrument(#[from] InstrumentError),
    /// The market did not start.
    #[error(transparent)]
    NotStarted(#[from] NotStarted),
    /// The run failed.
    #[error(transparent)]
    Run(#[from] BacktestError),
}

impl From<AssemblyError> for PaperError {
    fn from(error: AssemblyError) -> PaperError {
        PaperError::Run(error.into())
    }
}

/// Runs a paper session in `held` until `stop` is set: the gateway's market through the stages,
/// filled by the simulated exchange. `watch` sees every output, `eye` sees links and feed. The
/// ticks of the warm-up are the first events of the journal, so that the journals alone give the
/// run again.
///
/// # Errors
/// If the configuration cannot be used, the gateway cannot be reached or refuses, or the run fails.
pub fn run_paper(
    held: &HeldDirectory,
    config: &Config,
    watch: &mut (impl Sink + Send),
    eye: &Watch,
    stop: &Arc<AtomicBool>,
    log: &(dyn Fn(&str) + Sync),
) -> Result<RunRecord, PaperError> {
    let settings = &config.data_handler.live_settings;
    let instrument = &config.instrument()?;
    let login = Login::read(settings)?;
    let file = open_warm_up(config, instrument)?;
    let market = match &file {
        Some(file) => file.description().clone(),
        None => {
            let mut made = TickFileDescription::new(instrument, "live");
            made.contracts.clear();
            made
        }
    };
    // Faults of the configuration come before the first login.
    timers(config, instrument, &described(market.clone(), "?"))?;
    let (ended, (events, feed)) = (AtomicBool::new(false), queue());
    let (tell, started) = channel();
    let spacing = Duration::from_millis(settings.login_spacing_milliseconds.into());
    let stale = Duration::from_secs(settings.stale_after_seconds.into());
    let plants = Plants::new(&login, &instrument.symbol, spacing, events, tell, eye, log);
    let make = |symbol: &str| {
        let market = described(market.clone(), symbol);
        let timers = timers(config, instrument, &market).expect("it fits, as it did before");
        let is_real_time = !settings.simulated_pace;
        Market::new(names(&market, symbol), instrument, timers, stale, is_real_time)
    };
    std::thread::scope(|scope| {
        let _end = End(&ended);
        scope.spawn(|| plants.run(settings.contract.clone(), make, &ended));
        let contract = loop {
            match started.recv_timeout(Duration::from_millis(100)) {
                Ok(started) => break started?,
                Err(RecvTimeoutError::Timeout) if !stop.load(Ordering::Relaxed) => {}
                Err(_) => return Err(BacktestError::Stopped.into()),
            }
        };
        log(&format!("{contract} of {}: data come", settings.provider.name()));
        let warm_up = file.as_ref().map_or(&[][..], |file| file.ticks());
        let name = format!("{contract}, live");
        let description = described(market.clone(), &contract);
        let fed = Fed { feed, name, description, warm_up };
        Ok(run_fed(held, config, fed, watch, stop, log)?)
    })
}

/// Ends the links' thread when the session is over, however it ends.
struct End<'a>(&'a AtomicBool);

impl Drop for End<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Returns the description with that contract as its last.
fn described(mut market: TickFileDescription, symbol: &str) -> TickFileDescription {
    if market.contracts.iter().all(|contract| contract.symbol != symbol) {
        let price_offset = "0".to_owned();
        let entry = ContractEntry { symbol: symbol.to_owned(), expiry: None, price_offset };
        market.contracts.push(entry);
    }
    market
}

fn names(market: &TickFileDescription, symbol: &str) -> Names {
    let place = market.contracts.iter().position(|contract| contract.symbol == symbol);
    let contract = place.expect("it is described") as u16;
    Names { symbol: symbol.to_owned(), exchange: EXCHANGE.to_owned(), contract }
}
