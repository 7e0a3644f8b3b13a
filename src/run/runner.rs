//! The configured runner of a history.

use std::time::Duration;

use quanta::Clock;

use crate::config::{Config, Mode};
use crate::engine::pinned::{
    Feed, Full, Pace, PaceMode, PaceSettings, Paced, PinnedRun, PinnedSettings, Polled, Recorded,
    RunnerKind, ThreadLayout, Waits,
};
use crate::engine::{Pipeline, Replay, no_times};
use crate::latency::Load;
use crate::machine::{Machine, Plan, PlanError, Request, Role, Wait, lock_memory, plan};
use crate::market::Tick;

/// Messages that each queue beside the ring holds.
const QUEUE_SLOTS: usize = 8192;
/// Without a pace, one tick in this many has its latency taken.
const SAMPLE_EVERY: u32 = 64;

/// The runner that takes the ticks through the stages.
pub(super) enum Runner {
    /// One thread.
    Inline,
    /// Threads around a ring, with the report's sentences on threads and pace.
    Pinned(PinnedSettings, Vec<String>),
}

impl Runner {
    /// Returns the places of the configured threads on `machine`; `None` for the configured inline
    /// runner. This changes nothing, and needs no history.
    ///
    /// # Errors
    /// If the configured cores are not available.
    pub(super) fn plan(config: &Config, machine: &Machine) -> Result<Option<Plan>, PlanError> {
        let pipeline = &config.pipeline;
        if pipeline.runner == RunnerKind::Inline {
            return Ok(None);
        }
        let cores = &pipeline.cores;
        let request = |role| {
            let (core, wait) = match role {
                Role::Sequencer => (cores.sequencer, pipeline.wait),
                Role::Stages => (cores.stages, pipeline.wait),
                Role::Features => (cores.features, pipeline.wait),
                Role::Links => (cores.links, pipeline.wait),
                Role::Decision => (cores.decision, pipeline.wait),
                Role::Journal => (cores.journal, Wait::Sleep),
                Role::Metrics => (cores.metrics, Wait::Sleep),
            };
            Request { role, wait, core: core.map(|core| core as usize) }
        };
        let mut roles = pipeline.layout.roles(config.keeps_journal());
        if config.system.mode != Mode::Backtest {
            roles.push(Role::Links);
        }
        let requests: Vec<Request> = roles.into_iter().map(request).collect();
        plan(machine, &requests).map(Some)
    }

    /// Returns the runner of [`Runner::plan`]: the inline one if the machine is too small for
    /// threads. `log` is told the places of the threads, or the reason for running inline. Memory
    /// is locked if that is configured.
    pub(super) fn of(plan: Option<Plan>, config: &Config, log: &dyn Fn(&str)) -> Runner {
        let pipeline = &config.pipeline;
        match plan {
            None => Runner::Inline,
            Some(Plan::Inline { why }) => {
                log(&why);
                if pipeline.pace.mode != PaceMode::Unpaced {
                    log(
                        "`pipeline.pace` has no effect: the inline runner takes ticks as fast as it can",
                    );
                }
                Runner::Inline
            }
            Some(Plan::Pinned { threads, shared, lines }) => {
                lines.iter().for_each(|line| log(line));
                let mut facts = lines;
                facts.push(format!("layout: {}", pipeline.layout));
                facts.push(format!("pace: {}", pipeline.pace));
                if pipeline.lock_memory {
                    log(&lock_memory().to_string());
                }
                let load = match pipeline.pace.mode {
                    PaceMode::Unpaced => Load::ClosedLoop { expected_interval: None },
                    PaceMode::Recorded | PaceMode::Bursts => Load::OpenLoop,
                };
                let settings = PinnedSettings {
                    layout: pipeline.layout,
                    ring_slots: pipeline.ring_slots as usize,
                    queue_slots: QUEUE_SLOTS,
                    threads,
                    shared,
                    real_time_priority: pipeline.real_time_priority,
                    sample_every: SAMPLE_EVERY,
                    load,
                    decision_budget: Duration::from_millis(
                        config.marl_core.decision_budget_milliseconds.into(),
                    ),
                };
                Runner::Pinned(settings, facts)
            }
        }
    }

    /// Returns whether the strategy's answers are events of their own.
    pub(super) fn has_answers(&self) -> bool {
        matches!(self, Runner::Pinned(settings, _) if settings.layout != ThreadLayout::Fused)
    }
}

/// A history at the configured pace.
pub(super) enum HistoryFeed<'a> {
    Unpaced(Recorded<'a>),
    Paced(Box<Paced<'a>>),
}

impl<'a> HistoryFeed<'a> {
    pub(super) fn new(ticks: &'a [Tick], config: &Config) -> HistoryFeed<'a> {
        let pace = &config.pipeline.pace;
        let pace = match pace.mode {
            PaceMode::Unpaced => return HistoryFeed::Unpaced(Recorded::new(ticks)),
            PaceMode::Recorded => Pace::Recorded {
                speed: pace.speed,
                longest_pause: PaceSettings::LONGEST_PAUSE.as_nanos() as u64,
            },
            PaceMode::Bursts => Pace::Bursts {
                ticks: PaceSettings::BURST_TICKS,
                every: PaceSettings::BURST_EVERY.as_nanos() as u64,
            },
        };
        HistoryFeed::Paced(Box::new(Paced::new(ticks, pace, Clock::new())))
    }
}

impl Feed for HistoryFeed<'_> {
    #[inline]
    fn poll(&mut self) -> Polled {
        match self {
            HistoryFeed::Unpaced(feed) => feed.poll(),
            HistoryFeed::Paced(feed) => feed.poll(),
        }
    }
}

/// Returns a pinned run in the terms of the inline runner.
pub(super) fn outcome<S, V>(run: PinnedRun<S, V>, facts: Vec<String>) -> (Pipeline<S, V>, Replay) {
    let PinnedRun { pipeline, ticks, elapsed, interrupted, mut latency, waits } = run;
    latency.facts.extend(facts);
    latency.facts.extend(wait_facts(&waits));
    let picoseconds_per_tick = no_times();
    let latency = Some(latency);
    (pipeline, Replay { ticks, elapsed, picoseconds_per_tick, interrupted, latency })
}

/// Returns a sentence on every queue that was full.
fn wait_facts(waits: &Waits) -> Vec<String> {
    let Waits { ring, answers, results, journal, features, decision, unasked, replaced_quotes } =
        *waits;
    let mut facts = Vec::new();
    for (full, who, what) in [
        (ring, "The sequencer", "room in the ring"),
        (answers, "The sequencer", "the stages and the decision seat, where an answer was due"),
        (results, "The stages", "room to the metrics"),
        (journal, "The stages", "room to the journal"),
        (features, "The stages", "room to the features"),
        (decision, "The features", "room to the decision seat"),
    ] {
        let Full { times, waited } = full;
        if times > 0 {
            let milliseconds = waited.as_secs_f64() * 1e3;
            facts.push(format!(
                "{who} waited {times} times for {what}, {milliseconds:.1} ms in all."
            ));
        }
    }
    if unasked > 0 {
        facts
            .push(format!("{unasked} decisions were not asked for: the decision seat was behind."));
    }
    if replaced_quotes > 0 {
        facts.push(format!("{replaced_quotes} quotes gave way to newer ones: the ring was full."));
    }
    facts
}
