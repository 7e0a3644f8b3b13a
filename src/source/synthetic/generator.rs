//! Makes the ticks, one session after the other.

use crate::market::{Session, Side, Tick, Timestamp};
use crate::random::Random;

use super::arrivals::{ArrivalRates, Arrivals};
use super::fair_price::{BOUNCING, FairPrice, Grid, PLAIN};
use super::oracle::{ORACLE_COST_PER_SIDE, Oracle, OracleResult};
use super::regimes::{Regime, RegimeProcess, RegimeStretch};
use super::settings::{Settings, SyntheticError};
use super::{Purpose, sizes, stream};

/// Chances that the fair price has to step in a day of average activity, for any number of
/// trades that are printed: at the default of 340,000 trades, one before each trade.
const EVENTS_PER_DAY: u32 = 340_000;

/// A share of trades, in 2⁻³⁰, sees the quote away from it stand a tick farther: 1.2 %, as the ES
/// spread is 1 tick 98.8 % of the time.
const WIDE_SPREAD: u32 = 12_884_902;

/// The gap between two sessions is the sum of this number × 32 fair coins of half a tick: a
/// standard deviation of 8 ticks over the daily break, 32 over a weekend or a holiday.
const OVERNIGHT_GAP_WORDS: u32 = 8;
const WEEKEND_GAP_WORDS: u32 = 128;
/// A break longer than this is a weekend or a holiday.
const LONG_BREAK: i64 = 12 * Timestamp::HOUR;

/// Makes a synthetic market, session by session.
#[derive(Debug)]
pub struct Generator {
    settings: Settings,
    pace: ArrivalRates,
    grid: &'static Grid,
    fair: FairPrice,
    regimes: Option<Regimes>,
    /// Events owed to the fair price, times trades per day.
    event_clock: u32,
    sessions_made: u32,
    last_close: Timestamp,
}

/// The regimes, and the books that are kept of them.
#[derive(Debug)]
struct Regimes {
    process: RegimeProcess,
    oracle: Oracle,
    stretches: Vec<Stretch>,
    /// Of all sessions before, in nanoseconds.
    trading_time: i64,
}

#[derive(Debug)]
struct Stretch {
    start: Timestamp,
    regime: Regime,
    /// Trading time at its start, in nanoseconds.
    since: i64,
    /// In units of F / DRIFT_SCALE.
    drift: i128,
}

impl Generator {
    /// # Errors
    /// If a setting is invalid, by name.
    pub fn new(settings: Settings) -> Result<Generator, SyntheticError> {
        settings.check()?;
        let grid = if settings.bid_ask_bounce { &BOUNCING } else { &PLAIN };
        let tick_size = settings.instrument.tick_size;
        let fair = FairPrice::new(settings.first_price.units() / tick_size.units(), grid);
        let regimes = settings.has_regimes().then(|| Regimes::new(&settings, grid, &fair));
        Ok(Generator {
            pace: ArrivalRates::new(settings.market.trades_per_day),
            grid,
            fair,
            regimes,
            event_clock: 0,
            sessions_made: 0,
            last_close: Timestamp::MIN,
            settings,
        })
    }

    /// Fills `ticks` with the next session's ticks, in order of time, in place of what it held;
    /// `None` after the last session.
    pub fn next_session(&mut self, ticks: &mut Vec<Tick>) -> Option<Session> {
        ticks.clear();
        if self.sessions_made == self.settings.market.days {
            return None;
        }
        let number = self.sessions_made;
        let session = self.session();
        let random = |purpose| Random::new(self.settings.seed, stream(number, purpose));
        let mut session_random = random(Purpose::Session);
        let mut price_random = random(Purpose::Price);
        let mut size_random = random(Purpose::Size);
        let mut arrivals = Arrivals::new(&self.pace, &session, random(Purpose::Arrivals));

        // Between half and one and a half times the average number of trades.
        let day_activity = f64::from(512 + session_random.below(1025)) / 1024.0;
        if number > 0 {
            let break_length = session.open - self.last_close;
            let words =
                if break_length > LONG_BREAK { WEEKEND_GAP_WORDS } else { OVERNIGHT_GAP_WORDS };
            let ones: u32 = (0..words).map(|_| session_random.next_u32().count_ones()).sum();
            let gap = i64::from(ones) - i64::from(words * 16);
            self.fair.gap(gap);
            if let Some(regimes) = &mut self.regimes {
                regimes.process.gap(gap * self.grid.units_per_tick as i64);
            }
        }
        if let Some(regimes) = &mut self.regimes {
            regimes.open(&session);
        }

        let tick_size = self.settings.instrument.tick_size;
        let bounces = self.settings.bid_ask_bounce;
        let price = |ticks: i64| crate::market::Price::ZERO.offset_ticks(ticks, tick_size);
        let mut time = session.open;
        loop {
            let activity = self.regimes.as_ref().map_or(1.0, |regimes| regimes.process.activity());
            time = arrivals.after(time, day_activity * activity);
            if let Some((start, end)) = session.halt
                && (start..end).contains(&time)
            {
                time = end;
                continue;
            }
            if time >= session.close {
                break;
            }
            if let Some(regimes) = &mut self.regimes {
                regimes.before_trade(time, &session, self.fair.units());
            }
            let mut drift = 0;
            self.event_clock += EVENTS_PER_DAY;
            while self.event_clock >= self.settings.market.trades_per_day {
                self.event_clock -= self.settings.market.trades_per_day;
                let (volatile, bias) = match &self.regimes {
                    None => (false, 0),
                    Some(regimes) => (
                        regimes.process.regime() == Regime::Volatile,
                        regimes.process.bias(self.fair.units()),
                    ),
                };
                drift += self.fair.step(price_random.next_u32(), volatile, bias);
            }
            let word = price_random.next_u32();
            let at_ask = self.fair.prints_at_ask(word);
            let print = self.fair.bid() + i64::from(at_ask);
            if let Some(regimes) = &mut self.regimes {
                regimes.after_trade(print, drift);
            }
            let mut tick = Tick::new(time, price(print), sizes::draw(&mut size_random));
            if bounces {
                let widening = i64::from(word >> 2 < WIDE_SPREAD);
                let (side, bid, ask) = if at_ask {
                    (Side::Buy, print - 1 - widening, print)
                } else {
                    (Side::Sell, print, print + 1 + widening)
                };
                tick = tick.with_aggressor(Some(side)).with_quotes(
                    Some(price(bid)),
                    Some(price(ask)),
                    tick_size,
                );
            }
            ticks.push(tick);
        }
        if let Some(regimes) = &mut self.regimes {
            regimes.close(&session, self.fair.units());
        }
        self.sessions_made += 1;
        self.last_close = session.close;
        Some(session)
    }

