//! A set of networks as it lies on the disk: it loads whole or not at all.
//!
//! A set is a folder with `manifest.json`, ONNX graphs, and two files of tensors: all weights, and
//! golden inputs with what the graphs must make of them. Everything is checked before anything
//! runs: checksums, shapes, that no weight is NaN, that what its networks see is what this engine
//! shows them, and last that every graph gives the golden outputs on the backend that will run it.

mod contract;
mod manifest;
mod schema;
mod two_parts;

use std::collections::BTreeMap;
use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::ops::RangeInclusive;
use std::path::Path;

use safetensors::{Dtype, SafeTensors};
use sha2::{Digest, Sha256};

pub use contract::{GraphKind, GraphValue};
pub use manifest::{
    Calibration, CheckedFile, Dimension, Dropout, FORMATS, GraphFile, Manifest, NamedShape,
    PassesName, Training,
};
pub use schema::{
    ACCOUNT, FeatureSchema, Matrices, OPPORTUNITY, PROPOSAL, SchemaDifference, VERSION, VOLATILITY,
};

use crate::inference::{Backend, DropoutMasks, Graph, InferenceError, Signature, TensorShape};
use crate::matrix::{MatrixKind, MatrixSettings};
use crate::strategy::MOST_CELLS;
use crate::strategy::{AGENTS, MOST_REGIME};
use contract::Part;
use two_parts::TwoParts;

/// Largest difference of a golden output from what the set says.
pub const GOLDEN_TOLERANCE: f32 = 1e-4;

/// Temperatures that logits can be divided by: any that calibration could call for, and none that
/// overflows.
const TEMPERATURES: RangeInclusive<f64> = 0.01..=100.0;

/// Largest file of a set, in bytes.
const LARGEST_FILE: u64 = 256 << 20;

/// The generator of masks that this engine has.
const GENERATOR: &str = "philox4x32-10";

/// A set that cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("model set {set}: {problem}")]
pub struct ModelSetError {
    /// Place of the set.
    pub set: String,
    /// Its fault.
    pub problem: Box<ModelSetProblem>,
}

/// A fault of a set.
#[derive(Debug, thiserror::Error)]
pub enum ModelSetProblem {
    /// There is no such folder.
    #[error(
        "there is no such folder; a relative path counts from the current directory, and `marl_core.model_set: null` is the built-in set"
    )]
    Folder,
    /// A file cannot be read.
    #[error(
        "{file} cannot be read: {source}; a set is used whole or not at all, so export it again"
    )]
    Missing {
        /// Which.
        file: String,
        /// Cause.
        source: std::io::Error,
    },
    /// The manifest is invalid.
    #[error("manifest.json: {0}; export the set again")]
    Manifest(serde_json::Error),
    /// A file name that leads out of the set.
    #[error("manifest.json names the file `{0}`; it must be a plain name in the set's folder")]
    FileName(String),
    /// Another version of the manifest.
    #[error(
        "manifest.json has format {found}, this program reads formats {} to {}; export the set with a matching version",
        FORMATS.start(), FORMATS.end()
    )]
    Format {
        /// Its version.
        found: u32,
    },
    /// A file is not what the manifest says.
    #[error(
        "{file} is damaged: its SHA-256 is {found}, the manifest says {expected}; copy or export the set again"
    )]
    Damaged {
        /// Which.
        file: String,
        /// Of the bytes.
        found: String,
        /// Of the manifest.
        expected: String,
    },
    /// A graph is missing, or there is one too many.
    #[error("it has the graphs {found}; a set of its format has {expected}")]
    Graphs {
        /// Those that there are.
        found: String,
        /// Those that there should be.
        expected: String,
    },
    /// A graph's inputs or outputs are not those of the contract.
    #[error(
        "graph {graph}: {what} are {found}, and by the rest of the manifest {expected}; export the set again"
    )]
    Shape {
        /// Which.
        graph: &'static str,
        /// `inputs` or `outputs`.
        what: &'static str,
        /// Those of the manifest.
        found: String,
        /// Those of the contract.
        expected: String,
    },
    /// A setting is out of its range.
    #[error("{what} is {value}; it must be {range}; export the set again")]
    Range {
        /// Which.
        what: &'static str,
        /// Its value.
        value: String,
        /// Its range.
        range: String,
    },
    /// A file of tensors is invalid, or lacks one.
    #[error("{file}: {reason}; export the set again")]
    Tensors {
        /// Which.
        file: String,
        /// Fault that was found.
        reason: String,
    },
    /// A number is NaN or infinite.
    #[error("{file}: tensor {tensor} holds what is no finite number; the training has failed")]
    NotFinite {
        /// Which file.
        file: String,
        /// Which tensor.
        tensor: String,
    },
    /// The backend does not take a graph.
    #[error("graph {graph}: {source}")]
    Inference {
        /// Which.
        graph: &'static str,
        /// Cause.
        source: InferenceError,
    },
    /// The golden masks are not those that the manifest's seed and dropout give.
    #[error(
        "graph core: the masks of golden case {case} are not those of `seed` and `dropout`, so the manifest was changed or another generator made them; export the set again"
    )]
    Masks {
        /// Which case.
        case: usize,
    },
    /// A graph gives something else than it should.
    #[error(
        "graph {graph}: on the {backend} backend golden case {case} gives another `{output}` than the set says, by {difference} (at most {GOLDEN_TOLERANCE}); nothing is traded on such a model"
    )]
    Golden {
        /// Which graph.
        graph: &'static str,
        /// On what.
        backend: &'static str,
        /// Which case.
        case: usize,
        /// Which output.
        output: String,
        /// The largest difference.
        difference: f32,
    },
    /// Its networks see something else than this engine shows.
    #[error("{0}; use a set that was made for this configuration, or leave the keys out")]
    Schema(#[from] SchemaDifference),
    /// A value of the configuration that it cannot honour.
    #[error(
        "`{key}: {value}` is not what it was made for: {made_for}; leave the key out, or use another set"
    )]
    Setting {
        /// The key.
        key: &'static str,
        /// Its value.
        value: String,
        /// Value in the set.
        made_for: String,
    },
}

