//! Nothing but the benches beside it: `cargo bench -p algospace-hft-peers`.
