//! On a market without an edge nothing is earned, and with costs exactly the costs are lost.
//!
//! The martingale's expected gross profit is exactly zero for two conventions of
//! `docs/synthetic.md`: market orders at later prints with the bid-ask bounce on, and brackets too
//! with it off. Both are measured over 200 seeds, or a sample of 50. Seeds are independent, trades
//! of one seed are not, so intervals are made of seeds. The controls earn a known edge in the same
//! way and show that the intervals would see it.

use std::sync::{Arc, Mutex};

use algospace_hft::execution::{
    Account, Bracket, Decision, ExitReason, LimitFill, Slippage, Target, Trade,
};
use algospace_hft::market::{Bar, Money, Side, Tick, Timeframe, Timestamp};
use algospace_hft::source::synthetic::{Generator, Settings, SyntheticMarket, SyntheticSettings};
use algospace_hft::strategy::{
    MovingAverageCross, RandomEntries, RandomEntriesSettings, Strategy, StrategySettings,
};

use crate::assembly::{Log, Run, Setup, TICK_SIZE, market};
use crate::sampling::runs;

/// Returns the number of seeds, and Student's t of one degree of freedom less, 99 % two-sided (R:
/// `qt(0.995, 49)`, `qt(0.995, 199)`).
fn sample() -> (u64, f64) {
    match runs(50, 200) {
        50 => (50, 2.6800),
        _ => (200, 2.6008),
    }
}

fn martingale(seed: u64, bid_ask_bounce: bool, days: u32, trades_per_day: u32) -> Vec<Tick> {
    let market = SyntheticSettings::new(SyntheticMarket::Martingale, days, trades_per_day);
    let settings = Settings { bid_ask_bounce, ..Settings::new(market, seed) };
    let mut generator = Generator::new(settings).unwrap();
    let (mut ticks, mut session) = (Vec::new(), Vec::new());
    while generator.next_session(&mut session).is_some() {
        ticks.extend_from_slice(&session);
    }
    ticks
}

/// Day trading with the default latency and no costs.
fn free() -> Setup {
    let mut setup = Setup::free();
    setup.stages.timeframes = vec![Timeframe::MINUTE_1, Timeframe::MINUTES_5];
    setup.stages.flatten_before_close = Some(5 * Timestamp::MINUTE);
    setup.exchange.order_latency_microseconds = 2_000;
    setup.exchange.acknowledgement_latency_microseconds = 2_000;
    setup.exchange.limit_fill = LimitFill::Touch;
    setup
}

fn costly() -> Setup {
    let mut setup = free();
    setup.exchange.commission_per_side = COMMISSION;
    setup.exchange.slippage = Slippage { ticks: 0, cross_spread: true, assumed_spread_ticks: 1 };
    setup
}

const COMMISSION: Money = Money::from_nanos(2_250_000_000);
const NO_BRACKET: Bracket = Bracket { stop_loss_ticks: 0, profit_target_ticks: 0 };
const BRACKET: Bracket = Bracket { stop_loss_ticks: 16, profit_target_ticks: 32 };

const TIGHT_BRACKET: Bracket = Bracket { stop_loss_ticks: 4, profit_target_ticks: 8 };

/// The baseline of the example configuration, on bars of `timeframe`.
fn baseline(timeframe: Timeframe, bracket: Bracket) -> MovingAverageCross {
    MovingAverageCross::new(with_exits(timeframe, bracket), TICK_SIZE)
}

/// Many short trades, so that a small edge shows.
fn random_entries(seed: u64, hold_bars: u32, bracket: Bracket) -> RandomEntries {
    let random_entries = RandomEntriesSettings { entries_per_hundred_bars: 50, hold_bars };
    let settings = with_exits(Timeframe::MINUTE_1, bracket);
    RandomEntries::new(StrategySettings { random_entries, ..settings }, seed)
}

fn with_exits(timeframe: Timeframe, bracket: Bracket) -> StrategySettings {
    let Bracket { stop_loss_ticks, profit_target_ticks } = bracket;
    StrategySettings { timeframe, stop_loss_ticks, profit_target_ticks, ..Default::default() }
}

