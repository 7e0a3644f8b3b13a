//! `manifest.json`: what a model set says of itself.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use serde::{Deserialize, Serialize};

use super::schema::FeatureSchema;

/// The formats of a set that this program reads: 1 has every encoder in one graph, 2 the LSTMs in
/// two, of which the second is what remains to be done at a close.
pub const FORMATS: RangeInclusive<u32> = 1..=2;

/// A model set's description of itself.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// Version of this format.
    pub format: u32,
    /// Name of the set.
    pub name: String,
    /// `true` if its networks are trained; if not, their outputs are noise.
    pub trained: bool,
    /// A sentence on it.
    pub description: String,
    /// The schema of what its networks see.
    pub feature_schema: FeatureSchema,
    /// Its graphs by name.
    pub graphs: BTreeMap<String, GraphFile>,
    /// Inputs and what the graphs must make of them.
    pub golden: CheckedFile,
    /// All weights, for further training.
    pub weights: CheckedFile,
    /// Its dropout.
    pub dropout: Dropout,
    /// Calibration of its probabilities.
    pub calibration: Calibration,
    /// The data that it was trained on.
    pub training: Training,
    /// Seed of its weights and its training.
    pub seed: u64,
    /// Measurements.
    pub metrics: BTreeMap<String, f64>,
    /// Revision of the code that made it.
    pub revision: Option<String>,
    /// Versions of the libraries that made it.
    pub versions: BTreeMap<String, String>,
    /// Under which licence it is.
    pub licence: String,
}

/// A file of the set.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CheckedFile {
    /// Its name in the set's folder.
    pub file: String,
    /// SHA-256 of its bytes, in lower-case hexadecimal digits.
    pub sha256: String,
}

/// An ONNX file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GraphFile {
    /// Its name in the set's folder.
    pub file: String,
    /// SHA-256 of its bytes, in lower-case hexadecimal digits.
    pub sha256: String,
    /// Its inputs.
    pub inputs: Vec<NamedShape>,
    /// Its outputs.
    pub outputs: Vec<NamedShape>,
}

/// An input or output.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NamedShape {
    /// Its name.
    pub name: String,
    /// Its dimensions.
    pub shape: Vec<Dimension>,
}

/// A dimension.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Dimension {
    /// A fixed number.
    Fixed(usize),
    /// As many as there are passes.
    Passes(PassesName),
}

/// The name of the one dimension that is not fixed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum PassesName {
    /// `passes`
    #[serde(rename = "passes")]
    Passes,
}

/// `dropout`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Dropout {
    /// Probability that a unit is dropped.
    pub probability: f64,
    /// Units of the two layers.
    pub widths: [usize; 2],
    /// The generator of the masks: `philox4x32-10`.
    pub generator: String,
}

/// `calibration`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Calibration {
    /// Divisor of logits, fitted on the outcomes of trades.
    pub temperature: f64,
    /// Expected calibration error without it.
    pub expected_calibration_error_before: Option<f64>,
    /// And with it.
    pub expected_calibration_error_after: Option<f64>,
}

/// `training`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Training {
    /// SHA-256 of the ticks.
    pub data_sha256: Option<String>,
    /// From when to when.
    pub span: Option<String>,
    /// Steps of the environment.
    pub steps: u64,
}
