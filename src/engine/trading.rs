//! Sessions, bars, orders and the account: every stage but features and decision, in the order that
//! is part of the contract.

use std::collections::VecDeque;

use super::downstream::Downstream;
use super::feature_stage::Break;
use super::message::{Action, Answer, DecisionTiming, Event, Output, Question};
use super::sink::Sink;
use crate::bars::{BarBuilder, TickCounts};
use crate::execution::{
    Account, ClosedOut, Desk, ExitReason, OrderMessage, OrderPort, Refusal, Report, ReportKind,
    SimulatedExchange, Venue,
};
use crate::market::{Bar, Calendar, Price, Session, Tick, TickFlags, Timeframe, Timestamp};

/// How the stages are put together.
#[derive(Clone, Debug)]
pub struct PipelineSettings {
    /// When the instrument trades.
    pub calendar: Calendar,
    /// Bars to build; the strategy's timeframe is among them.
    pub timeframes: Vec<Timeframe>,
    /// Longest stretch without trades that is filled with flat bars, in nanoseconds.
    pub fill_gaps_up_to: i64,
    /// Nanoseconds in a bar of the history that the ticks are made from; 0 for trades.
    pub history_bar: i64,
    /// Positions are closed so many nanoseconds before the session's end; `None` holds them over
    /// it.
    pub flatten_before_close: Option<i64>,
    /// When each contract of the series stops trading, by [`Tick::contract`]; `Timestamp::MAX`
    /// where that is not known.
    pub expiries: Vec<Timestamp>,
    /// Whether the contracts' prices were joined, so that a new contract goes on where the old one
    /// ended.
    pub prices_are_joined: bool,
    /// When an answer of the decision seat takes effect.
    pub decisions: DecisionTiming,
    /// What comes before is warm-up: bars and features are made of it, but no decision is heard and
    /// no equity recorded.
    /// `Timestamp::MIN` where there is none.
    pub trades_from: Timestamp,
}

impl PipelineSettings {
    /// Questions that can be open at one instant: one tick can close every bar of a gap, and each
    /// answer waits for its time.
    pub(super) fn most_open_questions(&self, decides_on: Timeframe) -> usize {
        let bar = i64::from(decides_on.minutes()) * Timestamp::MINUTE;
        let latency = match self.decisions {
            DecisionTiming::After(latency) => latency,
            DecisionTiming::OnArrival => 0,
        };
        2 * (self.fill_gaps_up_to.max(latency) / bar.max(Timestamp::MINUTE)) as usize + 16
    }
}

/// What every event does to sessions, bars, orders and the account.
///
/// What happens when a tick comes, in this order:
/// 1. what is due by its time: reports from the exchange, the contract's expiry, the closing time,
///    the session's end (which closes bars), decisions that take effect;
/// 2. the exchange fills working orders;
/// 3. the desk looks at the position and the day's drawdown;
/// 4. bars that the tick ends are closed, finer before coarser, and go to what stands behind them,
///    which may be asked for a decision.
///
/// So an order can fill on later ticks only.
#[derive(Clone, Debug)]
pub struct TradingStage<V = SimulatedExchange> {
    settings: PipelineSettings,
    bars: BarBuilder,
    books: Books<V>,
    last_time: Timestamp,
    /// The last timer: what comes after it happens no earlier.
    timer: Timestamp,
    calm: Calm,
    contract: u16,
    session: Option<Session>,
    /// The session that opens next, or the last one that was looked up.
    next_session: Session,
    /// From where the open session counts.
    open_from: Timestamp,
    /// The close of the last session that had ticks.
    last_close: Timestamp,
    holes: u64,
    closing_time: Timestamp,
    expiry: Timestamp,
    open_nanos: i64,
    sessions: u64,
    /// Those of them that are warm-up, and what no bar took until their end.
    warm_up_sessions: u64,
    warm_up_counts: TickCounts,
    /// Answers whose time has not come, in order of it.
    pending: VecDeque<Answer>,
    has_ended: bool,
}

/// Which ticks change nothing but the open bar and the extremes of the open position: plain trades
/// with `from <= time < until` and `low <= price <= high`. Most ticks are such, and cost two
/// nanoseconds instead of twenty.
#[derive(Clone, Copy, Debug)]
struct Calm {
    from: Timestamp,
    until: Timestamp,
    low: Price,
    high: Price,
    contract: u16,
}

