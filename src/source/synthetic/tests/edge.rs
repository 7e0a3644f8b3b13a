//! Possible earnings: nothing on the martingale, the planted edge on the regimes.

use super::*;
use crate::market::Money;
use crate::sampling::runs;

/// Returns the profit in ticks of positions held between prints; `position(index)` is held from
/// print `index` to the next.
fn profit(ticks: &[Tick], mut position: impl FnMut(usize) -> i64) -> f64 {
    let moves = ticks
        .windows(2)
        .enumerate()
        .map(|(index, pair)| position(index) * (in_ticks(pair[1].price) - in_ticks(pair[0].price)));
    moves.sum::<i64>() as f64
}

fn all_ticks(settings: Settings) -> Vec<Tick> {
    generate(settings).into_iter().flat_map(|(_, ticks)| ticks).collect()
}

/// Enters after a fall (or, with `direction` −1, a rise) of two ticks over 20 prints, at the next
/// print; leaves at the print that first is 5 ticks worse or 3 better; and is flat at the end.
fn bracket(ticks: &[Tick], direction: i64) -> f64 {
    let mut total = 0;
    let mut entry: Option<i64> = None;
    for index in 20..ticks.len() - 1 {
        let price = in_ticks(ticks[index].price);
        match entry {
            None if direction * (in_ticks(ticks[index - 20].price) - price) >= 2 => {
                entry = Some(in_ticks(ticks[index + 1].price));
            }
            Some(bought) if !(-4..=2).contains(&(direction * (price - bought))) => {
                total += direction * (price - bought);
                entry = None;
            }
            _ => {}
        }
    }
    let last = in_ticks(ticks.last().unwrap().price);
    total += entry.map_or(0, |bought| direction * (last - bought));
    total as f64
}

#[test]
fn no_bracket_earns_on_the_plain_martingale() {
    let (mut falls, mut rises) = (Vec::new(), Vec::new());
    for seed in 0..u64::from(runs(100, 250)) {
        let ticks = all_ticks(settings(martingale(false), seed, 1, 4_000));
        falls.push(bracket(&ticks, 1));
        rises.push(bracket(&ticks, -1));
    }
    for results in [&falls, &rises] {
        let mean = Mean::of(results);
        assert!(mean.from(0.0).abs() < 3.5, "{mean:?}");
        assert!(mean.error > 1.0, "the rule traded: {mean:?}");
    }
}

#[test]
fn fills_at_the_next_print_earn_nothing_on_the_bouncing_martingale_and_other_fills_do() {
    let tick_size = Price::from_units(250_000_000);
    let (mut next_print, mut same_print, mut mid) = (Vec::new(), Vec::new(), Vec::new());
    for seed in 0..60 {
        let ticks = all_ticks(settings(martingale(true), seed, 1, 20_000));
        // Long after a print at the ask, short after one at the bid: with the print, or a print
        // later.
        let side = |index: usize| ticks[index].aggressor().unwrap().sign();
        next_print.push(profit(&ticks, |index| if index == 0 { 0 } else { side(index - 1) }));
        same_print.push(profit(&ticks, side));
        let mids: Vec<i64> = ticks
            .iter()
            .map(|t| {
                (t.bid(tick_size).unwrap().units() + t.ask(tick_size).unwrap().units())
                    / 125_000_000
            })
            .collect();
        mid.push(
            (1..mids.len() - 1).map(|i| side(i - 1) * (mids[i + 1] - mids[i])).sum::<i64>() as f64
        );
    }
    let next_print = Mean::of(&next_print);
    assert!(next_print.from(0.0).abs() < 3.5, "{next_print:?}");
    // The documented conventions that are not a null, so that this test is known to have teeth.
    assert!(Mean::of(&same_print).from(0.0) < -20.0, "{:?}", Mean::of(&same_print));
    assert!(Mean::of(&mid).from(0.0) > 10.0, "{:?}", Mean::of(&mid));
}

