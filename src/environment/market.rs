//! A history with everything in it that does not depend on what is decided.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::agents::model_set::FeatureSchema;
use crate::agents::{RiskRules, volatility_input};
use crate::config::Config;
use crate::engine::{NullSink, Pipeline, TradingStage};
use crate::execution::{Account, Decision, ExitReason};
use crate::market::{Bar, Instrument, Price, Session, Tick, Timeframe, Timestamp};
use crate::matrix::{MatricesSettings, MatrixKind, MatrixSettings};
use crate::run::history::{History, HistoryError, Preparation};
use crate::run::{BacktestError, Conditions, pipeline};
use crate::source::native::TickFileDescription;
use crate::strategy::{Levels, Observation, Observer, Strategy};

/// Ticks between two looks at the stop flag and the progress.
const BATCH: usize = 1 << 16;

/// A history, the rows of its matrices, and the stages that its episodes begin with.
#[derive(Debug)]
pub struct Market {
    history: History,
    schema: FeatureSchema,
    rules: RiskRules,
    /// Stages that have seen nothing.
    beginning: TradingStage,
    rows: [MatrixRows; MatrixKind::ALL.len()],
    closes: Vec<Close>,
    sessions: Vec<SessionSpan>,
}

/// Every row of one matrix over the whole history, scaled, oldest first. Zeros stand for each hole.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct MatrixRows {
    /// Numbers in a row.
    pub width: usize,
    /// Rows in the matrix's window.
    pub window: usize,
    /// Row after row.
    pub cells: Vec<f32>,
}

impl MatrixRows {
    /// Returns their number.
    pub fn count(&self) -> usize {
        self.cells.len() / self.width.max(1)
    }

    /// Returns the window whose newest row has this number (1, 2, 3, …), oldest row first; `None`
    /// if it begins before the first row.
    pub fn window(&self, newest: u32) -> Option<&[f32]> {
        let end = newest as usize * self.width;
        let start = end.checked_sub(self.window * self.width)?;
        self.cells.get(start..end)
    }
}

/// A close at which the decision seat is asked, and what it sees there beside its account.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Close {
    /// End of the bar.
    pub bar_end: Timestamp,
    /// Number of each matrix's newest row, by [`MatrixKind`]; 0 before the first.
    pub newest: [u32; MatrixKind::ALL.len()],
    /// `true` if every matrix is whole: no decision comes before.
    pub is_ready: bool,
    /// Levels by which orders are measured.
    pub levels: Levels,
    /// The range of the market as the networks see it.
    pub volatility: f32,
    /// The session, from 0, as in [`Market::sessions`].
    pub session: u32,
    /// The bar's last price.
    pub price: Price,
    /// Ticks of the bar.
    pub ticks: u32,
}

/// The ticks and closes of a session that had ticks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SessionSpan {
    /// Its open.
    pub open: Timestamp,
    /// Its first tick, from 0.
    pub first_tick: usize,
    /// Its first close, from 0.
    pub first_close: usize,
    /// `true` if a decision may come at one of its closes.
    pub is_ready: bool,
}

/// The reason why the market cannot be prepared.
#[derive(Debug, thiserror::Error)]
pub enum MarketError {
    /// The configuration or the history cannot be used.
    #[error(transparent)]
    Backtest(#[from] BacktestError),
    /// It was asked to stop.
    #[error("stopped while the market was being prepared")]
    Stopped,
    /// Nothing could ever be decided.
    #[error(
        "{history}: its {sessions} sessions are too few for every matrix to be whole; agents first decide after about six sessions of ES"
    )]
    NeverReady {
        /// The history.
        history: String,
        /// Its sessions.
        sessions: usize,
    },
}

