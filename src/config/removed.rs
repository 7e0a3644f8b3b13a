//! Keys that earlier versions had.

/// Paths of the keys, and the replacement of each.
const REMOVED: [(&str, &str); 15] = [
    ("strategy.baseline.timeframe", "use `strategy.timeframe`, which serves every rule"),
    ("strategy.baseline.quantity", "use `strategy.quantity`, which serves every rule"),
    (
        "strategy.baseline.stop_loss_ticks",
        "use `strategy.stop_loss_ticks`, which serves every rule",
    ),
    (
        "strategy.baseline.profit_target_ticks",
        "use `strategy.profit_target_ticks`, which serves every rule",
    ),
    ("strategy.random_entries.timeframe", "use `strategy.timeframe`, which serves every rule"),
    ("strategy.random_entries.quantity", "use `strategy.quantity`, which serves every rule"),
    (
        "strategy.random_entries.stop_loss_ticks",
        "use `strategy.stop_loss_ticks`, which serves every rule",
    ),
    (
        "strategy.random_entries.profit_target_ticks",
        "use `strategy.profit_target_ticks`, which serves every rule",
    ),
    ("pipeline.queue_slots", "delete it; each queue beside the ring holds 8192 messages"),
    ("pipeline.background_wait", "delete it; journal and metrics wait as `sleep` does"),
    ("pipeline.latency_sample_every", "delete it; one tick in 64 has its latency taken"),
    ("pipeline.pace.longest_pause_seconds", "delete it; a silence takes a second at most"),
    ("pipeline.pace.burst_ticks", "delete it; a burst has 40 ticks"),
    ("pipeline.pace.burst_every_milliseconds", "delete it; bursts come every 20 milliseconds"),
    ("performance.bootstrap_resamples", "delete it; 2000 resamples are behind each interval"),
];

/// Returns the replacement of a key that earlier versions had.
pub(super) fn replacement(path: &str) -> Option<&'static str> {
    REMOVED.iter().find(|(removed, _)| *removed == path).map(|(_, replacement)| *replacement)
}
