//! Past trades and minutes from the history plant, as a machine.
//!
//! The plant cuts its answers: after some seconds with a notice, which a request to continue
//! answers, and after some thousand rows without a word. Each answer that stops short of its end is
//! therefore asked on, from the second of its last row, until an answer brings nothing new.

use std::collections::VecDeque;
use std::time::Duration;

use prost::Message as _;

use super::{Aggressor, Contract, Gap, Trade};
use crate::Monotonic;
use crate::link::NotNow;
use crate::wire::{Envelope, Verdict, body, rti};

/// A kind of rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    /// Each trade (templates 206 and 207). Some are absent: minutes know better.
    Trades,
    /// The volume of each minute (templates 202 and 203).
    Minutes,
}

/// A question about the past of one contract.
#[derive(Clone, Debug)]
pub struct Query {
    /// The caller's number, which the answer repeats.
    pub key: u64,
    /// The kind of rows.
    pub what: What,
    /// The contract, `ESZ6`.
    pub symbol: String,
    /// The exchange, `CME`.
    pub exchange: String,
    /// The facts that its prices are read by.
    pub contract: Contract,
    /// The beginning, in nanoseconds since 1970. Rows of the whole second are told.
    pub from: i64,
    /// The end, whose second is told as well.
    pub to: i64,
    /// The time at which rows are of no more use.
    pub deadline: Monotonic,
    /// True if it is asked before those that are not. Their rows are kept meanwhile.
    pub is_urgent: bool,
}

impl Query {
    /// Returns the span in which history may have what a gap lacks. The key is the gap's number.
    pub fn of_gap(
        what: What,
        (symbol, exchange): (&str, &str),
        contract: Contract,
        gap: &Gap,
        deadline: Monotonic,
    ) -> Query {
        Query {
            key: u64::from(gap.number),
            what,
            symbol: symbol.to_owned(),
            exchange: exchange.to_owned(),
            contract,
            from: gap.from.saturating_sub(SECOND),
            to: gap.to.unwrap_or(gap.from),
            deadline,
            is_urgent: true,
        }
    }

    /// Returns the first and the last index of its rows: the second of a trade, or that in which a
    /// minute ends.
    fn indices(&self) -> (i32, i32) {
        let second = |time: i64| i32::try_from(time.div_euclid(SECOND)).unwrap_or(i32::MAX);
        match self.what {
            What::Trades => (second(self.from), second(self.to).saturating_add(1)),
            What::Minutes => {
                let minute = |time| second(time) / 60 * 60;
                (minute(self.from), minute(self.to).saturating_add(60))
            }
        }
    }

    /// Returns the request for its rows from that index on, oldest first.
    fn request(&self, start: i32) -> Vec<u8> {
        let finish = self.indices().1;
        match self.what {
            What::Trades => {
                use rti::request_tick_bar_replay::{BarSubType, BarType, Direction, TimeOrder};
                let mut request = rti::RequestTickBarReplay::default();
                request.symbol = Some(self.symbol.clone());
                request.exchange = Some(self.exchange.clone());
                request.bar_type = Some(BarType::TickBar.into());
                request.bar_sub_type = Some(BarSubType::Regular.into());
                request.bar_type_specifier = Some("1".to_owned());
                request.start_index = Some(start);
                request.finish_index = Some(finish);
                request.direction = Some(Direction::First.into());
                request.time_order = Some(TimeOrder::Forwards.into());
                request.resume_bars = Some(true);
                body(&request)
            }
            What::Minutes => {
                use rti::request_time_bar_replay::{BarType, Direction, TimeOrder};
                let mut request = rti::RequestTimeBarReplay::default();
                request.symbol = Some(self.symbol.clone());
                request.exchange = Some(self.exchange.clone());
                request.bar_type = Some(BarType::MinuteBar.into());
                request.bar_type_period = Some(1);
                request.start_index = Some(start);
                request.finish_index = Some(finish);
                request.direction = Some(Direction::First.into());
                request.time_order = Some(TimeOrder::Forwards.into());
                request.resume_bars = Some(true);
                body(&request)
            }
        }
    }
}

