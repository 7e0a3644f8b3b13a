//! The contracts of a run: the one in front, and those that it may roll to.

use algospace_hft_rithmic::wire::Name;

use super::contracts::{ContractEvent, Contracts, FrontMonths};
use crate::market::{Contract, Instrument, Naming, Product, RollRule, Session, Timestamp};
use crate::source::native::{ContractEntry, TickFileDescription};

/// A contract, as gateway and engine name it.
#[derive(Clone, Debug)]
pub struct Names {
    /// The gateway's symbol, such as `ESZ6`.
    pub symbol: String,
    /// The number that its ticks have: [`Tick::contract`](crate::market::Tick::contract).
    pub contract: u16,
}

/// A consequence of a session's open.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Opened {
    /// Another contract enters the stages from now on.
    Rolled,
    /// Subscribe to this one as well.
    Subscribe(String),
    /// A line for the log.
    Told(String),
}

/// The contracts of a run by expiry, and the choice among them. One enters the stages; of the
/// others the volume counts.
#[derive(Clone, Debug)]
pub struct Series {
    contracts: Vec<Contract>,
    names: Vec<Names>,
    symbols: Vec<Name>,
    choice: Contracts,
    active: usize,
    is_resumed: bool,
    /// Contracts that were subscribed: all up to this number.
    subscribed: usize,
}

impl Series {
    /// The contracts that a new run may trade, one after the other.
    const LENGTH: usize = 4;

    /// Creates the series of a market from `first` on, of the contracts that its description
    /// lists. The run continues an earlier process if `is_resumed`.
    ///
    /// # Panics
    /// If the description does not list `first`.
    pub(super) fn new(
        market: &TickFileDescription,
        instrument: &Instrument,
        rule: RollRule,
        first: &Contract,
        is_resumed: bool,
    ) -> Series {
        let at = first.expiry(instrument.calendar);
        let mut listed: Vec<(Contract, u16)> = (0..)
            .zip(&market.contracts)
            .filter_map(|(place, entry)| Some((contract_of(entry, instrument, at)?, place)))
            .filter(|(contract, _)| contract >= first)
            .collect();
        listed.sort();
        // A file may name one contract twice: its ticks have the later number.
        listed.dedup_by(|later, kept| {
            let is_same = later.0 == kept.0;
            if is_same {
                kept.1 = later.1;
            }
            is_same
        });
        let names: Vec<Names> = listed
            .iter()
            .map(|(it, contract)| Names { symbol: symbol(it), contract: *contract })
            .collect();
        let contracts: Vec<Contract> = listed.into_iter().map(|(contract, _)| contract).collect();
        assert!(contracts.first() == Some(first), "it is listed");
        let choice = Contracts::new(contracts.clone(), instrument.calendar, rule, Vec::new());
        let choice = choice.expect("they are in order, and no session is known");
        let symbols = names.iter().map(|it| Name::new(&it.symbol).unwrap_or_default()).collect();
        Series { contracts, names, symbols, choice, active: 0, is_resumed, subscribed: 1 }
    }

    /// The contract that enters the stages.
    pub fn active(&self) -> &Names {
        &self.names[self.active]
    }

    /// Returns true if that symbol's data enter the stages. A message without a symbol is of the
    /// only subscription.
    #[inline]
    pub fn admits(&self, symbol: Option<Name>) -> bool {
        symbol.is_none_or(|symbol| symbol == self.symbols[self.active])
    }

    /// Returns true if the run continues an earlier process: before its first tick it is not known
    /// what is held.
    pub fn is_resumed(&self) -> bool {
        self.is_resumed
    }

    /// Returns true if the roll is due and was not made.
    pub fn is_roll_due(&self) -> bool {
        self.choice.is_in_roll_window()
    }

    /// Takes the session's cumulative volume of a contract.
    #[inline]
    pub fn on_volume(&mut self, symbol: Option<Name>, volume: u64) {
        let place = match symbol {
            None => Some(self.active),
            Some(symbol) => self.symbols.iter().position(|it| *it == symbol),
        };
        if let Some(place) = place {
            self.choice.on_volume(place as u16, volume);
        }
    }

    /// Takes the gateway's word on the contract in front; `None` if it names none.
    pub fn on_front_month(&mut self, symbol: Option<&str>) {
        let place = self.names.iter().position(|it| Some(it.symbol.as_str()) == symbol);
        self.choice.on_front_month(place.map(|place| &self.contracts[place]));
    }

