//! Many episodes side by side.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;

use super::episode::{Episode, EpisodeQuestion};
use super::market::Market;
use crate::agents::{Wish, account_inputs};
use crate::execution::{Bracket, Decision, OrderKind, Target, Trade};
use crate::market::{Money, Side};
use crate::random::Random;

/// Numbers of the account that agents see; see
/// [`crate::agents::model_set::FeatureSchema::account`].
pub const ACCOUNT_WIDTH: usize = 5;

/// The action in one episode: enter, or leave things as they are.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct EpisodeAction {
    /// Below zero: enter short; above: enter long; 0: leave things as they are.
    pub direction: i8,
    /// The risk sub-system's raw action for it; the rules make a proposal of it.
    pub wish: Wish,
}

/// The sessions of the episodes, and the order in which episodes come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EpisodeSettings {
    /// Places in the list of markets, and the sessions there.
    pub spans: Vec<(usize, Range<usize>)>,
    /// Episodes that run side by side (≥ 1).
    pub slots: usize,
    /// Draws a span for every episode, without end, under this seed; `None` takes each span once,
    /// in order.
    pub seed: Option<u64>,
}

/// The settings do not describe a valid vector of episodes.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum VectorEnvironmentError {
    /// Nothing to run.
    #[error("{0} must be at least 1")]
    Nothing(&'static str),
    /// A span refers to a market index that is out of range.
    #[error("span {span} is of market {market}, and there are {markets}")]
    Market {
        /// Its place.
        span: usize,
        /// The market it names.
        market: usize,
        /// Number of markets.
        markets: usize,
    },
    /// A span is not inside its market.
    #[error(
        "span {span} has the sessions {start} to {end} of a market that has {sessions}; give a start below the end"
    )]
    Sessions {
        /// Its place.
        span: usize,
        /// Its first session.
        start: usize,
        /// After its last session.
        end: usize,
        /// Number of sessions in the market.
        sessions: usize,
    },
    /// No decision may come in it.
    #[error(
        "span {span}: the matrices are not whole in any of its sessions; begin later in the market"
    )]
    NotReady {
        /// Its place.
        span: usize,
    },
}

/// The state of an episode after a step.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct EpisodeStep {
    /// Place of its market.
    pub market: u32,
    /// Place in [`Market::closes`] of the question that it stands at, or stood at last.
    pub close: u32,
    /// The account as agents see it.
    pub account: [f32; ACCOUNT_WIDTH],
    /// Contracts held; positive long.
    pub position: i32,
    /// Contracts that the action entered, after the rules; positive long.
    pub entered: i32,
    /// Growth of equity since the step before, in dollars.
    pub profit: f64,
    /// The episode begins with this: the action was not looked at.
    pub is_first: bool,
    /// The episode ended with this step: there is no question, and the next step begins another
    /// episode.
    pub is_last: bool,
    /// Nothing is left to run here.
    pub is_idle: bool,
}

impl EpisodeStep {
    const IDLE: EpisodeStep = EpisodeStep {
        market: 0,
        close: 0,
        account: [0.0; ACCOUNT_WIDTH],
        position: 0,
        entered: 0,
        profit: 0.0,
        is_first: false,
        is_last: false,
        is_idle: true,
    };
}

/// A round trip, and the decision that began it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct EndedTrade {
    /// The episode's place.
    pub slot: usize,
    /// Place of its market.
    pub market: usize,
    /// Place in [`Market::closes`] of the decision.
    pub close: usize,
    /// The trade.
    pub trade: Trade,
}

/// Episodes that take a step together.
#[derive(Clone, Debug)]
pub struct VectorEnvironment {
    markets: Vec<Arc<Market>>,
    settings: EpisodeSettings,
    slots: Vec<EpisodeSlot>,
    /// Spans that have begun, where each comes once.
    begun: usize,
    steps: Vec<EpisodeStep>,
    trades: Vec<EndedTrade>,
}

#[derive(Clone, Debug)]
struct EpisodeSlot {
    random: Option<Random>,
    market: usize,
    episode: Option<Episode>,
    asked: Option<EpisodeQuestion>,
    equity: Money,
    /// Sides and closes of the entries whose trades have not ended.
    entries: VecDeque<(Side, usize)>,
}

