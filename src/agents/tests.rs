use std::path::Path;
use std::sync::{Arc, LazyLock, Mutex};

use algospace_hft_kernels::vote::{self, Votes};
use proptest::prelude::*;
use serde::Deserialize;

use super::model_set::{GraphKind, ModelSet, ModelSetProblem};
use super::*;
use crate::execution::{Account, Decision, RiskSettings, Target};
use crate::inference::{Backend, Cpu, DropoutMasks, Graph, InferenceError};
use crate::market::{Bar, Instrument, Money, Price, Side, Timestamp};
use crate::matrix::MatrixKind;
use crate::random::Random;
use crate::strategy::{DecisionRecord, Levels, Observation, Reason, Strategy};

static SET: LazyLock<ModelSet> = LazyLock::new(|| ModelSet::built_in().unwrap());

fn settings() -> AgentSettings {
    let es = Instrument::built_in("ES").unwrap();
    AgentSettings {
        passes: 3,
        seed: 5,
        confidence_threshold: 0.0,
        maximum_epistemic: 2.0,
        minimum_agreement: 0.0,
        gate_threshold: 0.0,
        rules: RiskRules::new(RiskSettings::default(), &es),
    }
}

fn account() -> Account {
    Account {
        last_price: Price::from_units(4_600_000_000_000),
        equity: Money::from_dollars(100_000),
        day_open: Money::from_dollars(100_500),
        day_high: Money::from_dollars(101_000),
        day_limit: Money::from_dollars(95_950),
        ..Account::default()
    }
}

fn observation_levels() -> Levels {
    Levels { average_true_range: 4.0, ..Levels::NONE }
}

/// A row of every matrix, made up.
fn observation(random: &mut Random, number: u64) -> Observation {
    let mut observation = Observation::EMPTY;
    for kind in MatrixKind::ALL {
        let width = SET.manifest().feature_schema.matrices.of(kind).columns.len();
        let cells: Vec<f32> = (0..width).map(|_| random.unit() as f32 * 6.0 - 3.0).collect();
        observation.add(kind, number, true, &cells);
    }
    observation.levels = observation_levels();
    observation
}

/// Agents whose windows are whole.
fn ready(mut agents: Agents) -> Agents {
    let mut random = Random::new(9, 0);
    for number in 1..=100 {
        agents.observe(&observation(&mut random, number));
    }
    agents
}

fn built_in(settings: AgentSettings) -> Agents {
    Agents::new(&SET, Arc::new(Cpu::new()), settings).unwrap()
}

fn ask(
    agents: &mut Agents,
    question: u64,
    account: &Account,
) -> (Option<Decision>, DecisionRecord) {
    let decision = agents.on_bar(&Bar::NONE, question, account);
    (decision, agents.take_record().unwrap())
}

#[derive(Deserialize)]
struct Reference {
    decisions: Vec<Vote>,
}

/// tests/oracles/uncertainty_oracle.py
fn reference() -> Reference {
    serde_json::from_str(include_str!("../../tests/fixtures/uncertainty.json")).unwrap()
}

#[derive(Deserialize)]
struct Vote {
    name: String,
    temperature: f64,
    logits: Vec<Vec<Vec<f32>>>,
    expected: Expected,
}

#[derive(Deserialize)]
struct Expected {
    mean: [f64; 3],
    direction: String,
    confidence: f64,
    aleatoric: f64,
    epistemic: f64,
    agreement: f64,
}

/// Against a reference in NumPy.
#[test]
fn votes_are_counted_as_the_reference_counts_them() {
    let votes = reference().decisions;
    assert!(votes.len() >= 20);
    for Vote { name, temperature, logits, expected } in votes {
        let logits: Vec<f32> = logits.into_iter().flatten().flatten().collect();
        let vote = count_votes(&logits, temperature).unwrap();
        let direction = if vote.direction == Target::Long { "long" } else { "short" };
        assert_eq!(direction, expected.direction, "{name}");
        let numbers = [vote.confidence, vote.aleatoric, vote.epistemic, vote.agreement];
        let others =
            [expected.confidence, expected.aleatoric, expected.epistemic, expected.agreement];
        for (ours, theirs) in
            numbers.iter().zip(others).chain(vote.probabilities.iter().zip(expected.mean))
        {
            assert!((f64::from(*ours) - theirs).abs() < 1e-6, "{name}: {ours} and {theirs}");
        }
        let passes = logits.len() as u32 / 9;
        assert!(
            vote.votes
                .iter()
                .all(|agent| agent.iter().map(|&v| u32::from(v)).sum::<u32>() == passes)
        );
    }
}

