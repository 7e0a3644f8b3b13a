//! A thread that fails stops the others in order.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::machine::Role;

/// The failure that stopped a run.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the {thread} thread failed{}: {reason}", place(*.event))]
pub struct ThreadFailure {
    /// The thread.
    pub thread: Role,
    /// Number of the event in the total order, from 0; `None` if it failed at no event.
    pub event: Option<u64>,
    /// Cause.
    pub reason: String,
}

fn place(event: Option<u64>) -> String {
    event.map_or(String::new(), |event| format!(" at event {event}"))
}

/// The place where threads learn of the first failure.
#[derive(Debug, Default)]
pub(super) struct Failures {
    has_failed: AtomicBool,
    first: Mutex<Option<ThreadFailure>>,
}

impl Failures {
    /// Returns whether a thread has failed: there is nothing to wait for any more.
    #[inline]
    pub(super) fn is_any(&self) -> bool {
        self.has_failed.load(Ordering::Relaxed)
    }

    /// Keeps the failure if it is the first. The threads then stop; none of them waits for this
    /// lock on the way to an order.
    pub(super) fn add(&self, failure: ThreadFailure) {
        let mut first = self.first.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        first.get_or_insert(failure);
        self.has_failed.store(true, Ordering::Release);
    }

    /// Calls `work` as [`without_unwinding`] does. Returns whether it finished; otherwise keeps the
    /// panic as a failure of `thread` at no event.
    pub(super) fn catch(&self, thread: Role, work: impl FnOnce()) -> bool {
        let done = without_unwinding(work);
        done.map_err(|reason| self.add(ThreadFailure { thread, event: None, reason })).is_ok()
    }

    /// Returns the first failure.
    pub(super) fn into_first(self) -> Option<ThreadFailure> {
        self.first.into_inner().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

/// Calls `work` so that no panic leaves it, because nothing may unwind across the ring. Returns the
/// panic's message as an error.
pub(super) fn without_unwinding(work: impl FnOnce()) -> Result<(), String> {
    // State that a panic left half done is never used again: the failed thread only drains its
    // queues.
    catch_unwind(AssertUnwindSafe(work)).map_err(|panic| message(&*panic))
}

fn message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "it panicked without a message".to_owned())
}
