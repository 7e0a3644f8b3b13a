//! One tick through all stages, in the order that is part of the contract.

use super::feature_stage::FeatureStage;
use crate::bars::{BarBuilder, TickCounts};
use crate::execution::{Desk, SimulatedExchange};
use crate::market::{Bar, Calendar, Price, Session, Tick, TickFlags, Timeframe, Timestamp};
use crate::performance::{EquityPoint, ExitReason, Trade};
use crate::strategy::Strategy;

/// Takes what the pipeline makes. It stands outside the stages, so it may allocate.
pub trait Sink {
    /// A bar closed.
    fn bar(&mut self, bar: &Bar);
    /// A round trip ended.
    fn trade(&mut self, trade: &Trade);
    /// The account, at every close of the finest bar and at each session's end.
    fn equity(&mut self, point: &EquityPoint);
    /// A feature row was written, and the matrices of its timeframe went on by a row.
    fn features(&mut self, _stage: &FeatureStage) {}
}

/// How the stages are put together.
#[derive(Clone, Debug)]
pub struct PipelineSettings {
    /// When the instrument trades.
    pub calendar: Calendar,
    /// Bars to build; the strategy's timeframe is among them.
    pub timeframes: Vec<Timeframe>,
    /// Longest stretch without trades that is filled with flat bars, in nanoseconds.
    pub fill_gaps_up_to: i64,
    /// Positions are closed so many nanoseconds before the session's end; `None` holds them over it.
    pub flatten_before_close: Option<i64>,
    /// When each contract of the series stops trading, by [`Tick::contract`]; `Timestamp::MAX` where
    /// that is not known.
    pub expiries: Vec<Timestamp>,
    /// Whether the contracts' prices were joined, so that a new contract goes on where the old one
    /// ended.
    pub prices_are_joined: bool,
}

/// All stages from tick to trade, called in order in one thread.
///
/// What happens when a tick comes, in this order:
/// 1. what is due by its time: reports from the exchange, the closing time, the session's end (which
///    closes bars), the contract's expiry;
/// 2. the exchange fills working orders;
/// 3. the desk looks at the position and the day's drawdown;
/// 4. bars that the tick ends are closed, finer before coarser; features and matrices are computed; the
///    strategy decides; the desk sends.
///
/// So an order can fill on later ticks only.
#[derive(Clone, Debug)]
pub struct Pipeline<S> {
    settings: PipelineSettings,
    bars: BarBuilder,
    trading: Trading<S>,
    last_time: Timestamp,
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

impl<S: Strategy> Pipeline<S> {
    /// The stages, having seen nothing.
    ///
    /// # Panics
    /// If no timeframe is asked for, or the strategy's is not among them.
    pub fn new(
        settings: PipelineSettings,
        features: FeatureStage,
        strategy: S,
        desk: Desk,
        exchange: SimulatedExchange,
    ) -> Pipeline<S> {
        assert!(settings.timeframes.contains(&strategy.timeframe()));
        let finest = *settings.timeframes.iter().min().expect("at least one timeframe");
        let bars =
            BarBuilder::new(&settings.timeframes, settings.calendar, settings.fill_gaps_up_to);
        Pipeline {
            settings,
            bars,
            trading: Trading {
                features,
                strategy,
                desk,
                exchange,
                finest,
                last_equity: Timestamp::MIN,
            },
            calm: Calm::NEVER,
            last_time: Timestamp::MIN,
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
        }
    }

    /// Features and matrices.
    pub fn features(&self) -> &FeatureStage {
        &self.trading.features
    }

    /// The desk, with the account.
    pub fn desk(&self) -> &Desk {
        &self.trading.desk
    }

    /// Ticks that no bar took.
    pub fn tick_counts(&self) -> TickCounts {
        self.bars.counts()
    }

    /// Nanoseconds of the sessions that had ticks, and how many they were.
    pub fn sessions(&self) -> (i64, u64) {
        (self.open_nanos, self.sessions)
    }

    /// How often whole sessions were missing between two ticks.
    pub fn holes(&self) -> u64 {
        self.holes
    }

    /// Takes one tick through all stages.
    #[inline(always)]
    pub fn on_tick(&mut self, tick: &Tick, sink: &mut impl Sink) {
        if self.calm.holds(tick) {
            self.calm.from = tick.time;
            self.trading.desk.on_calm_price(tick.price);
            self.bars.on_calm_tick(tick);
            self.trading.features.on_trade(tick);
        } else {
            self.on_eventful_tick(tick, sink);
        }
    }

