//! The `algospace-hft` program.

use std::process::ExitCode;

fn main() -> ExitCode {
    algospace_hft::cli::main(std::env::args_os())
}
