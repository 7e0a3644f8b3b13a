"""Holds the networks of a model set against PyTorch and ONNX Runtime.

    python3 -m venv /tmp/oracle
    /tmp/oracle/bin/pip install -e training
    /tmp/oracle/bin/python tests/oracles/models_oracle.py
    /tmp/oracle/bin/python tests/oracles/models_oracle.py --compare FILE...

Without files it writes tests/fixtures/model_parity.safetensors: random inputs of every graph of models/untrained and
PyTorch's outputs, named `<graph>/<case>/<input or output>`. Masks are those of decision = case under the set's seed.
With files, which the engine wrote with the same names, it computes their outputs anew and exits 1 where any differs by
more than 1e-5. `cargo test` reads the fixture and needs no Python.
"""

import argparse
import json
import sys
from collections import defaultdict
from pathlib import Path

import numpy as np
import safetensors.numpy
import torch

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "training"))

from algospace_train import networks, parity, two_parts  # noqa: E402

UNTRAINED = ROOT / "models" / "untrained"
FIXTURE = ROOT / "tests" / "fixtures" / "model_parity.safetensors"
SEED = 20240517
PASSES = [30] * 4 + [3] * 28


class ModelSet:
    """A set's networks from its weights and from its graphs."""

    def __init__(self, directory):
        manifest = json.loads((directory / "manifest.json").read_text())
        self.seed = manifest["seed"]
        self.networks = dict(networks.load(directory / manifest["weights"]["file"]).named_children())
        self.runs = two_parts.runs(directory, manifest)
        if list(self.networks) != list(self.runs):
            sys.exit(f"{directory} has graphs {list(self.runs)}; the networks are {list(self.networks)}")


def write(models):
    tensors, largest = {}, 0.0
    for number, (name, network) in enumerate(models.networks.items()):
        cases = parity.random_cases(network, np.random.default_rng([SEED, number]), PASSES, models.seed)
        outputs = parity.pinned(network, cases)
        for inputs, expected in zip(cases, outputs, strict=True):
            largest = max(largest, parity.difference(expected, models.runs[name](inputs)))
        tensors |= parity.tensors(name, [inputs | expected for inputs, expected in zip(cases, outputs, strict=True)])
    if not largest <= parity.TOLERANCE:
        sys.exit(f"ONNX Runtime is {largest} from PyTorch: the fixture is not written")
    FIXTURE.write_bytes(safetensors.numpy.save(tensors))
    print(f"{FIXTURE}: {FIXTURE.stat().st_size:,} bytes, ONNX Runtime at most {largest:.1e} from PyTorch")


def compare(models, files):
    cases, worst = defaultdict(int), defaultdict(lambda: {"PyTorch": 0.0, "ONNX Runtime": 0.0})
    for file in files:
        written = defaultdict(dict)
        for key, value in safetensors.numpy.load_file(file).items():
            graph, case, name = key.split("/")
            written[graph, case][name] = value
        for (graph, case), values in written.items():
            network = models.networks[graph]
            missing = [name for name in (*network.INPUTS, *network.OUTPUTS) if name not in values]
            if missing:
                sys.exit(f"{file}: {graph}/{case} has no {', '.join(missing)}")
            inputs = {name: values[name] for name in network.INPUTS}
            engine = {name: values[name] for name in network.OUTPUTS}
            cases[graph] += 1
            for peer, outputs in (
                ("PyTorch", parity.pytorch(network, inputs)),
                ("ONNX Runtime", models.runs[graph](inputs)),
            ):
                worst[graph][peer] = max(worst[graph][peer], parity.difference(engine, outputs))
    if not worst:
        sys.exit("no case in the files")
    for graph, differences in worst.items():
        told = ", ".join(f"{value:.2e} from {peer}" for peer, value in differences.items())
        print(f"{graph}: {cases[graph]:,} cases, at most {told}")
    too_far = [graph for graph in worst if not max(worst[graph].values()) <= parity.TOLERANCE]
    if too_far:
        sys.exit(f"further than {parity.TOLERANCE}: {', '.join(too_far)}")


parser = argparse.ArgumentParser(description="Holds a model set against PyTorch and ONNX Runtime.")
parser.add_argument("--compare", nargs="+", type=Path, metavar="FILE", help="safetensors files the engine wrote")
parser.add_argument("--set", type=Path, default=UNTRAINED, help="folder of the model set to compare with")
arguments = parser.parse_args()
torch.set_num_threads(1)
if arguments.compare:
    compare(ModelSet(arguments.set), arguments.compare)
else:
    write(ModelSet(UNTRAINED))
