//! The measurement of a row: the instructions of one function, and its allocations.

use std::cell::Cell;

use crate::counting_allocator::{Counting, allocations, count};

/// The function whose instructions callgrind counts, those of what it calls among them.
pub const COUNTED_FUNCTION: &str = "counted_by_callgrind";

thread_local! {
    static MEASURED_ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
}

/// Runs what a row is about, once its set-up is done. A row may call this several times.
pub fn measured(work: impl FnOnce()) {
    let before = allocations();
    counted_by_callgrind(work);
    MEASURED_ALLOCATIONS.set(MEASURED_ALLOCATIONS.get() + allocations() - before);
}

/// Allocations of this thread in [`measured`] since the last call.
pub fn take_measured_allocations() -> u64 {
    MEASURED_ALLOCATIONS.take()
}

/// Never inlined, so that callgrind sees where it begins and ends.
#[inline(never)]
fn counted_by_callgrind(work: impl FnOnce()) {
    work();
}

#[global_allocator]
static ALLOCATOR: Counting = Counting(count);
