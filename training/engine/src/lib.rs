//! `algospace_train._engine`: the engine's environment in Python.
//!
//! Markets, episodes and their rules are [`algospace_hft::environment`]'s; here they only change
//! their dress.

mod environment;
mod market;
mod synthetic;

use pyo3::prelude::*;

/// The engine's environment: markets, episodes that step together, synthetic markets.
#[pymodule]
fn _engine(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add("__version__", env!("CARGO_PKG_VERSION"))?;
    module.add_class::<market::Market>()?;
    module.add_class::<environment::VectorEnvironment>()?;
    module.add_function(wrap_pyfunction!(synthetic::write_synthetic, module)?)?;
    Ok(())
}
