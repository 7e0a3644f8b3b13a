//! Nanoseconds a bar of every indicator, beside peer crates; being written.

fn main() {}