/// A minute of the past.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Minute {
    /// Its beginning, in nanoseconds since 1970.
    pub start: i64,
    /// Contracts that were traded in it.
    pub volume: u64,
}

/// The rows of an answer, in the order of time.
#[derive(Clone, Debug, PartialEq)]
pub enum Rows {
    /// Trades, without volumes.
    Trades(Vec<Trade>),
    /// Minutes.
    Minutes(Vec<Minute>),
}

/// The way in which an answer ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    /// It is all that the plant has of the span.
    Whole,
    /// The plant has nothing of the span: nothing was traded, or the contract has expired.
    Empty,
    /// The plant refused, with that code and text.
    Refused(String, String),
    /// Its time was over.
    Late,
    /// It has more rows than are kept, or than can be asked on.
    Cut,
}

/// An answer: what came of its rows until its end.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    /// The query's key.
    pub key: u64,
    /// The rows.
    pub rows: Rows,
    /// The end.
    pub end: End,
}

/// The answer that is coming in.
#[derive(Debug)]
struct Coming {
    rows: Vec<(i32, Row)>,
    /// The request, and the index from which it asks.
    body: Vec<u8>,
    start: i32,
    /// The request's number, once it is sent.
    asked: Option<u32>,
    /// The number of the request to continue.
    resumed: Option<u32>,
    /// Rows that came to this request.
    came: usize,
    /// True if rows came since the last request to continue.
    fresh: bool,
}

#[derive(Clone, Copy, Debug)]
enum Row {
    Trade(Trade),
    Minute(Minute),
}

/// Asks the history plant one query after another, the urgent ones first. All requests go by a
/// closure of the caller, which is [`Link::request`](crate::link::Link::request) of the history
/// link.
#[derive(Debug, Default)]
pub struct History {
    /// Each with its answer, once it was asked.
    queries: VecDeque<(Query, Option<Coming>)>,
    invalid: u64,
}

impl History {
    /// The most rows of an answer.
    pub const LARGEST: usize = 1 << 21;
    /// The rows after which a plant may cut an answer without a notice.
    const CAP: usize = 10_000;
    /// The time from one part of an answer to the next; an answer that takes longer is asked again.
    pub const PATIENCE: Duration = Duration::from_secs(5);

    /// Rows that were skipped because a price, a size or a time of theirs is invalid.
    pub fn invalid(&self) -> u64 {
        self.invalid
    }

    /// Adds a query. It is asked by [`on_time`](History::on_time).
    pub fn query(&mut self, query: Query) {
        let mut place = self.queries.len();
        if query.is_urgent {
            place = self.queries.iter().take_while(|(other, _)| other.is_urgent).count();
            if place == 0
                && let Some((first, Some(coming))) = self.queries.front_mut()
            {
                coming.go_on(first);
            }
        }
        self.queries.insert(place, (query, None));
    }

    /// Returns the rows that came of a query's answer, and the time of the last of them, in
    /// nanoseconds since 1970; `None` before the first.
    pub fn progress(&self, key: u64) -> Option<(usize, i64)> {
        let (_, coming) = self.queries.iter().find(|(query, _)| query.key == key)?;
        let rows = &coming.as_ref()?.rows;
        Some((rows.len(), rows.last()?.1.time()))
    }

    /// Forgets the queries with that key.
    pub fn forget(&mut self, key: u64) {
        self.queries.retain(|(query, _)| query.key != key);
    }

    /// Ends what is late, and asks what can be asked. Call it with each poll of the link.
    pub fn on_time(
        &mut self,
        now: Monotonic,
        ask: &mut impl FnMut(&[u8], Duration) -> Result<u32, NotNow>,
        out: &mut Vec<Answer>,
    ) {
        while let Some(late) = self.queries.iter().position(|(query, _)| now >= query.deadline) {
            self.end(late, End::Late, out);
        }
        let Some((query, coming)) = self.queries.front_mut() else { return };
        let coming = coming.get_or_insert_with(|| Coming::new(query));
        if coming.asked.is_none() {
            coming.asked = ask(&coming.body, Self::PATIENCE).ok();
        }
    }

