//! `synth`: a synthetic market as a native tick file.

use serde_json::json;

use super::arguments::SynthArguments;
use super::progress::Progress;
use super::{Failure, check, say, stop};
use crate::source::synthetic::{Settings, SyntheticError, SyntheticSettings, write_file};

pub(super) fn synth(arguments: &SynthArguments, json: bool) -> Result<(), Failure> {
    check::keep_runs([arguments.output.as_path()])?;
    let market = SyntheticSettings {
        market: arguments.market,
        days: arguments.days,
        seed: Some(arguments.seed),
        trades_per_day: arguments.trades_per_day,
        trend_ticks_per_half_hour: arguments.trend_ticks_per_half_hour,
        trend_hours: arguments.trend_hours,
        range_hours: arguments.range_hours,
    };
    let settings = Settings::new(market, arguments.seed);
    let mut progress = Progress::new();
    let done = write_file(settings, &arguments.output, &stop::on_signal(), |done, total| {
        progress.show("generating", u64::from(done), u64::from(total));
    });
    progress.finish();
    let summary = done.map_err(|error| match error {
        SyntheticError::Setting { .. } => Failure::usage(error),
        error => Failure::run(error),
    })?;
    let best = summary.oracle.map(|oracle| oracle.expected_net);
    if json {
        say(json!({
            "output": arguments.output,
            "ticks": summary.ticks,
            "sessions": summary.sessions,
            "start": summary.start.to_string(),
            "end": summary.end.to_string(),
            "best_attainable_pnl_dollars_per_contract": best.map(|money| money.as_f64()),
            "regimes": summary.regimes_path,
        }));
        return Ok(());
    }
    say(format!(
        "{}: {} ticks in {} sessions, {} to {}",
        arguments.output.display(),
        summary.ticks,
        summary.sessions,
        summary.start,
        summary.end
    ));
    match best {
        Some(best) => say(format!(
            "best attainable profit of one contract, by an oracle that knows the regimes and pays costs: ${:.2}",
            best.as_f64()
        )),
        None => say("no edge exists: any profit is luck"),
    }
    if let Some(path) = summary.regimes_path {
        say(format!("hidden regimes: {}", path.display()));
    }
    Ok(())
}
