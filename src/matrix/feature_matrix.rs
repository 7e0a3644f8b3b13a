//! A matrix that is fed by feature rows.

use super::normaliser::{Normaliser, ScaleError};
use super::rolling::{NotReady, RollingMatrix};
use super::settings::{MatrixKind, MatrixSettings};
use crate::features::{FeatureEngine, FeatureLayout, Unit};
use crate::market::Timeframe;

/// A rolling window of chosen features, updated on the close of its own bars only.
#[derive(Clone, Debug)]
pub struct FeatureMatrix {
    kind: MatrixKind,
    settings: MatrixSettings,
    columns: Vec<FeatureColumn>,
    /// For each timeframe by its place in the layout: the last first valid bar of the columns on
    /// it.
    warm_after: Vec<Option<usize>>,
    window: RollingMatrix,
    /// One row in the features' own units.
    row: Vec<f64>,
    /// Rows so far, and whether the last was warm.
    rows: u64,
    is_warm: bool,
}

#[derive(Clone, Copy, Debug)]
struct FeatureColumn {
    feature: usize,
    per: Option<usize>,
}

/// An invalid matrix.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum MatrixError {
    /// No such feature is computed.
    #[error(
        "matrices.{matrix}.columns[{column}]: there is no feature `{feature}`; name one of docs/features.md, on a timeframe on which its indicator is computed"
    )]
    Feature {
        /// The matrix.
        matrix: &'static str,
        /// The column, counted from 0.
        column: usize,
        /// The name that it asks for.
        feature: String,
    },
    /// A price says nothing by itself, and jumps at every contract roll.
    #[error(
        "matrices.{matrix}.columns[{column}]: `{feature}` is a price; name a distance, such as `nw_dev_30m`, or a ratio"
    )]
    Price {
        /// The matrix.
        matrix: &'static str,
        /// The column, counted from 0.
        column: usize,
        /// The name that it asks for.
        feature: String,
    },
    /// Nothing is computed on its bars.
    #[error(
        "matrices.{matrix}: no indicator is computed on bars of {timeframe}; add the timeframe to `bars.timeframes` and `indicators.timeframes`"
    )]
    Timeframe {
        /// The matrix.
        matrix: &'static str,
        /// Its bars.
        timeframe: Timeframe,
    },
    /// Too small or too large.
    #[error("matrices.{matrix}: {what} must be 1 to {most}, not {value}")]
    Size {
        /// The matrix.
        matrix: &'static str,
        /// `rows` or the number of columns.
        what: &'static str,
        /// Number asked for.
        value: usize,
        /// Largest number allowed.
        most: usize,
    },
    /// A scale is invalid.
    #[error("matrices.{matrix}.columns[{column}]: {source}")]
    Scale {
        /// The matrix.
        matrix: &'static str,
        /// The column, counted from 0.
        column: usize,
        /// Which and why.
        source: ScaleError,
    },
}

impl MatrixError {
    /// Returns the column that is at fault, counted from 0, if one is.
    pub fn column(&self) -> Option<usize> {
        match self {
            Self::Feature { column, .. }
            | Self::Price { column, .. }
            | Self::Scale { column, .. } => Some(*column),
            Self::Timeframe { .. } | Self::Size { .. } => None,
        }
    }
}

impl FeatureMatrix {
    /// Most columns that a matrix can have.
    pub const MOST_COLUMNS: usize = 64;

    /// Creates an empty window over rows of that layout.
    ///
    /// # Errors
    /// If a feature is not there, or the settings are out of their ranges.
    pub fn new(
        kind: MatrixKind,
        settings: &MatrixSettings,
        layout: &FeatureLayout,
    ) -> Result<FeatureMatrix, MatrixError> {
        let (name, timeframe) = (kind.name(), settings.timeframe);
        if layout.place(timeframe).is_none() {
            return Err(MatrixError::Timeframe { matrix: name, timeframe });
        }
        for (what, value, most) in [
            ("rows", settings.rows, 1000),
            ("the number of columns", settings.columns.len(), FeatureMatrix::MOST_COLUMNS),
        ] {
            if !(1..=most).contains(&value) {
                return Err(MatrixError::Size { matrix: name, what, value, most });
            }
        }
        let mut warm_after = vec![None; layout.timeframes().len()];
        let mut column_of = |column: usize, feature: &str| {
            let feature = feature.to_owned();
            let Some(place) = layout.column(&feature) else {
                return Err(MatrixError::Feature { matrix: name, column, feature });
            };
            let field = &layout.fields()[place];
            if field.unit == Unit::Price {
                return Err(MatrixError::Price { matrix: name, column, feature });
            }
            if let Some(bars) = field.timeframe.and_then(|timeframe| layout.place(timeframe)) {
                warm_after[bars] = warm_after[bars].max(Some(field.first_valid));
            }
            Ok(place)
        };
        let (mut columns, mut normalisers) = (Vec::new(), Vec::new());
        for (at, column) in settings.columns.iter().enumerate() {
            let feature = column_of(at, &column.feature)?;
            let per = column.per.as_deref().map(|per| column_of(at, per)).transpose()?;
            columns.push(FeatureColumn { feature, per });
            let scale = Normaliser::new(column.scale);
            let refused = |source| MatrixError::Scale { matrix: name, column: at, source };
            normalisers.push(scale.map_err(refused)?);
        }
        let window = RollingMatrix::new(settings.rows, normalisers);
        let row = vec![0.0; columns.len()];
        let settings = settings.clone();
        let (rows, is_warm) = (0, false);
        Ok(FeatureMatrix { kind, settings, columns, warm_after, window, row, rows, is_warm })
    }

