//! A graph of fixed shapes as a list of steps over buffers.
//!
//! Nothing is allocated in a run, and steps of few operations cost what they compute. Every step
//! gives the bits that rten gives for it. A graph with any other node has no plan.

use std::collections::BTreeMap;

use algospace_hft_kernels::functions::{Normalises, Softmaxes};
use algospace_hft_kernels::product::{DEPTH, Dots, Multiply, Packed, Sizes};
use rten_onnx::onnx::{GraphProto, NodeProto};
use rten_simd::{Isa, SimdOp};
use rten_vecmath::Sigmoid;

use super::Bound;
use super::known::{self, attribute, float, floats, initializer, int, ints, whole};
use crate::inference::TensorShape;

/// The place of some numbers.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Place {
    Constant(usize),
    Input(usize),
    Buffer(usize),
}

/// A value of the graph: numbers of a place, in the order that the strides give them.
#[derive(Clone, Debug)]
struct View {
    place: Place,
    shape: Vec<usize>,
    strides: Vec<usize>,
}

impl View {
    /// Numbers that lie in their order.
    fn new(place: Place, shape: Vec<usize>) -> View {
        let mut strides = vec![1; shape.len()];
        for axis in (1..shape.len()).rev() {
            strides[axis - 1] = strides[axis] * shape[axis];
        }
        View { place, shape, strides }
    }

    fn len(&self) -> usize {
        self.shape.iter().product()
    }

    /// Returns whether its numbers lie in their order, without others between them.
    fn is_dense(&self) -> bool {
        let dense = View::new(self.place, self.shape.clone());
        let axes = self.strides.iter().zip(&dense.strides).zip(&self.shape);
        axes.into_iter().all(|((&stride, &expected), &size)| size == 1 || stride == expected)
    }

    /// The size of its last axis.
    fn width(&self) -> usize {
        self.shape.last().copied().unwrap_or(1)
    }

    /// Where each of its matrices begins, if those are the last `axes` axes.
    fn starts(&self, axes: usize) -> Vec<usize> {
        let outer = self.shape.len() - axes;
        let mut starts = vec![0];
        for (&size, &stride) in self.shape[..outer].iter().zip(&self.strides) {
            let along = |&start: &usize| (0..size).map(move |step| start + step * stride);
            starts = starts.iter().flat_map(along).collect();
        }
        starts
    }
}

/// The second matrix of a product.
enum Second {
    /// Packed when the graph was loaded.
    Packed(Packed),
    /// Packed in each run: its strides.
    Strided(Place, [usize; 2]),
}

/// What a step computes.
enum Work {
    /// Rows of a width from where they start, a number `stride` apart, to every `every` numbers
    /// from `first` on.
    Rows { from: Place, starts: Vec<usize>, width: usize, first: usize, every: usize },
    /// Products of matrices, of which pairs start at these places.
    Product { from: Place, starts: Vec<[usize; 2]>, stride: usize, sizes: Sizes, second: Second },
    /// A product of a row and a matrix of which the columns lie one after the other.
    Dots { from: Place, columns: Place },
    /// Adds other numbers, again and again from their first.
    Add(Place),
    /// Multiplies by others, likewise.
    Multiply(Place),
    /// Takes what is below 0 as 0.
    Relu,
    /// The logistic function.
    Sigmoid,
    /// Softmax over every row of this width.
    Softmax(usize),
    /// Shifts and scales every row to mean 0 and variance 1, and then by weights and biases.
    Normalise { weights: Place, biases: Place, epsilon: f32 },
}

/// A step, and what it writes.
struct Step {
    /// What is copied before it is worked on in place, if it is not there.
    copied: Option<Place>,
    work: Work,
    to: usize,
}

/// A graph as a list of steps.
pub(super) struct Plan {
    constants: Vec<Vec<f32>>,
    buffers: Vec<Vec<f32>>,
    steps: Vec<Step>,
    outputs: Vec<Place>,
    packed: Packed,
}

