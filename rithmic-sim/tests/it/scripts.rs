//! Faults, each against the client's own machines, in virtual time.

use std::time::Duration;

use algospace_hft::market::{Tick, Timestamp};
use algospace_hft::random::Random;
use algospace_hft_rithmic::Monotonic;
use algospace_hft_rithmic::feed::{End, Session, Unusable};
use algospace_hft_rithmic::link::{Plant, State, Why};
use algospace_hft_rithmic::wire::prost::Message as _;
use algospace_hft_rithmic::wire::{Incoming, decode, encode, rti};
use rithmic_sim::script::{Action, Fault, Garbage, Moment, Pause, Quirks, When};
use rithmic_sim::{Gateway, Input, Market, Output, Script, Settings};

use crate::machine::{connected, subscription};
use crate::sampling::runs;
use crate::world::{HISTORY, OPEN, SECOND, TICKER, World, between, ticks};

#[test]
fn without_a_script_each_trade_is_told() {
    let world = World::of("seed: 1", 2).run(115);
    assert_eq!((world.state(TICKER), world.falls(TICKER)), (State::Live, vec![]));
    assert!(world.trades().len() > 450 && world.gaps().is_empty());
    world.assert_told_all_but(|_| false);
}

#[test]
fn a_connection_that_drops_or_breaks_is_opened_again_and_nothing_is_lost() {
    for action in ["drop", "reset"] {
        let script =
            format!("faults: [{{ when: {{ after_ticks: 100 }}, plant: ticker, do: {action} }}]");
        let world = World::of(&script, 2).run(110);
        assert_eq!(world.falls(TICKER).len(), 1);
        assert_eq!(world.falls(TICKER)[0].1, Why::Closed);
        assert!(world.falls(HISTORY).is_empty() && world.state(TICKER) == State::Live);
        assert!(world.gaps()[0].is_recovered() && world.gaps()[0].missing > Some(0));
        world.assert_told_all_but(|_| false);
    }
}

#[test]
fn a_mute_gateway_is_noticed_and_left() {
    let script = "faults: [{ when: { after_ticks: 100 }, plant: ticker, do: mute, for: 60s }]";
    let world = World::of(script, 2).run(110);
    let (fell, why) = world.falls(TICKER)[0];
    // The hundredth trade came after some 25 s.
    let noticed = between(Monotonic(26_000_000_000), fell);
    assert_eq!(why, Why::ProbeUnanswered);
    assert!(noticed > Duration::from_secs(6) && noticed < Duration::from_secs(9), "{noticed:?}");
    assert!(world.state(TICKER) == State::Live && world.falls(TICKER).len() == 1);
    world.assert_told_all_but(|_| false);
    // Without a plant nobody gets in either.
    let script = "faults: [{ when: { after_ticks: 100 }, do: mute, for: 30s }]";
    let world = World::of(script, 2).run(140);
    assert!(world.falls(TICKER).iter().any(|(_, why)| *why == Why::LoginUnanswered));
    assert!(world.state(TICKER) == State::Live && world.state(HISTORY) == State::Live);
    let ticks = world.gateway.market().ticks().iter();
    let traded = ticks.filter(|tick| tick.time.nanos() >= OPEN);
    let traded = traded.map(|tick| (tick.time.nanos(), tick.size));
    assert_eq!(world.wrong_minute(traded), None);
    assert!(world.gaps().iter().any(|gap| gap.missing > Some(0)));
}

#[test]
fn trades_that_are_lost_come_from_history_or_leave_a_gap() {
    let script = "faults: [{ when: { after_ticks: 100 }, do: lose, count: 5 }]";
    for (quirk, recovered) in [("0", true), ("1", false)] {
        let script = format!("quirks: {{ tick_replay_loss: {quirk} }}\n{script}");
        let world = World::of(&script, 1).run(60);
        let gap = world.gaps()[0];
        let all = &world.gateway.market().ticks()[120 + 100..120 + 105];
        let missing = all.iter().map(|tick| u64::from(tick.size)).sum();
        assert_eq!((gap.missing, gap.is_recovered()), (Some(missing), recovered));
        let is_lost = |tick: &Tick| all.contains(tick) && !recovered;
        world.assert_told_all_but(is_lost);
    }
}

