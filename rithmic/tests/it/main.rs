//! The crate from outside: the wire against prost, the machines in virtual time, the edge over
//! loopback.

mod agreement;
mod clocks;
mod contract_feed;
mod feed;
mod framing;
#[path = "../../../fuzz/src/rithmic_frame.rs"]
mod fuzz_frame;
#[path = "../../../fuzz/src/rithmic_history.rs"]
mod fuzz_history;
mod history;
mod links;
mod loopback;
mod random;
mod recovery;
mod scripts;
#[path = "../server.rs"]
mod server;
mod sessions;
mod stand_in;