/// Passes side by side give the bits of the formula, one pass after the other.
#[test]
fn votes_have_the_bits_of_the_plain_formula() {
    let mut random = Random::new(3, 0);
    for round in 0..4_000 {
        // From equal logits to those whose exponentials are subnormal, or zero.
        let scale = [1e-9, 1e-3, 0.2, 1.0, 3.0, 30.0, 300.0, 3e3][round % 8];
        let temperature = [0.7, 1.0, 2.3][round % 3];
        let logits: Vec<f32> = (0..3 * (1 + round % 35))
            .map(|_| ((random.unit() * 2.0 - 1.0) * scale) as f32)
            .collect();
        let (mut sums, mut counts, mut entropies) = ([0.0; 3], [0; 3], 0.0);
        for pass in logits.chunks_exact(3) {
            let scaled = [0, 1, 2].map(|class| f64::from(pass[class]) / temperature);
            let largest = scaled.into_iter().fold(f64::NEG_INFINITY, f64::max);
            let powers = scaled.map(|logit| libm::exp(logit - largest));
            let sum: f64 = powers.iter().sum();
            let term = |p: f64| if p > 0.0 { -p * libm::log(p) } else { 0.0 };
            let probabilities = powers.map(|power| power / sum);
            sums = [0, 1, 2].map(|class| sums[class] + probabilities[class]);
            entropies += probabilities.map(term).iter().sum::<f64>();
            counts[(0..3).rev().max_by(|&a, &b| pass[a].total_cmp(&pass[b])).unwrap()] += 1;
        }
        let (mut votes, mut entropy) = (Votes::default(), 0.0);
        vote::count(&logits, temperature, &mut votes, &mut entropy);
        assert_eq!(votes.probabilities.map(f64::to_bits), sums.map(f64::to_bits), "{round}");
        assert_eq!(votes.votes, counts, "{round}");
        assert_eq!(f64::to_bits(entropy), f64::to_bits(entropies), "{round}");
    }
}

#[test]
fn a_vote_with_what_is_no_number_is_none() {
    for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        let mut logits = [0.5; 9];
        logits[4] = bad;
        assert_eq!(count_votes(&logits, 1.0), None);
    }
    assert_eq!(count_votes(&[], 1.0), None);
    // So small that the logits overflow.
    assert_eq!(count_votes(&[0.5; 9], 1e-310), None);
}

#[test]
fn decisions_come_again_and_change_with_seed_question_and_account() {
    let [mut one, mut same] = [settings(), settings()].map(|settings| ready(built_in(settings)));
    let mut other = ready(built_in(AgentSettings { seed: 6, ..settings() }));
    let (decision, record) = ask(&mut one, 1, &account());
    assert_eq!((decision, record), ask(&mut same, 1, &account()));
    assert!(decision.is_some() && record.reasons.is_empty(), "{record:?}");
    assert_ne!(record.opportunity, ask(&mut other, 1, &account()).1.opportunity);
    // Asked the same again, the same is said; another question has other masks.
    assert_eq!((decision, record), ask(&mut one, 1, &account()));
    assert_ne!(record.opportunity, ask(&mut one, 2, &account()).1.opportunity);
    let losing = Account { streak: -4, ..account() };
    assert_ne!(record.opportunity, ask(&mut one, 1, &losing).1.opportunity);
}