impl Calm {
    /// No tick.
    const NEVER: Calm = Calm {
        from: Timestamp::MAX,
        until: Timestamp::MIN,
        low: Price::MAX,
        high: Price::MIN,
        contract: 0,
    };

    #[inline(always)]
    fn holds(&self, tick: &Tick) -> bool {
        // Without short cuts: one branch, which is nearly always taken.
        (tick.time >= self.from)
            & (tick.time < self.until)
            & (tick.price >= self.low)
            & (tick.price <= self.high)
            & (tick.contract == self.contract)
            & (tick.flags == TickFlags::NONE)
    }
}

impl<V: Venue> TradingStage<V> {
    /// The stage, having seen nothing. The decision seat is asked on bars of `decides_on`.
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
        let pending = VecDeque::with_capacity(settings.most_open_questions(decides_on));
        let trades_from = settings.trades_from;
        TradingStage {
            settings,
            bars,
            books: Books {
                desk,
                venue,
                finest,
                decides_on,
                trades_from,
                last_equity: Timestamp::MIN,
                questions: 0,
                stretch: 0,
                unasked: None,
            },
            calm: Calm::NEVER,
            last_time: Timestamp::MIN,
            timer: Timestamp::MIN,
            contract: 0,
            session: None,
            next_session: Session::NEVER,
            open_from: Timestamp::MIN,
            last_close: Timestamp::MIN,
            holes: 0,
            closing_time: Timestamp::MAX,
            expiry: Timestamp::MAX,
            open_nanos: 0,
            sessions: 0,
            warm_up_sessions: 0,
            warm_up_counts: TickCounts::default(),
            pending,
            has_ended: false,
        }
    }

    /// The desk, with the account.
    pub fn desk(&self) -> &Desk {
        &self.books.desk
    }

    /// When an answer takes effect.
    pub fn decision_timing(&self) -> DecisionTiming {
        self.settings.decisions
    }

    /// Timeframe of the bars on which the decision seat is asked.
    pub fn decides_on(&self) -> Timeframe {
        self.books.decides_on
    }

    /// Questions asked so far.
    pub fn questions(&self) -> u64 {
        self.books.questions
    }

    /// The venue.
    #[cfg(test)]
    pub(super) fn venue(&self) -> &V {
        &self.books.venue
    }

    /// Makes the next tick eventful, whatever it is.
    #[cfg(test)]
    pub(super) fn forget_calm(&mut self) {
        self.calm = Calm::NEVER;
    }

    /// Ticks that no bar took, those of the warm-up apart.
    pub fn tick_counts(&self) -> TickCounts {
        let (all, before) = (self.bars.counts(), self.warm_up_counts);
        TickCounts {
            late: all.late - before.late,
            outside_session: all.outside_session - before.outside_session,
            in_halt: all.in_halt - before.in_halt,
        }
    }

    /// How often an order met quotes that cannot be.
    pub fn impossible_quotes(&self) -> u64 {
        self.books.venue.impossible_quotes()
    }

    /// Bars that end by then are of the warm-up.
    pub fn trades_from(&self) -> Timestamp {
        self.settings.trades_from
    }

    /// Nanoseconds of the sessions that had ticks, and how many had, those of the warm-up apart.
    pub fn sessions(&self) -> (i64, u64) {
        (self.open_nanos, self.sessions - self.warm_up_sessions)
    }

    /// How often whole sessions were missing between two ticks, before a session that is no
    /// warm-up.
    pub fn holes(&self) -> u64 {
        self.holes
    }

    /// Takes an event. The same events in the same order have the same effects, bit for bit.
    #[inline]
    pub fn on_event(
        &mut self,
        event: &Event,
        downstream: &mut impl Downstream,
        sink: &mut impl Sink,
    ) {
        match event {
            Event::Tick(tick) => return self.on_tick(tick, downstream, sink),
            Event::Answer(answer) => self.on_answer(answer, downstream, sink),
            Event::Report(report) => self.on_report(report, sink),
            Event::Timer(now) => self.on_timer(*now, downstream, sink),
            // No stage reads quotes apart from those that come with a trade.
            Event::Quote(_) => {}
            Event::End(reason) => self.finish(*reason, downstream, sink),
        }
        self.take_answers(downstream, sink);
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
        self.last_time = self.last_tick_time();
        let now = tick.time.max(self.timer);
        if self.is_for_the_stages(tick, now, downstream, sink) {
            self.last_time = tick.time;
            // What the timer made happen stays before it.
            let mut heard = *tick;
            heard.time = now;
            self.books.venue.on_tick(&heard);
            let Books { desk, venue, .. } = &mut self.books;
            let mut port = Told { venue, sink };
            if tick.flags.any(TickFlags::OF_BAR) {
                let marks = port.venue.marks();
                if let Some(level) = desk.on_bar_tick(&heard, marks, &mut port) {
                    port.venue.on_day_locked(level);
                }
            } else {
                desk.on_tick(&heard, &mut port);
            }
            let TradingStage { bars, books, .. } = self;
            if bars.on_tick(tick, &mut |bar| books.on_bar(bar, now, downstream, sink)) {
                downstream.on_trade(tick);
            }
            self.books.ask(downstream);
        }
        self.calm = self.calm();
        self.take_answers(downstream, sink);
    }

    /// What is answered already, because the decision seat is called and not written to.
    fn take_answers(&mut self, downstream: &mut impl Downstream, sink: &mut impl Sink) {
        while let Some(answer) = downstream.take_answer() {
            self.on_answer(&answer, downstream, sink);
        }
    }

    /// Takes what the decision seat answered. It takes effect at its time, which must not have
    /// passed unless answers count from their arrival.
    pub fn on_answer(
        &mut self,
        answer: &Answer,
        downstream: &mut impl Downstream,
        sink: &mut impl Sink,
    ) {
        if self.has_ended {
            return;
        }
        sink.output(&Output::Answer(*answer));
        // During the warm-up whatever was thought of was not to be done.
        if let Some(record) = downstream.take_record(answer.question.number)
            && answer.question.asked > self.settings.trades_from
        {
            sink.output(&Output::Action(Action::Considered(record)));
        }
        let now = self.now();
        let due = self.settings.decisions.due(answer.question.asked).unwrap_or(now);
        if due > now {
            self.pending.push_back(*answer);
        } else {
            self.books.on_decision(answer, due, sink);
        }
        self.calm = self.calm();
    }

    /// Takes news from a broker.
    pub fn on_report(&mut self, report: &Report, sink: &mut impl Sink) {
        self.books.on_report(report, sink);
        self.calm = self.calm();
    }

    /// Does what is due by `now`, without a tick. A tick from before it that comes later still
    /// builds its bar, unless that has closed; whatever it makes happen does so at `now`.
    pub fn on_timer(
        &mut self,
        now: Timestamp,
        downstream: &mut impl Downstream,
        sink: &mut impl Sink,
    ) {
        if now > self.now() {
            self.timer = now;
            self.run_until(now, downstream, sink);
            self.calm = self.calm();
        }
    }

    /// Market time of the last tick, or of the session's end after it.
    fn last_tick_time(&self) -> Timestamp {
        self.last_time.max(self.bars.calm().0)
    }

    /// Market time: the last tick's or the last timer's.
    fn now(&self) -> Timestamp {
        self.last_tick_time().max(self.timer)
    }

    fn calm(&self) -> Calm {
        if self.session.is_none() {
            return Calm::NEVER;
        }
        let (from, bar_boundary) = self.bars.calm();
        // A tick in the halt is no calm one.
        let halt = self.session.and_then(|session| session.halt).filter(|halt| from < halt.1);
        let halt = halt.map_or(Timestamp::MAX, |(start, _)| start);
        let (next_arrival, quiet_from, quiet_to) = self.books.venue.calm();
        let (watch_from, watch_to) = self.books.desk.calm();
        Calm {
            from: from.max(self.timer),
            until: bar_boundary.min(next_arrival).min(self.next_due()).min(halt),
            low: quiet_from.max(watch_from),
            high: quiet_to.min(watch_to),
            contract: self.contract,
        }
    }

    /// Ends the run after the last tick: closes the position at the last price, and the open bars.
    fn finish(
        &mut self,
        reason: ExitReason,
        downstream: &mut impl Downstream,
        sink: &mut impl Sink,
    ) {
        let now = self.now();
        self.last_time = now;
        if let Some(session) = self.session.take() {
            self.count_open_until(now.min(session.close));
        }
        self.close_out(reason, now, true, sink);
        self.books.desk.on_session_end();
        // Whatever stood in the account at this instant before, this is how it ends.
        self.books.last_equity = Timestamp::MIN;
        self.books.record_equity(now, sink);
        let TradingStage { bars, books, .. } = self;
        bars.finish(&mut |bar| books.on_bar(bar, now, downstream, sink));
        self.books.ask(downstream);
        self.calm = Calm::NEVER;
        self.has_ended = true;
    }

    /// Does what is due by `now`, which is the time of `tick` or of a later timer. Returns whether
    /// the stages should see the tick.
    fn is_for_the_stages(
        &mut self,
        tick: &Tick,
        now: Timestamp,
        downstream: &mut impl Downstream,
        sink: &mut impl Sink,
    ) -> bool {
        let halts = |session: &Session| {
            session.halt.is_some_and(|(start, end)| start <= tick.time && tick.time < end)
        };
        if self.session.as_ref().is_some_and(halts) && tick.time >= self.last_time {
            // Nothing trades now: whatever this is, it builds no bar and fills no order.
            self.run_until(now, downstream, sink);
            self.bars.on_halted_tick();
            return false;
        }
        if tick.time < self.last_time {
            // A late tick fills no order, and closes no bar.
            if self.bars.on_late_tick(tick) {
                downstream.on_trade(tick);
            }
            return false;
        }
        self.run_until(now, downstream, sink);
        if self.session.is_none() {
            if tick.time >= self.next_session.close {
                self.next_session = self.settings.calendar.session_at_or_after(tick.time);
            }
            if tick.time < self.next_session.open {
                self.bars.on_tick(tick, &mut |_| {});
                return false;
            }
            if halts(&self.next_session) {
                self.bars.on_halted_tick();
                return false;
            }
            self.open_session(self.next_session, tick, now, downstream, sink);
        } else if tick.contract != self.contract {
            self.change_contract(tick, now, downstream, sink);
        } else {
            return true;
        }
        // The data may begin after the closing time, or after the contract's expiry.
        self.run_until(now, downstream, sink);
        if self.session.is_none() {
            // By a timer's time its session is over.
            self.bars.on_late_tick(tick);
            return false;
        }
        true
    }

    /// Everything that happens up to and including `now` without a tick, in order of time.
    fn run_until(
        &mut self,
        now: Timestamp,
        downstream: &mut impl Downstream,
        sink: &mut impl Sink,
    ) {
        loop {
            let due = self.next_due();
            if due > now || due == Timestamp::MAX {
                return;
            }
            if self.books.venue.next_report() == due {
                while let Some(report) = self.books.venue.take_report(due) {
                    self.books.on_report(&report, sink);
                }
            } else if self.expiry == due {
                self.expiry = Timestamp::MAX;
                self.close_out(ExitReason::Expiry, due, false, sink);
                self.books.desk.on_expiry();
            } else if self.closing_time == due {
                self.closing_time = Timestamp::MAX;
                let Books { desk, venue, .. } = &mut self.books;
                desk.on_closing_time(due, &mut Told { venue, sink });
            } else if self.books.desk.next_deadline() == due {
                self.books.desk.on_silence(due);
            } else if self.session.is_some_and(|session| session.close == due) {
                self.close_session(due, downstream, sink);
            } else if let Some(answer) = self.pending.pop_front() {
                self.books.on_decision(&answer, due, sink);
            }
        }
    }

    fn next_due(&self) -> Timestamp {
        let close = self.session.map_or(Timestamp::MAX, |session| session.close);
        let decision = self
            .pending
            .front()
            .and_then(|answer| self.settings.decisions.due(answer.question.asked));
        let decision = decision.unwrap_or(Timestamp::MAX);
        let report = self.books.venue.next_report().min(self.books.desk.next_deadline());
        report.min(self.expiry).min(self.closing_time).min(close).min(decision)
    }

    fn open_session(
        &mut self,
        session: Session,
        tick: &Tick,
        now: Timestamp,
        downstream: &mut impl Downstream,
        sink: &mut impl Sink,
    ) {
        if self.sessions > 0 && self.calendar_open_after_last() < session.open {
            // Nobody knows what happened in between, so nothing is held over it.
            self.holes += u64::from(session.close > self.settings.trades_from);
            self.close_out(ExitReason::MissingData, self.last_time, true, sink);
            downstream.on_restart(Break::MissingSessions);
            sink.output(&Output::Restart);
        }
        // The first session counts from where the data begins.
        self.open_from = if self.sessions == 0 { tick.time } else { session.open };
        self.session = Some(session);
        self.sessions += 1;
        if session.close <= self.settings.trades_from {
            self.warm_up_sessions += 1;
        } else if self.sessions == self.warm_up_sessions + 1
            && self.settings.trades_from > Timestamp::MIN
        {
            self.warm_up_counts = self.bars.counts();
        }
        if self.sessions == 1 || tick.contract != self.contract {
            self.change_contract(tick, now, downstream, sink);
        }
        let closing_time = self.settings.flatten_before_close.map(|before| session.close + -before);
        self.closing_time = closing_time.unwrap_or(Timestamp::MAX);
        self.books.desk.on_session_open();
        self.expiry = self.expiry_of(tick.contract);
    }

    fn count_open_until(&mut self, end: Timestamp) {
        self.open_nanos += (end - self.open_from.max(self.settings.trades_from)).max(0);
    }

    /// The series goes on in the contract of `tick`: what is open in the old one is closed at its
    /// last price.
    fn change_contract(
        &mut self,
        tick: &Tick,
        now: Timestamp,
        downstream: &mut impl Downstream,
        sink: &mut impl Sink,
    ) {
        // What is open is of the old contract, and closes at its prices.
        let TradingStage { bars, books, .. } = self;
        bars.on_contract_change(tick.time, &mut |bar| books.on_bar(bar, now, downstream, sink));
        self.begin_stretch(downstream);
        let last = self.books.desk.last_price();
        if last != Price::ZERO {
            if !self.settings.prices_are_joined {
                downstream.on_contract_change(last, tick.price);
            }
            self.close_out(ExitReason::ContractRoll, now, true, sink);
            downstream.on_restart(Break::Contract);
            sink.output(&Output::Restart);
        }
        self.contract = tick.contract;
        self.books.desk.on_contract(tick.contract);
        self.expiry = self.expiry_of(tick.contract);
    }

    /// When the session after the last one with ticks should have opened.
    fn calendar_open_after_last(&self) -> Timestamp {
        self.settings.calendar.session_at_or_after(self.last_close).open
    }

    fn expiry_of(&self, contract: u16) -> Timestamp {
        self.settings.expiries.get(usize::from(contract)).copied().unwrap_or(Timestamp::MAX)
    }

    fn close_session(
        &mut self,
        now: Timestamp,
        downstream: &mut impl Downstream,
        sink: &mut impl Sink,
    ) {
        if let Some(session) = self.session.take() {
            self.count_open_until(session.close);
            self.last_close = session.close;
        }
        // A run that ends with a tick after the close ends no earlier than the close.
        self.last_time = self.last_time.max(now);
        self.books.venue.on_session_end(now);
        self.books.desk.on_session_end();
        let TradingStage { bars, books, .. } = self;
        bars.on_session_end(now, &mut |bar| books.on_bar(bar, now, downstream, sink));
        self.books.record_equity(now, sink);
        self.begin_stretch(downstream);
    }

    /// What was asked before this is answered too late.
    fn begin_stretch(&mut self, downstream: &mut impl Downstream) {
        self.books.ask(downstream);
        self.books.stretch += 1;
    }

    /// Ends what is open where no later tick can.
    fn close_out(&mut self, reason: ExitReason, now: Timestamp, slip: bool, sink: &mut impl Sink) {
        // What the venue did is true even if we have not heard of it yet.
        while let Some(report) = self.books.venue.take_report(Timestamp::MAX) {
            self.books.on_report(&report, sink);
        }
        let Books { desk, venue, .. } = &mut self.books;
        let last = Tick::new(self.last_time, desk.last_price(), 1).with_contract(self.contract);
        let close = desk.new_close(reason);
        match venue.close_out(&close, &last, now, slip) {
            ClosedOut::AtOnce(fill) => {
                if let Some(fill) = fill {
                    desk.on_closed_out(&close, now);
                    let kind = ReportKind::Filled(fill);
                    self.books.on_report(&Report { arrives: now, kind }, sink);
                }
                self.books.desk.on_orders_dropped();
            }
            ClosedOut::ByOrder => desk.close_by_order(close, now, &mut Told { venue, sink }),
        }
    }
}

