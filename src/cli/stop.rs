//! Ctrl-C and SIGTERM: the first ends the work in order, the second ends the program at once.

use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Exit status of a program that was interrupted, by convention.
const INTERRUPTED: i32 = 130;

/// A flag that the first signal sets.
pub(super) fn on_signal() -> Arc<AtomicBool> {
    let stop = Arc::new(AtomicBool::new(false));
    let flag = Arc::clone(&stop);
    let installed = ctrlc::set_handler(move || {
        if flag.swap(true, Ordering::Relaxed) {
            std::process::exit(INTERRUPTED);
        }
        // Whether or not anybody reads it.
        let _ = writeln!(std::io::stderr(), "stopping; once more to end at once");
    });
    if let Err(error) = installed {
        eprintln!("warning: a signal will end the program at once: {error}");
    }
    stop
}
