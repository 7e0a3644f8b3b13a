//! The risk sub-system's proposal, under rules that always win.

use crate::execution::{Account, RiskSettings, Target};
use crate::market::{Instrument, Money, Price};
use crate::strategy::Levels;
use crate::strategy::{Reason, RiskProposal};

/// Farthest exit, in ticks.
const MOST_TICKS: f64 = 100_000.0;

/// Strength from which a low-volume node holds a stop: half as busy as the busiest row, or less.
const STRONG_NODE: f64 = 0.5;

/// Rules of a proposal.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RiskRules {
    /// Most contracts, and most that may be lost at the stop.
    pub limits: RiskSettings,
    /// Smallest price step.
    pub tick_size: Price,
    /// Gain of one contract by a tick.
    pub tick_value: Money,
}

/// The output of the risk sub-system's network.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Wish {
    /// Share of the most contracts.
    pub size: f32,
    /// Distance of the stop in average true ranges.
    pub stop: f32,
    /// Reward for one unit of risk.
    pub reward: f32,
}

impl Wish {
    /// Ranges of size, stop and reward.
    pub const RANGES: [(f32, f32); 3] = [(0.0, 1.0), (0.5, 3.0), (1.0, 5.0)];

    /// Returns whether each number is finite and in its range.
    pub fn is_sound(&self) -> bool {
        let numbers = [self.size, self.stop, self.reward];
        let within = |(number, (least, most)): (f32, (f32, f32))| number >= least && number <= most;
        numbers.into_iter().zip(Self::RANGES).all(within)
    }
}

impl RiskRules {
    /// Returns the rules of proposals to trade `instrument` within `limits`.
    pub fn new(limits: RiskSettings, instrument: &Instrument) -> RiskRules {
        let (tick_size, tick_value) = (instrument.tick_size, instrument.tick_value());
        RiskRules { limits, tick_size, tick_value }
    }

    /// A wish that is sound as a proposal to enter in `direction`, with as many contracts as the
    /// rules leave, maybe none.
    ///
    /// The stop lies at the wished distance, or at a strong node beyond it that is no farther than
    /// the farthest stop that can be wished. Distances are rounded up to ticks, and contracts down:
    /// the risk of all contracts is at most [`RiskSettings::max_risk_per_trade`] of equity, and at
    /// most what is left until the day's drawdown limit.
    ///
    /// # Errors
    /// If there is no average true range.
    pub fn propose(
        &self,
        wish: &Wish,
        direction: Target,
        levels: &Levels,
        account: &Account,
    ) -> Result<RiskProposal, Reason> {
        let range = levels.average_true_range / self.tick_size.as_f64();
        if !(range.is_finite() && range > 0.0) {
            return Err(Reason::NoRange);
        }
        let ticks = |distance: f64| distance.ceil().clamp(1.0, MOST_TICKS) as u32;
        let farthest = ticks(f64::from(Wish::RANGES[1].1) * range);
        let wished = ticks(f64::from(wish.stop) * range);
        let node = self.node(direction, levels, account.last_price);
        let node = node.filter(|&node| node > wished && node <= farthest);
        let stop_ticks = node.unwrap_or(wished);
        let target_ticks = ticks(f64::from(wish.reward) * f64::from(stop_ticks)).max(stop_ticks);

        let one = i128::from(self.tick_value.nanos()) * i128::from(stop_ticks);
        let affordable = |money: Money| (i128::from(money.nanos()).max(0) / one.max(1)) as u64;
        let allowed = Money::from_f64(account.equity.as_f64() * self.limits.max_risk_per_trade);
        let most = u64::from(self.limits.max_position_size)
            .min(affordable(allowed.unwrap_or(Money::ZERO)))
            .min(affordable(account.equity - account.day_limit));
        let size = (f64::from(wish.size) * f64::from(self.limits.max_position_size)).round() as u64;
        let contracts = size.min(most) as u32;
        let risk = Money::from_nanos((one * i128::from(contracts)) as i64);
        let equity = account.equity.as_f64();
        Ok(RiskProposal {
            size: wish.size,
            stop: wish.stop,
            reward: wish.reward,
            contracts,
            stop_ticks,
            target_ticks,
            risk,
            risk_share: if equity > 0.0 { (risk.as_f64() / equity) as f32 } else { 0.0 },
            stop_at_node: node.is_some(),
        })
    }

    /// Ticks from the last price to the nearest node on the stop's side, if it is strong.
    fn node(&self, direction: Target, levels: &Levels, last_price: Price) -> Option<u32> {
        let (price, strength, side) = match direction {
            Target::Short => (levels.above.0, levels.above.1, 1.0),
            _ => (levels.below.0, levels.below.1, -1.0),
        };
        let distance = side * (price - last_price.as_f64()) / self.tick_size.as_f64();
        let is_strong = strength >= STRONG_NODE && distance > 0.0 && distance <= MOST_TICKS;
        is_strong.then(|| distance.ceil() as u32)
    }
}
