//! Ctrl-C and SIGTERM: the first ends the work in order, the second ends the program at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::tell;

/// Exit status of a program that was interrupted, by convention.
const INTERRUPTED: i32 = 130;

/// A second signal so soon after the first is the same one.
const SAME_SIGNAL: Duration = Duration::from_millis(200);

/// Returns a flag that the first signal sets.
pub(super) fn on_signal() -> Arc<AtomicBool> {
    let stop = Arc::new(AtomicBool::new(false));
    let flag = Arc::clone(&stop);
    let mut first = None;
    let installed = ctrlc::set_handler(move || {
        if flag.swap(true, Ordering::Relaxed) {
            // `timeout` and service managers send one signal to the process and to its group.
            if first.is_some_and(|first: Instant| first.elapsed() < SAME_SIGNAL) {
                return;
            }
            std::process::exit(INTERRUPTED);
        }
        first = Some(Instant::now());
        tell("stopping; once more to end at once");
    });
    if let Err(error) = installed {
        tell(format!("warning: a signal will end the program at once: {error}"));
    }
    stop
}
