//! The integration tests, as one program: it is compiled and linked once, and its tests run side by
//! side.
//!
//! What counts allocations has an allocator of its own and is a program of its own,
//! `tests/no_allocation`.

mod agents;
mod assembly;
mod backends;
mod bar_fills;
mod browser;
mod chart_in_browser;
mod command_line;
mod configuration;
mod examples;
mod feature_schema;
mod feature_stage;
mod features;
mod gate_verdicts;
mod history_bars;
mod import;
mod import_bad_inputs;
mod import_identity;
mod import_layouts;
mod import_order;
mod journal;
mod journal_chain;
mod journal_kill;
mod kept_files;
mod model_parity;
mod momentum_index;
mod momentum_index_reference;
mod money;
mod no_look_ahead;
mod null_market;
mod performance_statistics;
mod pinned;
mod pinned_ring;
mod real_es_oracle;
mod real_history;
mod received_files;
mod report_in_browser;
mod risk_rules;
mod run_directory;
mod sample_run;
#[path = "../../src/sampling.rs"]
mod sampling;
mod shared_data;
mod smooth_indicators;
mod stitch;
mod tape_walk;
mod tidy;
mod time_zones;
mod trading_days;
mod tune;
mod zone_indicators;