    /// Takes note that a session opens. `is_flat` if there is known to be neither position nor
    /// order.
    pub fn on_session(&mut self, session: Session, is_flat: bool) -> Vec<Opened> {
        let (mut events, mut opened) = (Vec::new(), Vec::new());
        let held = (!is_flat).then_some(self.active as u16);
        let in_order = self.choice.on_session(session, held, &mut events);
        debug_assert!(in_order.is_ok(), "sessions come in order: {in_order:?}");
        for event in events {
            match event {
                ContractEvent::Active { to, .. } if usize::from(to) == self.active => {}
                ContractEvent::Active { to, .. } => {
                    let from = self.active().symbol.clone();
                    self.active = usize::from(to);
                    let to = &self.active().symbol;
                    opened.push(Opened::Told(format!("{to} is traded from now on, not {from}")));
                    opened.push(Opened::Rolled);
                }
                ContractEvent::RollWindow(true) => {
                    let symbol = &self.active().symbol;
                    opened.push(Opened::Told(format!(
                        "the roll is due: {symbol} is traded and nothing entered until a session opens flat"
                    )));
                }
                ContractEvent::RollWindow(false) => {}
                ContractEvent::Disagreement(first) => opened.push(Opened::Told(self.told(first))),
            }
        }
        for place in self.choice.subscribed().map(usize::from) {
            if place >= self.subscribed {
                self.subscribed = place + 1;
                opened.push(Opened::Subscribe(self.names[place].symbol.clone()));
            }
        }
        opened
    }

    /// Returns the contract that each source has in front, in words.
    fn told(&self, first: FrontMonths) -> String {
        let symbol = |place: u16| self.names[usize::from(place)].symbol.as_str();
        let FrontMonths { calendar, volume, gateway } = first;
        format!(
            "in front by calendar {}, by volume {}, by the gateway {}; traded is {}",
            symbol(calendar),
            symbol(volume),
            gateway.map_or("unknown", symbol),
            self.active().symbol
        )
    }
}

/// Adds the contracts of a new run to the description of its market, those that it does not list:
/// `first` alone if it was `named`, or the ones that follow as well.
pub(super) fn describe(
    market: &mut TickFileDescription,
    instrument: &Instrument,
    first: &Contract,
    is_named: bool,
) {
    let length = if is_named { 1 } else { Series::LENGTH };
    let at = first.expiry(instrument.calendar);
    for contract in following(first).take(length) {
        let is_listed =
            |entry: &ContractEntry| contract_of(entry, instrument, at).as_ref() == Some(&contract);
        if !market.contracts.iter().any(is_listed) {
            let (symbol, price_offset) = (symbol(&contract), "0".to_owned());
            let expiry = Some(contract.expiry(instrument.calendar).to_string());
            market.contracts.push(ContractEntry { symbol, expiry, price_offset });
        }
    }
}

/// Returns the contract of `instrument` that a name means where it trades at `at`; `None` if it
/// means none.
pub(super) fn named(name: &str, instrument: &Instrument, at: Timestamp) -> Option<Contract> {
    match Naming::of_symbol(name) {
        Naming::Contract(name) if name.root() == instrument.symbol => {
            name.resolve(&instrument.symbol, at)
        }
        _ => None,
    }
}

/// Returns the contract in front at `at` by the customary roll; `None` if the product's months are
/// not known.
pub(super) fn in_front(instrument: &Instrument, at: Timestamp) -> Option<Contract> {
    let calendar = instrument.calendar;
    let today = calendar.session_at_or_after(at).trade_date;
    Product::called(&instrument.symbol)?;
    let days = match RollRule::customary(calendar) {
        RollRule::Calendar { days_before_expiry } => i64::from(days_before_expiry),
        RollRule::Volume => 0,
    };
    let this = Contract::from_year_month(&instrument.symbol, today.year(), today.month() as u8);
    let is_left = |contract: &Contract| {
        let last = contract.last_trade_date(calendar);
        today >= last.saturating_sub(jiff::ToSpan::days(days))
    };
    following(&this.ok()?).filter(trades_in_earnest).find(|contract| !is_left(contract))
}

/// Returns a contract, and behind it those in which its product trades in earnest.
fn following(first: &Contract) -> impl Iterator<Item = Contract> + use<> {
    let first = first.clone();
    let months = i16::from(first.month()) - 1;
    let later = (1..=36).filter_map({
        let first = first.clone();
        move |ahead: i16| {
            let (year, month) = (first.year() + (months + ahead) / 12, (months + ahead) % 12 + 1);
            Contract::from_year_month(first.product(), year, month as u8).ok()
        }
    });
    std::iter::once(first).chain(later.filter(trades_in_earnest))
}

fn trades_in_earnest(contract: &Contract) -> bool {
    Product::called(contract.product()).is_some_and(|it| it.trades_in(contract.month()))
}

/// Returns the contract of an entry; one without an expiry is taken to trade at `at`.
pub(super) fn contract_of(
    entry: &ContractEntry,
    instrument: &Instrument,
    at: Timestamp,
) -> Option<Contract> {
    let expiry = entry.expiry.as_ref().and_then(|expiry| expiry.parse().ok());
    named(&entry.symbol, instrument, expiry.unwrap_or(at))
}

