//! The markets against what was measured on ES (`docs/synthetic.md` has the table).

use std::fmt::Write;

use super::*;

/// Returns the quantile of sorted values.
fn quantile(sorted: &[i64], share: f64) -> i64 {
    sorted[((sorted.len() - 1) as f64 * share).round() as usize]
}

/// The statistics that `docs/synthetic.md` compares.
#[derive(Debug)]
struct Statistics {
    trades_a_day: f64,
    contracts_a_day: f64,
    busy_seconds_a_day: f64,
    regular_share: f64,
    largest_half_hour: f64,
    unchanged: f64,
    one_tick: f64,
    reversals: f64,
    spread_of_one: f64,
    size_quantiles: [i64; 3],
    day_deviation: f64,
    minute_range_quantiles: [i64; 2],
}

fn statistics(sessions: &[(Session, Vec<Tick>)]) -> Statistics {
    let days = sessions.len() as f64;
    let tick_size = Price::from_units(250_000_000);
    let (mut trades, mut contracts, mut seconds) = (0usize, 0u64, 0usize);
    let (mut unchanged, mut one, mut moves, mut reversals, mut narrow) = (0, 0, 0, 0, 0);
    let mut half_hours = [0usize; 46];
    let mut sizes = Vec::new();
    let mut ranges = Vec::new();
    let mut day_moves = Vec::new();
    for (session, ticks) in sessions {
        trades += ticks.len();
        let mut last_second = 0;
        let mut last_move = 0;
        let mut minute: Option<(i64, i64, i64)> = None;
        for (index, tick) in ticks.iter().enumerate() {
            contracts += u64::from(tick.size);
            sizes.push(i64::from(tick.size));
            let second = tick.time.nanos() / Timestamp::SECOND;
            seconds += usize::from(second != last_second);
            last_second = second;
            half_hours[((tick.time - session.open) / (30 * Timestamp::MINUTE)) as usize] += 1;
            let price = in_ticks(tick.price);
            let spread =
                tick.ask(tick_size).unwrap().units() - tick.bid(tick_size).unwrap().units();
            narrow += usize::from(spread == tick_size.units());
            let start = tick.time.nanos() / Timestamp::MINUTE;
            match &mut minute {
                Some((of, low, high)) if *of == start => {
                    (*low, *high) = ((*low).min(price), (*high).max(price));
                }
                _ => {
                    ranges.extend(minute.map(|(_, low, high)| high - low));
                    minute = Some((start, price, price));
                }
            }
            if index > 0 {
                let change = price - in_ticks(ticks[index - 1].price);
                unchanged += usize::from(change == 0);
                one += usize::from(change.abs() == 1);
                if change != 0 {
                    if last_move != 0 {
                        moves += 1;
                        reversals += usize::from(change.signum() != last_move);
                    }
                    last_move = change.signum();
                }
            }
        }
        let (first, last) = (ticks.first().unwrap(), ticks.last().unwrap());
        day_moves.push((in_ticks(last.price) - in_ticks(first.price)) as f64);
    }
    sizes.sort_unstable();
    ranges.sort_unstable();
    let n = trades as f64;
    Statistics {
        trades_a_day: n / days,
        contracts_a_day: contracts as f64 / days,
        busy_seconds_a_day: seconds as f64 / days,
        regular_share: half_hours[31..44].iter().sum::<usize>() as f64 / n,
        largest_half_hour: *half_hours.iter().max().unwrap() as f64 / n,
        unchanged: unchanged as f64 / n,
        one_tick: one as f64 / n,
        reversals: f64::from(reversals as u32) / f64::from(moves as u32),
        spread_of_one: narrow as f64 / n,
        size_quantiles: [0.5, 0.9, 0.99].map(|share| quantile(&sizes, share)),
        day_deviation: (day_moves.iter().map(|m| m * m).sum::<f64>() / days).sqrt(),
        minute_range_quantiles: [0.5, 0.99].map(|share| quantile(&ranges, share)),
    }
}

/// The clustering of trades between 08:30 and 12:00.
#[derive(Debug)]
struct Clustering {
    trades_a_second: f64,
    same_time: f64,
    within_a_millisecond: f64,
    /// 50 %, 75 %, 90 % and 99 %, in milliseconds.
    gap_quantiles: [f64; 4],
    /// Trades in a second, 99 %.
    busy_second: i64,
    /// Largest numbers of trades in 1 s, 100 ms, 10 ms and 1 ms.
    bursts: [usize; 4],
}

fn clustering(sessions: &[(Session, Vec<Tick>)]) -> Clustering {
    let (from, to) = (930 * Timestamp::MINUTE, 1140 * Timestamp::MINUTE);
    let mut gaps = Vec::new();
    let mut seconds = Vec::new();
    let mut bursts = [0; 4];
    for (session, ticks) in sessions {
        let times: Vec<i64> = ticks
            .iter()
            .map(|tick| tick.time - session.open)
            .filter(|time| (from..to).contains(time))
            .collect();
        gaps.extend(times.windows(2).map(|pair| pair[1] - pair[0]));
        let first = seconds.len();
        seconds.resize(first + ((to - from) / Timestamp::SECOND) as usize, 0i64);
        for time in &times {
            seconds[first + ((time - from) / Timestamp::SECOND) as usize] += 1;
        }
        for (burst, window) in
            bursts.iter_mut().zip([1_000_000_000, 100_000_000, 10_000_000, 1_000_000])
        {
            let mut start = 0;
            for (end, time) in times.iter().enumerate() {
                while time - times[start] > window {
                    start += 1;
                }
                *burst = (*burst).max(end - start + 1);
            }
        }
    }
    let n = gaps.len() as f64;
    let share = |limit| gaps.iter().filter(|&&gap| gap <= limit).count() as f64 / n;
    let (same_time, within_a_millisecond) = (share(0), share(1_000_000));
    gaps.sort_unstable();
    let trades_a_second = seconds.iter().sum::<i64>() as f64 / seconds.len() as f64;
    seconds.sort_unstable();
    Clustering {
        trades_a_second,
        same_time,
        within_a_millisecond,
        gap_quantiles: [0.5, 0.75, 0.9, 0.99].map(|q| quantile(&gaps, q) as f64 / 1e6),
        busy_second: quantile(&seconds, 0.99),
        bursts,
    }
}