#[test]
fn refused_connections_lead_to_no_storm() {
    let script = "faults:
  - { when: { after_ticks: 100 }, do: refuse_connections, count: 20 }
  - { when: { after_ticks: 100 }, plant: ticker, do: drop }";
    let world = World::of(script, 10).run(600);
    let refused: Vec<_> =
        world.falls(TICKER).into_iter().filter(|(_, why)| *why == Why::NotConnected).collect();
    assert_eq!(refused.len(), 20);
    for six in refused.windows(7) {
        assert!(between(six[0].0, six[6].0) >= Duration::from_secs(60), "a storm");
    }
    assert_eq!(world.state(TICKER), State::Live);
    world.assert_told_all_but(|_| false);
}

#[test]
fn the_clock_stops_behind_the_first_trade_of_each_bar() {
    let script = "market: { pause_at_bar_seconds: 60, pause: 90s }";
    let script = Script::parse(script, "test").unwrap();
    for speed in [1.0, f64::INFINITY] {
        let settings = Settings { script: script.clone(), speed, ..Settings::default() };
        let mut market = Market::of_ticks("ES", ticks(150, 4)).unwrap();
        market.start_at(Timestamp::from_nanos(OPEN));
        let mut gateway = Gateway::new(settings, market);
        connected(&mut gateway, 1, 1);
        let request = encode(&subscription("ESZ3", true), Some(1));
        gateway.on(Input::Frame(1, &request), Monotonic(0));
        let mut stops = Vec::new();
        let mut before = (gateway.market().position(), Monotonic(0));
        while let Some(due) = gateway.due()
            && gateway.market().next_time().is_some()
        {
            gateway.on(Input::Time, due);
            if between(before.1, due) >= Duration::from_secs(90) {
                stops.push(before.0);
            }
            before = (gateway.market().position(), due);
        }
        assert_eq!(stops, [121, 361], "speed {speed}");
    }
}

#[test]
fn the_documents_script_is_one() {
    let document = include_str!("../../../docs/rithmic-sim.md");
    let text = document.split("```yaml\n").nth(1).unwrap().split("```").next().unwrap();
    let script = Script::parse(text, "docs").unwrap_or_else(|error| panic!("{error}"));
    let names: Vec<_> = text.split("do: ").skip(1).collect();
    assert_eq!((script.seed, script.faults.len(), names.len()), (7, 16, 16));
    assert_eq!(script.pause, Some(Pause { bar_seconds: 60, length: Duration::from_millis(50) }));
    assert_eq!((script.quirks.tick_replay_loss, script.quirks.history_rows), (0.02, 500));
    let ticker = Some(Plant::Ticker);
    let (when, action) = (When::Ticks(4000), Action::Mute(Duration::from_secs(12)));
    assert_eq!(script.faults[0], Fault { when, plant: ticker, action });
    let (plant, template, nth) = (Some(Plant::History), 10, 2);
    let when = When::Request { plant, template, nth, at: Moment::BeforeReply };
    let action = Action::Reject { code: "1".to_owned(), text: "try later".to_owned() };
    assert_eq!(script.faults[3], Fault { when, plant: None, action });
    assert_eq!(script.faults[9].action, Action::ClockStep(-5 * SECOND));
    // All there are.
    let kind = |fault: &Fault| std::mem::discriminant(&fault.action);
    let mut kinds: Vec<_> = script.faults.iter().map(kind).collect();
    kinds.dedup();
    assert_eq!(kinds.len(), 15);
}