    #[cold]
    #[inline(never)]
    fn on_eventful_tick(&mut self, tick: &Tick, sink: &mut impl Sink) {
        self.last_time = self.last_time.max(self.bars.calm().0);
        if self.is_for_the_stages(tick, sink) {
            self.last_time = tick.time;
            self.trading.exchange.on_tick(tick);
            self.trading.desk.on_tick(tick, &mut self.trading.exchange);
            let Pipeline { bars, trading, .. } = self;
            if bars.on_tick(tick, &mut |bar| trading.on_bar(bar, tick.time, sink)) {
                trading.features.on_trade(tick);
            }
        }
        self.calm = self.calm();
    }

    fn calm(&self) -> Calm {
        if self.session.is_none() {
            return Calm::NEVER;
        }
        let (from, bar_boundary) = self.bars.calm();
        let (next_arrival, quiet_from, quiet_to) = self.trading.exchange.calm();
        let (watch_from, watch_to) = self.trading.desk.calm();
        Calm {
            from,
            until: bar_boundary.min(next_arrival).min(self.next_due()),
            low: quiet_from.max(watch_from),
            high: quiet_to.min(watch_to),
            contract: self.contract,
        }
    }

    /// Ends the run after the last tick: closes the position at the last price, and the open bars.
    pub fn finish(&mut self, reason: ExitReason, sink: &mut impl Sink) {
        let now = self.last_time.max(self.bars.calm().0);
        self.last_time = now;
        if let Some(session) = self.session.take() {
            self.open_nanos += now.min(session.close) - self.open_from;
        }
        self.force_close(reason, now, true, sink);
        self.trading.desk.on_session_end();
        // Whatever stood in the account at this instant before, this is how it ends.
        self.trading.last_equity = Timestamp::MIN;
        self.trading.record_equity(now, sink);
        let Pipeline { bars, trading, .. } = self;
        bars.finish(&mut |bar| trading.on_bar(bar, now, sink));
        self.calm = Calm::NEVER;
    }

    /// Does what is due by the time of `tick`. Returns whether the stages should see the tick.
    fn is_for_the_stages(&mut self, tick: &Tick, sink: &mut impl Sink) -> bool {
        if tick.time < self.last_time {
            // A late tick fills no order; the bars know what to do with it.
            if self.bars.on_tick(tick, &mut |_| {}) {
                self.trading.features.on_trade(tick);
            }
            return false;
        }
        self.run_until(tick.time, sink);
        if self.session.is_none() {
            if tick.time >= self.next_session.close {
                self.next_session = self.settings.calendar.session_at_or_after(tick.time);
            }
            if tick.time < self.next_session.open {
                self.bars.on_tick(tick, &mut |_| {});
                return false;
            }
            self.open_session(self.next_session, tick, sink);
        } else if tick.contract != self.contract {
            self.change_contract(tick, sink);
        } else {
            return true;
        }
        // The data may begin after the closing time, or after the contract's expiry.
        self.run_until(tick.time, sink);
        true
    }

    /// Everything that happens up to and including `now` without a tick, in order of time.
    fn run_until(&mut self, now: Timestamp, sink: &mut impl Sink) {
        loop {
            let due = self.next_due();
            if due > now || due == Timestamp::MAX {
                return;
            }
            if self.trading.exchange.next_report() == due {
                while let Some(report) = self.trading.exchange.take_report(due) {
                    if let Some(trade) = self.trading.desk.on_report(&report) {
                        sink.trade(&trade);
                    }
                }
            } else if self.expiry == due {
                self.expiry = Timestamp::MAX;
                self.force_close(ExitReason::Expiry, due, false, sink);
                self.trading.desk.on_expiry();
            } else if self.closing_time == due {
                self.closing_time = Timestamp::MAX;
                self.trading.desk.on_closing_time(due, &mut self.trading.exchange);
            } else {
                self.close_session(due, sink);
            }
        }
    }

    fn next_due(&self) -> Timestamp {
        let close = self.session.map_or(Timestamp::MAX, |session| session.close);
        self.trading.exchange.next_report().min(self.expiry).min(self.closing_time).min(close)
    }

    fn open_session(&mut self, session: Session, tick: &Tick, sink: &mut impl Sink) {
        if self.sessions > 0 && self.calendar_open_after_last() < session.open {
            // Nobody knows what happened in between, so nothing is held over it.
            self.holes += 1;
            self.force_close(ExitReason::MissingData, self.last_time, true, sink);
            self.trading.strategy.restart();
        }
        // The first session counts from where the data begins.
        self.open_from = if self.sessions == 0 { tick.time } else { session.open };
        self.session = Some(session);
        self.sessions += 1;
        if self.sessions == 1 || tick.contract != self.contract {
            self.change_contract(tick, sink);
        }
        let closing_time = self.settings.flatten_before_close.map(|before| session.close + -before);
        self.closing_time = closing_time.unwrap_or(Timestamp::MAX);
        self.trading.desk.on_session_open();
        self.expiry = self.expiry_of(tick.contract);
    }

