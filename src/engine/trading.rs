//! Sessions, bars, orders and the account: every stage but features and strategy. Their order is
//! part of the contract.

use std::collections::VecDeque;

use super::books::{Books, Ports};
use super::calm::Calm;
use super::downstream::Downstream;
use super::feature_stage::Break;
use super::message::{Action, Answer, DecisionTiming, Event, Output};
use super::session_clock::{Due, Occasion, Place, SessionClock};
use super::settings::PipelineSettings;
use super::sink::Sink;
use crate::bars::{BarBuilder, TickCounts};
use crate::execution::{Desk, ExitReason, Report, SimulatedExchange, Venue};
use crate::market::{Price, Tick, Timeframe, Timestamp};

/// The effects of every event on sessions, bars, orders and the account.
///
/// A tick is processed in this order:
/// 1. occasions that are due by its time: reports from the venue, the contract's expiry, the
///    closing time, the session's end (which closes bars), decisions that take effect;
/// 2. the venue fills working orders;
/// 3. the desk looks at the position and at the day's drawdown;
/// 4. bars that the tick ends are closed, finer before coarser, and go to the stages behind them,
///    which may be asked for a decision.
///
/// So an order can fill on later ticks only.
#[derive(Clone, Debug)]
pub struct TradingStage<V = SimulatedExchange> {
    clock: SessionClock,
    bars: BarBuilder,
    books: Books<V>,
    calm: Calm,
    last_time: Timestamp,
    /// The last timer. Later events happen no earlier.
    timer: Timestamp,
    contract: u16,
    /// Counts of ticks that no bar took until the end of the warm-up.
    warm_up_counts: TickCounts,
    /// The time at which an answer takes effect.
    decisions: DecisionTiming,
    /// Answers whose time has not come, ordered by it.
    pending: VecDeque<Answer>,
    prices_are_joined: bool,
    has_ended: bool,
}

impl<V: Venue> TradingStage<V> {
    /// Creates the stage, which has seen nothing. The strategy is asked on bars of `decides_on`.
    ///
    /// # Panics
    /// If no timeframe is asked for, or `decides_on` is not among them.
    pub fn new(
        settings: PipelineSettings,
        decides_on: Timeframe,
        desk: Desk,
        venue: V,
    ) -> TradingStage<V> {
        assert!(settings.timeframes.contains(&decides_on));
        let finest = *settings.timeframes.iter().min().expect("at least one timeframe");
        let bars =
            BarBuilder::new(&settings.timeframes, settings.calendar, settings.fill_gaps_up_to)
                .with_history_bars_of(settings.history_bar);
        TradingStage {
            clock: SessionClock::new(&settings),
            bars,
            books: Books::new(desk, venue, finest, decides_on, settings.trades_from),
            calm: Calm::NEVER,
            last_time: Timestamp::MIN,
            timer: Timestamp::MIN,
            contract: 0,
            warm_up_counts: TickCounts::default(),
            decisions: settings.decisions,
            pending: VecDeque::with_capacity(settings.most_open_questions(decides_on)),
            prices_are_joined: settings.prices_are_joined,
            has_ended: false,
        }
    }

    /// Returns the desk, with the account.
    pub fn desk(&self) -> &Desk {
        &self.books.desk
    }

    /// Returns the time at which an answer takes effect.
    pub fn decision_timing(&self) -> DecisionTiming {
        self.decisions
    }

    /// Returns the timeframe of the bars on which the strategy is asked.
    pub fn decides_on(&self) -> Timeframe {
        self.books.decides_on()
    }

    /// Returns the number of questions asked so far.
    pub fn questions(&self) -> u64 {
        self.books.questions()
    }

    /// Returns the venue.
    #[cfg(test)]
    pub(super) fn venue(&self) -> &V {
        &self.books.venue
    }

    /// Makes the next tick eventful in any case.
    #[cfg(test)]
    pub(super) fn forget_calm(&mut self) {
        self.calm = Calm::NEVER;
    }

    /// Returns the counts of ticks that no bar took, those of the warm-up apart.
    pub fn tick_counts(&self) -> TickCounts {
        let (all, before) = (self.bars.counts(), self.warm_up_counts);
        TickCounts {
            late: all.late - before.late,
            outside_session: all.outside_session - before.outside_session,
            in_halt: all.in_halt - before.in_halt,
            of_other_contract: all.of_other_contract - before.of_other_contract,
        }
    }

