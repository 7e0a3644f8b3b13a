//! The stages wired together.

mod stages;

pub use stages::{Pipeline, PipelineSettings, Sink};