impl VectorEnvironment {
    /// Creates episodes over the spans of these markets; the first step begins them.
    ///
    /// # Errors
    /// If a span is not inside its market, or there is nothing to run.
    pub fn new(
        markets: Vec<Arc<Market>>,
        settings: EpisodeSettings,
    ) -> Result<VectorEnvironment, VectorEnvironmentError> {
        use VectorEnvironmentError as Error;
        for (what, count) in [("spans", settings.spans.len()), ("slots", settings.slots)] {
            if count == 0 {
                return Err(Error::Nothing(what));
            }
        }
        for (span, (market, sessions)) in settings.spans.iter().enumerate() {
            let Some(found) = markets.get(*market) else {
                let (market, markets) = (*market, markets.len());
                return Err(Error::Market { span, market, markets });
            };
            let Range { start, end } = *sessions;
            let there_are = found.sessions().len();
            if start >= end || end > there_are {
                return Err(Error::Sessions { span, start, end, sessions: there_are });
            }
            if !found.sessions()[start..end].iter().any(|session| session.is_ready) {
                return Err(Error::NotReady { span });
            }
        }
        let slot = |slot: usize| EpisodeSlot {
            random: settings.seed.map(|seed| Random::new(seed, slot as u64)),
            market: 0,
            episode: None,
            asked: None,
            equity: Money::ZERO,
            entries: VecDeque::new(),
        };
        Ok(VectorEnvironment {
            slots: (0..settings.slots).map(slot).collect(),
            steps: vec![EpisodeStep::IDLE; settings.slots],
            trades: Vec::new(),
            begun: 0,
            markets,
            settings,
        })
    }

    /// Starts over: the same episodes follow as after [`VectorEnvironment::new`], or those of
    /// another seed.
    pub fn reset(&mut self, seed: Option<u64>) {
        if self.settings.seed.is_some() && seed.is_some() {
            self.settings.seed = seed;
        }
        let settings = self.settings.clone();
        let markets = std::mem::take(&mut self.markets);
        *self = VectorEnvironment::new(markets, settings).expect("it was made of these");
    }

    /// Returns the markets.
    pub fn markets(&self) -> &[Arc<Market>] {
        &self.markets
    }

    /// Takes a step in each episode that is at a question, and begins one where none is. Afterwards
    /// [`VectorEnvironment::steps`] says where they stand.
    ///
    /// # Panics
    /// If there are not as many actions as slots.
    pub fn step(&mut self, actions: &[EpisodeAction]) {
        self.step_where(actions, |_| true);
    }

    /// Takes a step in the episodes of the slots that are chosen; the others stay where they stand.
    ///
    /// # Panics
    /// If there are not as many actions as slots.
    pub fn step_where(&mut self, actions: &[EpisodeAction], is_chosen: impl Fn(usize) -> bool) {
        assert_eq!(actions.len(), self.slots.len());
        let VectorEnvironment { markets, settings, slots, begun, steps, trades } = self;
        for (number, ((slot, step), action)) in
            slots.iter_mut().zip(steps.iter_mut()).zip(actions).enumerate()
        {
            if !is_chosen(number) {
                continue;
            }
            let is_first = slot.episode.is_none();
            if is_first && !slot.begin(markets, settings, begun) {
                *step = EpisodeStep::IDLE;
                continue;
            }
            let entered = if is_first { 0 } else { slot.act(action) };
            slot.go_on(number, trades);
            *step = slot.stand(is_first, entered, step.close);
        }
    }

    /// Returns the state of each episode after the last step.
    pub fn steps(&self) -> &[EpisodeStep] {
        &self.steps
    }

    /// Returns the round trips that ended since the last call.
    pub fn take_trades(&mut self) -> Vec<EndedTrade> {
        std::mem::take(&mut self.trades)
    }

    /// Returns a copy of the episode in a slot, as it stands.
    pub fn episode(&self, slot: usize) -> Option<&Episode> {
        self.slots.get(slot)?.episode.as_ref()
    }
}

