//! The embedded backend: kernels of its own for the nodes that model sets have, rten for others.

mod known;
mod plan;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use algospace_hft_kernels::{lstm, passes};
use rten::{Dimension, Model, ModelOptions, NodeId, RunOptions, ThreadPool, Value, ValueOrView};
use rten_onnx::onnx::GraphProto;
use rten_tensor::prelude::*;
use rten_tensor::{Tensor, TensorView};

use super::{Backend, Graph, InferenceError, Signature, TensorShape};

const NAME: &str = "cpu";

/// A model, its inputs and its outputs.
type Opened = (Model, Vec<Bound>, Vec<Bound>);

/// Runs graphs on one thread: the caller's, or its own where a graph is rten's.
///
/// An LSTM, in one piece or in two, and the passes of the core have kernels; other graphs are steps
/// over buffers (`plan.rs`). All of that allocates nothing in a run, and gives the bits that rten
/// gives on whole windows. A graph with any other node is rten's.
///
/// rten runs everything inside a thread pool. With one thread in it no work is split, and
/// [`Backend::together`] hands several runs over at once. What remains: some allocations a run (its
/// inputs and outputs, and what an operator gives when rten's pool has none of that size).
///
/// rten's loader is not made for hostile bytes: on some damaged files it never ends. Model sets
/// hold every file's hash, and no file is loaded that does not have it.
#[derive(Clone)]
pub struct Cpu {
    pool: Arc<ThreadPool>,
    has_kernels: bool,
    /// `true` once a graph is rten's.
    needs_pool: Arc<AtomicBool>,
}

impl fmt::Debug for Cpu {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cpu").field("has_kernels", &self.has_kernels).finish_non_exhaustive()
    }
}

impl Cpu {
    /// A backend with its thread.
    pub fn new() -> Cpu {
        let pool = Arc::new(ThreadPool::with_num_threads(1));
        Cpu { pool, has_kernels: true, needs_pool: Arc::default() }
    }

    /// A backend whose graphs are all rten's, to compare with.
    #[cfg(test)]
    pub(super) fn without_kernels() -> Cpu {
        Cpu { has_kernels: false, ..Cpu::new() }
    }

    /// Returns whether kernels compute all of a graph.
    #[cfg(test)]
    pub(super) fn has_kernels_for(onnx: &[u8], signature: &Signature) -> bool {
        known::read(onnx).is_some_and(|graph| {
            LstmRun::of(&graph, signature, 1).is_some() || Planned::of(&graph, signature).is_some()
        })
    }

    /// Reads a file, if kernels may compute it.
    fn known(&self, onnx: &[u8]) -> Option<GraphProto> {
        if self.has_kernels { known::read(onnx) } else { None }
    }

    /// Loads a file into rten, which checks it, and makes room for its inputs and outputs.
    fn open(&self, onnx: &[u8], signature: &Signature) -> Result<Opened, InferenceError> {
        let refused = |reason: String| InferenceError::Load { backend: NAME, reason };
        let model = self.pool.run(|| {
            let mut options = ModelOptions::with_all_ops();
            options.prepack_weights(true);
            options.load(onnx.to_vec()).map_err(|error| refused(error.to_string()))
        })?;
        let inputs = bind(&model, "input", &signature.inputs, model.input_ids())?;
        let outputs = bind(&model, "output", &signature.outputs, model.output_ids())?;
        let is_more = |id: &&NodeId| inputs.iter().all(|bound| bound.id != **id);
        if let Some(&more) = model.input_ids().iter().find(is_more) {
            let name = model.node_info(more).and_then(|info| info.name().map(str::to_owned));
            return Err(refused(format!("it has an input more: {}", name.unwrap_or_default())));
        }
        Ok((model, inputs, outputs))
    }
}

impl Default for Cpu {
    fn default() -> Cpu {
        Cpu::new()
    }
}