    /// Returns the number of times that an order met impossible quotes.
    pub fn impossible_quotes(&self) -> u64 {
        self.books.venue.impossible_quotes()
    }

    /// Returns whether the venue closes positions that no tick closes.
    pub fn invents_fills(&self) -> bool {
        self.books.venue.invents_fills()
    }

    /// Returns the end of the warm-up. Bars that end by then belong to it.
    pub fn trades_from(&self) -> Timestamp {
        self.books.trades_from()
    }

    /// Returns the length of the sessions with ticks, in nanoseconds, and their number, without
    /// those of the warm-up.
    pub fn sessions(&self) -> (i64, u64) {
        self.clock.sessions()
    }

    /// Returns the number of holes of whole sessions between two ticks, those before a session of
    /// the warm-up apart.
    pub fn holes(&self) -> u64 {
        self.clock.holes()
    }

    /// Begins a warm-up that lasts until [`TradingStage::end_warm_up`]: decisions are ignored, and
    /// no equity is recorded.
    pub fn begin_warm_up(&mut self) {
        self.set_trades_from(Timestamp::MAX);
    }

    /// Ends the warm-up at the last event; returns its time. From here on everything is as if that
    /// time had been known beforehand, as [`PipelineSettings::trades_from`].
    pub fn end_warm_up(&mut self) -> Timestamp {
        let now = self.now();
        self.set_trades_from(now);
        now
    }

    fn set_trades_from(&mut self, time: Timestamp) {
        self.books.set_trades_from(time);
        self.clock.set_trades_from(time);
    }

    /// Takes an event. The same events in the same order have the same effects, bit for bit.
    #[inline]
    pub fn on_event(
        &mut self,
        event: &Event,
        downstream: &mut impl Downstream,
        sink: &mut impl Sink,
    ) {
        if let Event::Tick(tick) = event {
            return self.on_tick(tick, downstream, sink);
        }
        let to = &mut Ports { downstream, sink };
        match event {
            Event::Answer(answer) => self.on_answer(answer, to),
            Event::Report(report) => self.on_report(report, to.sink),
            Event::Timer(now) => self.on_timer(*now, to),
            Event::Gap(gap) => self.bars.on_gap(gap),
            Event::Entries(entries) => {
                let now = self.now();
                self.books.on_entries(entries.refused, now, to.sink);
                self.calm = self.calm();
            }
            // No stage reads quotes other than those of a trade.
            Event::Tick(_) | Event::Quote(_) => {}
            Event::End(reason) => self.finish(*reason, to),
        }
        self.take_answers(to);
    }

    /// Takes a tick, as [`TradingStage::on_event`] does.
    #[inline(always)]
    pub fn on_tick(&mut self, tick: &Tick, downstream: &mut impl Downstream, sink: &mut impl Sink) {
        if self.calm.holds(tick) {
            self.calm.from = tick.time;
            self.books.desk.on_calm_price(tick.price);
            self.bars.on_calm_tick(tick);
            downstream.on_trade(tick);
        } else {
            self.on_eventful_tick(tick, downstream, sink);
        }
    }

    #[cold]
    #[inline(never)]
    fn on_eventful_tick(
        &mut self,
        tick: &Tick,
        downstream: &mut impl Downstream,
        sink: &mut impl Sink,
    ) {
        let to = &mut Ports { downstream, sink };
        self.last_time = self.last_tick_time();
        let now = tick.time.max(self.timer);
        if self.is_for_the_stages(tick, now, to) {
            self.last_time = tick.time;
            // The timer's consequences stay before it.
            let mut heard = *tick;
            heard.time = now;
            self.books.on_tick(&heard, to.sink);
            let TradingStage { bars, books, .. } = self;
            if bars.on_tick(tick, &mut |bar| books.on_bar(bar, now, to)) {
                to.downstream.on_trade(tick);
            }
            self.books.ask(to.downstream);
        }
        self.calm = self.calm();
        self.take_answers(to);
    }

    /// Takes the answers that are there already, of a strategy that is called, not written to.
    fn take_answers(&mut self, to: &mut Ports<'_, impl Downstream, impl Sink>) {
        while let Some(answer) = to.downstream.take_answer() {
            self.on_answer(&answer, to);
        }
    }

