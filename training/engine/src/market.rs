//! A history with the rows of its matrices.

use std::collections::BTreeMap;
use std::num::NonZero;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::thread;

use algospace_hft::agents::Wish;
use algospace_hft::config::{Config, process_variables};
use algospace_hft::environment::{self, CloseOutcomes, EntryOutcome, entry_outcomes};
use algospace_hft::matrix::MatrixKind;
use numpy::ndarray::ArrayView2;
use numpy::{PyArray1, PyArray2, PyArrayMethods, PyReadonlyArrayDyn, PyUntypedArrayMethods};
use pyo3::exceptions::{PyIndexError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::PyDict;

/// A history, prepared: its closes, its sessions, and every row of the four matrices.
///
/// `Market(path)` reads a configuration file of the engine, `Market(text=...)` the same from a
/// string; its history, instrument, costs and rules are what the environment has. Preparing takes
/// the history through the feature stage once.
#[pyclass(frozen, module = "algospace_train._engine")]
#[derive(Debug)]
pub struct Market {
    pub inner: Arc<environment::Market>,
}

fn refused(error: impl std::fmt::Display) -> PyErr {
    PyValueError::new_err(error.to_string())
}

#[pymethods]
impl Market {
    #[new]
    #[pyo3(signature = (path = None, *, text = None))]
    fn new(py: Python<'_>, path: Option<PathBuf>, text: Option<&str>) -> PyResult<Market> {
        let variables = process_variables();
        let config = match (path, text) {
            (Some(path), None) => Config::load(&path, &variables),
            (None, Some(text)) => Config::parse(text, "configuration", &variables),
            _ => {
                return Err(refused("give the path of a configuration, or its text, and not both"));
            }
        };
        let config = config.map_err(refused)?;
        let stop = Arc::new(AtomicBool::new(false));
        let prepare = || environment::Market::prepare(&config, &stop, &mut |_, _| {});
        let inner = Arc::new(py.detach(prepare).map_err(refused)?);
        Ok(Market { inner })
    }

    /// The history's name.
    #[getter]
    fn name(&self) -> &str {
        self.inner.name()
    }

    /// SHA-256 of the history; it reads all of it.
    fn sha256(&self, py: Python<'_>) -> PyResult<String> {
        py.detach(|| self.inner.sha256()).map_err(refused)
    }

    /// Ticks in the history.
    #[getter]
    fn ticks(&self) -> usize {
        self.inner.ticks().len()
    }

    /// Facts by name that the tick file keeps, such as a synthetic market's best attainable profit.
    #[getter]
    fn facts(&self) -> BTreeMap<String, String> {
        self.inner.description().facts.clone()
    }

    /// The schema of what the networks see, as JSON: the manifest's `feature_schema`.
    #[getter]
    fn feature_schema(&self) -> String {
        serde_json::to_string(self.inner.schema()).expect("a schema can be written")
    }

    /// Most contracts that can be held.
    #[getter]
    fn max_position_size(&self) -> u32 {
        self.inner.rules().limits.max_position_size
    }

    /// The gain of one contract by a tick, in dollars.
    #[getter]
    fn tick_value(&self) -> f64 {
        self.inner.rules().tick_value.as_f64()
    }

    /// Rows in the window of a matrix: `structure`, `tactical`, `regime` or `context`.
    fn window(&self, matrix: &str) -> PyResult<usize> {
        Ok(self.inner.rows(kind(matrix)?).window)
    }

    /// Every row of a matrix, scaled, oldest first: float32 [rows, columns], a view that cannot be
    /// written to. The window at a close is the rows up to the close's `newest`, that one not
    /// included, as it counts from 1.
    fn rows<'py>(slf: &Bound<'py, Self>, matrix: &str) -> PyResult<Bound<'py, PyArray2<f32>>> {
        let rows = slf.get().inner.rows(kind(matrix)?);
        let shape = (rows.count(), rows.width);
        let view = ArrayView2::from_shape(shape, &rows.cells).map_err(refused)?;
        // SAFETY: the market is immutable and owned by the array's base, `slf`, so the cells
        // outlive the array; the array cannot be written to. Measured: a copy of 250 days' rows
        // takes 1.6 MB and a millisecond, for each view.
        let array = unsafe { PyArray2::borrow_from_array(&view, slf.clone().into_any()) };
        array.readwrite().make_nonwriteable();
        Ok(array)
    }

    /// The closes at which something is asked: `bar_end` (int64 nanoseconds since 1970), `newest`
    /// (int64 [closes, 4], of structure, tactical, regime and context), `is_ready`, `volatility`
    /// (float32), `session` (int64), and of the bar that closes `price` (float64) and `ticks`
    /// (int64).
    fn closes<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let closes = self.inner.closes();
        let newest: Vec<Vec<i64>> =
            closes.iter().map(|close| close.newest.map(i64::from).to_vec()).collect();
        let dict = PyDict::new(py);
        let bar_end = closes.iter().map(|close| close.bar_end.nanos());
        dict.set_item("bar_end", PyArray1::from_iter(py, bar_end))?;
        dict.set_item("newest", PyArray2::from_vec2(py, &newest).map_err(refused)?)?;
        dict.set_item(
            "is_ready",
            PyArray1::from_iter(py, closes.iter().map(|close| close.is_ready)),
        )?;
        let volatility = closes.iter().map(|close| close.volatility);
        dict.set_item("volatility", PyArray1::from_iter(py, volatility))?;
        let session = closes.iter().map(|close| i64::from(close.session));
        dict.set_item("session", PyArray1::from_iter(py, session))?;
        let price = closes.iter().map(|close| close.price.as_f64());
        dict.set_item("price", PyArray1::from_iter(py, price))?;
        let ticks = closes.iter().map(|close| i64::from(close.ticks));
        dict.set_item("ticks", PyArray1::from_iter(py, ticks))?;
        Ok(dict)
    }

    /// The sessions that have ticks: `open` (int64 nanoseconds since 1970), `first_close` (int64),
    /// `is_ready`.
    fn sessions<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let sessions = self.inner.sessions();
        let dict = PyDict::new(py);
        let open = sessions.iter().map(|session| session.open.nanos());
        dict.set_item("open", PyArray1::from_iter(py, open))?;
        let first_close = sessions.iter().map(|session| session.first_close as i64);
        dict.set_item("first_close", PyArray1::from_iter(py, first_close))?;
        let is_ready = sessions.iter().map(|session| session.is_ready);
        dict.set_item("is_ready", PyArray1::from_iter(py, is_ready))?;
        Ok(dict)
    }

    /// The outcomes of one entry short and one long at every close of these sessions, each alone:
    /// `close` (int64), `net`, `gross` (float64 [closes, 2], dollars; NaN where the rules leave no
    /// contract), `bars` (int64). `wish` is float32 [3], or [closes, 3] for every close of the
    /// market its own. They look ahead: labels to learn from.
    fn outcomes<'py>(
        &self,
        py: Python<'py>,
        first_session: usize,
        end_session: usize,
        wish: PyReadonlyArrayDyn<'py, f32>,
    ) -> PyResult<Bound<'py, PyDict>> {
        let there_are = self.inner.sessions().len();
        if first_session > end_session || end_session > there_are {
            return Err(PyIndexError::new_err(format!(
                "sessions {first_session} to {end_session} of {there_are}"
            )));
        }
        let (cells, closes) = (wish.as_slice()?, self.inner.closes().len());
        let wishes: Vec<Wish> = cells.chunks_exact(3).map(read_wish).collect::<PyResult<_>>()?;
        if !matches!(wish.shape(), [3] | [_, 3]) || ![1, closes].contains(&wishes.len()) {
            let shape = wish.shape();
            return Err(refused(format!("wish has shape {shape:?}; give [3] or [{closes}, 3]")));
        }
        let outcomes = py.detach(|| self.all_outcomes(first_session, end_session, &wishes));
        let column = |of: fn(&EntryOutcome) -> f64| -> PyResult<Bound<'py, PyArray2<f64>>> {
            let row = |at: &CloseOutcomes| -> Vec<f64> {
                at.entries.iter().map(|entry| entry.as_ref().map_or(f64::NAN, of)).collect()
            };
            let rows: Vec<Vec<f64>> = outcomes.iter().map(row).collect();
            if rows.is_empty() {
                return Ok(PyArray2::zeros(py, [0, 2], false));
            }
            PyArray2::from_vec2(py, &rows).map_err(refused)
        };
        let dict = PyDict::new(py);
        let closes = outcomes.iter().map(|at| at.close as i64);
        dict.set_item("close", PyArray1::from_iter(py, closes))?;
        dict.set_item("net", column(|entry| entry.net_pnl.as_f64())?)?;
        dict.set_item("gross", column(|entry| entry.gross_pnl.as_f64())?)?;
        dict.set_item("bars", column(|entry| f64::from(entry.bars_held))?)?;
        Ok(dict)
    }
}

