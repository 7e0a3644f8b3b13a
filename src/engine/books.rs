//! Orders, the account, and the questions to the decision seat.

use super::downstream::Downstream;
use super::message::{Action, Answer, Output, Question};
use super::sink::Sink;
use crate::execution::{
    Account, ClosedOut, Desk, ExitReason, OrderMessage, OrderPort, Refusal, Report, ReportKind,
    Venue,
};
use crate::market::{Bar, BarFlags, Tick, TickFlags, Timeframe, Timestamp};

/// The ways out of the trading stage: to the stages behind the bars, and to the sink.
pub(super) struct Ports<'a, D, K> {
    pub(super) downstream: &'a mut D,
    pub(super) sink: &'a mut K,
}

/// Orders, the account, and the questions to the decision seat.
#[derive(Clone, Debug)]
pub(super) struct Books<V> {
    pub(super) desk: Desk,
    pub(super) venue: V,
    finest: Timeframe,
    decides_on: Timeframe,
    trades_from: Timestamp,
    last_equity: Timestamp,
    questions: u64,
    /// Number of the session and contract. An answer to a question of an earlier one is late.
    epoch: u32,
    /// The question to ask once every bar of its instant is closed.
    unasked: Option<(Bar, Question, Account)>,
    /// `true` if the last tick came from history, after a gap.
    is_backfilled: bool,
}

impl<V: Venue> Books<V> {
    pub(super) fn new(
        desk: Desk,
        venue: V,
        finest: Timeframe,
        decides_on: Timeframe,
        trades_from: Timestamp,
    ) -> Books<V> {
        Books {
            desk,
            venue,
            finest,
            decides_on,
            trades_from,
            last_equity: Timestamp::MIN,
            questions: 0,
            epoch: 0,
            unasked: None,
            is_backfilled: false,
        }
    }

    /// Returns the end of the warm-up. Bars that end by then belong to it.
    pub(super) fn trades_from(&self) -> Timestamp {
        self.trades_from
    }

    /// Ends the warm-up at `time` instead.
    pub(super) fn set_trades_from(&mut self, time: Timestamp) {
        self.trades_from = time;
    }

    /// Returns the timeframe of the bars on which the strategy is asked.
    pub(super) fn decides_on(&self) -> Timeframe {
        self.decides_on
    }

    /// Returns the number of questions asked so far.
    pub(super) fn questions(&self) -> u64 {
        self.questions
    }

    /// Lets the venue fill working orders, and then lets the desk look at the position.
    pub(super) fn on_tick(&mut self, tick: &Tick, sink: &mut impl Sink) {
        self.venue.on_tick(tick);
        self.is_backfilled = tick.flags.any(TickFlags::BACKFILLED);
        if self.is_backfilled {
            // It moves extremes; the first tick of now decides whether the day's limit is reached.
            return self.desk.on_calm_price(tick.price);
        }
        let (desk, mut port) = self.desk_and_port(sink);
        if !tick.flags.any(TickFlags::OF_BAR) {
            desk.on_tick(tick, &mut port);
            return;
        }
        let marks = port.venue.marks();
        if let Some(level) = desk.on_bar_tick(tick, marks, &mut port) {
            port.venue.on_day_locked(level);
        }
    }

    /// Takes a closed bar. Other bars may close at the same instant.
    pub(super) fn on_bar(
        &mut self,
        bar: &Bar,
        now: Timestamp,
        to: &mut Ports<'_, impl Downstream, impl Sink>,
    ) {
        let is_decided_on = bar.timeframe == self.decides_on;
        if is_decided_on {
            self.ask(to.downstream);
        }
        to.sink.output(&Output::Bar(*bar));
        to.downstream.on_bar(bar, to.sink);
        if bar.timeframe == self.finest {
            self.record_equity(now, to.sink);
        }
        if is_decided_on {
            self.desk.on_bar();
            self.questions += 1;
            let question = Question {
                number: self.questions,
                asked: now,
                epoch: self.epoch,
                refused: self.entry_refusal(bar),
            };
            self.unasked = Some((*bar, question, self.desk.account()));
        }
    }

    /// Returns why nothing may be entered for what is decided at the close of `bar`.
    fn entry_refusal(&self, bar: &Bar) -> Option<Refusal> {
        if bar.flags.any(BarFlags::GAP) {
            Some(Refusal::IncompleteBar)
        } else if self.is_backfilled {
            Some(Refusal::Backfilled)
        } else {
            self.desk.entries_refused()
        }
    }

    /// Refuses entries from now on for that reason, which cancels one that works, or allows them
    /// again.
    pub(super) fn on_entries(
        &mut self,
        refused: Option<Refusal>,
        now: Timestamp,
        sink: &mut impl Sink,
    ) {
        let (desk, mut port) = self.desk_and_port(sink);
        desk.on_entries(refused, now, &mut port);
    }

    /// Asks the open question, if there is one.
    pub(super) fn ask(&mut self, downstream: &mut impl Downstream) {
        if let Some((bar, question, account)) = self.unasked.take() {
            downstream.on_question(&bar, &question, &account);
        }
    }

    /// Begins an epoch: answers to earlier questions are late from now on.
    pub(super) fn begin_stretch(&mut self, downstream: &mut impl Downstream) {
        self.ask(downstream);
        self.epoch += 1;
    }