impl Plan {
    /// Plans the nodes of a graph for the values that are wanted of them, each of a number of
    /// numbers; `None` where a node is not known, or sizes do not suit the kernels.
    pub(super) fn of(
        graph: &GraphProto,
        nodes: &[NodeProto],
        inputs: &[TensorShape],
        wanted: &[(&str, usize)],
    ) -> Option<Plan> {
        let mut planner = Planner::new(graph, nodes, inputs, wanted);
        for node in nodes {
            planner.plan_node(node)?;
        }
        let mut outputs = Vec::new();
        for &(name, len) in wanted {
            let view = planner.take(name)?;
            (view.len() == len).then_some(())?;
            outputs.push(planner.dense(view).place);
        }
        Some(Plan { outputs, ..planner.plan })
    }

    /// Computes what is wanted from the graph's inputs.
    pub(super) fn run(&mut self, inputs: &[Bound]) {
        let Plan { constants, buffers, steps, packed, .. } = self;
        for Step { copied, work, to } in &*steps {
            let mut out = std::mem::take(&mut buffers[*to]);
            let numbers = |place: Place| -> &[f32] { numbers(place, constants, inputs, buffers) };
            if let Some(copied) = copied {
                out.copy_from_slice(numbers(*copied));
            }
            work.run(&numbers, &mut out, packed);
            buffers[*to] = out;
        }
    }

    /// Returns an output, as the last run left it.
    pub(super) fn output<'a>(&'a self, index: usize, inputs: &'a [Bound]) -> &'a [f32] {
        numbers(self.outputs[index], &self.constants, inputs, &self.buffers)
    }
}

fn numbers<'a>(
    place: Place,
    constants: &'a [Vec<f32>],
    inputs: &'a [Bound],
    buffers: &'a [Vec<f32>],
) -> &'a [f32] {
    match place {
        Place::Constant(index) => &constants[index],
        Place::Input(index) => &inputs[index].numbers,
        Place::Buffer(index) => &buffers[index],
    }
}

impl Work {
    fn run<'a>(&self, numbers: &dyn Fn(Place) -> &'a [f32], out: &mut [f32], packed: &mut Packed) {
        match *self {
            Work::Rows { from, ref starts, width, first, every } => {
                let from = numbers(from);
                for (&start, out) in starts.iter().zip(out.chunks_mut(every)) {
                    out[first..][..width].copy_from_slice(&from[start..][..width]);
                }
            }
            Work::Product { from, ref starts, stride, sizes, ref second } => {
                let outs = out.chunks_exact_mut(sizes.rows * sizes.columns);
                for (&[first, start], out) in starts.iter().zip(outs) {
                    let packed = match second {
                        Second::Packed(packed) => packed,
                        &Second::Strided(place, strides) => {
                            let numbers = &numbers(place)[start..];
                            packed.pack(numbers, strides, sizes.depth, sizes.columns);
                            &*packed
                        }
                    };
                    let numbers = &numbers(from)[first..];
                    let packed = packed.numbers();
                    Multiply { numbers, stride, packed, sizes, out }.dispatch();
                }
            }
            Work::Dots { from, columns } => {
                Dots { row: numbers(from), columns: numbers(columns), out }.dispatch();
            }
            Work::Add(other) => Pairwise::<false> { out, other: numbers(other) }.dispatch(),
            Work::Multiply(other) => Pairwise::<true> { out, other: numbers(other) }.dispatch(),
            Work::Relu => Relu(out).dispatch(),
            Work::Sigmoid => rten_simd::SimdUnaryOp::map_mut(&Sigmoid {}, out),
            Work::Softmax(width) => Softmaxes { rows: out, width }.dispatch(),
            Work::Normalise { weights, biases, epsilon } => {
                let (weights, biases) = (numbers(weights), numbers(biases));
                Normalises { rows: out, weights, biases, epsilon }.dispatch();
            }
        }
    }
}

