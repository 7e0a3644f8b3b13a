//! The rest of the warm-up, for threads that do not have the matrices.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use super::feature_stage::FeatureStage;
use crate::market::Timeframe;
use crate::matrix::{FeatureMatrix, describe_missing};

/// The rows and bars that each matrix lacks until it is whole. The thread of the features writes
/// them, any other puts them into words.
#[derive(Debug, Default)]
pub struct WarmUpGauge(OnceLock<Box<[Gauge]>>);

#[derive(Debug)]
struct Gauge {
    matrix: &'static str,
    timeframe: Timeframe,
    rows: AtomicU64,
    bars: Box<[(Timeframe, AtomicU64)]>,
}

impl WarmUpGauge {
    /// Takes the matrices as they are. The first call allocates, and is made before the run.
    #[inline]
    pub fn see(&self, stage: &FeatureStage) {
        let gauges = self.0.get_or_init(|| gauges(stage));
        for (matrix, gauge) in stage.matrices().iter().zip(gauges) {
            gauge.rows.store(matrix.missing_rows(), Ordering::Relaxed);
            for (place, (_, bars)) in gauge.bars.iter().enumerate() {
                bars.store(matrix.missing_bars(stage.engine(), place), Ordering::Relaxed);
            }
        }
    }

    /// Returns in one line what is missing until every matrix is whole; `None` if nothing is, or
    /// no matrix was seen.
    pub fn missing(&self) -> Option<String> {
        let missing = |gauge: &Gauge| {
            let number = |number: &AtomicU64| number.load(Ordering::Relaxed);
            let bars = gauge.bars.iter().map(|(timeframe, bars)| (*timeframe, number(bars)));
            let rest = describe_missing(gauge.timeframe, number(&gauge.rows), bars)?;
            Some(format!("matrix {} needs {rest}", gauge.matrix))
        };
        let all: Vec<String> = self.0.get()?.iter().filter_map(missing).collect();
        (!all.is_empty()).then(|| all.join("; "))
    }
}

#[cold]
fn gauges(stage: &FeatureStage) -> Box<[Gauge]> {
    let timeframes = stage.engine().layout().timeframes();
    let gauge = |matrix: &FeatureMatrix| Gauge {
        matrix: matrix.name(),
        timeframe: matrix.settings().timeframe,
        rows: AtomicU64::new(0),
        bars: timeframes.iter().map(|&timeframe| (timeframe, AtomicU64::new(0))).collect(),
    };
    stage.matrices().iter().map(gauge).collect()
}
