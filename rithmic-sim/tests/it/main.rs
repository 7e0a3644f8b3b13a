//! The gateway against the client of this repository.

mod loopback;
mod machine;
mod orders;
mod paper;
#[path = "../../../src/sampling.rs"]
mod sampling;
mod scripts;
mod simulator;
mod three_ways;
mod world;
