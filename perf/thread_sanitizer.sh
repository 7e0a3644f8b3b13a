#!/usr/bin/env bash
# ThreadSanitizer over the pinned runner.
set -euo pipefail
cd "$(dirname "$0")/.."
target=x86_64-unknown-linux-gnu
export RUSTFLAGS="-Zsanitizer=thread" CARGO_INCREMENTAL=0
cargo +nightly test -Zbuild-std --target "$target" --target-dir target/thread_sanitizer \
  --config 'profile.dev.package."*".opt-level=0' --test pinned "$@"
