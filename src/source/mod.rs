//! Where ticks come from: the native tick file, imported history, synthetic markets.

pub mod history;
pub mod import;
pub mod native;
pub mod synthetic;
