//! Synthetic markets as tick files.

use std::path::PathBuf;
use std::sync::atomic::AtomicBool;

use algospace_hft::source::synthetic::{Settings, SyntheticMarket, SyntheticSettings, write_file};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyDict;

/// Writes a synthetic market, `regimes` or `martingale`, as a native tick file, with the hidden
/// regimes beside it. The keywords after `trades_per_day` are of `regimes` only;
/// `docs/synthetic.md` says what they are. Returns what was written: `ticks`, `sessions`, and for
/// `regimes` the oracle's `oracle_expected_net` and `oracle_realized_net` in dollars a contract and
/// its `oracle_sides`.
#[pyfunction]
#[pyo3(signature = (path, *, market, seed, days, trades_per_day = 340_000, trend_hours = None, range_hours = None, volatile_hours = None, trend_ticks_per_half_hour = None, range_deviation_ticks = None))]
#[allow(clippy::too_many_arguments, reason = "they are keywords")]
pub fn write_synthetic<'py>(
    py: Python<'py>,
    path: PathBuf,
    market: &str,
    seed: u64,
    days: u32,
    trades_per_day: u32,
    trend_hours: Option<f64>,
    range_hours: Option<f64>,
    volatile_hours: Option<f64>,
    trend_ticks_per_half_hour: Option<f64>,
    range_deviation_ticks: Option<f64>,
) -> PyResult<Bound<'py, PyDict>> {
    let kind = SyntheticMarket::ALL.into_iter().find(|kind| kind.name() == market);
    let kind = kind.ok_or_else(|| {
        let message = format!("there is no market `{market}`; give regimes or martingale");
        PyValueError::new_err(message)
    })?;
    let default = SyntheticSettings::new(kind, days, trades_per_day);
    let market = SyntheticSettings {
        trend_hours: trend_hours.unwrap_or(default.trend_hours),
        range_hours: range_hours.unwrap_or(default.range_hours),
        trend_ticks_per_half_hour: trend_ticks_per_half_hour
            .unwrap_or(default.trend_ticks_per_half_hour),
        ..default
    };
    let mut settings = Settings::new(market, seed);
    settings.volatile_hours = volatile_hours.unwrap_or(settings.volatile_hours);
    settings.range_deviation_ticks =
        range_deviation_ticks.unwrap_or(settings.range_deviation_ticks);
    let write = || write_file(settings, &path, &AtomicBool::new(false), |_, _| {});
    let summary = py.detach(write).map_err(|error| PyValueError::new_err(error.to_string()))?;
    let dict = PyDict::new(py);
    dict.set_item("ticks", summary.ticks)?;
    dict.set_item("sessions", summary.sessions)?;
    if let Some(oracle) = summary.oracle {
        dict.set_item("oracle_expected_net", oracle.expected_net.as_f64())?;
        dict.set_item("oracle_realized_net", oracle.realized_net.as_f64())?;
        dict.set_item("oracle_sides", oracle.sides)?;
    }
    Ok(dict)
}
