//! The history plant's knowledge: the ticks that are past, and their minutes.

use algospace_hft::market::{Price, Side, Tick};
use algospace_hft_rithmic::wire::{encode, rti};

use crate::messages::{EXCHANGE, message, stamp};

/// A second in nanoseconds.
const SECOND: i64 = 1_000_000_000;

/// A question about the past of one contract.
#[derive(Clone, Debug)]
pub(crate) struct Question {
    pub(crate) contract: u16,
    /// First and last second of the rows; a minute is counted by the second in which it ends.
    pub(crate) seconds: (i32, i32),
    pub(crate) minutes: bool,
    /// `true`: the last rows of the span are meant if it has too many.
    pub(crate) is_last: bool,
    /// `true`: the newest row comes first.
    pub(crate) backwards: bool,
    /// Rows that are wanted at most.
    pub(crate) most: usize,
    /// `true`: the client continues an answer that is cut; else it ends there without a word.
    pub(crate) resumes: bool,
}

impl Question {
    /// Returns a question about ticks; `None` if the plant has no such bars.
    pub(crate) fn of_ticks(request: &rti::RequestTickBarReplay, contract: u16) -> Option<Question> {
        use rti::request_tick_bar_replay::{BarType, Direction, TimeOrder};
        let single = request.bar_type_specifier.as_deref() == Some("1");
        let is_tick = request.bar_type == Some(BarType::TickBar.into());
        (single && is_tick).then(|| Question {
            contract,
            seconds: span(request.start_index, request.finish_index),
            minutes: false,
            is_last: request.direction == Some(Direction::Last.into()),
            backwards: request.time_order == Some(TimeOrder::Backwards.into()),
            most: most(request.user_max_count),
            resumes: request.resume_bars == Some(true),
        })
    }

    /// Returns a question about minutes; `None` if the plant has no such bars.
    pub(crate) fn of_minutes(
        request: &rti::RequestTimeBarReplay,
        contract: u16,
    ) -> Option<Question> {
        use rti::request_time_bar_replay::{BarType, Direction, TimeOrder};
        let is_minute = request.bar_type == Some(BarType::MinuteBar.into());
        (is_minute && request.bar_type_period == Some(1)).then(|| Question {
            contract,
            seconds: span(request.start_index, request.finish_index),
            minutes: true,
            is_last: request.direction == Some(Direction::Last.into()),
            backwards: request.time_order == Some(TimeOrder::Backwards.into()),
            most: most(request.user_max_count),
            resumes: request.resume_bars == Some(true),
        })
    }

    /// Returns the rows of the answer. `is_absent` tells of a tick's place whether history has
    /// nothing of it.
    pub(crate) fn rows(&self, past: &[Tick], is_absent: impl Fn(usize) -> bool) -> Rows {
        let second = |tick: &Tick| tick.time.nanos().div_euclid(SECOND);
        let (first, last) = (i64::from(self.seconds.0), i64::from(self.seconds.1));
        let (first, last) = if self.minutes { (first - 60, last - 60) } else { (first, last) };
        let end = if self.minutes { last.div_euclid(60) * 60 + 59 } else { last };
        let begin = if self.minutes { (first + 59).div_euclid(60) * 60 } else { first };
        let from = past.partition_point(|tick| second(tick) < begin);
        let to = past.partition_point(|tick| second(tick) <= end).max(from);
        let is_in = |place: &usize| past[*place].contract == self.contract && !is_absent(*place);
        let places = (from..to).filter(is_in);
        if self.minutes {
            Rows::Minutes(self.select(minutes(places.map(|place| &past[place]))))
        } else {
            Rows::Ticks(self.select(places.collect()))
        }
    }

    /// Returns the rows that are wanted, in the order that is wanted.
    fn select<T>(&self, mut rows: Vec<T>) -> Vec<T> {
        if rows.len() > self.most && self.is_last {
            rows.drain(..rows.len() - self.most);
        }
        rows.truncate(self.most);
        if self.backwards {
            rows.reverse();
        }
        rows
    }

    /// Returns the frame that ends the answer, or that gives a key by which it is continued.
    pub(crate) fn end(&self, number: &[String], codes: &[&str], key: Option<String>) -> Vec<u8> {
        let (user_msg, rp_code) =
            (number.to_vec(), codes.iter().map(|&code| code.into()).collect());
        if self.minutes {
            let end = message!(ResponseTimeBarReplay { user_msg, rp_code, request_key: key });
            encode(&end, None)
        } else {
            let end = message!(ResponseTickBarReplay { user_msg, rp_code, request_key: key });
            encode(&end, None)
        }
    }
}

fn span(start: Option<i32>, finish: Option<i32>) -> (i32, i32) {
    (start.unwrap_or(0), finish.filter(|finish| *finish > 0).unwrap_or(i32::MAX))
}

