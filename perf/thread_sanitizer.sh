#!/usr/bin/env bash
# ThreadSanitizer over the pinned runner: tests/it/pinned.rs in every layout, with random timing of the threads.
#
#   perf/thread_sanitizer.sh        PROPTEST_CASES (default here: 25) says how many random runs
#
# Needs a nightly toolchain with `rust-src` (`rustup component add rust-src --toolchain nightly`): the
# standard library must be built with the sanitizer too, or its locks and joins look like races.
# First a program with a race is run, which the sanitizer must report: silence of a sanitizer that sees nothing
# says nothing.
#
# What is looked for: the runner's own shared state is two AtomicBools (`stop`, `Failures::has_failed`),
# an AtomicU64 (ticks published, for progress) and a Mutex taken only when a thread fails. None of them
# guards other data on the way of an event, so there is no protocol of our own for a model checker
# (loom) to walk through. Everything else goes from thread to thread by value, through the `disruptor` ring
# and `rtrb` queues, whose orderings are what this run examines, along with what we do between them.
#
# Measured on two shared and busy cores: some ten minutes to build the standard library and the dependencies for the
# first time, which is why `.ci/run` leaves it out; then four minutes, of which the 25 cases take 13 seconds.
set -euo pipefail
cd "$(dirname "$0")/.."

target=x86_64-unknown-linux-gnu
export RUSTFLAGS="-Zsanitizer=thread" CARGO_INCREMENTAL=0
export PROPTEST_CASES="${PROPTEST_CASES:-25}"
export TSAN_OPTIONS="halt_on_error=1 exitcode=66"
# Everything is built again for it, and not into the folder of the ordinary builds.
build=(-Zbuild-std --target "$target" --target-dir "$PWD/target/thread_sanitizer")

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
mkdir "$scratch/src"
cat >"$scratch/Cargo.toml" <<'MANIFEST'
[package]
name = "racy"
edition = "2024"
[workspace]
MANIFEST
cat >"$scratch/src/main.rs" <<'PROGRAM'
use std::cell::UnsafeCell;
struct Shared(UnsafeCell<u64>);
unsafe impl Sync for Shared {}
static SHARED: Shared = Shared(UnsafeCell::new(0));
fn add() {
    for _ in 0..1000 {
        unsafe { *SHARED.0.get() += 1 };
    }
}
fn main() {
    let other = std::thread::spawn(add);
    add();
    other.join().unwrap();
    println!("{}", unsafe { *SHARED.0.get() });
}
PROGRAM
if cargo +nightly run --quiet --manifest-path "$scratch/Cargo.toml" "${build[@]}" \
  >"$scratch/log" 2>&1; then
  echo "the sanitizer does not see a race that is there" >&2
  exit 1
fi
if ! grep -q "WARNING: ThreadSanitizer: data race" "$scratch/log"; then
  cat "$scratch/log" >&2
  exit 1
fi
echo "a race that is there is seen"

cargo +nightly test "${build[@]}" --test it pinned::
echo "no race in the pinned runner"
