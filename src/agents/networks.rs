//! The six graphs, and what they say.

use super::model_set::{GraphKind, ModelSet, ModelSetError, Value};
use super::risk::Wish;
use crate::inference::{Backend, Graph, InferenceError};
use crate::matrix::MatrixKind;

/// The networks of the agents, loaded, with their inputs and outputs.
pub struct Networks {
    /// `matrix` → `embedding`
    pub structure: Box<dyn Graph>,
    /// `matrix` → `embedding`
    pub tactical: Box<dyn Graph>,
    /// `matrix` → `regime`
    pub regime: Box<dyn Graph>,
    /// Embeddings, regime, context, account and masks → `logits`
    pub core: Box<dyn Graph>,
    /// Regime, opportunity, volatility, context and account → `size`, `stop`, `reward`
    pub risk: Box<dyn Graph>,
    /// Embeddings, regime, context, account, opportunity and proposal → `execute`
    pub gate: Box<dyn Graph>,
}

/// A NaN, or a graph that failed: nothing may be done on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fault;

impl From<InferenceError> for Fault {
    fn from(_: InferenceError) -> Fault {
        Fault
    }
}

impl Networks {
    /// Loads the graphs of a set for this number of passes (≥ 1).
    ///
    /// # Errors
    /// If the backend does not take one.
    pub fn load(
        set: &ModelSet,
        backend: &dyn Backend,
        passes: usize,
    ) -> Result<Networks, ModelSetError> {
        let graph = |kind| set.graph(kind, backend, passes);
        Ok(Networks {
            structure: graph(GraphKind::Structure)?,
            tactical: graph(GraphKind::Tactical)?,
            regime: graph(GraphKind::Regime)?,
            core: graph(GraphKind::Core)?,
            risk: graph(GraphKind::Risk)?,
            gate: graph(GraphKind::Gate)?,
        })
    }

    /// The encoder of a matrix.
    fn encoder(&mut self, matrix: MatrixKind) -> &mut dyn Graph {
        let encoder = match matrix {
            MatrixKind::Structure => &mut self.structure,
            MatrixKind::Tactical => &mut self.tactical,
            MatrixKind::Regime => &mut self.regime,
            MatrixKind::Context => unreachable!("the context is seen as it is"),
        };
        encoder.as_mut()
    }

    /// Does what an encoder can do before the newest row of its window is there.
    pub(super) fn prepare(&mut self, matrix: MatrixKind, known: &[f32]) {
        // What fails here fails again when the encoder is run.
        let _ = self.encoder(matrix).prepare(known);
    }

    /// Runs the encoder of a matrix; what it gives is in its output.
    pub(super) fn encode(&mut self, matrix: MatrixKind, window: &[f32]) -> Result<&[f32], Fault> {
        let graph = self.encoder(matrix);
        graph.input(0).copy_from_slice(window);
        graph.run()?;
        sound(graph.output(0))
    }

    /// Shows a value to every graph that takes it.
    fn show(&mut self, value: Value, numbers: &[f32]) {
        for (kind, graph) in [
            (GraphKind::Core, &mut self.core),
            (GraphKind::Risk, &mut self.risk),
            (GraphKind::Gate, &mut self.gate),
        ] {
            if let Some(place) = kind.place(value) {
                graph.input(place).copy_from_slice(numbers);
            }
        }
    }

    /// Shows what an encoder gave, or the context.
    pub(super) fn show_matrix(&mut self, matrix: MatrixKind, numbers: &[f32]) {
        let value = match matrix {
            MatrixKind::Structure => Value::Structure,
            MatrixKind::Tactical => Value::Tactical,
            MatrixKind::Regime => Value::Regime,
            MatrixKind::Context => Value::Context,
        };
        self.show(value, numbers);
    }

    /// Shows everyone the account.
    pub(super) fn show_account(&mut self, account: &[f32]) {
        self.show(Value::Account, account);
    }

    /// Lets masks be written, by agent, pass and unit, one layer after the other.
    pub(super) fn write_masks(&mut self, mut write: impl FnMut(usize, &mut [f32])) {
        for (layer, mask) in [Value::Mask1, Value::Mask2].into_iter().enumerate() {
            if let Some(place) = GraphKind::Core.place(mask) {
                write(layer, self.core.input(place));
            }
        }
    }

    /// The agents' logits: for each agent, for each pass, a number for each class.
    pub(super) fn logits(&mut self) -> Result<&[f32], Fault> {
        self.core.run()?;
        sound(self.core.output(0))
    }

    /// Returns the risk sub-system's raw action.
    pub(super) fn wish(&mut self, opportunity: &[f32], volatility: f32) -> Result<Wish, Fault> {
        self.show(Value::Opportunity, opportunity);
        self.show(Value::Volatility, &[volatility]);
        self.risk.run()?;
        let [size, stop, reward] = [0, 1, 2].map(|output| self.risk.output(output)[0]);
        let wish = Wish { size, stop, reward };
        if wish.is_sound() { Ok(wish) } else { Err(Fault) }
    }

    /// Probability that the gate gives to executing.
    pub(super) fn execute(&mut self, wish: &Wish) -> Result<f32, Fault> {
        self.show(Value::Proposal, &[wish.size, wish.stop, wish.reward]);
        self.gate.run()?;
        let execute = self.gate.output(0)[0];
        if (0.0..=1.0).contains(&execute) { Ok(execute) } else { Err(Fault) }
    }
}

/// Numbers that all are finite.
fn sound(numbers: &[f32]) -> Result<&[f32], Fault> {
    if numbers.iter().all(|number| number.is_finite()) { Ok(numbers) } else { Err(Fault) }
}
