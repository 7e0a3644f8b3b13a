//! The inputs and outputs of each graph of a set: names, shapes and order, said once.

use super::manifest::{Dimension, GraphFile, Manifest, NamedShape, PassesName};
use super::schema::{ACCOUNT, OPPORTUNITY, PROPOSAL, VOLATILITY};
use crate::matrix::MatrixKind;
use crate::strategy::{AGENTS, CLASSES};

/// The graphs of a set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum GraphKind {
    /// The structure matrix to its embedding.
    Structure,
    /// The tactical matrix to its embedding.
    Tactical,
    /// The regime matrix to the regime vector.
    Regime,
    /// Embeddings, regime, context, account and masks to the agents' logits.
    Core,
    /// The risk sub-system.
    Risk,
    /// The decision gate.
    Gate,
}

/// A tensor that a graph takes or gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GraphValue {
    /// All rows of a window, oldest first.
    Matrix,
    /// All rows but the newest.
    Known,
    /// The newest row.
    Row,
    /// An encoder's memory of the known rows: the hidden part.
    Hidden,
    /// The other part.
    Cell,
    /// An encoder's output for its matrix.
    Embedding,
    /// The embedding of the structure matrix.
    Structure,
    /// The embedding of the tactical matrix.
    Tactical,
    /// The regime vector.
    Regime,
    /// The row of the volume profile.
    Context,
    /// See [`ACCOUNT`].
    Account,
    /// The dropout mask of the first layer, by agent, pass and unit.
    Mask1,
    /// The dropout mask of the second layer.
    Mask2,
    /// By agent, pass and class.
    Logits,
    /// See [`OPPORTUNITY`].
    Opportunity,
    /// See [`VOLATILITY`].
    Volatility,
    /// See [`PROPOSAL`].
    Proposal,
    /// The first number of a proposal.
    Size,
    /// The second.
    Stop,
    /// The third.
    Reward,
    /// The gate's probability.
    Execute,
}

impl GraphValue {
    /// Its name in the manifest and the ONNX files.
    pub const fn name(self) -> &'static str {
        match self {
            GraphValue::Matrix => "matrix",
            GraphValue::Known => "known",
            GraphValue::Row => "row",
            GraphValue::Hidden => "hidden",
            GraphValue::Cell => "cell",
            GraphValue::Embedding => "embedding",
            GraphValue::Structure => "structure",
            GraphValue::Tactical => "tactical",
            GraphValue::Regime => "regime",
            GraphValue::Context => "context",
            GraphValue::Account => "account",
            GraphValue::Mask1 => "mask_1",
            GraphValue::Mask2 => "mask_2",
            GraphValue::Logits => "logits",
            GraphValue::Opportunity => "opportunity",
            GraphValue::Volatility => "volatility",
            GraphValue::Proposal => "proposal",
            GraphValue::Size => PROPOSAL[0],
            GraphValue::Stop => PROPOSAL[1],
            GraphValue::Reward => PROPOSAL[2],
            GraphValue::Execute => "execute",
        }
    }
}

impl GraphKind {
    /// Every graph, in the order in which they run.
    pub const ALL: [GraphKind; 6] = [
        GraphKind::Structure,
        GraphKind::Tactical,
        GraphKind::Regime,
        GraphKind::Core,
        GraphKind::Risk,
        GraphKind::Gate,
    ];

    /// Its name in the manifest.
    pub const fn name(self) -> &'static str {
        match self {
            GraphKind::Structure => "structure",
            GraphKind::Tactical => "tactical",
            GraphKind::Regime => "regime",
            GraphKind::Core => "core",
            GraphKind::Risk => "risk",
            GraphKind::Gate => "gate",
        }
    }

    /// Returns the inputs, in order.
    pub const fn inputs(self) -> &'static [GraphValue] {
        use GraphValue::*;
        match self {
            GraphKind::Structure | GraphKind::Tactical | GraphKind::Regime => &[Matrix],
            GraphKind::Core => &[Structure, Tactical, Regime, Context, Account, Mask1, Mask2],
            GraphKind::Risk => &[Regime, Opportunity, Volatility, Context, Account],
            GraphKind::Gate => {
                &[Structure, Tactical, Regime, Context, Account, Opportunity, Proposal]
            }
        }
    }

    /// Returns the outputs, in order.
    pub const fn outputs(self) -> &'static [GraphValue] {
        use GraphValue::*;
        match self {
            GraphKind::Structure | GraphKind::Tactical => &[Embedding],
            GraphKind::Regime => &[Regime],
            GraphKind::Core => &[Logits],
            GraphKind::Risk => &[Size, Stop, Reward],
            GraphKind::Gate => &[Execute],
        }
    }

    /// The place of an input, if it is one.
    pub fn place(self, input: GraphValue) -> Option<usize> {
        self.inputs().iter().position(|&value| value == input)
    }

    /// The files that it is made of in a set of this format: from format 2 on, an LSTM is in two
    /// parts.
    pub(super) fn parts(self, format: u32) -> Vec<Part> {
        let pieces: &[Piece] = match self {
            GraphKind::Structure | GraphKind::Tactical if format >= 2 => {
                &[Piece::Prefix, Piece::Step]
            }
            _ => &[Piece::Whole],
        };
        pieces.iter().map(|&piece| Part { kind: self, piece }).collect()
    }
}

