//! The six graphs, and what they say.

use super::model_set::{GraphKind, ModelSet, ModelSetError};
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
    /// `structure`, `tactical`, `regime`, `context`, `account`, `mask_1`, `mask_2` → `logits`
    pub core: Box<dyn Graph>,
    /// `regime`, `opportunity`, `volatility`, `context`, `account` → `size`, `stop`, `reward`
    pub risk: Box<dyn Graph>,
    /// `structure`, `tactical`, `regime`, `context`, `account`, `opportunity`, `proposal` → `execute`
    pub gate: Box<dyn Graph>,
}

/// Places of the core's inputs.
struct Core;

impl Core {
    const STRUCTURE: usize = 0;
    const TACTICAL: usize = 1;
    const REGIME: usize = 2;
    const CONTEXT: usize = 3;
    const ACCOUNT: usize = 4;
    const FIRST_MASK: usize = 5;
    const SECOND_MASK: usize = 6;
}

/// A number that is none, or a graph that failed: nothing may be done on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fault;

impl From<InferenceError> for Fault {
    fn from(_: InferenceError) -> Fault {
        Fault
    }
}

impl Networks {
    /// Loads the graphs of a set for so many passes (≥ 1).
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

    /// Runs the encoder of a matrix; what it gives is in its output.
    pub(super) fn encode(&mut self, matrix: MatrixKind, window: &[f32]) -> Result<&[f32], Fault> {
        let graph = match matrix {
            MatrixKind::Structure => &mut self.structure,
            MatrixKind::Tactical => &mut self.tactical,
            MatrixKind::Regime => &mut self.regime,
            MatrixKind::Context => unreachable!("the context is seen as it is"),
        };
        graph.input(0).copy_from_slice(window);
        graph.run()?;
        sound(graph.output(0))
    }

    /// Shows the core and the gate what an encoder gave.
    pub(super) fn show(&mut self, matrix: MatrixKind, numbers: &[f32]) {
        let place = match matrix {
            MatrixKind::Structure => Core::STRUCTURE,
            MatrixKind::Tactical => Core::TACTICAL,
            MatrixKind::Regime => {
                self.risk.input(0).copy_from_slice(numbers);
                Core::REGIME
            }
            MatrixKind::Context => {
                self.risk.input(3).copy_from_slice(numbers);
                Core::CONTEXT
            }
        };
        self.core.input(place).copy_from_slice(numbers);
        self.gate.input(place).copy_from_slice(numbers);
    }

    /// Shows everyone the account.
    pub(super) fn show_account(&mut self, account: &[f32]) {
        self.core.input(Core::ACCOUNT).copy_from_slice(account);
        self.risk.input(4).copy_from_slice(account);
        self.gate.input(4).copy_from_slice(account);
    }

    /// Lets masks be written, by agent, pass and unit, one layer after the other.
    pub(super) fn write_masks(&mut self, mut write: impl FnMut(usize, &mut [f32])) {
        for (layer, place) in [Core::FIRST_MASK, Core::SECOND_MASK].into_iter().enumerate() {
            write(layer, self.core.input(place));
        }
    }

    /// The agents' logits: for each agent, for each pass, a number for each class.
    pub(super) fn logits(&mut self) -> Result<&[f32], Fault> {
        self.core.run()?;
        sound(self.core.output(0))
    }

    /// What the risk sub-system wishes.
    pub(super) fn wish(&mut self, opportunity: &[f32], volatility: f32) -> Result<Wish, Fault> {
        self.risk.input(1).copy_from_slice(opportunity);
        self.risk.input(2)[0] = volatility;
        self.gate.input(5).copy_from_slice(opportunity);
        self.risk.run()?;
        let [size, stop, reward] = [0, 1, 2].map(|output| self.risk.output(output)[0]);
        let wish = Wish { size, stop, reward };
        if wish.is_sound() { Ok(wish) } else { Err(Fault) }
    }

    /// Probability that the gate gives to executing.
    pub(super) fn execute(&mut self, wish: &Wish) -> Result<f32, Fault> {
        self.gate.input(6).copy_from_slice(&[wish.size, wish.stop, wish.reward]);
        self.gate.run()?;
        let execute = self.gate.output(0)[0];
        if (0.0..=1.0).contains(&execute) { Ok(execute) } else { Err(Fault) }
    }
}

/// Numbers that all are finite.
fn sound(numbers: &[f32]) -> Result<&[f32], Fault> {
    if numbers.iter().all(|number| number.is_finite()) { Ok(numbers) } else { Err(Fault) }
}
