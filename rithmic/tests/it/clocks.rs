//! Scenarios C1 to C3: the machine's clocks and the gateway's.

use std::time::Duration;

use algospace_hft_rithmic::Monotonic;
use algospace_hft_rithmic::feed::{
    ClockEvent, ClockGuard, ClockGuardSettings, ClockWatch, Clocks, Doubt, MarketClock, Refused,
};
use algospace_hft_rithmic::link::{Link, LinkSettings, Logins, Output, Plant, State, Why};

use crate::links::World;

const SECOND: u64 = 1_000_000_000;
const DAWN: i64 = 1_700_000_000 * SECOND as i64;

fn at(seconds: u64) -> Monotonic {
    Monotonic(seconds * SECOND)
}

/// Clocks that agree, `slept` and `stepped` nanoseconds apart.
fn clocks(seconds: u64, slept: u64, stepped: i64) -> Clocks {
    Clocks {
        now: Monotonic(seconds * SECOND + slept),
        awake: seconds * SECOND,
        wall: DAWN + (seconds * SECOND + slept) as i64 + stepped,
    }
}

#[test]
fn c1_steps_of_the_wall_clock_are_noticed_and_move_nothing() {
    const HOUR: i64 = 3_600 * SECOND as i64;
    let mut watch = ClockWatch::default();
    let mut market = MarketClock::new();
    let mut stepped = 0;
    assert_eq!(watch.on_reading(clocks(1, 0, 0)), None);
    market.on_stamp(DAWN, at(1));
    for (second, step) in (2..).zip([0, 5_000_000_000, -5_000_000_000, HOUR, -HOUR, 0]) {
        stepped += step;
        let seen = watch.on_reading(clocks(second, 0, stepped));
        assert_eq!(seen, (step != 0).then_some(ClockEvent::Stepped(step)));
        // The wall clock is no part of the market's time.
        assert_eq!(market.now(at(second)), Some(DAWN + (second as i64 - 1) * SECOND as i64));
    }
    // A clock that NTP slews by 500 millionths is no step.
    assert_eq!(watch.on_reading(clocks(8, 0, stepped + 500_000)), None);
}

#[test]
fn c2_a_sleep_of_90_seconds_drops_every_link_and_bursts_nothing() {
    let mut watch = ClockWatch::default();
    assert_eq!(watch.on_reading(clocks(10, 0, 0)), None);
    let slept = watch.on_reading(clocks(11, 90 * SECOND, 0));
    assert_eq!(slept, Some(ClockEvent::Suspended(Duration::from_secs(90))));
    assert_eq!(watch.on_reading(clocks(12, 90 * SECOND, 0)), None);

    let mut logins = Logins::new(Logins::SPACING);
    let plants = [Plant::Ticker, Plant::Orders, Plant::History, Plant::Pnl];
    let mut links = plants.map(|plant| Link::new(plant, LinkSettings::default(), 1));
    for (place, link) in links.iter_mut().enumerate() {
        let mut world = World::new(at(place as u64 * 10));
        world.bring_up(link, &mut logins);
    }
    let now = at(200);
    for link in &mut links {
        let mut out = Vec::new();
        assert!(link.is_up());
        link.on_suspended(now, &mut logins, &mut out);
        assert!(matches!(link.state(), State::Down { until } if until > now));
        let dropped = |output: &Output| matches!(output, Output::Changed(change) if change.why == Why::Suspended);
        assert!(out.contains(&Output::Disconnect) && out.iter().any(dropped));
        let sent = out.iter().any(|output| matches!(output, Output::Send(_) | Output::Connect));
        assert!(!sent, "nothing goes out behind a sleep: {out:?}");
    }
}

#[test]
fn c3_the_gateways_clock_is_followed_and_old_data_are_known() {
    const OLD: Duration = Duration::from_secs(2);
    let mut market = MarketClock::new();
    assert_eq!(market.now(at(1)), None);
    // Its clock is three seconds ahead of ours, the least delay 20 ms.
    let ahead = DAWN + 3 * SECOND as i64;
    let stamp = |sent: u64| ahead + sent as i64;
    for second in 1..600 {
        let (sent, delay) = (second * SECOND, 20_000_000 + second % 7 * 3_000_000);
        market.on_stamp(stamp(sent), Monotonic(sent + delay));
        let age = market.age(stamp(sent), Monotonic(sent + delay)).unwrap();
        assert!(age <= Duration::from_millis(18), "{second}: {age:?}");
    }
    // The delay grows to four seconds: by the stamps alone that would be our own clock.
    let sent = 600 * SECOND;
    let now = Monotonic(sent + 4 * SECOND);
    market.on_stamp(stamp(sent), now);
    assert!(market.age(stamp(sent), now).unwrap() > OLD);
    let market_now = market.now(now).unwrap();
    assert!((market_now - stamp(sent + 4 * SECOND)).unsigned_abs() < 30_000_000);
}

/// A guard whose clock is good at that second, its data 20 ms old.
fn guard(second: u64) -> ClockGuard {
    let (mut guard, mut out) = (ClockGuard::new(ClockGuardSettings::default()), Vec::new());
    assert_eq!((guard.doubt(), guard.due()), (Some(Doubt::NoStamp), Monotonic::NEVER));
    guard.on_reading(clocks(second - 6, 0, 0), &mut out);
    guard.on_stamp(stamp(second - 6), late(second - 6, 20), &mut out);
    guard.on_time(at(second), &mut out);
    assert_eq!(out, [Some(Doubt::Unsettled), None]);
    guard
}

/// The gateway's stamp at that second: its clock is three seconds ahead.
fn stamp(second: u64) -> i64 {
    DAWN + (second as i64 + 3) * SECOND as i64
}

