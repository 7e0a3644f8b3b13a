//! All stages in one thread.

use std::collections::VecDeque;

use super::downstream::Downstream;
use super::feature_stage::{Break, FeatureStage};
use super::message::{Answer, Event, Output, Question};
use super::settings::PipelineSettings;
use super::sink::Sink;
use super::trading::TradingStage;
use crate::bars::TickCounts;
use crate::execution::{Account, Desk, ExitReason, SimulatedExchange, Venue};
use crate::market::{Bar, Price, Tick, Timestamp};
use crate::strategy::{DecisionRecord, Strategy};

/// All stages from tick to trade, called in order in one thread: [`TradingStage`], and behind its
/// bars features and strategy. The strategy's answers return to it at once.
#[derive(Clone, Debug)]
pub struct Pipeline<S, V = SimulatedExchange> {
    pub(crate) trading: TradingStage<V>,
    pub(crate) deciding: Deciding<S>,
}

impl<S: Strategy, V: Venue> Pipeline<S, V> {
    /// Creates the stages, which have seen nothing. Orders go to `venue`.
    ///
    /// # Panics
    /// If no timeframe is asked for, or the strategy's is not among them.
    pub fn new(
        settings: PipelineSettings,
        features: FeatureStage,
        strategy: S,
        desk: Desk,
        venue: V,
    ) -> Pipeline<S, V> {
        let most_answers = settings.most_open_questions(strategy.timeframe());
        let trading = TradingStage::new(settings, strategy.timeframe(), desk, venue);
        Pipeline { trading, deciding: Deciding::new(features, strategy, most_answers) }
    }

    /// Returns the trading stage, the features and the strategy.
    pub(crate) fn into_parts(self) -> (TradingStage<V>, FeatureStage, S) {
        let Deciding { features, strategy, .. } = self.deciding;
        (self.trading, features, strategy)
    }

    /// Returns features and matrices.
    pub fn features(&self) -> &FeatureStage {
        &self.deciding.features
    }

    /// Returns the desk, with the account.
    pub fn desk(&self) -> &Desk {
        self.trading.desk()
    }

    /// Returns the counts of ticks that no bar took.
    pub fn tick_counts(&self) -> TickCounts {
        self.trading.tick_counts()
    }

    /// Returns the number of times that an order met impossible quotes.
    pub fn impossible_quotes(&self) -> u64 {
        self.trading.impossible_quotes()
    }

    /// Returns whether the venue closes positions that no tick closes.
    pub fn invents_fills(&self) -> bool {
        self.trading.invents_fills()
    }

    /// Returns the strategy.
    pub(crate) fn strategy(&self) -> &S {
        &self.deciding.strategy
    }

    /// Returns the end of the warm-up, `Timestamp::MIN` without one. Bars that end by then belong
    /// to it.
    pub fn trades_from(&self) -> Timestamp {
        self.trading.trades_from()
    }

    /// Returns the length of the sessions with ticks, in nanoseconds, and their number, without
    /// those of the warm-up.
    pub fn sessions(&self) -> (i64, u64) {
        self.trading.sessions()
    }

    /// Returns the number of gaps of whole sessions between two ticks.
    pub fn holes(&self) -> u64 {
        self.trading.holes()
    }

    /// Takes an event through all stages.
    #[inline]
    pub fn on_event(&mut self, event: &Event, sink: &mut impl Sink) {
        self.trading.on_event(event, &mut self.deciding, sink);
    }

    /// Takes one tick through all stages.
    #[inline(always)]
    pub fn on_tick(&mut self, tick: &Tick, sink: &mut impl Sink) {
        self.trading.on_tick(tick, &mut self.deciding, sink);
    }

    /// Ends the run after the last tick: closes the position at the last price, and the open bars.
    pub fn finish(&mut self, reason: ExitReason, sink: &mut impl Sink) {
        self.on_event(&Event::End(reason), sink);
    }
}

/// Features and strategy.
#[derive(Clone, Debug)]
pub(crate) struct Deciding<S> {
    pub(crate) features: FeatureStage,
    pub(crate) strategy: S,
    answers: VecDeque<Answer>,
    records: VecDeque<DecisionRecord>,
    observes: bool,
    /// Number of the next question, unless the strategy has prepared for it.
    unprepared: Option<u64>,
    /// `true` if answers are events, as in the replay of a run whose strategy had a thread of its
    /// own. The strategy's are only compared with them then.
    pub(crate) answers_are_events: bool,
}

impl<S: Strategy> Deciding<S> {
    pub(crate) fn new(features: FeatureStage, strategy: S, most_answers: usize) -> Deciding<S> {
        let (answers, observes) = (VecDeque::with_capacity(most_answers), strategy.observes());
        let records = VecDeque::with_capacity(if observes { most_answers } else { 0 });
        Deciding {
            features,
            strategy,
            answers,
            records,
            observes,
            unprepared: None,
            answers_are_events: false,
        }
    }

    /// Returns whether the strategy has given this answer, which was an event.
    pub(crate) fn agrees(&mut self, answer: &Answer) -> bool {
        while let Some(given) = self.answers.pop_front() {
            if given.question.number == answer.question.number {
                // A strategy that was too slow then may be fast enough now.
                return answer.is_overdue || given == *answer;
            }
        }
        false
    }
}

impl<S: Strategy> Downstream for Deciding<S> {
    #[inline(always)]
    fn on_trade(&mut self, tick: &Tick) {
        self.features.on_trade(tick);
    }

    fn on_bar(&mut self, bar: &Bar, sink: &mut impl Sink) {
        if self.features.on_bar(bar).is_some() {
            if self.observes {
                self.strategy.observe(&self.features.observation());
            }
            sink.output(&Output::Features(&self.features));
        }
    }

    fn on_question(&mut self, bar: &Bar, question: &Question, account: &Account) {
        let decision = self.strategy.on_bar(bar, question.number, account);
        self.records.extend(self.strategy.take_record());
        self.answers.push_back(Answer { question: *question, decision, is_overdue: false });
        self.unprepared = Some(question.number + 1);
    }

    fn take_answer(&mut self) -> Option<Answer> {
        if self.answers_are_events {
            return None;
        }
        let answer = self.answers.pop_front();
        // Every answer was carried out, so there is time.
        if let (None, Some(question)) = (&answer, self.unprepared) {
            self.unprepared = None;
            self.strategy.prepare(question);
        }
        answer
    }

    fn take_record(&mut self, question: u64) -> Option<DecisionRecord> {
        while let Some(record) = self.records.pop_front_if(|record| record.question <= question) {
            if record.question == question {
                return Some(record);
            }
        }
        None
    }

    fn on_contract_change(&mut self, old: Price, new: Price) {
        self.features.on_contract_change(old, new);
    }

    fn on_restart(&mut self, why: Break) {
        self.features.on_restart(why);
        self.strategy.restart();
    }
}

#[cfg(test)]
mod tests;
