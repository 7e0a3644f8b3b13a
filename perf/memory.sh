#!/usr/bin/env bash
# Peak memory of a backtest beyond the mapped history, for a file of 1 million ticks and for one of
# 50 million: it should be the same.
#
#   cargo build --release && perf/memory.sh [DIRECTORY]
#
# DIRECTORY (default: a temporary one) takes 1.8 GB. Both markets have the same sessions, so the same
# bars. A third one has as many ticks as the second in fifty times the sessions: what a run keeps are
# equity points and trades, and these grow with the sessions.
#
# The mapped file is counted as RssFile, everything else as RssAnon (Linux, /proc/PID/status). Both
# are sampled as often as the shell can.
#
# Measured on two shared cores:
#
#   market                              ticks    trades   others MiB   mapped MiB   samples
#   20 sessions, sparse               1095728       210         22.2         39.9        98
#   20 sessions, dense               55396866       225         22.4       1697.1      1477
#   1,000 sessions, sparse           49806622      7312         60.4       1526.5      2133
set -euo pipefail

program="$(dirname "$0")/../target/release/algospace-hft"
program="$(realpath "$program")"
if [ $# -ge 1 ]; then
  cd "$1"
else
  directory="$(mktemp -d)"
  trap 'rm -rf "$directory"' EXIT
  cd "$directory"
fi

# Runs a backtest of $1.ticks and prints a row of the table.
measure() {
  printf 'data_handler: { backtest_settings: { file_path: %s.ticks } }\noutput: { directory: %s }\n' \
    "$1" "$1" >"$1.yaml"
  "$program" --config "$1.yaml" >/dev/null 2>&1 &
  local run=$! anonymous=0 mapped=0 samples=0 name value rest
  while kill -0 "$run" 2>/dev/null; do
    while read -r name value rest; do
      case $name in
        RssAnon:) ((value <= anonymous)) || anonymous=$value ;;
        RssFile:) ((value <= mapped)) || mapped=$value ;;
      esac
    done 2>/dev/null <"/proc/$run/status" || true
    samples=$((samples + 1))
  done
  wait "$run"
  printf '%-28s %12s %9s %12.1f %12.1f %9s\n' "$2" "$(ticks_of "$1")" "$(trades_of "$1")" \
    "$(mebibytes $anonymous)" "$(mebibytes $mapped)" "$samples"
}

ticks_of() { sed -n 's/^  "ticks": \([0-9]*\),$/\1/p' "$1/summary.json"; }
trades_of() { sed -n 's/^  "trades": \([0-9]*\),$/\1/p' "$1/summary.json"; }
mebibytes() { awk "BEGIN { print $1 / 1024 }"; }

market() { # name, days, trades a day
  [ -e "$1.ticks" ] || "$program" synth --market martingale --seed 1 --days "$2" \
    --trades-per-day "$3" --output "$1.ticks" >/dev/null 2>&1
}

market few 20 50000
market many 20 2500000
printf '%-28s %12s %9s %12s %12s %9s\n' market ticks trades 'others MiB' 'mapped MiB' samples
measure few '20 sessions, sparse'
measure many '20 sessions, dense'
rm -f many.ticks
market long 1000 50000
measure long '1,000 sessions, sparse'