fn late(second: u64, milliseconds: u64) -> Monotonic {
    Monotonic(second * SECOND + milliseconds * 1_000_000)
}

#[test]
fn c1_a_step_of_the_wall_clock_is_doubted_until_it_has_stood_for_a_while() {
    const HOUR: i64 = 3_600 * SECOND as i64;
    for step in [5_000_000_000, -5_000_000_000, HOUR, -HOUR] {
        let (mut guard, mut out) = (guard(10), Vec::new());
        for second in 10..20 {
            let stepped = if second < 12 { 0 } else { step };
            guard.on_reading(clocks(second, 0, stepped), &mut out);
            guard.on_stamp(stamp(second), late(second, 20), &mut out);
            guard.on_time(late(second, 20), &mut out);
            let doubt = Some(Doubt::Stepped(step)).filter(|_| (12..17).contains(&second));
            assert_eq!(guard.doubt(), doubt, "{second}");
            let refused = doubt.map(Refused::Doubt);
            assert_eq!(guard.refuses(stamp(second), late(second, 20)), refused);
            // The market's time is not the wall's.
            assert_eq!(guard.market().now(late(second, 20)), Some(stamp(second)));
        }
        assert_eq!(out, [Some(Doubt::Stepped(step)), None]);
    }
}

#[test]
fn c2_behind_a_sleep_there_is_doubt_until_data_have_come_for_a_while() {
    const SLEPT: u64 = 90 * SECOND;
    let (mut guard, mut out) = (guard(10), Vec::new());
    let slept = Doubt::Suspended(Duration::from_nanos(SLEPT));
    guard.on_reading(clocks(11, SLEPT, 0), &mut out);
    // However long the links take.
    guard.on_time(at(500), &mut out);
    guard.on_reading(clocks(500, SLEPT, 5_000_000_000), &mut out);
    assert_eq!((&out[..], guard.due()), (&[Some(slept)][..], Monotonic::NEVER));
    guard.on_stamp(stamp(600), late(600, 20), &mut out);
    assert_eq!((guard.doubt(), guard.due()), (Some(Doubt::Unsettled), late(605, 20)));
    guard.on_time(late(605, 20), &mut out);
    assert_eq!((out.len(), guard.doubt()), (3, None));
}

#[test]
fn c3_a_delay_is_doubted_as_long_as_it_lasts_and_however_slowly_it_grows() {
    for grows_in in [1, 60, 1_800] {
        let (mut guard, mut out) = (guard(10), Vec::new());
        let mut refused_from = 0;
        for second in 10..10_000 {
            let delay = 20 + (4_000 * (second - 10) / grows_in).min(4_000);
            let now = late(second, delay);
            guard.on_stamp(stamp(second), now, &mut out);
            guard.on_time(now, &mut out);
            if refused_from == 0 && guard.refuses(stamp(second), now).is_some() {
                refused_from = second;
            }
            let is_old = refused_from > 0;
            assert_eq!(guard.refuses(stamp(second), now).is_some(), is_old, "{second}");
            assert!(is_old || delay < 4_000, "{second}");
        }
        assert_eq!(out, [Some(Doubt::Delayed)]);
        // The queue is gone.
        for second in 10_005..10_012 {
            guard.on_stamp(stamp(second), late(second, 20), &mut out);
            guard.on_time(late(second, 20), &mut out);
        }
        assert_eq!((out.last(), guard.doubt()), (Some(&None), None));
        // Data that were good when they came grow old.
        let old = guard.refuses(stamp(10_011), at(10_014));
        assert!(matches!(old, Some(Refused::Old(age)) if age > Duration::from_secs(2)), "{old:?}");
    }
}

#[test]
fn a_gateways_clock_that_is_set_is_doubted() {
    // Ahead: its stamps are from the future for a second, and then they are what there is.
    let (mut guard, mut out) = (guard(10), Vec::new());
    for second in 10..20 {
        guard.on_stamp(stamp(second + 10), late(second, 20), &mut out);
        guard.on_time(late(second, 20), &mut out);
    }
    assert_eq!(out, [Some(Doubt::Unsettled), None]);
    // Back: that cannot be told from a delay, and lasts until there is a new connection.
    for second in 20..2_000 {
        guard.on_stamp(stamp(second), late(second, 20), &mut out);
        guard.on_time(late(second, 20), &mut out);
    }
    assert_eq!(out[2..], [Some(Doubt::Delayed)]);
    guard.on_lost(&mut out);
    for second in 2_000..2_010 {
        guard.on_stamp(stamp(second), late(second, 20), &mut out);
        guard.on_time(late(second, 20), &mut out);
    }
    assert_eq!(out[3..], [Some(Doubt::NoStamp), Some(Doubt::Unsettled), None]);
}

/// A stamp in 50 is three hours ahead, or two seconds and a half.
#[test]
fn a_single_stamp_from_the_future_is_not_the_time() {
    for ahead in [2.5, 10_800.0] {
        let (mut guard, mut out) = (guard(10), Vec::new());
        for second in 10..400 {
            let now = late(second, 20);
            if second % 50 == 0 {
                let wrong = stamp(second) + (ahead * 1e9) as i64;
                guard.on_stamp(wrong, now, &mut out);
            }
            guard.on_stamp(stamp(second), now, &mut out);
            guard.on_time(now, &mut out);
            let time = guard.market().now(now).unwrap();
            assert!(time.abs_diff(stamp(second)) < 1_000_000_000, "{second}");
        }
        // Each is a doubt that ends.
        assert_eq!(out, [Some(Doubt::Unsettled), None].repeat(7));
    }
}