/// A set that was read and checked, but for its golden cases.
pub struct ModelSet {
    origin: String,
    /// SHA-256 of the manifest, which holds those of all other files.
    sha256: String,
    manifest: Manifest,
    /// ONNX files by their name in the manifest.
    graphs: BTreeMap<&'static str, Vec<u8>>,
    golden: Vec<u8>,
}

impl fmt::Debug for ModelSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ModelSet").field("origin", &self.origin).finish_non_exhaustive()
    }
}

/// The files of the built-in set.
macro_rules! built_in {
    ($($file:literal),*) => {
        [$(($file, include_bytes!(concat!("../../../models/untrained/", $file)) as &[u8])),*]
    };
}

const BUILT_IN: [(&str, &[u8]); 11] = built_in![
    "manifest.json",
    "structure_prefix.onnx",
    "structure_step.onnx",
    "tactical_prefix.onnx",
    "tactical_step.onnx",
    "regime.onnx",
    "core.onnx",
    "risk.onnx",
    "gate.onnx",
    "golden.safetensors",
    "weights.safetensors"
];

impl ModelSet {
    /// The set that is part of the program.
    ///
    /// # Errors
    /// If it is not whole. Never in a program that was built from a whole repository.
    pub fn built_in() -> Result<ModelSet, ModelSetError> {
        Self::from_files("built-in", &|name| {
            let file = BUILT_IN.iter().find(|(file, _)| *file == name);
            file.map(|(_, bytes)| bytes.to_vec()).ok_or(std::io::ErrorKind::NotFound.into())
        })
    }

    /// Reads a set from its folder.
    ///
    /// # Errors
    /// If a file is missing or damaged, or the set breaks the contract.
    pub fn read(folder: &Path) -> Result<ModelSet, ModelSetError> {
        let origin = folder.display().to_string();
        if !folder.is_dir() {
            return Err(ModelSetError { set: origin, problem: Box::new(ModelSetProblem::Folder) });
        }
        Self::from_files(&origin, &|name| read_regular(&folder.join(name)))
    }

    /// A set from wherever its files are: `read` gives the bytes of the one of a name. `origin`
    /// says where, for people.
    ///
    /// # Errors
    /// If a file is missing or damaged, or the set breaks the contract.
    pub fn from_files(origin: &str, read: &ReadFile) -> Result<ModelSet, ModelSetError> {
        Self::load(origin, read)
            .map_err(|problem| ModelSetError { set: origin.to_owned(), problem: Box::new(problem) })
    }

