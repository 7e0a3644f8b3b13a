//! Indicators and matrices as a stage: trades and closed bars in, feature rows and matrices out.

use crate::features::{FeatureEngine, FeatureRow, IndicatorSettings, SettingsError};
use crate::indicators::TradedVolume;
use crate::market::{Bar, Instrument, Price, Tick, TickDivision, Timeframe};
use crate::matrix::{FeatureMatrix, MatricesSettings, MatrixError, MatrixKind, MatrixSettings};
use crate::strategy::{Levels, Observation};

/// The reason why a series does not continue from its last bar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Break {
    /// It moves to another contract, and remembered prices are shifted to that contract's.
    Contract,
    /// Whole sessions are missing, with unknown prices.
    MissingSessions,
}

/// The reason why the stage cannot be set up.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum FeatureStageError {
    /// The settings of the indicators are invalid.
    #[error("indicators: {0}")]
    Indicators(#[from] SettingsError),
    /// The settings of a matrix are invalid.
    #[error(transparent)]
    Matrix(#[from] MatrixError),
}

/// The feature engine and the matrices that it feeds.
///
/// A row is written at each close of a bar on which an indicator stands. The volume traded at each
/// price is kept while a bar of the volume profile's timeframe is open, if the ticks are trades.
#[derive(Clone, Debug)]
pub struct FeatureStage {
    engine: FeatureEngine,
    matrices: Vec<FeatureMatrix>,
    /// Trades of the open bar of the shortest timeframe with a profile; `None` where ticks were
    /// made from bars.
    traded: Option<(Timeframe, TradedVolume)>,
    /// Trades of the open bars of longer timeframes, as far as the shortest has closed.
    traded_longer: Vec<(Timeframe, TradedVolume)>,
    level_columns: LevelColumns,
    tick_size: Price,
    division: TickDivision,
    malformed_bars: u64,
}

/// The columns of the levels that orders are measured by.
#[derive(Clone, Debug, Default)]
struct LevelColumns {
    average_true_range: Option<usize>,
    above: Option<(usize, usize)>,
    below: Option<(usize, usize)>,
}

impl LevelColumns {
    fn new(engine: &FeatureEngine, matrices: &[FeatureMatrix]) -> LevelColumns {
        let column = |kind: MatrixKind, name: &str| {
            let matrix = matrices.iter().find(|matrix| matrix.kind() == kind)?;
            engine.layout().column(&format!("{name}_{}", matrix.settings().timeframe))
        };
        let node = |price: &str, strength: &str| {
            column(MatrixKind::Context, price).zip(column(MatrixKind::Context, strength))
        };
        LevelColumns {
            average_true_range: column(MatrixKind::Tactical, "atr"),
            above: node("lvn_above", "lvn_above_strength"),
            below: node("lvn_below", "lvn_below_strength"),
        }
    }

    fn read(&self, row: &FeatureRow) -> Levels {
        let value = |column: usize| row.values[column];
        let pair = |columns: Option<(usize, usize)>| {
            columns
                .map_or((f64::NAN, f64::NAN), |(price, strength)| (value(price), value(strength)))
        };
        Levels {
            average_true_range: self.average_true_range.map_or(f64::NAN, value),
            above: pair(self.above),
            below: pair(self.below),
        }
    }
}

/// Counts of input that the stage left out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FeatureCounts {
    /// Bars off the tick grid, which no market can have made.
    pub malformed_bars: u64,
    /// Bars whose trades at each price do not add up to their volume, which was spread evenly in
    /// the profile.
    pub disagreeing_trades: u64,
}

