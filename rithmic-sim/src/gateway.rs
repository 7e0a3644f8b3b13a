//! The gateway as a machine.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::time::Duration;

use algospace_hft::market::Timestamp;
use algospace_hft_rithmic::Monotonic;
use algospace_hft_rithmic::link::Plant;
use algospace_hft_rithmic::wire::prost::Message;
use algospace_hft_rithmic::wire::{Envelope, Incoming, Template, decode, encode, messages, rti};

use crate::broker::{AccountSettings, Broker};
use crate::faults::{Faults, is_at};
use crate::history::{Answer, Question};
use crate::market::Market;
use crate::messages::{self, EXCHANGE, codes, good, message, stamp};
use crate::script::{Action, Fault, Garbage, Moment, Script};

/// A connection, by the caller's number for it. No number is used twice.
pub type ClientId = u32;

/// The settings of a gateway.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The user that may log in.
    pub user: String,
    /// That user's password.
    pub password: String,
    /// The system that the login must name.
    pub system: String,
    /// Seconds from one heartbeat to the next that a login's answer asks for.
    pub heartbeat_seconds: f64,
    /// Seconds of the market for each second of the clock, above zero. Infinite: as fast as
    /// possible.
    pub speed: f64,
    /// Trades that pass while no client is subscribed, after which the market stands until one is
    /// again. `None`: it passes without a client.
    pub absence: Option<u64>,
    /// The account of the order plant and the P&L plant.
    pub account: AccountSettings,
    /// Faults, quirks, and stops of the market's clock.
    pub script: Script,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            user: "paper".to_owned(),
            password: "paper".to_owned(),
            system: "Rithmic Simulator".to_owned(),
            heartbeat_seconds: 30.0,
            speed: 1.0,
            absence: None,
            account: AccountSettings::default(),
            script: Script::default(),
        }
    }
}

/// An event that a gateway is told.
#[derive(Clone, Copy, Debug)]
pub enum Input<'a> {
    /// A client has connected.
    Connect(ClientId),
    /// A client has sent a binary WebSocket message.
    Frame(ClientId, &'a [u8]),
    /// A connection has closed or broken.
    Closed(ClientId),
    /// Time has passed: [`Gateway::due`].
    Time,
}

/// An action that a gateway asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// Send this binary WebSocket message.
    Send(ClientId, Vec<u8>),
    /// Send this text, which no gateway does.
    Text(ClientId, String),
    /// Close the connection in order.
    Close(ClientId),
    /// Break the connection, without a farewell.
    Reset(ClientId),
}

/// The state of one connection.
#[derive(Debug, Default)]
struct Client {
    /// The plant at which it is logged in, as a number.
    plant: Option<i32>,
    /// Contracts by their index, with the bits of what is subscribed.
    subscriptions: BTreeMap<u16, u32>,
    /// The answer that was cut.
    cut: Option<Answer>,
}

/// A gateway: the plants of market data, history, orders and P&L. It has no thread, clock or
/// socket: it is told its input with the time, and its outputs are taken after each.
///
/// The market stands until a client subscribes to a contract or sends an order for the first time,
/// so that each run shows the same ticks. From then on its clock follows the caller's, times
/// [`Settings::speed`].
#[derive(Debug)]
pub struct Gateway {
    settings: Settings,
    market: Market,
    broker: Broker,
    clients: BTreeMap<ClientId, Client>,
    /// An instant since when the market's clock runs, and its time then; `None` before it began.
    begun: Option<(Monotonic, Timestamp)>,
    /// Trades since the last client left.
    unseen: u64,
    /// Trades that the market has shown since it began.
    shown: u64,
    /// The market's time of the next change of its mode.
    next_mode: Option<Timestamp>,
    /// The bar of the last trade, by its number since 1970.
    bar: Option<i64>,
    faults: Faults,
    /// Actions that have still to pass the faults.
    outputs: Vec<Output>,
    ready: Vec<Output>,
    happened: Vec<(Timestamp, Action)>,
}

/// The next event of the market.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Next {
    Fault,
    Mode,
    Broker,
    Tick,
}

impl Gateway {
    /// Ticks that one input tells at most, so that frames are read in a flood.
    pub const BATCH: usize = 1_000;

