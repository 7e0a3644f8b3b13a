//! The stages behind the bars, as the trading stage calls them.

use super::feature_stage::Break;
use super::message::{Answer, Question};
use super::sink::Sink;
use crate::execution::Account;
use crate::market::{Bar, Price, Tick};
use crate::strategy::DecisionRecord;

/// The stages behind the bars: features and strategy themselves, or the queue that leads to them.
pub trait Downstream {
    /// Takes a trade that the open bar took.
    fn on_trade(&mut self, tick: &Tick);
    /// Takes a closed bar.
    fn on_bar(&mut self, bar: &Bar, sink: &mut impl Sink);
    /// Takes a question at the close of `bar`, after every bar that closes with it.
    fn on_question(&mut self, bar: &Bar, question: &Question, account: &Account);
    /// Returns an answer that is there already: of a strategy that is called, not written to.
    fn take_answer(&mut self) -> Option<Answer> {
        None
    }
    /// Returns the strategy's record of the question with this number, once; `None` if it has none.
    fn take_record(&mut self, _question: u64) -> Option<DecisionRecord> {
        None
    }
    /// Moves on to another contract: the series continues at `new` where the old one ended at
    /// `old`.
    fn on_contract_change(&mut self, old: Price, new: Price);
    /// Restarts: the series does not continue from the last bar.
    fn on_restart(&mut self, why: Break);
}
