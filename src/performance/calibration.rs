//! Calibration: confidence compared with outcomes.

use serde::{Deserialize, Serialize};

/// Bins of a reliability curve.
const BINS: usize = 15;

/// Confidence compared with outcomes, in bins of equally many decisions.
///
/// The expected calibration error is the mean distance of a bin's confidence from its frequency of
/// good outcomes, weighted by decisions: C. Guo et al., "On Calibration of Modern Neural Networks"
/// (2017), with bins of equal mass as in K. Nguyen and B. O'Connor, "Posterior calibration and
/// exploratory analysis" (2015).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Reliability {
    /// Bins in order of confidence, 1 to 15, none empty.
    pub bins: Vec<ReliabilityBin>,
    /// 0 for perfect calibration, 1 at most.
    pub expected_calibration_error: f64,
}

/// Decisions of about the same confidence.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct ReliabilityBin {
    /// Decisions (≥ 1).
    pub count: u64,
    /// Their mean confidence, 0 to 1.
    pub confidence: f64,
    /// Share of them that came out well, 0 to 1.
    pub frequency: f64,
}

impl Reliability {
    /// Creates the curve from each decision's confidence, 0 to 1, and whether it came out well;
    /// `None` without decisions. Of equal confidences those given first come first; where the
    /// number does not divide, the first bins are one larger.
    pub fn of(decisions: &[(f64, bool)]) -> Option<Reliability> {
        if decisions.is_empty() {
            return None;
        }
        let mut sorted = decisions.to_vec();
        sorted.sort_by(|a, b| a.0.total_cmp(&b.0));
        let bins = BINS.min(sorted.len());
        let (size, larger) = (sorted.len() / bins, sorted.len() % bins);
        let mut rest = sorted.as_slice();
        let bins: Vec<ReliabilityBin> = (0..bins)
            .map(|bin| {
                let (part, after) = rest.split_at(size + usize::from(bin < larger));
                rest = after;
                let count = part.len() as f64;
                ReliabilityBin {
                    count: part.len() as u64,
                    confidence: part.iter().map(|&(confidence, _)| confidence).sum::<f64>() / count,
                    frequency: part.iter().filter(|&&(_, well)| well).count() as f64 / count,
                }
            })
            .collect();
        let apart =
            bins.iter().map(|bin| bin.count as f64 * (bin.confidence - bin.frequency).abs());
        let expected_calibration_error = apart.sum::<f64>() / decisions.len() as f64;
        Some(Reliability { bins, expected_calibration_error })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Deserialize)]
    struct Calibration {
        name: String,
        confidence: Vec<f64>,
        outcome: Vec<bool>,
        expected_calibration_error: f64,
        bins: Vec<ReliabilityBin>,
    }

    #[derive(Deserialize)]
    struct Reference {
        calibrations: Vec<Calibration>,
    }

    /// Against a reference in NumPy.
    #[test]
    fn calibration_is_that_of_the_reference() {
        // tests/oracles/uncertainty_oracle.py
        let text = include_str!("../../tests/fixtures/uncertainty.json");
        let reference: Reference = serde_json::from_str(text).unwrap();
        let calibrations = reference.calibrations;
        assert!(calibrations.len() >= 4);
        for Calibration { name, confidence, outcome, expected_calibration_error, bins } in
            calibrations
        {
            let decisions: Vec<(f64, bool)> = confidence.into_iter().zip(outcome).collect();
            let ours = Reliability::of(&decisions).unwrap();
            let apart = (ours.expected_calibration_error - expected_calibration_error).abs();
            assert!(apart < 1e-9, "{name}: {ours:?}");
            assert_eq!(ours.bins.len(), bins.len(), "{name}");
            for (ours, theirs) in ours.bins.iter().zip(bins) {
                assert_eq!(ours.count, theirs.count, "{name}");
                assert!((ours.confidence - theirs.confidence).abs() < 1e-9, "{name}");
                assert!((ours.frequency - theirs.frequency).abs() < 1e-9, "{name}");
            }
        }
        assert_eq!(Reliability::of(&[]), None);
    }
}