/// Runs `work` for every seed, on all cores, in order of seeds.
fn over_seeds<T: Send>(work: impl Fn(u64) -> T + Sync) -> Vec<T> {
    let threads = std::thread::available_parallelism().map_or(1, usize::from) as u64;
    let (seeds, work) = (sample().0, &work);
    let mut results: Vec<(u64, T)> = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..threads)
            .map(|worker| {
                let seeds = (1..=seeds).filter(move |seed| seed % threads == worker);
                scope.spawn(move || seeds.map(|seed| (seed, work(seed))).collect::<Vec<_>>())
            })
            .collect();
        workers.into_iter().flat_map(|worker| worker.join().unwrap()).collect()
    });
    results.sort_by_key(|result| result.0);
    results.into_iter().map(|result| result.1).collect()
}

/// Dollars a trade, with a 99 % interval.
#[derive(Debug)]
struct Expectancy {
    mean: f64,
    half_width: f64,
    trades: f64,
}

impl Expectancy {
    /// Of `value` over all trades. The mean a trade is a ratio of two sums over seeds; its error is
    /// that of the ratio estimator (Cochran, Sampling Techniques, 3rd ed., 6.3), seeds being the
    /// units.
    fn of(seeds: &[Vec<Trade>], value: impl Fn(&Trade) -> Money) -> Expectancy {
        let sums: Vec<(f64, f64)> = seeds
            .iter()
            .map(|trades| (trades.iter().map(&value).sum::<Money>().as_f64(), trades.len() as f64))
            .collect();
        let count = sums.len() as f64;
        let (total, trades) = sums.iter().fold((0.0, 0.0), |(t, n), s| (t + s.0, n + s.1));
        let mean = total / trades;
        let squares: f64 = sums.iter().map(|(sum, n)| (sum - mean * n).powi(2)).sum();
        let error = (squares / (count - 1.0) / count).sqrt() / (trades / count);
        Expectancy { mean, half_width: sample().1 * error, trades }
    }

    fn contains(&self, value: f64) -> bool {
        (self.mean - value).abs() <= self.half_width
    }
}

fn gross(trade: &Trade) -> Money {
    trade.gross_pnl
}

fn trades(run: Run) -> Vec<Trade> {
    run.log.trades
}

#[test]
fn market_orders_earn_nothing_and_lose_exactly_their_costs() {
    let results = over_seeds(|seed| {
        let ticks = martingale(seed, true, 2, 20_000);
        let [free, costly] = [free(), costly()];
        [&free, &costly].map(|setup| {
            [
                trades(setup.run(baseline(Timeframe::MINUTES_5, NO_BRACKET), &ticks)),
                trades(setup.run(random_entries(seed, 1, NO_BRACKET), &ticks)),
            ]
        })
    });
    for (index, name) in ["baseline", "random entries"].into_iter().enumerate() {
        let free: Vec<_> = results.iter().map(|run| run[0][index].clone()).collect();
        let costly: Vec<_> = results.iter().map(|run| run[1][index].clone()).collect();

        let before = Expectancy::of(&free, gross);
        println!("{name}, no costs: {before:?}");
        assert!(before.contains(0.0), "{name} earns {before:?} on a market without an edge");

        // Without brackets the orders are the same with costs and without: so are the trades, but
        // for what they cost.
        for (free, costly) in free.iter().flatten().zip(costly.iter().flatten()) {
            assert_eq!(
                (free.entry_time, free.exit_time, free.side),
                (costly.entry_time, costly.exit_time, costly.side)
            );
            assert_eq!(costly.gross_pnl, free.gross_pnl - costly.slippage);
            assert_eq!(costly.costs, COMMISSION * 2);
            assert_eq!(costly.net_pnl(), free.gross_pnl - costly.slippage - COMMISSION * 2);
            assert_eq!((free.costs, free.slippage), (Money::ZERO, Money::ZERO));
        }
        assert_eq!(free.concat().len(), costly.concat().len());

        let net = Expectancy::of(&costly, Trade::net_pnl);
        let paid = Expectancy::of(&costly, |trade| trade.costs + trade.slippage);
        println!("{name}, with costs: net {net:?}, paid {paid:?}");
        assert!(net.contains(-paid.mean), "{name}: net {net:?}, paid {paid:?}");
        // A side pays the commission and on average half a tick to the fair price, and a whole one
        // more where the print is at the other quote (half of them) and the spread wide (1.2 %).
        let expected = 2.0 * (COMMISSION.as_f64() + 12.5 * (0.5 + 0.5 * 0.012));
        assert!(paid.contains(expected), "{name} pays {paid:?}, not {expected}");
    }
}

