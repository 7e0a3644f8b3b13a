//! The session by calendar and by the gateway's mode: scenarios F14, T3 and T4.

use std::time::Duration;

use algospace_hft_rithmic::Monotonic;
use algospace_hft_rithmic::feed::{
    AccountsSettings, Cause, Contract, ContractFeed, FreshnessSettings, Mode, Session,
    SessionChange, SessionWatch, Told,
};
use algospace_hft_rithmic::link::{Change, Link, LinkSettings, Logins, Plant, State, Why};
use algospace_hft_rithmic::wire::{Incoming, LastTrade, Nanoseconds, decode, encode, rti};

use crate::links::{World, subscription};

const SECOND: i64 = 1_000_000_000;

/// The gateway's mode of the market at that second.
fn mode(text: &str, second: i32) -> rti::MarketMode {
    let mut mode = rti::MarketMode::default();
    mode.market_mode = Some(text.to_owned());
    mode.halt_reason = Some("Group Schedule".to_owned());
    (mode.ssboe, mode.usecs) = (Some(second), Some(0));
    mode
}

fn change(to: Session, cause: Cause) -> Option<SessionChange> {
    Some(SessionChange { to, cause })
}

#[test]
fn texts_of_modes_are_read_without_their_spelling_and_unknown_ones_are_listed() {
    let texts = [
        ("Open", Some(Mode::Open)),
        ("Pre Open", Some(Mode::PreOpen)),
        ("PRE-OPEN", Some(Mode::PreOpen)),
        ("Trading Halt", Some(Mode::Halted)),
        ("post_close", Some(Mode::Closed)),
        ("Not Open", None),
        ("", None),
    ];
    for (text, mode) in texts {
        assert_eq!(Mode::of(text), mode, "{text}");
    }
    let mut watch = SessionWatch::new(Session::Regular);
    for text in ["Lunch", "Open", "Lunch", "Tea"] {
        assert_eq!(watch.on_mode(&mode(text, 1)), None);
    }
    assert_eq!(watch.unknown(), ["Lunch", "Tea"]);
    for number in 0..100 {
        watch.on_mode(&mode(&format!("mode {number}"), 1));
    }
    assert_eq!((watch.unknown().len(), watch.session()), (16, Session::Regular));
}

#[test]
fn f14_a_halt_is_told_and_is_no_staleness() {
    let mut feed = feed(Session::Regular);
    let (mut told, at) = (Told::default(), |second| Monotonic(second * SECOND as u64));
    feed.on_link(&change_of_link(State::Restoring, State::Live), at(90), &mut told);
    feed.on_mode(&mode("Halted", 100), at(100), &mut told);
    feed.on_mode(&mode("Lunch", 101), at(101), &mut told);
    assert_eq!((feed.session(), feed.session().is_open()), (Session::Halted, false));
    assert_eq!(feed.unknown_modes(), ["Lunch"]);
    feed.on_time(at(1_000), &mut told);
    assert_eq!(told.symptoms, []);
    // A trade that was on its way is no end of it.
    feed.on_last_trade(&trade(104), at(1_000), &mut told);
    feed.on_mode(&mode("Pre-Open", 900), at(1_000), &mut told);
    feed.on_mode(&mode("Open", 1_000), at(1_001), &mut told);
    // From now on there must be data.
    feed.on_time(at(1_005), &mut told);
    feed.on_time(at(1_006), &mut told);
    assert_eq!(told.symptoms.len(), 3, "{:?}", told.symptoms);
    // Its end is not told: trades are, and they are believed.
    feed.on_mode(&mode("Halted", 2_000), at(2_000), &mut told);
    feed.on_last_trade(&trade(2_006), at(2_006), &mut told);
    // A link that drops may have missed the end: the calendar counts until it is told again.
    feed.on_mode(&mode("Halted", 3_000), at(3_000), &mut told);
    feed.on_link(&change_of_link(State::Live, State::Connecting), at(3_001), &mut told);
    let told: Vec<_> = told.sessions.iter().map(|change| (change.to, change.cause)).collect();
    let halted = (Session::Halted, Cause::Mode);
    let expected = [
        halted,
        (Session::PreOpen, Cause::Mode),
        (Session::Regular, Cause::Mode),
        halted,
        (Session::Regular, Cause::Trades),
        halted,
        (Session::Regular, Cause::Forgotten),
    ];
    assert_eq!(told, expected);
}