    /// Takes a message of the history link. Returns whether it is an answer of the plant's past,
    /// this one's or an earlier one's.
    pub fn on_message(
        &mut self,
        envelope: &Envelope<'_>,
        message: &[u8],
        now: Monotonic,
        ask: &mut impl FnMut(&[u8], Duration) -> Result<u32, NotNow>,
        out: &mut Vec<Answer>,
    ) -> bool {
        let is_past = matches!(envelope.template, 203 | 207 | 211);
        let Some((query, Some(coming))) = self.queries.front_mut() else { return is_past };
        let refused = envelope.verdict() == Verdict::Refused;
        let is_answer = envelope.request.is_some() && envelope.request == coming.asked;
        let is_resumed = envelope.request.is_some() && envelope.request == coming.resumed;
        if !(is_answer || is_resumed && refused) {
            return is_past || is_resumed;
        }
        if is_answer {
            match coming.take(query, message) {
                Some(true) => {}
                Some(false) => self.invalid += 1,
                None if envelope.resume.is_some() => coming.resume(envelope, ask),
                None => {}
            }
        }
        let end = match envelope.verdict() {
            _ if coming.rows.len() >= Self::LARGEST => Some(End::Cut),
            Verdict::More => None,
            Verdict::Done | Verdict::Empty => coming.end_of_page(query),
            Verdict::Refused => {
                let text = |text: Option<&str>| text.unwrap_or("").to_owned();
                Some(End::Refused(text(envelope.code), text(envelope.text)))
            }
        };
        if let Some(end) = end {
            self.end(0, end, out);
        }
        self.on_time(now, ask, out);
        true
    }

    /// Takes note that a request of the history link has no answer: it is asked again.
    pub fn on_unanswered(&mut self, number: u32) {
        if let Some((query, Some(coming))) = self.queries.front_mut()
            && coming.asked == Some(number)
        {
            coming.go_on(query);
        }
    }

    fn end(&mut self, place: usize, end: End, out: &mut Vec<Answer>) {
        let Some((query, coming)) = self.queries.remove(place) else { return };
        let mut rows = coming.map_or_else(Vec::new, |coming| coming.rows);
        rows.sort_by_key(|(_, row)| row.time());
        let rows = rows.into_iter().map(|(_, row)| row);
        let rows = match query.what {
            What::Trades => Rows::Trades(rows.filter_map(Row::trade).collect()),
            What::Minutes => Rows::Minutes(rows.filter_map(Row::minute).collect()),
        };
        out.push(Answer { key: query.key, rows, end });
    }
}

impl Coming {
    fn new(query: &Query) -> Coming {
        let start = query.indices().0;
        let body = query.request(start);
        let (rows, asked, resumed) = (Vec::new(), None, None);
        Coming { rows, body, start, asked, resumed, came: 0, fresh: false }
    }

    /// Takes a row; `None` if the message has none, `Some(false)` if it is invalid.
    fn take(&mut self, query: &Query, message: &[u8]) -> Option<bool> {
        let row = match query.what {
            What::Trades => {
                let part = rti::ResponseTickBarReplay::decode(message).unwrap_or_default();
                part.data_bar_ssboe.last()?;
                trade(&part, &query.contract).map(Row::Trade)
            }
            What::Minutes => {
                let part = rti::ResponseTimeBarReplay::decode(message).unwrap_or_default();
                part.marker?;
                minute(&part).map(Row::Minute)
            }
        };
        let Some(row) = row else { return Some(false) };
        if self.came == 0 {
            // The rows of the second from which it asks come again.
            let start = self.start;
            self.rows.retain(|(index, _)| *index < start);
        }
        self.came += 1;
        self.fresh = true;
        self.rows.push((row.index(), row));
        Some(true)
    }

