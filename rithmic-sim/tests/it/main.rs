//! The gateway against the client of this repository.

mod drops;
mod killed;
mod loopback;
mod machine;
mod orders;
mod paper;
mod rolls;
#[path = "../../../src/sampling.rs"]
mod sampling;
mod scripts;
mod second_client;
mod session_reports;
mod simulator;
mod three_ways;
mod warm_up;
mod world;
