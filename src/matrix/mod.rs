//! Rolling N×F matrices of features: what a model sees.
//!
//! A [`FeatureMatrix`] takes chosen columns of the feature row on the close of its own bars only.
//! Its columns are scaled by causal, bounded rules ([`Normaliser`]) that are part of a model's
//! contract ([`MatrixSettings`]), and its window is always one contiguous block of `f32`, oldest
//! row first, that can be handed to inference without a copy.

mod feature_matrix;
mod normaliser;
mod rolling;
mod settings;
mod table;

pub(crate) use feature_matrix::describe_missing;
pub use feature_matrix::{FeatureMatrix, MatrixError};
pub use normaliser::{CLIP, Normaliser, Scale, ScaleError};
pub use rolling::{NotReady, RollingMatrix, Window};
pub use settings::{ColumnSettings, MatricesSettings, MatrixKind, MatrixSettings};
pub use table::MatrixTable;
