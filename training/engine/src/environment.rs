//! Episodes that step together.

use std::sync::Arc;

use algospace_hft::agents::Wish;
use algospace_hft::environment::{
    self, ACCOUNT_WIDTH, EpisodeAction, EpisodeSettings, EpisodeStep,
};
use algospace_hft::execution::ExitReason;
use numpy::{Element, PyArray1, PyArray2, PyArrayMethods, PyReadonlyArray1, PyReadonlyArray2};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::market::Market;

/// Episodes over spans of sessions, side by side.
///
/// `spans` are (place of the market, first session, session after the last). With a seed an episode
/// takes a span at random, and another when it is over; without, each span comes once, in order. A
/// step begins an episode in every slot that has none (`is_first`: its action is not looked at), so
/// that the first step begins all.
#[pyclass(module = "algospace_train._engine")]
#[derive(Debug)]
pub struct VectorEnvironment {
    inner: environment::VectorEnvironment,
    actions: Vec<EpisodeAction>,
    /// In which slots a step is taken; of this step.
    chosen: Vec<bool>,
    arrays: Arrays,
}

/// The state of the episodes, rewritten by every step.
#[derive(Debug)]
struct Arrays {
    market: Py<PyArray1<i64>>,
    close: Py<PyArray1<i64>>,
    account: Py<PyArray2<f32>>,
    position: Py<PyArray1<i32>>,
    entered: Py<PyArray1<i32>>,
    profit: Py<PyArray1<f64>>,
    is_first: Py<PyArray1<bool>>,
    is_last: Py<PyArray1<bool>>,
    is_idle: Py<PyArray1<bool>>,
}

impl Arrays {
    fn new(py: Python<'_>, slots: usize) -> Arrays {
        Arrays {
            market: PyArray1::zeros(py, slots, false).unbind(),
            close: PyArray1::zeros(py, slots, false).unbind(),
            account: PyArray2::zeros(py, [slots, ACCOUNT_WIDTH], false).unbind(),
            position: PyArray1::zeros(py, slots, false).unbind(),
            entered: PyArray1::zeros(py, slots, false).unbind(),
            profit: PyArray1::zeros(py, slots, false).unbind(),
            is_first: PyArray1::zeros(py, slots, false).unbind(),
            is_last: PyArray1::zeros(py, slots, false).unbind(),
            is_idle: PyArray1::zeros(py, slots, false).unbind(),
        }
    }

    fn write(&self, py: Python<'_>, steps: &[EpisodeStep]) -> PyResult<()> {
        fn fill<T: Element>(
            py: Python<'_>,
            array: &Py<PyArray1<T>>,
            steps: &[EpisodeStep],
            of: impl Fn(&EpisodeStep) -> T,
        ) -> PyResult<()> {
            let mut array = array.bind(py).try_readwrite()?;
            let cells = array.as_slice_mut()?.iter_mut();
            cells.zip(steps).for_each(|(cell, step)| *cell = of(step));
            Ok(())
        }
        fill(py, &self.market, steps, |step| step.market.into())?;
        fill(py, &self.close, steps, |step| step.close.into())?;
        fill(py, &self.position, steps, |step| step.position)?;
        fill(py, &self.entered, steps, |step| step.entered)?;
        fill(py, &self.profit, steps, |step| step.profit)?;
        fill(py, &self.is_first, steps, |step| step.is_first)?;
        fill(py, &self.is_last, steps, |step| step.is_last)?;
        fill(py, &self.is_idle, steps, |step| step.is_idle)?;
        let mut account = self.account.bind(py).try_readwrite()?;
        let rows = account.as_slice_mut()?.chunks_exact_mut(ACCOUNT_WIDTH);
        rows.zip(steps).for_each(|(row, step)| row.copy_from_slice(&step.account));
        Ok(())
    }
}

#[pymethods]
impl VectorEnvironment {
    #[new]
    #[pyo3(signature = (markets, spans, slots, seed = None))]
    fn new(
        py: Python<'_>,
        markets: Vec<PyRef<'_, Market>>,
        spans: Vec<(usize, usize, usize)>,
        slots: usize,
        seed: Option<u64>,
    ) -> PyResult<VectorEnvironment> {
        let markets = markets.iter().map(|market| Arc::clone(&market.inner)).collect();
        let spans = spans.into_iter().map(|(market, start, end)| (market, start..end)).collect();
        let inner =
            environment::VectorEnvironment::new(markets, EpisodeSettings { spans, slots, seed })
                .map_err(|error| PyValueError::new_err(error.to_string()))?;
        let wish = Wish { size: 0.0, stop: 1.0, reward: 1.0 };
        let actions = vec![EpisodeAction { direction: 0, wish }; slots];
        let chosen = vec![true; slots];
        Ok(VectorEnvironment { inner, actions, chosen, arrays: Arrays::new(py, slots) })
    }

    /// Starts over, under another seed if one is given and spans are drawn.
    #[pyo3(signature = (seed = None))]
    fn reset(&mut self, seed: Option<u64>) {
        self.inner.reset(seed);
    }