impl Backend for Cpu {
    fn name(&self) -> &'static str {
        NAME
    }

    fn another(&self) -> Box<dyn Backend> {
        Box::new(Cpu::new())
    }

    fn load(&self, onnx: &[u8], signature: &Signature) -> Result<Box<dyn Graph>, InferenceError> {
        let (model, inputs, outputs) = self.open(onnx, signature)?;
        if let Some(graph) = self.known(onnx) {
            if let Some(run) = LstmRun::of(&graph, signature, 1) {
                return Ok(Box::new(CpuGraph { inputs, outputs, run }));
            }
            if let Some(run) = Planned::of(&graph, signature) {
                return Ok(Box::new(CpuGraph { inputs, outputs, run }));
            }
        }
        self.needs_pool.store(true, Ordering::Relaxed);
        let ids = outputs.iter().map(|output| output.id).collect();
        let run = Rten { model, pool: Arc::clone(&self.pool), ids };
        Ok(Box::new(CpuGraph { inputs, outputs, run }))
    }

    fn load_many(
        &self,
        onnx: &[u8],
        signature: &Signature,
        count: usize,
    ) -> Result<Option<Box<dyn Graph>>, InferenceError> {
        let (_, mut inputs, mut outputs) = self.open(onnx, signature)?;
        for bound in inputs.iter_mut().chain(&mut outputs) {
            bound.numbers.resize(count * bound.numbers.len(), 0.0);
        }
        let run = self.known(onnx).and_then(|graph| LstmRun::of(&graph, signature, count));
        Ok(run.map(|run| -> Box<dyn Graph> { Box::new(CpuGraph { inputs, outputs, run }) }))
    }

    fn together(&self, work: &mut (dyn FnMut() + Send)) {
        // Kernels run where they are called, so that nothing is handed over.
        if self.needs_pool.load(Ordering::Relaxed) { self.pool.run(work) } else { work() }
    }
}

/// An input or output and its numbers.
struct Bound {
    id: NodeId,
    shape: Vec<usize>,
    numbers: Vec<f32>,
}

/// A graph with its numbers, and what computes the outputs from the inputs.
struct CpuGraph<R> {
    inputs: Vec<Bound>,
    outputs: Vec<Bound>,
    run: R,
}

/// Computes outputs from inputs.
trait Run: Send {
    fn run(&mut self, inputs: &[Bound], outputs: &mut [Bound]) -> Result<(), InferenceError>;
}

impl<R: Run> Graph for CpuGraph<R> {
    fn input(&mut self, index: usize) -> &mut [f32] {
        &mut self.inputs[index].numbers
    }

    fn run(&mut self) -> Result<(), InferenceError> {
        self.run.run(&self.inputs, &mut self.outputs)
    }

    fn output(&self, index: usize) -> &[f32] {
        &self.outputs[index].numbers
    }
}

fn failed(reason: String) -> InferenceError {
    InferenceError::Run { backend: NAME, reason }
}

/// Every node by rten.
struct Rten {
    model: Model,
    pool: Arc<ThreadPool>,
    ids: Vec<NodeId>,
}

impl Rten {
    /// The outputs, from these inputs.
    fn values(&self, inputs: &[Bound]) -> Result<Vec<Tensor<f32>>, InferenceError> {
        let inputs = inputs
            .iter()
            .map(|input| {
                let view = TensorView::from_data(input.shape.as_slice(), input.numbers.as_slice());
                (input.id, ValueOrView::from(view))
            })
            .collect();
        let options = RunOptions::default().with_thread_pool(Some(Arc::clone(&self.pool)));
        let values = self.model.run(inputs, &self.ids, Some(options));
        let floats = |value: Value| {
            let tensor = value.into_tensor::<f32>();
            tensor.ok_or_else(|| failed("an output is not of 32-bit floats".to_owned()))
        };
        values.map_err(|error| failed(error.to_string()))?.into_iter().map(floats).collect()
    }
}

