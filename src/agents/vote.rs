//! Stage one: many passes of several agents into one opportunity.
//!
//! With pᵢ the softmax of pass i after calibration and p̄ their mean over passes and agents:
//! confidence is p̄ of the direction; aleatoric uncertainty the mean entropy of the pᵢ; epistemic
//! uncertainty the mutual information H(p̄) − mean H(pᵢ), which is what the passes disagree on.
//! Source: Y. Gal, "Uncertainty in Deep Learning" (2016), §3.3; temperature scaling: C. Guo et al.,
//! "On Calibration of Modern Neural Networks" (2017). Logarithms are natural and the same bits on
//! every machine.

use crate::execution::Target;
use crate::strategy::{AGENTS, CLASSES, Opportunity};

const SHORT: usize = 0;
const LONG: usize = 2;

/// Counts the agents' logits: for each agent, for each pass, a number for each class. `None` if one
/// of them is not finite, if `logits` is empty, or if the temperature is so small that a result is
/// not finite.
pub fn count_votes(logits: &[f32], temperature: f64) -> Option<Opportunity> {
    let passes = logits.len() / (AGENTS.len() * CLASSES.len());
    if passes == 0 || !logits.iter().all(|logit| logit.is_finite()) {
        return None;
    }
    let (mut sums, mut votes, mut entropies) = ([[0.0; 3]; 3], [[0u16; 3]; 3], 0.0);
    for (agent, logits) in logits.chunks_exact(passes * CLASSES.len()).enumerate() {
        for pass in logits.chunks_exact(CLASSES.len()) {
            let probabilities = softmax([pass[0], pass[1], pass[2]], temperature);
            for (sum, probability) in sums[agent].iter_mut().zip(probabilities) {
                *sum += probability;
            }
            entropies += entropy(probabilities);
            votes[agent][likeliest(pass)] += 1;
        }
    }
    let all = (AGENTS.len() * passes) as f64;
    let mean = [0, 1, 2].map(|class| sums.iter().map(|agent| agent[class]).sum::<f64>() / all);
    if !mean.iter().all(|probability| probability.is_finite()) {
        return None;
    }
    let (direction, class) =
        if mean[LONG] >= mean[SHORT] { (Target::Long, LONG) } else { (Target::Short, SHORT) };
    let for_it: u32 = votes.iter().map(|agent| u32::from(agent[class])).sum();
    let aleatoric = entropies / all;
    Some(Opportunity {
        direction,
        probabilities: mean.map(|probability| probability as f32),
        agents: sums.map(|agent| agent.map(|sum| (sum / passes as f64) as f32)),
        votes,
        confidence: mean[class] as f32,
        aleatoric: aleatoric as f32,
        // Never below zero but by rounding.
        epistemic: (entropy(mean) - aleatoric).max(0.0) as f32,
        agreement: (f64::from(for_it) / all) as f32,
    })
}

/// The class with the largest logit; the first of equal ones.
fn likeliest(logits: &[f32]) -> usize {
    let mut best = 0;
    for class in 1..logits.len() {
        if logits[class] > logits[best] {
            best = class;
        }
    }
    best
}

fn softmax(logits: [f32; 3], temperature: f64) -> [f64; 3] {
    let scaled = logits.map(|logit| f64::from(logit) / temperature);
    let largest = scaled.into_iter().fold(f64::NEG_INFINITY, f64::max);
    let powers = scaled.map(|logit| libm::exp(logit - largest));
    let sum: f64 = powers.iter().sum();
    powers.map(|power| power / sum)
}

/// In nats.
fn entropy(probabilities: [f64; 3]) -> f64 {
    let term = |p: f64| if p > 0.0 { -p * libm::log(p) } else { 0.0 };
    probabilities.into_iter().map(term).sum()
}
