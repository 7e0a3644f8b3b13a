//! The embedded backend: rten on one thread.

use std::sync::Arc;

use rten::{Dimension, Model, ModelOptions, NodeId, RunOptions, ThreadPool, ValueOrView};
use rten_tensor::TensorView;
use rten_tensor::prelude::*;

use super::{Backend, Graph, InferenceError, Signature, TensorShape};

const NAME: &str = "cpu";

/// Runs graphs on one thread of its own, by rten.
///
/// rten runs everything inside a thread pool. With one thread in it no work is split, and
/// [`Backend::together`] hands several runs over at once. What remains: some allocations a run (its inputs and outputs, and what an
/// operator gives when rten's pool has none of that size).
///
/// rten's loader is not made for hostile bytes: on some damaged files it never ends. Model sets hold every file's hash,
/// and no file is loaded that does not have it.
#[derive(Clone)]
pub struct Cpu {
    pool: Arc<ThreadPool>,
}

impl Cpu {
    /// A backend with its thread.
    pub fn new() -> Cpu {
        Cpu { pool: Arc::new(ThreadPool::with_num_threads(1)) }
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
        let refused = |reason: String| InferenceError::Load { backend: NAME, reason };
        let model = self.pool.run(|| {
            let mut options = ModelOptions::with_all_ops();
            options.prepack_weights(true);
            options.load(onnx.to_vec()).map_err(|error| refused(error.to_string()))
        })?;
        let inputs = bind(&model, "input", &signature.inputs, model.input_ids())?;
        let outputs = bind(&model, "output", &signature.outputs, model.output_ids())?;
        if let Some(&more) = model.input_ids().iter().find(|&&id| inputs.iter().all(|b| b.id != id))
        {
            let name = model.node_info(more).and_then(|info| info.name().map(str::to_owned));
            return Err(refused(format!("it has an input more: {}", name.unwrap_or_default())));
        }
        let ids = outputs.iter().map(|output| output.id).collect();
        Ok(Box::new(CpuGraph { model, pool: Arc::clone(&self.pool), inputs, outputs, ids }))
    }

    fn together(&self, work: &mut (dyn FnMut() + Send)) {
        self.pool.run(work);
    }
}

/// An input or output and its numbers.
struct Bound {
    id: NodeId,
    shape: Vec<usize>,
    numbers: Vec<f32>,
}

struct CpuGraph {
    model: Model,
    pool: Arc<ThreadPool>,
    inputs: Vec<Bound>,
    outputs: Vec<Bound>,
    ids: Vec<NodeId>,
}

impl Graph for CpuGraph {
    fn input(&mut self, index: usize) -> &mut [f32] {
        &mut self.inputs[index].numbers
    }

    fn run(&mut self) -> Result<(), InferenceError> {
        let failed = |reason: String| InferenceError::Run { backend: NAME, reason };
        let inputs = self
            .inputs
            .iter()
            .map(|input| {
                let view = TensorView::from_data(input.shape.as_slice(), input.numbers.as_slice());
                (input.id, ValueOrView::from(view))
            })
            .collect();
        let options = RunOptions::default().with_thread_pool(Some(Arc::clone(&self.pool)));
        let values = self
            .model
            .run(inputs, &self.ids, Some(options))
            .map_err(|error| failed(error.to_string()))?;
        for (output, value) in self.outputs.iter_mut().zip(values) {
            let tensor = value
                .into_tensor::<f32>()
                .ok_or_else(|| failed("an output is not of 32-bit floats".to_owned()))?;
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

    fn output(&self, index: usize) -> &[f32] {
        &self.outputs[index].numbers
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

/// Whether a graph's dimensions can be these: a named one can be any.
fn agrees(found: &[Dimension], wanted: &[usize]) -> bool {
    let fits = |(dimension, &size): (&Dimension, &usize)| match dimension {
        Dimension::Fixed(fixed) => *fixed == size,
        Dimension::Symbolic(_) => true,
    };
    found.len() == wanted.len() && found.iter().zip(wanted).all(fits)
}
