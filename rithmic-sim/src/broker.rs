//! The broker behind the order plant and the P&L plant.

use std::collections::BTreeMap;
use std::io::{self, Write};

use algospace_hft::execution::ExecutionSettings;
use algospace_hft::market::{Money, Timestamp};

use crate::books::{Books, Topic, basket};
use crate::gateway::{ClientId, Output, Settings};
use crate::market::Market;
use crate::notices::{price_type, prices, status};

/// The settings of the account.
#[derive(Clone, Debug)]
pub struct AccountSettings {
    /// Its name.
    pub name: String,
    /// Money at the start.
    pub balance: Money,
    /// Latencies, costs and fills of the exchange.
    pub execution: ExecutionSettings,
}

impl Default for AccountSettings {
    fn default() -> AccountSettings {
        AccountSettings {
            name: "SIM-1".to_owned(),
            balance: Money::from_dollars(100_000),
            execution: ExecutionSettings::default(),
        }
    }
}

/// The broker: the account, and the connections that are told of it.
#[derive(Debug)]
pub(crate) struct Broker {
    pub(crate) settings: AccountSettings,
    pub(crate) books: Books,
    /// The subscriptions of each connection, by [`Topic`].
    subscribers: BTreeMap<ClientId, [bool; 3]>,
}

impl Broker {
    pub(crate) fn new(settings: &Settings, market: &Market) -> Broker {
        let books = Books::new(settings, market);
        Broker { settings: settings.account.clone(), books, subscribers: BTreeMap::new() }
    }

    pub(crate) fn subscribe(&mut self, id: ClientId, topic: Topic, wanted: bool) {
        self.subscribers.entry(id).or_default()[topic as usize] = wanted;
    }

    /// Forgets a connection.
    pub(crate) fn forget(&mut self, id: ClientId) {
        self.subscribers.remove(&id);
    }

    /// Lets messages arrive, and tells the notices that are due.
    pub(crate) fn advance(&mut self, now: Timestamp, outputs: &mut Vec<Output>) {
        self.books.advance(now);
        while let Some(notice) = self.books.notices.pop_front_if(|notice| notice.due <= now) {
            for (&id, subscribed) in &self.subscribers {
                if subscribed[notice.topic as usize] {
                    outputs.push(Output::Send(id, notice.frame.clone()));
                }
            }
        }
    }

    /// Writes all orders as CSV.
    pub(crate) fn write_orders(&self, into: &mut impl Write) -> io::Result<()> {
        writeln!(
            into,
            "basket,entry,tag,symbol,side,type,price,trigger,quantity,filled,average,status"
        )?;
        let text = |value: Option<f64>| value.map_or_else(String::new, |value| value.to_string());
        for (place, order) in self.books.orders.iter().enumerate() {
            let new = &order.new;
            let (price, trigger) = prices(new.kind);
            writeln!(
                into,
                "{},{},{},{},{:?},{},{},{},{},{},{},{}",
                basket(place),
                order.entry.map_or_else(String::new, basket),
                new.user_tag.as_deref().unwrap_or_default(),
                self.books.contracts[usize::from(new.contract)].symbol,
                new.side,
                price_type(new.kind),
                text(price),
                text(trigger),
                new.quantity,
                order.filled,
                text(order.average()),
                status(order.status),
            )?;
        }
        into.flush()
    }

    /// Writes all fills as CSV.
    pub(crate) fn write_fills(&self, into: &mut impl Write) -> io::Result<()> {
        writeln!(into, "fill,basket,symbol,side,size,price,second,nanosecond")?;
        for fill in &self.books.fills {
            writeln!(
                into,
                "{},{},{},{},{},{},{},{}",
                fill.fill_id(),
                fill.basket_id(),
                fill.symbol(),
                fill.transaction_type().as_str_name(),
                fill.fill_size(),
                fill.fill_price(),
                fill.source_ssboe(),
                fill.source_nsecs(),
            )?;
        }
        into.flush()
    }
}