#[test]
fn brackets_earn_nothing_where_prints_are_the_fair_price() {
    let results = over_seeds(|seed| {
        // At the market's own rate of trades its prints move a tick at a time, so a target never
        // fills at a price worse than the print that reached it.
        let ticks = martingale(seed, false, 1, 340_000);
        [
            trades(free().run(baseline(Timeframe::MINUTES_5, BRACKET), &ticks)),
            trades(free().run(random_entries(seed, 30, TIGHT_BRACKET), &ticks)),
        ]
    });
    for (index, name) in ["baseline", "random entries"].into_iter().enumerate() {
        let seeds: Vec<_> = results.iter().map(|run| run[index].clone()).collect();
        let mean = Expectancy::of(&seeds, gross);
        println!("{name} with brackets: {mean:?}");
        assert!(mean.contains(0.0), "{name} earns {mean:?} on a market without an edge");
        let ended_by = |reason| {
            let of_reason = seeds.iter().flatten().filter(|trade| trade.exit_reason == reason);
            of_reason.count() as f64 / mean.trades
        };
        let by_bracket = ended_by(ExitReason::StopLoss) + ended_by(ExitReason::ProfitTarget);
        assert!(by_bracket > 0.4, "{name}: brackets ended {by_bracket} of the trades only");
    }
}

/// Buys after a print at the bid and sells after one at the ask, on the print that it is shown.
struct Fade {
    print: Arc<Mutex<Option<Side>>>,
}

impl Strategy for Fade {
    fn timeframe(&self) -> Timeframe {
        Timeframe::MINUTE_1
    }
    fn on_bar(&mut self, _: &Bar, _: u64, account: &Account) -> Option<Decision> {
        if account.position != 0 {
            return Some(Decision::FLAT);
        }
        let target = match (*self.print.lock().unwrap())? {
            Side::Sell => Target::Long,
            Side::Buy => Target::Short,
        };
        Some(market(target, 1))
    }
    fn restart(&mut self) {}
}

/// The trades of [`Fade`] where it is shown the print `ahead` ticks after the one it decides on.
fn fade(ticks: &[Tick], ahead: usize) -> Vec<Trade> {
    let mut setup = free();
    (
        setup.exchange.order_latency_microseconds,
        setup.exchange.acknowledgement_latency_microseconds,
    ) = (0, 0);
    let print = Arc::new(Mutex::new(None));
    let mut pipeline = setup.pipeline(Fade { print: Arc::clone(&print) });
    let mut log = Log::default();
    for (index, tick) in ticks.iter().enumerate() {
        *print.lock().unwrap() = ticks.get(index + ahead).and_then(Tick::aggressor);
        pipeline.on_tick(tick, &mut log);
    }
    pipeline.finish(ExitReason::EndOfData, &mut log);
    log.trades
}

/// An order without latency fills on the very next print. A trader who knew which side of the fair
/// price that is would earn a seventh of a tick or so; the print that a decision is made on tells
/// nothing.
#[test]
fn a_peek_of_one_tick_would_show() {
    let results = over_seeds(|seed| {
        let ticks = martingale(seed, true, 2, 20_000);
        [0, 1].map(|ahead| fade(&ticks, ahead))
    });
    let [honest, peeking] = [0, 1].map(|ahead| {
        let seeds: Vec<_> = results.iter().map(|run| run[ahead].clone()).collect();
        Expectancy::of(&seeds, gross)
    });
    println!("fading the last print: {honest:?}, the next one: {peeking:?}");
    assert!(honest.contains(0.0), "fading the last print earns {honest:?}");
    assert!(peeking.mean > 3.0 * peeking.half_width, "a peek earns {peeking:?} only");
}
