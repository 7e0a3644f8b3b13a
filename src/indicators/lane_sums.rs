//! Sums in eight lanes: as fast as the processor's vectors, and the same bits on every machine.
//!
//! The order of additions is fixed by the lane, not by the vector width, and products are rounded
//! before they are added, because a fused multiply-add is slow where the processor has none. What is left
//! after whole blocks of eight, the end of the slice, is added one by one.

const LANES: usize = 8;

/// Σ `weights[i]` × `values[i]` over slices of equal length.
#[inline]
pub(super) fn dot(weights: &[f64], values: &[f64]) -> f64 {
    let (weights, weights_rest) = weights.as_chunks::<LANES>();
    let (values, values_rest) = values.as_chunks::<LANES>();
    let mut lanes = [0.0; LANES];
    for (weights, values) in weights.iter().zip(values) {
        for lane in 0..LANES {
            lanes[lane] += weights[lane] * values[lane];
        }
    }
    let rest = weights_rest.iter().zip(values_rest);
    rest.fold(total(lanes), |sum, (weight, value)| sum + weight * value)
}

/// Σ `term(value)`.
#[inline]
pub(super) fn sum_of(values: &[f64], term: impl Fn(f64) -> f64) -> f64 {
    let (blocks, rest) = values.as_chunks::<LANES>();
    let mut lanes = [0.0; LANES];
    for values in blocks {
        for lane in 0..LANES {
            lanes[lane] += term(values[lane]);
        }
    }
    rest.iter().fold(total(lanes), |sum, value| sum + term(*value))
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
