//! The agents in the decision seat: the two stages of a decision.

use std::sync::Arc;

use super::foreseen::Foreseen;
use super::model_set::{ModelSet, ModelSetError};
use super::networks::{Fault, Networks};
use super::risk::RiskRules;
use super::vote::count_votes;
use crate::execution::{Account, Bracket, Decision, OrderKind, Target};
use crate::inference::{Backend, DropoutMasks};
use crate::market::{Bar, Price, Side, Timeframe, Timestamp};
use crate::matrix::{MatrixKind, Window};
use crate::strategy::{AGENTS, DecisionRecord, Opportunity, Reason};
use crate::strategy::{Levels, Observation, Strategy};

/// Bound to which the account's and market's numbers are cut.
const CLIP: f64 = 3.0;

/// Range of a quiet market, in ticks: what the volatility input is measured by.
const QUIET_RANGE: f64 = 8.0;

/// The matrices with an encoder.
pub(super) const ENCODED: [MatrixKind; 3] =
    [MatrixKind::Structure, MatrixKind::Tactical, MatrixKind::Regime];

/// The settings of the agents' decisions.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AgentSettings {
    /// Passes of each agent (1 to 65,535).
    pub passes: u32,
    /// Seed of the dropout masks.
    pub seed: u64,
    /// Confidence from which a vote is an opportunity, 0 to 1.
    pub confidence_threshold: f32,
    /// Epistemic uncertainty up to which it is one, in nats.
    pub maximum_epistemic: f32,
    /// Agreement from which it is one, 0 to 1.
    pub minimum_agreement: f32,
    /// The gate's probability from which it is executed, 0 to 1.
    pub gate_threshold: f32,
    /// Rules of every proposal.
    pub rules: RiskRules,
}

/// Three agents with one brain, a regime engine, a risk sub-system and a gate.
pub struct Agents {
    settings: AgentSettings,
    backend: Arc<dyn Backend>,
    networks: Networks,
    masks: DropoutMasks,
    /// The question whose masks the core holds.
    masked: u64,
    temperature: f64,
    timeframe: Timeframe,
    /// The last rows of each matrix, by [`MatrixKind`].
    seen: [Seen; 4],
    /// Each encoder's output for its matrix, by [`ENCODED`].
    encodings: [Vec<f32>; 3],
    levels: Levels,
    foreseen: Option<Arc<Foreseen>>,
    /// Bars that end by then are warm-up: nobody listens to what is thought on them.
    warm_until: Timestamp,
    /// `true` if the last bar was warm-up.
    is_watching: bool,
    record: Option<DecisionRecord>,
}

/// The last rows of a matrix.
struct Seen {
    window: Window,
    /// Number of the newest row; 0 before the first.
    newest: u64,
    /// Number of the row that the networks have been shown.
    shown: u64,
}

impl Agents {
    /// The agents of a set, having seen nothing.
    ///
    /// # Errors
    /// If the backend does not take one of the set's graphs.
    pub fn new(
        set: &ModelSet,
        backend: Arc<dyn Backend>,
        settings: AgentSettings,
    ) -> Result<Agents, ModelSetError> {
        let networks = Networks::load(set, backend.as_ref(), settings.passes as usize)?;
        Ok(Agents::with_networks(set, backend, networks, settings))
    }

    /// The agents of a set with other networks of the same shapes.
    pub fn with_networks(
        set: &ModelSet,
        backend: Arc<dyn Backend>,
        networks: Networks,
        settings: AgentSettings,
    ) -> Agents {
        let manifest = set.manifest();
        let dropout = &manifest.dropout;
        let masks = DropoutMasks::new(
            settings.seed,
            AGENTS.len() as u32,
            settings.passes,
            dropout.widths,
            dropout.probability,
        );
        let matrices = &manifest.feature_schema.matrices;
        let seen = MatrixKind::ALL.map(|kind| {
            let matrix = matrices.of(kind);
            Seen { window: Window::new(matrix.rows, matrix.columns.len()), newest: 0, shown: 0 }
        });
        let width = |graph: &dyn crate::inference::Graph| graph.output(0).len();
        let encodings = [&networks.structure, &networks.tactical, &networks.regime]
            .map(|graph| vec![0.0; width(graph.as_ref())]);
        Agents {
            settings,
            backend,
            masks,
            masked: 0,
            temperature: manifest.calibration.temperature,
            timeframe: matrices.tactical.timeframe,
            seen,
            encodings,
            levels: Levels::NONE,
            foreseen: None,
            warm_until: Timestamp::MIN,
            is_watching: false,
            record: None,
            networks,
        }
    }

