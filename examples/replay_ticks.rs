//! Replays ticks through all stages: those of a native tick file, or of a synthetic market.
//!
//! `cargo run --release --example replay_ticks -- es.ticks`

use std::error::Error;
use std::path::Path;
use std::sync::atomic::AtomicBool;

use algospace_hft::engine::{Output, Replay, Sink, replay};
use algospace_hft::market::Timeframe;
use algospace_hft::source::native::TickFile;
use algospace_hft::strategy::Observer;

pub mod es;

/// Counts closed bars and feature rows.
#[derive(Debug, Default)]
pub struct Counts {
    /// Bars that closed.
    pub bars: u64,
    /// Feature rows.
    pub rows: u64,
}

impl Sink for Counts {
    fn output(&mut self, output: &Output<'_>) {
        self.bars += u64::from(matches!(output, Output::Bar(_)));
        self.rows += u64::from(matches!(output, Output::Features(_)));
    }
}

/// Replays the file of that path, or three days of a market without one.
pub fn run(path: Option<&Path>) -> Result<(Replay, Counts), Box<dyn Error>> {
    let (stop, mut counts) = (AtomicBool::new(false), Counts::default());
    let mut pipeline = es::pipeline(Observer(Timeframe::MINUTES_5))?;
    let replay = match path {
        Some(path) => {
            // Opening verifies the checksum and every tick.
            let file = TickFile::open(path)?;
            replay(&mut pipeline, file.ticks(), &mut counts, &stop, &mut |_| {})
        }
        None => replay(&mut pipeline, &es::ticks()?, &mut counts, &stop, &mut |_| {}),
    };
    println!(
        "{} ticks in {:?}: {} bars, {} rows",
        replay.ticks, replay.elapsed, counts.bars, counts.rows
    );
    Ok((replay, counts))
}

fn main() -> Result<(), Box<dyn Error>> {
    let path = std::env::args_os().nth(1);
    run(path.as_deref().map(Path::new)).map(|_| ())
}
