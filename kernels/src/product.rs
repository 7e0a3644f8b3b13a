//! Products of matrices, with sums in the order of rten's, so that they give its bits.
//!
//! The numbers of a row of the first matrix are added up in their order, by fused multiply-adds
//! where the machine has them; lanes hold different sums. A single row is the exception, as in
//! rten: its sums are made of blocks of terms, or of lanes ([`Dots`]).

// Loops over places instead of iterators: the closures of iterators are not compiled for the
// vectors of the machine at hand, and call each operation as a function.
#![allow(clippy::needless_range_loop, reason = "see above")]

use std::ops::Range;

use rten_simd::ops::{BitOps, NumOps};
use rten_simd::{Isa, SimdOp};

/// The longest sum in one piece, here as in rten.
pub const DEPTH: usize = 256;

/// Terms that a single row adds up before it adds them to its sum.
const BLOCK: usize = 8;

/// Columns that one load of a row serves in [`Dots`].
const DOTS: usize = 8;

/// Rows that share a load of the second matrix: one more, and sums leave their registers.
const ROWS: usize = 5;

/// The sizes of a product.
#[derive(Clone, Copy, Debug)]
pub struct Sizes {
    /// Rows of the first matrix.
    pub rows: usize,
    /// Its columns, and rows of the second.
    pub depth: usize,
    /// Columns of the second.
    pub columns: usize,
}

/// Returns the numbers of a vector, as the machine has them.
fn lanes() -> usize {
    struct Lanes;
    impl SimdOp for Lanes {
        type Output = usize;
        #[inline(always)]
        fn eval<I: Isa>(self, isa: I) -> usize {
            isa.f32().len()
        }
    }
    Lanes.dispatch()
}

/// Returns the width, in vectors, of the panel with which `columns` columns begin.
#[inline(always)]
fn panel_width(columns: usize, lanes: usize) -> usize {
    match columns.div_ceil(lanes) {
        4.. if lanes == 16 => 4,
        2.. => 2,
        _ => 1,
    }
}

/// Numbers that a load takes at once without touching two lines of the cache.
#[derive(Clone, Copy, Debug, Default, bytemuck::Pod, bytemuck::Zeroable)]
#[repr(C, align(64))]
struct Line([f32; 16]);

/// A matrix that is laid out for products: panel by panel of columns, each row by row; columns that
/// fill a vector up are 0.
#[derive(Debug, Default)]
pub struct Packed {
    lines: Vec<Line>,
    len: usize,
}

impl Packed {
    /// A matrix of `depth` rows; `strides` are those of its rows and columns in `numbers`.
    pub fn new(numbers: &[f32], strides: [usize; 2], depth: usize, columns: usize) -> Packed {
        let mut packed = Packed::default();
        packed.pack(numbers, strides, depth, columns);
        packed
    }

    /// Its panels.
    pub fn numbers(&self) -> &[f32] {
        &bytemuck::cast_slice(&self.lines)[..self.len]
    }

    /// Lays another matrix out.
    pub fn pack(
        &mut self,
        numbers: &[f32],
        [row, column]: [usize; 2],
        depth: usize,
        columns: usize,
    ) {
        let lanes = lanes();
        self.len = columns.next_multiple_of(lanes) * depth;
        self.lines.resize(self.len.div_ceil(16), Line::default());
        let mut rest: &mut [f32] = bytemuck::cast_slice_mut(&mut self.lines);
        let mut first = 0;
        while first < columns {
            let width = panel_width(columns - first, lanes) * lanes;
            let (panel, after) = rest.split_at_mut(depth * width);
            let count = width.min(columns - first);
            for (k, panel) in panel.chunks_exact_mut(width).enumerate() {
                panel[count..].fill(0.0);
                if column == 1 {
                    panel[..count].copy_from_slice(&numbers[k * row + first..][..count]);
                }
            }
            if column != 1 {
                for of in 0..count {
                    let column = &numbers[(first + of) * column..];
                    for (k, panel) in panel.chunks_exact_mut(width).enumerate() {
                        panel[of] = column[k * row];
                    }
                }
            }
            (first, rest) = (first + width, after);
        }
    }
}

/// Adds the products of each row's number and the weights to its sums.
#[inline(always)]
pub fn accumulate<I: Isa, const N: usize, const V: usize>(
    isa: I,
    weights: &[f32],
    number: impl Fn(usize) -> f32,
    sums: &mut [[I::F32; V]; N],
) {
    let ops = isa.f32();
    let mut vectors = [ops.zero(); V];
    for v in 0..V {
        vectors[v] = ops.load(&weights[v * ops.len()..]);
    }
    for one in 0..N {
        let number = ops.splat(number(one));
        for v in 0..V {
            sums[one][v] = ops.mul_add(number, vectors[v], sums[one][v]);
        }
    }
}

/// Sums the products of each row's numbers and the rows of a panel, in their order.
#[inline(always)]
pub fn add_products<I: Isa, const N: usize, const V: usize>(
    isa: I,
    rows: [&[f32]; N],
    panel: &[f32],
) -> [[I::F32; V]; N] {
    let ops = isa.f32();
    let count = panel.len() / (V * ops.len());
    let mut cut: [&[f32]; N] = [&[]; N];
    for one in 0..N {
        cut[one] = &rows[one][..count];
    }
    let mut sums = [[ops.zero(); V]; N];
    // By these iterators no place has to be checked, so that sums remain in their registers.
    for (weights, k) in panel.chunks_exact(V * ops.len()).zip(0..count) {
        accumulate(isa, weights, |one| cut[one][k], &mut sums);
    }
    sums
}

