//! Code that must not allocate, under an allocator that counts.

#[path = "../it/assembly/mod.rs"]
#[allow(dead_code, reason = "the other tests use the rest")]
mod assembly;
mod by_thread;
mod counting_allocator;
mod journal;
mod over_a_day;

#[global_allocator]
static ALLOCATOR: counting_allocator::Counting = counting_allocator::Counting(count);

/// Counts an allocation for this thread, and for the process while a test has armed that counter.
fn count() {
    counting_allocator::count();
    over_a_day::count();
}
