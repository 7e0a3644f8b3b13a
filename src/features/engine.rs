//! Closed bars in, feature rows out.

use serde::{Deserialize, Serialize};

use super::SettingsError;
use super::field::Unit;
use super::layout::{FeatureLayout, SESSION_COLUMNS};
use super::row::{FeatureRow, MOST_FIELDS, TimeOfSession};
use super::settings::IndicatorSettings;
use super::timeframe::TimeframeIndicators;
use crate::indicators::{FairValueGap, LowVolumeNode, MalformedBar, TickBar, TradedVolume};
use crate::market::{Bar, Calendar, Instrument, Price, Session, Timeframe, Timestamp};

/// All indicators of all timeframes, and the row they write.
///
/// Bars are counted on, without a reset at the daily break or over missing data, as charts do. When
/// the series continues in another contract, [`FeatureEngine::shift`] moves what is remembered.
///
/// After construction an update allocates nothing, except that the volume profile grows when prices
/// spread wider than ever before.
///
/// ```
/// use algospace_hft::features::{FeatureEngine, IndicatorSettings};
/// use algospace_hft::market::{Bar, Instrument, Timeframe};
///
/// let timeframes = [Timeframe::MINUTES_5];
/// let es = Instrument::built_in("ES")?;
/// let mut engine = FeatureEngine::new(&IndicatorSettings::default(), &timeframes, &es)?;
/// let bar = Bar {
///     start: "2024-01-04T15:00:00Z".parse()?,
///     end: "2024-01-04T15:05:00Z".parse()?,
///     open: "4750".parse()?,
///     high: "4752".parse()?,
///     low: "4749".parse()?,
///     close: "4751".parse()?,
///     volume: 900,
///     timeframe: Timeframe::MINUTES_5,
///     ..Bar::NONE
/// };
/// let range = engine.layout().column("range_5m").expect("a default feature");
/// let row = engine.update(&bar, None)?.expect("indicators are computed on these bars");
/// assert_eq!(row.value(range), Some(3.0));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct FeatureEngine {
    layout: FeatureLayout,
    tick_size: Price,
    points_in_a_tick: f64,
    calendar: Calendar,
    /// The session of the last bar.
    session: Session,
    clock: TimeOfSession,
    state: FeatureState,
    row: FeatureRow,
    disagreeing_trades: u64,
}

/// All that a [`FeatureEngine`] remembers: with it, an engine of the same settings continues bit
/// for bit.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct FeatureState {
    /// Settings that it was computed with, so that it is not taken for something else.
    settings: IndicatorSettings,
    bars: Vec<Timeframe>,
    symbol: String,
    /// In units of the price.
    tick_size: i64,
    timeframes: Vec<TimeframeIndicators>,
    /// The bits of the row's values, of which those of longer bars are held.
    held: Vec<u64>,
}

/// A state that is not one of this engine.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the saved indicators were computed with other settings, bars or ticks; replay the history instead"
)]
pub struct ForeignState;

impl FeatureEngine {
    /// Creates an engine without bars, for an instrument whose bars of `timeframes` are built.
    ///
    /// # Errors
    /// If a setting is out of its range, or there are too many features.
    pub fn new(
        settings: &IndicatorSettings,
        timeframes: &[Timeframe],
        instrument: &Instrument,
    ) -> Result<FeatureEngine, SettingsError> {
        let layout = FeatureLayout::new(settings, timeframes)?;
        let mut next_column = SESSION_COLUMNS + layout.timeframes().len();
        let indicators = layout
            .timeframes()
            .iter()
            .map(|&timeframe| {
                let chosen = settings.timeframes.chosen(timeframe);
                TimeframeIndicators::new(settings, chosen, &mut next_column)
            })
            .collect::<Result<_, _>>()?;
        let state = FeatureState {
            settings: settings.clone(),
            bars: layout.timeframes().to_vec(),
            symbol: instrument.symbol.clone(),
            tick_size: instrument.tick_size.units(),
            timeframes: indicators,
            held: Vec::new(),
        };
        Ok(FeatureEngine {
            layout,
            tick_size: instrument.tick_size,
            points_in_a_tick: instrument.tick_size.as_f64(),
            calendar: instrument.calendar,
            session: Session::NEVER,
            clock: TimeOfSession::new(),
            state,
            row: FeatureRow {
                bar: Bar::NONE,
                values: [f64::NAN; MOST_FIELDS],
                valid: [0; MOST_FIELDS / 64],
            },
            disagreeing_trades: 0,
        })
    }

    /// Returns the meaning of each column.
    pub fn layout(&self) -> &FeatureLayout {
        &self.layout
    }

    fn on(&self, timeframe: Timeframe) -> Option<&TimeframeIndicators> {
        Some(&self.state.timeframes[self.layout.place(timeframe)?])
    }

    /// Returns the fair value gaps of a timeframe, if they are computed: for what a row has no room
    /// for.
    pub fn fair_value_gap(&self, timeframe: Timeframe) -> Option<&FairValueGap> {
        self.on(timeframe)?.fair_value_gap()
    }

