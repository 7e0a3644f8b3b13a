//! The part of the random tests that is run: a sample in `cargo test`, all of it in `.ci/full`.

/// Returns how many random runs a test makes: `all` where the environment says `RANDOM_TESTS=all`,
/// as `.ci/full` does, and otherwise `sample`, which is enough to see a fault that is not rare.
pub(crate) fn runs(sample: u32, all: u32) -> u32 {
    match std::env::var("RANDOM_TESTS").as_deref() {
        Ok("all") => all,
        Err(_) => sample,
        Ok(other) => panic!("RANDOM_TESTS is {other:?}: set it to `all`, or leave it away"),
    }
}