    /// Creates a gateway for a market, which stands.
    pub fn new(settings: Settings, market: Market) -> Gateway {
        let broker = Broker::new(&settings, &market);
        let faults = Faults::new(&settings.script);
        Gateway {
            settings,
            market,
            broker,
            clients: BTreeMap::new(),
            begun: None,
            unseen: 0,
            shown: 0,
            next_mode: None,
            bar: None,
            faults,
            outputs: Vec::new(),
            ready: Vec::new(),
            happened: Vec::new(),
        }
    }

    /// The market.
    pub fn market(&self) -> &Market {
        &self.market
    }

    /// Writes all orders as CSV: those that were sent, and those that their brackets made.
    ///
    /// # Errors
    /// If they cannot be written.
    pub fn write_orders(&self, into: &mut impl Write) -> io::Result<()> {
        self.broker.write_orders(into)
    }

    /// Writes all fills as CSV.
    ///
    /// # Errors
    /// If they cannot be written.
    pub fn write_fills(&self, into: &mut impl Write) -> io::Result<()> {
        self.broker.write_fills(into)
    }

    /// Returns the market, where it stands.
    pub fn into_market(self) -> Market {
        self.market
    }

    /// Takes one event. [`outputs`](Gateway::outputs) has then what is to be done.
    pub fn on(&mut self, input: Input<'_>, now: Monotonic) {
        self.faults.release(&mut self.ready, now);
        match input {
            Input::Connect(client) => drop(self.clients.insert(client, Client::default())),
            Input::Closed(client) => self.forget(client),
            Input::Frame(client, frame) => self.on_frame(client, frame, now),
            Input::Time => {}
        }
        self.pass_market(now);
        self.flush(now);
    }

    /// Returns whether a connection is taken that somebody wants to open. If so,
    /// [`Input::Connect`] follows once it is open.
    pub fn admits(&mut self, now: Monotonic) -> bool {
        self.faults.admits(now)
    }

    /// Returns true while a client hears nothing and is not heard. Its frames are not to be read,
    /// nor its pings answered.
    pub fn is_mute(&self, client: ClientId, now: Monotonic) -> bool {
        self.faults.is_mute(client, now)
    }