impl Run for Rten {
    fn run(&mut self, inputs: &[Bound], outputs: &mut [Bound]) -> Result<(), InferenceError> {
        let values = self.values(inputs)?;
        for (output, tensor) in outputs.iter_mut().zip(values) {
            if tensor.shape() != output.shape.as_slice() {
                let shape = tensor.shape();
                return Err(failed(format!("an output has the shape {shape:?}")));
            }
            for (number, &given) in output.numbers.iter_mut().zip(tensor.iter()) {
                *number = given;
            }
        }
        Ok(())
    }
}

/// The place of a name among a graph's inputs or outputs.
fn place(shapes: &[TensorShape], name: &str) -> Option<usize> {
    shapes.iter().position(|shape| shape.name == name)
}

/// An LSTM by our kernel.
struct LstmRun {
    lstm: lstm::Lstm,
    /// Rows of a window.
    rows: usize,
    /// The input with the windows.
    windows: usize,
    /// The inputs with the states before.
    before: Option<[usize; 2]>,
    /// The outputs with the states after.
    after: [Option<usize>; 2],
    /// Hidden and cell states of all windows.
    state: [Vec<f32>; 2],
    scratch: lstm::Scratch,
}

impl LstmRun {
    /// Runs `count` windows at once, if the graph is an LSTM of this signature.
    fn of(graph: &GraphProto, signature: &Signature, count: usize) -> Option<LstmRun> {
        let known::LstmGraph { lstm, rows, before, after } = known::lstm(graph)?;
        let windows = place(&signature.inputs, &rows)?;
        let rows = match signature.inputs[windows].shape.as_slice() {
            &[1, rows, columns] if columns == lstm.columns() => rows,
            _ => return None,
        };
        let (state, is_state) =
            (vec![0.0; count * lstm.hidden()], |shape: &TensorShape| shape.len() == lstm.hidden());
        let before = match before {
            None => None,
            Some([hidden, cell]) => {
                Some([place(&signature.inputs, &hidden)?, place(&signature.inputs, &cell)?])
            }
        };
        let after = after.map(|name| name.and_then(|name| place(&signature.outputs, &name)));
        let is_whole = signature.inputs.len() == 1 + before.map_or(0, |places| places.len())
            && signature.outputs.len() == after.iter().flatten().count()
            && before.iter().flatten().all(|&place| is_state(&signature.inputs[place]))
            && signature.outputs.iter().all(is_state);
        is_whole.then(|| LstmRun {
            rows,
            windows,
            before,
            after,
            state: [state.clone(), state],
            scratch: lstm::Scratch::default(),
            lstm,
        })
    }
}

impl Run for LstmRun {
    fn run(&mut self, inputs: &[Bound], outputs: &mut [Bound]) -> Result<(), InferenceError> {
        let [hidden, cell] = &mut self.state;
        match self.before {
            None => {
                hidden.fill(0.0);
                cell.fill(0.0);
            }
            Some(places) => {
                hidden.copy_from_slice(&inputs[places[0]].numbers);
                cell.copy_from_slice(&inputs[places[1]].numbers);
            }
        }
        let windows = &inputs[self.windows].numbers;
        self.lstm.run(self.rows, windows, hidden, cell, &mut self.scratch);
        for (place, state) in self.after.iter().zip([hidden, cell]) {
            if let Some(place) = *place {
                outputs[place].numbers.copy_from_slice(state);
            }
        }
        Ok(())
    }
}

/// A graph as steps, and the passes behind it, if it is a core.
struct Planned {
    plan: plan::Plan,
    masked: Option<Masked>,
}

/// What a kernel computes behind the first mask.
struct Masked {
    passes: passes::Passes,
    masks: [usize; 2],
    scratch: passes::Scratch,
}

