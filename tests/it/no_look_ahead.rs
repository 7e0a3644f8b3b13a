//! Nothing that comes out of the stages depends on what has not happened yet.

use std::sync::{Arc, Mutex};

use algospace_hft::engine::{Action, Output, Sink};
use algospace_hft::execution::{Decision, EquityPoint, ExitReason, Target, Trade};
use algospace_hft::market::{Bar, Calendar, Tick, Timeframe, Timestamp};
use proptest::prelude::*;

use crate::assembly::random::{any_setup, any_step, market_of, restless};
use crate::assembly::{By, Setup, market};

/// Everything that leaves the stages, in order.
#[derive(Clone, Debug, PartialEq)]
enum Event {
    Bar(Bar),
    Trade(Trade),
    Equity(EquityPoint),
    Decision(Decision),
    /// The bits of every feature, and of the matrix.
    Features(Vec<u64>, Vec<u32>),
}

/// The events, and where each tick's begin.
#[derive(Clone, Default)]
struct Journal(Arc<Mutex<Vec<Event>>>);

impl Journal {
    fn push(&self, event: Event) {
        self.0.lock().unwrap().push(event);
    }
    fn len(&self) -> usize {
        self.0.lock().unwrap().len()
    }
}

impl Sink for Journal {
    fn output(&mut self, output: &Output<'_>) {
        match output {
            Output::Bar(bar) => self.push(Event::Bar(*bar)),
            Output::Action(Action::Trade(trade)) => self.push(Event::Trade(*trade)),
            Output::Equity(point) => self.push(Event::Equity(*point)),
            Output::Features(stage) => {
                let count = stage.engine().layout().fields().len();
                let row = stage.engine().row().values[..count].iter().map(|value| value.to_bits());
                let window = stage.matrices()[0].window().unwrap_or_default();
                let matrix = window.iter().map(|value| value.to_bits());
                self.push(Event::Features(row.collect(), matrix.collect()));
            }
            _ => {}
        }
    }
}

/// Runs the stages and returns all events and, for each tick, how many there were after it.
fn run(setup: &Setup, ticks: &[Tick]) -> (Vec<Event>, Vec<usize>) {
    let mut journal = Journal::default();
    let decided = {
        let journal = journal.clone();
        move |decision| journal.push(Event::Decision(decision))
    };
    let mut pipeline = setup.pipeline(restless(setup.stages.timeframes[0], decided));
    let mut after = Vec::new();
    for tick in ticks {
        pipeline.on_tick(tick, &mut journal);
        after.push(journal.len());
    }
    pipeline.finish(ExitReason::EndOfData, &mut journal);
    drop(pipeline);
    let events = std::mem::take(&mut *journal.0.lock().unwrap());
    (events, after)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(crate::sampling::runs(250, 1000)))]

    /// A history cut off after tick `k`, and one that continues differently, give the same bars,
    /// decisions, trades and equity until then as the whole one.
    #[test]
    fn the_future_changes_nothing_of_the_past(
        steps in prop::collection::vec(any_step(), 1..400),
        others in prop::collection::vec(any_step(), 1..100),
        cut in any::<prop::sample::Index>(),
        setup in any_setup(),
        rolls in prop::bool::ANY,
        has_bars in prop::bool::ANY,
    ) {
        let whole = market_of(&steps, rolls, has_bars);
        let cut = cut.index(whole.len());
        let (events, after) = run(&setup, &whole);

        let (cut_events, cut_after) = run(&setup, &whole[..=cut]);
        prop_assert_eq!(&cut_after[..], &after[..=cut]);
        prop_assert_eq!(&cut_events[..after[cut]], &events[..after[cut]]);
        // What the end closes is of the end: no earlier than the last tick.
        let last = whole[cut].time;
        for event in &cut_events[after[cut]..] {
            match event {
                Event::Trade(trade) if trade.exit_reason == ExitReason::EndOfData => {
                    prop_assert!(trade.exit_time >= last);
                }
                Event::Equity(point) => prop_assert!(point.time >= last),
                _ => {}
            }
        }

        let mut other = whole[..=cut].to_vec();
        let turned = market_of(&others, rolls, has_bars);
        let shift = last - turned[0].time + 1;
        other.extend(turned.iter().map(|tick| {
            let mut later = *tick;
            later.time = tick.time + shift;
            later
        }));
        let (other_events, other_after) = run(&setup, &other);
        prop_assert_eq!(&other_after[..=cut], &after[..=cut]);
        prop_assert_eq!(&other_events[..after[cut]], &events[..after[cut]]);
    }

    #[test]
    fn a_second_replay_is_the_first_one_again(
        steps in prop::collection::vec(any_step(), 1..300),
        setup in any_setup(),
        has_bars in prop::bool::ANY,
    ) {
        let ticks = market_of(&steps, true, has_bars);
        prop_assert_eq!(run(&setup, &ticks), run(&setup, &ticks));
    }

    /// With an order on every bar: each fills on the first tick that comes after the one that
    /// caused it and no earlier than the latency allows, at that tick's price.
    #[test]
    fn an_order_fills_on_the_first_tick_that_it_can_reach(
        steps in prop::collection::vec(any_step(), 1..300),
        latency in prop_oneof![Just(0), Just(1), Just(2_000), Just(5_000_000_u32)],
    ) {
        let ticks = market_of(&steps, false, false);
        let mut setup = Setup::free();
        setup.exchange.order_latency_microseconds = latency;
        let latency = setup.exchange.order_latency();
        let decisions = Arc::new(Mutex::new(Vec::new()));
        let now = Arc::new(Mutex::new((0, Timestamp::MIN)));
        let strategy = {
            let (decisions, now) = (Arc::clone(&decisions), Arc::clone(&now));
            By(Timeframe::MINUTE_1, move |bar: &Bar, position| {
                // In and out in turn; what is under way is left alone.
                let mut decisions = decisions.lock().unwrap();
                if decisions.len() as i64 % 2 != position {
                    return None;
                }
                let close = Calendar::CmeEquityIndex.session_at_or_after(bar.start).close;
                let (index, time) = *now.lock().unwrap();
                // The last bar of a session closes at its end, before the tick that tells us so.
                let is_before_tick = time >= close;
                if position == 0 && (is_before_tick || time > close + -10 * Timestamp::MINUTE) {
                    return None;
                }
                decisions.push(if is_before_tick { (index, close) } else { (index + 1, time) });
                Some(if position == 0 { market(Target::Long, 1) } else { Decision::FLAT })
            })
        };
        let mut pipeline = setup.pipeline(strategy);
        let mut log = crate::assembly::Log::default();
        for (index, tick) in ticks.iter().enumerate() {
            *now.lock().unwrap() = (index, tick.time);
            pipeline.on_tick(tick, &mut log);
        }
        drop(pipeline);
        let decisions = decisions.lock().unwrap();
        for (trade, pair) in log.trades.iter().zip(decisions.chunks_exact(2)) {
            // Before a hole in the data no decision closes; after it this strategy keeps out.
            if trade.exit_reason == ExitReason::MissingData {
                break;
            }
            for (decided, filled, paid) in [
                (pair[0], trade.entry_time, trade.entry_price),
                (pair[1], trade.exit_time, trade.exit_price),
            ] {
                let (next, time) = decided;
                let first = ticks[next..].iter().find(|tick| tick.time >= time + latency).unwrap();
                prop_assert_eq!((filled, paid), (first.time, first.price));
            }
        }
    }
}