    /// Carries out an answer of the strategy.
    pub(super) fn on_decision(&mut self, answer: &Answer, now: Timestamp, sink: &mut impl Sink) {
        // The question was asked all the same: a rule learns from the bars that it is asked on.
        if answer.question.asked <= self.trades_from {
            return;
        }
        let in_time = answer.question.epoch == self.epoch;
        sink.output(&Output::Action(Action::Decision { answer: *answer, in_time }));
        let (desk, mut port) = self.desk_and_port(sink);
        match &answer.decision {
            None if answer.is_overdue => desk.on_overdue_decision(now, &mut port),
            None => {}
            Some(_) if !in_time => desk.on_late_decision(now, &mut port),
            Some(decision) => match answer.question.refused {
                Some(refusal) => desk.on_barred_decision(decision, refusal, now, &mut port),
                None => desk.on_decision(decision, now, &mut port),
            },
        }
    }

    /// Takes a report on our orders at time `now`.
    pub(super) fn on_report(&mut self, report: &Report, now: Timestamp, sink: &mut impl Sink) {
        sink.output(&Output::Action(Action::Report(*report)));
        let (desk, mut port) = self.desk_and_port(sink);
        if let Some(trade) = desk.on_report(report, now, &mut port) {
            sink.output(&Output::Action(Action::Trade(trade)));
        }
    }

    /// Takes the venue's reports that arrive by `until`. Their consequences happen at `now`.
    pub(super) fn take_reports(&mut self, until: Timestamp, now: Timestamp, sink: &mut impl Sink) {
        while let Some(report) = self.venue.take_report(until) {
            self.on_report(&report, now, sink);
        }
    }

    /// Closes the position before the session's end.
    pub(super) fn on_closing_time(&mut self, now: Timestamp, sink: &mut impl Sink) {
        let (desk, mut port) = self.desk_and_port(sink);
        desk.on_closing_time(now, &mut port);
    }

    /// Ends the session of the desk.
    pub(super) fn on_session_end(&mut self, now: Timestamp, sink: &mut impl Sink) {
        let (desk, mut port) = self.desk_and_port(sink);
        desk.on_session_end(now, &mut port);
    }

    /// Returns whether what is open may be ended without a tick: there is nothing, or the venue
    /// invents the fill.
    pub(super) fn may_close_out(&self) -> bool {
        self.desk.is_flat() || self.venue.invents_fills()
    }

    /// Ends everything that is open where no later tick can, at the last price, which was traded at
    /// `last_time`. `slip` says whether slippage is paid.
    pub(super) fn close_out(
        &mut self,
        reason: ExitReason,
        last_time: Timestamp,
        now: Timestamp,
        slip: bool,
        sink: &mut impl Sink,
    ) {
        let (desk, mut port) = self.desk_and_port(sink);
        desk.on_last_tick(now, &mut port);
        // The venue's fills are facts even before we have heard of them.
        self.take_reports(Timestamp::MAX, now, sink);
        let (desk, mut port) = self.desk_and_port(sink);
        let close = desk.new_close(reason);
        let last = Tick::new(last_time, desk.last_price(), 1).with_contract(close.contract);
        match port.venue.close_out(&close, &last, now, slip) {
            ClosedOut::AtOnce(fill) => {
                if let Some(fill) = fill {
                    desk.on_closed_out(&close, now);
                    let kind = ReportKind::Filled(fill);
                    self.on_report(&Report { arrives: now, kind }, now, sink);
                }
                self.desk.on_orders_dropped();
            }
            ClosedOut::ByOrder => desk.close(reason, now, &mut port),
        }
    }

    /// Records one point of equity for an instant, even if several bars close at it.
    pub(super) fn record_equity(&mut self, now: Timestamp, sink: &mut impl Sink) {
        if self.last_equity == now || now <= self.trades_from {
            return;
        }
        self.last_equity = now;
        sink.output(&Output::Equity(self.desk.equity_point(now)));
    }

    /// Records the final account, even if this instant already has a point.
    pub(super) fn record_last_equity(&mut self, now: Timestamp, sink: &mut impl Sink) {
        self.last_equity = Timestamp::MIN;
        self.record_equity(now, sink);
    }

    /// Returns the desk and its way to the venue.
    fn desk_and_port<'a, K>(
        &'a mut self,
        sink: &'a mut K,
    ) -> (&'a mut Desk, NotifyingPort<'a, V, K>) {
        let Books { desk, venue, .. } = self;
        (desk, NotifyingPort { venue, sink })
    }
}

/// The way to the venue, which tells a sink of every message before the venue gets it.
struct NotifyingPort<'a, V, K> {
    venue: &'a mut V,
    sink: &'a mut K,
}

impl<V: Venue, K: Sink> OrderPort for NotifyingPort<'_, V, K> {
    fn send(&mut self, message: OrderMessage, now: Timestamp) {
        self.sink.output(&Output::Action(Action::Order { message, time: now }));
        self.venue.send(message, now);
    }

    fn refuse(&mut self, refusal: Refusal, now: Timestamp) {
        self.sink.output(&Output::Action(Action::Refused { refusal, time: now }));
    }
}
