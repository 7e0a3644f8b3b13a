//! The choice of the backend.

use std::path::PathBuf;

use crate::settings::{names, settings};

settings! {
    /// `inference`. No effect unless `strategy.kind` is `marl`.
    #[derive(Eq)]
    pub struct InferenceSettings {
        /// The backend of the networks. The outputs of two backends differ in the last digits.
        pub backend: InferenceBackend = InferenceBackend::Cpu;
        /// ONNX Runtime's library, 1.24 or later; `null`: `libonnxruntime.so`, sought where the
        /// system keeps libraries. No effect under `cpu`.
        pub library: Option<PathBuf> = None;
    }
}

names! {
    /// `inference.backend`
    pub enum InferenceBackend {
        /// The embedded backend.
        Cpu = "cpu",
        /// ONNX Runtime, from a library that you install.
        OnnxRuntime = "onnxruntime",
    }
}