#[test]
fn what_no_script_can_be_is_refused_where_it_stands() {
    let cases = [
        ("sed: 7", "1:1", "unknown key `sed`; the keys here are seed, market, quirks, faults"),
        ("", "1:1", "the file is empty"),
        ("quirks:\n  tick_replay_loss: 2", "2:21", "a share from 0 to 1 is expected"),
        ("quirks: { history_rows: 0 }", "1:25", "a whole number from 1 to 1000000000"),
        ("market: { pause_at_bar_seconds: 60, pause: 50 }", "1:44", "such as 250ms, 12s, 5m or 1h"),
        (
            "faults:\n  - { when: { after_ticks: 1 }, do: explode }",
            "2:37",
            "not one of drop, reset",
        ),
        (
            "faults:\n  - { when: { after_ticks: 1 }, do: mute }",
            "2:37",
            "`mute` needs the key `for`",
        ),
        (
            "faults:\n  - { when: { after_ticks: 1 }, do: drop, for: 1s }",
            "2:48",
            "`drop` has no `for`; its keys are when, do, plant",
        ),
        ("faults:\n  - { do: drop }", "2:7", "the key `when` is missing"),
        (
            "faults: [{ when: {}, do: drop }]",
            "1:18",
            "one of after_ticks, after_fills, time and template",
        ),
        (
            "faults: [{ when: { after_ticks: 5, nth: 2 }, do: drop }]",
            "1:18",
            "`plant`, `nth` and `at` belong to `template`",
        ),
        ("faults: [{ when: { after_ticks: 0 }, do: drop }]", "1:33", "whole number from 1"),
        ("faults: [{ when: { time: 14:31 }, do: drop }]", "1:26", "such as 2024-01-03T14:30:00Z"),
        (
            "faults: [{ when: { template: 10, at: later }, do: drop }]",
            "1:38",
            "before_request, before_reply, after_reply",
        ),
        (
            "faults: [{ when: { after_ticks: 1 }, do: reject, code: 1, text: no }]",
            "1:18",
            "`reject` answers a request",
        ),
        ("faults: [{ when: { after_ticks: 1 }, plant: p, do: drop }]", "1:45", "ticker, orders"),
    ];
    for (text, place, words) in cases {
        let error = Script::parse(text, "storm.yaml").unwrap_err().to_string();
        let first = error.lines().next().unwrap();
        assert!(first.starts_with(&format!("storm.yaml:{place}: ")), "{error}");
        assert!(first.contains(words), "{error}");
    }
}

/// The faults of one script with one occasion: 40 trades, some 10 s after the market begins.
fn world_of(action: &str, minutes: i64) -> World {
    World::of(&format!("faults: [{{ when: {{ after_ticks: 40 }}, {action} }}]"), minutes)
}

#[test]
fn a_forced_logout_is_one_retry_after_half_a_minute() {
    let world = world_of("plant: ticker, do: forced_logout", 2).run(110);
    let falls = world.falls(TICKER);
    assert_eq!((falls.len(), falls[0].1), (1, Why::ForcedLogout));
    assert!(world.falls(HISTORY).is_empty() && world.state(TICKER) == State::Live);
    let again = world.links[TICKER].changes.last().unwrap().0;
    assert!(between(falls[0].0, again) >= Duration::from_secs(30));
    world.assert_told_all_but(|_| false);
}

#[test]
fn a_login_a_subscription_and_history_are_refused() {
    let refuse = |template, plant: &str| {
        format!(
            "faults:
  - {{ when: {{ template: {template}, plant: {plant} }}, do: reject, code: 5, text: try later }}
  - {{ when: {{ after_ticks: 100 }}, do: lose, count: 5 }}"
        )
    };
    let world = World::of(&refuse(10, "ticker"), 2).run(60);
    assert_eq!(world.falls(TICKER)[0].1, Why::RefusedForNow);
    assert_eq!(world.links[TICKER].refused, ["5 try later"]);
    world.assert_told_all_but(|_| false);
    let world = World::of(&refuse(100, "ticker"), 2).run(60);
    assert!(world.links[TICKER].refused == ["5 try later"] && world.falls(TICKER).is_empty());
    // It has asked again, since nothing came.
    world.assert_told_all_but(|_| false);
    let world = World::of(&refuse(206, "history"), 2).run(60);
    assert!(world.ends.contains(&End::Refused("5".to_owned(), "try later".to_owned())));
    assert!(!world.gaps()[0].is_recovered() && world.falls(HISTORY).is_empty());
}