/// Returns the gateway's symbol of a contract, with one digit of the year.
fn symbol(contract: &Contract) -> String {
    let mut symbol = contract.to_string();
    let digit = symbol.pop();
    symbol.pop();
    symbol.extend(digit);
    symbol
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn described(symbols: &[(&str, Option<&str>)]) -> TickFileDescription {
        let instrument = Instrument::built_in("ES").unwrap();
        let mut market = TickFileDescription::new(&instrument, "live");
        let entry = |&(symbol, expiry): &(&str, Option<&str>)| ContractEntry {
            symbol: symbol.to_owned(),
            expiry: expiry.map(str::to_owned),
            price_offset: "0".to_owned(),
        };
        market.contracts = symbols.iter().map(entry).collect();
        market
    }

    fn entries(market: &TickFileDescription) -> Vec<(&str, Option<&str>)> {
        let entries = market.contracts.iter();
        entries.map(|entry| (entry.symbol.as_str(), entry.expiry.as_deref())).collect()
    }

    #[test]
    fn a_new_run_lists_its_contract_and_the_three_after_it_with_their_expiries() {
        let (es, gc) = ["ES", "GC"].map(|it| Instrument::built_in(it).unwrap()).into();
        let time = at("2026-12-01T15:00:00Z");
        let first = named("ESZ6", &es, time).unwrap();
        let mut market = described(&[]);
        describe(&mut market, &es, &first, false);
        let expiries = [
            ("ESZ6", "2026-12-18T14:30:00.000000000Z"),
            ("ESH7", "2027-03-19T13:30:00.000000000Z"),
            ("ESM7", "2027-06-17T13:30:00.000000000Z"),
            ("ESU7", "2027-09-17T13:30:00.000000000Z"),
        ];
        assert_eq!(entries(&market), expiries.map(|(symbol, expiry)| (symbol, Some(expiry))));
        // Gold has no roll into October.
        let gold = in_front(&gc, at("2026-07-20T15:00:00Z")).unwrap();
        let names = following(&gold).take(3).map(|it| symbol(&it)).collect::<Vec<_>>();
        assert_eq!(names, ["GCQ6", "GCZ6", "GCG7"]);
        // One that is named is alone.
        let mut market = described(&[]);
        describe(&mut market, &es, &first, true);
        assert_eq!(market.contracts.len(), 1);
        assert_eq!(named("NQZ6", &es, time), None);
    }

    #[test]
    fn the_customary_day_leaves_a_contract() {
        let es = Instrument::built_in("ES").unwrap();
        // The session of Monday begins on Sunday.
        for (time, front) in [
            ("2026-12-11T15:00:00Z", "ESZ6"),
            ("2026-12-13T23:30:00Z", "ESH7"),
            ("2027-01-05T15:00:00Z", "ESH7"),
        ] {
            assert_eq!(symbol(&in_front(&es, at(time)).unwrap()), front, "{time}");
        }
    }

    #[test]
    fn a_contract_that_a_file_names_in_its_own_way_keeps_its_number() {
        let es = Instrument::built_in("ES").unwrap();
        let mut market = described(&[
            ("ESU26", Some("2026-09-18T13:30:00Z")),
            ("ESZ26", Some("2026-12-18T14:30:00Z")),
        ]);
        let first = named("ESZ6", &es, at("2026-12-01T15:00:00Z")).unwrap();
        describe(&mut market, &es, &first, false);
        assert_eq!(market.contracts.len(), 5);
        let series = Series::new(&market, &es, RollRule::Volume, &first, false);
        let names: Vec<_> =
            series.names.iter().map(|it| (it.symbol.as_str(), it.contract)).collect();
        assert_eq!(names, [("ESZ6", 1), ("ESH7", 2), ("ESM7", 3), ("ESU7", 4)]);
        assert!(series.admits(Name::new("ESZ6")) && !series.admits(Name::new("ESH7")));
    }

    #[test]
    fn a_roll_that_is_due_waits_for_an_open_at_which_the_run_is_flat() {
        let es = Instrument::built_in("ES").unwrap();
        let first = named("ESZ3", &es, at("2013-12-01T15:00:00Z")).unwrap();
        let mut market = described(&[]);
        describe(&mut market, &es, &first, false);
        let rule = RollRule::customary(es.calendar);
        let session = |day| es.calendar.session_on_or_after(jiff::civil::date(2013, 12, day));
        for (is_flat, active) in [(false, "ESZ3"), (true, "ESH4")] {
            let mut series = Series::new(&market, &es, rule, &first, false);
            let opened = series.on_session(session(17), is_flat);
            assert_eq!((series.active().symbol.as_str(), series.is_roll_due()), (active, !is_flat));
            assert_eq!(opened.contains(&Opened::Rolled), is_flat);
            series.on_session(session(18), true);
            assert_eq!((series.active().symbol.as_str(), series.is_roll_due()), ("ESH4", false));
        }
    }
}