    fn load(origin: &str, read: &ReadFile) -> Result<ModelSet, ModelSetProblem> {
        let bytes = read_file(read, "manifest.json")?;
        // The format is told first: a manifest of another one has other keys.
        let json: serde_json::Value =
            serde_json::from_slice(&bytes).map_err(ModelSetProblem::Manifest)?;
        let format = json.get("format").and_then(serde_json::Value::as_u64).unwrap_or(0) as u32;
        if !FORMATS.contains(&format) {
            return Err(ModelSetProblem::Format { found: format });
        }
        // From the bytes: a key that stands twice is refused.
        let manifest: Manifest =
            serde_json::from_slice(&bytes).map_err(ModelSetProblem::Manifest)?;
        check_settings(&manifest)?;
        let parts = Part::all(format);
        let is_there = |part: &Part| manifest.graphs.contains_key(part.name());
        if manifest.graphs.len() != parts.len() || !parts.iter().all(is_there) {
            let found = manifest.graphs.keys().cloned().collect::<Vec<_>>().join(", ");
            let expected = parts.iter().map(|part| part.name()).collect::<Vec<_>>().join(", ");
            return Err(ModelSetProblem::Graphs { found, expected });
        }
        for &part in &parts {
            check_shapes(&manifest, part)?;
        }
        let width = GraphKind::Regime.encoding_width(&manifest);
        if width > MOST_REGIME {
            let (value, range) = (width.to_string(), format!("{MOST_REGIME} at most"));
            return Err(ModelSetProblem::Range { what: "the regime vector's width", value, range });
        }
        let mut graphs = BTreeMap::new();
        for part in parts {
            let graph = &manifest.graphs[part.name()];
            graphs.insert(part.name(), read_checked(read, &graph.file, &graph.sha256)?);
        }
        let golden = read_checked(read, &manifest.golden.file, &manifest.golden.sha256)?;
        let weights = read_checked(read, &manifest.weights.file, &manifest.weights.sha256)?;
        check_finite(&manifest.golden.file, &golden)?;
        check_finite(&manifest.weights.file, &weights)?;
        let (origin, sha256) = (origin.to_owned(), sha256(&bytes));
        Ok(ModelSet { origin, sha256, manifest, graphs, golden })
    }

    /// Returns its place: a folder, or `built-in`.
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// Returns its description of itself.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// Its ONNX files, in the order in which they run.
    pub fn files(&self) -> impl Iterator<Item = &GraphFile> {
        Part::all(self.manifest.format).into_iter().map(|part| &self.manifest.graphs[part.name()])
    }

    /// Numbers of its regime vector, 1 to [`MOST_REGIME`].
    pub fn regime_width(&self) -> usize {
        GraphKind::Regime.encoding_width(&self.manifest)
    }

    /// SHA-256 of its manifest, which holds those of all its files.
    pub fn sha256(&self) -> &str {
        &self.sha256
    }

    /// Its name, where it is, its hash and whether it is trained, for people.
    pub fn label(&self) -> String {
        let Manifest { name, trained, .. } = &self.manifest;
        let trained = if *trained { "" } else { "UNTRAINED, so that what it says is noise; " };
        format!("`{name}` ({trained}{}, SHA-256 {}…)", self.origin, &self.sha256[..12])
    }

    /// An error about this set.
    pub fn refuse(&self, problem: ModelSetProblem) -> ModelSetError {
        ModelSetError { set: self.origin.clone(), problem: Box::new(problem) }
    }

    /// Loads one of its graphs for this number of passes (≥ 1).
    ///
    /// # Errors
    /// If the backend does not take it.
    pub fn graph(
        &self,
        kind: GraphKind,
        backend: &dyn Backend,
        passes: usize,
    ) -> Result<Box<dyn Graph>, ModelSetError> {
        let load = |part: Part| {
            let name = part.name();
            let signature = signature(&self.manifest.graphs[name], passes);
            let loaded = backend.load(&self.graphs[name], &signature);
            loaded.map_err(|source| self.refuse(ModelSetProblem::Inference { graph: name, source }))
        };
        match kind.parts(self.manifest.format).as_slice() {
            &[prefix, step] => Ok(self.two_parts(kind, load(prefix)?, load(step)?, 1)),
            parts => load(parts[0]),
        }
    }