/// Adds other numbers or multiplies by them, again and again from their first. A plain loop:
/// dispatched, so that it is compiled for the vectors of the machine at hand.
struct Pairwise<'a, const IS_PRODUCT: bool> {
    out: &'a mut [f32],
    other: &'a [f32],
}

impl<const IS_PRODUCT: bool> SimdOp for Pairwise<'_, IS_PRODUCT> {
    type Output = ();

    #[inline(always)]
    fn eval<I: Isa>(self, _: I) {
        let Pairwise { out, other } = self;
        if let &[other] = other {
            for out in out {
                *out = if IS_PRODUCT { *out * other } else { *out + other };
            }
            return;
        }
        for out in out.chunks_exact_mut(other.len()) {
            for (out, other) in out.iter_mut().zip(other) {
                *out = if IS_PRODUCT { *out * other } else { *out + other };
            }
        }
    }
}

/// Takes what is below 0 as 0; NaN remains.
struct Relu<'a>(&'a mut [f32]);

impl SimdOp for Relu<'_> {
    type Output = ();

    #[inline(always)]
    fn eval<I: Isa>(self, _: I) {
        for number in self.0 {
            *number = if *number < 0.0 { 0.0 } else { *number };
        }
    }
}

/// Turns nodes into steps.
struct Planner<'a> {
    graph: &'a GraphProto,
    /// Values that are there, and how often they are still read.
    values: BTreeMap<&'a str, View>,
    uses: BTreeMap<&'a str, usize>,
    /// Buffers that hold nothing that is still read.
    free: Vec<usize>,
    plan: Plan,
}