impl Market {
    /// Over the machine's threads, a part of the sessions each. One wish is for all closes.
    fn all_outcomes(&self, first: usize, end: usize, wishes: &[Wish]) -> Vec<CloseOutcomes> {
        let wish_at = |close: usize| *wishes.get(close).unwrap_or(&wishes[0]);
        let threads = thread::available_parallelism().map_or(1, NonZero::get);
        let part = (end - first).div_ceil(threads).max(1);
        thread::scope(|scope| {
            let starts = (first..end).step_by(part);
            let workers: Vec<_> = starts
                .map(|start| {
                    let sessions = start..(start + part).min(end);
                    scope.spawn(move || entry_outcomes(&self.inner, sessions, wish_at))
                })
                .collect();
            let join = |worker: thread::ScopedJoinHandle<'_, Vec<CloseOutcomes>>| {
                worker.join().expect("judging an entry does not panic")
            };
            workers.into_iter().flat_map(join).collect()
        })
    }
}

fn kind(name: &str) -> PyResult<MatrixKind> {
    MatrixKind::ALL.into_iter().find(|kind| kind.name() == name).ok_or_else(|| {
        let names = MatrixKind::ALL.map(MatrixKind::name).join(", ");
        refused(format!("there is no matrix `{name}`; give one of {names}"))
    })
}

/// Size, stop and reward.
pub fn read_wish(wish: &[f32]) -> PyResult<Wish> {
    let wish = Wish { size: wish[0], stop: wish[1], reward: wish[2] };
    if wish.is_sound() {
        return Ok(wish);
    }
    let [size, stop, reward] = Wish::RANGES;
    Err(refused(format!(
        "{wish:?} is out of range: size {size:?}, stop {stop:?}, reward {reward:?}"
    )))
}