    fn session(&self) -> Session {
        let calendar = self.settings.instrument.calendar;
        if self.sessions_made > 0 {
            return calendar.session_at_or_after(self.last_close);
        }
        // A trade date's session opens at most a weekend before it.
        let midnight = self.settings.first_trade_date.to_zoned(jiff::tz::TimeZone::UTC);
        let midnight = midnight.expect("settings are checked").timestamp().as_nanosecond() as i64;
        let mut session =
            calendar.session_at_or_after(Timestamp::from_nanos(midnight - 96 * Timestamp::HOUR));
        while session.trade_date < self.settings.first_trade_date {
            session = calendar.session_at_or_after(session.close);
        }
        session
    }

    /// Returns the oracle's earnings so far; `None` for a market without an edge.
    pub fn oracle(&self) -> Option<OracleResult> {
        let oracle = &self.regimes.as_ref()?.oracle;
        Some(oracle.result(&self.settings.instrument, self.grid, ORACLE_COST_PER_SIDE))
    }

    /// Returns the hidden regimes so far, in order of time; empty for a market without any.
    pub fn regimes(&self) -> Vec<RegimeStretch> {
        self.regimes.as_ref().map_or_else(Vec::new, |regimes| regimes.stretches(self.grid))
    }
}

impl Regimes {
    fn new(settings: &Settings, grid: &'static Grid, fair: &FairPrice) -> Regimes {
        let random = Random::new(settings.seed, stream(0, Purpose::Regimes));
        let process = RegimeProcess::new(settings, grid, random, fair.units());
        let mut oracle = Oracle::new(settings.range_deviation_ticks, grid);
        oracle.regime_begins(process.regime());
        Regimes { process, oracle, stretches: Vec::new(), trading_time: 0 }
    }

    fn open(&mut self, session: &Session) {
        self.process.open(session);
        if self.stretches.is_empty() {
            let regime = self.process.regime();
            self.stretches.push(Stretch { start: session.open, regime, since: 0, drift: 0 });
        }
    }

    fn close(&mut self, session: &Session, fair_units: i64) {
        // A regime that begins after the session's last trade begins in this session all the same.
        self.advance(session.close + -1, session, fair_units);
        self.process.close(session);
        self.trading_time += session.close - session.open;
    }

    fn advance(&mut self, time: Timestamp, session: &Session, fair_units: i64) {
        let Regimes { process, oracle, stretches, trading_time } = self;
        process.advance(time, fair_units, |start, regime| {
            let since = *trading_time + (start - session.open);
            stretches.push(Stretch { start, regime, since, drift: 0 });
            oracle.regime_begins(regime);
        });
    }

    #[inline]
    fn before_trade(&mut self, time: Timestamp, session: &Session, fair_units: i64) {
        self.advance(time, session, fair_units);
        let Regimes { process, oracle, .. } = self;
        if process.regime() == Regime::Range {
            oracle.in_range(process.above_anchor(fair_units));
        }
    }

    #[inline]
    fn after_trade(&mut self, print: i64, drift: i64) {
        self.oracle.trade(print, drift);
        let stretch = self.stretches.last_mut().expect("the first session's open began one");
        stretch.drift += i128::from(drift);
    }

    fn stretches(&self, grid: &Grid) -> Vec<RegimeStretch> {
        let ends = self.stretches.iter().skip(1).map(|next| next.since).chain([self.trading_time]);
        let units_a_tick = super::fair_price::DRIFT_SCALE as f64 * grid.units_per_tick as f64;
        self.stretches
            .iter()
            .zip(ends)
            .map(|(stretch, end)| RegimeStretch {
                start: stretch.start,
                regime: stretch.regime,
                hours: (end - stretch.since) as f64 / Timestamp::HOUR as f64,
                drift_ticks: stretch.drift as f64 / units_a_tick,
            })
            .collect()
    }
}