impl Market {
    /// Opens, imports or generates the configured history and takes it through the feature stage.
    /// The matrices are the configured ones. `progress` is told ticks or units of the preparation,
    /// done and in all.
    ///
    /// # Errors
    /// If configuration or history cannot be used, `stop` is set, or the history is too short to
    /// decide in.
    pub fn prepare(
        config: &Config,
        stop: &Arc<AtomicBool>,
        progress: &mut dyn FnMut(u64, u64),
    ) -> Result<Market, MarketError> {
        let instrument = config.instrument().map_err(BacktestError::from)?;
        let on_preparation = &mut |Preparation { done, total }| progress(done, total);
        let working = &config.output.directory;
        std::fs::create_dir_all(working)
            .map_err(|source| HistoryError::Folder { path: working.clone(), source })
            .map_err(BacktestError::from)?;
        let history = History::open(config, &instrument, working, stop, on_preparation)
            .map_err(BacktestError::from)?;
        let matrices = whole_matrices(config);
        let schema = FeatureSchema::of(&config.indicators, &matrices);
        let rules = RiskRules::new(config.risk_management, &instrument);
        let description = history.file.description();
        let kinds = MatrixKind::ALL.map(|kind| schema.matrices.of(kind));
        let rows = kinds.map(|matrix| MatrixRows {
            width: matrix.columns.len(),
            window: matrix.rows,
            cells: Vec::new(),
        });
        let recorder = RowRecorder {
            timeframe: schema.matrices.tactical.timeframe,
            rows,
            whole: [0; MatrixKind::ALL.len()],
            levels: Levels::NONE,
            closes: Vec::new(),
        };
        let decides_on = recorder.timeframe;
        let simulated = || Conditions::simulated(config, &instrument);
        let mut stages =
            pipeline(config, &instrument, description, &matrices, recorder, simulated())
                .map_err(BacktestError::from)?;
        let observer = Observer(decides_on);
        let fresh = pipeline(config, &instrument, description, &matrices, observer, simulated());
        let (beginning, ..) = fresh.map_err(BacktestError::from)?.into_parts();

        let starts = walk(&mut stages, &history, &instrument, stop, progress)?;
        stages.finish(ExitReason::EndOfData, &mut NullSink);
        let (_, _, recorder) = stages.into_parts();
        let RowRecorder { rows, mut closes, .. } = recorder;
        let sessions = spans(&starts, &mut closes, instrument.tick_size);
        if !closes.iter().any(|close| close.is_ready) {
            let (history, sessions) = (history.name, sessions.len());
            return Err(MarketError::NeverReady { history, sessions });
        }
        Ok(Market { history, schema, rules, beginning, rows, closes, sessions })
    }

    /// Returns the schema of what the networks see: a set that is trained here has it in its
    /// manifest.
    pub fn schema(&self) -> &FeatureSchema {
        &self.schema
    }

    /// Returns the rules of every proposal.
    pub fn rules(&self) -> &RiskRules {
        &self.rules
    }

    /// Returns the history's name, as the user would call it.
    pub fn name(&self) -> &str {
        &self.history.name
    }

    /// Returns its tick file's description of it.
    pub fn description(&self) -> &TickFileDescription {
        self.history.file.description()
    }

    /// Returns SHA-256 of what the user gave; it reads all of it.
    ///
    /// # Errors
    /// If a file cannot be read any more.
    pub fn sha256(&self) -> Result<String, MarketError> {
        Ok(self.history.sha256().map_err(BacktestError::from)?)
    }

    /// Returns the ticks.
    pub fn ticks(&self) -> &[Tick] {
        self.history.ticks()
    }

    /// Returns the rows of a matrix.
    pub fn rows(&self, matrix: MatrixKind) -> &MatrixRows {
        &self.rows[matrix as usize]
    }

    /// Returns every close at which the decision seat is asked, in order of time.
    pub fn closes(&self) -> &[Close] {
        &self.closes
    }

    /// Returns every session that has ticks, in order of time.
    pub fn sessions(&self) -> &[SessionSpan] {
        &self.sessions
    }

    /// Returns stages that have seen nothing.
    pub(super) fn beginning(&self) -> &TradingStage {
        &self.beginning
    }

    /// Returns the close of the bar that ends then, looked for from the close of this number on.
    pub(super) fn close_at(&self, bar_end: Timestamp, from: usize) -> Option<usize> {
        // It is the next one but for gaps: looked for by halves, it took longer than the ticks up
        // to it, in cache misses.
        let place = from + self.closes[from..].iter().position(|close| close.bar_end >= bar_end)?;
        (self.closes[place].bar_end == bar_end).then_some(place)
    }
}

