//! The team graph by graph, on any backend.

use std::fmt;
use std::sync::Arc;

use super::foreseen::Foreseen;
use super::model_set::{GraphKind, GraphValue, ModelSet, ModelSetError};
use super::risk::Wish;
use super::team::{Asked, IsWanted, Team, TeamAction, Thought};
use super::vote::count_votes;
use crate::execution::Target;
use crate::inference::{Backend, DropoutMasks, Graph};
use crate::matrix::MatrixKind;
use crate::strategy::{AGENTS, Opportunity};

/// The matrices with an encoder, in the order of their graphs.
pub(super) const ENCODED: [MatrixKind; 3] =
    [MatrixKind::Structure, MatrixKind::Tactical, MatrixKind::Regime];

/// The graphs behind the encoders.
const DECIDING: [GraphKind; 3] = [GraphKind::Core, GraphKind::Risk, GraphKind::Gate];

/// A team that runs one graph of its set after the other.
pub struct ByGraphs {
    backend: Arc<dyn Backend>,
    /// By [`ENCODED`].
    encoders: [Box<dyn Graph>; 3],
    /// What each of them sees.
    windows: [EncoderWindow; 3],
    /// By [`DECIDING`].
    deciding: [Box<dyn Graph>; 3],
    masks: DropoutMasks,
    /// The question whose masks the core holds.
    masked: u64,
    temperature: f64,
    foreseen: Option<Arc<Foreseen>>,
    /// With the regime vector of the windows that were encoded last.
    blank: Thought,
}

impl fmt::Debug for ByGraphs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ByGraphs").finish_non_exhaustive()
    }
}

/// The last rows of a matrix.
struct EncoderWindow {
    numbers: Vec<f32>,
    /// Numbers of a row.
    width: usize,
    /// Number of the newest row; 0 before the first.
    newest: u64,
    /// `true` if the other graphs have what its encoder makes of it.
    is_encoded: bool,
}

impl ByGraphs {
    /// Loads the graphs of a set for this number of passes (1 to 65,535), with masks by `seed`.
    ///
    /// # Errors
    /// If the backend does not take one.
    pub fn load(
        set: &ModelSet,
        backend: Arc<dyn Backend>,
        passes: u32,
        seed: u64,
    ) -> Result<ByGraphs, ModelSetError> {
        let graph = |kind| set.graph(kind, backend.as_ref(), passes as usize);
        let [structure, tactical, regime, core, risk, gate] = GraphKind::ALL.map(graph);
        let graphs = [structure?, tactical?, regime?, core?, risk?, gate?];
        Ok(ByGraphs::new(set, backend, graphs, passes, seed))
    }

    /// The same with other graphs of the same shapes, by [`GraphKind`].
    pub fn new(
        set: &ModelSet,
        backend: Arc<dyn Backend>,
        [structure, tactical, regime, core, risk, gate]: [Box<dyn Graph>; 6],
        passes: u32,
        seed: u64,
    ) -> ByGraphs {
        let manifest = set.manifest();
        let dropout = &manifest.dropout;
        let agents = AGENTS.len() as u32;
        let masks = DropoutMasks::new(seed, agents, passes, dropout.widths, dropout.probability);
        let windows = ENCODED.map(|matrix| {
            let matrix = manifest.feature_schema.matrices.of(matrix);
            let width = matrix.columns.len();
            EncoderWindow {
                numbers: vec![0.0; matrix.rows * width],
                width,
                newest: 0,
                is_encoded: false,
            }
        });
        ByGraphs {
            backend,
            encoders: [structure, tactical, regime],
            windows,
            deciding: [core, risk, gate],
            masks,
            masked: 0,
            temperature: manifest.calibration.temperature,
            foreseen: None,
            blank: Thought::NONE,
        }
    }

    /// Does work where the backend runs graphs.
    fn together<T: Send>(&mut self, work: impl Fn(&mut ByGraphs) -> T + Sync) -> Option<T> {
        let backend = Arc::clone(&self.backend);
        let mut result = None;
        backend.together(&mut || result = Some(work(self)));
        result
    }

    /// Shows the other graphs what the encoders make of the windows that they have not seen.
    fn encode(&mut self) -> Option<()> {
        let ByGraphs { encoders, windows, deciding, foreseen, blank, .. } = self;
        for ((matrix, encoder), window) in ENCODED.into_iter().zip(encoders).zip(windows) {
            if window.is_encoded {
                continue;
            }
            let encoding = match foreseen {
                Some(foreseen) => foreseen.encoding(matrix, window.newest)?,
                None => {
                    encoder.input(0).copy_from_slice(&window.numbers);
                    run(encoder.as_mut())?
                }
            };
            show(deciding, value_of(matrix), encoding);
            if matrix == MatrixKind::Regime {
                blank.regime[..encoding.len()].copy_from_slice(encoding);
                blank.regime_width = encoding.len() as u8;
            }
            window.is_encoded = true;
        }
        Some(())
    }

