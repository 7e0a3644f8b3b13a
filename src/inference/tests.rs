use proptest::prelude::*;

use super::*;
use crate::agents::model_set::{GraphKind, GraphValue, ModelSet};
use crate::agents::tests::format_1;
use crate::random::Random;
use crate::strategy::AGENTS;

const PASSES: u32 = 30;
const WIDTHS: [usize; 2] = [256, 128];

fn masks(seed: u64, probability: f64) -> DropoutMasks {
    DropoutMasks::new(seed, AGENTS.len() as u32, PASSES, WIDTHS, probability)
}

fn layer(masks: &DropoutMasks, decision: u64, layer: usize) -> Vec<f32> {
    let mut mask = vec![f32::NAN; masks.size(layer)];
    masks.fill(decision, layer, &mut mask);
    mask
}

#[test]
fn the_built_in_set_gives_its_golden_outputs() {
    let difference = ModelSet::built_in().unwrap().verify(&Cpu::new()).unwrap();
    assert!(difference <= 1e-5, "{difference}");
}

#[test]
fn a_graph_gives_the_same_bits_again_and_on_another_backend() {
    let set = ModelSet::built_in().unwrap();
    let mut random = Random::new(3, 0);
    for kind in GraphKind::ALL {
        let mut graphs =
            [Cpu::new(), Cpu::new()].map(|backend| set.graph(kind, &backend, 7).unwrap());
        let (inputs, outputs) = (kind.inputs().len(), kind.outputs().len());
        for input in 0..inputs {
            let numbers = graphs[0].input(input);
            numbers.fill_with(|| random.unit() as f32 * 6.0 - 3.0);
            let numbers = numbers.to_vec();
            graphs[1].input(input).copy_from_slice(&numbers);
        }
        let mut told = Vec::new();
        for graph in graphs.iter_mut().chain([]) {
            for _ in 0..2 {
                graph.run().unwrap();
                told.push(
                    (0..outputs).map(|output| graph.output(output).to_vec()).collect::<Vec<_>>(),
                );
            }
        }
        assert!(told.iter().all(|outputs| *outputs == told[0]), "{kind:?}");
    }
}

/// Outputs of a graph for inputs that are drawn by `seed`; masks are of 0 and 1.25.
fn outputs(
    set: &ModelSet,
    kind: GraphKind,
    backend: &dyn Backend,
    passes: usize,
    seed: u64,
) -> Vec<Vec<f32>> {
    let mut graph = set.graph(kind, backend, passes).unwrap();
    let mut random = Random::new(seed, 0);
    for (index, input) in kind.inputs().iter().enumerate() {
        let is_mask = matches!(input, GraphValue::Mask1 | GraphValue::Mask2);
        graph.input(index).fill_with(|| match random.unit() as f32 {
            unit if is_mask => {
                if unit < 0.2 {
                    0.0
                } else {
                    1.25
                }
            }
            unit => unit * 6.0 - 3.0,
        });
    }
    graph.run().unwrap();
    (0..kind.outputs().len()).map(|output| graph.output(output).to_vec()).collect()
}

/// The backend, if it needs no rten for a graph.
struct KernelsAlone(Cpu);

impl Backend for KernelsAlone {
    fn name(&self) -> &'static str {
        self.0.name()
    }
    fn another(&self) -> Box<dyn Backend> {
        self.0.another()
    }
    fn load(&self, onnx: &[u8], signature: &Signature) -> Result<Box<dyn Graph>, InferenceError> {
        assert!(Cpu::has_kernels_for(onnx, signature));
        self.0.load(onnx, signature)
    }
}