/// Takes the history through the stages. Returns each session that has ticks, and the number of its
/// first one.
fn walk(
    stages: &mut Pipeline<RowRecorder>,
    history: &History,
    instrument: &Instrument,
    stop: &AtomicBool,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<Vec<(Session, usize)>, MarketError> {
    let ticks = history.ticks();
    let mut starts: Vec<(Session, usize)> = Vec::new();
    let mut close = Timestamp::MIN;
    for (batch, start) in ticks.chunks(BATCH).zip((0..).step_by(BATCH)) {
        if stop.load(Ordering::Relaxed) {
            return Err(MarketError::Stopped);
        }
        for (tick, number) in batch.iter().zip(start..) {
            if tick.time >= close {
                let session = instrument.calendar.session_at_or_after(tick.time);
                if session.open <= tick.time {
                    starts.push((session, number));
                    close = session.close;
                }
            }
            stages.on_tick(tick, &mut NullSink);
        }
        progress((start + batch.len()) as u64, ticks.len() as u64);
    }
    Ok(starts)
}

/// Returns the sessions, and completes their closes.
fn spans(starts: &[(Session, usize)], closes: &mut [Close], tick_size: Price) -> Vec<SessionSpan> {
    let mut sessions = Vec::with_capacity(starts.len());
    let mut first_close = 0;
    for (number, &(session, first_tick)) in starts.iter().enumerate() {
        let of_it = closes[first_close..].partition_point(|close| close.bar_end <= session.close);
        let closes = &mut closes[first_close..first_close + of_it];
        for close in &mut *closes {
            close.session = number as u32;
            close.volatility = volatility_input(&close.levels, tick_size);
        }
        let is_ready = closes.iter().any(|close| close.is_ready);
        sessions.push(SessionSpan { open: session.open, first_tick, first_close, is_ready });
        first_close += of_it;
    }
    sessions
}

/// Returns the configured matrices, or their defaults.
fn whole_matrices(config: &Config) -> MatricesSettings {
    let matrix = |kind: MatrixKind| {
        let given = config.matrices.given(kind).cloned();
        Some(given.unwrap_or_else(|| MatrixSettings::default_of(kind)))
    };
    MatricesSettings {
        structure: matrix(MatrixKind::Structure),
        tactical: matrix(MatrixKind::Tactical),
        regime: matrix(MatrixKind::Regime),
        context: matrix(MatrixKind::Context),
    }
}

/// A strategy that decides nothing and records what it sees.
struct RowRecorder {
    timeframe: Timeframe,
    rows: [MatrixRows; MatrixKind::ALL.len()],
    /// Number of each matrix's newest rows that are warm without a break.
    whole: [usize; MatrixKind::ALL.len()],
    levels: Levels,
    closes: Vec<Close>,
}

impl Strategy for RowRecorder {
    fn timeframe(&self) -> Timeframe {
        self.timeframe
    }

    fn observes(&self) -> bool {
        true
    }

    fn observe(&mut self, observation: &Observation) {
        self.levels = observation.levels;
        for kind in MatrixKind::ALL {
            let Some(row) = observation.row(kind) else { continue };
            let (rows, whole) = (&mut self.rows[kind as usize], &mut self.whole[kind as usize]);
            // A number is left out at each hole, over which no window is whole.
            while rows.count() + 1 < row.number as usize {
                rows.cells.resize(rows.cells.len() + rows.width, 0.0);
                *whole = 0;
            }
            rows.cells.extend_from_slice(row.cells);
            *whole = if row.is_warm { *whole + 1 } else { 0 };
        }
    }

    fn on_bar(&mut self, bar: &Bar, _: u64, _: &Account) -> Option<Decision> {
        let is_whole = |(whole, rows): (&usize, &MatrixRows)| *whole >= rows.window;
        self.closes.push(Close {
            bar_end: bar.end,
            newest: [0, 1, 2, 3].map(|kind: usize| self.rows[kind].count() as u32),
            is_ready: self.whole.iter().zip(&self.rows).all(is_whole),
            levels: self.levels,
            volatility: 0.0,
            session: 0,
            price: bar.close,
            ticks: bar.ticks,
        });
        None
    }

    fn restart(&mut self) {}
}
