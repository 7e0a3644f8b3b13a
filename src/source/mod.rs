//! Sources of ticks: the native tick file, imported files, synthetic markets.

pub mod import;
pub mod native;
mod settings;
pub mod synthetic;

pub use settings::BacktestSettings;