impl<'a> Planner<'a> {
    fn new(
        graph: &'a GraphProto,
        nodes: &'a [NodeProto],
        inputs: &'a [TensorShape],
        wanted: &[(&'a str, usize)],
    ) -> Planner<'a> {
        let mut uses = BTreeMap::new();
        let read = nodes.iter().flat_map(|node| node.input.iter().map(String::as_str));
        for name in read.chain(wanted.iter().map(|&(name, _)| name)) {
            *uses.entry(name).or_default() += 1;
        }
        let value = |(index, input): (usize, &'a TensorShape)| {
            (input.name.as_str(), View::new(Place::Input(index), input.shape.clone()))
        };
        let values = inputs.iter().enumerate().map(value).collect();
        let plan = Plan {
            constants: Vec::new(),
            buffers: Vec::new(),
            steps: Vec::new(),
            outputs: Vec::new(),
            packed: Packed::default(),
        };
        Planner { graph, values, uses, free: Vec::new(), plan }
    }

    /// Takes a value to read it once.
    fn take(&mut self, name: &str) -> Option<View> {
        if let Some(view) = self.values.get(name) {
            let view = view.clone();
            *self.uses.get_mut(name)? -= 1;
            return Some(view);
        }
        self.constant(name)
    }

    /// A constant of floats.
    fn constant(&mut self, name: &str) -> Option<View> {
        let sizes = &initializer(self.graph, name)?.dims;
        let shape = sizes.iter().map(|&size| usize::try_from(size).ok()).collect::<Option<_>>()?;
        let view = View::new(Place::Constant(self.plan.constants.len()), shape);
        let numbers = floats(self.graph, name)?;
        (numbers.len() == view.len()).then_some(())?;
        self.plan.constants.push(numbers);
        Some(view)
    }

    /// Returns whether anything still reads a buffer.
    fn is_read(&self, buffer: usize) -> bool {
        let is_in = |(name, view): (&&str, &View)| {
            view.place == Place::Buffer(buffer) && self.uses.get(*name).is_some_and(|&n| n > 0)
        };
        self.values.iter().any(is_in)
    }

    /// A buffer of this length.
    fn buffer(&mut self, len: usize) -> usize {
        let buffers = &mut self.plan.buffers;
        if let Some(place) = self.free.iter().position(|&free| buffers[free].len() == len) {
            return self.free.swap_remove(place);
        }
        buffers.push(vec![0.0; len]);
        buffers.len() - 1
    }

    /// Adds a step with a new result.
    fn add(&mut self, work: Work, shape: Vec<usize>) -> View {
        let to = self.buffer(shape.iter().product());
        self.plan.steps.push(Step { copied: None, work, to });
        View::new(Place::Buffer(to), shape)
    }

    /// Adds a step that works on a value in place, or on a copy where something still reads it.
    fn change(&mut self, view: View, work: Work) -> View {
        let view = self.dense(view);
        let (copied, to) = match view.place {
            Place::Buffer(buffer) if !self.is_read(buffer) => (None, buffer),
            place => (Some(place), self.buffer(view.len())),
        };
        self.plan.steps.push(Step { copied, work, to });
        View { place: Place::Buffer(to), ..view }
    }

    /// Lets the numbers of a value lie in their order.
    fn dense(&mut self, view: View) -> View {
        if view.is_dense() {
            return view;
        }
        let width = view.width();
        self.join(&[view], width)
    }

    /// Joins values along their last axis, which is of `width` numbers then.
    fn join(&mut self, views: &[View], width: usize) -> View {
        let mut shape = views[0].shape.clone();
        shape.pop();
        shape.push(width);
        let to = self.buffer(shape.iter().product());
        let mut first = 0;
        for view in views {
            // A row whose numbers are apart is one of several rows of one number.
            let is_row = view.strides.last().is_none_or(|&stride| stride == 1) || view.width() == 1;
            let (axes, width, every) = if is_row { (1, view.width(), width) } else { (0, 1, 1) };
            let starts = view.starts(axes.min(view.shape.len()));
            let work = Work::Rows { from: view.place, starts, width, first, every };
            self.plan.steps.push(Step { copied: None, work, to });
            first += view.width();
        }
        View::new(Place::Buffer(to), shape)
    }

    fn plan_node(&mut self, node: &'a NodeProto) -> Option<()> {
        node.domain.as_deref().unwrap_or("").is_empty().then_some(())?;
        let [output] = node.output.as_slice() else { return None };
        let first = self.take(node.input.first()?)?;
        let read = first.place;
        let result = match node.op_type.as_deref()? {
            "Reshape" | "Squeeze" | "Unsqueeze" | "Expand" | "Transpose" => {
                self.seen(node, first)?
            }
            "Concat" => {
                let mut views = vec![first];
                for name in &node.input[1..] {
                    views.push(self.take(name)?);
                }
                is_last(node, "axis", &views[0])?;
                let outer = |view: &View| view.shape[..view.shape.len() - 1].to_vec();
                let is_dense = |view: &View| view.strides.last() == Some(&1) || view.width() == 1;
                let fits = |view: &View| outer(view) == outer(&views[0]) && is_dense(view);
                views.iter().all(fits).then_some(())?;
                let width = views.iter().map(View::width).sum();
                self.join(&views, width)
            }
            "MatMul" => self.product(node, first)?,
            "Gemm" => self.affine(node, first)?,
            "Add" | "Mul" => self.pairwise(node, first)?,
            "Relu" => self.change(first, Work::Relu),
            "Sigmoid" => self.change(first, Work::Sigmoid),
            "Softmax" => {
                is_last(node, "axis", &first)?;
                let width = first.width();
                self.change(first, Work::Softmax(width))
            }
            "LayerNormalization" => self.normalise(node, first)?,
            _ => return None,
        };
        // What nothing reads from here on can be written over.
        let mut done = vec![read];
        done.extend(
            node.input[1..].iter().filter_map(|name| Some(self.values.get(&**name)?.place)),
        );
        self.values.insert(output, result);
        self.uses.entry(output).or_default();
        for place in done {
            if let Place::Buffer(buffer) = place
                && !self.is_read(buffer)
                && !self.free.contains(&buffer)
            {
                self.free.push(buffer);
            }
        }
        Some(())
    }

    /// The same numbers, seen in another way.
    fn seen(&mut self, node: &NodeProto, view: View) -> Option<View> {
        let sizes = |name: Option<&String>| -> Option<Vec<usize>> {
            let sizes = whole(initializer(self.graph, name?)?)?;
            sizes.into_iter().map(|size| usize::try_from(size).ok()).collect()
        };
        let given = node.input.get(1);
        Some(match node.op_type.as_deref()? {
            "Transpose" => {
                let axes = ints(node, "perm")?;
                let axes = axes.iter().map(|&axis| usize::try_from(axis).ok());
                let axes = axes.collect::<Option<Vec<_>>>()?;
                let mut sorted = axes.clone();
                sorted.sort_unstable();
                sorted.iter().copied().eq(0..view.shape.len()).then_some(())?;
                let of =
                    |all: &[usize]| -> Vec<usize> { axes.iter().map(|&axis| all[axis]).collect() };
                View { place: view.place, shape: of(&view.shape), strides: of(&view.strides) }
            }
            "Expand" => {
                let shape = sizes(given)?;
                let View { place, shape: from, mut strides } = view;
                (from.len() == shape.len()).then_some(())?;
                for (axis, (&from, &to)) in from.iter().zip(&shape).enumerate() {
                    if from != to {
                        // Expanding to 1 leaves an axis as it is.
                        (from == 1 || to == 1).then_some(())?;
                        strides[axis] = if from == 1 { 0 } else { strides[axis] };
                    }
                }
                let shape = from.iter().zip(shape).map(|(&from, to)| from.max(to)).collect();
                View { place, shape, strides }
            }
            kind => {
                let given = sizes(given)?;
                let mut shape = view.shape.clone();
                match kind {
                    "Reshape" => shape = given,
                    "Unsqueeze" => {
                        given.iter().for_each(|&axis| shape.insert(axis.min(shape.len()), 1))
                    }
                    _ => {
                        for &axis in given.iter().rev() {
                            (shape.get(axis) == Some(&1)).then(|| shape.remove(axis))?;
                        }
                    }
                }
                let view = self.dense(view);
                let view = View::new(view.place, shape);
                let held = match view.place {
                    Place::Buffer(buffer) => self.plan.buffers[buffer].len(),
                    _ => view.len(),
                };
                (view.len() == held).then_some(view)?
            }
        })
    }

    /// A product of matrices, one or several pairs.
    fn product(&mut self, node: &NodeProto, first: View) -> Option<View> {
        let name = node.input.get(1)?;
        let second = self.take(name)?;
        let (axes, others) = (first.shape.len(), second.shape.len());
        (axes >= 2 && others >= 2).then_some(())?;
        let (rows, depth) = (first.shape[axes - 2], first.shape[axes - 1]);
        let columns = second.shape[others - 1];
        let is_block = rows == 1 && !columns.is_multiple_of(64);
        let fits = second.shape[others - 2] == depth
            && first.strides[axes - 1] == 1
            && depth <= DEPTH
            && !is_block;
        fits.then_some(())?;
        let (mut sizes, strides) = (
            Sizes { rows, depth, columns },
            [second.strides[others - 2], second.strides[others - 1]],
        );
        let mut shape = first.shape.clone();
        shape[axes - 1] = columns;
        let (first_starts, second_starts) = (first.starts(2), second.starts(2));
        let is_constant = matches!(second.place, Place::Constant(_)) && second_starts.len() == 1;
        let (from, stride) = (first.place, first.strides[axes - 2]);
        let work = if is_constant {
            // One matrix of all rows, so that the second is loaded once for all.
            (first_starts.len() == 1 || first.is_dense() && rows > 1).then_some(())?;
            sizes.rows *= first_starts.len();
            let packed = self.packed(second.place, strides, sizes)?;
            Work::Product {
                from,
                starts: vec![[0, 0]],
                stride,
                sizes,
                second: Second::Packed(packed),
            }
        } else {
            (first.shape[..axes - 2] == second.shape[..others - 2]).then_some(())?;
            // A single row is added up otherwise where the columns lie one after the other.
            (rows > 1 || strides[1] == 1).then_some(())?;
            let starts = first_starts.into_iter().zip(second_starts).map(|(a, b)| [a, b]).collect();
            Work::Product {
                from,
                starts,
                stride,
                sizes,
                second: Second::Strided(second.place, strides),
            }
        };
        Some(self.add(work, shape))
    }

    /// A constant matrix, packed.
    fn packed(&self, place: Place, strides: [usize; 2], sizes: Sizes) -> Option<Packed> {
        let Place::Constant(constant) = place else { return None };
        let numbers = &self.plan.constants[constant];
        Some(Packed::new(numbers, strides, sizes.depth, sizes.columns))
    }

    /// A product with a constant matrix of which the columns are given, and biases.
    fn affine(&mut self, node: &NodeProto, first: View) -> Option<View> {
        let is_plain = ["alpha", "beta"]
            .iter()
            .all(|name| attribute(node, name).is_none_or(|_| float(node, name) == Some(1.0)));
        (is_plain && int(node, "transA").unwrap_or(0) == 0).then_some(())?;
        (int(node, "transB") == Some(1)).then_some(())?;
        let [matrix, biases] = [1, 2].map(|place| node.input.get(place));
        let (matrix, biases) = (self.constant(matrix?)?, self.constant(biases?)?);
        let (&[rows, depth], &[columns, of]) = (&*first.shape, &*matrix.shape) else { return None };
        (of == depth && depth <= DEPTH && biases.shape == [columns]).then_some(())?;
        let first = self.dense(first);
        let from = first.place;
        let work = if rows == 1 {
            Work::Dots { from, columns: matrix.place }
        } else {
            let sizes = Sizes { rows, depth, columns };
            let packed = self.packed(matrix.place, [1, depth], sizes)?;
            let second = Second::Packed(packed);
            Work::Product { from, starts: vec![[0, 0]], stride: depth, sizes, second }
        };
        let product = self.add(work, vec![rows, columns]);
        Some(self.change(product, Work::Add(biases.place)))
    }

    /// Adds or multiplies: the second value is as large as the first, or is repeated along it.
    fn pairwise(&mut self, node: &NodeProto, first: View) -> Option<View> {
        let second = self.take(node.input.get(1)?)?;
        let second = self.dense(second);
        let skipped = first.shape.len().checked_sub(second.shape.len())?;
        let is_repeated = second.len() == 1 || first.shape[skipped..] == second.shape[..];
        (is_repeated && second.place != first.place).then_some(())?;
        let is_sum = known::is(node, "Add");
        let other = second.place;
        Some(self.change(first, if is_sum { Work::Add(other) } else { Work::Multiply(other) }))
    }

    fn normalise(&mut self, node: &NodeProto, first: View) -> Option<View> {
        is_last(node, "axis", &first)?;
        let [weights, biases] = [1, 2].map(|place| node.input.get(place));
        let (weights, biases) = (self.constant(weights?)?, self.constant(biases?)?);
        let width = [first.width()];
        // One number would be another operation of rten's.
        (weights.shape == width && biases.shape == width && width[0] > 1).then_some(())?;
        let epsilon = float(node, "epsilon").unwrap_or(1e-5);
        let (weights, biases) = (weights.place, biases.place);
        Some(self.change(first, Work::Normalise { weights, biases, epsilon }))
    }
}

/// Checks that a node works along the last axis.
fn is_last(node: &NodeProto, name: &str, view: &View) -> Option<()> {
    let axis = int(node, name).unwrap_or(-1);
    (axis == -1 || axis + 1 == view.shape.len() as i64).then_some(())
}
