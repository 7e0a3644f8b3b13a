//! Some sessions of a market, from question to question.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;

use super::market::Market;
use crate::engine::{
    Action, Answer, Break, Downstream, Event, Output, Question, Sink, TradingStage,
};
use crate::execution::{Account, Decision, Desk, ExitReason, Trade};
use crate::market::{Bar, Price, Tick, Timestamp};

/// A question, and what is known at it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct EpisodeQuestion {
    /// Place in [`Market::closes`]; `None` at a close that is not among them, where nothing can be
    /// decided.
    pub close: Option<usize>,
    /// The account.
    pub account: Account,
}

/// A run over some sessions of a market that stops at each question. It begins flat, with the
/// initial capital.
///
/// Same sessions and same answers give the trades of a backtest over the same ticks, bit for bit.
#[derive(Clone, Debug)]
pub struct Episode {
    market: Arc<Market>,
    trading: TradingStage,
    questions: Questions,
    /// Trades and equity that nobody has taken.
    made: Made,
    /// The next tick, and the one after the last.
    ticks: Range<usize>,
    /// The close of the last question.
    close: usize,
    is_over: bool,
}

impl Episode {
    /// Creates an episode over the sessions of these places in [`Market::sessions`].
    ///
    /// # Panics
    /// If the span is empty, or the market does not have it.
    pub fn new(market: Arc<Market>, sessions: Range<usize>) -> Episode {
        assert!(!sessions.is_empty());
        let all = market.sessions();
        let first = all[sessions.start];
        // Ticks before the first session belong to no session.
        let start = if sessions.start == 0 { 0 } else { first.first_tick };
        let end = all.get(sessions.end).map_or(market.ticks().len(), |session| session.first_tick);
        let trading = market.beginning().clone();
        Episode {
            trading,
            questions: Questions::default(),
            made: Made::default(),
            ticks: start..end,
            close: first.first_close,
            is_over: false,
            market,
        }
    }

    /// Advances to the next question; `None` when the sessions are over, the position closed and
    /// every order gone.
    pub fn next_question(&mut self) -> Option<EpisodeQuestion> {
        let Episode { market, trading, questions, made, ticks, .. } = self;
        if questions.asked.is_empty() && !self.is_over {
            let ahead = &market.ticks()[ticks.clone()];
            let mut taken = ahead.len();
            for (tick, number) in ahead.iter().zip(1..) {
                trading.on_tick(tick, questions, made);
                if !questions.asked.is_empty() {
                    taken = number;
                    break;
                }
            }
            ticks.start += taken;
            if questions.asked.is_empty() {
                trading.on_event(&Event::End(ExitReason::EndOfData), questions, made);
                self.is_over = true;
                // An answer now would be ignored.
                questions.asked.clear();
            }
        }
        let &(_, bar_end, account) = questions.asked.front()?;
        let close = self.market.close_at(bar_end, self.close);
        self.close = close.unwrap_or(self.close);
        Some(EpisodeQuestion { close, account })
    }

    /// Answers the question that [`Episode::next_question`] gave; `None` leaves things as they are.
    ///
    /// # Panics
    /// If no question is open.
    pub fn answer(&mut self, decision: Option<Decision>) {
        let (question, ..) = self.questions.asked.pop_front().expect("a question is open");
        let answer = Answer { question, decision, is_overdue: false };
        self.trading.on_event(&Event::Answer(answer), &mut self.questions, &mut self.made);
    }

    /// Returns the desk, with the account.
    pub fn desk(&self) -> &Desk {
        self.trading.desk()
    }

    /// Returns whether it is over.
    pub fn is_over(&self) -> bool {
        self.is_over
    }

    /// Returns the market.
    pub fn market(&self) -> &Arc<Market> {
        &self.market
    }

    /// Returns the round trips that ended since the last call, in order.
    pub fn take_trades(&mut self) -> impl Iterator<Item = Trade> + '_ {
        self.made.trades.drain(..)
    }
}

/// The questions that are open, in order.
#[derive(Clone, Debug, Default)]
struct Questions {
    asked: VecDeque<(Question, Timestamp, Account)>,
}

impl Downstream for Questions {
    #[inline(always)]
    fn on_trade(&mut self, _: &Tick) {}
    fn on_bar(&mut self, _: &Bar, _: &mut impl Sink) {}
    fn on_question(&mut self, bar: &Bar, question: &Question, account: &Account) {
        self.asked.push_back((*question, bar.end, *account));
    }
    fn on_contract_change(&mut self, _: Price, _: Price) {}
    fn on_restart(&mut self, _: Break) {}
}

#[derive(Clone, Debug, Default)]
struct Made {
    trades: Vec<Trade>,
}

impl Sink for Made {
    fn output(&mut self, output: &Output<'_>) {
        if let Output::Action(Action::Trade(trade)) = output {
            self.trades.push(*trade);
        }
    }
}
