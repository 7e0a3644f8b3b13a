//! Stage one: many passes of several agents into one opportunity.
//!
//! With pᵢ the softmax of pass i after calibration and p̄ their mean over passes and agents:
//! confidence is p̄ of the direction; aleatoric uncertainty the mean entropy of the pᵢ; epistemic
//! uncertainty the mutual information H(p̄) − mean H(pᵢ), which is what the passes disagree on.
//! Source: Y. Gal, "Uncertainty in Deep Learning" (2016), §3.3; temperature scaling: C. Guo et al.,
//! "On Calibration of Modern Neural Networks" (2017). Logarithms are natural and the same bits on
//! every machine.

use algospace_hft_kernels::vote::{self, Votes};

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
    let (mut counted, mut entropies) = ([Votes::default(); AGENTS.len()], 0.0);
    for (votes, logits) in counted.iter_mut().zip(logits.chunks_exact(passes * CLASSES.len())) {
        vote::count(logits, temperature, votes, &mut entropies);
    }
    let sums = counted.map(|agent| agent.probabilities);
    let votes = counted.map(|agent| agent.votes);
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

/// In nats.
fn entropy(probabilities: [f64; 3]) -> f64 {
    let term = |p: f64| if p > 0.0 { -p * libm::log(p) } else { 0.0 };
    probabilities.into_iter().map(term).sum()
}
