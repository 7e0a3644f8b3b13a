//! The gateway against the client of this repository.

mod loopback;
mod machine;
