//! All machines of one contract, fed with what its ticker link receives.

use std::time::Duration;

use super::{
    Accounts, AccountsSettings, Contract, Feed, Freshness, FreshnessSettings, Kind, Known, Minute,
    Session, SessionChange, SessionWatch, Symptom, TopOfBook, Trade, Unusable,
};
use crate::Monotonic;
use crate::link::Change;
use crate::wire::{BestBidOffer, LastTrade, rti};

/// The events of one contract, in lists for the caller to empty.
#[derive(Clone, Debug, Default)]
pub struct Told {
    /// Trades and gaps, in the order of the market.
    pub feed: Vec<Feed>,
    /// Silence and its remedies.
    pub symptoms: Vec<Symptom>,
    /// Changes of the session that no calendar has planned.
    pub sessions: Vec<SessionChange>,
}

/// One contract: its messages and the changes of its link go in, the truth about it comes out.
#[derive(Debug)]
pub struct ContractFeed {
    contract: Contract,
    accounts: Accounts,
    freshness: Freshness,
    session: SessionWatch,
    book: TopOfBook,
    unusable: [u64; Unusable::KINDS],
}

impl ContractFeed {
    /// Creates the machines of a contract whose link is down, in a session that the calendar plans.
    pub fn new(
        contract: Contract,
        accounts: AccountsSettings,
        freshness: FreshnessSettings,
        session: Session,
    ) -> ContractFeed {
        ContractFeed {
            contract,
            accounts: Accounts::new(accounts),
            freshness: Freshness::new(freshness, session),
            session: SessionWatch::new(session),
            book: TopOfBook::default(),
            unusable: [0; Unusable::KINDS],
        }
    }

    /// The account of its volume.
    pub fn accounts(&self) -> &Accounts {
        &self.accounts
    }

    /// Its session, by calendar and gateway.
    pub fn session(&self) -> Session {
        self.session.session()
    }

    /// Texts of market modes that are not known: [`SessionWatch::unknown`].
    pub fn unknown_modes(&self) -> &[String] {
        self.session.unknown()
    }

    /// Its best bid and offer: empty while the link is down.
    pub fn book(&self) -> &TopOfBook {
        &self.book
    }

    /// Returns true if that kind of its data is stale.
    pub fn is_stale(&self, kind: Kind) -> bool {
        self.freshness.is_stale(kind)
    }

    /// Last trades that are not trades, of that kind.
    pub fn unusable(&self, kind: Unusable) -> u64 {
        self.unusable[kind as usize]
    }

    /// Returns when it must be told the time, if nothing happens before.
    pub fn due(&self) -> Monotonic {
        self.accounts.due().min(self.freshness.due())
    }

    /// Takes a last trade. The answer to a subscription says what was missed, and does not show
    /// that data come.
    #[inline]
    pub fn on_last_trade(&mut self, message: &LastTrade, now: Monotonic, told: &mut Told) {
        match Trade::of(message, &self.contract) {
            Ok(trade) => {
                if !trade.is_snapshot {
                    self.freshness.on_data(Kind::Trades, now, &mut told.symptoms);
                    let change = self.session.on_trade(trade.gateway_time);
                    self.on_change(change, now, told);
                }
                let [bid, ask] = [self.book.bid, self.book.ask];
                let trade =
                    Trade { bid: bid.map(|it| it.ticks), ask: ask.map(|it| it.ticks), ..trade };
                self.accounts.on_trade(trade, now, &mut told.feed);
            }
            Err(kind) => self.unusable[kind as usize] += 1,
        }
    }

    /// Takes a change of the best bid and offer.
    #[inline]
    pub fn on_quote(&mut self, message: &BestBidOffer, now: Monotonic, told: &mut Told) {
        if message.is_snapshot() != Some(true) {
            self.freshness.on_data(Kind::Quotes, now, &mut told.symptoms);
        }
        self.book.on_quote(message, &self.contract);
    }

    /// Numbers the gaps on from those of the contract before: [`Accounts::number_on_from`].
    pub fn number_on_from(&mut self, other: &ContractFeed) {
        self.accounts.number_on_from(&other.accounts);
    }

    /// Begins with a session, at its open: [`Accounts::begin_with`].
    pub fn begin_with(&mut self, opens: i64) {
        self.accounts.begin_with(opens);
    }

    /// Begins after trades that are known from elsewhere: [`Accounts::begin_after`].
    pub fn begin_after(&mut self, known: &Known, patience: Duration, told: &mut Told) {
        self.accounts.begin_after(known, patience, &mut told.feed);
    }

    /// Takes what history has of the gap that is open: [`Accounts::on_history`].
    pub fn on_history(&mut self, trades: &[Trade], now: Monotonic, told: &mut Told) {
        self.accounts.on_history(trades, now, &mut told.feed);
    }

    /// Takes the minutes that history has of the gap that is open: [`Accounts::on_minutes`].
    pub fn on_minutes(&mut self, minutes: &[Minute]) {
        self.accounts.on_minutes(minutes);
    }

    /// Takes note that history has no more to say: [`Accounts::on_history_over`].
    pub fn on_history_over(&mut self, now: Monotonic, told: &mut Told) {
        self.accounts.on_history_over(now, &mut told.feed);
    }

    /// Takes a change of the ticker link's state.
    pub fn on_link(&mut self, change: &Change, now: Monotonic, told: &mut Told) {
        match (change.from.is_up(), change.to.is_up()) {
            (false, true) => {
                self.accounts.on_live(now, &mut told.feed);
                self.freshness.on_live(now);
            }
            (true, false) => {
                self.accounts.on_lost(now, &mut told.feed);
                self.freshness.on_lost();
                // Nobody tells what becomes of it now.
                (self.book.bid, self.book.ask) = (None, None);
                let change = self.session.on_lost();
                self.on_change(change, now, told);
            }
            _ => {}
        }
    }

    /// Takes note that the session has ended at that time: [`Accounts::on_session_end`].
    pub fn on_session_end(&mut self, ended: i64, now: Monotonic, told: &mut Told) {
        self.accounts.on_session_end(ended, now, &mut told.feed);
    }

    /// Takes note of what the calendar plans from now on; `began` is the beginning of a session
    /// with a volume of its own, in nanoseconds since 1970, if that is another than before. Returns
    /// the change of the session, if that is one.
    pub fn on_session(
        &mut self,
        planned: Session,
        began: Option<i64>,
        now: Monotonic,
    ) -> Option<SessionChange> {
        if let Some(began) = began {
            self.accounts.on_session(began);
        }
        let change = self.session.on_calendar(planned)?;
        self.freshness.on_session(change.to, now);
        Some(change)
    }

    /// Takes the gateway's mode of the market (template 157).
    pub fn on_mode(&mut self, message: &rti::MarketMode, now: Monotonic, told: &mut Told) {
        let change = self.session.on_mode(message);
        self.on_change(change, now, told);
    }

    #[inline]
    fn on_change(&mut self, change: Option<SessionChange>, now: Monotonic, told: &mut Told) {
        if let Some(change) = change {
            self.freshness.on_session(change.to, now);
            told.sessions.push(change);
        }
    }

    /// Does what is due.
    pub fn on_time(&mut self, now: Monotonic, told: &mut Told) {
        self.accounts.on_time(now, &mut told.feed);
        self.freshness.on_time(now, &mut told.symptoms);
    }
}