#[test]
fn repeated_and_reversed_trades_are_told_once_and_in_order() {
    let world = world_of("do: duplicate, count: 5", 1).run(40);
    assert_eq!(world.feed.accounts().counts().repeated, 5);
    world.assert_told_all_but(|_| false);
    let world = world_of("do: reorder, count: 4", 1).run(40);
    assert_eq!(world.feed.accounts().counts().late, 3);
    assert!(world.gaps().iter().all(|gap| gap.is_recovered()));
    world.assert_told_all_but(|_| false);
}

#[test]
fn garbage_is_counted_and_harms_nothing() {
    let kinds = [("truncated", 2, 0), ("giant", 2, 0), ("unknown_template", 0, 0), ("text", 0, 2)];
    for (kind, invalid, texts) in kinds {
        let world = world_of(&format!("do: garble, as: {kind}"), 1).run(40);
        assert_eq!((world.invalid, world.texts), (invalid, texts), "{kind}");
        assert!(world.falls(TICKER).is_empty() && world.falls(HISTORY).is_empty());
        world.assert_told_all_but(|_| false);
    }
}

#[test]
fn slow_frames_come_late_and_in_order() {
    // The delay begins 9.75 s after the market, and with it ends a second later.
    let world = world_of("plant: ticker, do: slow, delay: 2s, for: 1s", 1).run(10);
    let before = world.trades().len();
    let world = world.run(1);
    assert_eq!((before, world.trades().len()), (40, 40));
    let world = world.run(29);
    assert!(world.trades().len() > 150 && world.falls(TICKER).is_empty());
    world.assert_told_all_but(|_| false);
}

#[test]
fn frames_that_stall_come_at_once() {
    let world = world_of("plant: ticker, do: stall, for: 2s", 1).run(11);
    assert_eq!(world.trades().len(), 40);
    let world = world.run(1);
    assert!(world.trades().len() > 45 && world.falls(TICKER).is_empty());
    let world = world.run(20);
    assert!(world.gaps().is_empty());
    world.assert_told_all_but(|_| false);
}

#[test]
fn a_halt_is_told_and_its_trades_never_happen() {
    let script = "faults:
  - { when: { time: 2023-11-15T14:30:30Z }, do: halt, for: 60s }
  - { when: { time: 2023-11-15T14:31:10Z }, plant: ticker, do: drop }";
    let mut world = World::of(script, 3).run(150);
    let sessions: Vec<Session> = world.told.sessions.iter().map(|change| change.to).collect();
    // A link that is lost tells nothing of the halt until it is back.
    use Session::{Halted, Regular};
    assert_eq!(sessions, [Halted, Regular, Halted, Regular]);
    let is_halted = |time: i64| (30..90).contains(&((time - OPEN) / SECOND));
    assert!(world.trades().iter().all(|trade| !is_halted(trade.time)));
    world.assert_told_all_but(|tick| is_halted(tick.time.nanos()));
    assert_eq!(world.falls(TICKER).len(), 1, "silence is no symptom of a halt");
    assert!(world.gaps().len() == 1 && world.gaps()[0].missing == Some(0));
    // Nor has history anything of it.
    let mut request = rti::RequestTickBarReplay::default();
    (request.symbol, request.exchange) = (Some("ESZ3".to_owned()), Some("CME".to_owned()));
    (request.bar_type, request.bar_type_specifier) = (Some(1), Some("1".to_owned()));
    (request.start_index, request.finish_index) =
        (Some((OPEN / SECOND) as i32 + 29), Some((OPEN / SECOND) as i32 + 90));
    let client = world.links[HISTORY].client.unwrap();
    world.gateway.on(Input::Frame(client, &encode(&request, Some(99))), Monotonic(0));
    let rows = world.gateway.outputs().filter(|output| matches!(output, Output::Send(..)));
    // Four of the second before, four of that behind, and the end.
    assert_eq!(rows.count(), 9);
}

