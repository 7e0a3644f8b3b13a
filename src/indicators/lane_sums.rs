//! Sums in eight lanes: as fast as the processor's vectors, and the same bits on every machine.
//!
//! The order of additions is fixed by the lane, not by the vector width, and products are rounded
//! before they are added, because a fused multiply-add is slow where the processor has none.

const LANES: usize = 8;

/// Σ `weights[i]` × `values[i]` over slices of equal length.
#[inline]
pub(super) fn dot(weights: &[f64], values: &[f64]) -> f64 {
    let mut lanes = [0.0; LANES];
    let mut add = |weights: &[f64], values: &[f64]| {
        for ((lane, weight), value) in lanes.iter_mut().zip(weights).zip(values) {
            *lane += weight * value;
        }
    };
    let weight_blocks = weights.chunks_exact(LANES);
    let value_blocks = values.chunks_exact(LANES);
    let rest = (weight_blocks.remainder(), value_blocks.remainder());
    for (weights, values) in weight_blocks.zip(value_blocks) {
        add(weights, values);
    }
    add(rest.0, rest.1);
    total(lanes)
}

/// Σ `term(value)`.
#[inline]
pub(super) fn sum_of(values: &[f64], term: impl Fn(f64) -> f64) -> f64 {
    let mut lanes = [0.0; LANES];
    let mut add = |values: &[f64]| {
        for (lane, value) in lanes.iter_mut().zip(values) {
            *lane += term(*value);
        }
    };
    let blocks = values.chunks_exact(LANES);
    let rest = blocks.remainder();
    for values in blocks {
        add(values);
    }
    add(rest);
    total(lanes)
}

#[inline]
fn total(lanes: [f64; LANES]) -> f64 {
    let [a, b, c, d, e, f, g, h] = lanes;
    ((a + e) + (c + g)) + ((b + f) + (d + h))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_of_any_length_are_those_of_whole_numbers() {
        for length in 0..40 {
            let values: Vec<f64> = (1..=length).map(f64::from).collect();
            let sum: i32 = (1..=length).sum();
            let squares: i32 = (1..=length).map(|value| value * value).sum();
            assert_eq!(sum_of(&values, |value| value), f64::from(sum));
            assert_eq!(dot(&values, &values), f64::from(squares));
        }
    }
}
