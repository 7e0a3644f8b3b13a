//! The gateway against the client of this repository.

mod loopback;
mod machine;
mod orders;
mod paper;
#[path = "../../../src/sampling.rs"]
mod sampling;
mod scripts;
mod second_client;
mod simulator;
mod three_ways;
mod world;