#[test]
fn the_gateways_clock_steps_and_the_exchanges_does_not() {
    let world = world_of("do: clock_step, by: -5s", 1).run(40);
    let lag = |place: usize| {
        world.trades()[place].time / SECOND - world.trades()[place].gateway_time / SECOND
    };
    assert_eq!([39, 40, 100].map(lag), [0, 5, 5]);
    world.assert_told_all_but(|_| false);
}

#[test]
fn quirks_are_seen_by_the_client() {
    let lose = "faults: [{ when: { after_ticks: 40 }, do: lose, count: 5 }]";
    let script = format!("quirks: {{ history_empty: true, price_less_trades: 0.5 }}\n{lose}");
    let world = World::of(&script, 2).run(100);
    assert!(world.ends.contains(&End::Empty) && !world.gaps()[0].is_recovered());
    // 400 draws of a half: 100 is ten standard deviations away.
    let statistics = world.feed.unusable(Unusable::NoPrice);
    assert!((100..300).contains(&statistics), "{statistics}");
    // A few rows an answer, and a tenth of them lost: minutes are whole.
    let script = format!("quirks: {{ history_rows: 2, tick_replay_loss: 0.1 }}\n{lose}");
    let recovered = (0..20).filter(|seed| {
        let world = World::of(&format!("seed: {seed}\n{script}"), 1).run(30);
        assert!(world.ends.iter().all(|end| *end == End::Whole), "{:?}", world.ends);
        world.gaps()[0].is_recovered()
    });
    // 0.9 to the fifth of 20, more or less.
    assert!((4..20).contains(&recovered.count()));
}

#[test]
fn a_fault_comes_before_or_behind_its_request_and_its_reply() {
    let told = |at: &str| {
        let script = format!("faults: [{{ when: {{ template: 100, at: {at} }}, do: reset }}]");
        let script = Script::parse(&script, "test").unwrap();
        let market = Market::of_ticks("ES", ticks(60, 1)).unwrap();
        let mut gateway = Gateway::new(Settings { script, ..Settings::default() }, market);
        connected(&mut gateway, 1, 1);
        let request = encode(&subscription("ESZ3", true), Some(1));
        gateway.on(Input::Frame(1, &request), Monotonic(0));
        let outputs: Vec<_> = gateway.outputs().collect();
        assert_eq!(outputs.last(), Some(&Output::Reset(1)));
        assert!(gateway.happened().map(|(_, action)| action).eq([Action::Reset]));
        (outputs.len(), gateway.due().is_some())
    };
    // What is sent, and whether the market has begun.
    assert_eq!(told("before_request"), (1, false));
    assert_eq!(told("before_reply"), (1, true));
    assert_eq!(told("after_reply"), (2, true));
}

#[test]
fn an_order_whose_reply_is_lost_lives_and_one_that_nobody_read_does_not() {
    for (at, orders) in [("before_request", 0), ("before_reply", 1), ("after_reply", 1)] {
        let when = format!("{{ plant: orders, template: 312, at: {at} }}");
        let script = format!("faults: [{{ when: {when}, do: drop }}]");
        let script = Script::parse(&script, "test").unwrap();
        let market = Market::of_ticks("ES", ticks(60, 1)).unwrap();
        let mut gateway = Gateway::new(Settings { script, ..Settings::default() }, market);
        connected(&mut gateway, 1, Plant::Orders as i32);
        let request = encode(&crate::orders::order(1, 1, 2, 0.0), Some(1));
        gateway.on(Input::Frame(1, &request), Monotonic(0));
        let outputs: Vec<_> = gateway.outputs().collect();
        assert_eq!(outputs.last(), Some(&Output::Close(1)));
        assert_eq!(outputs.len() > 1, at == "after_reply");
        let mut dump = Vec::new();
        gateway.write_orders(&mut dump).unwrap();
        assert_eq!(std::str::from_utf8(&dump).unwrap().lines().count(), 1 + orders, "{at}");
    }
}

