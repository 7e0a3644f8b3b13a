//! Entries at random: what luck alone earns, with the same exits and the same costs.

use super::{Strategy, StrategySettings};
use crate::execution::{Account, Decision, OrderKind, Target};
use crate::market::{Bar, Timeframe};
use crate::random::Random;

/// The stream of random numbers that the dice are thrown from.
const STREAM: u64 = u64::from_be_bytes(*b"strategy");

/// Enters long or short with equal chance, and leaves after a number of bars or by the bracket.
#[derive(Clone, Debug)]
pub struct RandomEntries {
    settings: StrategySettings,
    dice: Random,
    held: u32,
}

impl RandomEntries {
    /// Creates a strategy whose dice, of this seed, are not thrown yet.
    pub fn new(settings: StrategySettings, seed: u64) -> RandomEntries {
        RandomEntries { settings, dice: Random::new(seed, STREAM), held: 0 }
    }
}

impl Strategy for RandomEntries {
    fn timeframe(&self) -> Timeframe {
        self.settings.timeframe
    }

    fn on_bar(&mut self, _: &Bar, _: u64, account: &Account) -> Option<Decision> {
        // Two draws on every bar, used or not, so that one seed means the same dice at any
        // settings.
        let (chance, side) = (self.dice.below(100), self.dice.below(2));
        if account.position != 0 {
            self.held += 1;
            return (self.held >= self.settings.random_entries.hold_bars).then_some(Decision::FLAT);
        }
        self.held = 0;
        (chance < self.settings.random_entries.entries_per_hundred_bars).then_some(Decision {
            target: if side == 0 { Target::Long } else { Target::Short },
            quantity: self.settings.quantity,
            entry: OrderKind::Market,
            bracket: self.settings.bracket(),
        })
    }

    fn restart(&mut self) {}
}
