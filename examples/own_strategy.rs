//! A strategy of one's own: buys after three falling 5-minute bars, with a stop and a target.
//!
//! `cargo run --release --example own_strategy`

use std::error::Error;

use algospace_hft::engine::{Action, Output, Sink};
use algospace_hft::execution::{Account, Bracket, Decision, ExitReason, OrderKind, Target, Trade};
use algospace_hft::market::{Bar, Timeframe};
use algospace_hft::strategy::Strategy;

pub mod es;

#[derive(Default)]
struct BuyTheFall(u32);

impl Strategy for BuyTheFall {
    fn timeframe(&self) -> Timeframe {
        Timeframe::MINUTES_5
    }

    // Called at each close; the order that follows fills on later ticks only.
    fn on_bar(&mut self, bar: &Bar, _question: u64, account: &Account) -> Option<Decision> {
        self.0 = if bar.close < bar.open { self.0 + 1 } else { 0 };
        let (target, entry) = (Target::Long, OrderKind::Market);
        let bracket = Bracket { stop_loss_ticks: 12, profit_target_ticks: 16 };
        let buy = Decision { target, quantity: 1, entry, bracket };
        (self.0 >= 3 && account.position == 0).then_some(buy)
    }

    fn restart(&mut self) {
        self.0 = 0;
    }
}

struct Trades(Vec<Trade>);

impl Sink for Trades {
    fn output(&mut self, output: &Output<'_>) {
        if let Output::Action(Action::Trade(trade)) = output {
            self.0.push(*trade);
        }
    }
}

/// Runs it over three days; returns its trades.
pub fn run() -> Result<Vec<Trade>, Box<dyn Error>> {
    let (mut pipeline, mut trades) = (es::pipeline(BuyTheFall::default())?, Trades(Vec::new()));
    es::ticks()?.iter().for_each(|tick| pipeline.on_tick(tick, &mut trades));
    pipeline.finish(ExitReason::EndOfData, &mut trades);
    Ok(trades.0)
}

fn main() -> Result<(), Box<dyn Error>> {
    let show = |it: &Trade| println!("{} {:?} {}", it.entry_time, it.exit_reason, it.net_pnl());
    run().map(|trades| trades.iter().for_each(show))
}