    /// Looks up what the encoders give instead of running them: it was computed beforehand from the
    /// same rows.
    pub fn foresee(&mut self, foreseen: Arc<Foreseen>) {
        self.foreseen = Some(foreseen);
    }

    /// Thinks of nothing on bars that end by `time`: it only watches. What comes after is the same.
    pub fn watch_until(&mut self, time: Timestamp) {
        self.warm_until = time;
    }

    /// Both stages.
    fn think(&mut self, account: &Account, record: &mut DecisionRecord) -> Option<Decision> {
        if let Err(reason) = self.look() {
            record.reasons.add(reason);
            return None;
        }
        let regime = &self.encodings[MatrixKind::Regime as usize];
        record.regime[..regime.len()].copy_from_slice(regime);
        record.regime_width = regime.len() as u8;
        match self.decide(account, record) {
            Ok(decision) => decision,
            Err(Fault) => {
                record.reasons.add(Reason::Fault);
                None
            }
        }
    }

    /// Shows the networks every row that they have not seen.
    fn look(&mut self) -> Result<(), Reason> {
        let Agents { seen, networks, encodings, foreseen, .. } = self;
        if seen.iter().any(|seen| seen.window.window().is_err()) {
            return Err(Reason::NotReady);
        }
        for kind in MatrixKind::ALL {
            let seen = &mut seen[kind as usize];
            if seen.shown == seen.newest {
                continue;
            }
            let window = seen.window.window().map_err(|_| Reason::NotReady)?;
            if kind == MatrixKind::Context {
                networks.show_matrix(kind, window);
            } else {
                let encoding = &mut encodings[kind as usize];
                let foretold =
                    foreseen.as_ref().map(|foreseen| foreseen.encoding(kind, seen.newest));
                let numbers = match foretold {
                    Some(foretold) => foretold,
                    None => networks.encode(kind, window).ok(),
                };
                encoding.copy_from_slice(numbers.ok_or(Reason::Fault)?);
                networks.show_matrix(kind, encoding);
            }
            seen.shown = seen.newest;
        }
        Ok(())
    }

    /// Lets the encoders see all rows of the next windows but the newest, which is not there yet.
    fn encode_known(&mut self) {
        // What was foreseen is not computed again.
        if self.foreseen.is_some() {
            return;
        }
        for kind in ENCODED {
            let window = &self.seen[kind as usize].window;
            if let Ok(whole) = window.window() {
                let (_, width) = window.shape();
                self.networks.prepare(kind, &whole[width..]);
            }
        }
    }

    /// Shows the core the masks of a question, unless it has them.
    fn write_masks(&mut self, question: u64) {
        if self.masked != question {
            let masks = &self.masks;
            self.networks.write_masks(|layer, mask| masks.fill(question, layer, mask));
            self.masked = question;
        }
    }

    /// The two stages on what the networks have seen.
    fn decide(
        &mut self,
        account: &Account,
        record: &mut DecisionRecord,
    ) -> Result<Option<Decision>, Fault> {
        self.write_masks(record.question);
        let Agents { settings, networks, .. } = self;
        networks.show_account(&account_inputs(account, settings.rules.max_position_size));
        let opportunity = count_votes(networks.logits()?, self.temperature).ok_or(Fault)?;
        record.opportunity = Some(opportunity);
        settings.judge(&opportunity, account, record);
        if !record.reasons.is_empty() {
            return Ok(None);
        }

        let rules = &settings.rules;
        let seen = [
            if opportunity.direction == Target::Long { 1.0 } else { -1.0 },
            opportunity.confidence,
            opportunity.epistemic,
            opportunity.agreement,
        ];
        let volatility = volatility_input(&self.levels, rules.tick_size);
        let wish = networks.wish(&seen, volatility)?;
        let proposal = match rules.propose(&wish, opportunity.direction, &self.levels, account) {
            Ok(proposal) => proposal,
            Err(reason) => {
                record.reasons.add(reason);
                return Ok(None);
            }
        };
        record.proposal = Some(proposal);
        let execute = networks.execute(&wish)?;
        record.execute = Some(execute);
        if proposal.contracts == 0 {
            record.reasons.add(Reason::Risk);
        }
        if execute < settings.gate_threshold {
            record.reasons.add(Reason::Gate);
        }
        Ok(record.reasons.is_empty().then_some(Decision {
            target: opportunity.direction,
            quantity: proposal.contracts,
            entry: OrderKind::Market,
            bracket: Bracket {
                stop_loss_ticks: proposal.stop_ticks,
                profit_target_ticks: proposal.target_ticks,
            },
        }))
    }
}

