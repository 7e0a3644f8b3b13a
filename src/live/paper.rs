//! A paper session, from its configuration to its record.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use super::login::{Login, LoginError};
use super::market::Market;
use super::plants::{Learned, NotStarted, Plants, SeamNews, queue};
use super::series::{Series, contract_of, describe, in_front, named};
use super::warm_up::{WarmUpError, open_warm_up};
use super::watch::Watch;
use crate::config::Config;
use crate::engine::{Event, Sink};
use crate::market::{Contract, Instrument, InstrumentError, Timestamp};
use crate::performance::{HeldDirectory, RunRecord};
use crate::run::{
    AssemblyError, BacktestError, Fed, JournalChain, JournalHeader, LastTick, Past, Threads,
    run_fed, timers, unfinished,
};
use crate::source::native::{TickFile, TickFileDescription};

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
    let chain = unfinished(held).map_err(BacktestError::from)?;
    let warm_up = file.as_ref().map_or(&[][..], |file| file.ticks());
    let past = Past::new(chain, warm_up).map_err(BacktestError::from)?;
    let earlier = Earlier::of(past.chain())?;
    let start = Start::of(config, instrument, file.as_ref(), earlier, past.last());
    // Faults of the configuration come before the first login.
    timers(config, instrument, &start.market)?;
    let threads = Threads::place(config, log)?;
    let (place, shared) = threads.links();
    let (ended, (events, feed)) = (AtomicBool::new(false), queue());
    let ((tell, started), (tell_seam, seam)) = (channel(), channel());
    let patience = Duration::from_secs(settings.history_patience_seconds.into());
    let tell = (tell, tell_seam);
    let plants = Plants::new(settings, &login, &instrument.symbol, events, tell, eye, log);
    std::thread::scope(|scope| {
        let _end = End(&ended);
        scope.spawn(|| {
            if let Some(outcome) = place.take_place(&shared) {
                log(&format!("{}: {outcome}", place.role));
            }
            plants.run(|learned| start.begin(learned), place.wait, &ended);
        });
        let (contract, description) = loop {
            match started.recv_timeout(Duration::from_millis(100)) {
                Ok(started) => break started?,
                Err(RecvTimeoutError::Timeout) if !stop.load(Ordering::Relaxed) => {}
                Err(_) => return Err(BacktestError::Stopped.into()),
            }
        };
        log(&format!("{contract} of {}: data come", settings.provider.name()));
        let trades_from = await_seam(&seam, patience, stop, log)?;
        let name = format!("{contract}, live");
        let gauge = eye.gauge();
        let fed = Fed { feed, name, description, past, trades_from, threads, gauge };
        Ok(run_fed(held, config, fed, watch, stop, log)?)
    })
}

/// The facts that a market begins with, before the gateway has told anything.
struct Start<'a> {
    config: &'a Config,
    instrument: &'a Instrument,
    /// The market of the warm-up, or of the run that continues.
    market: TickFileDescription,
    earlier: Option<Earlier>,
    /// The last tick that is known.
    last: Option<LastTick>,
}

impl<'a> Start<'a> {
    fn of(
        config: &'a Config,
        instrument: &'a Instrument,
        file: Option<&TickFile>,
        earlier: Option<Earlier>,
        last: Option<LastTick>,
    ) -> Start<'a> {
        let market = match (&earlier, file) {
            (Some(earlier), _) => earlier.description.clone(),
            (None, Some(file)) => file.description().clone(),
            (None, None) => {
                let mut made = TickFileDescription::new(instrument, "live");
                made.contracts.clear();
                made
            }
        };
        Start { config, instrument, market, earlier, last }
    }

    /// Returns the market, and its description, of what the gateway has told.
    fn begin(&self, learned: &Learned) -> Result<(Market, TickFileDescription), NotStarted> {
        let Start { config, instrument, earlier, .. } = self;
        let settings = &config.data_handler.live_settings;
        let mut market = self.market.clone();
        let at = learned.time.unwrap_or_else(Timestamp::now);
        let held = earlier.as_ref().and_then(|it| it.contract(instrument, at));
        let first = match (&held, &settings.contract) {
            (Some(held), _) => held.clone(),
            (None, Some(name)) => {
                named(name, instrument, at).ok_or_else(|| NotStarted::Contract(name.clone()))?
            }
            (None, None) => {
                let front = learned.front.as_ref().and_then(|name| named(name, instrument, at));
                let front = front.or_else(|| in_front(instrument, at));
                front.ok_or_else(|| NotStarted::NoFrontMonth(instrument.symbol.clone()))?
            }
        };
        if held.is_none() {
            describe(&mut market, instrument, &first, settings.contract.is_some());
        }
        let rule = settings.roll.rule(instrument.calendar);
        let series = Series::new(&market, instrument, rule, &first, held.is_some());
        let timers = timers(config, instrument, &market).expect("it fits, as it did before");
        let stale = Duration::from_secs(settings.stale_after_seconds.into());
        let is_real_time = !settings.simulated_pace;
        let mut begun = Market::new(series, instrument, timers, stale, is_real_time);
        let patience = Duration::from_secs(settings.history_patience_seconds.into());
        begun.begin_after(self.last, patience);
        Ok((begun, market))
    }
}

/// Waits until nothing more comes of the seam before the market's first trade. Returns the time
/// from which the run trades, if trades have come from history.
///
/// # Errors
/// If `stop` is set.
fn await_seam(
    seam: &Receiver<SeamNews>,
    patience: Duration,
    stop: &AtomicBool,
    log: &(dyn Fn(&str) + Sync),
) -> Result<Option<Timestamp>, PaperError> {
    /// The time for which the first trade is waited for.
    const FIRST_TRADE: Duration = Duration::from_secs(10);
    let mut until = Instant::now() + FIRST_TRADE;
    loop {
        match seam.recv_timeout(Duration::from_millis(50)) {
            // The market itself says when that is over.
            Ok(SeamNews::Asked) => until = Instant::now() + patience + FIRST_TRADE,
            Ok(SeamNews::Over(trades_from)) => return Ok(trades_from),
            Err(RecvTimeoutError::Disconnected) => return Ok(None),
            Err(_) if stop.load(Ordering::Relaxed) => return Err(BacktestError::Stopped.into()),
            Err(_) if Instant::now() < until => {}
            Err(_) => {
                log(
                    "warm-up: no trade has come; the run begins, and history is asked at the first",
                );
                return Ok(None);
            }
        }
    }
}

/// The run that an earlier process has begun.
struct Earlier {
    description: TickFileDescription,
    /// The contract of the last tick of its market, by its number.
    contract: Option<u16>,
}

impl Earlier {
    /// Reads it from its journals; `None` if there is no such run.
    fn of(chain: Option<&JournalChain>) -> Result<Option<Earlier>, BacktestError> {
        let Some(chain) = chain else { return Ok(None) };
        let JournalHeader { description, trades_from, .. } = chain.header()?;
        let from = trades_from.unwrap_or(Timestamp::MIN);
        let mut contract = None;
        for event in chain.events() {
            if let (_, Event::Tick(tick)) = event?
                && tick.time >= from
            {
                contract = Some(tick.contract);
            }
        }
        Ok(Some(Earlier { description, contract }))
    }

    fn contract(&self, instrument: &Instrument, at: Timestamp) -> Option<Contract> {
        let entry = self.description.contracts.get(usize::from(self.contract?))?;
        contract_of(entry, instrument, at)
    }
}

/// Ends the links' thread when the session is over, however it ends.
struct End<'a>(&'a AtomicBool);

impl Drop for End<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}