/// Our kernels give the bits of rten's operators: on every graph, LSTMs in one part and in two.
#[test]
fn kernels_give_what_rten_gives() {
    let (whole, parts) = (format_1(), ModelSet::built_in().unwrap());
    let (kernels, rten) = (KernelsAlone(Cpu::new()), Cpu::without_kernels());
    for kind in GraphKind::ALL {
        let passes: &[usize] = if kind == GraphKind::Core { &[1, 3, 7, 30, 64] } else { &[1] };
        for (seed, &passes) in (0..5).flat_map(|seed| passes.iter().map(move |p| (seed, p))) {
            let theirs = outputs(&whole, kind, &rten, passes, seed);
            assert!(theirs.iter().flatten().all(|number| number.is_finite()));
            for set in [&whole, &parts] {
                let ours = outputs(set, kind, &kernels, passes, seed);
                assert_eq!(ours, theirs, "{kind:?}, {passes} passes");
            }
        }
    }
}

#[test]
fn what_is_no_graph_is_refused() {
    let signature = Signature { inputs: Vec::new(), outputs: Vec::new() };
    for bytes in [&b""[..], b"nonsense"] {
        assert!(matches!(Cpu::new().load(bytes, &signature), Err(InferenceError::Load { .. })));
    }
}

#[test]
fn masks_are_those_of_the_generator() {
    // Counter 0 under key 0 of the Random123 distribution: 6627e8d5 e169c58d bc57ac4c 9b00dbd8.
    // Dropped are those below p·2³²: with p = 0.65 (a6666666) the first and the last.
    let mask = layer(&masks(0, 0.65), 0, 0);
    let kept = (1.0 / 0.35) as f32;
    assert_eq!(mask[..4], [0.0, kept, kept, 0.0]);
}

proptest! {
    /// At any width, a unit is what the generator gives for its number.
    #[test]
    fn every_unit_is_the_generators(seed: u64, decision: u64, widths in prop::array::uniform2(1usize..40)) {
        let widths = widths.map(|blocks| 4 * blocks);
        let masks = DropoutMasks::new(seed, 2, 3, widths, 0.5);
        for of in 0..2 {
            let mask = layer(&masks, decision, of);
            for (place, unit) in mask.iter().enumerate() {
                let (row, column) = (place / widths[of], place % widths[of]);
                let number = column + if of == 0 { 0 } else { widths[0] };
                let pass = (row / 3 * 65_536 + row % 3) as u32;
                let key = [seed as u32, (seed >> 32) as u32];
                let counter = [decision as u32, (decision >> 32) as u32, pass, (number / 4) as u32];
                let word = crate::random::philox4x32_10(key, counter)[number % 4];
                prop_assert_eq!(*unit, if word < 1 << 31 { 0.0 } else { 2.0 });
            }
        }
    }

    #[test]
    fn masks_depend_on_every_number_that_names_them(seed: u64, decision: u64, other in 1u64..u64::MAX) {
        let masks = masks(seed, 0.2);
        let all = |decision| [layer(&masks, decision, 0), layer(&masks, decision, 1)];
        let [first, second] = all(decision);
        prop_assert_eq!([&first, &second], [&layer(&masks, decision, 0), &layer(&masks, decision, 1)]);
        prop_assert!(all(decision.wrapping_add(other)) != [first.clone(), second.clone()]);
        let others = super::DropoutMasks::new(!seed, 3, PASSES, WIDTHS, 0.2);
        prop_assert!(layer(&others, decision, 0) != first);
        // No two passes of any agents share a mask, in either layer.
        for (mask, width) in [(&first, WIDTHS[0]), (&second, WIDTHS[1])] {
            let rows: std::collections::BTreeSet<Vec<u32>> =
                mask.chunks(width).map(|row| row.iter().map(|n| n.to_bits()).collect()).collect();
            prop_assert_eq!(rows.len(), 90);
        }
        // Kept units count 1/(1 − p), so that the mean stays: 34,560 units, within five standard
        // errors.
        let sum: f64 = first.iter().chain(&second).map(|&n| f64::from(n)).sum();
        let count = (first.len() + second.len()) as f64;
        prop_assert!((sum / count - 1.0).abs() < 5.0 * (0.25 / count).sqrt(), "{}", sum / count);
    }

    #[test]
    fn without_dropout_every_unit_counts_one(seed: u64, decision: u64) {
        prop_assert!(layer(&masks(seed, 0.0), decision, 0).iter().all(|&unit| unit == 1.0));
    }
}
