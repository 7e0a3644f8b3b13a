//! Seeded synthetic markets with the microstructure of ES.
//!
//! Two markets, described in full with their measured statistics in `docs/synthetic.md`:
//!
//! * [`SyntheticMarket::Martingale`]: no edge exists. The fair price moves by fair coins that are
//!   independent of everything else.
//! * [`SyntheticMarket::Regimes`]: hidden trends and ranges carry a known edge, and the generator
//!   says what an oracle would have earned with it.
//!
//! # In what sense the martingale has no edge
//!
//! Let F be the fair price, which no tick shows. F moves by fair coins, and a trade prints at the
//! bid or at the ask around F, at the ask with probability (F − bid) / (ask − bid) by a coin of its
//! own. So, whichever past has been seen, the expected price of the next print is F, and the
//! expected F at any later time is F as well. When and how large trades are is independent of all
//! prices. Hence:
//!
//! | fill convention | expected gross profit, any strategy |
//! | --- | --- |
//! | market order fills at the price of a print *after* the one that was decided on | exactly 0 |
//! | buys fill at the ask and sells at the bid of such a later tick | below 0: half a tick a side on average |
//! | market order fills at the mid of bid and ask | **not 0**: the mid is up to half a tick off F, and past prints tell to which side |
//! | market order fills at the print that was decided on | **not 0**: a print at the bid is below F, one at the ask above |
//! | stop or limit fills at the print that reached it | **not 0**: the fill tick itself was chosen by its price; a stop loses and a limit gains up to one tick |
//!
//! With [`Settings::bid_ask_bounce`] off, every print is at F itself and the prints are
//! an exact martingale with steps of one tick within a session: by optional stopping *every* rule
//! of entry, stop, target and exit that fills at prints, even at the print that triggered it, has
//! an expected gross profit of exactly 0 (for a position that is bounded and closed within a
//! bounded time). A stop passed over by the gap between two sessions must fill at the print, not at
//! its own price; a limit that fills at its own price where the print is better loses by that.
//! Quotes and aggressors are left unknown then.
//!
//! # Reproducibility
//!
//! The ticks are a function of [`Settings`] alone, bit for bit on every machine: integers, and
//! floats made only with operations that IEEE 754 defines exactly. Session number k is the same
//! however many sessions are asked for.

mod arrivals;
mod fair_price;
mod file;
mod generator;
mod oracle;
mod regimes;
mod settings;
mod sizes;
#[cfg(test)]
mod tests;

pub use file::{SyntheticSummary, regimes_path, write_file};
pub use generator::Generator;
pub use oracle::OracleResult;
pub use regimes::{Regime, RegimeStretch};
pub use settings::{Settings, SyntheticError, SyntheticMarket, SyntheticSettings};

/// The purpose of a stream of random numbers. Each session has streams of its own, so that a draw
/// for one purpose never moves those for another.
#[derive(Clone, Copy)]
enum Purpose {
    /// The session's activity and its opening gap.
    Session,
    /// Times of trades.
    Arrivals,
    /// The fair price's steps, and at which quote each trade prints.
    Price,
    /// Contracts of a trade.
    Size,
    /// The hidden regimes; one stream for the whole market.
    Regimes,
}

/// Returns the random stream of a session (from 0) for a purpose.
fn stream(session: u32, purpose: Purpose) -> u64 {
    u64::from(session) << 8 | purpose as u64
}
