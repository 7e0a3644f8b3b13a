//! The agents in the decision seat: the two stages of a decision.

use std::fmt;
use std::sync::Arc;

use super::by_graphs::ByGraphs;
use super::foreseen::Foreseen;
use super::model_set::{ModelSet, ModelSetError};
use super::risk::RiskRules;
use super::team::{Asked, Team};
use crate::execution::{Account, Bracket, Decision, OrderKind, Target};
use crate::inference::Backend;
use crate::market::{Bar, Price, Side, Timeframe, Timestamp};
use crate::matrix::{MatrixKind, Window};
use crate::strategy::{DecisionRecord, Opportunity, Reason, Reasons};
use crate::strategy::{Levels, Observation, Strategy};

/// Bound to which the account's and market's numbers are cut.
const CLIP: f64 = 3.0;

/// Range of a quiet market, in ticks: what the volatility input is measured by.
const QUIET_RANGE: f64 = 8.0;

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

/// Three agents, a regime engine, a risk sub-system and a gate: asked as a [`Team`], under
/// thresholds and rules.
pub struct Agents {
    settings: AgentSettings,
    team: Box<dyn Team>,
    timeframe: Timeframe,
    /// The last rows of each matrix and the number of the newest, by [`MatrixKind`].
    seen: [(Window, u64); 4],
    levels: Levels,
    /// Bars that end by then are warm-up: nobody listens to what is thought on them.
    warm_until: Timestamp,
    /// `true` if the last bar was warm-up.
    is_watching: bool,
    record: Option<DecisionRecord>,
}

impl fmt::Debug for Agents {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Agents").field("settings", &self.settings).finish_non_exhaustive()
    }
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
        let team = ByGraphs::load(set, backend, settings.passes, settings.seed)?;
        Ok(Agents::with_team(set, Box::new(team), settings))
    }

    /// A team for the matrices of a set, having seen nothing.
    pub fn with_team(set: &ModelSet, team: Box<dyn Team>, settings: AgentSettings) -> Agents {
        let matrices = &set.manifest().feature_schema.matrices;
        let seen = MatrixKind::ALL.map(|kind| {
            let matrix = matrices.of(kind);
            (Window::new(matrix.rows, matrix.columns.len()), 0)
        });
        Agents {
            settings,
            team,
            timeframe: matrices.tactical.timeframe,
            seen,
            levels: Levels::NONE,
            warm_until: Timestamp::MIN,
            is_watching: false,
            record: None,
        }
    }

    /// Looks up what the encoders give instead of running them: it was computed beforehand from the
    /// same rows.
    pub fn foresee(&mut self, foreseen: Arc<Foreseen>) {
        self.team.foresee(foreseen);
    }

    /// Decides by a thought of the team. An error is what nothing can be done on.
    fn decide(
        &mut self,
        account: &Account,
        record: &mut DecisionRecord,
    ) -> Result<Option<Decision>, Reason> {
        if self.seen.iter().any(|(window, _)| window.window().is_err()) {
            return Err(Reason::NotReady);
        }
        let Agents { settings, levels, team, .. } = self;
        let (settings, rules) = (&*settings, &settings.rules);
        let asked = Asked {
            question: record.question,
            account: account_inputs(account, rules.limits.max_position_size),
            volatility: volatility_input(levels, rules.tick_size),
        };
        let is_wanted = |vote: &Opportunity| settings.judge(vote, account).is_empty();
        let thought = team.think(&asked, &is_wanted);
        (record.regime, record.regime_width) = (thought.regime, thought.regime_width);
        record.opportunity = thought.opportunity;
        let opportunity = thought.opportunity.ok_or(Reason::Fault)?;
        record.reasons = settings.judge(&opportunity, account);
        if !record.reasons.is_empty() {
            return Ok(None);
        }
        let action = thought.action.ok_or(Reason::Fault)?;
        let proposal = rules.propose(&action.wish, opportunity.direction, levels, account)?;
        record.proposal = Some(proposal);
        if !(0.0..=1.0).contains(&action.execute) {
            return Err(Reason::Fault);
        }
        record.execute = Some(action.execute);
        if proposal.contracts == 0 {
            record.reasons.add(Reason::Risk);
        }
        if action.execute < settings.gate_threshold {
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
    /// Returns why a vote is not an opportunity, if so.
    fn judge(&self, vote: &Opportunity, account: &Account) -> Reasons {
        let mut reasons = Reasons::NONE;
        let side = if vote.direction == Target::Long { Side::Buy } else { Side::Sell };
        // Each says what holds of an opportunity, so that NaN passes nothing.
        for (reason, holds) in [
            (Reason::Confidence, vote.confidence >= self.confidence_threshold),
            (Reason::Epistemic, vote.epistemic <= self.maximum_epistemic),
            (Reason::Agreement, vote.agreement >= self.minimum_agreement),
            (Reason::Held, !account.holds(side)),
        ] {
            if !holds {
                reasons.add(reason);
            }
        }
        reasons
    }
}

impl Strategy for Agents {
    fn timeframe(&self) -> Timeframe {
        self.timeframe
    }

    fn observes(&self) -> bool {
        true
    }

    fn watch_until(&mut self, time: Timestamp) {
        self.warm_until = time;
    }

    fn observe(&mut self, observation: &Observation) {
        self.levels = observation.levels;
        for kind in MatrixKind::ALL {
            let Some(row) = observation.row(kind) else { continue };
            let (window, newest) = &mut self.seen[kind as usize];
            if row.number != *newest + 1 {
                window.restart_after_gap();
            }
            window.push_with(row.is_warm, |cells| cells.copy_from_slice(row.cells));
            *newest = row.number;
            if let Ok(window) = window.window() {
                self.team.observe(kind, row.number, window);
            }
        }
    }

    fn on_bar(&mut self, bar: &Bar, question: u64, account: &Account) -> Option<Decision> {
        self.is_watching = bar.end <= self.warm_until && self.warm_until > Timestamp::MIN;
        if self.is_watching {
            return None;
        }
        let (bar_end, position) = (bar.end, account.position);
        let mut record = DecisionRecord { question, bar_end, position, ..DecisionRecord::EMPTY };
        let decision = self.decide(account, &mut record).unwrap_or_else(|reason| {
            record.reasons.add(reason);
            None
        });
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
        self.team.prepare(question);
    }

    fn backend(&self) -> Option<Arc<dyn Backend>> {
        self.team.backend()
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
