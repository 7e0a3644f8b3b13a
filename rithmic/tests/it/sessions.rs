//! The session by calendar and by the gateway's mode: scenarios F14, T3 and T4.

use std::time::Duration;

use algospace_hft_rithmic::Monotonic;
use algospace_hft_rithmic::feed::{
    AccountsSettings, Cause, Contract, ContractFeed, FreshnessSettings, Mode, Session,
    SessionChange, SessionWatch, Told,
};
use algospace_hft_rithmic::link::{Link, LinkSettings, Logins, Plant};
use algospace_hft_rithmic::wire::{Nanoseconds, rti};

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
    let mut watch = SessionWatch::new(Session::Regular);
    let (accounts, freshness) = (AccountsSettings::default(), FreshnessSettings::default());
    let contract = Contract { tick_size: 0.25, nanoseconds: Nanoseconds::Whole };
    let mut feed = ContractFeed::new(contract, accounts, freshness, watch.session());
    let (mut told, at) = (Told::default(), |second| Monotonic(second * SECOND as u64));
    let halted = watch.on_mode(&mode("Halted", 100));
    assert_eq!(halted, change(Session::Halted, Cause::Mode));
    assert!(!watch.session().is_open());
    feed.on_session(watch.session(), false, at(100));
    feed.on_time(at(1_000), &mut told);
    assert_eq!(told.symptoms, []);
    // Trades that were on their way are no end of it.
    assert_eq!(watch.on_trade(104 * SECOND), None);
    assert_eq!(watch.on_mode(&mode("Pre-Open", 900)), change(Session::PreOpen, Cause::Mode));
    assert_eq!(watch.on_mode(&mode("Open", 1_000)), change(Session::Regular, Cause::Mode));
    assert_eq!(watch.on_trade(1_001 * SECOND), None);
    // Its end is not told: trades are, and they are believed.
    watch.on_mode(&mode("Halted", 2_000));
    assert_eq!(watch.on_trade(2_006 * SECOND), change(Session::Regular, Cause::Trades));
    // A link that drops may have missed the end: the calendar counts until it is told again.
    watch.on_mode(&mode("Halted", 3_000));
    assert_eq!(watch.on_lost(), change(Session::Regular, Cause::Forgotten));
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
        let mut feed = ContractFeed::new(
            Contract { tick_size: 0.25, nanoseconds: Nanoseconds::Whole },
            AccountsSettings::default(),
            FreshnessSettings::default(),
            Session::Closed,
        );
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