impl AgentSettings {
    /// Records why a vote is not an opportunity, if so.
    fn judge(&self, vote: &Opportunity, account: &Account, record: &mut DecisionRecord) {
        let side = if vote.direction == Target::Long { Side::Buy } else { Side::Sell };
        // Each says what holds of an opportunity, so that NaN passes nothing.
        for (reason, holds) in [
            (Reason::Confidence, vote.confidence >= self.confidence_threshold),
            (Reason::Epistemic, vote.epistemic <= self.maximum_epistemic),
            (Reason::Agreement, vote.agreement >= self.minimum_agreement),
            (Reason::Held, !account.holds(side)),
        ] {
            if !holds {
                record.reasons.add(reason);
            }
        }
    }
}

impl Strategy for Agents {
    fn timeframe(&self) -> Timeframe {
        self.timeframe
    }

    fn observes(&self) -> bool {
        true
    }

    fn observe(&mut self, observation: &Observation) {
        self.levels = observation.levels;
        for kind in MatrixKind::ALL {
            let Some(row) = observation.row(kind) else { continue };
            let seen = &mut self.seen[kind as usize];
            if row.number != seen.newest + 1 {
                seen.window.begin_anew();
            }
            seen.window.push_with(row.is_warm, |cells| cells.copy_from_slice(row.cells));
            seen.newest = row.number;
        }
    }

    fn on_bar(&mut self, bar: &Bar, question: u64, account: &Account) -> Option<Decision> {
        self.is_watching = bar.end <= self.warm_until && self.warm_until > Timestamp::MIN;
        if self.is_watching {
            return None;
        }
        let (bar_end, position) = (bar.end, account.position);
        let mut record = DecisionRecord { question, bar_end, position, ..DecisionRecord::EMPTY };
        let backend = Arc::clone(&self.backend);
        let mut decision = None;
        backend.together(&mut || decision = self.think(account, &mut record));
        self.record = Some(record);
        decision
    }

    fn take_record(&mut self) -> Option<DecisionRecord> {
        self.record.take()
    }

    fn prepare(&mut self, question: u64) {
        if self.is_watching {
            return;
        }
        let backend = Arc::clone(&self.backend);
        backend.together(&mut || {
            self.write_masks(question);
            self.encode_known();
        });
    }

    fn backend(&self) -> Option<Arc<dyn Backend>> {
        Some(Arc::clone(&self.backend))
    }

    fn restart(&mut self) {
        // Of a hole the rows' numbers tell; into another contract rows go on as their features do.
    }
}

/// The account as the networks see it; see [`super::model_set::ACCOUNT`].
pub(crate) fn account_inputs(account: &Account, most: u32) -> [f32; 5] {
    let allowed = (account.day_high - account.day_limit).as_f64().max(f64::MIN_POSITIVE);
    let share = |money: crate::market::Money| money.as_f64() / allowed;
    [
        share(account.equity - account.day_open),
        share(account.day_high - account.equity),
        f64::from(account.streak) / 5.0,
        account.position as f64 / f64::from(most),
        share(account.unrealised),
    ]
    .map(|number| number.clamp(-CLIP, CLIP) as f32)
}

/// The market's range as the networks see it; see [`super::model_set::VOLATILITY`]. 0
/// where absent.
pub(crate) fn volatility_input(levels: &Levels, tick_size: Price) -> f32 {
    let ticks = levels.average_true_range / tick_size.as_f64();
    if ticks > 0.0 { libm::log(ticks / QUIET_RANGE).clamp(-CLIP, CLIP) as f32 } else { 0.0 }
}
