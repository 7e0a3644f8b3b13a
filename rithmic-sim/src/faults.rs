//! The faults of a script while a gateway runs: those that wait, and the marks of those that came.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use algospace_hft::market::Timestamp;
use algospace_hft::random::philox4x32_10;
use algospace_hft_rithmic::Monotonic;

use crate::script::{Fault, Moment, Quirks, Script, When};
use crate::{ClientId, Output};

/// The purpose of a random draw.
#[derive(Clone, Copy)]
pub(crate) enum Draw {
    ReplayLoss = 1,
    Statistic = 2,
    Bracket = 3,
    FillLoss = 4,
    FillRepeat = 5,
}

/// The way of frames to one client, or to all.
#[derive(Debug, Default)]
struct Line {
    mute_until: Monotonic,
    delay: Duration,
    slow_until: Monotonic,
    stalled_until: Monotonic,
    /// Frames on their way, with the times at which they leave.
    delayed: VecDeque<(Monotonic, Output)>,
}

/// A fault that waits for its occasion.
#[derive(Debug)]
struct Waiting {
    fault: Fault,
    /// Requests that it has counted.
    requests: u32,
}

/// The fate of the next trades.
#[derive(Debug, Default)]
pub(crate) struct NextTrades {
    pub(crate) lose: u32,
    pub(crate) duplicate: u32,
    pub(crate) reorder: u32,
    /// Trades that are told in reverse order, once there are enough.
    held: Vec<(u16, Vec<u8>)>,
}

/// The faults of a gateway.
#[derive(Debug)]
pub(crate) struct Faults {
    seed: u64,
    pub(crate) quirks: Quirks,
    waiting: Vec<Waiting>,
    all: Line,
    lines: BTreeMap<ClientId, Line>,
    /// Connections are refused until then, and at least that many.
    refuse_until: Monotonic,
    refuse_count: u32,
    pub(crate) trades: NextTrades,
    /// Nanoseconds by which the gateway's clock is ahead of the market's.
    pub(crate) skew: i64,
}

impl Faults {
    pub(crate) fn new(script: &Script) -> Faults {
        let waiting = |fault: &Fault| Waiting { fault: fault.clone(), requests: 0 };
        Faults {
            seed: script.seed,
            quirks: script.quirks.clone(),
            waiting: script.faults.iter().map(waiting).collect(),
            all: Line::default(),
            lines: BTreeMap::new(),
            refuse_until: Monotonic::default(),
            refuse_count: 0,
            trades: NextTrades::default(),
            skew: 0,
        }
    }

    /// Returns the market's time of the next fault that waits for one.
    pub(crate) fn next_time(&self) -> Option<Timestamp> {
        let time = |waiting: &Waiting| match waiting.fault.when {
            When::Time(time) => Some(time),
            _ => None,
        };
        self.waiting.iter().filter_map(time).min()
    }

    /// Takes the faults whose time has come.
    pub(crate) fn at_time(&mut self, now: Timestamp) -> Vec<Fault> {
        self.take(|waiting| matches!(waiting.fault.when, When::Time(time) if time <= now))
    }

    /// Takes the faults of that many trades.
    pub(crate) fn at_ticks(&mut self, passed: u64) -> Vec<Fault> {
        self.take(|waiting| matches!(waiting.fault.when, When::Ticks(ticks) if ticks <= passed))
    }

    /// Takes the faults of that many fills.
    pub(crate) fn at_fills(&mut self, filled: u64) -> Vec<Fault> {
        self.take(|waiting| matches!(waiting.fault.when, When::Fills(fills) if fills <= filled))
    }

    /// Takes the faults of a request.
    pub(crate) fn at_request(&mut self, asked: Option<i32>, template: i32) -> Vec<Fault> {
        self.take(|waiting| match waiting.fault.when {
            When::Request { plant, template: wanted, nth, .. } => {
                let is_meant = plant.is_none_or(|plant| asked == Some(plant as i32));
                waiting.requests += u32::from(is_meant && template == wanted);
                waiting.requests >= nth
            }
            _ => false,
        })
    }

    fn take(&mut self, is_due: impl FnMut(&mut Waiting) -> bool) -> Vec<Fault> {
        self.waiting.extract_if(.., is_due).map(|waiting| waiting.fault).collect()
    }

    /// Makes clients mute; without a list all, and those that come.
    pub(crate) fn mute(&mut self, clients: Option<&[ClientId]>, until: Monotonic) {
        self.mark(clients, |line| line.mute_until = until);
    }

    /// Delays the frames to clients; without a list to all, and to those that come.
    pub(crate) fn slow(&mut self, clients: Option<&[ClientId]>, delay: Duration, until: Monotonic) {
        self.mark(clients, |line| (line.delay, line.slow_until) = (delay, until));
    }

    /// Lets the frames to clients wait; without a list those to all, and to those that come.
    pub(crate) fn stall(&mut self, clients: Option<&[ClientId]>, until: Monotonic) {
        self.mark(clients, |line| line.stalled_until = until);
    }

