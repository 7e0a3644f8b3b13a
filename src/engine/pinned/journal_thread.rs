//! The thread that writes the journal.

use disruptor::Polling;
use rtrb::Consumer;

use super::failure::{Failures, ThreadFailure, without_unwinding};
use super::ring::{BATCH, Reader};
use crate::engine::message::Action;
use crate::engine::run_journal::RunJournal;
use crate::machine::{Role, Wait, Waiter};

/// Writes every event and every action until there are no more, then ends the file. It reads the
/// ring beside the stages, so an action may be written before its event or some time after. It
/// carries the event's number.
pub(super) fn run(
    mut journal: RunJournal,
    mut ring: Reader,
    mut actions: Consumer<(u64, Action)>,
    wait: Wait,
    failures: &Failures,
) {
    let mut waiter = Waiter::new(wait);
    let mut has_failed = false;
    let mut number = 0;
    loop {
        // Asked before looking, so that the last actions are seen.
        let are_last_actions = actions.is_abandoned();
        let mut found = false;
        let mut is_last_event = false;
        let mut written = Ok(());
        // After a failure it keeps taking everything, since no other thread may wait for it.
        let done = without_unwinding(|| {
            match ring.take(BATCH as u64) {
                Ok(mut slots) => {
                    found = true;
                    for slot in &mut slots {
                        if !has_failed && written.is_ok() {
                            written = journal.event(number, &slot.event);
                        }
                        number += u64::from(written.is_ok());
                    }
                }
                Err(Polling::NoEvents) => {}
                Err(Polling::Shutdown) => is_last_event = true,
            }
            while let Ok((event, action)) = actions.pop() {
                found = true;
                if !has_failed && written.is_ok() {
                    written = journal.action(event, &action);
                }
            }
        });
        let done = done.and_then(|()| written.map_err(|error| error.to_string()));
        if let Err(reason) = done {
            has_failed = true;
            failures.add(ThreadFailure { thread: Role::Journal, event: Some(number), reason });
        }
        if found {
            waiter.reset();
        } else if is_last_event && are_last_actions {
            break;
        } else {
            // Nothing else is to be written now: the end of the process is to lose nothing.
            if !has_failed && let Err(error) = journal.flush() {
                has_failed = true;
                let reason = error.to_string();
                failures.add(ThreadFailure { thread: Role::Journal, event: Some(number), reason });
            }
            waiter.wait();
        }
    }
    if has_failed {
        return;
    }
    let mut ended = Ok(());
    let done = without_unwinding(|| ended = journal.finish());
    if let Err(reason) = done.and_then(|()| ended.map_err(|error| error.to_string())) {
        failures.add(ThreadFailure { thread: Role::Journal, event: None, reason });
    }
}