impl Planned {
    /// The graph, if all of its nodes are known.
    fn of(graph: &GraphProto, signature: &Signature) -> Option<Planned> {
        let Signature { inputs, outputs } = signature;
        if let Some(known) = known::passes(graph) {
            let (nodes, hidden) = (&graph.node[..known.head], known.hidden.clone());
            let (masked, agents) = Masked::of(known, signature)?;
            let wanted = [(hidden.as_str(), agents * masked.passes.widths()[0])];
            let plan = plan::Plan::of(graph, nodes, inputs, &wanted)?;
            return Some(Planned { plan, masked: Some(masked) });
        }
        let wanted: Vec<_> = outputs.iter().map(|one| (one.name.as_str(), one.len())).collect();
        let plan = plan::Plan::of(graph, &graph.node, inputs, &wanted)?;
        Some(Planned { plan, masked: None })
    }
}

impl Masked {
    /// The passes and the number of agents, if the signature is theirs.
    fn of(known: known::PassesGraph, signature: &Signature) -> Option<(Masked, usize)> {
        let known::PassesGraph { passes, masks: [first, second], .. } = known;
        let masks = [place(&signature.inputs, &first)?, place(&signature.inputs, &second)?];
        let [from, to, classes] = passes.widths();
        let wanted = |shape: &TensorShape, width| match *shape.shape.as_slice() {
            [agents, passes, found] if found == width => Some((agents, passes)),
            _ => None,
        };
        let masked = wanted(&signature.inputs[masks[0]], from)?;
        let scratch = passes::Scratch::default();
        let is_whole = wanted(&signature.inputs[masks[1]], to) == Some(masked)
            && signature.outputs.len() == 1
            && wanted(&signature.outputs[0], classes) == Some(masked);
        is_whole.then_some((Masked { passes, masks, scratch }, masked.0))
    }
}

impl Run for Planned {
    fn run(&mut self, inputs: &[Bound], outputs: &mut [Bound]) -> Result<(), InferenceError> {
        let Planned { plan, masked } = self;
        plan.run(inputs);
        let Some(Masked { passes, masks, scratch }) = masked else {
            for (index, output) in outputs.iter_mut().enumerate() {
                output.numbers.copy_from_slice(plan.output(index, inputs));
            }
            return Ok(());
        };
        let first = plan.output(0, inputs);
        if !first.iter().all(|number| number.is_finite()) {
            outputs[0].numbers.fill(f32::NAN);
            return Ok(());
        }
        let masks = masks.map(|place| inputs[place].numbers.as_slice());
        passes.run(first, masks, &mut outputs[0].numbers, scratch);
        Ok(())
    }
}

/// Finds the named inputs or outputs, and makes room for their numbers.
fn bind(
    model: &Model,
    what: &'static str,
    shapes: &[TensorShape],
    known: &[NodeId],
) -> Result<Vec<Bound>, InferenceError> {
    let bind = |wanted: &TensorShape| {
        let id = model.find_node(&wanted.name).filter(|id| known.contains(id));
        let id = id.ok_or_else(|| InferenceError::Name { what, name: wanted.name.clone() })?;
        if let Some(found) = model.node_info(id).and_then(|info| info.shape())
            && !agrees(&found, &wanted.shape)
        {
            let (name, expected) = (wanted.name.clone(), wanted.shape.clone());
            let found = format!("{found:?}");
            return Err(InferenceError::Shape { what, name, found, expected });
        }
        Ok(Bound { id, shape: wanted.shape.clone(), numbers: vec![0.0; wanted.len()] })
    };
    shapes.iter().map(bind).collect()
}

/// Returns whether a graph's dimensions can be these: a named one can be any.
fn agrees(found: &[Dimension], wanted: &[usize]) -> bool {
    let fits = |(dimension, &size): (&Dimension, &usize)| match dimension {
        Dimension::Fixed(fixed) => *fixed == size,
        Dimension::Symbolic(_) => true,
    };
    found.len() == wanted.len() && found.iter().zip(wanted).all(fits)
}