    /// Asks the plant to continue an answer that it has cut, once after each cut.
    fn resume(
        &mut self,
        envelope: &Envelope<'_>,
        ask: &mut impl FnMut(&[u8], Duration) -> Result<u32, NotNow>,
    ) {
        if std::mem::take(&mut self.fresh) || self.resumed.is_none() {
            let mut request = rti::RequestResumeBars::default();
            request.request_key = envelope.resume.map(str::to_owned);
            // If the link takes none, the answer stays away and is asked again.
            self.resumed = ask(&body(&request), History::PATIENCE).ok();
        }
    }

    /// Returns how the answer has ended with its request; `None` if it is asked on.
    fn end_of_page(&mut self, query: &Query) -> Option<End> {
        let last = self.rows.iter().map(|(index, _)| *index).max();
        match last {
            None => Some(End::Empty),
            Some(last) if last >= query.indices().1.saturating_sub(1) => Some(End::Whole),
            Some(last) if last > self.start => {
                self.go_on(query);
                None
            }
            // More rows of one second than an answer has room for.
            Some(_) if self.came >= History::CAP => Some(End::Cut),
            Some(_) => Some(End::Whole),
        }
    }

    /// Prepares the request for all from the last row on.
    fn go_on(&mut self, query: &Query) {
        let last = self.rows.iter().map(|(index, _)| *index).max();
        self.start = last.unwrap_or(self.start).max(self.start);
        self.body = query.request(self.start);
        (self.asked, self.resumed, self.came, self.fresh) = (None, None, 0, false);
    }
}

impl Row {
    fn time(&self) -> i64 {
        match self {
            Row::Trade(trade) => trade.time,
            Row::Minute(minute) => minute.start,
        }
    }

    /// Returns the index by which the plant counts it.
    fn index(&self) -> i32 {
        let second = (self.time() / SECOND) as i32;
        match self {
            Row::Trade(_) => second,
            Row::Minute(_) => second + 60,
        }
    }

    fn trade(self) -> Option<Trade> {
        if let Row::Trade(trade) = self { Some(trade) } else { None }
    }

    fn minute(self) -> Option<Minute> {
        if let Row::Minute(minute) = self { Some(minute) } else { None }
    }
}

/// A second in nanoseconds.
const SECOND: i64 = 1_000_000_000;

/// Returns the trade of one part of an answer (template 207), by the last of its times: the first
/// is that of the request. `None` if price, size or time is invalid.
fn trade(part: &rti::ResponseTickBarReplay, contract: &Contract) -> Option<Trade> {
    let ticks = contract.traded_ticks(part.close_price?)?;
    let size = part.volume.and_then(|size| u32::try_from(size).ok()).filter(|size| *size > 0)?;
    let (seconds, micros) = (part.data_bar_ssboe.last()?, part.data_bar_usecs.last().unwrap_or(&0));
    let valid = *seconds >= 0 && (0..1_000_000).contains(micros);
    let time = i64::from(*seconds) * SECOND + i64::from(*micros) * 1_000;
    let side = |volume: Option<u64>| volume == Some(u64::from(size));
    valid.then_some(Trade {
        time,
        gateway_time: time,
        ticks,
        size,
        volume: None,
        // A trade on the offer was the buyer's.
        aggressor: match (side(part.ask_volume), side(part.bid_volume)) {
            (true, false) => Aggressor::Buyer,
            (false, true) => Aggressor::Seller,
            _ => Aggressor::Unknown,
        },
        is_snapshot: false,
        bid: None,
        ask: None,
    })
}

/// Returns the minute of one part of an answer (template 203), which its end marks. `None` if mark
/// or volume is invalid.
fn minute(part: &rti::ResponseTimeBarReplay) -> Option<Minute> {
    let volume = part.volume.filter(|volume| *volume <= Trade::LARGEST_VOLUME)?;
    let start = part.marker?.checked_sub(60)?;
    let valid = start >= 0 && start % 60 == 0;
    valid.then_some(Minute { start: i64::from(start) * SECOND, volume })
}
