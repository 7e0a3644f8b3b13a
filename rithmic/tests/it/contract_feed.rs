//! One contract from its link to its truth in virtual time: scenarios F1, F6 and F7 in one piece.

use std::time::Duration;

use algospace_hft_rithmic::Monotonic;
use algospace_hft_rithmic::feed::{
    AccountsSettings, Aggressor, Contract, ContractFeed, Feed, FreshnessSettings, Kind, Origin,
    Query, Session, Symptom, Told, Trade, Unusable, What,
};
use algospace_hft_rithmic::link::{Link, LinkSettings, Logins, Plant};
use algospace_hft_rithmic::wire::{
    BestBidOffer, Incoming, LastTrade, Nanoseconds, decode, encode, rti,
};

use crate::links::{World, subscription};

const DAWN: i32 = 1_700_000_000;
const ES: Contract = Contract { tick_size: 0.25, nanoseconds: Nanoseconds::Whole };

/// A contract with its link.
struct Desk {
    world: World,
    link: Link,
    logins: Logins,
    feed: ContractFeed,
    told: Told,
    seen: usize,
}

impl Desk {
    fn new() -> Desk {
        let (accounts, freshness) = (AccountsSettings::default(), FreshnessSettings::default());
        let mut desk = Desk {
            world: World::new(Monotonic(1_000_000_000)),
            link: Link::new(Plant::Ticker, LinkSettings::default(), 3),
            logins: Logins::new(Logins::SPACING),
            feed: ContractFeed::new(ES, accounts, freshness, Session::Regular),
            told: Told::default(),
            seen: 0,
        };
        desk.link.keep(subscription(), desk.world.now, &mut Vec::new());
        desk.run(Duration::from_secs(1));
        assert!(desk.link.is_up());
        desk
    }

    /// Passes time, and does what the feed says about the link.
    fn run(&mut self, span: Duration) {
        let end = self.world.now.after(span);
        while self.world.now < end {
            self.world.run(&mut self.link, &mut self.logins, Duration::from_millis(50));
            for (at, change) in self.world.changes.split_off(self.seen) {
                self.feed.on_link(&change, at, &mut self.told);
                self.world.changes.push((at, change));
            }
            self.seen = self.world.changes.len();
            let (now, already) = (self.world.now, self.told.symptoms.len());
            self.feed.on_time(now, &mut self.told);
            let mut out = Vec::new();
            for symptom in &self.told.symptoms[already..] {
                match symptom {
                    Symptom::AskAgain => self.link.ask_again(now, &mut out),
                    Symptom::Reconnect => self.link.on_closed(now, &mut self.logins, &mut out),
                    Symptom::Stale(_) | Symptom::Fresh(_) => {}
                }
            }
            self.world.answer(&mut self.link, &mut self.logins, out);
        }
    }

    /// Receives a trade that brings the volume to that.
    fn trade(&mut self, size: i32, volume: u64, is_snapshot: bool) {
        self.link.on_traffic(self.world.now, &mut Vec::new());
        self.feed.on_last_trade(
            &last_trade(self.world.now, size, volume, is_snapshot),
            self.world.now,
            &mut self.told,
        );
    }

    fn quote(&mut self) {
        self.feed.on_quote(&quote(), self.world.now, &mut self.told);
    }
}

fn last_trade(now: Monotonic, size: i32, volume: u64, is_snapshot: bool) -> LastTrade {
    let mut trade = rti::LastTrade::default();
    (trade.trade_price, trade.trade_size, trade.volume) = (Some(100.0), Some(size), Some(volume));
    trade.ssboe = Some(DAWN + (now.0 / 1_000_000_000) as i32);
    trade.usecs = Some((now.0 / 1_000 % 1_000_000) as i32);
    trade.is_snapshot = Some(is_snapshot);
    let frame = encode(&trade, None);
    let Ok(Incoming::Trade(trade)) = decode(&frame[4..]) else { panic!() };
    trade
}