/// Orders, the account, and the questions to the decision seat.
#[derive(Clone, Debug)]
struct Books<V> {
    desk: Desk,
    venue: V,
    finest: Timeframe,
    decides_on: Timeframe,
    trades_from: Timestamp,
    last_equity: Timestamp,
    questions: u64,
    /// Counts sessions and contracts: what was asked in an earlier one is answered too late.
    stretch: u32,
    /// The bar on which a question is to be asked, when all that closes with it is closed.
    unasked: Option<(Bar, Question, Account)>,
}

impl<V: Venue> Books<V> {
    /// A closed bar to everyone who wants it.
    fn on_bar(
        &mut self,
        bar: &Bar,
        now: Timestamp,
        downstream: &mut impl Downstream,
        sink: &mut impl Sink,
    ) {
        let is_decided_on = bar.timeframe == self.decides_on;
        if is_decided_on {
            self.ask(downstream);
        }
        sink.output(&Output::Bar(*bar));
        downstream.on_bar(bar, sink);
        if bar.timeframe == self.finest {
            self.record_equity(now, sink);
        }
        if is_decided_on {
            self.desk.on_bar();
            self.questions += 1;
            let question = Question { number: self.questions, asked: now, stretch: self.stretch };
            self.unasked = Some((*bar, question, self.desk.account()));
        }
    }