    /// Takes the actions that the inputs so far ask for, in their order.
    pub fn outputs(&mut self) -> std::vec::Drain<'_, Output> {
        self.ready.drain(..)
    }

    /// Takes the faults that have happened, with the market's time of each.
    pub fn happened(&mut self) -> std::vec::Drain<'_, (Timestamp, Action)> {
        self.happened.drain(..)
    }

    /// Returns the instant at which [`Input::Time`] is due; `None` while only a client can change
    /// anything.
    pub fn due(&self) -> Option<Monotonic> {
        let next = self.next().map(|(due, ..)| due);
        next.into_iter().chain(self.faults.due()).min()
    }

    /// Returns the next event of the market, when it is due, and the market's time then.
    fn next(&self) -> Option<(Monotonic, Timestamp, Next)> {
        let (begun, start) = self.begun.filter(|_| !self.stands())?;
        let events = [
            (self.faults.next_time(), Next::Fault),
            (self.next_mode, Next::Mode),
            // A message that arrives with a trade is there before it.
            (self.broker.books.due(), Next::Broker),
            (self.market.next_time(), Next::Tick),
        ];
        let (time, next) =
            events.into_iter().filter_map(|(time, next)| Some((time?, next))).min()?;
        let nanos = ((time - start) as f64 / self.settings.speed).max(0.0);
        Some((begun.after(Duration::from_nanos(nanos as u64)), time.max(start), next))
    }

    /// Returns the market's time.
    pub fn market_time(&self, now: Monotonic) -> Timestamp {
        match self.begun {
            Some((begun, start)) if self.settings.speed.is_finite() && !self.stands() => {
                let span = now.since(begun).as_nanos() as f64 * self.settings.speed;
                start.saturating_add(span as i64)
            }
            _ => self.market.time(),
        }
    }

    /// Returns `true` if the market waits for a client to come back.
    fn stands(&self) -> bool {
        self.settings.absence.is_some_and(|most| self.unseen >= most) && !self.is_seen()
    }

    fn is_seen(&self) -> bool {
        self.clients.values().any(|client| client.subscriptions.values().any(|bits| *bits != 0))
    }

    /// Lets the market begin, if it has not.
    fn begin(&mut self, now: Monotonic, time: Timestamp) {
        if self.begun.is_none() {
            self.begun = Some((now, time));
            self.next_mode = self.market.next_change(time);
        }
    }

    /// Lets actions pass the faults that are in force.
    fn flush(&mut self, now: Monotonic) {
        self.faults.pass(&mut self.outputs, &mut self.ready, now);
    }

    fn pass_market(&mut self, now: Monotonic) {
        for _ in 0..Self::BATCH {
            let Some((_, time, next)) = self.next().filter(|(due, ..)| *due <= now) else {
                return;
            };
            match next {
                Next::Fault => {
                    let faults = self.faults.at_time(time);
                    self.apply_all(&faults, time, now);
                }
                Next::Mode => self.tell_modes(time),
                Next::Broker => self.broker.advance(time, &mut self.outputs),
                Next::Tick => {
                    self.tell_tick(now);
                    self.shown += 1;
                    let mut faults = self.faults.at_ticks(self.shown);
                    faults.extend(self.faults.at_fills(self.broker.books.fills.len() as u64));
                    self.apply_all(&faults, time, now);
                }
            }
        }
    }

    /// Lets faults happen that no request has brought.
    fn apply_all(&mut self, faults: &[Fault], time: Timestamp, now: Monotonic) {
        for fault in faults {
            self.flush(now);
            self.apply(fault, None, time, now);
        }
    }

    /// Lets a fault happen: to the connection that asked, if its request is the occasion.
    fn apply(&mut self, fault: &Fault, asker: Option<ClientId>, time: Timestamp, now: Monotonic) {
        self.happened.push((time, fault.action.clone()));
        let is_meant = |(id, client): (&ClientId, &Client)| {
            let is_meant = match (fault.plant, asker) {
                (Some(plant), _) => client.plant == Some(plant as i32),
                (None, Some(asker)) => *id == asker,
                (None, None) => true,
            };
            is_meant.then_some(*id)
        };
        let clients: Vec<ClientId> = self.clients.iter().filter_map(is_meant).collect();
        let some = (fault.plant.is_some() || asker.is_some()).then_some(&clients[..]);
        match fault.action {
            Action::Drop => clients.iter().for_each(|id| self.end(Output::Close(*id), *id)),
            Action::Reset => clients.iter().for_each(|id| self.end(Output::Reset(*id), *id)),
            Action::ForcedLogout => clients.iter().for_each(|id| self.force_out(*id)),
            Action::Garble(kind) => clients.iter().for_each(|id| {
                self.outputs.push(match kind {
                    Garbage::Text => Output::Text(*id, "this is no frame".to_owned()),
                    _ => Output::Send(*id, messages::garbage(kind)),
                });
            }),
            Action::Mute(span) => self.faults.mute(some, now.after(span)),
            Action::Slow { delay, span } => self.faults.slow(some, delay, now.after(span)),
            Action::Stall(span) => self.faults.stall(some, now.after(span)),
            Action::RefuseConnections { span, count } => {
                self.faults.refuse(now.after(span), count);
            }
            Action::Lose(count) => self.faults.trades.lose += count,
            Action::Duplicate(count) => self.faults.trades.duplicate += count,
            Action::Reorder(count) => self.faults.trades.reorder += count,
            Action::ClockStep(by) => {
                self.faults.skew = self.faults.skew.saturating_add(by);
                self.broker.books.skew = self.faults.skew;
            }
            Action::Halt(span) => {
                self.market.halt(time.saturating_add(span.as_nanos() as i64));
                self.tell_modes(time);
            }
            Action::ForeignOrder { side, count } => {
                self.broker.books.trade(self.market.front(), side, count, time);
            }
            // It takes the place of the answer.
            Action::Reject { .. } => {}
        }
    }

    /// Ends a connection, and forgets what was still to be sent to it.
    fn end(&mut self, how: Output, id: ClientId) {
        self.outputs.retain(|output| !matches!(output, Output::Send(other, _) if *other == id));
        self.outputs.push(how);
        self.forget(id);
    }

    /// Logs a client out, since another has logged in, or looks as if.
    fn force_out(&mut self, id: ClientId) {
        self.end(Output::Send(id, encode(&message!(ForcedLogout {}), None)), id);
        self.outputs.push(Output::Close(id));
    }

    /// Tells the market's modes at that time to those who have subscribed to them.
    fn tell_modes(&mut self, time: Timestamp) {
        use rti::request_market_data_update::UpdateBits::MarketMode;
        let subscribed = |client: &Client| {
            let is_told = |(_, bits): &(&u16, &u32)| **bits & MarketMode as u32 != 0;
            let contracts = client.subscriptions.iter().filter(is_told);
            contracts.map(|(contract, _)| *contract).collect::<Vec<_>>()
        };
        let told: Vec<_> =
            self.clients.iter().map(|(id, client)| (*id, subscribed(client))).collect();
        for (id, contracts) in told {
            for contract in contracts {
                self.send(id, &self.mode(contract, time));
            }
        }
        let resumes = self.market.halt_at(time);
        self.next_mode = self.market.next_change(time).into_iter().chain(resumes).min();
    }

    /// Stops the market's clock behind the first trade of a bar.
    fn pause(&mut self, time: Timestamp, now: Monotonic) {
        let Some(pause) = self.settings.script.pause else { return };
        let bar = time.nanos().div_euclid(i64::from(pause.bar_seconds) * Timestamp::SECOND);
        if self.bar.replace(bar) != Some(bar) {
            self.begun = Some((now.after(pause.length), time));
        }
    }

    fn forget(&mut self, id: ClientId) {
        self.clients.remove(&id);
        self.broker.forget(id);
        self.faults.forget(id);
    }

    /// Tells the next tick to those who have subscribed to its contract.
    fn tell_tick(&mut self, now: Monotonic) {
        use rti::request_market_data_update::UpdateBits::{Bbo, LastTrade};
        let place = self.market.position();
        let Some((tick, quotes)) = self.market.advance() else { return };
        self.unseen = if self.is_seen() { 0 } else { self.unseen + 1 };
        self.broker.books.on_tick(&tick);
        self.pause(tick.time, now);
        let symbol = &self.market.symbols()[usize::from(tick.contract)];
        let volume = self.market.state(tick.contract).volume;
        let bits = |client: &Client| client.subscriptions.get(&tick.contract).copied();
        if self.clients.values().all(|client| bits(client).is_none()) {
            return;
        }
        let skew = self.faults.skew;
        let time = tick.time.saturating_add(skew);
        let quote = messages::quote(symbol, quotes, time, false);
        let trade = messages::trade(symbol, &tick, volume, skew, false);
        let statistic = self
            .faults
            .has_statistic(place)
            .then(|| (tick.contract, messages::statistic(symbol, time, volume)));
        let mut trades = self.faults.trades.pass(tick.contract, trade);
        trades.extend(statistic);
        for (&id, client) in &self.clients {
            let bits = bits(client).unwrap_or(0);
            if let Some(quote) = quote.as_ref().filter(|_| bits & Bbo as u32 != 0) {
                self.outputs.push(Output::Send(id, quote.clone()));
            }
            for (contract, trade) in &trades {
                let bits = client.subscriptions.get(contract).copied().unwrap_or(0);
                if bits & LastTrade as u32 != 0 {
                    self.outputs.push(Output::Send(id, trade.clone()));
                }
            }
        }
    }

    fn on_frame(&mut self, id: ClientId, frame: &[u8], now: Monotonic) {
        for message in messages(frame) {
            // Rithmic is not known to answer what it cannot read.
            if let Ok(Incoming::Other(envelope, message)) = message.and_then(decode) {
                self.on_request(id, &envelope, message, now);
            }
        }
    }

    /// Takes a request, with the faults that it brings.
    fn on_request(&mut self, id: ClientId, envelope: &Envelope<'_>, bytes: &[u8], now: Monotonic) {
        if self.faults.is_mute(id, now) {
            return;
        }
        let template = envelope.template;
        let login = (template == 10).then(|| rti::RequestLogin::decode(bytes).ok()).flatten();
        let plant = login.map_or_else(
            || self.clients.get(&id).and_then(|client| client.plant),
            |login| login.infra_type,
        );
        let faults = self.faults.at_request(plant, template);
        if faults.is_empty() {
            return self.on_message(id, envelope, bytes, now);
        }
        let time = self.market_time(now);
        let at = |moment| faults.iter().filter(move |fault| is_at(fault, moment));
        self.flush(now);
        at(Moment::BeforeRequest).for_each(|fault| self.apply(fault, Some(id), time, now));
        let rejected = faults.iter().find_map(|fault| match &fault.action {
            Action::Reject { code, text } => Some((code, text)),
            _ => None,
        });
        if let Some((code, text)) = rejected {
            let refusal = messages::refusal(template, number(bytes), code, text);
            self.outputs.push(Output::Send(id, refusal));
        } else if at(Moment::BeforeRequest).next().is_none() {
            self.on_message(id, envelope, bytes, now);
        }
        at(Moment::BeforeReply).for_each(|fault| self.apply(fault, Some(id), time, now));
        for fault in at(Moment::AfterReply) {
            self.flush(now);
            self.apply(fault, Some(id), time, now);
        }
    }

    fn on_message(&mut self, id: ClientId, envelope: &Envelope<'_>, bytes: &[u8], now: Monotonic) {
        let Some(client) = self.clients.get(&id) else { return };
        let user_msg = number(bytes);
        match (envelope.template, client.plant) {
            (10, _) => self.log_in(id, bytes),
            (16, _) => {
                let system_name = vec![self.settings.system.clone()];
                let (rp_code, has_aggregated_quotes) = (good(), vec![false]);
                self.send(
                    id,
                    &message!(ResponseRithmicSystemInfo {
                        user_msg,
                        rp_code,
                        system_name,
                        has_aggregated_quotes
                    }),
                );
            }
            (_, None) => {
                let rp_code = codes(&["13", "not logged in"]);
                self.send(id, &message!(Reject { user_msg, rp_code }));
            }
            (12, _) => {
                self.send(id, &message!(ResponseLogout { user_msg, rp_code: good() }));
                self.outputs.push(Output::Close(id));
                self.forget(id);
            }
            (18, _) => {
                let time = self.market_time(now).saturating_add(self.faults.skew);
                let (ssboe, usecs) = stamp(time);
                let (ssboe, usecs) = (Some(ssboe), Some(usecs));
                let rp_code = good();
                self.send(id, &message!(ResponseHeartbeat { user_msg, rp_code, ssboe, usecs }));
            }
            (template, Some(plant)) if plant == Plant::Ticker as i32 => {
                self.on_ticker(id, template, bytes, now);
            }
            (template, Some(plant)) if plant == Plant::History as i32 => {
                self.on_history(id, template, bytes);
            }
            (template, Some(plant)) => {
                let (time, outputs) = (self.market_time(now), &mut self.outputs);
                let is_known = if plant == Plant::Orders as i32 {
                    self.broker.on_order_plant(id, template, bytes, time, outputs)
                } else {
                    self.broker.on_profit(id, template, bytes, time, outputs)
                };
                if !is_known {
                    self.refuse(id, user_msg);
                } else if self.broker.books.due().is_some() {
                    self.begin(now, time);
                }
            }
        }
    }

    /// Answers a request that this gateway does not know.
    fn refuse(&mut self, id: ClientId, user_msg: Vec<String>) {
        let rp_code = codes(&["6", "not simulated"]);
        self.send(id, &message!(Reject { user_msg, rp_code }));
    }

    fn log_in(&mut self, id: ClientId, bytes: &[u8]) {
        let Ok(login) = rti::RequestLogin::decode(bytes) else { return };
        let user_msg = login.user_msg;
        let plants = [Plant::Ticker, Plant::Orders, Plant::History, Plant::Pnl];
        let plants = plants.map(|plant| Some(plant as i32));
        let Settings { user, password, system, .. } = &self.settings;
        let is_known =
            login.user.as_ref() == Some(user) && login.password.as_ref() == Some(password);
        // The real one tells a wrong system and a wrong password alike.
        if !is_known || login.system_name.as_ref() != Some(system) {
            let rp_code = codes(&["13", "permission denied"]);
            return self.send(id, &message!(ResponseLogin { user_msg, rp_code }));
        }
        if !plants.contains(&login.infra_type) {
            let rp_code = codes(&["6", "this plant is not simulated"]);
            return self.send(id, &message!(ResponseLogin { user_msg, rp_code }));
        }
        let is_first = |other: &Client| other.plant == login.infra_type;
        let earlier = self.clients.iter().find(|(other, client)| **other != id && is_first(client));
        if let Some((&earlier, _)) = earlier {
            self.force_out(earlier);
        }
        if let Some(client) = self.clients.get_mut(&id) {
            client.plant = login.infra_type;
        }
        let answer = message!(ResponseLogin {
            user_msg,
            rp_code: good(),
            template_version: login.template_version,
            fcm_id: Some("SIM".to_owned()),
            ib_id: Some("SIM".to_owned()),
            country_code: Some("US".to_owned()),
            unique_user_id: Some(format!("{}-{id}", self.settings.user)),
            heartbeat_interval: Some(self.settings.heartbeat_seconds),
        });
        self.send(id, &answer);
    }

    fn on_ticker(&mut self, id: ClientId, template: i32, bytes: &[u8], now: Monotonic) {
        match template {
            14 => self.reference_data(id, bytes),
            100 => self.subscribe(id, bytes, now),
            113 => self.front_month(id, bytes),
            _ => self.refuse(id, number(bytes)),
        }
    }

    fn subscribe(&mut self, id: ClientId, bytes: &[u8], now: Monotonic) {
        use rti::request_market_data_update::Request::{Subscribe, Unsubscribe};
        use rti::request_market_data_update::UpdateBits;
        let Ok(request) = rti::RequestMarketDataUpdate::decode(bytes) else { return };
        let user_msg = request.user_msg;
        let contract = request.symbol.as_deref().and_then(|symbol| self.market.contract(symbol));
        let bits = request.update_bits.unwrap_or(0);
        let (Some(contract), Some(EXCHANGE)) = (contract, request.exchange.as_deref()) else {
            return self.no_data(id, user_msg);
        };
        self.send(id, &message!(ResponseMarketDataUpdate { user_msg, rp_code: good() }));
        let (time, stands) = (self.market_time(now), self.stands());
        let Some(client) = self.clients.get_mut(&id) else { return };
        let subscribed = client.subscriptions.entry(contract).or_default();
        if request.request == Some(Unsubscribe.into()) {
            *subscribed &= !bits;
        } else if request.request == Some(Subscribe.into()) {
            *subscribed |= bits;
            let symbol = &self.market.symbols()[usize::from(contract)];
            let state = self.market.state(contract);
            let skew = self.faults.skew;
            let frames = messages::snapshot(symbol, state, self.market.ticks(), bits, skew);
            self.outputs.extend(frames.into_iter().map(|frame| Output::Send(id, frame)));
            if bits & UpdateBits::MarketMode as u32 != 0 {
                self.send(id, &self.mode(contract, time));
            }
            self.begin(now, time);
            if stands {
                self.begun = Some((now, time));
            }
        }
    }

    fn mode(&self, contract: u16, time: Timestamp) -> rti::MarketMode {
        let session = self.market.instrument().calendar.session_at(time);
        let is_in = |(start, end)| start <= time && time < end;
        let mode = match session {
            None => "Closed",
            Some(_) if self.market.halt_at(time).is_some() => "Halted",
            Some(session) if session.halt.is_some_and(is_in) => "Halted",
            Some(_) => "Open",
        };
        let (ssboe, usecs) = stamp(time.saturating_add(self.faults.skew));
        message!(MarketMode {
            symbol: Some(self.market.symbols()[usize::from(contract)].clone()),
            exchange: Some(EXCHANGE.to_owned()),
            market_mode: Some(mode.to_owned()),
            ssboe: Some(ssboe),
            usecs: Some(usecs),
        })
    }

    fn front_month(&mut self, id: ClientId, bytes: &[u8]) {
        let Ok(request) = rti::RequestFrontMonthContract::decode(bytes) else { return };
        let product = &self.market.instrument().symbol;
        if request.symbol.as_ref() != Some(product) {
            return self.no_data(id, request.user_msg);
        }
        let front = self.market.symbols()[usize::from(self.market.front())].clone();
        let answer = message!(ResponseFrontMonthContract {
            user_msg: request.user_msg,
            rp_code: good(),
            symbol: request.symbol,
            exchange: Some(EXCHANGE.to_owned()),
            is_front_month_symbol: Some(false),
            symbol_name: Some("Front month".to_owned()),
            trading_symbol: Some(front),
            trading_exchange: Some(EXCHANGE.to_owned()),
        });
        self.send(id, &answer);
    }

    fn reference_data(&mut self, id: ClientId, bytes: &[u8]) {
        let Ok(request) = rti::RequestReferenceData::decode(bytes) else { return };
        if request.symbol.as_deref().and_then(|symbol| self.market.contract(symbol)).is_none() {
            return self.no_data(id, request.user_msg);
        }
        let instrument = self.market.instrument();
        let answer = message!(ResponseReferenceData {
            user_msg: request.user_msg,
            rp_code: good(),
            symbol: request.symbol.clone(),
            exchange: Some(EXCHANGE.to_owned()),
            trading_symbol: request.symbol,
            trading_exchange: Some(EXCHANGE.to_owned()),
            product_code: Some(instrument.symbol.clone()),
            symbol_name: Some(instrument.description.clone()),
            instrument_type: Some("Future".to_owned()),
            currency: Some("USD".to_owned()),
            is_tradable: Some("true".to_owned()),
            min_qprice_change: Some(instrument.tick_size.as_f64()),
            single_point_value: Some(instrument.point_value.as_f64()),
        });
        self.send(id, &answer);
    }

    fn on_history(&mut self, id: ClientId, template: i32, bytes: &[u8]) {
        let (user_msg, question) = match template {
            202 => {
                let Ok(request) = rti::RequestTimeBarReplay::decode(bytes) else { return };
                let contract =
                    request.symbol.as_deref().and_then(|name| self.market.contract(name));
                let question = contract.map(|place| Question::of_minutes(&request, place));
                (request.user_msg, question)
            }
            206 => {
                let Ok(request) = rti::RequestTickBarReplay::decode(bytes) else { return };
                let contract =
                    request.symbol.as_deref().and_then(|name| self.market.contract(name));
                let question = contract.map(|place| Question::of_ticks(&request, place));
                (request.user_msg, question)
            }
            210 => return self.resume(id, bytes),
            _ => return self.refuse(id, number(bytes)),
        };
        match question {
            Some(Some(question)) => {
                let answer = self.answer(question, user_msg);
                self.tell_rows(id, answer);
            }
            Some(None) => self.refuse(id, user_msg),
            None => self.no_data(id, user_msg),
        }
    }

    /// Returns the answer to a question, of which nothing has been told.
    fn answer(&self, question: Question, number: Vec<String>) -> Answer {
        let past = &self.market.ticks()[..self.market.position()];
        let Faults { quirks, .. } = &self.faults;
        let is_absent = |place| {
            quirks.history_empty
                || self.market.is_untraded(place)
                || !question.minutes && self.faults.is_lost(place)
        };
        let rows = question.rows(past, is_absent);
        Answer { question, number, rows, told: 0 }
    }

    /// Continues an answer that was cut.
    fn resume(&mut self, id: ClientId, bytes: &[u8]) {
        let Ok(request) = rti::RequestResumeBars::decode(bytes) else { return };
        let user_msg = request.user_msg;
        let cut = self.clients.get_mut(&id).and_then(|client| client.cut.take());
        let Some(answer) = cut else { return self.no_data(id, user_msg) };
        self.send(id, &message!(ResponseResumeBars { user_msg, rp_code: good() }));
        self.tell_rows(id, answer);
    }

    /// Tells the next rows of an answer: all, or until it is cut.
    fn tell_rows(&mut self, id: ClientId, mut answer: Answer) {
        let symbol = &self.market.symbols()[usize::from(answer.question.contract)];
        let most = self.faults.quirks.history_rows;
        let rows = answer.tell(most, self.market.ticks(), symbol);
        self.outputs.extend(rows.into_iter().map(|row| Output::Send(id, row)));
        let Answer { question, number, .. } = &answer;
        let is_cut = answer.told < answer.len() && question.resumes;
        let end = if answer.len() == 0 {
            question.end(number, &["7", "no data"], None)
        } else if is_cut {
            question.end(number, &[], Some(id.to_string()))
        } else {
            question.end(number, &["0"], None)
        };
        self.outputs.push(Output::Send(id, end));
        if let Some(client) = self.clients.get_mut(&id).filter(|_| is_cut) {
            client.cut = Some(answer);
        }
    }

    /// Answers that there is nothing.
    fn no_data(&mut self, id: ClientId, user_msg: Vec<String>) {
        let rp_code = codes(&["7", "no data"]);
        self.send(id, &message!(Reject { user_msg, rp_code }));
    }

    fn send<M: Template>(&mut self, id: ClientId, message: &M) {
        self.outputs.push(Output::Send(id, encode(message, None)));
    }
}

/// Returns the field of a request that its answer repeats.
fn number(bytes: &[u8]) -> Vec<String> {
    // Every request has it under the same number.
    rti::RequestHeartbeat::decode(bytes).map_or_else(|_| Vec::new(), |head| head.user_msg)
}
