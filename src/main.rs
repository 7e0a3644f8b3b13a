//! The `algospace-hft` program.

fn main() {}
