//! `inspect chart`: one session's bars, and what the indicators make of all history up to it.

mod sessions;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use jiff::civil::Date;

use self::sessions::{FAST, SLOW, Sessions};
use super::inspect::each_bar;
use super::progress::Progress;
use super::{Failure, check, say};
use crate::chart::{ChartInput, write_chart};
use crate::pipeline::pipeline_settings;
use crate::source::history::{History, Preparation};

pub(super) fn chart(
    config: &Path,
    output: &Path,
    day: Option<Date>,
    stop: &Arc<AtomicBool>,
) -> Result<(), Failure> {
    if output.extension().is_none_or(|ending| ending != "html") {
        return Err(Failure::usage(format!("{}: a chart is written as .html", output.display())));
    }
    let (mut config, instrument) = check::load(config)?;
    check::keep_history(&config, &[output.to_owned()])?;
    config.bars.timeframes = vec![FAST, SLOW];
    let mut progress = Progress::new();
    let history = History::open(&config, &instrument, stop, &mut |Preparation { done, total }| {
        progress.show("preparing", done, total);
    })
    .map_err(Failure::run)?;
    let description = history.file.description();
    let settings = pipeline_settings(&config, &instrument, description).map_err(Failure::usage)?;
    let mut sessions = Sessions::new(day, instrument.calendar, instrument.tick_size);
    let mut failure = None;
    each_bar(&history, &settings, &mut progress, stop, |bar| {
        if failure.is_none() {
            failure = sessions.take(bar).err();
        }
    })
    .map_err(Failure::run)?;
    progress.finish();
    if let Some(failure) = failure {
        return Err(Failure::run(failure));
    }
    let mut drawing = sessions.finish().map_err(Failure::usage)?;
    if description.contracts.len() > 1 {
        drawing.notes.push(
            "The history joins several contracts; the indicators took its prices as they are."
                .to_owned(),
        );
    }
    let contract = description.contracts.get(usize::from(drawing.contract));
    let input = ChartInput {
        instrument: instrument.symbol.clone(),
        contract: contract.map_or(String::new(), |contract| contract.symbol.clone()),
        day: drawing.session.trade_date,
        time_zone: instrument.calendar.time_zone(),
        fast: FAST,
        slow: SLOW,
        bars: drawing.bars,
        gaps: drawing.gaps,
        slow_points: drawing.slow_points,
        notes: drawing.notes,
    };
    write_chart(output, &input).map_err(Failure::run)?;
    say(format!("{}: {} {}", output.display(), input.instrument, input.day));
    Ok(())
}
