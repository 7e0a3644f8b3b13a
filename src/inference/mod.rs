//! Runs ONNX graphs.
//!
//! A [`Backend`] loads a graph into a [`Graph`], which owns its inputs and outputs: its user
//! writes into the inputs, runs it, and reads the outputs. So a backend can keep them where its
//! device wants them. The embedded [`Cpu`] backend is pure Rust, one thread, without a library of
//! the system. [`OnnxRuntime`] calls a library that the user installs and that is loaded when it is
//! asked for.
//!
//! [`DropoutMasks`] are inputs like any other: dropout is never an operator of a graph.

mod cpu;
mod masks;
mod onnx_runtime;
mod settings;

pub use cpu::Cpu;
pub use masks::DropoutMasks;
pub use onnx_runtime::OnnxRuntime;
pub use settings::{InferenceBackend, InferenceSettings};

use std::path::PathBuf;

/// An input or output of a graph: its name and its fixed shape.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TensorShape {
    /// As in the ONNX file.
    pub name: String,
    /// Every dimension (≥ 1).
    pub shape: Vec<usize>,
}

impl TensorShape {
    /// Returns the number of its values.
    pub fn len(&self) -> usize {
        self.shape.iter().product()
    }

    /// Returns whether it is empty.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// The inputs and outputs of a graph: all of them 32-bit floats.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signature {
    /// Inputs, in the order in which [`Graph::input`] counts them.
    pub inputs: Vec<TensorShape>,
    /// Outputs, likewise.
    pub outputs: Vec<TensorShape>,
}

/// A graph that cannot be loaded or run.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InferenceError {
    /// The backend's library cannot be used.
    #[error("the {backend} backend cannot use the library {}: {reason}; inference.library names it", library.display())]
    Open {
        /// The backend.
        backend: &'static str,
        /// Path at which it was sought.
        library: PathBuf,
        /// The backend's words.
        reason: String,
    },
    /// The backend does not take the file.
    #[error("the {backend} backend cannot load the graph: {reason}")]
    Load {
        /// The backend.
        backend: &'static str,
        /// Its words.
        reason: String,
    },
    /// The graph has no such input or output.
    #[error("the graph has no {what} `{name}`")]
    Name {
        /// `input` or `output`.
        what: &'static str,
        /// Name of the missing one.
        name: String,
    },
    /// The graph has another shape there.
    #[error("{what} `{name}` of the graph has the shape {found}, not {expected:?}")]
    Shape {
        /// `input` or `output`.
        what: &'static str,
        /// Which.
        name: String,
        /// The graph's.
        found: String,
        /// Expected shape.
        expected: Vec<usize>,
    },
    /// A run failed.
    #[error("the {backend} backend cannot run the graph: {reason}")]
    Run {
        /// The backend.
        backend: &'static str,
        /// Its words.
        reason: String,
    },
}

/// Loads graphs.
pub trait Backend: Send + Sync {
    /// Its name, such as `cpu`.
    fn name(&self) -> &'static str;

    /// One of the same kind, which can run graphs at the same time as this one.
    fn another(&self) -> Box<dyn Backend>;

    /// Loads an ONNX file with inputs and outputs of these shapes.
    ///
    /// # Errors
    /// If the file is no graph, has operators that the backend does not know, or other inputs or
    /// outputs.
    fn load(&self, onnx: &[u8], signature: &Signature) -> Result<Box<dyn Graph>, InferenceError>;

    /// Loads an ONNX file with inputs and outputs of these shapes for `count` runs at once, whose
    /// numbers lie one after the other in every input and output; `None` unless each of them gives
    /// the same bits as alone.
    ///
    /// # Errors
    /// Those of [`Backend::load`].
    fn load_many(
        &self,
        _onnx: &[u8],
        _signature: &Signature,
        _count: usize,
    ) -> Result<Option<Box<dyn Graph>>, InferenceError> {
        Ok(None)
    }

    /// Does work that runs graphs where they run, so that it is handed over once and not for each:
    /// a decision, or all that a thread ever does. Nothing else can run them meanwhile.
    fn together(&self, work: &mut (dyn FnMut() + Send)) {
        work();
    }
}

/// A graph that is loaded, with its inputs and outputs.
pub trait Graph: Send {
    /// The numbers of an input, row by row, as they were last written.
    ///
    /// # Panics
    /// If there is no such input.
    fn input(&mut self, index: usize) -> &mut [f32];

    /// Does what it can of the next run, in which the first input begins with these numbers. No
    /// output depends on whether it was called.
    ///
    /// # Errors
    /// If the backend fails.
    fn prepare(&mut self, _beginning: &[f32]) -> Result<(), InferenceError> {
        Ok(())
    }

    /// Computes the outputs from the inputs.
    ///
    /// # Errors
    /// If the backend fails. The outputs are without meaning then.
    fn run(&mut self) -> Result<(), InferenceError>;

    /// The numbers of an output, as the last run left them.
    ///
    /// # Panics
    /// If there is no such output.
    fn output(&self, index: usize) -> &[f32];
}

#[cfg(test)]
mod tests;