#[test]
fn thresholds_and_positions_refuse_by_name() {
    let reasons = |settings: AgentSettings, account: &Account| {
        let (decision, record) = ask(&mut ready(built_in(settings)), 1, account);
        assert_eq!(decision, None);
        record.reasons.iter().collect::<Vec<_>>()
    };
    let all = settings();
    for (changed, reason) in [
        (AgentSettings { confidence_threshold: 1.0, ..all }, Reason::Confidence),
        (AgentSettings { maximum_epistemic: 0.0, ..all }, Reason::Epistemic),
        (AgentSettings { minimum_agreement: 1.1, ..all }, Reason::Agreement),
        (AgentSettings { gate_threshold: 1.0, ..all }, Reason::Gate),
    ] {
        assert_eq!(reasons(changed, &account()), [reason]);
    }
    let (decision, _) = ask(&mut ready(built_in(all)), 1, &account());
    let (sign, side) =
        if decision.unwrap().target == Target::Long { (1, Side::Buy) } else { (-1, Side::Sell) };
    assert_eq!(reasons(all, &Account { position: sign, ..account() }), [Reason::Held]);
    assert_eq!(reasons(all, &Account { entering: Some(side), ..account() }), [Reason::Held]);
    // Nothing is left until the day's limit.
    let limit = account().equity;
    assert_eq!(reasons(all, &Account { day_limit: limit, ..account() }), [Reason::Risk]);
    let mut rules = all.rules;
    rules.limits.max_risk_per_trade = 1e-6;
    assert_eq!(reasons(AgentSettings { rules, ..all }, &account()), [Reason::Risk]);
}

#[test]
fn nothing_is_decided_until_every_window_is_whole_again_after_a_missing_row() {
    let mut agents = built_in(settings());
    let mut random = Random::new(9, 0);
    for number in 1..100 {
        agents.observe(&observation(&mut random, number));
        let (decision, record) = ask(&mut agents, number, &account());
        assert_eq!(decision, None);
        assert!(record.reasons.has(Reason::NotReady));
    }
    agents.observe(&observation(&mut random, 100));
    assert!(ask(&mut agents, 100, &account()).0.is_some());
    agents.observe(&observation(&mut random, 102));
    assert!(ask(&mut agents, 102, &account()).1.reasons.has(Reason::NotReady));
}

/// Without dropout every pass says the same: passes agree, even where the agents do not.
#[test]
fn without_dropout_the_passes_of_an_agent_agree() {
    let mut core = SET.graph(GraphKind::Core, &Cpu::new(), 30).unwrap();
    let mut random = Random::new(4, 0);
    for input in 0..7 {
        let is_mask = input >= 5;
        core.input(input)
            .fill_with(|| if is_mask { 1.0 } else { random.unit() as f32 * 4.0 - 2.0 });
    }
    core.run().unwrap();
    for agent in core.output(0).chunks(90) {
        assert!(agent.chunks(3).all(|pass| pass == &agent[..3]));
        // The vote of this agent alone: three of it.
        let vote = count_votes(&[agent, agent, agent].concat(), 1.0).unwrap();
        assert!(vote.epistemic < 1e-7, "{vote:?}");
        assert!(vote.votes.iter().flatten().all(|&votes| votes == 0 || votes == 30));
    }
}

/// Monte Carlo dropout is Monte Carlo: over many decisions on the same matrices the mean of T
/// passes is off from the mean of 20,000 by as much as the standard error says, which falls as
/// 1/√T.
#[test]
fn the_mean_of_the_passes_converges_as_the_root_of_their_number() {
    const ALL: usize = 20_000;
    const BATCH: usize = 100;
    let dropout = &SET.manifest().dropout;
    let masks = DropoutMasks::new(7, 3, BATCH as u32, dropout.widths, dropout.probability);
    let mut core = SET.graph(GraphKind::Core, &Cpu::new(), BATCH).unwrap();
    let mut random = Random::new(5, 0);
    for input in 0..5 {
        core.input(input).fill_with(|| random.unit() as f32 * 4.0 - 2.0);
    }
    // Probability of the first class by each pass of each agent.
    let mut passes: [Vec<f64>; 3] = Default::default();
    for decision in 0..(ALL / BATCH) as u64 {
        for layer in [0, 1] {
            masks.fill(decision, layer, core.input(5 + layer));
        }
        core.run().unwrap();
        for (agent, logits) in passes.iter_mut().zip(core.output(0).chunks(3 * BATCH)) {
            agent.extend(logits.chunks(3).map(|pass| {
                let power = |class: usize| f64::from(pass[class]).exp();
                power(0) / (power(0) + power(1) + power(2))
            }));
        }
    }
    for agent in passes {
        let mean = agent.iter().sum::<f64>() / ALL as f64;
        let variance = agent.iter().map(|p| (p - mean).powi(2)).sum::<f64>() / ALL as f64;
        assert!(variance > 1e-6, "the passes differ");
        for count in [1, 4, 16, 64, 256] {
            let means =
                agent.chunks_exact(count).map(|some| some.iter().sum::<f64>() / count as f64);
            let groups = (ALL / count) as f64;
            let squares: f64 = means.map(|some| (some - mean).powi(2)).sum::<f64>() / groups;
            // The sampling error of a variance over that many groups is √(2/groups) of it.
            let expected = variance / count as f64;
            assert!(
                (squares / expected - 1.0).abs() < 5.0 * (2.0 / groups).sqrt(),
                "{count} passes"
            );
        }
    }
}

