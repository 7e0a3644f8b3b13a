#!/bin/sh
# Makes ../models/regimes again, from nothing: three phases, export, evaluation. What is there already of a phase goes on from
# its checkpoint.
set -eu
cd "$(dirname "$0")"
python=${PYTHON:-.venv/bin/python}
runs=../runs/training
cargo build --release --manifest-path ../Cargo.toml
for phase in phase1 phase2 phase3; do
  again=""
  if [ -e "$runs/$phase/checkpoint.pt" ]; then again=--resume; fi
  "$python" -m algospace_train "$phase" --config "config/$phase.yaml" $again
done
"$python" -m algospace_train export --config config/export.yaml
"$python" -m algospace_train evaluate --config config/evaluate.yaml