#[test]
fn the_mode_is_told_at_each_change_of_the_session() {
    // In 2013, trading halts from 15:15 to 15:30 in Chicago, and closes at 16:15.
    let begin: Timestamp = "2013-10-07T20:10:00Z".parse().unwrap();
    let minutes = (0..5).chain(20..65).chain(110..120);
    let tick = |minute: i64| Tick::new(begin + minute * 60 * SECOND, ticks(1, 1)[0].price, 1);
    let market = Market::of_ticks("ES", minutes.map(tick).collect()).unwrap();
    let settings = Settings { speed: f64::INFINITY, ..Settings::default() };
    let mut gateway = Gateway::new(settings, market);
    connected(&mut gateway, 1, 1);
    let mut request = subscription("ESZ3", true);
    request.update_bits = Some(1 | rti::request_market_data_update::UpdateBits::MarketMode as u32);
    gateway.on(Input::Frame(1, &encode(&request, Some(1))), Monotonic(0));
    let (mut modes, mut trades) = (Vec::new(), 0);
    for output in gateway.outputs() {
        let Output::Send(_, frame) = output else { panic!("{output:?}") };
        match decode(&frame[4..]).unwrap() {
            Incoming::Trade(_) => trades += 1,
            Incoming::Other(envelope, bytes) if envelope.template == 157 => {
                let mode = rti::MarketMode::decode(bytes).unwrap();
                let minute = (i64::from(mode.ssboe.unwrap()) - begin.nanos() / SECOND) / 60;
                modes.push((trades, minute, mode.market_mode.unwrap()));
            }
            _ => {}
        }
    }
    let day = 24 * 60;
    let expected = [
        (0, 0, "Open"),
        (5, 5, "Halted"),
        (5, 20, "Open"),
        (50, 65, "Closed"),
        (50, 110, "Open"),
        (60, day + 5, "Halted"),
        (60, day + 20, "Open"),
        (60, day + 65, "Closed"),
    ];
    let expected = expected.map(|(trades, minute, mode)| (trades, minute, mode.to_owned()));
    assert_eq!(modes, expected);
}

/// Returns a script of one to six faults in the first five minutes.
fn random_script(seed: u64) -> Script {
    let mut random = Random::new(seed, 0);
    let random = &mut random;
    let some =
        |random: &mut Random, values: &[f64]| values[random.below(values.len() as u32) as usize];
    let quirks = Quirks {
        tick_replay_loss: some(random, &[0.0, 0.0, 0.02, 0.5]),
        price_less_trades: some(random, &[0.0, 0.05]),
        history_empty: random.below(8) == 0,
        history_rows: some(random, &[3.0, 50.0, 10_000.0]) as usize,
        ..Quirks::default()
    };
    let mut faults: Vec<Fault> = Vec::new();
    for _ in 0..=random.below(6) {
        let mut fault = random_fault(random);
        // A second logout is for good, and so are three refusals: that is no fault of the client's.
        let is_for_good = matches!(fault.action, Action::ForcedLogout | Action::Reject { .. });
        let same = std::mem::discriminant(&fault.action);
        if is_for_good && faults.iter().any(|it| std::mem::discriminant(&it.action) == same) {
            fault.action = Action::Drop;
        }
        faults.push(fault);
    }
    let length = Duration::from_millis(u64::from(random.below(4_000)));
    let pause = (random.below(4) == 0).then_some(Pause { bar_seconds: 60, length });
    Script { seed, pause, quirks, faults }
}

