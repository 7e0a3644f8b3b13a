//! Outputs of every backend, against PyTorch: a pinned fixture of random inputs, and, for
//! `tests/oracles/models_oracle.py --compare`, everything that the engine computes on many more.
//!
//! With `MODEL_PARITY_OUTPUT=FOLDER` the second test writes 1,000 random cases of each graph, and
//! 1,000 cases whose matrices are windows of real ES minutes where the shared data is there.

use std::collections::HashMap;
use std::path::Path;

use algospace_hft::agents::model_set::{GraphKind, ModelSet};
use algospace_hft::engine::FeatureStage;
use algospace_hft::features::IndicatorSettings;
use algospace_hft::inference::{Cpu, DropoutMasks, Graph};
use algospace_hft::market::{Bar, Instrument, RollRule, Timeframe};
use algospace_hft::matrix::{MatricesSettings, MatrixKind};
use algospace_hft::random::Random;
use algospace_hft::source::import::{ImportOptions, roll_choice, run as import};
use algospace_hft::source::native::{Adjustment, TickFile};
use safetensors::tensor::{Dtype, TensorView};
use safetensors::{SafeTensors, serialize_to_file};

use crate::backends::backends;
use crate::shared_data::shared_data;

/// Largest difference from PyTorch.
const TOLERANCE: f32 = 1e-5;

fn floats(bytes: &[u8]) -> Vec<f32> {
    bytes.chunks_exact(4).map(|bytes| f32::from_le_bytes(bytes.try_into().unwrap())).collect()
}

#[test]
fn every_graph_gives_what_pytorch_gives() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/model_parity.safetensors");
    let bytes = std::fs::read(path).unwrap();
    let fixture = SafeTensors::deserialize(&bytes).unwrap();
    let set = ModelSet::built_in().unwrap();
    for (backend, kind) in
        backends().iter().flat_map(|backend| GraphKind::ALL.map(|kind| (backend, kind)))
    {
        let [inputs, outputs] = kind.shapes(set.manifest());
        let mut loaded: HashMap<usize, Box<dyn Graph>> = HashMap::new();
        let mut largest: f32 = 0.0;
        for case in 0..32 {
            let tensor =
                |name: &str| fixture.tensor(&format!("{}/{case}/{name}", kind.name())).unwrap();
            let passes = match kind {
                GraphKind::Core => tensor("mask_1").shape()[1],
                _ => 1,
            };
            let graph = loaded
                .entry(passes)
                .or_insert_with(|| set.graph(kind, backend.as_ref(), passes).unwrap());
            for (index, input) in inputs.iter().enumerate() {
                graph.input(index).copy_from_slice(&floats(tensor(&input.name).data()));
            }
            graph.run().unwrap();
            for (index, output) in outputs.iter().enumerate() {
                let expected = floats(tensor(&output.name).data());
                assert_eq!(expected.len(), graph.output(index).len());
                for (ours, theirs) in graph.output(index).iter().zip(expected) {
                    assert!((ours - theirs).abs() <= TOLERANCE, "{kind:?} {case}: {ours} {theirs}");
                    largest = largest.max((ours - theirs).abs());
                }
            }
        }
        println!("{}, {kind:?}: {largest:e}", backend.name());
    }
}

/// Inputs and outputs of many runs, as `GRAPH/CASE/NAME`.
#[derive(Default)]
struct Kept(Vec<(String, Vec<usize>, Vec<u8>)>);

impl Kept {
    fn keep(&mut self, name: String, shape: Vec<usize>, numbers: &[f32]) {
        let bytes = numbers.iter().flat_map(|number| number.to_le_bytes()).collect();
        self.0.push((name, shape, bytes));
    }

    fn write(&self, path: &Path) {
        let views = self.0.iter().map(|(name, shape, bytes)| {
            (name, TensorView::new(Dtype::F32, shape.clone(), bytes).unwrap())
        });
        serialize_to_file(views, None, path).unwrap();
    }
}

/// Windows of the structure, tactical and regime matrices.
type Windows = [Vec<Vec<f32>>; 3];

