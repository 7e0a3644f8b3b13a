//! Rolling N×F matrices of features: what a model sees.
//!
//! A [`RollingMatrix`] is updated on the close of its own bars only. Its columns are scaled by causal,
//! bounded rules ([`Normaliser`]) that are part of a model's contract, and its window is always one
//! contiguous block of `f32`, oldest row first, that can be handed to inference without a copy.

mod normaliser;
mod rolling;

pub use normaliser::{CLIP, Normaliser, Scale, ScaleError};
pub use rolling::{NotReady, RollingMatrix};