fn random_fault(random: &mut Random) -> Fault {
    let mut below = |bound: u32| random.below(bound);
    let plants = [None, Some(Plant::Ticker), Some(Plant::History)];
    let span = Duration::from_millis(u64::from(100 + below(30_000)));
    let delay = Duration::from_millis(u64::from(100 + below(8_000)));
    let count = 2 + below(8);
    let kinds = [Garbage::Truncated, Garbage::Giant, Garbage::UnknownTemplate, Garbage::Text];
    let action = match below(14) {
        0 => Action::Drop,
        1 => Action::Reset,
        2 => Action::Mute(span),
        3 => Action::ForcedLogout,
        4 => Action::Reject { code: "5".to_owned(), text: "try later".to_owned() },
        5 => Action::RefuseConnections { span: Duration::ZERO, count },
        6 => Action::Lose(count),
        7 => Action::Duplicate(count),
        8 => Action::Reorder(count),
        9 => Action::Garble(kinds[below(4) as usize]),
        10 => Action::Slow { delay, span },
        11 => Action::Halt(span),
        12 => Action::Stall(span / 4),
        _ => Action::ClockStep(i64::from(below(20)) * SECOND - 10 * SECOND),
    };
    let is_refusal = matches!(action, Action::Reject { .. });
    let when = match if is_refusal { 2 } else { below(3) } {
        0 => When::Ticks(u64::from(1 + below(1_200))),
        1 => When::Time(Timestamp::from_nanos(OPEN + i64::from(below(300)) * SECOND)),
        _ => {
            let template = [10, 100, 206, 202, 210, 18][below(6) as usize];
            let moments = [Moment::BeforeRequest, Moment::BeforeReply, Moment::AfterReply];
            let at = moments[below(if is_refusal { 2 } else { 3 }) as usize];
            When::Request { plant: None, template, nth: 1 + below(3), at }
        }
    };
    Fault { when, plant: plants[below(3) as usize], action }
}

/// Runs a script for twelve minutes. Returns the numbers of falls and of gaps, or what is wrong.
fn outcome(script: &Script) -> Result<(usize, usize), String> {
    let mut world = World::new(script.clone(), ticks(13 * 60, 4)).run(720);
    let states = [world.state(TICKER), world.state(HISTORY)];
    if !states.iter().all(|state| state.is_up()) {
        return Err(format!("a link is down at the end: {states:?}"));
    }
    if world.feed.accounts().gap().is_some() {
        return Err("a gap is open at the end".to_owned());
    }
    let trades = world.trades();
    if trades.windows(2).any(|pair| pair[1].time / 1_000 < pair[0].time / 1_000) {
        return Err("a trade is told behind a later one".to_owned());
    }
    let last = trades.last().map_or(0, |trade| trade.time);
    let silence = world.gateway.market().time().nanos() - last;
    if silence > 5 * SECOND {
        return Err(format!("nothing is told in the last {} s", silence / SECOND));
    }
    // The simulator's own account of what it showed.
    let other = Gateway::new(Settings::default(), Market::of_ticks("ES", ticks(1, 1)).unwrap());
    let mut market = std::mem::replace(&mut world.gateway, other).into_market();
    let mut dump = Vec::new();
    market.write_past(Timestamp::from_nanos(OPEN), &mut dump).unwrap();
    let traded = std::str::from_utf8(&dump).unwrap().lines().skip(1).map(|line| {
        let fields: Vec<_> = line.split(',').collect();
        (fields[1].parse().unwrap(), fields[3].parse().unwrap())
    });
    match world.wrong_minute(traded) {
        Some(wrong) => Err(wrong),
        None => Ok((world.falls(TICKER).len(), world.gaps().len())),
    }
}

#[test]
fn random_scripts_leave_no_wrong_minute_unflagged() {
    let (mut falls, mut gaps) = (0, 0);
    for seed in 0..u64::from(runs(8, 1_000)) {
        let mut script = random_script(seed);
        match outcome(&script) {
            Ok(seen) => (falls, gaps) = (falls + seen.0, gaps + seen.1),
            Err(mut wrong) => {
                // The fewest faults that go wrong still.
                for place in (0..script.faults.len()).rev() {
                    let fault = script.faults.remove(place);
                    match outcome(&script) {
                        Err(still) => wrong = still,
                        Ok(_) => script.faults.insert(place, fault),
                    }
                }
                panic!("seed {seed}: {wrong}\n{script:#?}");
            }
        }
    }
    assert!(falls > 3 && gaps > 3, "{falls} falls, {gaps} gaps: nothing was tried");
}

#[test]
fn a_script_shows_the_same_each_time() {
    let script = random_script(3);
    let shown = || World::new(script.clone(), ticks(300, 4)).run(240).told.feed;
    assert_eq!(shown(), shown());
}