/// Work that was done beforehand, at any time and for any question, changes nothing.
#[test]
fn preparing_changes_no_decision() {
    let (mut plain, mut prepared) = (ready(built_in(settings())), ready(built_in(settings())));
    let mut random = Random::new(10, 0);
    let guesses = [1, 2, 9, 4, 4];
    for (question, guess) in (1..).zip(guesses) {
        prepared.prepare(guess);
        if question > 2 {
            let row = observation(&mut random, 98 + question);
            plain.observe(&row);
            prepared.observe(&row);
        }
        assert_eq!(ask(&mut plain, question, &account()), ask(&mut prepared, question, &account()));
    }
}

/// Returns the built-in set as it was in format 1: the same weights, each encoder in one graph,
/// whose LSTM runs over a whole window at once.
pub(crate) fn format_1() -> ModelSet {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folders = ["tests/fixtures/model_set_format_1", "models/untrained"];
    let read = |name: &str| {
        let paths = folders.map(|folder| root.join(folder).join(name));
        std::fs::read(paths.iter().find(|path| path.exists()).unwrap_or(&paths[0]))
    };
    ModelSet::from_files("format 1", &read).unwrap()
}

#[test]
fn a_set_of_format_1_decides_the_same() {
    let old = format_1();
    assert_eq!((old.manifest().format, SET.manifest().format), (1, 2));
    old.verify(&Cpu::new()).unwrap();
    let mut old = ready(Agents::new(&old, Arc::new(Cpu::new()), settings()).unwrap());
    let mut new = ready(built_in(settings()));
    let mut random = Random::new(10, 0);
    for question in 1..4 {
        let row = observation(&mut random, 100 + question);
        old.observe(&row);
        new.observe(&row);
        assert_eq!(ask(&mut old, question, &account()), ask(&mut new, question, &account()));
        new.prepare(question + 1);
    }
}

/// A graph with given outputs for any input.
struct Says {
    inputs: Vec<Vec<f32>>,
    outputs: Vec<Vec<f32>>,
    fails: bool,
}

impl Graph for Says {
    fn input(&mut self, index: usize) -> &mut [f32] {
        &mut self.inputs[index]
    }
    fn run(&mut self) -> Result<(), InferenceError> {
        let failed = InferenceError::Run { backend: "test", reason: String::new() };
        if self.fails { Err(failed) } else { Ok(()) }
    }
    fn output(&self, index: usize) -> &[f32] {
        &self.outputs[index]
    }
}

/// Loads nothing, and does work where it is asked for.
struct Here;

impl Backend for Here {
    fn name(&self) -> &'static str {
        "test"
    }
    fn another(&self) -> Box<dyn Backend> {
        Box::new(Here)
    }
    fn load(
        &self,
        _: &[u8],
        _: &crate::inference::Signature,
    ) -> Result<Box<dyn Graph>, InferenceError> {
        unreachable!("the graphs are there already")
    }
}

