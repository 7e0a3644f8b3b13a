//! `inspect chart`: one session's bars, and what the indicators make of all history up to it.

mod sessions;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use jiff::civil::Date;

use self::sessions::{FAST, SLOW, Sessions};
use super::inspect::{STOPPED, check_output};
use super::progress::Progress;
use super::{Failure, check, say};
use crate::chart::{ChartInput, write_chart};
use crate::features::IndicatorTimeframes;
use crate::matrix::MatricesSettings;
use crate::page::PAGE;
use crate::run::{AssemblyError, BacktestError, Prepared};
use crate::whole_file::folder_of;

pub(super) fn chart(
    config: &Path,
    output: &Path,
    day: Option<Date>,
    stop: &Arc<AtomicBool>,
) -> Result<(), Failure> {
    if output.extension().is_none_or(|ending| ending != "html") {
        return Err(Failure::usage(format!("{}: a chart is written as .html", output.display())));
    }
    let path = config;
    let (mut config, instrument) = check::load(path)?;
    check::keep_inputs(path, &config, &[output.to_owned()])?;
    check_output(output, &PAGE)?;
    // The chart's own bars; what else is set of the indicators holds.
    config.bars.timeframes = vec![FAST, SLOW];
    config.indicators.timeframes = IndicatorTimeframes::default();
    config.matrices = MatricesSettings::default();
    let mut progress = Progress::new();
    let mut prepared = Prepared::inspection(&config, folder_of(output), stop, &mut |now| progress.show_backtest(now))
        .map_err(|error| match error {
            BacktestError::Assembly(AssemblyError::TooCoarse { seconds, .. }) => {
                Failure::usage(format!(
                    "the history is made of bars of {seconds} s; a chart needs bars of {FAST} or shorter"
                ))
            }
            error => Failure::backtest(error),
        })?;
    let mut sessions = Sessions::new(day, &instrument, prepared.stages().features().engine());
    let run = prepared.replay(&mut sessions, stop, &mut |now| progress.show_backtest(now));
    progress.finish();
    if run.interrupted {
        return Err(Failure::run(format!("{}: {STOPPED}", output.display())));
    }
    for note in prepared.notes() {
        say(format!("note: {note}"));
    }
    let drawing = sessions.finish().map_err(Failure::usage)?;
    let contracts = prepared.contracts();
    let contract = contracts.get(usize::from(drawing.contract));
    let input = ChartInput {
        instrument: instrument.symbol.clone(),
        contract: contract.cloned().unwrap_or_default(),
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