/// Real windows, as far as the shared data has them.
fn real_windows() -> Option<Windows> {
    let minutes = shared_data("lean/cme/minute/es")?;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("es.ticks");
    let instrument = Instrument::built_in("ES").unwrap();
    let mut options = ImportOptions::new("lean", vec![minutes], path.clone(), instrument.clone());
    options.roll = Some(roll_choice(RollRule::Volume, Adjustment::None, instrument.calendar));
    import(&options, &mut |_| {}).unwrap();
    let file = TickFile::open(&path).unwrap();
    let timeframes = [Timeframe::MINUTES_5, Timeframe::MINUTES_30];
    let (indicators, matrices) = (IndicatorSettings::default(), MatricesSettings::default());
    let mut stage =
        FeatureStage::new(&indicators, &matrices, &timeframes, &instrument, false).unwrap();
    let mut builder =
        algospace_hft::bars::BarBuilder::new(&timeframes, instrument.calendar, 3_600_000_000_000);
    let mut windows = Windows::default();
    let mut on_bar = |bar: &Bar| {
        if stage.on_bar(bar).is_none() {
            return;
        }
        for matrix in stage.matrices() {
            let is_mine = matrix.settings().timeframe == bar.timeframe;
            if let (true, Ok(window)) =
                (is_mine && matrix.kind() != MatrixKind::Context, matrix.window())
            {
                windows[matrix.kind() as usize].push(window.to_vec());
            }
        }
    };
    for tick in file.ticks() {
        builder.on_tick(tick, &mut on_bar);
    }
    Some(windows)
}

/// Runs every graph on `cases` cases; matrices are those windows (round and round), or random.
fn cases(set: &ModelSet, cases: usize, windows: Option<&Windows>) -> Kept {
    let backend = Cpu::new();
    let mut random = Random::new(11, 0);
    let mut kept = Kept::default();
    let dropout = &set.manifest().dropout;
    let masks = DropoutMasks::new(11, 3, 3, dropout.widths, dropout.probability);
    // What the encoders gave goes into the graphs behind them.
    let mut encodings: [Vec<Vec<f32>>; 3] = Default::default();
    for kind in GraphKind::ALL {
        let [inputs, outputs] = kind.shapes(set.manifest());
        let mut graph = set.graph(kind, &backend, 3).unwrap();
        for case in 0..cases {
            for (index, input) in inputs.iter().enumerate() {
                let numbers = graph.input(index);
                let real = |encoded: usize| windows.map(|_| encodings[encoded][case].clone());
                let given = match (input.name.as_str(), kind) {
                    ("matrix", _) => windows.map(|windows| {
                        let windows = &windows[kind as usize];
                        windows[case % windows.len()].clone()
                    }),
                    ("structure", _) => real(0),
                    ("tactical", _) => real(1),
                    ("regime", _) => real(2),
                    _ => None,
                };
                match (given, input.name.as_str()) {
                    (Some(given), _) => numbers.copy_from_slice(&given),
                    (None, "mask_1") => masks.fill(case as u64, 0, numbers),
                    (None, "mask_2") => masks.fill(case as u64, 1, numbers),
                    (None, _) => numbers.fill_with(|| random.unit() as f32 * 6.0 - 3.0),
                }
                let shape = shape_of(&input.name, numbers.len(), &input.shape.len());
                let numbers = numbers.to_vec();
                kept.keep(format!("{}/{case}/{}", kind.name(), input.name), shape, &numbers);
            }
            graph.run().unwrap();
            for (index, output) in outputs.iter().enumerate() {
                let numbers = graph.output(index);
                let shape = shape_of(&output.name, numbers.len(), &output.shape.len());
                kept.keep(format!("{}/{case}/{}", kind.name(), output.name), shape, numbers);
                if (kind as usize) < 3 {
                    encodings[kind as usize].push(numbers.to_vec());
                }
            }
        }
    }
    kept
}

/// The shape of an input or output with that many numbers.
fn shape_of(name: &str, numbers: usize, dimensions: &usize) -> Vec<usize> {
    match (name, numbers, dimensions) {
        ("mask_1" | "mask_2" | "logits", _, _) => vec![3, 3, numbers / 9],
        ("matrix", 384, _) => vec![1, 48, 8],
        ("matrix", 420, _) => vec![1, 60, 7],
        ("matrix", 1200, _) => vec![1, 100, 12],
        _ => vec![1, numbers],
    }
}

#[test]
fn the_engines_outputs_are_written_for_the_oracle() {
    let Some(folder) = std::env::var_os("MODEL_PARITY_OUTPUT") else {
        eprintln!("SKIPPED: MODEL_PARITY_OUTPUT names no folder for the oracle to read");
        return;
    };
    let folder = Path::new(&folder);
    std::fs::create_dir_all(folder).unwrap();
    let set = ModelSet::built_in().unwrap();
    cases(&set, 1000, None).write(&folder.join("random.safetensors"));
    if let Some(windows) = real_windows() {
        assert!(windows.iter().all(|windows| windows.len() > 200));
        cases(&set, 1000, Some(&windows)).write(&folder.join("real.safetensors"));
    }
}
