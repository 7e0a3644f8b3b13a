//! Environments against backtests: the same answers give the same trades, and what agents see is
//! what the feature stage makes.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use super::*;
use crate::agents::Wish;
use crate::config::Config;
use crate::engine::{self, Output, Sink};
use crate::execution::{
    Account, Bracket, Decision, EquityPoint, ExitReason, OrderKind, Target, Trade,
};
use crate::market::{Bar, Money, Timeframe, Timestamp};
use crate::matrix::MatrixKind;
use crate::random::Random;
use crate::run::{Conditions, pipeline};
use crate::strategy::Strategy;

const DAYS: usize = 11;

fn config(days: usize, seed: u64) -> (Config, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let yaml = format!(
        "data_handler: {{ backtest_settings: {{ synthetic: {{ days: {days}, seed: {seed}, trades_per_day: 4000 }} }} }}
execution: {{ decision_latency_microseconds: 700 }}
risk_management: {{ max_risk_per_trade: 1.0 }}
output: {{ directory: {} }}
",
        folder.path().display()
    );
    (Config::parse(&yaml, "test", &Default::default()).unwrap(), folder)
}

fn prepared(days: usize, seed: u64) -> Market {
    let (config, _folder) = config(days, seed);
    Market::prepare(&config, &Arc::new(AtomicBool::new(false)), &mut |_, _| {}).unwrap()
}

/// Returns entries, reversals and exits by dice that depend on the bar and the account.
fn dice(bar_end: Timestamp, account: &Account) -> Option<Decision> {
    let mut random = Random::new(account.position as u64, bar_end.nanos() as u64);
    let target = match random.below(8) {
        0 | 1 => Target::Long,
        2 | 3 => Target::Short,
        4 => return Some(Decision::FLAT),
        _ => return None,
    };
    let bracket = Bracket {
        stop_loss_ticks: 4 + random.below(30),
        profit_target_ticks: 4 + random.below(60),
    };
    Some(Decision { target, quantity: 1 + random.below(3), entry: OrderKind::Market, bracket })
}

struct Dice(Timeframe);

impl Strategy for Dice {
    fn timeframe(&self) -> Timeframe {
        self.0
    }
    fn on_bar(&mut self, bar: &Bar, _: u64, account: &Account) -> Option<Decision> {
        dice(bar.end, account)
    }
    fn restart(&mut self) {}
}

