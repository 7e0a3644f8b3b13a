# Shared by check.sh, apply.sh and revert.sh, which read it in. TUNE_ROOT, for tests, is a folder with a /proc and a /sys of its own.

root="${TUNE_ROOT:-}"
state="${TUNE_STATE:-$root/run/algospace-hft/tune.state}"

# What the file $1 holds, without the line's end; of a choice such as `always [madvise] never`, the chosen.
value() {
  local text
  text="$(cat "$root$1" 2>/dev/null)" || return 1
  if [[ $text =~ \[([^]]+)\] ]]; then text="${BASH_REMATCH[1]}"; fi
  printf '%s' "$text"
}

# The CPUs of a list such as 0-3,8, one a line.
expand() {
  local part
  for part in ${1//,/ }; do
    seq "${part%-*}" "${part#*-}"
  done
}

# CPUs, one a line, as a list with commas.
list() { paste -sd, -; }

# Whether a process of the name $1 runs.
runs() { grep -qsx "$1" "$root"/proc/[0-9]*/comm; }
