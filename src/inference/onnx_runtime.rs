//! ONNX Runtime on one thread, from the library that the user installed.

use std::fmt;
use std::path::Path;
use std::sync::Mutex;

use ort::environment::Environment;
use ort::session::{Session, SessionInputValue};
use ort::value::{Outlet, Tensor, ValueType};

use super::{Backend, Graph, InferenceError, Signature, TensorShape};

const NAME: &str = "onnxruntime";

/// The library's state: a process has it once.
static ENVIRONMENT: Mutex<Option<Environment>> = Mutex::new(None);

/// Runs graphs on the calling thread, by ONNX Runtime.
#[derive(Clone)]
pub struct OnnxRuntime {
    environment: Environment,
}

impl fmt::Debug for OnnxRuntime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OnnxRuntime").finish_non_exhaustive()
    }
}

impl OnnxRuntime {
    /// Loads the library, `libonnxruntime.so` of ONNX Runtime 1.24 or later, unless the process has
    /// loaded it.
    ///
    /// # Errors
    /// If there is no such library there, or it is too old.
    pub fn new(library: &Path) -> Result<OnnxRuntime, InferenceError> {
        let refused = |reason: String| InferenceError::Open {
            backend: NAME,
            library: library.to_owned(),
            reason,
        };
        let mut loaded = ENVIRONMENT.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if let Some(environment) = &*loaded {
            return Ok(OnnxRuntime { environment: environment.clone() });
        }
        let builder = ort::init_from(library).map_err(|error| refused(error.to_string()))?;
        let environment = builder
            .with_name("algospace-hft")
            .with_telemetry(false)
            .build()
            .map_err(|error| refused(error.to_string()))?;
        *loaded = Some(environment.clone());
        Ok(OnnxRuntime { environment })
    }
}

impl Backend for OnnxRuntime {
    fn name(&self) -> &'static str {
        NAME
    }

    fn another(&self) -> Box<dyn Backend> {
        Box::new(self.clone())
    }

    fn load(&self, onnx: &[u8], signature: &Signature) -> Result<Box<dyn Graph>, InferenceError> {
        let session = open(&self.environment, onnx)
            .map_err(|error| InferenceError::Load { backend: NAME, reason: error.to_string() })?;
        agree("input", &signature.inputs, session.inputs())?;
        agree("output", &signature.outputs, session.outputs())?;
        if let Some(more) = session
            .inputs()
            .iter()
            .find(|outlet| signature.inputs.iter().all(|wanted| wanted.name != outlet.name()))
        {
            let reason = format!("it has an input more: {}", more.name());
            return Err(InferenceError::Load { backend: NAME, reason });
        }
        let tensor = |wanted: &TensorShape| {
            Tensor::from_array((wanted.shape.clone(), vec![0.0_f32; wanted.len()]))
                .map_err(|error| InferenceError::Load { backend: NAME, reason: error.to_string() })
        };
        Ok(Box::new(OnnxRuntimeGraph {
            inputs: signature.inputs.iter().map(tensor).collect::<Result<_, _>>()?,
            outputs: signature.outputs.iter().map(|wanted| vec![0.0; wanted.len()]).collect(),
            signature: signature.clone(),
            session,
        }))
    }
}

/// A session that runs on the calling thread alone.
fn open(environment: &Environment, onnx: &[u8]) -> ort::Result<Session> {
    let session = Session::builder(environment)?
        .with_intra_threads(1)?
        .with_inter_threads(1)?
        .with_intra_op_spinning(false)?
        .commit_from_memory(onnx)?;
    Ok(session)
}

struct OnnxRuntimeGraph {
    session: Session,
    signature: Signature,
    inputs: Vec<Tensor<f32>>,
    outputs: Vec<Vec<f32>>,
}

impl Graph for OnnxRuntimeGraph {
    fn input(&mut self, index: usize) -> &mut [f32] {
        self.inputs[index].extract_tensor_mut().1
    }

    fn run(&mut self) -> Result<(), InferenceError> {
        let failed = |reason: String| InferenceError::Run { backend: NAME, reason };
        let OnnxRuntimeGraph { session, signature, inputs, outputs } = self;
        let named = signature.inputs.iter().zip(&*inputs);
        let bound: Vec<_> = named
            .map(|(shape, tensor)| (shape.name.as_str(), SessionInputValue::from(tensor)))
            .collect();
        let given = session.run(bound).map_err(|error| failed(error.to_string()))?;
        for (shape, output) in signature.outputs.iter().zip(outputs) {
            let value = given.get(&shape.name);
            let value = value.ok_or_else(|| failed(format!("there is no `{}`", shape.name)))?;
            let (_, numbers) =
                value.try_extract_tensor::<f32>().map_err(|error| failed(error.to_string()))?;
            if numbers.len() != output.len() {
                return Err(failed(format!("`{}` has {} numbers", shape.name, numbers.len())));
            }
            output.copy_from_slice(numbers);
        }
        Ok(())
    }

    fn output(&self, index: usize) -> &[f32] {
        &self.outputs[index]
    }
}

/// Checks that a graph has inputs or outputs of these names and shapes; a dimension that it leaves
/// open can be any.
fn agree(
    what: &'static str,
    wanted: &[TensorShape],
    found: &[Outlet],
) -> Result<(), InferenceError> {
    for TensorShape { name, shape } in wanted {
        let outlet = found.iter().find(|outlet| outlet.name() == name);
        let outlet = outlet.ok_or_else(|| InferenceError::Name { what, name: name.clone() })?;
        let fits = match outlet.dtype() {
            ValueType::Tensor { shape: found, .. } => {
                let fits = |(&found, &wanted): (&i64, &usize)| found < 0 || found == wanted as i64;
                found.len() == shape.len() && found.iter().zip(shape).all(fits)
            }
            _ => false,
        };
        if !fits {
            let (name, expected) = (name.clone(), shape.clone());
            let found = outlet.dtype().to_string();
            return Err(InferenceError::Shape { what, name, found, expected });
        }
    }
    Ok(())
}