/// Returns six graphs: each output's numbers, taken round and round, and which of them fails.
fn saying(numbers: &[f32], fails: Option<usize>) -> [Box<dyn Graph>; 6] {
    let mut next = numbers.iter().copied().cycle();
    let mut graph = |place: usize, inputs: &[usize], outputs: &[usize]| -> Box<dyn Graph> {
        let outputs = outputs.iter().map(|&size| next.by_ref().take(size).collect()).collect();
        let inputs = inputs.iter().map(|&size| vec![0.0; size]).collect();
        Box::new(Says { inputs, outputs, fails: fails == Some(place) })
    };
    [
        graph(0, &[48 * 8], &[64]),
        graph(1, &[60 * 7], &[64]),
        graph(2, &[100 * 12], &[8]),
        graph(3, &[64, 64, 8, 5, 5, 9 * 256, 9 * 128], &[27]),
        graph(4, &[8, 4, 1, 5, 5], &[1, 1, 1]),
        graph(5, &[64, 64, 8, 5, 5, 4, 3], &[1]),
    ]
}

/// Thinks the same of everything, and keeps what it is shown.
struct Fixed {
    thought: Thought,
    seen: Arc<Mutex<Vec<(MatrixKind, u64, usize)>>>,
}

impl Team for Fixed {
    fn observe(&mut self, matrix: MatrixKind, newest: u64, window: &[f32]) {
        self.seen.lock().unwrap().push((matrix, newest, window.len()));
    }
    fn think(&mut self, asked: &Asked, _: &IsWanted<'_>) -> Thought {
        assert_eq!(
            asked.volatility,
            volatility_input(&observation_levels(), settings().rules.tick_size)
        );
        self.thought
    }
    fn backend(&self) -> Option<Arc<dyn Backend>> {
        None
    }
}

/// The team gives one thought for every question. Thresholds and rules apply to it as to any other.
#[test]
fn a_team_is_shown_whole_windows_and_its_thought_is_held_against_thresholds_and_rules() {
    let opportunity = ask(&mut ready(built_in(settings())), 1, &account()).1.opportunity;
    let action = TeamAction { wish: Wish { size: 1.0, stop: 1.0, reward: 2.0 }, execute: 0.5 };
    let whole = Thought { opportunity, action: Some(action), ..Thought::NONE };
    let decide = |thought: Thought, settings: AgentSettings| {
        let seen = Arc::new(Mutex::new(Vec::new()));
        let team = Box::new(Fixed { thought, seen: Arc::clone(&seen) });
        let mut agents = ready(Agents::with_team(&SET, team, settings));
        let (decision, record) = ask(&mut agents, 1, &account());
        let seen = seen.lock().unwrap().clone();
        (decision.is_some(), record.reasons.iter().collect::<Vec<_>>(), seen)
    };
    let (is_decided, reasons, seen) = decide(whole, settings());
    assert!(is_decided && reasons.is_empty());
    // A window each for the rows from the one that makes it whole on.
    for (matrix, rows, cells) in [
        (MatrixKind::Structure, 48, 48 * 8),
        (MatrixKind::Tactical, 60, 60 * 7),
        (MatrixKind::Regime, 100, 100 * 12),
        (MatrixKind::Context, 1, 5),
    ] {
        let of = seen.iter().filter(|(kind, ..)| *kind == matrix).map(|&(_, row, len)| (row, len));
        assert!(of.eq((rows..=100).map(|row| (row, cells))), "{matrix:?}");
    }
    let failing = TeamAction { execute: f32::NAN, ..action };
    let strict = AgentSettings { confidence_threshold: 1.0, ..settings() };
    for (thought, settings, reason) in [
        (Thought::NONE, settings(), Reason::Fault),
        (Thought { action: None, ..whole }, settings(), Reason::Fault),
        (Thought { action: Some(failing), ..whole }, settings(), Reason::Fault),
        (whole, strict, Reason::Confidence),
    ] {
        let (is_decided, reasons, _) = decide(thought, settings);
        assert_eq!((is_decided, reasons), (false, vec![reason]));
    }
}

fn any_number() -> impl proptest::strategy::Strategy<Value = f32> {
    prop_oneof![
        8 => 0.0f32..1.0,
        4 => 0.5f32..5.0,
        2 => -100.0f32..100.0,
        1 => prop::sample::select(vec![f32::NAN, f32::INFINITY, f32::NEG_INFINITY, f32::MAX, f32::MIN, -0.0, 1e-40]),
    ]
}

