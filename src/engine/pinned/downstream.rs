//! Features on the stages' thread or on one of their own, and the way to the decision seat's
//! thread.

use rtrb::Consumer;

use super::queue::Outlet;
use super::ring::Full;
use super::stopwatch::Stopwatch;
use crate::engine::downstream::Downstream;
use crate::engine::feature_stage::{Break, FeatureStage};
use crate::engine::message::{Answer, Output, Question};
use crate::engine::sink::Sink;
use crate::execution::Account;
use crate::latency::Span;
use crate::market::{Bar, Price, Tick, Timeframe};
use crate::strategy::{DecisionRecord, Observation};

/// A message to the strategy's thread.
#[derive(Clone, Copy)]
#[expect(clippy::large_enum_variant, reason = "every place of the queue is made beforehand")]
pub(super) enum DecisionMessage {
    /// Features at the close of a bar.
    Observation(Observation),
    /// A question at the close of this bar, which closed at this stamp.
    Question(Bar, Question, Account, u64),
    /// The series does not continue from the last bar.
    Restart,
}

/// A message to the sequencer about questions, whose answers it may have to wait for.
#[derive(Clone, Copy)]
pub(super) enum Notice {
    /// A question was asked.
    Asked(Question),
    /// The event with this number is done, and so are its questions.
    Done(u64),
}

/// Features, and behind them the queue to the decision seat.
pub(super) struct Features {
    pub(super) stage: FeatureStage,
    pub(super) decision: Outlet<DecisionMessage>,
    /// `true` if a question waits for room. Live it does not: without room there is no decision,
    /// and orders continue.
    pub(super) waits: bool,
    /// `true` while the strategy has yet to hear of a restart, for which there was no room.
    pub(super) owes_restart: bool,
    /// `true` if the strategy wants features.
    pub(super) observes: bool,
    /// Stamp of the last close of a bar on which the strategy is asked.
    pub(super) closed: u64,
    pub(super) decides_on: Timeframe,
    pub(super) clock: quanta::Clock,
}

impl Features {
    /// Takes a bar that closed at the stamp `closed`. Returns whether it made a row.
    fn take_bar(&mut self, bar: &Bar, closed: u64) -> bool {
        if bar.timeframe == self.decides_on {
            self.closed = closed;
        }
        let is_written = self.stage.on_bar(bar).is_some();
        if is_written && self.observes {
            let message = DecisionMessage::Observation(self.stage.observation());
            if self.waits {
                self.decision.send(message);
            } else {
                // A missing row shows in the numbers of those that follow.
                self.decision.offer(message);
            }
        }
        is_written
    }
}

impl Downstream for Features {
    #[inline(always)]
    fn on_trade(&mut self, tick: &Tick) {
        self.stage.on_trade(tick);
    }

    fn on_bar(&mut self, bar: &Bar, sink: &mut impl Sink) {
        let closed = self.clock.raw();
        if self.take_bar(bar, closed) {
            sink.output(&Output::Features(&self.stage));
        }
    }

    fn on_question(&mut self, bar: &Bar, question: &Question, account: &Account) {
        let message = DecisionMessage::Question(*bar, *question, *account, self.closed);
        if self.waits {
            return self.decision.send(message);
        }
        // The strategy must know of the new series before its first question.
        self.owes_restart = self.owes_restart && !self.decision.try_send(DecisionMessage::Restart);
        if self.owes_restart {
            self.decision.dropped += 1;
        } else {
            self.decision.offer(message);
        }
    }

    fn on_contract_change(&mut self, old: Price, new: Price) {
        self.stage.on_contract_change(old, new);
    }

    fn on_restart(&mut self, why: Break) {
        self.stage.on_restart(why);
        if self.waits {
            self.decision.send(DecisionMessage::Restart);
        } else {
            self.owes_restart = !self.decision.try_send(DecisionMessage::Restart);
        }
    }
}

