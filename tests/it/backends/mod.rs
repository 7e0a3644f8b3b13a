//! Every backend that can be had here.

use std::sync::Arc;

use algospace_hft::inference::{Backend, Cpu};

/// The embedded backend, and ONNX Runtime where ONNXRUNTIME_LIBRARY names its library.
pub fn backends() -> Vec<Arc<dyn Backend>> {
    let embedded: Arc<dyn Backend> = Arc::new(Cpu::new());
    std::iter::once(embedded).chain(onnx_runtime()).collect()
}

fn onnx_runtime() -> Option<Arc<dyn Backend>> {
    let Some(library) = std::env::var_os("ONNXRUNTIME_LIBRARY") else {
        eprintln!("SKIPPED: ONNXRUNTIME_LIBRARY is not set: ONNX Runtime is left out");
        return None;
    };
    let backend = algospace_hft::inference::OnnxRuntime::new(library.as_ref());
    Some(Arc::new(backend.expect("the library can be used")))
}
