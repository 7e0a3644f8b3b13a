//! The command line: what users type, what they see, and the exit status.
//!
//! Exit status 0 = done, 1 = the run failed, 2 = bad usage or bad configuration, 3 = no difference
//! was found, but not everything could be compared.

mod arguments;
#[cfg(feature = "live")]
mod board;
mod chart;
mod check;
mod import;
mod inspect;
#[cfg(feature = "live")]
mod paper;
mod progress;
mod replay;
mod run;
mod stitch;
mod stop;
mod synth;

use std::ffi::OsString;
use std::io::{self, Write};
use std::process::ExitCode;
use std::sync::{Mutex, PoisonError};

use clap::Parser;

use arguments::{Arguments, Command};

use crate::printable::printable;
use crate::run::BacktestError;

/// The reason why a command failed.
#[derive(Debug)]
enum Failure {
    /// The command line or the configuration is invalid: exit status 2.
    Usage(String),
    /// The command was tried and failed: exit status 1.
    Run(String),
    /// No difference was found, but not everything could be compared: exit status 3.
    Unseen(String),
}

impl Failure {
    fn run(error: impl std::fmt::Display) -> Failure {
        Failure::Run(error.to_string())
    }

    fn usage(error: impl std::fmt::Display) -> Failure {
        Failure::Usage(error.to_string())
    }

    /// Classifies an error. A history that cannot be read, a directory or journal that cannot be
    /// written and a thread that fails mean that the run failed; the rest is the configuration's
    /// fault.
    fn backtest(error: BacktestError) -> Failure {
        use BacktestError::{Chain, Directory, History, Journal, Thread};
        match error {
            error @ (Chain(_) | Directory(_) | History(_) | Journal(_) | Thread(_)) => {
                Failure::run(error)
            }
            error => Failure::usage(error),
        }
    }
}

/// Runs the program with those arguments, of which the first is its own name.
pub fn main(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let arguments = match Arguments::try_parse_from(arguments) {
        Ok(arguments) => arguments,
        // Help and version are said as anything else.
        Err(error) => {
            said(error.print());
            return match error.exit_code() {
                0 => end(Ok(())),
                status => ExitCode::from(status as u8),
            };
        }
    };
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
    end(done)
}

/// Tells why a command ended, and gives its exit status.
fn end(done: Result<(), Failure>) -> ExitCode {
    let (message, status) = match done {
        Ok(()) => match standard_output_failure() {
            None => return ExitCode::SUCCESS,
            Some(error) => (format!("standard output: {error}; what was printed is not whole"), 1),
        },
        Err(Failure::Run(message)) => (message, 1),
        Err(Failure::Usage(message)) => (message, 2),
        Err(Failure::Unseen(message)) => (message, 3),
    };
    tell(format!("error: {message}"));
    ExitCode::from(status)
}

/// Prints a line to standard error. That nobody can read it is no reason to stop a run.
fn tell(line: impl std::fmt::Display) {
    let _ = writeln!(io::stderr(), "{}", printable(line));
}

/// The first failure to print to standard output.
static UNSAID: Mutex<Option<io::Error>> = Mutex::new(None);

/// Prints a line to standard output. If that fails, the program ends with an error after its work.
fn say(line: impl std::fmt::Display) {
    said(writeln!(io::stdout(), "{}", printable(line)));
}

/// Remembers why something was not printed. A reader that has gone away (`| head`) is no error.
fn said(done: io::Result<()>) {
    if let Err(error) = done
        && error.kind() != io::ErrorKind::BrokenPipe
    {
        UNSAID.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
    }
}

/// Returns the error that kept output from arriving, if any.
fn standard_output_failure() -> Option<io::Error> {
    said(io::stdout().flush());
    UNSAID.lock().unwrap_or_else(PoisonError::into_inner).take()
}
