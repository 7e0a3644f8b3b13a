# `just` lists the tasks. Each is one command that can be typed as well.

_list:
    @just --list

# Type-checks everything: programs, tests, benches, examples
check:
    cargo check --workspace --exclude algospace-hft-fuzz --all-targets

# Formats, and holds everything against the lints
lint:
    cargo fmt --all
    cargo clippy --workspace --exclude algospace-hft-fuzz --all-targets -- -D warnings
    RUSTDOCFLAGS="-D warnings" cargo doc --no-deps --document-private-items

# Runs the tests, or those whose names begin so: just test risk_rules::
test *names:
    cargo test {{ if names == "" { "" } else { "--test it -- " + names } }}

# Holds the tree itself to its rules: rooms, lengths, paths, words
tidy:
    cargo test --test it -- tidy::

# Runs a program of examples/: just example features_of_a_day
example name:
    cargo run --release --example {{ name }}

# Counts instructions beside perf/baseline.txt; needs valgrind
gate:
    cargo bench --bench gate

# Licences, bans, sources and advisories of the dependencies; needs cargo-deny
deny:
    cargo deny --workspace check

# What decides whether a change lands
ci:
    .ci/run

# What takes too long for every push, or parts of it: just full fuzzers
full *parts:
    .ci/full {{ parts }}
