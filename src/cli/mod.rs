//! The command line: what users type, what they see, and the exit status.
//!
//! Exit status 0 = done, 1 = the run failed, 2 = bad usage or bad configuration.

mod arguments;
mod chart;
mod check;
mod import;
mod inspect;
mod progress;
mod replay;
mod run;
mod stitch;
mod stop;
mod synth;

use std::process::ExitCode;

use clap::Parser;

use arguments::{Arguments, Command};

use crate::pipeline::BacktestError;
use crate::printable::printable;

/// Why a command ended without what was asked for.
#[derive(Debug)]
enum Failure {
    /// The command line or the configuration is not right: exit status 2.
    Usage(String),
    /// It was tried and did not work: exit status 1.
    Run(String),
}

impl Failure {
    fn run(error: impl std::fmt::Display) -> Failure {
        Failure::Run(error.to_string())
    }

    fn usage(error: impl std::fmt::Display) -> Failure {
        Failure::Usage(error.to_string())
    }

    /// A history that cannot be read, a journal that cannot be written and a thread that fails are a run that
    /// failed; the rest is the configuration's fault.
    fn backtest(error: BacktestError) -> Failure {
        use BacktestError::{History, Journal, Thread};
        match error {
            error @ (History(_) | Journal(_) | Thread(_)) => Failure::run(error),
            error => Failure::usage(error),
        }
    }
}

/// Runs the program with the process's arguments.
pub fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let json = arguments.json;
    let done = match arguments.command {
        None => match arguments.config {
            Some(config) => run::run(&config, json),
            None => Err(Failure::Usage(
                "say what to do: `algospace-hft --config config/backtest.yaml` runs what the file describes, `algospace-hft --help` lists the commands".to_owned(),
            )),
        },
        Some(Command::Check { config }) => check::check(&config, json),
        Some(Command::Import(options)) => import::import(&options, json),
        Some(Command::Synth(options)) => synth::synth(&options, json),
        Some(Command::Inspect { what, config, output, day }) => {
            inspect::inspect(what, &config, &output, day)
        }
        Some(Command::Replay { journal, verify, output }) => {
            replay::replay(&journal, verify, output.as_deref(), json)
        }
        Some(Command::Stitch { run_dirs, output }) => stitch::stitch(&run_dirs, &output, json),
        Some(Command::Report { run_dir }) => run::report(&run_dir),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failure::Run(message)) => {
            tell(format!("error: {message}"));
            ExitCode::from(1)
        }
        Err(Failure::Usage(message)) => {
            tell(format!("error: {message}"));
            ExitCode::from(2)
        }
    }
}

/// Prints a line to standard error. That nobody can read it is no reason to stop a run.
fn tell(line: impl std::fmt::Display) {
    use std::io::Write;
    let _ = writeln!(std::io::stderr(), "{}", printable(line));
}

/// Prints a line to standard output. A reader that has gone away (`| head`) is no error.
fn say(line: impl std::fmt::Display) {
    use std::io::Write;
    let _ = writeln!(std::io::stdout(), "{}", printable(line));
}
