//! What is measured of a row: the instructions of one function, and its allocations.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

/// The function whose instructions callgrind counts, those of what it calls among them.
pub const COUNTED_FUNCTION: &str = "counted_by_callgrind";

thread_local! {
    // Neither lazy nor dropped, so that counting needs no allocation itself.
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
    static MEASURED_ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
}

/// Runs what a row is about, once its set-up is done. A row may call this several times.
pub fn measured(work: impl FnOnce()) {
    let before = ALLOCATIONS.get();
    counted_by_callgrind(work);
    MEASURED_ALLOCATIONS.set(MEASURED_ALLOCATIONS.get() + ALLOCATIONS.get() - before);
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

/// The system's allocator, which counts what each thread asks of it.
struct Counting;

fn count() {
    ALLOCATIONS.set(ALLOCATIONS.get() + 1);
}

// SAFETY: every call goes to the system's allocator unchanged; counting touches a plain cell of the
// thread and neither allocates nor unwinds.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count();
        // SAFETY: the caller keeps the rules of `alloc`, which are the same here.
        unsafe { System.alloc(layout) }
    }
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count();
        // SAFETY: as above.
        unsafe { System.alloc_zeroed(layout) }
    }
    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count();
        // SAFETY: as above; the block came from `System` through `alloc`.
        unsafe { System.realloc(block, layout, size) }
    }
    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: as above; the block came from `System` through `alloc`.
        unsafe { System.dealloc(block, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;