fn quote() -> BestBidOffer {
    let mut quote = rti::BestBidOffer::default();
    (quote.bid_price, quote.bid_size) = (Some(99.75), Some(1));
    (quote.ask_price, quote.ask_size) = (Some(100.25), Some(1));
    let frame = encode(&quote, None);
    let Ok(Incoming::Quote(quote)) = decode(&frame[4..]) else { panic!() };
    quote
}

/// Returns a trade of the past at that microsecond.
fn past(micros: u64, size: u32) -> Trade {
    let time = i64::from(DAWN) * 1_000_000_000 + micros as i64 * 1_000;
    let aggressor = Aggressor::Buyer;
    Trade {
        time,
        gateway_time: time,
        ticks: 400,
        size,
        volume: None,
        aggressor,
        is_snapshot: false,
        bid: None,
        ask: None,
    }
}

#[test]
fn f1_a_drop_is_a_gap_until_history_has_filled_it() {
    let mut desk = Desk::new();
    desk.trade(2, 10, false);
    desk.quote();
    assert!(desk.feed.book().is_usable());
    let micros = desk.world.now.0 / 1_000;
    let mut out = Vec::new();
    desk.link.on_closed(desk.world.now, &mut desk.logins, &mut out);
    desk.world.answer(&mut desk.link, &mut desk.logins, out);
    desk.run(Duration::from_secs(2));
    assert!(desk.link.is_up() && desk.feed.accounts().gap().is_some());
    assert!(!desk.feed.book().is_usable(), "what was seen before says nothing now");
    // The subscription's answer says that five contracts were missed.
    desk.trade(3, 15, true);
    let Some(Feed::Wanted(gap)) = desk.told.feed.last().copied() else { panic!("{:?}", desk.told) };
    let deadline = desk.feed.due();
    let query = Query::of_gap(What::Trades, ("ESZ6", "CME"), ES, &gap, deadline);
    assert_eq!(query.from, (i64::from(DAWN) * 1_000_000 + micros as i64 - 1_000_000) * 1_000);
    assert!(query.to > query.from && gap.missing == Some(5) && query.key == 1);
    desk.trade(1, 16, false);
    let trades = [past(micros, 2), past(micros + 300_000, 2), past(micros + 500_000, 3)];
    desk.feed.on_history(&trades, desk.world.now, &mut desk.told);
    let sizes = desk.told.feed.iter().filter_map(|feed| match feed {
        Feed::Trade(trade, origin) => Some((trade.size, *origin)),
        _ => None,
    });
    let expected =
        [(2, Origin::Live), (2, Origin::Recovered), (3, Origin::Recovered), (1, Origin::Live)];
    assert!(sizes.eq(expected), "{:?}", desk.told.feed);
    assert!(desk.feed.accounts().gap().is_none());
}

#[test]
fn f7_a_lost_subscription_is_renewed_and_then_the_link() {
    let mut desk = Desk::new();
    desk.trade(1, 1, false);
    desk.quote();
    desk.run(Duration::from_secs(4));
    assert_eq!(desk.told.symptoms, []);
    desk.run(Duration::from_secs(2));
    assert!(desk.feed.is_stale(Kind::Trades) && desk.told.symptoms.contains(&Symptom::AskAgain));
    assert_eq!(desk.world.sent.iter().filter(|template| **template == 100).count(), 2);
    // The answer repeats the last trade, which is no sign of life.
    desk.trade(1, 1, true);
    assert!(desk.feed.is_stale(Kind::Trades));
    desk.run(Duration::from_secs(7));
    assert!(desk.told.symptoms.contains(&Symptom::Reconnect));
    assert_eq!((desk.link.generation(), desk.link.is_up()), (2, true));
    desk.trade(1, 2, false);
    desk.quote();
    assert!(!desk.feed.is_stale(Kind::Trades) && !desk.feed.is_stale(Kind::Quotes));
}

#[test]
fn f9_what_is_no_trade_is_counted_by_its_kind() {
    let mut desk = Desk::new();
    desk.trade(0, 1, false);
    desk.trade(-1, 1, false);
    assert_eq!((desk.feed.unusable(Unusable::Size), desk.told.feed.len()), (2, 0));
    assert_eq!(desk.feed.unusable(Unusable::Price), 0);
}