fn any_level() -> impl proptest::strategy::Strategy<Value = f64> {
    prop_oneof![4 => 0.0f64..40.0, 4 => 4500.0f64..4700.0, 1 => prop::sample::select(vec![f64::NAN, f64::INFINITY, 0.0, -3.0, 1e300])]
}

/// Asserts what a decision must keep for any output of the networks.
fn assert_within_the_rules(
    decision: &Decision,
    record: &DecisionRecord,
    rules: &RiskRules,
    account: &Account,
) {
    let one = i128::from(rules.tick_value.nanos()) * i128::from(decision.bracket.stop_loss_ticks);
    let risk = one * i128::from(decision.quantity);
    assert!((1..=rules.limits.max_position_size).contains(&decision.quantity), "{decision:?}");
    assert!(decision.target != Target::Flat && decision.bracket.stop_loss_ticks >= 1);
    assert!(decision.bracket.profit_target_ticks >= decision.bracket.stop_loss_ticks);
    assert!(
        risk as f64
            <= account.equity.nanos() as f64 * rules.limits.max_risk_per_trade * (1.0 + 1e-12)
    );
    assert!(risk <= i128::from((account.equity - account.day_limit).nanos()));
    let proposal = record.proposal.unwrap();
    assert_eq!(i128::from(proposal.risk.nanos()), risk);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(crate::sampling::runs(500, 2000)))]

    /// No combination of what the networks say, of levels and of accounts places what a rule
    /// forbids; and what is no number places nothing, and reaches no record.
    #[test]
    fn whatever_the_networks_say_the_rules_hold(
        numbers in prop::collection::vec(any_number(), 1..60),
        sound in any::<bool>(),
        fails in prop::option::weighted(0.1, 0usize..6),
        levels in (any_level(), any_level(), any_level(), 0.0f64..1.0),
        share in 0.0001f64..1.0,
        most in 1u32..10_000,
        equity in -1_000_000i64..10_000_000,
        limit in -1_000_000i64..10_000_000,
        position in -5i64..5,
    ) {
        // Half of the time numbers that networks can say, so that orders are placed.
        let numbers: Vec<f32> = if sound {
            numbers.iter().map(|n| if n.is_finite() { n.abs().clamp(0.5, 1.0) } else { 1.0 }).collect()
        } else {
            numbers
        };
        let mut changed = settings();
        changed.rules.limits.max_risk_per_trade = share;
        changed.rules.limits.max_position_size = most;
        let team = ByGraphs::new(&SET, Arc::new(Here), saying(&numbers, fails), 3, 5);
        let mut agents = Agents::with_team(&SET, Box::new(team), changed);
        let mut random = Random::new(1, 0);
        for number in 1..=100 {
            let mut row = observation(&mut random, number);
            let (average_true_range, above, below, strength) = levels;
            row.levels = Levels { average_true_range, above: (above, strength), below: (below, strength) };
            agents.observe(&row);
        }
        let account = Account {
            equity: Money::from_dollars(equity),
            day_limit: Money::from_dollars(limit),
            position,
            ..account()
        };
        let (decision, record) = ask(&mut agents, 1, &account);
        if let Some(decision) = decision {
            assert_within_the_rules(&decision, &record, &changed.rules, &account);
            prop_assert!(record.reasons.is_empty());
            prop_assert_eq!(fails, None);
        } else {
            prop_assert!(!record.reasons.is_empty());
        }
        // Only what equals itself is no NaN: a record is compared on replay.
        prop_assert_eq!(record, record);
    }
}

#[test]
fn a_stop_goes_to_a_strong_node_beyond_it_and_no_farther_than_the_farthest_stop() {
    let rules = settings().rules;
    let wish = Wish { size: 1.0, stop: 1.0, reward: 2.0 };
    // Range 4 points: 16 ticks; farthest 48. Last price 4600.
    let stop = |below: (f64, f64), direction| {
        let levels = Levels { average_true_range: 4.0, below, above: (4607.5, 0.9) };
        let proposal = rules.propose(&wish, direction, &levels, &account()).unwrap();
        (proposal.stop_ticks, proposal.target_ticks, proposal.stop_at_node)
    };
    assert_eq!(stop((4594.0, 0.9), Target::Long), (24, 48, true));
    assert_eq!(stop((4594.0, 0.4), Target::Long), (16, 32, false), "a weak node");
    assert_eq!(
        stop((4598.0, 0.9), Target::Long),
        (16, 32, false),
        "a node that the stop is beyond"
    );
    assert_eq!(stop((4587.0, 0.9), Target::Long), (16, 32, false), "a node too far away");
    assert_eq!(stop((f64::NAN, f64::NAN), Target::Long), (16, 32, false), "no node");
    assert_eq!(stop((4594.0, 0.9), Target::Short), (30, 60, true), "the one above");
}

