#!/usr/bin/env bash
# Puts back what apply.sh changed, to exactly what was there before.
#
#   sudo perf/tune/revert.sh [--dry-run]
#
# What cannot be put back stays noted, so that it can be tried again.
set -euo pipefail
# shellcheck source=settings.sh
source "$(dirname "${BASH_SOURCE[0]}")/settings.sh"

dry=
case "${1:-}" in
  --dry-run) dry=1 ;;
  '') ;;
  *)
    echo "usage: $0 [--dry-run]" >&2
    exit 2
    ;;
esac
if [ ! -s "$state" ]; then
  echo "nothing to put back: no $state"
  exit 0
fi
if [ -z "$dry" ] && [ -z "$root" ] && [ "$(id -u)" != 0 ]; then
  echo "$0: changing settings takes root; run it by sudo, or with --dry-run" >&2
  exit 1
fi

put_back() { # file, value
  [ "$(value "$1")" = "$2" ] || printf '%s\n' "$2" 2>/dev/null >"$root$1"
}

left=()
# The last change first.
while IFS=$'\t' read -r name before; do
  if [ -n "$dry" ]; then
    echo "would put back $name: $before"
    continue
  fi
  case "$name" in
    service:*) done_by=(systemctl start "${name#service:}") ;;
    *) done_by=(put_back "$name" "$before") ;;
  esac
  if "${done_by[@]}"; then
    echo "$name: $before"
  else
    echo "$name: cannot be put back to $before" >&2
    left=("$name"$'\t'"$before" "${left[@]}")
  fi
done < <(tac "$state")

if [ -n "$dry" ]; then exit 0; fi
if [ ${#left[@]} -gt 0 ]; then
  printf '%s\n' "${left[@]}" >"$state"
  exit 1
fi
rm -f "$state"
