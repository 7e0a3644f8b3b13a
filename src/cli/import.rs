//! `import`: any history into a native tick file.

use std::path::PathBuf;

use serde_json::json;

use super::arguments::{Adjust, ImportArguments};
use super::progress::Progress;
use super::{Failure, check, say, stop, tell};
use crate::market::Instrument;
use crate::source::import::{
    BINARY_PRESETS, Effect, Finding, ImportError, ImportOptions, ImportReport, PRESETS, Policies,
    roll_choice, run,
};
use crate::source::native::Adjustment;

/// The part of refused rows from which a warning is due.
const NOTABLE: f64 = 0.01;

pub(super) fn import(arguments: &ImportArguments, json: bool) -> Result<(), Failure> {
    if arguments.list {
        for preset in PRESETS.iter().chain(&BINARY_PRESETS) {
            say(format!(
                "{:<22} {}\n{:22} such as {}",
                preset.name, preset.columns, "", preset.example
            ));
        }
        return Ok(());
    }
    let options = options(arguments)?;
    let mut progress = Progress::new();
    let done = run(&options, &mut |now| {
        progress.show("importing", now.bytes_read, now.bytes_total);
    });
    progress.finish();
    match done {
        Ok(report) => {
            let refused = report.total(Effect::Refused);
            if refused as f64 > NOTABLE * report.rows as f64 {
                let percent = 100.0 * refused as f64 / report.rows as f64;
                tell(format!(
                    "warning: {percent:.1} % of the rows were refused; is this what you expect?"
                ));
            }
            if json { say(as_json(&report)) } else { say(report) }
        }
        Err(
            error @ (ImportError::Format { .. }
            | ImportError::TimeZone(_)
            | ImportError::NoInput
            | ImportError::ZoneNeeded { .. }
            | ImportError::StampNeeded { .. }),
        ) => {
            return Err(Failure::usage(error));
        }
        Err(error) => return Err(Failure::run(error)),
    }
    Ok(())
}

/// Returns the options that the arguments ask for.
fn options(arguments: &ImportArguments) -> Result<ImportOptions, Failure> {
    let (Some(format), Some(output)) = (&arguments.format, &arguments.output) else {
        return Err(Failure::usage("give the layout with --format and the file with --output"));
    };
    check::keep_runs([output].into_iter().chain(&arguments.rejects).map(PathBuf::as_path))?;
    let instrument = match &arguments.config {
        None => Instrument::built_in(&arguments.instrument).map_err(Failure::usage)?,
        Some(path) => {
            let (mut config, _) = check::load(path)?;
            config.instrument.clone_from(&arguments.instrument);
            config.instrument().map_err(Failure::usage)?
        }
    };
    let calendar = instrument.calendar;
    let inputs = arguments.input.clone();
    let mut options = ImportOptions::new(format, inputs, output.clone(), instrument);
    options.contract.clone_from(&arguments.contract);
    options.time_zone.clone_from(&arguments.time_zone);
    if !(0.0..=1.0).contains(&arguments.max_refused) {
        let given = arguments.max_refused;
        return Err(Failure::usage(format!("--max-refused {given}: give a part from 0 to 1")));
    }
    options.bar_seconds = arguments.bar_seconds;
    options.columns.clone_from(&arguments.columns);
    options.delimiter = arguments.delimiter;
    options.stamp = arguments.stamp;
    options.price_multiplier = arguments.price_multiplier;
    options.rejects.clone_from(&arguments.rejects);
    options.policies = Policies {
        late_rows: arguments.late_rows,
        off_tick_prices: arguments.off_tick,
        prices_below_zero: arguments.prices_below_zero,
        identical_trades: arguments.identical_trades,
        implausible_prices: arguments.implausible_prices,
        max_refused: arguments.max_refused,
    };
    let adjustment = match arguments.adjust {
        Adjust::None => Adjustment::None,
        Adjust::Back => Adjustment::Back,
    };
    options.roll =
        arguments.roll.map(|roll| roll_choice(roll.rule(calendar), adjustment, calendar));
    options.stop = stop::on_signal();
    Ok(options)
}

fn as_json(report: &ImportReport) -> serde_json::Value {
    let found: serde_json::Map<_, _> = Finding::ALL
        .iter()
        .map(|&finding| (finding.words().to_owned(), json!(report.count(finding).rows)))
        .collect();
    json!({
        "output": report.output,
        "rejects": report.rejects,
        "format": report.format,
        "rows": report.rows,
        "imported": report.imported,
        "ticks": report.ticks,
        "first": report.first.to_string(),
        "last": report.last.to_string(),
        "lowest": report.lowest.to_string(),
        "highest": report.highest.to_string(),
        "coarser_tick": report.coarser_tick.map(|tick| tick.to_string()),
        "contracts": report.contracts,
        "bar_seconds": report.bar_seconds,
        "unread_columns": report.unread_columns,
        "found": found,
    })
}