/// A copy of the built-in set, changed by a closure on (file, bytes).
fn changed(file: &str, change: impl Fn(Vec<u8>) -> Vec<u8>) -> Result<ModelSet, ModelSetProblem> {
    let folder = tempfile::tempdir().unwrap();
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("models/untrained");
    for entry in std::fs::read_dir(source).unwrap() {
        let path = entry.unwrap().path();
        std::fs::copy(&path, folder.path().join(path.file_name().unwrap())).unwrap();
    }
    let path = folder.path().join(file);
    let bytes = change(std::fs::read(&path).unwrap());
    if bytes.is_empty() {
        std::fs::remove_file(path).unwrap()
    } else {
        std::fs::write(path, bytes).unwrap()
    }
    let set = ModelSet::read(folder.path()).map_err(|error| *error.problem)?;
    set.verify(&Cpu::new()).map_err(|error| *error.problem)?;
    Ok(set)
}

fn manifest(from: &str, to: &str) -> Result<ModelSet, ModelSetProblem> {
    changed("manifest.json", |bytes| {
        let text = String::from_utf8(bytes).unwrap();
        assert!(text.contains(from), "{from}");
        text.replacen(from, to, 1).into_bytes()
    })
}

#[test]
fn a_set_loads_whole_or_is_refused_by_name() {
    assert!(changed("manifest.json", |bytes| bytes).is_ok());
    for file in ["core.onnx", "golden.safetensors", "weights.safetensors", "manifest.json"] {
        let missing = changed(file, |_| Vec::new()).unwrap_err();
        assert!(
            matches!(&missing, ModelSetProblem::Missing { file: of, .. } if of == file),
            "{missing}"
        );
    }
    let flipped = |mut bytes: Vec<u8>| {
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        bytes
    };
    for file in ["structure_step.onnx", "regime.onnx", "golden.safetensors", "weights.safetensors"]
    {
        let damaged = changed(file, flipped).unwrap_err();
        assert!(
            matches!(&damaged, ModelSetProblem::Damaged { file: of, .. } if of == file),
            "{damaged}"
        );
    }
    let half = changed("manifest.json", |bytes| bytes[..bytes.len() / 2].to_vec()).unwrap_err();
    assert!(matches!(half, ModelSetProblem::Manifest(_)), "{half}");
    for (from, to) in [
        ("\"format\": 2", "\"format\": 3"),
        ("\"format\": 2", "\"format\": 1"),
        ("\"hidden\"", "\"hiden\""),
        ("\"temperature\": 1.0", "\"temperature\": 0.0"),
        ("\"probability\": 0.2", "\"probability\": 1.0"),
        ("philox4x32-10", "xorshift"),
        ("\"embedding\"", "\"embeding\""),
        ("\"file\": \"core.onnx\"", "\"file\": \"../core.onnx\""),
        ("\"rows\": 48", "\"rows\": 47"),
        ("\"licence\"", "\"license\""),
        ("\"temperature\": 1.0", "\"temperature\": 1e-310"),
        ("\"trained\": false", "\"trained\": true"),
        ("\"trained\": false", "\"trained\": false, \"trained\": true"),
        ("\"name\": \"untrained\"", "\"name\": \"two\\nlines\""),
        ("\"probability\": 0.2", "\"probability\": 0.5"),
        ("\"seed\": 7", "\"seed\": 8"),
    ] {
        let problem = manifest(from, to).unwrap_err();
        let text = problem.to_string();
        assert!(text.len() > 20 && !text.contains("Error("), "{from}: {text}");
    }
}