    /// Asks what is to be asked.
    fn ask(&mut self, downstream: &mut impl Downstream) {
        if let Some((bar, question, account)) = self.unasked.take() {
            downstream.on_question(&bar, &question, &account);
        }
    }

    fn on_decision(&mut self, answer: &Answer, now: Timestamp, sink: &mut impl Sink) {
        // Asked all the same: a rule learns from the bars that it is asked on.
        if answer.question.asked <= self.trades_from {
            return;
        }
        let in_time = answer.question.stretch == self.stretch;
        sink.output(&Output::Action(Action::Decision { answer: *answer, in_time }));
        let Books { desk, venue, .. } = self;
        let mut port = Told { venue, sink };
        match &answer.decision {
            None if answer.is_overdue => desk.on_overdue_decision(now, &mut port),
            None => {}
            Some(_) if !in_time => desk.on_late_decision(now, &mut port),
            Some(decision) => desk.on_decision(decision, now, &mut port),
        }
    }

    fn on_report(&mut self, report: &Report, sink: &mut impl Sink) {
        sink.output(&Output::Action(Action::Report(*report)));
        let Books { desk, venue, .. } = self;
        if let Some(trade) = desk.on_report(report, &mut Told { venue, sink }) {
            sink.output(&Output::Action(Action::Trade(trade)));
        }
    }

    /// One point for one instant, however many bars close at it.
    fn record_equity(&mut self, now: Timestamp, sink: &mut impl Sink) {
        if self.last_equity == now || now <= self.trades_from {
            return;
        }
        self.last_equity = now;
        sink.output(&Output::Equity(self.desk.equity_point(now)));
    }
}

/// The way to the venue, with a sink that is told of everything that goes.
struct Told<'a, V, K> {
    venue: &'a mut V,
    sink: &'a mut K,
}

impl<V: Venue, K: Sink> OrderPort for Told<'_, V, K> {
    fn send(&mut self, message: OrderMessage, now: Timestamp) {
        self.sink.output(&Output::Action(Action::Order { message, time: now }));
        self.venue.send(message, now);
    }

    fn refuse(&mut self, refusal: Refusal, now: Timestamp) {
        self.sink.output(&Output::Action(Action::Refused { refusal, time: now }));
    }
}

#[cfg(test)]
mod tests;