/// A contract whose link is down.
fn feed(session: Session) -> ContractFeed {
    let (accounts, freshness) = (AccountsSettings::default(), FreshnessSettings::default());
    let contract = Contract { tick_size: 0.25, nanoseconds: Nanoseconds::Whole };
    ContractFeed::new(contract, accounts, freshness, session)
}

fn change_of_link(from: State, to: State) -> Change {
    Change { plant: Plant::Ticker, from, to, generation: 1, why: Why::Told }
}

/// A trade at that second of the gateway.
fn trade(second: i32) -> LastTrade {
    let mut trade = rti::LastTrade::default();
    (trade.trade_price, trade.trade_size, trade.ssboe) = (Some(100.0), Some(1), Some(second));
    let frame = encode(&trade, None);
    let Ok(Incoming::Trade(trade)) = decode(&frame[4..]) else { panic!() };
    trade
}

#[test]
fn t3_a_close_that_nobody_planned_ends_the_session_and_not_the_next() {
    let mut watch = SessionWatch::new(Session::Regular);
    let early = watch.on_mode(&mode("Closed", 1_000));
    assert_eq!(early, change(Session::Closed, Cause::Mode));
    // The planned close changes nothing any more.
    assert_eq!(watch.on_calendar(Session::Other), None);
    assert_eq!(watch.on_calendar(Session::Closed), None);
    // The next session begins by the calendar, or when the gateway says so.
    assert_eq!(watch.on_calendar(Session::Other), change(Session::Other, Cause::Planned));
    watch.on_calendar(Session::Closed);
    assert_eq!(watch.on_mode(&mode("Pre-Open", 5_000)), None);
    assert_eq!(watch.on_calendar(Session::Other), change(Session::PreOpen, Cause::Planned));
    assert_eq!(watch.on_mode(&mode("Open", 6_000)), change(Session::Other, Cause::Mode));
    // No mode opens what the calendar has closed.
    watch.on_calendar(Session::Closed);
    assert_eq!(watch.on_mode(&mode("Open", 7_000)), None);
    assert_eq!(watch.session(), Session::Closed);
}

#[test]
fn t4_links_that_drop_in_the_maintenance_are_quiet_and_up_at_the_open() {
    let minute = Duration::from_secs(60);
    for seed in 0..20 {
        let mut world = World::new(Monotonic(SECOND as u64));
        let mut link = Link::new(Plant::Ticker, LinkSettings::default(), seed);
        let mut logins = Logins::new(Logins::SPACING);
        link.keep(subscription(), world.now, &mut Vec::new());
        world.bring_up(&mut link, &mut logins);
        let mut feed = feed(Session::Closed);
        let mut told = Told::default();
        feed.on_link(&world.changes[3].1, world.now, &mut told);
        let seen = world.changes.len();
        world.gateway.listens = false;
        let mut out = Vec::new();
        link.on_closed(world.now, &mut logins, &mut out);
        world.answer(&mut link, &mut logins, out);
        // From 16:00 to 16:58 nobody listens.
        world.run(&mut link, &mut logins, minute * 58);
        assert!(world.tries.len() < 58 * 6, "{} tries", world.tries.len());
        world.gateway.listens = true;
        world.run(&mut link, &mut logins, minute * 2);
        assert!(link.is_up(), "seed {seed}: {:?} at the open", link.state());
        for (at, change) in &world.changes[seen..] {
            feed.on_link(change, *at, &mut told);
            feed.on_time(*at, &mut told);
        }
        assert_eq!((told.symptoms.len(), told.feed.len()), (0, 0), "seed {seed}: an alarm");
    }
}
