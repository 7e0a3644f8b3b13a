#!/usr/bin/env bash
# Where the time goes: a flame graph, or its text where nothing draws one.
#
#   CARGO_PROFILE_RELEASE_DEBUG=line-tables-only cargo build --release
#   perf/flamegraph.sh [COMMAND [ARGUMENT...]]
#
# Without a command it profiles a backtest of 20 generated days. What it finds is written to target/profile/. It takes
# the best that the machine has:
#
#   samples   `perf` by processor cycles; by the clock in virtual machines without hardware counters
#             instructions of callgrind, 50 times slower, where there is no `perf` or it may not be used
#   picture   `inferno` (cargo install inferno), Brendan Gregg's `flamegraph.pl`, or a table in text
set -euo pipefail
cd "$(dirname "$0")/.."

profile=target/profile
mkdir -p "$profile"

if [ $# -eq 0 ]; then
  program=target/release/algospace-hft
  [ -e "$profile/market.ticks" ] \
    || "$program" synth --market regimes --days 20 --seed 1 --output "$profile/market.ticks" >/dev/null 2>&1
  printf 'data_handler: { backtest_settings: { file_path: %s } }\noutput: { directory: %s }\n' \
    "$profile/market.ticks" "$profile/run" >"$profile/backtest.yaml"
  set -- "$program" --config "$profile/backtest.yaml"
fi

has() { command -v "$1" >/dev/null; }

# Draws $profile/stacks.txt, in which each line is a stack and its count.
draw() {
  if has inferno-flamegraph; then
    inferno-flamegraph <"$profile/stacks.txt" >"$profile/flamegraph.svg"
  else
    flamegraph.pl <"$profile/stacks.txt" >"$profile/flamegraph.svg"
  fi
  echo "$profile/flamegraph.svg"
}

by_perf() {
  local event=cycles:u
  # Virtual machines often have no hardware counters.
  if perf stat -e "$event" true 2>&1 | grep -q 'not supported'; then
    echo "no hardware counters: sampling by the clock"
    event=cpu-clock:u
  fi
  # Release builds have no frame pointers, so stacks are unwound from copies of them.
  perf record -e "$event" -F 3999 --call-graph dwarf,16384 -o "$profile/perf.data" "$@" \
    >"$profile/command.log" 2>"$profile/perf.log" || return 1
  if has inferno-collapse-perf && has inferno-flamegraph; then
    perf script --no-inline -i "$profile/perf.data" 2>/dev/null | inferno-collapse-perf >"$profile/stacks.txt"
    draw
  elif has stackcollapse-perf.pl && has flamegraph.pl; then
    perf script --no-inline -i "$profile/perf.data" 2>/dev/null | stackcollapse-perf.pl >"$profile/stacks.txt"
    draw
  else
    echo "neither inferno nor flamegraph.pl is installed: functions by their own time"
  fi
  perf report --no-inline --no-children -g none --percent-limit 0.5 --stdio -i "$profile/perf.data" \
    2>/dev/null | grep -v '^#' | grep -v '^$' >"$profile/functions.txt"
}

by_callgrind() {
  valgrind --tool=callgrind --callgrind-out-file="$profile/callgrind.out" "$@" \
    >"$profile/command.log" 2>"$profile/callgrind.log" || { tail "$profile/callgrind.log" >&2; exit 1; }
  callgrind_annotate --auto=no --threshold=95 "$profile/callgrind.out" \
    | sed '1,/file:function/d' >"$profile/functions.txt"
}

if has perf && by_perf "$@"; then
  :
elif has valgrind; then
  echo "perf cannot be used: counting instructions with callgrind"
  by_callgrind "$@"
else
  echo "neither perf nor valgrind can be used" >&2
  exit 1
fi
echo "$profile/functions.txt:"
head -n 25 "$profile/functions.txt"
