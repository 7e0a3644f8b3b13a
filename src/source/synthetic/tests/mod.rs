//! Tests of the synthetic markets: what they look like, and what can be earned on them.

mod edge;
mod realism;
mod structure;

use jiff::civil::Date;

use super::*;
use crate::market::{Calendar, Instrument, Price, Session, Tick, Timestamp};

/// A market, with or without the bounce between bid and ask.
type Kind = (SyntheticMarket, bool);

const fn martingale(bid_ask_bounce: bool) -> Kind {
    (SyntheticMarket::Martingale, bid_ask_bounce)
}

const fn regimes() -> Kind {
    (SyntheticMarket::Regimes, true)
}

fn settings(kind: Kind, seed: u64, days: u32, trades_per_day: u32) -> Settings {
    let (market, bid_ask_bounce) = kind;
    let market = SyntheticSettings::new(market, days, trades_per_day);
    Settings { bid_ask_bounce, ..Settings::new(market, seed) }
}

/// Returns every session and its ticks.
fn generate(settings: Settings) -> Vec<(Session, Vec<Tick>)> {
    let mut generator = Generator::new(settings).unwrap();
    let mut sessions = Vec::new();
    let mut ticks = Vec::new();
    while let Some(session) = generator.next_session(&mut ticks) {
        sessions.push((session, ticks.clone()));
    }
    sessions
}

/// Returns a price in whole ticks of ES.
fn in_ticks(price: Price) -> i64 {
    price.ticks_from(Price::ZERO, Price::from_units(250_000_000))
}

/// A mean and its standard error.
#[derive(Clone, Copy, Debug)]
struct Mean {
    mean: f64,
    error: f64,
}

impl Mean {
    fn of(values: &[f64]) -> Mean {
        let n = values.len() as f64;
        let mean = values.iter().sum::<f64>() / n;
        let variance = values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / (n - 1.0);
        Mean { mean, error: (variance / n).sqrt() }
    }

    /// Returns the standard errors away from `value`.
    fn from(self, value: f64) -> f64 {
        (self.mean - value) / self.error
    }
}