    /// Returns the volume profile of a timeframe, if it is kept: for what a row has no room for.
    pub fn low_volume_node(&self, timeframe: Timeframe) -> Option<&LowVolumeNode> {
        self.on(timeframe)?.low_volume_node()
    }

    /// Returns the row as it is after the last bar.
    pub fn row(&self) -> &FeatureRow {
        &self.row
    }

    /// Returns the number of bars whose trades did not add up to them, so that the profile took
    /// them without.
    pub fn disagreeing_trades(&self) -> u64 {
        self.disagreeing_trades
    }

    /// Returns the number of bars of a timeframe (by its [place](FeatureLayout::place)) that were
    /// taken since the series last began, counted until each of its columns has had its first valid
    /// bar since.
    #[inline]
    pub fn bars_on_end(&self, timeframe: usize) -> usize {
        self.state.timeframes[timeframe].bars_on_end()
    }

    /// Tells that whole sessions are missing before the next bar. [`FeatureEngine::bars_on_end`]
    /// counts from that bar; values continue.
    pub fn restart_after_gap(&mut self) {
        self.state.timeframes.iter_mut().for_each(TimeframeIndicators::restart_after_gap);
    }

    /// Takes a closed bar and rewrites the row; `None` if no indicator is computed on its
    /// timeframe. `traded` is what traded at each of its prices, where that is known.
    ///
    /// # Errors
    /// If no market can have made the bar; nothing is changed then.
    #[inline]
    pub fn update(
        &mut self,
        bar: &Bar,
        traded: Option<&TradedVolume>,
    ) -> Result<Option<&FeatureRow>, MalformedBar> {
        let Some(place) = self.layout.place(bar.timeframe) else {
            return Ok(None);
        };
        let tick_bar = TickBar::new(bar, self.tick_size)?;
        if bar.start < self.session.open || bar.start >= self.session.close {
            self.session = self.calendar.session_at_or_after(bar.start);
        }
        let row = &mut self.row;
        row.bar = *bar;
        let indicators = &mut self.state.timeframes[place];
        indicators.last_end = bar.end;
        let agree = indicators.update(&tick_bar, traded, self.points_in_a_tick, row);
        self.disagreeing_trades += u64::from(!agree);

        (row.values[0], row.values[1]) = self.clock.at(&self.session, bar.end);
        for (age, held) in row.values[SESSION_COLUMNS..].iter_mut().zip(&self.state.timeframes) {
            *age = if held.last_end == Timestamp::MIN {
                f64::NAN
            } else {
                (bar.end - held.last_end) as f64 / Timestamp::MINUTE as f64
            };
        }
        row.mark(0, SESSION_COLUMNS + self.state.timeframes.len());
        Ok(Some(row))
    }

    /// Moves all remembered prices by `ticks`: the series continues in a contract whose price is so
    /// much higher.
    pub fn shift(&mut self, ticks: i64) {
        for timeframe in &mut self.state.timeframes {
            timeframe.shift(ticks);
        }
        let points = ticks as f64 * self.points_in_a_tick;
        for (value, field) in self.row.values.iter_mut().zip(self.layout.fields()) {
            if field.unit == Unit::Price {
                *value += points;
            }
        }
    }

    /// Returns its memory.
    pub fn save(&self) -> FeatureState {
        let held = self.row.values[..self.layout.fields().len()].iter().map(|v| v.to_bits());
        FeatureState { held: held.collect(), ..self.state.clone() }
    }

    /// Continues from another engine's memory.
    ///
    /// # Errors
    /// If that engine had other settings or another instrument; nothing is changed then.
    pub fn restore(&mut self, state: FeatureState) -> Result<(), ForeignState> {
        let alike = state.settings == self.state.settings
            && state.bars == self.state.bars
            && state.symbol == self.state.symbol
            && state.tick_size == self.state.tick_size
            && state.timeframes.len() == self.state.timeframes.len()
            && state.held.len() == self.layout.fields().len();
        if !alike {
            return Err(ForeignState);
        }
        for (value, &bits) in self.row.values.iter_mut().zip(&state.held) {
            *value = f64::from_bits(bits);
        }
        let count = self.layout.fields().len();
        for first in (0..count).step_by(64) {
            self.row.mark(first, (count - first).min(64));
        }
        // Both belong to the bars that this engine took; the next bar may be earlier.
        self.session = Session::NEVER;
        self.row.bar = Bar::NONE;
        self.state = state;
        Ok(())
    }
}

/// Two engines are equal if they make the same rows of all later bars.
impl PartialEq for FeatureEngine {
    fn eq(&self, other: &FeatureEngine) -> bool {
        let bits = |engine: &FeatureEngine| engine.row.values.map(f64::to_bits);
        self.layout == other.layout
            && self.tick_size == other.tick_size
            && self.calendar == other.calendar
            && self.state.timeframes == other.state.timeframes
            && bits(self) == bits(other)
    }
}