/// A product of a matrix, whose rows are `stride` apart, and a packed one.
#[derive(Debug)]
pub struct Multiply<'a> {
    /// The first matrix.
    pub numbers: &'a [f32],
    /// Numbers from row to row of it.
    pub stride: usize,
    /// The second.
    pub packed: &'a [f32],
    /// Their sizes.
    pub sizes: Sizes,
    /// The product, row by row.
    pub out: &'a mut [f32],
}

impl SimdOp for Multiply<'_> {
    type Output = ();

    #[inline(always)]
    fn eval<I: Isa>(mut self, isa: I) {
        let Sizes { depth, columns, .. } = self.sizes;
        let (mut first, mut rest) = (0, self.packed);
        while first < columns {
            let vectors = panel_width(columns - first, isa.f32().len());
            let width = vectors * isa.f32().len();
            let (panel, after) = rest.split_at(depth * width);
            match vectors {
                4 => self.panel::<I, 4>(isa, first, panel),
                2 => self.panel::<I, 2>(isa, first, panel),
                _ => self.panel::<I, 1>(isa, first, panel),
            }
            (first, rest) = (first + width, after);
        }
    }
}

impl Multiply<'_> {
    /// Some columns of the product.
    #[inline(always)]
    fn panel<I: Isa, const V: usize>(&mut self, isa: I, first: usize, panel: &[f32]) {
        let Sizes { rows, depth, .. } = self.sizes;
        if rows == 1 {
            let mut start = 0;
            while start < depth {
                let end = depth.min(start + BLOCK);
                self.tile::<I, 1, V>(isa, (0, first), panel, start..end);
                start = end;
            }
            return;
        }
        let mut row = 0;
        while row + ROWS <= rows {
            self.tile::<I, ROWS, V>(isa, (row, first), panel, 0..depth);
            row += ROWS;
        }
        while row + 2 <= rows {
            self.tile::<I, 2, V>(isa, (row, first), panel, 0..depth);
            row += 2;
        }
        if row < rows {
            self.tile::<I, 1, V>(isa, (row, first), panel, 0..depth);
        }
    }

    /// The sums of `N` rows and `V` vectors of columns over a range of terms, added to those of the
    /// ranges before.
    #[inline(always)]
    fn tile<I: Isa, const N: usize, const V: usize>(
        &mut self,
        isa: I,
        (row, first): (usize, usize),
        panel: &[f32],
        terms: Range<usize>,
    ) {
        let ops = isa.f32();
        let width = V * ops.len();
        let mut rows: [&[f32]; N] = [&[]; N];
        for one in 0..N {
            rows[one] = &self.numbers[(row + one) * self.stride + terms.start..];
        }
        let panel = &panel[terms.start * width..terms.end * width];
        let sums = add_products::<I, N, V>(isa, rows, panel);
        let columns = self.sizes.columns;
        for one in 0..N {
            let out = &mut self.out[(row + one) * columns..][..columns];
            for v in 0..V {
                let place = first + v * ops.len();
                let count = ops.len().min(columns.saturating_sub(place));
                if count == ops.len() {
                    let out = &mut out[place..];
                    let sum = sums[one][v];
                    let sum = if terms.start > 0 { ops.add(ops.load(out), sum) } else { sum };
                    ops.store(sum, out);
                } else if count > 0 {
                    let mut all = [0.0; 16];
                    ops.store(sums[one][v], &mut all);
                    for (out, sum) in out[place..].iter_mut().zip(&all[..count]) {
                        *out = if terms.start > 0 { *out + sum } else { *sum };
                    }
                }
            }
        }
    }
}

/// The product of a row and a matrix of which the columns are given, one after the other: the
/// places of a vector are added up apart, and then the vector; the last columns in order.
#[derive(Debug)]
pub struct Dots<'a> {
    /// The row.
    pub row: &'a [f32],
    /// The columns.
    pub columns: &'a [f32],
    /// A number for each column.
    pub out: &'a mut [f32],
}

impl SimdOp for Dots<'_> {
    type Output = ();

    #[inline(always)]
    fn eval<I: Isa>(self, isa: I) {
        let ops = isa.f32();
        let Dots { row, columns, out } = self;
        let depth = row.len();
        let tiles = out.len() / DOTS * DOTS;
        let whole = depth / ops.len() * ops.len();
        for tile in (0..tiles).step_by(DOTS) {
            let mut columns_of: [&[f32]; DOTS] = [&[]; DOTS];
            for one in 0..DOTS {
                columns_of[one] = &columns[(tile + one) * depth..][..depth];
            }
            let mut sums = [ops.zero(); DOTS];
            for k in (0..whole).step_by(ops.len()) {
                let numbers = ops.load(&row[k..]);
                for one in 0..DOTS {
                    sums[one] = ops.mul_add(numbers, ops.load(&columns_of[one][k..]), sums[one]);
                }
            }
            for one in 0..DOTS {
                let mut sum = ops.sum(sums[one]);
                for k in whole..depth {
                    sum = row[k].mul_add(columns_of[one][k], sum);
                }
                out[tile + one] = sum;
            }
        }
        for column in tiles..out.len() {
            let numbers = &columns[column * depth..][..depth];
            let mut sum = 0.0;
            for k in 0..depth {
                sum = row[k].mul_add(numbers[k], sum);
            }
            out[column] = sum;
        }
    }
}
