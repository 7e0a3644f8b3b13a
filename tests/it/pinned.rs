//! The pinned runner against the inline runner: the same features, decisions, orders and trades,
//! bit for bit, under any timing of the threads.

use std::path::Path;
use std::sync::atomic::AtomicBool;

use algospace_hft::engine::pinned::{
    Feed, PinnedRun, PinnedSettings, Polled, Recorded, ThreadLayout, Wiring, run,
};
use algospace_hft::engine::{Action, DecisionTiming, FeatureStage, Output, Sink};
use algospace_hft::execution::{Account, Decision, EquityPoint};
use algospace_hft::machine::Wait;
use algospace_hft::market::{Bar, Tick, Timeframe};
use algospace_hft::random::Random;
use algospace_hft::strategy::Strategy;
use proptest::prelude::*;

use crate::assembly::Setup;
use crate::assembly::random::{any_setup, any_step, market_of, restless};
use crate::assembly::threads::{begin_journal, settings};

/// Everything that the stages make, but features.
#[derive(Clone, Debug, Default, PartialEq)]
struct Made {
    bars: Vec<Bar>,
    equity: Vec<EquityPoint>,
    actions: Vec<Action>,
    /// Bits of every feature row, and of every matrix that was whole.
    features: Vec<(Vec<u64>, Vec<u32>)>,
    stalls: Stalls,
}

impl Sink for Made {
    fn output(&mut self, output: &Output<'_>) {
        match output {
            Output::Bar(bar) => {
                self.stalls.maybe();
                self.bars.push(*bar);
            }
            Output::Features(stage) => self.features.push(bits_of(stage)),
            Output::Equity(point) => self.equity.push(*point),
            Output::Action(action) => {
                if matches!(action, Action::Order { .. }) {
                    self.stalls.maybe();
                }
                self.actions.push(*action);
            }
            Output::Restart | Output::Answer(_) => {}
        }
    }
}

fn bits_of(stage: &FeatureStage) -> (Vec<u64>, Vec<u32>) {
    let row = stage.engine().row().values.iter().map(|value| value.to_bits()).collect();
    let windows = stage.matrices().iter().filter_map(|matrix| matrix.window().ok());
    (row, windows.flatten().map(|value| value.to_bits()).collect())
}

/// Holds its thread up at random, or never.
#[derive(Clone, Debug, Default)]
struct Stalls(Option<Random>);

/// Two runs are equal however long a thread was held up.
impl PartialEq for Stalls {
    fn eq(&self, _: &Stalls) -> bool {
        true
    }
}

impl Stalls {
    fn of(seed: u64, stream: u64) -> Stalls {
        Stalls(Some(Random::new(seed, stream)))
    }

    fn maybe(&mut self) {
        if let Some(random) = &mut self.0
            && random.below(8) == 0
        {
            for _ in 0..random.below(40) {
                std::thread::yield_now();
            }
        }
    }
}

struct Stalling<S>(S, Stalls);

impl<S: Strategy> Strategy for Stalling<S> {
    fn timeframe(&self) -> Timeframe {
        self.0.timeframe()
    }
    fn on_bar(&mut self, bar: &Bar, question: u64, account: &Account) -> Option<Decision> {
        self.1.maybe();
        self.0.on_bar(bar, question, account)
    }
    fn restart(&mut self) {
        self.0.restart();
    }
}

impl<F: Feed> Feed for Stalling<F> {
    fn poll(&mut self) -> Polled {
        let is_idle = self.1.0.as_mut().is_some_and(|random| random.below(20) == 0);
        if is_idle { Polled::Idle } else { self.0.poll() }
    }
}

fn inline(setup: &Setup, ticks: &[Tick]) -> (Made, Vec<(String, u64)>) {
    let mut pipeline = setup.pipeline(restless(Timeframe::MINUTE_1, |_| {}));
    let mut made = Made::default();
    for tick in ticks {
        pipeline.on_tick(tick, &mut made);
    }
    pipeline.finish(algospace_hft::execution::ExitReason::EndOfData, &mut made);
    (made, pipeline.desk().counters())
}

fn pinned(
    setup: &Setup,
    ticks: &[Tick],
    settings: &PinnedSettings,
    seed: Option<u64>,
    journal: Option<&Path>,
) -> (Made, Vec<(String, u64)>) {
    let stalls = |stream| seed.map_or(Stalls::default(), |seed| Stalls::of(seed, stream));
    let strategy = Stalling(restless(Timeframe::MINUTE_1, |_| {}), stalls(1));
    let feed = Stalling(Recorded::new(ticks), stalls(2));
    let mut made = Made { stalls: stalls(3), ..Made::default() };
    let mut features = Vec::new();
    let mut features_stall = stalls(4);
    let mut on_features = |stage: &FeatureStage| {
        features_stall.maybe();
        features.push(bits_of(stage));
    };
    let stop = AtomicBool::new(false);
    let wiring = Wiring {
        feed,
        results: &mut made,
        on_features: &mut on_features,
        journal: journal.map(|path| begin_journal(path, settings.layout)),
        log: &|_| {},
    };
    let done = run(setup.pipeline(strategy), wiring, settings, &stop, &mut |_| {});
    let PinnedRun { pipeline, ticks: published, interrupted, .. } = done.unwrap();
    assert_eq!((published, interrupted), (ticks.len() as u64, false));
    made.features = features;
    (made, pipeline.desk().counters())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(crate::sampling::runs(40, 200)))]

    #[test]
    fn every_layout_gives_what_the_inline_runner_gives(
        steps in prop::collection::vec(any_step(), 1..400),
        rolls in any::<bool>(),
        mut setup in any_setup(),
        latency in prop_oneof![Just(0_i64), 1_i64..2_000_000, 1_000_000_000_i64..300_000_000_000],
        layout in prop::sample::select(vec![ThreadLayout::Fused, ThreadLayout::DecisionApart, ThreadLayout::AllApart]),
        ring in 1_u32..10,
        queue in prop_oneof![1_usize..8, Just(4096)],
        seed in prop::option::of(any::<u64>()),
        wait in prop::sample::select(vec![Wait::Yield, Wait::Adaptive]),
        keeps_journal in prop::bool::weighted(0.2),
    ) {
        let ticks = market_of(&steps, rolls, false);
        setup.stages.decisions = DecisionTiming::After(latency);
        let expected = inline(&setup, &ticks);
        let settings = settings(layout, 1 << ring, queue, wait);
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("run.journal");
        let journal = keeps_journal.then_some(path.as_path());
        prop_assert_eq!(pinned(&setup, &ticks, &settings, seed, journal), expected);
    }
}
