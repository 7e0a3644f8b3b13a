//! The system's allocator, which tells of everything that is asked of it.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

/// Calls its function at each allocation. That must neither allocate, unless it sees to it that it
/// is not called again meanwhile, nor unwind.
pub struct Counting(pub fn());

thread_local! {
    // Neither lazy nor dropped, so that counting needs no allocation itself.
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
}

/// Counts an allocation of this thread.
pub fn count() {
    ALLOCATIONS.set(ALLOCATIONS.get() + 1);
}

/// Allocations of this thread that were counted.
pub fn allocations() -> u64 {
    ALLOCATIONS.get()
}

// SAFETY: every call goes to the system's allocator unchanged; the function keeps its rules, so
// that it neither comes back here without end nor unwinds.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        (self.0)();
        // SAFETY: the caller keeps the rules of `alloc`, which are the same here.
        unsafe { System.alloc(layout) }
    }
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        (self.0)();
        // SAFETY: as above.
        unsafe { System.alloc_zeroed(layout) }
    }
    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        (self.0)();
        // SAFETY: as above; the block came from `System` through `alloc`.
        unsafe { System.realloc(block, layout, size) }
    }
    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: as above; the block came from `System` through `alloc`.
        unsafe { System.dealloc(block, layout) }
    }
}