    /// Loads one of its encoders for `windows` windows (≥ 1) at once; `None` unless each gives the
    /// same bits as alone.
    ///
    /// # Errors
    /// If the backend does not take it.
    pub fn graph_of_many(
        &self,
        kind: GraphKind,
        backend: &dyn Backend,
        windows: usize,
    ) -> Result<Option<Box<dyn Graph>>, ModelSetError> {
        let load = |part: Part| {
            let name = part.name();
            let signature = signature(&self.manifest.graphs[name], 1);
            let loaded = backend.load_many(&self.graphs[name], &signature, windows);
            loaded.map_err(|source| self.refuse(ModelSetProblem::Inference { graph: name, source }))
        };
        match kind.parts(self.manifest.format).as_slice() {
            &[prefix, step] => {
                let parts = load(prefix)?.zip(load(step)?);
                Ok(parts.map(|(prefix, step)| self.two_parts(kind, prefix, step, windows)))
            }
            parts => load(parts[0]),
        }
    }

    /// The parts of an encoder as one graph for this number of windows at once.
    fn two_parts(
        &self,
        kind: GraphKind,
        prefix: Box<dyn Graph>,
        step: Box<dyn Graph>,
        windows: usize,
    ) -> Box<dyn Graph> {
        let [inputs, _] = kind.shapes(&self.manifest);
        let (window, row) = match inputs[0].shape.as_slice() {
            &[_, Dimension::Fixed(rows), Dimension::Fixed(columns)] => (rows * columns, columns),
            _ => unreachable!("a matrix has rows and columns"),
        };
        Box::new(TwoParts::new(prefix, step, (windows, window, row)))
    }

    /// Runs every graph on its golden inputs; returns the largest difference from the golden
    /// outputs.
    ///
    /// # Errors
    /// If it is too large, or a graph cannot be loaded or run.
    pub fn verify(&self, backend: &dyn Backend) -> Result<f32, ModelSetError> {
        let golden = SafeTensors::deserialize(&self.golden).map_err(|error| {
            let (file, reason) = (self.manifest.golden.file.clone(), error.to_string());
            self.refuse(ModelSetProblem::Tensors { file, reason })
        })?;
        let mut largest: f32 = 0.0;
        for kind in GraphKind::ALL {
            let difference = self.verify_graph(kind, backend, &golden)?;
            largest = largest.max(difference);
        }
        Ok(largest)
    }

    /// Checks that the core's golden masks of a case are those of decision = case under the set's
    /// seed: they say that the manifest's dropout is that of the exporter.
    fn verify_masks(
        &self,
        case: usize,
        passes: usize,
        core: &mut dyn Graph,
    ) -> Result<(), ModelSetError> {
        let Dropout { probability, widths, .. } = self.manifest.dropout;
        let is_known = (1..1 << 16).contains(&passes);
        let passes = if is_known { passes as u32 } else { 1 };
        let masks =
            DropoutMasks::new(self.manifest.seed, AGENTS.len() as u32, passes, widths, probability);
        let masked = [GraphValue::Mask1, GraphValue::Mask2]
            .map(|mask| GraphKind::Core.place(mask).expect("the core has masks"));
        let is_same = (0..widths.len()).all(|layer| {
            let mut mask = vec![0.0; masks.size(layer)];
            masks.fill(case as u64, layer, &mut mask);
            mask == core.input(masked[layer])
        });
        if is_same { Ok(()) } else { Err(self.refuse(ModelSetProblem::Masks { case })) }
    }

