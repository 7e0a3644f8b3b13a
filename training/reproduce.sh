#!/bin/sh
# Makes ../models/regimes again, from nothing: three phases, export, evaluation. What is there already of a phase goes on from
# its checkpoint.
#
#     sh reproduce.sh              # the set
#     sh reproduce.sh 8 9          # the same phases under other seeds first, for the card's table of seeds and learning curves
set -eu
cd "$(dirname "$0")"
python=${PYTHON:-.venv/bin/python}

phases() { # FOLDER OF CONFIGURATIONS, FOLDER OF RUNS
  for phase in phase1 phase2 phase3; do
    again=""
    if [ -e "$2/$phase/checkpoint.pt" ]; then again=--resume; fi
    "$python" -m algospace_train "$phase" --config "$1/$phase.yaml" $again
  done
}

cargo build --release --manifest-path ../Cargo.toml
for seed in "$@"; do
  runs="../runs/seed-$seed"
  mkdir -p "$runs/config"
  for phase in phase1 phase2 phase3; do
    sed "s#^seed: .*#seed: $seed#; s#\.\./runs/training#$runs#" "config/$phase.yaml" >"$runs/config/$phase.yaml"
    # Markets are made once, for all.
    echo "cache: ../runs/training/markets" >>"$runs/config/$phase.yaml"
  done
  phases "$runs/config" "$runs"
done
phases config ../runs/training
"$python" -m algospace_train export --config config/export.yaml
"$python" -m algospace_train evaluate --config config/evaluate.yaml