    /// Takes a step in every slot: `direction` int8 [slots] (-1 enters short, 1 long, 0 leaves
    /// things as they are), `wish` float32 [slots, 3] (size, stop, reward; one out of range does
    /// nothing). The arrays say where things stand then. With `chosen`, bool [slots], only in the
    /// slots where it says so; the arrays of the others stay as they are.
    #[pyo3(signature = (direction, wish, chosen = None))]
    fn step(
        &mut self,
        py: Python<'_>,
        direction: PyReadonlyArray1<'_, i8>,
        wish: PyReadonlyArray2<'_, f32>,
        chosen: Option<PyReadonlyArray1<'_, bool>>,
    ) -> PyResult<()> {
        let (direction, wish) = (direction.as_slice()?, wish.as_slice()?);
        let slots = self.actions.len();
        if direction.len() != slots || wish.len() != 3 * slots {
            return Err(PyValueError::new_err(format!(
                "{slots} slots take {slots} directions and as many wishes of 3 numbers, not {} and {} numbers",
                direction.len(),
                wish.len()
            )));
        }
        let given = direction.iter().zip(wish.chunks_exact(3));
        for (action, (&direction, wish)) in self.actions.iter_mut().zip(given) {
            let wish = Wish { size: wish[0], stop: wish[1], reward: wish[2] };
            *action = EpisodeAction { direction, wish };
        }
        match &chosen {
            None => self.chosen.fill(true),
            Some(given) => {
                let given = given.as_slice()?;
                if given.len() != slots {
                    return Err(PyValueError::new_err(format!(
                        "{slots} slots take as many choices, not {}",
                        given.len()
                    )));
                }
                // Copied, since others may write to it while the interpreter's lock is released.
                self.chosen.copy_from_slice(given);
            }
        }
        let VectorEnvironment { inner, actions, chosen, .. } = self;
        py.detach(|| inner.step_where(actions, |slot| chosen[slot]));
        self.arrays.write(py, self.inner.steps())
    }

    /// Forgets the round trips that `take_trades` would give.
    fn drop_trades(&mut self) {
        self.inner.take_trades();
    }

    /// The round trips that ended since this was asked last, a column an array: `slot`, `market`,
    /// `close` (of the decision), `side` (1 long, -1 short), `quantity`, `net`, `gross`, `costs`,
    /// `slippage` (dollars), `entry_time`, `exit_time` (nanoseconds since 1970), `bars`, `exit`
    /// (names).
    fn take_trades<'py>(&mut self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let trades = self.inner.take_trades();
        let dict = PyDict::new(py);
        let whole = |of: &dyn Fn(&environment::EndedTrade) -> i64| {
            PyArray1::from_iter(py, trades.iter().map(of))
        };
        dict.set_item("slot", whole(&|ended| ended.slot as i64))?;
        dict.set_item("market", whole(&|ended| ended.market as i64))?;
        dict.set_item("close", whole(&|ended| ended.close as i64))?;
        dict.set_item("side", whole(&|ended| ended.trade.side.sign()))?;
        dict.set_item("quantity", whole(&|ended| ended.trade.quantity.into()))?;
        dict.set_item("entry_time", whole(&|ended| ended.trade.entry_time.nanos()))?;
        dict.set_item("exit_time", whole(&|ended| ended.trade.exit_time.nanos()))?;
        dict.set_item("bars", whole(&|ended| ended.trade.bars_held.into()))?;
        let money = |of: &dyn Fn(&environment::EndedTrade) -> f64| {
            PyArray1::from_iter(py, trades.iter().map(of))
        };
        dict.set_item("net", money(&|ended| ended.trade.net_pnl().as_f64()))?;
        dict.set_item("gross", money(&|ended| ended.trade.gross_pnl.as_f64()))?;
        dict.set_item("costs", money(&|ended| ended.trade.costs.as_f64()))?;
        dict.set_item("slippage", money(&|ended| ended.trade.slippage.as_f64()))?;
        let exits: Vec<&str> =
            trades.iter().map(|ended| ExitReason::name(ended.trade.exit_reason)).collect();
        dict.set_item("exit", exits)?;
        Ok(dict)
    }

    /// Slots.
    #[getter]
    fn slots(&self) -> usize {
        self.actions.len()
    }

    /// int64 [slots]: place of the market.
    #[getter]
    fn market(&self, py: Python<'_>) -> Py<PyArray1<i64>> {
        self.arrays.market.clone_ref(py)
    }

    /// int64 [slots]: the close that it stands at, or stood at last.
    #[getter]
    fn close(&self, py: Python<'_>) -> Py<PyArray1<i64>> {
        self.arrays.close.clone_ref(py)
    }

    /// float32 [slots, 5]: the account as agents see it.
    #[getter]
    fn account(&self, py: Python<'_>) -> Py<PyArray2<f32>> {
        self.arrays.account.clone_ref(py)
    }

    /// int32 [slots]: contracts held; positive long.
    #[getter]
    fn position(&self, py: Python<'_>) -> Py<PyArray1<i32>> {
        self.arrays.position.clone_ref(py)
    }

    /// int32 [slots]: contracts that the action entered, after the rules; positive long.
    #[getter]
    fn entered(&self, py: Python<'_>) -> Py<PyArray1<i32>> {
        self.arrays.entered.clone_ref(py)
    }

    /// float64 [slots]: by how many dollars equity grew since the step before.
    #[getter]
    fn profit(&self, py: Python<'_>) -> Py<PyArray1<f64>> {
        self.arrays.profit.clone_ref(py)
    }

    /// bool [slots]: the episode begins with this step.
    #[getter]
    fn is_first(&self, py: Python<'_>) -> Py<PyArray1<bool>> {
        self.arrays.is_first.clone_ref(py)
    }

    /// bool [slots]: the episode ended with this step, and nothing can be decided.
    #[getter]
    fn is_last(&self, py: Python<'_>) -> Py<PyArray1<bool>> {
        self.arrays.is_last.clone_ref(py)
    }

    /// bool [slots]: nothing is left to run here.
    #[getter]
    fn is_idle(&self, py: Python<'_>) -> Py<PyArray1<bool>> {
        self.arrays.is_idle.clone_ref(py)
    }
}