    fn mark(&mut self, clients: Option<&[ClientId]>, mut mark: impl FnMut(&mut Line)) {
        match clients {
            None => mark(&mut self.all),
            Some(clients) => {
                clients.iter().for_each(|client| mark(self.lines.entry(*client).or_default()));
            }
        }
    }

    /// Refuses connections until then, and at least that many.
    pub(crate) fn refuse(&mut self, until: Monotonic, count: u32) {
        (self.refuse_until, self.refuse_count) = (until, count);
    }

    /// Returns whether a connection is taken.
    pub(crate) fn admits(&mut self, now: Monotonic) -> bool {
        let is_refused = now < self.refuse_until || self.refuse_count > 0;
        self.refuse_count = self.refuse_count.saturating_sub(1);
        !is_refused
    }

    /// Forgets a client, and what is on its way to it.
    pub(crate) fn forget(&mut self, client: ClientId) {
        self.lines.remove(&client);
    }

    pub(crate) fn is_mute(&self, client: ClientId, now: Monotonic) -> bool {
        let is_mute = |line: &Line| now < line.mute_until;
        is_mute(&self.all) || self.lines.get(&client).is_some_and(is_mute)
    }

    /// Passes outputs on: at once, later, or not at all.
    pub(crate) fn pass(&mut self, from: &mut Vec<Output>, to: &mut Vec<Output>, now: Monotonic) {
        for output in from.drain(..) {
            match output {
                Output::Send(client, _) | Output::Text(client, _) => {
                    self.pass_frame(client, output, to, now);
                }
                Output::Close(client) | Output::Reset(client) => {
                    self.lines.remove(&client);
                    to.push(output);
                }
            }
        }
    }

    fn pass_frame(
        &mut self,
        client: ClientId,
        output: Output,
        to: &mut Vec<Output>,
        now: Monotonic,
    ) {
        if self.is_mute(client, now) {
            return;
        }
        let leaves = |line: &Line| {
            let is_slow = now < line.slow_until;
            let delay = if is_slow { line.delay } else { Duration::ZERO };
            now.after(delay).max(line.stalled_until)
        };
        let line = self.lines.get(&client);
        let last = line.and_then(|line| line.delayed.back()).map(|(leaves, _)| *leaves);
        let leaves = leaves(&self.all).max(line.map_or(now, leaves));
        if last.is_none() && leaves <= now {
            to.push(output);
        } else {
            let leaves = last.map_or(leaves, |last| last.max(leaves));
            self.lines.entry(client).or_default().delayed.push_back((leaves, output));
        }
    }

    /// Passes on what was delayed until now.
    pub(crate) fn release(&mut self, to: &mut Vec<Output>, now: Monotonic) {
        let all_mute = now < self.all.mute_until;
        for line in self.lines.values_mut() {
            while let Some((leaves, _)) = line.delayed.front()
                && *leaves <= now
            {
                let output = line.delayed.pop_front().map(|(_, output)| output);
                to.extend(output.filter(|_| !all_mute && now >= line.mute_until));
            }
        }
    }

    /// Returns when something that was delayed leaves.
    pub(crate) fn due(&self) -> Option<Monotonic> {
        let first = |line: &Line| line.delayed.front().map(|(leaves, _)| *leaves);
        self.lines.values().filter_map(first).min()
    }

    /// Returns whether history lacks a trade, by its place in the file.
    pub(crate) fn is_lost(&self, place: usize) -> bool {
        draws(self.seed, Draw::ReplayLoss, place, self.quirks.tick_replay_loss)
    }

    /// Returns whether a statistic follows a trade, by its place in the file.
    pub(crate) fn has_statistic(&self, place: usize) -> bool {
        draws(self.seed, Draw::Statistic, place, self.quirks.price_less_trades)
    }
}

/// Draws with that chance: the same for the same place.
pub(crate) fn draws(seed: u64, draw: Draw, place: usize, chance: f64) -> bool {
    if chance <= 0.0 {
        return false;
    }
    let (low, high) = (|number: u64| number as u32, |number: u64| (number >> 32) as u32);
    let key = [low(seed), high(seed)];
    let counter = [draw as u32, low(place as u64), high(place as u64), 0];
    f64::from(philox4x32_10(key, counter)[0]) < chance * 4_294_967_296.0
}

impl NextTrades {
    /// Takes the frame of a trade in a contract, and returns those that are told now.
    pub(crate) fn pass(&mut self, contract: u16, frame: Vec<u8>) -> Vec<(u16, Vec<u8>)> {
        if self.lose > 0 {
            self.lose -= 1;
            return Vec::new();
        }
        let trade = (contract, frame);
        if self.reorder > 0 {
            self.reorder -= 1;
            self.held.push(trade);
            if self.reorder > 0 {
                return Vec::new();
            }
            self.held.reverse();
            return std::mem::take(&mut self.held);
        }
        if self.duplicate > 0 {
            self.duplicate -= 1;
            return vec![trade.clone(), trade];
        }
        vec![trade]
    }
}

/// Returns whether a fault comes at that moment of its request.
pub(crate) fn is_at(fault: &Fault, moment: Moment) -> bool {
    matches!(fault.when, When::Request { at, .. } if at == moment)
}