    fn verify_graph(
        &self,
        kind: GraphKind,
        backend: &dyn Backend,
        golden: &SafeTensors<'_>,
    ) -> Result<f32, ModelSetError> {
        let graph = kind.name();
        let file = &self.manifest.golden.file;
        let tensor =
            |case: usize, name: &str| floats(golden, file, &format!("{graph}/{case}/{name}"));
        let failed = |source| self.refuse(ModelSetProblem::Inference { graph, source });
        let [inputs, outputs] = kind.shapes(&self.manifest);
        let mut loaded: Option<(usize, Box<dyn Graph>)> = None;
        let mut largest: f32 = 0.0;
        let mut case = 0;
        loop {
            let passes = passes_of(&inputs, golden, &format!("{graph}/{case}"));
            let loaded = match &mut loaded {
                Some((loaded_for, loaded)) if *loaded_for == passes => loaded,
                other => &mut other.insert((passes, self.graph(kind, backend, passes)?)).1,
            };
            for (index, input) in inputs.iter().enumerate() {
                let numbers = match tensor(case, &input.name) {
                    Ok(numbers) => numbers,
                    Err(_) if index == 0 && case > 0 => return Ok(largest),
                    Err(problem) => return Err(self.refuse(problem)),
                };
                let slot = loaded.input(index);
                if numbers.len() != slot.len() {
                    let reason = format!("{graph}/{case}/{} has another shape", input.name);
                    return Err(
                        self.refuse(ModelSetProblem::Tensors { file: file.clone(), reason })
                    );
                }
                slot.copy_from_slice(&numbers);
            }
            if kind == GraphKind::Core {
                self.verify_masks(case, passes, loaded.as_mut())?;
            }
            loaded.run().map_err(failed)?;
            for (index, output) in outputs.iter().enumerate() {
                let expected =
                    tensor(case, &output.name).map_err(|problem| self.refuse(problem))?;
                let given = loaded.output(index);
                let apart = given.iter().zip(&expected).map(|(a, b)| (a - b).abs());
                let difference =
                    apart.fold(
                        0.0,
                        |most: f32, one| if one <= most || most.is_nan() { most } else { one },
                    );
                if given.len() != expected.len()
                    || difference.is_nan()
                    || difference > GOLDEN_TOLERANCE
                {
                    let (backend, output) = (backend.name(), output.name.clone());
                    return Err(self.refuse(ModelSetProblem::Golden {
                        graph,
                        backend,
                        case,
                        output,
                        difference,
                    }));
                }
                largest = largest.max(difference);
            }
            case += 1;
        }
    }
}