/// Golden outputs of other weights: every file is whole, and yet the graph is not what it says.
#[test]
fn a_set_whose_graph_gives_something_else_is_refused() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("models/untrained");
    let [tactical, gate] =
        ["tactical_step.onnx", "gate.onnx"].map(|file| std::fs::read(folder.join(file)).unwrap());
    assert_ne!(tactical, gate);
    let hash = |bytes: &[u8]| -> String {
        use sha2::{Digest, Sha256};
        Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
    };
    // Some weights are changed, and the checksum with them.
    let mut other = gate.clone();
    let middle = other.len() / 2;
    other[middle..middle + 256].iter_mut().for_each(|byte| *byte ^= 0x80);
    let directory = tempfile::tempdir().unwrap();
    for entry in std::fs::read_dir(&folder).unwrap() {
        let path = entry.unwrap().path();
        std::fs::copy(&path, directory.path().join(path.file_name().unwrap())).unwrap();
    }
    std::fs::write(directory.path().join("gate.onnx"), &other).unwrap();
    let manifest = std::fs::read_to_string(folder.join("manifest.json")).unwrap();
    let manifest = manifest.replace(&hash(&gate), &hash(&other));
    std::fs::write(directory.path().join("manifest.json"), manifest).unwrap();
    let set = ModelSet::read(directory.path()).unwrap();
    let refused = *set.verify(&Cpu::new()).unwrap_err().problem;
    assert!(matches!(refused, ModelSetProblem::Golden { graph: "gate", .. }), "{refused}");
}

/// Windows that are encoded at once have the bits of each alone.
#[test]
fn what_is_foreseen_is_what_the_encoders_give() {
    let mut random = Random::new(9, 0);
    let seen: Vec<Observation> = (1..=112).map(|row| observation(&mut random, row)).collect();
    let walk = |mut watcher: Box<dyn Strategy + Send>| {
        seen.iter().for_each(|observation| watcher.observe(observation));
    };
    let foreseen = foresee(&SET, &Cpu::new(), 2, Timestamp::MIN, walk).unwrap().0;
    for (matrix, kind) in [
        (MatrixKind::Structure, GraphKind::Structure),
        (MatrixKind::Tactical, GraphKind::Tactical),
        (MatrixKind::Regime, GraphKind::Regime),
    ] {
        let mut graph = SET.graph(kind, &Cpu::new(), 1).unwrap();
        let rows = SET.manifest().feature_schema.matrices.of(matrix).rows;
        for (window, newest) in seen.windows(rows).zip(rows as u64..) {
            let cells = |row: &Observation| row.row(matrix).unwrap().cells.to_vec();
            graph.input(0).copy_from_slice(&window.iter().flat_map(cells).collect::<Vec<_>>());
            graph.run().unwrap();
            assert_eq!(foreseen.encoding(matrix, newest), Some(graph.output(0)), "{matrix:?}");
        }
    }
}

/// Counts what the encoders are run on: of a warm-up only the last window of each matrix, which the
/// first question is about.
#[test]
fn of_a_warm_up_only_the_last_windows_are_encoded() {
    let minutes = |number: u64| Timestamp::from_nanos(number as i64 * 5 * Timestamp::MINUTE);
    let encoded = |warm_until: Timestamp| {
        let walk = |mut watcher: Box<dyn Strategy + Send>| {
            let mut random = Random::new(9, 0);
            for number in 1..=112 {
                watcher.observe(&observation(&mut random, number));
                watcher.on_bar(&Bar { end: minutes(number), ..Bar::NONE }, number, &account());
            }
        };
        foresee(&SET, &Cpu::new(), 1, warm_until, walk).unwrap().0
    };
    let (all, some) = (encoded(Timestamp::MIN), encoded(minutes(109)));
    for matrix in [MatrixKind::Structure, MatrixKind::Tactical, MatrixKind::Regime] {
        for row in 1..=108 {
            assert_eq!(some.encoding(matrix, row), None, "{matrix:?} {row}");
        }
        for row in 109..=112 {
            let encoding = some.encoding(matrix, row);
            assert!(
                encoding.is_some() && encoding == all.encoding(matrix, row),
                "{matrix:?} {row}"
            );
        }
        assert!(all.encoding(matrix, 108).is_some());
    }
}