impl EpisodeSlot {
    /// Begins the next episode; `false` after the last.
    fn begin(
        &mut self,
        markets: &[Arc<Market>],
        settings: &EpisodeSettings,
        begun: &mut usize,
    ) -> bool {
        let place = match &mut self.random {
            Some(random) => random.below(settings.spans.len() as u32) as usize,
            None => *begun,
        };
        let Some((market, sessions)) = settings.spans.get(place) else { return false };
        *begun += 1;
        self.market = *market;
        let episode = Episode::new(Arc::clone(&markets[*market]), sessions.clone());
        self.equity = episode.desk().ledger().cash();
        self.episode = Some(episode);
        self.entries.clear();
        true
    }

    /// Answers the question; returns the contracts that are entered.
    fn act(&mut self, action: &EpisodeAction) -> i32 {
        let (Some(episode), Some(asked)) = (&mut self.episode, self.asked.take()) else { return 0 };
        let decision = decide(episode.market(), &asked, action);
        episode.answer(decision);
        let Some(Decision { target, quantity, .. }) = decision else { return 0 };
        let side = if target == Target::Long { Side::Buy } else { Side::Sell };
        self.entries.push_back((side, asked.close.unwrap_or(0)));
        side.sign() as i32 * quantity as i32
    }

    /// Advances to the next question at which something can be decided.
    fn go_on(&mut self, number: usize, trades: &mut Vec<EndedTrade>) {
        let Some(episode) = &mut self.episode else { return };
        self.asked = loop {
            let asked = episode.next_question();
            let market = Arc::clone(episode.market());
            let entries = &mut self.entries;
            trades.extend(episode.take_trades().filter_map(|trade| {
                // The last that can have made it: one that was refused or never filled has no
                // trade, and one that was filled in parts may have several.
                let made_it = |&(side, close): &(Side, usize)| {
                    side == trade.side && market.closes()[close].bar_end <= trade.entry_time
                };
                let place = entries.iter().rposition(made_it)?;
                entries.drain(..place);
                let close = entries.front()?.1;
                Some(EndedTrade { slot: number, market: self.market, close, trade })
            }));
            match asked {
                None => break None,
                Some(asked) if asked.close.is_some_and(|close| market.closes()[close].is_ready) => {
                    break Some(asked);
                }
                Some(_) => episode.answer(None),
            }
        };
    }

    fn stand(&mut self, is_first: bool, entered: i32, last_close: u32) -> EpisodeStep {
        let Some(episode) = &self.episode else { return EpisodeStep::IDLE };
        let account = self.asked.map_or_else(|| episode.desk().account(), |asked| asked.account);
        let most = episode.market().rules().limits.max_position_size;
        let step = EpisodeStep {
            market: self.market as u32,
            close: self
                .asked
                .and_then(|asked| asked.close)
                .map_or(last_close, |close| close as u32),
            account: account_inputs(&account, most),
            position: account.position as i32,
            entered,
            profit: (account.equity - self.equity).as_f64(),
            is_first,
            is_last: self.asked.is_none(),
            is_idle: false,
        };
        self.equity = account.equity;
        if self.asked.is_none() {
            self.episode = None;
        }
        step
    }
}

/// Returns the decision of an action under the rules, as the agents' seat has it.
pub(super) fn decide(
    market: &Market,
    asked: &EpisodeQuestion,
    action: &EpisodeAction,
) -> Option<Decision> {
    let close = &market.closes()[asked.close?];
    let (target, side) = match action.direction {
        0 => return None,
        1.. => (Target::Long, Side::Buy),
        _ => (Target::Short, Side::Sell),
    };
    if asked.account.holds(side) || !action.wish.is_sound() {
        return None;
    }
    let proposal =
        market.rules().propose(&action.wish, target, &close.levels, &asked.account).ok()?;
    (proposal.contracts > 0).then_some(Decision {
        target,
        quantity: proposal.contracts,
        entry: OrderKind::Market,
        bracket: Bracket {
            stop_loss_ticks: proposal.stop_ticks,
            profit_target_ticks: proposal.target_ticks,
        },
    })
}