    /// Takes an answer of the strategy. It takes effect at its time, which must not have passed
    /// unless answers count from their arrival.
    fn on_answer(&mut self, answer: &Answer, to: &mut Ports<'_, impl Downstream, impl Sink>) {
        if self.has_ended {
            return;
        }
        to.sink.output(&Output::Answer(*answer));
        // Decisions made during the warm-up are ignored.
        if let Some(record) = to.downstream.take_record(answer.question.number)
            && answer.question.asked > self.books.trades_from()
        {
            to.sink.output(&Output::Action(Action::Considered(record)));
        }
        let now = self.now();
        let due = self.decisions.due(answer.question.asked).unwrap_or(now);
        if due > now {
            self.pending.push_back(*answer);
        } else {
            self.books.on_decision(answer, due, to.sink);
        }
        self.calm = self.calm();
    }

    /// Takes a broker's report.
    fn on_report(&mut self, report: &Report, sink: &mut impl Sink) {
        self.books.on_report(report, self.now().max(report.arrives), sink);
        self.calm = self.calm();
    }

    /// Processes what is due by `now`, without a tick. A tick from before `now` that comes later
    /// still builds its bar, unless that has closed; its consequences happen at `now`.
    fn on_timer(&mut self, now: Timestamp, to: &mut Ports<'_, impl Downstream, impl Sink>) {
        if now > self.now() {
            self.timer = now;
            self.run_until(now, to);
            self.calm = self.calm();
        }
    }

    /// Returns the market time of the last tick, or of the session's end after it.
    fn last_tick_time(&self) -> Timestamp {
        self.last_time.max(self.bars.calm().0)
    }

    /// Returns market time: that of the last tick or of the last timer.
    fn now(&self) -> Timestamp {
        self.last_tick_time().max(self.timer)
    }

    fn calm(&self) -> Calm {
        if !self.clock.is_open() {
            return Calm::NEVER;
        }
        let (from, bar_boundary) = self.bars.calm();
        let (next_arrival, quiet_from, quiet_to) = self.books.venue.calm();
        let (watch_from, watch_to) = self.books.desk.calm();
        let due = self.next_due().at;
        Calm {
            from: from.max(self.timer),
            // A tick in the halt is not calm.
            until: bar_boundary.min(next_arrival).min(due).min(self.clock.next_halt(from)),
            low: quiet_from.max(watch_from),
            high: quiet_to.min(watch_to),
            contract: self.contract,
        }
    }

    /// Ends the run after the last tick: closes the position at the last price, and the open bars.
    fn finish(&mut self, reason: ExitReason, to: &mut Ports<'_, impl Downstream, impl Sink>) {
        let now = self.now();
        self.last_time = now;
        self.clock.close(now);
        self.books.close_out(reason, self.last_time, now, true, to.sink);
        self.books.on_session_end(now, to.sink);
        self.books.record_last_equity(now, to.sink);
        let TradingStage { bars, books, .. } = self;
        bars.finish(&mut |bar| books.on_bar(bar, now, to));
        self.books.ask(to.downstream);
        self.calm = Calm::NEVER;
        self.has_ended = true;
    }

    /// Processes what is due by `now`, the time of `tick` or of a later timer. Returns whether the
    /// stages should see the tick.
    fn is_for_the_stages(
        &mut self,
        tick: &Tick,
        now: Timestamp,
        to: &mut Ports<'_, impl Downstream, impl Sink>,
    ) -> bool {
        if tick.time < self.last_time {
            // A late tick fills no order, and closes no bar.
            if self.bars.on_late_tick(tick) {
                to.downstream.on_trade(tick);
            }
            return false;
        }
        let is_halted = self.clock.is_halted(tick.time);
        self.run_until(now, to);
        if is_halted {
            // Nothing trades now: it builds no bar and fills no order.
            self.bars.on_halted_tick();
            return false;
        }
        if tick.contract != self.contract && !self.books.may_close_out() {
            // The position keeps its contract until it is closed, or the contract expires.
            self.bars.on_other_contract();
            return false;
        }
        if self.clock.is_open() {
            if tick.contract == self.contract {
                return true;
            }
            self.change_contract(tick, now, to);
        } else {
            match self.clock.find(tick.time) {
                Place::Outside => {
                    self.bars.on_tick(tick, &mut |_| {});
                    return false;
                }
                Place::Halt => {
                    self.bars.on_halted_tick();
                    return false;
                }
                Place::Session => self.open_session(tick, now, to),
            }
        }
        // The data may begin after the closing time, or after the contract's expiry.
        self.run_until(now, to);
        if !self.clock.is_open() {
            // The session of the tick was over at the timer's time.
            self.bars.on_late_tick(tick);
        }
        self.clock.is_open()
    }