/// A message to the features' thread.
#[derive(Clone, Copy)]
pub(super) enum FeatureMessage {
    /// A trade that the open bar took.
    Trade(Tick),
    /// A bar that closed at this stamp.
    Bar(Bar, u64),
    /// A question.
    Question(Bar, Question, Account),
    /// The series continues in another contract: its last old price and its first new one.
    ContractChange(Price, Price),
    /// The series does not continue from the last bar.
    Restart(Break),
}

/// The queue to the features' thread.
pub(super) struct ToFeatures {
    pub(super) outlet: Outlet<FeatureMessage>,
    pub(super) clock: quanta::Clock,
}

impl Downstream for ToFeatures {
    fn on_trade(&mut self, tick: &Tick) {
        self.outlet.send(FeatureMessage::Trade(*tick));
    }

    fn on_bar(&mut self, bar: &Bar, _: &mut impl Sink) {
        let closed = self.clock.raw();
        self.outlet.send(FeatureMessage::Bar(*bar, closed));
    }

    fn on_question(&mut self, bar: &Bar, question: &Question, account: &Account) {
        self.outlet.send(FeatureMessage::Question(*bar, *question, *account));
    }

    fn on_contract_change(&mut self, old: Price, new: Price) {
        self.outlet.send(FeatureMessage::ContractChange(old, new));
    }

    fn on_restart(&mut self, why: Break) {
        self.outlet.send(FeatureMessage::Restart(why));
    }
}

impl Features {
    /// Takes a message on the features' thread.
    pub(super) fn on_message(
        &mut self,
        message: FeatureMessage,
        watch: &mut Stopwatch,
        on_features: &mut impl FnMut(&FeatureStage),
    ) {
        match message {
            FeatureMessage::Trade(tick) => self.on_trade(&tick),
            FeatureMessage::Bar(bar, closed) => {
                if self.take_bar(&bar, closed) {
                    watch.record_since(Span::BarToFeatures, closed);
                    on_features(&self.stage);
                }
            }
            FeatureMessage::Question(bar, question, account) => {
                self.on_question(&bar, &question, &account);
            }
            FeatureMessage::ContractChange(old, new) => self.on_contract_change(old, new),
            FeatureMessage::Restart(why) => self.on_restart(why),
        }
    }

    /// Returns the stage. The queue to the strategy ends.
    pub(super) fn into_stage(self) -> FeatureStage {
        self.stage
    }

    /// Returns how often the strategy's queue was full, and the number of questions that were
    /// therefore not asked.
    pub(super) fn waits(&self) -> (Full, u64) {
        (self.decision.full, self.decision.dropped)
    }
}

/// The stages behind the bars, with notices to the sequencer of what is asked.
pub(super) struct Noticed<D> {
    pub(super) downstream: D,
    /// `None` where no thread waits for an answer.
    pub(super) notices: Option<Outlet<Notice>>,
    /// Records of a strategy on a thread of its own. Each comes before its answer.
    pub(super) records: Option<Consumer<DecisionRecord>>,
}

impl<D: Downstream> Downstream for Noticed<D> {
    #[inline(always)]
    fn on_trade(&mut self, tick: &Tick) {
        self.downstream.on_trade(tick);
    }

    fn on_bar(&mut self, bar: &Bar, sink: &mut impl Sink) {
        self.downstream.on_bar(bar, sink);
    }

    fn on_question(&mut self, bar: &Bar, question: &Question, account: &Account) {
        if let Some(notices) = &mut self.notices {
            notices.send(Notice::Asked(*question));
        }
        self.downstream.on_question(bar, question, account);
    }

    fn take_answer(&mut self) -> Option<Answer> {
        self.downstream.take_answer()
    }

    fn take_record(&mut self, question: u64) -> Option<DecisionRecord> {
        let Some(records) = &mut self.records else {
            return self.downstream.take_record(question);
        };
        while records.peek().is_ok_and(|record| record.question <= question) {
            let record = records.pop().ok()?;
            if record.question == question {
                return Some(record);
            }
        }
        None
    }

    fn on_contract_change(&mut self, old: Price, new: Price) {
        self.downstream.on_contract_change(old, new);
    }

    fn on_restart(&mut self, why: Break) {
        self.downstream.on_restart(why);
    }
}
