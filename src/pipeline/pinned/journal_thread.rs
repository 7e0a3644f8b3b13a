//! The thread that keeps everything that happened.

use disruptor::Polling;
use rtrb::Consumer;

use super::failure::{Failure, Failures, without_unwinding};
use super::ring::{BATCH, Reader};
use crate::machine::{Role, Wait, Waiter};
use crate::pipeline::journal::RunJournal;
use crate::pipeline::output::Action;

/// Writes every event and every action until there are no more, then ends the file. It reads the ring
/// beside the stages, so an action may be written before the event that caused it or a while after;
/// it carries the event's number.
pub(super) fn run(
    mut journal: RunJournal,
    mut ring: Reader,
    mut actions: Consumer<(u64, Action)>,
    wait: Wait,
    failures: &Failures,
) {
    let mut waiter = Waiter::new(wait);
    let mut has_failed = false;
    let mut event = 0;
    let fail = |event: Option<u64>, reason: String| {
        failures.add(Failure { thread: Role::Journal, event, reason });
    };
    loop {
        // Asked before looking, so that what was written last is seen.
        let are_last_actions = actions.is_abandoned();
        let mut found = false;
        let mut is_last_event = false;
        let mut written = Ok(());
        match ring.take(BATCH as u64) {
            Ok(mut slots) => {
                found = true;
                if !has_failed {
                    let done = without_unwinding(|| {
                        for slot in &mut slots {
                            written = journal.event(event, &slot.event);
                            if written.is_err() {
                                break;
                            }
                            event += 1;
                        }
                    });
                    if let Err(reason) = done {
                        has_failed = true;
                        fail(Some(event), reason);
                    }
                }
            }
            Err(Polling::NoEvents) => {}
            Err(Polling::Shutdown) => is_last_event = true,
        }
        while let Ok((event, action)) = actions.pop() {
            found = true;
            if written.is_ok() && !has_failed {
                written = journal.action(event, &action);
            }
        }
        if let Err(error) = written {
            has_failed = true;
            fail(Some(event), error.to_string());
        }
        if found {
            waiter.reset();
        } else if is_last_event && are_last_actions {
            break;
        } else {
            waiter.wait();
        }
    }
    if !has_failed && let Err(error) = journal.finish() {
        fail(None, error.to_string());
    }
}