    /// Lets the encoders see all rows of the next windows but the newest, which is not there yet.
    fn encode_known(&mut self) {
        // What was foreseen is not computed again.
        if self.foreseen.is_some() {
            return;
        }
        for (encoder, window) in self.encoders.iter_mut().zip(&self.windows) {
            if window.newest > 0 {
                // What fails here fails again when the encoder is run.
                let _ = encoder.prepare(&window.numbers[window.width..]);
            }
        }
    }

    /// Shows the core the masks of a question, unless it has them.
    fn write_masks(&mut self, question: u64) {
        if self.masked == question {
            return;
        }
        for (layer, mask) in [GraphValue::Mask1, GraphValue::Mask2].into_iter().enumerate() {
            if let Some(place) = GraphKind::Core.place(mask) {
                self.masks.fill(question, layer, self.deciding[0].input(place));
            }
        }
        self.masked = question;
    }

    /// Both stages, on the backend's thread.
    fn think_here(&mut self, asked: &Asked, is_wanted: &IsWanted<'_>) -> Thought {
        if self.encode().is_none() {
            return Thought::NONE;
        }
        self.write_masks(asked.question);
        show(&mut self.deciding, GraphValue::Account, &asked.account);
        let mut thought = self.blank;
        let logits = run(self.deciding[0].as_mut());
        thought.opportunity = logits.and_then(|logits| count_votes(logits, self.temperature));
        if let Some(opportunity) = thought.opportunity.filter(is_wanted) {
            thought.action = self.act(&opportunity, asked.volatility);
        }
        thought
    }

    /// The second stage.
    fn act(&mut self, opportunity: &Opportunity, volatility: f32) -> Option<TeamAction> {
        let seen = [
            if opportunity.direction == Target::Long { 1.0 } else { -1.0 },
            opportunity.confidence,
            opportunity.epistemic,
            opportunity.agreement,
        ];
        show(&mut self.deciding, GraphValue::Opportunity, &seen);
        show(&mut self.deciding, GraphValue::Volatility, &[volatility]);
        let risk = &mut self.deciding[1];
        risk.run().ok()?;
        let [size, stop, reward] = [0, 1, 2].map(|output| risk.output(output)[0]);
        let wish = Wish { size, stop, reward };
        wish.is_sound().then_some(())?;
        show(&mut self.deciding, GraphValue::Proposal, &[size, stop, reward]);
        let execute = run(self.deciding[2].as_mut()).map_or(f32::NAN, |output| output[0]);
        Some(TeamAction { wish, execute })
    }
}

impl Team for ByGraphs {
    fn observe(&mut self, matrix: MatrixKind, newest: u64, window: &[f32]) {
        if matrix == MatrixKind::Context {
            show(&mut self.deciding, GraphValue::Context, window);
            return;
        }
        let seen = &mut self.windows[matrix as usize];
        // An encoding that was foreseen is found by its number; no encoder looks at the window.
        if self.foreseen.is_none() {
            seen.numbers.copy_from_slice(window);
        }
        (seen.newest, seen.is_encoded) = (newest, false);
    }

    fn foresee(&mut self, foreseen: Arc<Foreseen>) {
        self.foreseen = Some(foreseen);
    }

    fn prepare(&mut self, question: u64) {
        self.together(|team| {
            team.write_masks(question);
            team.encode_known();
        });
    }

    fn think(&mut self, asked: &Asked, is_wanted: &IsWanted<'_>) -> Thought {
        self.together(|team| team.think_here(asked, is_wanted)).unwrap_or(Thought::NONE)
    }

    fn backend(&self) -> Option<Arc<dyn Backend>> {
        Some(Arc::clone(&self.backend))
    }
}

/// The value that a matrix, or its encoder, gives to the other graphs.
fn value_of(matrix: MatrixKind) -> GraphValue {
    match matrix {
        MatrixKind::Structure => GraphValue::Structure,
        MatrixKind::Tactical => GraphValue::Tactical,
        MatrixKind::Regime => GraphValue::Regime,
        MatrixKind::Context => GraphValue::Context,
    }
}

/// Shows a value to every graph that takes it.
fn show(deciding: &mut [Box<dyn Graph>; 3], value: GraphValue, numbers: &[f32]) {
    for (kind, graph) in DECIDING.into_iter().zip(deciding) {
        if let Some(place) = kind.place(value) {
            graph.input(place).copy_from_slice(numbers);
        }
    }
}

/// Runs a graph; returns its first output if all of it is finite.
fn run(graph: &mut dyn Graph) -> Option<&[f32]> {
    graph.run().ok()?;
    let output = graph.output(0);
    output.iter().all(|number| number.is_finite()).then_some(output)
}