/// The part of a graph that a file holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Piece {
    /// All of it.
    Whole,
    /// An encoder's part for the known rows.
    Prefix,
    /// Its part for that and the newest row.
    Step,
}

/// A file of a set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Part {
    kind: GraphKind,
    piece: Piece,
}

impl Part {
    /// Every file's graph in a set of this format.
    pub(super) fn all(format: u32) -> Vec<Part> {
        GraphKind::ALL.into_iter().flat_map(|kind| kind.parts(format)).collect()
    }

    /// Its name in the manifest.
    pub(super) const fn name(self) -> &'static str {
        match (self.piece, self.kind) {
            (Piece::Prefix, GraphKind::Structure) => "structure_prefix",
            (Piece::Step, GraphKind::Structure) => "structure_step",
            (Piece::Prefix, _) => "tactical_prefix",
            (Piece::Step, GraphKind::Tactical) => "tactical_step",
            (_, kind) => kind.name(),
        }
    }

    const fn inputs(self) -> &'static [GraphValue] {
        match self.piece {
            Piece::Whole => self.kind.inputs(),
            Piece::Prefix => &[GraphValue::Known],
            Piece::Step => &[GraphValue::Row, GraphValue::Hidden, GraphValue::Cell],
        }
    }

    const fn outputs(self) -> &'static [GraphValue] {
        match self.piece {
            Piece::Prefix => &[GraphValue::Hidden, GraphValue::Cell],
            Piece::Whole | Piece::Step => self.kind.outputs(),
        }
    }

    /// Its inputs and outputs by the rest of the manifest.
    pub(super) fn shapes(self, manifest: &Manifest) -> [Vec<NamedShape>; 2] {
        [self.inputs(), self.outputs()].map(|values| self.kind.shapes_of(values, manifest))
    }
}

impl GraphKind {
    /// The inputs and outputs of the whole graph by the rest of the manifest. A width that is not
    /// there is 0.
    pub fn shapes(self, manifest: &Manifest) -> [Vec<NamedShape>; 2] {
        [self.inputs(), self.outputs()].map(|values| self.shapes_of(values, manifest))
    }

    fn shapes_of(self, values: &[GraphValue], manifest: &Manifest) -> Vec<NamedShape> {
        let shape = |&value: &GraphValue| NamedShape {
            name: value.name().to_owned(),
            shape: self.shape(value, manifest),
        };
        values.iter().map(shape).collect()
    }

    fn shape(self, value: GraphValue, manifest: &Manifest) -> Vec<Dimension> {
        use Dimension::Fixed;
        let row = |width| vec![Fixed(1), Fixed(width)];
        let by_pass =
            |width| vec![Fixed(AGENTS.len()), Dimension::Passes(PassesName::Passes), Fixed(width)];
        let rows = |rows, columns| vec![Fixed(1), Fixed(rows), Fixed(columns)];
        let matrices = &manifest.feature_schema.matrices;
        let matrix = matrices.of(match self {
            GraphKind::Structure => MatrixKind::Structure,
            GraphKind::Tactical => MatrixKind::Tactical,
            _ => MatrixKind::Regime,
        });
        match value {
            GraphValue::Matrix => rows(matrix.rows, matrix.columns.len()),
            GraphValue::Known => rows(matrix.rows - 1, matrix.columns.len()),
            GraphValue::Row => rows(1, matrix.columns.len()),
            GraphValue::Hidden | GraphValue::Cell => {
                let prefix = Part { kind: self, piece: Piece::Prefix };
                rows(1, last_of_first(&manifest.graphs[prefix.name()]))
            }
            GraphValue::Embedding => row(self.encoding_width(manifest)),
            GraphValue::Structure => row(GraphKind::Structure.encoding_width(manifest)),
            GraphValue::Tactical => row(GraphKind::Tactical.encoding_width(manifest)),
            GraphValue::Regime => row(GraphKind::Regime.encoding_width(manifest)),
            GraphValue::Context => row(matrices.context.columns.len()),
            GraphValue::Account => row(ACCOUNT.len()),
            GraphValue::Mask1 => by_pass(manifest.dropout.widths[0]),
            GraphValue::Mask2 => by_pass(manifest.dropout.widths[1]),
            GraphValue::Logits => by_pass(CLASSES.len()),
            GraphValue::Opportunity => row(OPPORTUNITY.len()),
            GraphValue::Volatility => row(VOLATILITY.len()),
            GraphValue::Proposal => row(PROPOSAL.len()),
            GraphValue::Size | GraphValue::Stop | GraphValue::Reward | GraphValue::Execute => {
                row(1)
            }
        }
    }

    /// Returns the number of an encoder's outputs, as its file states it; 0 where it does not.
    pub(super) fn encoding_width(self, manifest: &Manifest) -> usize {
        let parts = self.parts(manifest.format);
        parts.last().map_or(0, |part| last_of_first(&manifest.graphs[part.name()]))
    }
}

/// The last size of a graph's first output; 0 where it is not fixed.
fn last_of_first(graph: &GraphFile) -> usize {
    match graph.outputs.first().and_then(|first| first.shape.last()) {
        Some(Dimension::Fixed(size)) => *size,
        _ => 0,
    }
}
