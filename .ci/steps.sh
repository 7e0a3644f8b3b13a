# What `.ci/run` and `.ci/full` share: steps whose minutes are told, and what can be had from elsewhere.
# shellcheck shell=bash

scratch=$(mktemp -d)
minutes=() # a line a step, for the table at the end
step_name=""

# Puts into `cpu` the seconds of processor time that everything started here and waited for has taken. Not by a command
# substitution, whose children are others.
read_cpu() {
  times >"$scratch/times"
  cpu=$(sed -n 2p "$scratch/times" | tr 'ms' '  ' | awk '{ print $1 * 60 + $2 + $3 * 60 + $4 }')
}

end_step() {
  [ -n "$step_name" ] || return 0
  local wall=$((SECONDS - step_began)) cpu
  read_cpu
  minutes+=("$(awk -v wall="$wall" -v cpu="$cpu" -v began="$step_cpu" -v name="$step_name" \
    'BEGIN { printf "%6.1f %6.1f  %s", wall / 60, (cpu - began) / 60, name }')")
  step_name=""
}

# Begins a step: prints its name and notes the time.
step() {
  end_step
  printf '\n=== %s\n' "$*"
  local cpu
  read_cpu
  step_name=$* step_began=$SECONDS step_cpu=$cpu
}

# Says loudly that something was left out, and why.
skip() { printf '\n!!! SKIPPED: %s\n' "$*"; }

# Prints the table of minutes and removes what was made on the way. CPU minutes of what ran in the background count in
# the step that waited for it.
end_steps() {
  local status=$?
  end_step
  printf '\nminutes: wall, CPU\n'
  printf '%s\n' "${minutes[@]}"
  awk -v wall="$SECONDS" 'BEGIN { printf "%6.1f         in all, on ", wall / 60 }'
  printf '%s cores, load %s\n' "$(nproc)" "$(cut -d' ' -f1-3 /proc/loadavg)"
  jobs -p | xargs -r kill 2>/dev/null || true
  rm -rf "$scratch"
  exit "$status"
}
trap end_steps EXIT

# Installs a Debian package where that may be done; prints nothing.
apt_install() {
  [ "$(id -u)" = 0 ] || return 1
  { apt-get install -y --no-install-recommends "$1" \
    || { apt-get update && apt-get install -y --no-install-recommends "$1"; }; } >/dev/null 2>&1
}

# Makes the Python environment of the oracles; fails where PyPI cannot be had.
install_oracles() {
  python3 -m venv "$scratch/oracles" \
    && "$scratch/oracles/bin/pip" install -q -r tests/oracles/requirements.txt
}

# Makes the training package's Python environment, without the engine's module.
install_training() {
  python3 -m venv "$scratch/uv" && "$scratch/uv/bin/pip" install -q uv \
    && UV_PROJECT_ENVIRONMENT="$scratch/training" \
      "$scratch/uv/bin/uv" sync --quiet --locked --no-install-project --project training
}

# Builds the engine's Python module into that environment, from what `cargo test` has compiled.
install_engine_module() {
  MATURIN_PEP517_ARGS="--profile dev" CARGO_TARGET_DIR="$PWD/target" UV_PROJECT_ENVIRONMENT="$scratch/training" \
    "$scratch/uv/bin/uv" sync --quiet --locked --project training
}

# Lets every later `cargo test` compare the embedded networks with ONNX Runtime's too, and keep their outputs.
use_onnx_runtime() {
  ONNXRUNTIME_LIBRARY=$(find "$scratch/training" -name 'libonnxruntime.so*' | head -n 1)
  export ONNXRUNTIME_LIBRARY MODEL_PARITY_OUTPUT="$scratch/parity"
}

# Compares the outputs that were kept with PyTorch's.
compare_with_pytorch() {
  "$scratch/training/bin/python" tests/oracles/models_oracle.py --compare "$scratch"/parity/*.safetensors
}

# Runs tests of the training package: all of them, or the modules, classes and tests named.
test_training() {
  (cd training && ALGOSPACE_HFT="$PWD/../target/release/algospace-hft" "$scratch/training/bin/python" -m unittest "$@")
}