/// Trades, the last equity, and every whole window by matrix and row.
#[derive(Default)]
struct Backtested {
    trades: Vec<Trade>,
    equity: Option<EquityPoint>,
    windows: HashMap<(&'static str, u64), Vec<f32>>,
}

impl Sink for Backtested {
    fn output(&mut self, output: &Output<'_>) {
        match output {
            Output::Action(engine::Action::Trade(trade)) => self.trades.push(*trade),
            Output::Equity(point) => self.equity = Some(*point),
            Output::Features(stage) => {
                for matrix in stage.matrices() {
                    if let Ok(window) = matrix.window() {
                        self.windows.insert((matrix.name(), matrix.newest().0), window.to_vec());
                    }
                }
            }
            _ => {}
        }
    }
}

/// Runs a backtest of the market's ticks `from..to` with the dice in the decision seat.
fn backtest(market: &Market, config: &Config, from: usize, to: usize) -> Backtested {
    let instrument = config.instrument().unwrap();
    let strategy = Dice(Timeframe::MINUTES_5);
    let (description, conditions) =
        (market.description(), Conditions::simulated(config, &instrument));
    let mut stages =
        pipeline(config, &instrument, description, &config.matrices, strategy, conditions).unwrap();
    let mut made = Backtested::default();
    for tick in &market.ticks()[from..to] {
        stages.on_tick(tick, &mut made);
    }
    stages.finish(ExitReason::EndOfData, &mut made);
    made
}

fn play(market: &Arc<Market>, sessions: std::ops::Range<usize>) -> (Vec<Trade>, Money) {
    let mut episode = Episode::new(Arc::clone(market), sessions);
    let mut trades = Vec::new();
    while let Some(asked) = episode.next_question() {
        let close = asked.close.expect("every close of the history is known");
        episode.answer(dice(market.closes()[close].bar_end, &asked.account));
        trades.extend(episode.take_trades());
    }
    trades.extend(episode.take_trades());
    (trades, episode.desk().ledger().cash())
}

#[test]
fn the_same_answers_give_the_trades_of_a_backtest() {
    let (config, _folder) = config(DAYS, 3);
    let market = Market::prepare(&config, &Arc::new(AtomicBool::new(false)), &mut |_, _| {});
    let market = Arc::new(market.unwrap());
    let all = market.ticks().len();
    let whole = backtest(&market, &config, 0, all);
    assert!(whole.trades.len() > 500, "{}", whole.trades.len());
    let (trades, cash) = play(&market, 0..DAYS);
    assert_eq!(trades, whole.trades);
    assert_eq!(cash, whole.equity.unwrap().equity);
    // A part is a backtest over its ticks.
    for sessions in [2..3, 4..7, 8..DAYS] {
        let place = |session: usize| {
            market.sessions().get(session).map_or(all, |session| session.first_tick)
        };
        let part = backtest(&market, &config, place(sessions.start), place(sessions.end));
        assert!(part.trades.len() > 30);
        assert_eq!(play(&market, sessions).0, part.trades);
    }
}

#[test]
fn agents_see_what_the_feature_stage_makes() {
    let (config, _folder) = config(DAYS, 4);
    let market =
        Market::prepare(&config, &Arc::new(AtomicBool::new(false)), &mut |_, _| {}).unwrap();
    let made = backtest(&market, &config, 0, market.ticks().len());
    let ready: Vec<&Close> = market.closes().iter().filter(|close| close.is_ready).collect();
    assert!(ready.len() > 500, "{}", ready.len());
    for close in &ready {
        for kind in MatrixKind::ALL {
            let newest = close.newest[kind as usize];
            let seen = market.rows(kind).window(newest).unwrap();
            assert_eq!(seen, made.windows[&(kind.name(), u64::from(newest))]);
        }
        assert!(close.volatility != 0.0);
    }
    // Before, a matrix is not whole, and the stage says so too.
    let unready = market.closes().iter().filter(|close| !close.is_ready);
    for close in unready {
        assert!(MatrixKind::ALL.into_iter().any(|kind| {
            let newest = u64::from(close.newest[kind as usize]);
            !made.windows.contains_key(&(kind.name(), newest))
        }));
    }
    // Every close is of its session.
    for (number, session) in market.sessions().iter().enumerate() {
        let first = &market.closes()[session.first_close];
        assert!(first.session as usize == number && first.bar_end > session.open);
        assert!(market.ticks()[session.first_tick].time >= session.open);
    }
}

const WISH: Wish = Wish { size: 0.5, stop: 1.0, reward: 1.5 };

fn actions(random: &mut Random, slots: usize) -> Vec<EpisodeAction> {
    let action = |_| {
        let wish = Wish {
            size: random.unit() as f32,
            stop: 0.5 + 2.5 * random.unit() as f32,
            reward: 1.0 + 4.0 * random.unit() as f32,
        };
        EpisodeAction { direction: random.below(3) as i8 - 1, wish }
    };
    (0..slots).map(action).collect()
}

#[test]
fn a_vector_keeps_books_and_repeats_itself() {
    let markets = vec![Arc::new(prepared(DAYS, 5)), Arc::new(prepared(DAYS, 6))];
    let spans = (0..2).flat_map(|market| (7..DAYS).map(move |day| (market, day..day + 1)));
    let settings = EpisodeSettings { spans: spans.collect(), slots: 3, seed: Some(9) };
    let mut environment = VectorEnvironment::new(markets, settings).unwrap();
    let run = |environment: &mut VectorEnvironment| {
        let (mut random, mut steps, mut trades) = (Random::new(1, 1), Vec::new(), Vec::new());
        let (mut profits, mut earned, mut ended) = ([0.0; 3], [0.0; 3], 0);
        for _ in 0..900 {
            environment.step(&actions(&mut random, 3));
            let now = environment.take_trades();
            for ended in &now {
                earned[ended.slot] += ended.trade.net_pnl().as_f64();
                let close = &environment.markets()[ended.market].closes()[ended.close];
                assert!(ended.trade.entry_time >= close.bar_end && close.is_ready);
            }
            trades.extend(now);
            for (slot, step) in environment.steps().iter().enumerate() {
                assert!(!step.is_idle);
                profits[slot] += step.profit;
                if step.is_last {
                    // Money in is money out.
                    assert!((profits[slot] - earned[slot]).abs() < 1e-6);
                    ended += 1;
                }
            }
            steps.extend_from_slice(environment.steps());
        }
        assert!(ended >= 6 && trades.len() > 300, "{ended} episodes, {} trades", trades.len());
        (steps, trades)
    };
    let first = run(&mut environment);
    environment.reset(None);
    assert_eq!(run(&mut environment), first);
    environment.reset(Some(10));
    assert_ne!(run(&mut environment).0, first.0);
}

/// Slots have nothing to do with each other: who waits for others has missed nothing.
#[test]
fn slots_that_step_one_at_a_time_go_where_they_go_together() {
    let markets = vec![Arc::new(prepared(DAYS, 5)), Arc::new(prepared(DAYS, 6))];
    let spans = (0..2).flat_map(|market| (7..DAYS).map(move |day| (market, day..day + 1)));
    let settings = EpisodeSettings { spans: spans.collect(), slots: 3, seed: Some(9) };
    let mut together = VectorEnvironment::new(markets, settings).unwrap();
    let mut apart = together.clone();
    let mut random = Random::new(2, 1);
    for _ in 0..600 {
        let given = actions(&mut random, 3);
        together.step(&given);
        for slot in [2, 0, 1] {
            let before = apart.steps().to_vec();
            apart.step_where(&given, |number| number == slot);
            for other in (0..3).filter(|&other| other != slot) {
                assert_eq!(apart.steps()[other], before[other]);
            }
        }
        assert_eq!(together.steps(), apart.steps());
        let sorted = |mut trades: Vec<EndedTrade>| {
            trades.sort_by_key(|ended| (ended.slot, ended.trade.exit_time));
            trades
        };
        assert_eq!(sorted(together.take_trades()), sorted(apart.take_trades()));
    }
}

#[test]
fn in_order_each_span_comes_once() {
    let markets = vec![Arc::new(prepared(DAYS, 5))];
    let spans: Vec<_> = (7..DAYS).map(|day| (0, day..day + 1)).collect();
    let settings = EpisodeSettings { spans, slots: 3, seed: None };
    let mut environment = VectorEnvironment::new(markets, settings).unwrap();
    let idle = [EpisodeAction { direction: 0, wish: WISH }; 3];
    let (mut began, mut ended) = (Vec::new(), 0);
    while {
        environment.step(&idle);
        environment.steps().iter().any(|step| !step.is_idle)
    } {
        for step in environment.steps().iter().filter(|step| !step.is_idle) {
            if step.is_first {
                began.push(environment.markets()[0].closes()[step.close as usize].session);
            }
            ended += usize::from(step.is_last);
            assert_eq!((step.profit, step.position, step.entered), (0.0, 0, 0));
        }
    }
    began.sort_unstable();
    assert_eq!(began, (7..DAYS as u32).collect::<Vec<_>>());
    assert_eq!(ended, DAYS - 7);
}

/// The foretold outcome of an entry is what happens if it is made and nothing else.
#[test]
fn an_entrys_outcome_is_what_happens() {
    let market = Arc::new(prepared(DAYS, 8));
    let mut judged = 0;
    for day in 7..DAYS {
        let mut episode = Episode::new(Arc::clone(&market), day..day + 1);
        let mut expected: Option<EntryOutcome> = None;
        while let Some(asked) = episode.next_question() {
            if let Some(trade) = episode.take_trades().next() {
                let outcome = expected.take().expect("only what was entered ends");
                assert_eq!(outcome.net_pnl, trade.net_pnl());
                assert_eq!(outcome.bars_held, trade.bars_held);
                judged += 1;
            }
            let decision = dice(market.closes()[asked.close.unwrap()].bar_end, &asked.account)
                .filter(|decision| decision.target != Target::Flat)
                .filter(|_| asked.account.position == 0 && asked.account.entering.is_none());
            if let Some(decision) = &decision {
                expected = Some(entry_outcome(&episode, decision));
                if expected
                    .is_some_and(|outcome| outcome.bars_held == 0 && outcome.net_pnl == Money::ZERO)
                {
                    expected = None;
                }
            }
            episode.answer(decision);
        }
    }
    assert!(judged > 20, "{judged}");
}

#[test]
fn what_cannot_be_is_refused() {
    let (mut config, _folder) = config(2, 1);
    let stop = Arc::new(AtomicBool::new(false));
    let refused = Market::prepare(&config, &stop, &mut |_, _| {}).unwrap_err();
    assert!(matches!(refused, MarketError::NeverReady { sessions: 2, .. }), "{refused}");
    config.indicators.timeframes.low_volume_node = Some(Vec::new());
    let refused = Market::prepare(&config, &stop, &mut |_, _| {}).unwrap_err();
    assert!(refused.to_string().contains("lvn"), "{refused}");

    let markets = vec![Arc::new(prepared(DAYS, 5))];
    let refused = |spans: Vec<(usize, std::ops::Range<usize>)>, slots| {
        let settings = EpisodeSettings { spans, slots, seed: Some(1) };
        VectorEnvironment::new(markets.clone(), settings).unwrap_err().to_string()
    };
    assert_eq!(refused(vec![], 1), "spans must be at least 1");
    assert_eq!(refused(vec![(0, 8..9)], 0), "slots must be at least 1");
    assert!(refused(vec![(0, 8..9), (1, 8..9)], 1).contains("span 1 is of market 1"));
    assert!(refused(vec![(0, 8..20)], 1).contains("8 to 20 of a market that has 11"));
    assert!(refused(vec![(0, 0..1)], 1).contains("begin later"));
    stop.store(true, std::sync::atomic::Ordering::Relaxed);
    config.indicators.timeframes.low_volume_node = None;
    assert!(Market::prepare(&config, &stop, &mut |_, _| {}).is_err());
}
