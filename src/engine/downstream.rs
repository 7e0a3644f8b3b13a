//! The stages behind the bars, as the trading stage calls them.

use super::feature_stage::Break;
use super::message::{Answer, Question};
use super::sink::Sink;
use crate::execution::Account;
use crate::market::{Bar, Price, Tick};
use crate::strategy::DecisionRecord;

/// The stages behind the bars: features and the strategy themselves, or the queue that leads
/// to them.
pub trait Downstream {
    /// A trade that the open bar took.
    fn on_trade(&mut self, tick: &Tick);
    /// A bar closed.
    fn on_bar(&mut self, bar: &Bar, sink: &mut impl Sink);
    /// A decision is asked for at the close of `bar`, after every bar that closes with it.
    fn on_question(&mut self, bar: &Bar, question: &Question, account: &Account);
    /// An answer that is there already, where the decision seat is called and not written to.
    fn take_answer(&mut self) -> Option<Answer> {
        None
    }
    /// Returns the strategy's record of the question of this number, if any; once.
    fn take_record(&mut self, _question: u64) -> Option<DecisionRecord> {
        None
    }
    /// The series continues at `new` in another contract, where the old one ended at `old`.
    fn on_contract_change(&mut self, old: Price, new: Price);
    /// The series does not go on from the last bar.
    fn on_restart(&mut self, why: Break);
}
