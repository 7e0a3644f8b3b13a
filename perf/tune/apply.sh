#!/usr/bin/env bash
# Sets the machine up for steady latency until its next start. Undone by revert.sh.
#
#   sudo perf/tune/apply.sh [--dry-run] [--cpus LIST]
#
# LIST: the cores that trade, such as 2-3,6 (default: the isolated ones). Interrupts are kept off them and their slow
# sleep states are switched off; without any, neither is touched.
#
# What was there before is written to /run/algospace-hft/tune.state first, which lasts as long as the settings do. A
# second run changes only what is not yet so and keeps the first one's notes. --dry-run prints what would change.
set -euo pipefail
here="$(dirname "${BASH_SOURCE[0]}")"
# shellcheck source=settings.sh
source "$here/settings.sh"

dry=
hot=
usage() {
  echo "usage: $0 [--dry-run] [--cpus LIST]" >&2
  exit 2
}
while [ $# -gt 0 ]; do
  case "$1" in
    --dry-run) dry=1 ;;
    --cpus)
      hot="${2:-}"
      shift
      [[ $hot =~ ^[0-9]+(-[0-9]+)?(,[0-9]+(-[0-9]+)?)*$ ]] || usage
      ;;
    *) usage ;;
  esac
  shift
done
if [ -z "$dry" ] && [ -z "$root" ] && [ "$(id -u)" != 0 ]; then
  echo "$0: changing settings takes root; run it by sudo, or with --dry-run" >&2
  exit 1
fi
cpu=/sys/devices/system/cpu
hot="${hot:-$(value $cpu/isolated || true)}"
others="$(comm -23 <(expand "$(value $cpu/online)" | sort) <(expand "$hot" | sort) | sort -n | list)"
if [ -z "$others" ]; then
  echo "$0: CPU $hot are all there are; leave at least one to interrupts" >&2
  exit 2
fi

failed=0
# Notes $2, the value before of the file $1 or the state before of a service, unless an earlier run has.
remember() {
  mkdir -p "$(dirname "$state")"
  touch "$state"
  if ! cut -f1 "$state" | grep -qxF -- "$1"; then
    printf '%s\t%s\n' "$1" "$2" >>"$state"
  fi
}

# Writes $2 to the file $1, if it is there and holds something else. Status 1 if the kernel refuses.
set_to() {
  local before
  before="$(value "$1")" || return 0
  if [ "$before" = "$2" ]; then return 0; fi
  if [ -n "$dry" ]; then
    echo "would set $1: $before -> $2"
    return 0
  fi
  remember "$1" "$before"
  if printf '%s\n' "$2" 2>/dev/null >"$root$1"; then
    echo "$1: $before -> $2"
  else
    echo "$1: stays $before, the kernel refuses $2" >&2
    return 1
  fi
}

while IFS='=' read -r name wanted; do
  name="${name//[[:space:]]/}"
  case "$name" in '' | '#'*) continue ;; esac
  set_to "/proc/sys/${name//.//}" "${wanted//[[:space:]]/}" || failed=1
done <"$here/99-algospace-hft.conf"

set_to /sys/kernel/mm/transparent_hugepage/enabled madvise || failed=1

for file in "$root$cpu"/cpu[0-9]*/cpufreq/scaling_governor; do
  [ -e "$file" ] || continue
  set_to "${file#"$root"}" performance || failed=1
done

if [ -z "$root" ] && command -v systemctl >/dev/null && systemctl is-active --quiet irqbalance; then
  if [ -n "$dry" ]; then
    echo 'would stop irqbalance'
  else
    remember service:irqbalance active
    systemctl stop irqbalance && echo 'irqbalance: stopped'
  fi
fi

if [ -z "$hot" ]; then
  echo 'interrupts and sleep states: untouched, no core is isolated and none was given by --cpus'
else
  for file in "$root"/proc/irq/[0-9]*/smp_affinity_list; do
    [ -e "$file" ] || continue
    now="$(cat "$file")"
    # Only those that may go to our cores. Some belong to a core and cannot be moved: that is no failure.
    if grep -qxFf <(expand "$now") <(expand "$hot"); then
      set_to "${file#"$root"}" "$others" || true
    fi
  done
  for one in $(expand "$hot"); do
    for folder in "$root$cpu/cpu$one"/cpuidle/state[0-9]*; do
      latency="$(cat "$folder/latency" 2>/dev/null)" || continue
      if [ "$latency" -gt 2 ]; then
        file="$folder/disable"
        set_to "${file#"$root"}" 1 || failed=1
      fi
    done
  done
fi

if [ "$failed" = 1 ]; then echo 'some settings stay as they were; see above' >&2; fi
exit "$failed"