/// Reads a regular file of at most `LARGEST_FILE` bytes.
fn read_regular(path: &Path) -> io::Result<Vec<u8>> {
    let file = File::open(path)?;
    let facts = file.metadata()?;
    if !facts.is_file() || facts.len() > LARGEST_FILE {
        let why = format!("it is no regular file of {LARGEST_FILE} bytes at most");
        return Err(io::Error::new(io::ErrorKind::InvalidInput, why));
    }
    let mut bytes = Vec::new();
    file.take(LARGEST_FILE).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Reads a file of the set by its name.
pub type ReadFile<'a> = dyn Fn(&str) -> std::io::Result<Vec<u8>> + 'a;

fn read_file(read: &ReadFile, file: &str) -> Result<Vec<u8>, ModelSetProblem> {
    read(file).map_err(|source| ModelSetProblem::Missing { file: file.to_owned(), source })
}

fn read_checked(read: &ReadFile, file: &str, expected: &str) -> Result<Vec<u8>, ModelSetProblem> {
    if file.is_empty() || file.starts_with('.') || file.contains(['/', '\\']) {
        return Err(ModelSetProblem::FileName(file.to_owned()));
    }
    let bytes = read_file(read, file)?;
    let found = sha256(&bytes);
    if found != expected {
        let (file, expected) = (file.to_owned(), expected.to_owned());
        return Err(ModelSetProblem::Damaged { file, found, expected });
    }
    Ok(bytes)
}

fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

fn check_settings(manifest: &Manifest) -> Result<(), ModelSetProblem> {
    let out_of_range = |what, value: String, range: &str| {
        Err(ModelSetProblem::Range { what, value, range: range.to_owned() })
    };
    let Dropout { probability, widths, generator } = &manifest.dropout;
    if !(0.0..1.0).contains(probability) {
        return out_of_range(
            "dropout.probability",
            probability.to_string(),
            "0 or more and below 1",
        );
    }
    if let Some(width) = widths.iter().find(|&&width| width == 0 || width % 4 != 0 || width > 4096)
    {
        return out_of_range(
            "a width of dropout.widths",
            width.to_string(),
            "a multiple of 4 up to 4096",
        );
    }
    if generator != GENERATOR {
        return out_of_range("dropout.generator", generator.clone(), GENERATOR);
    }
    let temperature = manifest.calibration.temperature;
    if !TEMPERATURES.contains(&temperature) {
        let range = format!("{} to {}", TEMPERATURES.start(), TEMPERATURES.end());
        return out_of_range("calibration.temperature", temperature.to_string(), &range);
    }
    if manifest.name.is_empty() || manifest.name.contains(char::is_control) {
        return out_of_range("name", format!("{:?}", manifest.name), "text on one line");
    }
    let training = &manifest.training;
    if manifest.trained && (training.steps == 0 || training.data_sha256.is_none()) {
        return out_of_range(
            "trained",
            "true".to_owned(),
            "false where `training` has no steps or no `data_sha256`",
        );
    }
    let matrices = &manifest.feature_schema.matrices;
    let mut closes: BTreeMap<_, usize> = BTreeMap::new();
    for kind in MatrixKind::ALL {
        let MatrixSettings { timeframe, columns, rows } = matrices.of(kind);
        *closes.entry(*timeframe).or_default() += columns.len();
        if *rows == 0 || columns.is_empty() {
            return out_of_range("a matrix", format!("{rows}×{}", columns.len()), "at least 1×1");
        }
    }
    if let Some(&cells) = closes.values().find(|&&cells| cells > MOST_CELLS) {
        let range = format!("{MOST_CELLS} on one timeframe together at most");
        return out_of_range("the number of matrices' columns", cells.to_string(), &range);
    }
    if matrices.context.rows != 1 {
        return out_of_range("the rows of the context", matrices.context.rows.to_string(), "1");
    }
    Ok(())
}

/// Compares a graph's inputs and outputs with the contract.
fn check_shapes(manifest: &Manifest, part: Part) -> Result<(), ModelSetProblem> {
    let graph = &manifest.graphs[part.name()];
    let [inputs, outputs] = part.shapes(manifest);
    for (what, found, expected) in
        [("inputs", &graph.inputs, inputs), ("outputs", &graph.outputs, outputs)]
    {
        // A width of 0 stands for one that is absent.
        let is_sized = expected.iter().all(|named| !named.shape.contains(&Dimension::Fixed(0)));
        if *found != expected || !is_sized {
            let (found, expected) = (shapes_text(found), shapes_text(&expected));
            return Err(ModelSetProblem::Shape { graph: part.name(), what, found, expected });
        }
    }
    Ok(())
}

/// `matrix [1, 48, 8], …`
pub fn shapes_text(shapes: &[NamedShape]) -> String {
    let text = |named: &NamedShape| {
        let sizes = named.shape.iter().map(|dimension| match dimension {
            Dimension::Fixed(size) => size.to_string(),
            Dimension::Passes(_) => "passes".to_owned(),
        });
        format!("{} [{}]", named.name, sizes.collect::<Vec<_>>().join(", "))
    };
    shapes.iter().map(text).collect::<Vec<_>>().join(", ")
}

fn signature(graph: &GraphFile, passes: usize) -> Signature {
    let shape = |named: &NamedShape| TensorShape {
        name: named.name.clone(),
        shape: named
            .shape
            .iter()
            .map(|dimension| match dimension {
                Dimension::Fixed(size) => *size,
                Dimension::Passes(_) => passes,
            })
            .collect(),
    };
    Signature {
        inputs: graph.inputs.iter().map(shape).collect(),
        outputs: graph.outputs.iter().map(shape).collect(),
    }
}

/// The passes of a golden case; 1 where nothing depends on them, or the case is not there.
fn passes_of(inputs: &[NamedShape], golden: &SafeTensors<'_>, case: &str) -> usize {
    let passes = |input: &NamedShape| {
        let is_it = |dimension: &Dimension| matches!(dimension, Dimension::Passes(_));
        let place = input.shape.iter().position(is_it)?;
        golden.tensor(&format!("{case}/{}", input.name)).ok()?.shape().get(place).copied()
    };
    inputs.iter().find_map(passes).unwrap_or(1).max(1)
}

/// A tensor's numbers.
fn floats(tensors: &SafeTensors<'_>, file: &str, name: &str) -> Result<Vec<f32>, ModelSetProblem> {
    let failed = |reason: String| ModelSetProblem::Tensors { file: file.to_owned(), reason };
    let tensor = tensors.tensor(name).map_err(|error| failed(format!("{name}: {error}")))?;
    if tensor.dtype() != Dtype::F32 {
        return Err(failed(format!("{name} is not of 32-bit floats")));
    }
    let number = |bytes: &[u8]| f32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
    Ok(tensor.data().chunks_exact(4).map(number).collect())
}

/// Refuses a file of tensors that holds NaN or infinity.
fn check_finite(file: &str, bytes: &[u8]) -> Result<(), ModelSetProblem> {
    let tensors = SafeTensors::deserialize(bytes).map_err(|error| ModelSetProblem::Tensors {
        file: file.to_owned(),
        reason: error.to_string(),
    })?;
    for name in tensors.names() {
        if !floats(&tensors, file, name)?.iter().all(|number| number.is_finite()) {
            return Err(ModelSetProblem::NotFinite {
                file: file.to_owned(),
                tensor: name.to_owned(),
            });
        }
    }
    Ok(())
}