fn most(count: Option<i32>) -> usize {
    count
        .and_then(|count| usize::try_from(count).ok())
        .filter(|most| *most > 0)
        .unwrap_or(usize::MAX)
}

/// Returns the contracts that were sold on the bid and bought on the offer.
fn sides(tick: &Tick) -> (u64, u64) {
    let size = u64::from(tick.size);
    match tick.aggressor() {
        Some(Side::Sell) => (size, 0),
        Some(Side::Buy) => (0, size),
        None => (0, 0),
    }
}

fn tick_row(tick: &Tick, symbol: &str, number: &[String]) -> Vec<u8> {
    let (seconds, micros) = stamp(tick.time);
    let price = Some(tick.price.as_f64());
    let (bid_volume, ask_volume) = sides(tick);
    let row = message!(ResponseTickBarReplay {
        user_msg: number.to_vec(),
        rq_handler_rp_code: vec!["0".to_owned()],
        symbol: Some(symbol.to_owned()),
        exchange: Some(EXCHANGE.to_owned()),
        r#type: Some(1),
        sub_type: Some(1),
        type_specifier: Some("1".to_owned()),
        num_trades: Some(1),
        volume: Some(u64::from(tick.size)),
        bid_volume: Some(bid_volume),
        ask_volume: Some(ask_volume),
        open_price: price,
        high_price: price,
        low_price: price,
        close_price: price,
        data_bar_ssboe: vec![seconds],
        data_bar_usecs: vec![micros],
    });
    encode(&row, None)
}

/// The rows of an answer.
#[derive(Debug)]
pub(crate) enum Rows {
    /// Ticks by their places.
    Ticks(Vec<usize>),
    Minutes(Vec<Minute>),
}

/// An answer, as far as it has been told.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) question: Question,
    /// The request's number.
    pub(crate) number: Vec<String>,
    pub(crate) rows: Rows,
    /// Rows that have been told.
    pub(crate) told: usize,
}

impl Answer {
    /// Returns the number of all rows.
    pub(crate) fn len(&self) -> usize {
        match &self.rows {
            Rows::Ticks(places) => places.len(),
            Rows::Minutes(minutes) => minutes.len(),
        }
    }

    /// Tells the next rows, at most that many, as frames.
    pub(crate) fn tell(&mut self, most: usize, ticks: &[Tick], symbol: &str) -> Vec<Vec<u8>> {
        let span = self.told..self.told.saturating_add(most).min(self.len());
        self.told = span.end;
        let number = &self.number;
        match &self.rows {
            Rows::Ticks(places) => {
                let row = |place: &usize| tick_row(&ticks[*place], symbol, number);
                places[span].iter().map(row).collect()
            }
            Rows::Minutes(minutes) => {
                minutes[span].iter().map(|minute| minute.frame(symbol, number)).collect()
            }
        }
    }
}

/// One minute in which there were trades.
#[derive(Debug)]
pub(crate) struct Minute {
    /// Its beginning, in seconds since 1970.
    start: i64,
    trades: u64,
    volume: u64,
    sides: (u64, u64),
    /// Open, high, low and close.
    prices: [Price; 4],
}

fn minutes<'a>(ticks: impl Iterator<Item = &'a Tick>) -> Vec<Minute> {
    let mut minutes: Vec<Minute> = Vec::new();
    for tick in ticks {
        let start = tick.time.nanos().div_euclid(60 * SECOND) * 60;
        if minutes.last().is_none_or(|minute| minute.start != start) {
            let prices = [tick.price; 4];
            minutes.push(Minute { start, trades: 0, volume: 0, sides: (0, 0), prices });
        }
        let minute = minutes.last_mut().expect("one was pushed");
        let (bid, ask) = sides(tick);
        minute.trades += 1;
        minute.volume += u64::from(tick.size);
        minute.sides = (minute.sides.0 + bid, minute.sides.1 + ask);
        minute.prices[1] = minute.prices[1].max(tick.price);
        minute.prices[2] = minute.prices[2].min(tick.price);
        minute.prices[3] = tick.price;
    }
    minutes
}

impl Minute {
    fn frame(&self, symbol: &str, number: &[String]) -> Vec<u8> {
        let [open, high, low, close] = self.prices.map(|price| Some(price.as_f64()));
        let row = message!(ResponseTimeBarReplay {
            user_msg: number.to_vec(),
            rq_handler_rp_code: vec!["0".to_owned()],
            symbol: Some(symbol.to_owned()),
            exchange: Some(EXCHANGE.to_owned()),
            r#type: Some(2),
            period: Some("1".to_owned()),
            marker: Some((self.start + 60) as i32),
            num_trades: Some(self.trades),
            volume: Some(self.volume),
            bid_volume: Some(self.sides.0),
            ask_volume: Some(self.sides.1),
            open_price: open,
            high_price: high,
            low_price: low,
            close_price: close,
        });
        encode(&row, None)
    }
}
