//! From a feature in its own unit to a number of about one.

use serde::{Deserialize, Serialize};

use crate::settings::{Held, Plain, Reader, Unread, through_serde};

/// Scaled values are cut to ± this.
pub const CLIP: f64 = 3.0;

/// The scale of a column; travels with the model that was trained on it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Scale {
    /// `value / divisor`.
    Fixed {
        /// A typical value (> 0).
        divisor: f64,
    },
    /// `(value − mean) / deviation`, both exponentially weighted over the values **before** this
    /// one, with weights that halve every `half_life` values and are divided by their sum, so that
    /// the first values weigh no more than their age says.
    ///
    /// West's (1979) updating: with `k = 2^(−1 / half_life)`, `δ = value − mean` and the sum of
    /// weights `W' = k W + 1`: `mean += δ / W'`, `squares = k (squares + δ² W / W')`, and the
    /// variance is `squares / W'`.
    Weighted {
        /// Bars after which a value counts half (> 0).
        half_life: f64,
    },
}

impl Held for Scale {
    fn read(from: &mut dyn Reader) -> Result<Scale, Unread> {
        let mut scale = Scale::Fixed { divisor: f64::NAN };
        from.choice(&["fixed", "weighted"], &mut |name, from| match name {
            "fixed" => from.section(&["divisor"], &["divisor"], &mut |_, from| {
                scale = Scale::Fixed { divisor: from.number()? };
                Ok(())
            }),
            _ => from.section(&["half_life"], &["half_life"], &mut |_, from| {
                scale = Scale::Weighted { half_life: from.number()? };
                Ok(())
            }),
        })?;
        Ok(scale)
    }

    fn plain(&self) -> Plain {
        let (name, key, value) = match *self {
            Scale::Fixed { divisor } => ("fixed", "divisor", divisor),
            Scale::Weighted { half_life } => ("weighted", "half_life", half_life),
        };
        Plain::Section(vec![(name, Plain::Section(vec![(key, Plain::Number(value))]))])
    }
}

through_serde!(Scale);

/// An invalid scale.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("a normaliser's {what} must be finite and above 0, not {value}")]
pub struct ScaleError {
    what: &'static str,
    value: f64,
}

/// Scales the values of one column, one after the other, with no look at what comes later.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Normaliser {
    scale: Scale,
    /// Share of a weight that is left after one more value, for the weighted scale.
    keep: f64,
    /// Sum of all weights.
    weight: f64,
    mean: f64,
    /// Weighted squares of distances from the mean.
    squares: f64,
}

impl Normaliser {
    /// Creates a normaliser without values.
    ///
    /// # Errors
    /// If the scale's parameter is not above 0.
    pub fn new(scale: Scale) -> Result<Normaliser, ScaleError> {
        let (what, value) = match scale {
            Scale::Fixed { divisor } => ("divisor", divisor),
            Scale::Weighted { half_life } => ("half-life", half_life),
        };
        if !(value.is_finite() && value > 0.0) {
            return Err(ScaleError { what, value });
        }
        let keep = match scale {
            Scale::Fixed { .. } => 0.0,
            // The deterministic power of the `libm` crate: the same weight on every machine.
            Scale::Weighted { half_life } => libm::exp2(-1.0 / half_life),
        };
        Ok(Normaliser { scale, keep, weight: 0.0, mean: 0.0, squares: 0.0 })
    }

    /// Takes a value and returns it scaled, within ±[`CLIP`]. "No value" (NaN, or what is infinite)
    /// is 0, after scaling, and leaves the normaliser as it is. So is the first value of a weighted
    /// scale, and any while all values before it were the same: there is nothing yet to measure
    /// them by.
    #[inline]
    pub fn update(&mut self, value: f64) -> f32 {
        if !value.is_finite() {
            return 0.0;
        }
        let scaled = match self.scale {
            Scale::Fixed { divisor } => value / divisor,
            Scale::Weighted { .. } => self.weighted(value),
        };
        scaled.clamp(-CLIP, CLIP) as f32
    }

    #[inline]
    fn weighted(&mut self, value: f64) -> f64 {
        let distance = value - self.mean;
        let scaled =
            if self.squares > 0.0 { distance / (self.squares / self.weight).sqrt() } else { 0.0 };
        let weight = self.keep * self.weight + 1.0;
        self.squares = self.keep * (self.squares + distance * distance * self.weight / weight);
        self.mean += distance / weight;
        self.weight = weight;
        scaled
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn refuses_scales_that_cannot_be() {
        for value in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            assert!(Normaliser::new(Scale::Fixed { divisor: value }).is_err());
            assert!(Normaliser::new(Scale::Weighted { half_life: value }).is_err());
        }
    }

    proptest! {
        /// The recursion against sums over all values before, with new weights for every value.
        #[test]
        fn weighted_values_are_distances_from_the_weighted_past(
            values in prop::collection::vec(prop::option::weighted(0.9, -50.0f64..50.0), 1..80),
            half_life in 0.5f64..40.0,
        ) {
            let mut normaliser = Normaliser::new(Scale::Weighted { half_life }).unwrap();
            let keep = 0.5f64.powf(1.0 / half_life);
            let mut past: Vec<f64> = Vec::new();
            for value in values {
                let scaled = normaliser.update(value.unwrap_or(f64::NAN));
                prop_assert!(scaled.abs() <= CLIP as f32);
                let Some(value) = value else {
                    prop_assert_eq!(scaled, 0.0);
                    continue;
                };
                if past.len() > 1 {
                    let weights: Vec<f64> =
                        (0..past.len()).rev().map(|age| keep.powi(age as i32)).collect();
                    let total: f64 = weights.iter().sum();
                    let mean: f64 = past.iter().zip(&weights).map(|(v, w)| v * w).sum::<f64>() / total;
                    let variance: f64 =
                        past.iter().zip(&weights).map(|(v, w)| (v - mean).powi(2) * w).sum::<f64>() / total;
                    if variance > 1e-9 {
                        let expected = ((value - mean) / variance.sqrt()).clamp(-CLIP, CLIP);
                        prop_assert!((f64::from(scaled) - expected).abs() < 1e-4, "{} {}", scaled, expected);
                    }
                } else {
                    prop_assert_eq!(scaled, 0.0);
                }
                past.push(value);
            }
        }
    }
}