#[test]
#[ignore = "prints the measurements of docs/synthetic.md"]
fn print_statistics() {
    let mut text = String::new();
    for (name, market) in [("martingale", martingale(true)), ("regimes", regimes())] {
        let sessions = generate(settings(market, 1, 20, 340_000));
        writeln!(text, "{name}: {:#?}", statistics(&sessions)).unwrap();
        let sessions = generate(settings(market, 1, 20, MORNING_PACE));
        writeln!(text, "{name}: {:#?}", clustering(&sessions)).unwrap();
    }
    eprintln!("{text}");
}

/// Trades a day at which a morning has the 5.9 trades a second of the measured one.
const MORNING_PACE: u32 = 160_000;

#[test]
fn prices_sizes_spreads_and_the_day_look_like_es() {
    for market in [martingale(true), regimes()] {
        let s = statistics(&generate(settings(market, 1, 4, 340_000)));
        let name = market.0.name();
        assert!((0.83..0.86).contains(&s.unchanged), "{name} {s:?}");
        assert!((s.unchanged + s.one_tick - 1.0).abs() < 1e-4, "{name} {s:?}");
        assert!((0.83..0.88).contains(&s.reversals), "{name} {s:?}");
        assert!((0.985..0.991).contains(&s.spread_of_one), "{name} {s:?}");
        assert!((170_000.0..680_000.0).contains(&s.trades_a_day), "{name} {s:?}");
        assert!((0.74e6..2.26e6).contains(&s.contracts_a_day), "{name} {s:?}");
        assert!((30.0..300.0).contains(&s.day_deviation), "{name} {s:?}");
        let [median, p90, p99] = s.size_quantiles;
        assert!(median == 1 && (4..=7).contains(&p90) && (15..=34).contains(&p99), "{name} {s:?}");
        assert!((0.7..0.82).contains(&s.regular_share), "{name} {s:?}");
        assert!((0.06..0.115).contains(&s.largest_half_hour), "{name} {s:?}");
        assert!((35_000.0..50_000.0).contains(&s.busy_seconds_a_day), "{name} {s:?}");
        let [median, p99] = s.minute_range_quantiles;
        assert!((1..=2).contains(&median) && (5..=15).contains(&p99), "{name} {s:?}");
    }
}

#[test]
fn trades_come_in_bursts_like_es() {
    let c = clustering(&generate(settings(martingale(true), 1, 20, MORNING_PACE)));
    assert!((5.0..7.0).contains(&c.trades_a_second), "{c:?}");
    assert!((0.31..0.35).contains(&c.same_time), "{c:?}");
    assert!((0.48..0.52).contains(&c.within_a_millisecond), "{c:?}");
    let [median, p75, p90, p99] = c.gap_quantiles;
    assert!((0.2..5.0).contains(&median), "{c:?}");
    assert!((60.0..180.0).contains(&p75), "{c:?}");
    assert!((350.0..650.0).contains(&p90), "{c:?}");
    assert!((1_500.0..2_900.0).contains(&p99), "{c:?}");
    assert!((40..=65).contains(&c.busy_second), "{c:?}");
    for (burst, measured) in c.bursts.into_iter().zip([256, 164, 83, 42]) {
        assert!((measured / 2..=measured * 2).contains(&burst), "{c:?}");
    }
}

#[test]
fn an_average_full_session_has_the_trades_that_were_asked_for() {
    for market in [martingale(true), regimes()] {
        let name = market.0.name();
        let sessions = generate(settings(market, 5, 400, 1_000));
        let full = |session: &Session| session.close - session.open == 23 * Timestamp::HOUR;
        let counts: Vec<f64> = sessions
            .iter()
            .filter(|(session, _)| full(session))
            .map(|(_, ticks)| ticks.len() as f64)
            .collect();
        let trades = Mean::of(&counts);
        assert!(trades.from(1_000.0).abs() < 4.0 && trades.error < 25.0, "{name} {trades:?}");
    }
}

#[test]
#[ignore = "prints the generator's speed"]
fn print_speed() {
    for market in [martingale(true), martingale(false), regimes()] {
        let mut generator = Generator::new(settings(market, 1, 30, 340_000)).unwrap();
        let mut ticks = Vec::new();
        let mut made = 0;
        let start = std::time::Instant::now();
        while generator.next_session(&mut ticks).is_some() {
            made += ticks.len();
        }
        let speed = made as f64 / start.elapsed().as_secs_f64() / 1e6;
        eprintln!("{market:?}: {speed:.1} million ticks a second");
    }
}