#[test]
fn fills_at_the_quotes_lose_about_half_a_tick_a_side() {
    let tick_size = Price::from_units(250_000_000);
    let mut costs = Vec::new();
    for seed in 0..40 {
        // Bought at the ask of every 50th print and sold at the bid 25 prints later.
        let ticks = all_ticks(settings(martingale(true), seed, 1, 50_000));
        let trades: Vec<f64> = (0..ticks.len() - 25)
            .step_by(50)
            .map(|index| {
                let bought = ticks[index].ask(tick_size).unwrap();
                let sold = ticks[index + 25].bid(tick_size).unwrap();
                (sold.units() - bought.units()) as f64 / tick_size.units() as f64
            })
            .collect();
        costs.push(Mean::of(&trades).mean);
    }
    let cost = Mean::of(&costs);
    assert!(cost.from(-1.0).abs() < 4.0 && cost.error < 0.05, "{cost:?}");
}

#[test]
fn price_changes_of_the_martingale_are_uncorrelated() {
    let autocorrelation = |changes: &[f64], lag: usize| {
        let power: f64 = changes.iter().map(|c| c * c).sum();
        let n = changes.len() as f64;
        changes.windows(lag + 1).map(|w| w[0] * w[lag]).sum::<f64>() / power * n.sqrt()
    };
    let changes = |ticks: &[Tick], every: usize| -> Vec<f64> {
        let prices: Vec<i64> =
            ticks.iter().step_by(every).map(|tick| in_ticks(tick.price)).collect();
        prices.windows(2).map(|pair| (pair[1] - pair[0]) as f64).collect()
    };
    // Print by print without the bounce; over some minutes with it, where the bounce is too small
    // to be seen. Each is a standard normal deviate.
    let plain = all_ticks(settings(martingale(false), 8, 2, 340_000));
    let bouncing = all_ticks(settings(martingale(true), 8, 40, 20_000));
    for lag in 1..=5 {
        for deviate in [
            autocorrelation(&changes(&plain, 1), lag),
            autocorrelation(&changes(&bouncing, 200), lag),
        ] {
            assert!(deviate.abs() < 3.5, "lag {lag}: {deviate}");
        }
    }
    assert!(autocorrelation(&changes(&bouncing, 1), 1) < -10.0, "print by print, the bounce shows");
}

/// Follows the oracle's rule, from the labels and the prints alone: the fair price is taken as the
/// print.
fn follow_the_regimes(ticks: &[Tick], regimes: &[RegimeStretch]) -> f64 {
    let (mut at, mut target, mut anchor) = (0, 0, in_ticks(ticks[0].price));
    let mut held = 0;
    profit(ticks, |index| {
        // What was wanted after the print before fills at this one.
        let tick = &ticks[index];
        while at < regimes.len() && regimes[at].start <= tick.time {
            target = match regimes[at].regime {
                Regime::TrendUp => 1,
                Regime::TrendDown => -1,
                Regime::Range | Regime::Volatile => 0,
            };
            anchor = in_ticks(ticks[index.saturating_sub(1)].price);
            at += 1;
        }
        held = target;
        if at > 0 && regimes[at - 1].regime == Regime::Range {
            let above = in_ticks(tick.price) - anchor;
            if above.abs() >= 6 {
                target = -above.signum();
            }
        }
        held
    })
}

const TICK_DOLLARS: f64 = 12.5;

#[test]
fn an_oracle_earns_what_is_reported_and_nothing_on_the_martingale() {
    let (mut excess, mut on_martingale) = (Vec::new(), Vec::new());
    let (mut followed, mut realized, mut expected) = (0.0, 0.0, 0.0);
    let seeds = runs(12, 40);
    for seed in 0..u64::from(seeds) {
        let settings = settings(regimes(), seed, 8, 5_000);
        let mut generator = Generator::new(settings.clone()).unwrap();
        let (mut ticks, mut session) = (Vec::new(), Vec::new());
        while generator.next_session(&mut session).is_some() {
            ticks.extend_from_slice(&session);
        }
        let oracle = generator.oracle().unwrap();
        let gross = |net: Money| (net + oracle.costs).as_f64() / TICK_DOLLARS;
        let regimes = generator.regimes();
        followed += follow_the_regimes(&ticks, &regimes);
        realized += gross(oracle.realized_net);
        expected += gross(oracle.expected_net);
        excess.push(gross(oracle.realized_net) - gross(oracle.expected_net));
        assert_eq!(oracle.costs, Money::from_nanos(8_500_000_000) * oracle.sides as i64);
        let null = {
            let market =
                SyntheticSettings { market: SyntheticMarket::Martingale, ..settings.market };
            all_ticks(Settings { market, ..settings })
        };
        on_martingale.push(follow_the_regimes(&null, &regimes));
    }
    // The same rule, told twice: once on the fair price, once on the prints.
    assert!((followed / realized - 1.0).abs() < 0.1, "{followed} against {realized} ticks");
    let luck = Mean::of(&excess);
    assert!(luck.from(0.0).abs() < 3.5, "realized less expected: {luck:?}");
    let null = Mean::of(&on_martingale);
    assert!(null.from(0.0).abs() < 3.5, "on the martingale: {null:?}");
    // Of eight days a seed; a day's edge of 50 ticks and more is seen through a day's luck of some
    // 75.
    let a_seed = expected / f64::from(seeds);
    assert!(a_seed / 8.0 > 50.0, "{} ticks a day expected", a_seed / 8.0);
    assert!(a_seed > 4.0 * luck.error, "{expected} {luck:?}");
}