    /// Returns its name, such as `structure`.
    pub fn name(&self) -> &'static str {
        self.kind.name()
    }

    /// Returns which matrix it is.
    pub fn kind(&self) -> MatrixKind {
        self.kind
    }

    /// Returns its settings.
    pub fn settings(&self) -> &MatrixSettings {
        &self.settings
    }

    /// Takes the engine's row if it is of this matrix's bars; returns whether it was.
    #[inline]
    pub fn update(&mut self, engine: &FeatureEngine) -> bool {
        let features = engine.row();
        if features.bar.timeframe != self.settings.timeframe {
            return false;
        }
        for (cell, column) in self.row.iter_mut().zip(&self.columns) {
            let value = features.values[column.feature];
            *cell = match column.per {
                None => value,
                Some(per) if features.values[per] > 0.0 => value / features.values[per],
                Some(_) => f64::NAN,
            };
        }
        let warm = |(place, after): (usize, &Option<usize>)| {
            after.is_none_or(|first_valid| engine.bars_on_end(place) > first_valid)
        };
        let is_warm = self.warm_after.iter().enumerate().all(warm);
        self.window.push(&self.row, is_warm);
        (self.rows, self.is_warm) = (self.rows + 1, is_warm);
        true
    }

    /// Forgets its rows: they lie before a hole. A number is left out, so that a reader that keeps
    /// rows sees it too.
    pub fn restart_after_gap(&mut self) {
        self.rows += 1;
        self.window.restart_after_gap();
    }

    /// Returns the number of the row that was added last, 1, 2, 3, … with one left out at each
    /// hole, and whether every feature was past its first valid bar since the last hole; 0 before
    /// the first.
    pub fn newest(&self) -> (u64, bool) {
        (self.rows, self.is_warm)
    }

    /// Returns the row that was added last, scaled; zeros before the first.
    pub fn newest_row(&self) -> &[f32] {
        self.window.newest_row()
    }

    /// Returns what is missing until the matrix is whole, such as
    /// `24 rows of 5m, after 24870 bars of 5m`; `None` if it is.
    pub fn missing(&self, engine: &FeatureEngine) -> Option<String> {
        let bars = |(place, &timeframe)| (timeframe, self.missing_bars(engine, place));
        let bars = engine.layout().timeframes().iter().enumerate().map(bars);
        describe_missing(self.settings.timeframe, self.missing_rows(), bars)
    }

    /// Returns the number of rows that are missing until the window is whole.
    #[inline]
    pub fn missing_rows(&self) -> u64 {
        self.window.window().err().map_or(0, |NotReady { whole, rows }| (rows - whole) as u64)
    }

    /// Returns the number of bars of the layout's timeframe number `place` that are missing until
    /// every column of it is past its first valid bar.
    #[inline]
    pub fn missing_bars(&self, engine: &FeatureEngine, place: usize) -> u64 {
        let due = self.warm_after[place].map_or(0, |first_valid| first_valid + 1);
        due.saturating_sub(engine.bars_on_end(place)) as u64
    }

    /// Returns the last rows, oldest first, row by row.
    ///
    /// # Errors
    /// While not every row of the window is past every column's first valid bar.
    #[inline]
    pub fn window(&self) -> Result<&[f32], NotReady> {
        self.window.window()
    }
}

/// Returns in words which rows are missing until a matrix is whole, and which bars before them;
/// `None` if no row is.
pub(crate) fn describe_missing(
    timeframe: Timeframe,
    rows: u64,
    bars: impl Iterator<Item = (Timeframe, u64)>,
) -> Option<String> {
    let mut text = format!("{rows} rows of {timeframe}");
    let mut word = "after";
    for (timeframe, bars) in bars.filter(|&(_, bars)| bars > 0) {
        text.push_str(&format!(", {word} {bars} bars of {timeframe}"));
        word = "and";
    }
    (rows > 0).then_some(text)
}
