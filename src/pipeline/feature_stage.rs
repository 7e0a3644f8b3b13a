//! Indicators and matrices as a stage: trades and closed bars in, feature rows and matrices out.

use crate::features::{FeatureEngine, FeatureRow, IndicatorSettings, SettingsError};
use crate::indicators::TradedVolume;
use crate::market::{Bar, Instrument, Price, Tick, Timeframe};
use crate::matrix::{FeatureMatrix, MatricesSettings, MatrixError};

/// Why the stage cannot be set up.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum FeatureStageError {
    /// The indicators cannot be such.
    #[error("indicators: {0}")]
    Indicators(#[from] SettingsError),
    /// A matrix cannot be such.
    #[error(transparent)]
    Matrix(#[from] MatrixError),
}

/// The feature engine and the matrices that it feeds.
///
/// A row is written at each close of a bar on which an indicator stands. The traded volume at each
/// price is kept while a bar of the volume profile's timeframe is open, if the ticks are trades.
#[derive(Clone, Debug)]
pub struct FeatureStage {
    engine: FeatureEngine,
    matrices: Vec<FeatureMatrix>,
    /// Empty where ticks were made from bars.
    traded: Vec<(Timeframe, TradedVolume)>,
    tick_size: Price,
    /// Ticks in a unit of price, and what a price is counted from so that a float holds it.
    ticks_in_a_unit: f64,
    counts: FeatureCounts,
}

/// What the stage left out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FeatureCounts {
    /// Bars that no market can have made: off the tick grid.
    pub malformed_bars: u64,
}

impl FeatureStage {
    /// A stage that has seen nothing, where bars of `timeframes` are built. `ticks_are_trades` says
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
        for (name, given, default) in matrices.all() {
            match given {
                Some(settings) => made.push(FeatureMatrix::new(name, settings, engine.layout())?),
                // Without its features a default matrix is left out.
                None => made.extend(FeatureMatrix::new(name, &default, engine.layout())),
            }
        }
        let with_profile = |timeframe: &&Timeframe| engine.low_volume_node(**timeframe).is_some();
        let traded = engine
            .layout()
            .timeframes()
            .iter()
            .filter(|_| ticks_are_trades)
            .filter(with_profile)
            .map(|&timeframe| (timeframe, TradedVolume::default()))
            .collect();
        Ok(FeatureStage {
            engine,
            matrices: made,
            traded,
            tick_size: instrument.tick_size,
            ticks_in_a_unit: 1.0 / instrument.tick_size.units() as f64,
            counts: FeatureCounts::default(),
        })
    }

    /// The engine, with layout and row.
    pub fn engine(&self) -> &FeatureEngine {
        &self.engine
    }

    /// The matrices that there are.
    pub fn matrices(&self) -> &[FeatureMatrix] {
        &self.matrices
    }

    /// What was left out.
    pub fn counts(&self) -> FeatureCounts {
        self.counts
    }

    /// Takes a trade that the open bar took.
    #[inline(always)]
    pub fn on_trade(&mut self, tick: &Tick) {
        for (_, traded) in &mut self.traded {
            // Several times faster than a whole division, and as exact: the sum's low bits hold the
            // product rounded to a whole number, as long as that is below 2⁵¹.
            const ROUNDER: f64 = (3u64 << 51) as f64;
            let product = tick.price.units() as f64 * self.ticks_in_a_unit;
            let ticks = (product + ROUNDER).to_bits() as i64 - ROUNDER.to_bits() as i64;
            traded.add(ticks, tick.size);
        }
    }

    /// Takes a closed bar; returns its row, if an indicator stands on its timeframe.
    #[inline]
    pub fn on_bar(&mut self, bar: &Bar) -> Option<&FeatureRow> {
        let FeatureStage { engine, matrices, traded, counts, .. } = self;
        let trades = traded.iter_mut().find(|(timeframe, _)| *timeframe == bar.timeframe);
        let trades = trades.map(|(_, trades)| trades);
        let written = engine.update(bar, trades.as_deref());
        if let Some(trades) = trades {
            trades.clear();
        }
        match written {
            Ok(Some(_)) => {}
            Ok(None) => return None,
            Err(_) => {
                counts.malformed_bars += 1;
                return None;
            }
        }
        for matrix in matrices {
            matrix.update(engine);
        }
        Some(engine.row())
    }

    /// The series goes on at `new` in another contract, where the old one ended at `old`: everything
    /// remembered moves by the difference.
    pub fn on_contract_change(&mut self, old: Price, new: Price) {
        self.engine.shift(new.ticks_from(old, self.tick_size));
    }
}