/// Returns the daily profits, in ticks before costs, of holding the direction of the last `bars`
/// half-hour bars, filled at the print after a bar's close.
fn momentum(sessions: &[(Session, Vec<Tick>)], bars: usize) -> Vec<f64> {
    let daily = |(session, ticks): &(Session, Vec<Tick>)| {
        let mut closes = Vec::new();
        let mut target = 0;
        profit(ticks, |index| {
            let held = target;
            let bar = |tick: &Tick| (tick.time - session.open) / (30 * Timestamp::MINUTE);
            if index > 0 && bar(&ticks[index]) != bar(&ticks[index - 1]) {
                closes.push(in_ticks(ticks[index - 1].price));
                if closes.len() > bars {
                    target = (closes[closes.len() - 1] - closes[closes.len() - 1 - bars]).signum();
                }
            }
            held
        })
    };
    sessions.iter().map(daily).collect()
}

#[test]
fn half_hour_momentum_finds_the_edge_of_the_regimes_and_none_on_the_martingale() {
    let days = runs(200, 500);
    let with_edge = Mean::of(&momentum(&generate(settings(regimes(), 6, days, 3_000)), 3));
    let without = Mean::of(&momentum(&generate(settings(martingale(true), 6, days, 3_000)), 3));
    assert!(with_edge.from(0.0) > 3.5, "{with_edge:?}");
    assert!(without.from(0.0).abs() < 3.5, "{without:?}");
}

#[test]
#[ignore = "prints the measurements of docs/synthetic.md"]
fn print_edge() {
    let days = 1_000;
    let mut generator = Generator::new(settings(regimes(), 1, days, 20_000)).unwrap();
    let mut sessions = Vec::new();
    let mut ticks = Vec::new();
    while let Some(session) = generator.next_session(&mut ticks) {
        sessions.push((session, ticks.clone()));
    }
    let oracle = generator.oracle().unwrap();
    let a_day = |money: Money| money.as_f64() / f64::from(days);
    eprintln!(
        "oracle a day: expected ${:.2} realized ${:.2} costs ${:.2} sides {:.1}",
        a_day(oracle.expected_net),
        a_day(oracle.realized_net),
        a_day(oracle.costs),
        oracle.sides as f64 / f64::from(days)
    );
    let stretches = generator.regimes();
    for regime in [Regime::TrendUp, Regime::TrendDown, Regime::Range, Regime::Volatile] {
        let of: Vec<_> = stretches.iter().filter(|stretch| stretch.regime == regime).collect();
        let hours: f64 = of.iter().map(|stretch| stretch.hours).sum();
        let drift: f64 = of.iter().map(|stretch| stretch.drift_ticks).sum();
        eprintln!(
            "{}: {} stretches, mean {:.2} h, share {:.3}, drift {:.2} ticks/h",
            regime.name(),
            of.len(),
            hours / of.len() as f64,
            hours / (23.0 * f64::from(days)),
            drift / hours
        );
    }
    for bars in [1, 2, 3, 4, 6, 8] {
        let mean = Mean::of(&momentum(&sessions, bars));
        eprintln!(
            "momentum of {bars} half hours: {:.2} ± {:.2} ticks a day",
            mean.mean, mean.error
        );
    }
    for market in [martingale(true), martingale(false), regimes()] {
        let name = format!("{market:?}");
        let moves: Vec<f64> = generate(settings(market, 1, days, 20_000))
            .iter()
            .map(|(_, ticks)| profit(ticks, |_| 1).powi(2))
            .collect();
        eprintln!("a day's move: {:.1} ticks; {name}", Mean::of(&moves).mean.sqrt());
    }
}
