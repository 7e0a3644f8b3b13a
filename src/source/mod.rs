//! Sources of ticks: the native tick file, imported files, synthetic markets.

pub mod import;
pub mod native;
pub mod synthetic;