impl FeatureStage {
    /// Creates a stage that has seen nothing, for bars of `timeframes`. `ticks_are_trades` says
    /// whether a tick's price and size are those of a trade.
    ///
    /// # Errors
    /// If a setting is out of its range, or a given matrix asks for a feature that is not computed.
    pub fn new(
        indicators: &IndicatorSettings,
        matrices: &MatricesSettings,
        timeframes: &[Timeframe],
        instrument: &Instrument,
        ticks_are_trades: bool,
    ) -> Result<FeatureStage, FeatureStageError> {
        let engine = FeatureEngine::new(indicators, timeframes, instrument)?;
        let mut made = Vec::new();
        for kind in MatrixKind::ALL {
            match matrices.given(kind) {
                Some(settings) => made.push(FeatureMatrix::new(kind, settings, engine.layout())?),
                // Without its features a default matrix is left out.
                None => {
                    let settings = MatrixSettings::default_of(kind);
                    made.extend(FeatureMatrix::new(kind, &settings, engine.layout()));
                }
            }
        }
        let level_columns = LevelColumns::new(&engine, &made);
        let with_profile = |timeframe: &Timeframe| engine.low_volume_node(*timeframe).is_some();
        let timeframes = engine.layout().timeframes().iter().copied().filter(with_profile);
        let mut traded = timeframes
            .filter(|_| ticks_are_trades)
            .map(|timeframe| (timeframe, TradedVolume::default()));
        let (traded, traded_longer) = (traded.next(), traded.collect());
        Ok(FeatureStage {
            engine,
            matrices: made,
            traded,
            traded_longer,
            level_columns,
            tick_size: instrument.tick_size,
            division: TickDivision::new(instrument.tick_size),
            malformed_bars: 0,
        })
    }

    /// Returns the engine, with layout and row.
    pub fn engine(&self) -> &FeatureEngine {
        &self.engine
    }

    /// Returns the matrices.
    pub fn matrices(&self) -> &[FeatureMatrix] {
        &self.matrices
    }

    /// Returns in one line what is missing until every matrix is whole; `None` if nothing is.
    pub fn missing(&self) -> Option<String> {
        let missing = |matrix: &FeatureMatrix| {
            let rest = matrix.missing(&self.engine)?;
            Some(format!("matrix {} needs {rest}", matrix.name()))
        };
        let all: Vec<String> = self.matrices.iter().filter_map(missing).collect();
        (!all.is_empty()).then(|| all.join("; "))
    }

    /// Returns the counts of input that was left out.
    pub fn counts(&self) -> FeatureCounts {
        FeatureCounts {
            malformed_bars: self.malformed_bars,
            disagreeing_trades: self.engine.disagreeing_trades(),
        }
    }

    /// Takes a trade that the open bar took.
    #[inline(always)]
    pub fn on_trade(&mut self, tick: &Tick) {
        if let Some((_, traded)) = &mut self.traded {
            traded.add(self.division.ticks(tick.price), tick.size);
        }
    }

    /// Takes a closed bar. Returns its row if an indicator stands on its timeframe.
    #[inline]
    pub fn on_bar(&mut self, bar: &Bar) -> Option<&FeatureRow> {
        let FeatureStage { engine, matrices, traded, traded_longer, malformed_bars, .. } = self;
        if let Some((shortest, trades)) = traded
            && *shortest == bar.timeframe
        {
            for (_, longer) in traded_longer.iter_mut() {
                longer.add_all(trades);
            }
        }
        let mut profiles = traded.iter_mut().chain(traded_longer);
        let trades = profiles.find(|(timeframe, _)| *timeframe == bar.timeframe);
        let trades = trades.map(|(_, trades)| trades);
        let written = engine.update(bar, trades.as_deref());
        if let Some(trades) = trades {
            trades.clear();
        }
        match written {
            Ok(Some(_)) => {}
            Ok(None) => return None,
            Err(_) => {
                *malformed_bars += 1;
                return None;
            }
        }
        for matrix in matrices {
            matrix.update(engine);
        }
        Some(engine.row())
    }

    /// Returns the strategy's observation after [`FeatureStage::on_bar`] wrote a row.
    pub fn observation(&self) -> Observation {
        let row = self.engine.row();
        let mut observation = Observation::EMPTY;
        observation.levels = self.level_columns.read(row);
        for matrix in &self.matrices {
            if matrix.settings().timeframe == row.bar.timeframe {
                let (number, is_warm) = matrix.newest();
                observation.add(matrix.kind(), number, is_warm, matrix.newest_row());
            }
        }
        observation
    }

    /// Restarts: the series does not continue from the last bar. After a hole a matrix is whole
    /// only when all of its rows, and every window that they were computed from, lie behind the
    /// hole. In another contract they continue, moved by [`FeatureStage::on_contract_change`].
    pub fn on_restart(&mut self, why: Break) {
        if why == Break::MissingSessions {
            self.engine.restart_after_gap();
            self.matrices.iter_mut().for_each(FeatureMatrix::restart_after_gap);
        }
    }

    /// Moves all remembered prices by the difference between two contracts: the series continues at
    /// `new` where the old one ended at `old`.
    pub fn on_contract_change(&mut self, old: Price, new: Price) {
        self.engine.shift(new.ticks_from(old, self.tick_size));
    }
}
