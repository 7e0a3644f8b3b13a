//! Scenarios C1 to C3: the machine's clocks and the gateway's.

use std::time::Duration;

use algospace_hft_rithmic::Monotonic;
use algospace_hft_rithmic::feed::{ClockEvent, ClockWatch, Clocks, MarketClock};
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
    assert!((market_now - stamp(sent + 4 * SECOND)).unsigned_abs() < 25_000_000);
    // It is set back by ten seconds: after some minutes that is what there is.
    for second in 605..1_000 {
        let sent = second * SECOND;
        market.on_stamp(stamp(sent) - 10 * SECOND as i64, Monotonic(sent + 20_000_000));
    }
    let (sent, now) = (1_000 * SECOND, at(1_000));
    assert!(market.age(stamp(sent) - 10 * SECOND as i64, now).unwrap() < OLD);
}