    /// The series goes on in the contract of `tick`: what is open in the old one is closed at its last
    /// price.
    fn change_contract(&mut self, tick: &Tick, sink: &mut impl Sink) {
        // What is open is of the old contract, and closes at its prices.
        let Pipeline { bars, trading, .. } = self;
        bars.on_contract_change(tick.time, &mut |bar| trading.on_bar(bar, tick.time, sink));
        let last = self.trading.desk.last_price();
        if last != Price::ZERO {
            if !self.settings.prices_are_joined {
                self.trading.features.on_contract_change(last, tick.price);
            }
            self.force_close(ExitReason::ContractRoll, tick.time, true, sink);
            self.trading.strategy.restart();
        }
        self.contract = tick.contract;
        self.expiry = self.expiry_of(tick.contract);
    }

    /// When the session after the last one with ticks should have opened.
    fn calendar_open_after_last(&self) -> Timestamp {
        self.settings.calendar.session_at_or_after(self.last_close).open
    }

    fn expiry_of(&self, contract: u16) -> Timestamp {
        self.settings.expiries.get(usize::from(contract)).copied().unwrap_or(Timestamp::MAX)
    }

    fn close_session(&mut self, now: Timestamp, sink: &mut impl Sink) {
        if let Some(session) = self.session.take() {
            self.open_nanos += session.close - self.open_from;
            self.last_close = session.close;
        }
        // A run that ends with a tick after the close ends no earlier than the close.
        self.last_time = self.last_time.max(now);
        self.trading.exchange.on_session_end(now);
        self.trading.desk.on_session_end();
        let Pipeline { bars, trading, .. } = self;
        bars.on_session_end(now, &mut |bar| trading.on_bar(bar, now, sink));
        self.trading.record_equity(now, sink);
    }

    fn force_close(
        &mut self,
        reason: ExitReason,
        now: Timestamp,
        slip: bool,
        sink: &mut impl Sink,
    ) {
        // What the exchange did is true even if we have not heard of it yet.
        while let Some(report) = self.trading.exchange.take_report(Timestamp::MAX) {
            if let Some(trade) = self.trading.desk.on_report(&report) {
                sink.trade(&trade);
            }
        }
        let last = Tick::new(self.last_time, self.trading.desk.last_price(), 1)
            .with_contract(self.contract);
        let id = self.trading.desk.new_order_id();
        if let Some(fill) = self.trading.exchange.force_close(id, reason, &last, now, slip)
            && let Some(trade) = self.trading.desk.on_fill(&fill)
        {
            sink.trade(&trade);
        }
        self.trading.desk.on_orders_dropped();
    }
}

/// What stands behind the bars: it is told of every bar that closes.
#[derive(Clone, Debug)]
struct Trading<S> {
    features: FeatureStage,
    strategy: S,
    desk: Desk,
    exchange: SimulatedExchange,
    finest: Timeframe,
    last_equity: Timestamp,
}

impl<S: Strategy> Trading<S> {
    /// A closed bar to everyone who wants it, then the decision.
    fn on_bar(&mut self, bar: &Bar, now: Timestamp, sink: &mut impl Sink) {
        sink.bar(bar);
        if self.features.on_bar(bar).is_some() {
            sink.features(&self.features);
        }
        if bar.timeframe == self.finest {
            self.record_equity(now, sink);
        }
        if bar.timeframe == self.strategy.timeframe() {
            self.desk.on_bar();
            if let Some(decision) = self.strategy.on_bar(bar, self.desk.ledger().position()) {
                self.desk.on_decision(&decision, now, &mut self.exchange);
            }
        }
    }

    /// One point for one instant, however many bars close at it.
    fn record_equity(&mut self, now: Timestamp, sink: &mut impl Sink) {
        if self.last_equity == now {
            return;
        }
        self.last_equity = now;
        let (ledger, mark) = (self.desk.ledger(), self.desk.last_price());
        sink.equity(&EquityPoint {
            time: now,
            cash: ledger.cash(),
            position: ledger.position() as i32,
            mark,
            equity: ledger.equity(mark),
        });
    }
}

#[cfg(test)]
mod tests;