    /// Processes everything that is due up to and including `now` without a tick, in order of time.
    fn run_until(&mut self, now: Timestamp, to: &mut Ports<'_, impl Downstream, impl Sink>) {
        loop {
            let due = self.next_due();
            if due.at > now || due.at == Timestamp::MAX {
                return;
            }
            self.clock.pass(due);
            match due.what {
                Occasion::Report => {
                    // The consequences of a report come no earlier than the last tick, which is
                    // over.
                    let heard = due.at.max(self.last_tick_time());
                    self.books.take_reports(due.at, heard, to.sink);
                }
                Occasion::Expiry => {
                    self.books.close_out(
                        ExitReason::Expiry,
                        self.last_time,
                        due.at,
                        false,
                        to.sink,
                    );
                    self.books.desk.on_expiry();
                }
                Occasion::ClosingTime => self.books.on_closing_time(due.at, to.sink),
                Occasion::Silence => self.books.desk.on_silence(due.at),
                Occasion::SessionEnd => self.close_session(due.at, to),
                Occasion::Decision => {
                    let answer = self.pending.pop_front().expect("one is due");
                    self.books.on_decision(&answer, due.at, to.sink);
                }
            }
        }
    }

    /// Returns what falls due next: by the clock, at the venue, at the desk or of an answer.
    fn next_due(&self) -> Due {
        let answer = self.pending.front();
        let decision = answer.and_then(|answer| self.decisions.due(answer.question.asked));
        let decision = Due { at: decision.unwrap_or(Timestamp::MAX), what: Occasion::Decision };
        let report = Due { at: self.books.venue.next_report(), what: Occasion::Report };
        let silence = Due { at: self.books.desk.next_deadline(), what: Occasion::Silence };
        self.clock.next().min(report).min(silence).min(decision)
    }

    /// Opens the session of `tick`, the session's first.
    fn open_session(
        &mut self,
        tick: &Tick,
        now: Timestamp,
        to: &mut Ports<'_, impl Downstream, impl Sink>,
    ) {
        let opened = self.clock.open(tick.time);
        if opened.follows_hole {
            if self.books.may_close_out() {
                // What happened in between is unknown, so nothing is held over it.
                let (reason, last) = (ExitReason::MissingData, self.last_time);
                self.books.close_out(reason, last, last, true, to.sink);
            }
            to.downstream.on_restart(Break::MissingSessions);
            to.sink.output(&Output::Restart);
        }
        if opened.ends_warm_up || self.books.trades_from() == Timestamp::MAX {
            self.warm_up_counts = self.bars.counts();
        }
        if opened.is_first || tick.contract != self.contract {
            self.change_contract(tick, now, to);
        }
        self.books.desk.on_session_open();
        self.clock.on_contract(tick.contract);
    }

    /// Moves on to the contract of `tick`. An open position in the old contract is closed at its
    /// last price; a venue that invents no fill has none.
    fn change_contract(
        &mut self,
        tick: &Tick,
        now: Timestamp,
        to: &mut Ports<'_, impl Downstream, impl Sink>,
    ) {
        // What is open belongs to the old contract, and closes at its prices.
        let TradingStage { bars, books, .. } = self;
        bars.on_contract_change(tick.time, &mut |bar| books.on_bar(bar, now, to));
        self.books.begin_stretch(to.downstream);
        let last = self.books.desk.last_price();
        if last != Price::ZERO {
            if !self.prices_are_joined {
                to.downstream.on_contract_change(last, tick.price);
            }
            self.books.close_out(ExitReason::ContractRoll, self.last_time, now, true, to.sink);
            to.downstream.on_restart(Break::Contract);
            to.sink.output(&Output::Restart);
        }
        self.contract = tick.contract;
        self.books.desk.on_contract(tick.contract);
        self.clock.on_contract(tick.contract);
    }

    /// Ends the session that the clock has closed.
    fn close_session(&mut self, now: Timestamp, to: &mut Ports<'_, impl Downstream, impl Sink>) {
        // A run that ends with a tick after the close ends no earlier than the close.
        self.last_time = self.last_time.max(now);
        self.books.venue.on_session_end(now);
        self.books.on_session_end(now, to.sink);
        let TradingStage { bars, books, .. } = self;
        bars.on_session_end(now, &mut |bar| books.on_bar(bar, now, to));
        self.books.record_equity(now, to.sink);
        self.books.begin_stretch(to.downstream);
    }
}

#[cfg(test)]
pub(super) mod tests;
