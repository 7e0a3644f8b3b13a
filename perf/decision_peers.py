"""How long a decision takes with other inference engines, one thread, on models/untrained.

    python3 -m venv /tmp/peers
    /tmp/peers/bin/pip install -e training
    taskset -c 1 /tmp/peers/bin/python perf/decision_peers.py

Prints a JSON line a peer and decision, in microseconds. Decisions:

* 5_minutes: tactical, core (3 agents x 30 passes, masks given), risk, gate; structure embedding and regime vector held;
* 30_minutes: structure and regime too.

The opportunity is given, not derived from the logits. Peers:

* onnxruntime: its graphs, every input and output bound beforehand, so that little of the time is Python's; an LSTM's
  known rows are run before, as the engine does;
* pytorch_eager: the same networks and masks;
* pytorch_loop: what one would write first. For each agent 30 times its embedder and the head with nn.Dropout in
  training mode, which draws its own masks, and regime once.
"""

import argparse
import json
import sys
import time
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn.functional import relu

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "training"))

from algospace_train import masks, networks, parity, two_parts  # noqa: E402

SET = ROOT / "models" / "untrained"
GRAPHS = {
    "5_minutes": ("tactical", "core", "risk", "gate"),
    "30_minutes": ("structure", "regime", "tactical", "core", "risk", "gate"),
}
PASSES = 30


class Bound:
    """ONNX Runtime with every array in its place: a graph's outputs are written where the next one reads them."""

    def __init__(self, nets, given):
        self.state = {name: value.copy() for name, value in given.items()}
        self.state["logits"] = np.zeros((networks.AGENTS, PASSES, networks.CLASSES), np.float32)
        self.state["proposal"] = np.zeros((1, 3), np.float32)
        self.state["execute"] = np.zeros((1, 1), np.float32)
        for number, name in enumerate(nets.risk.OUTPUTS):
            self.state[name] = self.state["proposal"][:, number : number + 1]
        self.runs = {}
        for name, network in nets.named_children():
            if name not in two_parts.ENCODERS:
                self.runs[name] = self.bind(name, name, network.INPUTS, network.OUTPUTS)
                continue
            matrix = given[f"{name}_matrix"]
            _, rows, columns = matrix.shape
            self.state |= {f"{name}_known": matrix[:, :-1].copy(), f"{name}_row": matrix[:, -1:].copy()}
            parts = two_parts.shapes(rows, columns, networks.EMBEDDING)
            self.state |= {f"{name}_{part}": np.zeros((1, 1, networks.EMBEDDING), np.float32) for part in parts["prefix"][1]}
            # What the known rows give is computed before the close.
            self.bind(name, f"{name}_prefix", *parts["prefix"])()
            self.runs[name] = self.bind(name, f"{name}_step", *parts["step"])

    def bind(self, name, file, inputs, outputs):
        session = parity.session((SET / f"{file}.onnx").read_bytes())
        binding = session.io_binding()
        own = ("matrix", "known", "row", "hidden", "cell")
        for key in inputs:
            self.place(binding.bind_input, key, f"{name}_{key}" if key in own else key)
        for key in outputs:
            self.place(binding.bind_output, key, name if key == "embedding" else f"{name}_{key}" if key in own else key)
        return lambda: session.run_with_iobinding(binding)

    def place(self, bind, name, key):
        value = self.state[key]
        bind(name, "cpu", 0, np.float32, value.shape, value.ctypes.data)

    def __call__(self, graphs):
        for name in graphs:
            self.runs[name]()
        return self.state


class Eager:
    """PyTorch with the masks given."""

    def __init__(self, nets, given):
        self.nets, self.given = nets, given

    def __call__(self, graphs):
        state = dict(self.given)
        for name in graphs:
            network = getattr(self.nets, name)
            outputs = network(*(state[f"{name}_matrix" if key == "matrix" else key] for key in network.INPUTS))
            if name == "risk":
                state["proposal"] = torch.cat(outputs, dim=1)
            else:
                (key,) = network.OUTPUTS
                state[name if key == "embedding" else key] = outputs
        return state


class Loop:
    """The decision as one would first write it."""

    def __init__(self, nets):
        self.nets = nets
        core = nets.core
        self.head = nn.Sequential(
            core.first, nn.ReLU(), nn.Dropout(masks.PROBABILITY),
            core.second, nn.ReLU(), nn.Dropout(masks.PROBABILITY), core.logits,
        ).train()
        self.one_hot = torch.eye(networks.AGENTS)

    def __call__(self, given):
        nets, core = self.nets, self.nets.core
        regime = nets.regime(given["regime_matrix"])
        embedders = (
            lambda: nets.structure(given["structure_matrix"]),
            lambda: nets.tactical(given["tactical_matrix"]),
            lambda: relu(core.regime_embedding(regime)),
        )
        probabilities, embeddings = [], []
        for agent, embed in enumerate(embedders):
            for _ in range(PASSES):
                own = embed()
                context = relu(core.context(given["context"]))
                seen = (own, regime, context, given["account"], self.one_hot[agent : agent + 1])
                probabilities.append(torch.softmax(self.head(torch.cat(seen, dim=1)), dim=1))
            embeddings.append(own)
        size, stop, reward = nets.risk(
            regime, given["opportunity"], given["volatility"], given["context"], given["account"])
        execute = nets.gate(
            embeddings[0], embeddings[1], regime, given["context"], given["account"], given["opportunity"],
            torch.cat((size, stop, reward), dim=1))
        return torch.stack(probabilities).mean(dim=0), execute


def inputs(nets):
    """What a decision is given: matrices, context, account, masks, and what is held where it is not evaluated."""
    random = np.random.default_rng(20240517)
    given = {}
    for network in (nets.core, nets.risk, nets.gate):
        given |= parity.random_inputs(network, random, masks.masks(7, 0, PASSES))
    given.pop("proposal")
    for name in ("structure", "tactical", "regime"):
        given[f"{name}_matrix"] = parity.random_inputs(getattr(nets, name), random, ())["matrix"]
    return given


def measure(peer, decision, evaluate, runs):
    for _ in range(max(runs // 10, 20)):
        evaluate()
    taken = np.empty(runs)
    for run in range(runs):
        start = time.perf_counter_ns()
        evaluate()
        taken[run] = time.perf_counter_ns() - start
    p50, p99, p999 = np.percentile(taken / 1000.0, [50, 99, 99.9])
    figures = {"p50_us": round(p50, 1), "p99_us": round(p99, 1), "p99.9_us": round(p999, 1)}
    print(json.dumps({"peer": peer, "decision": decision, "runs": runs} | figures), flush=True)


parser = argparse.ArgumentParser(description="Times a decision with ONNX Runtime and PyTorch.")
parser.add_argument("--runs", type=int, default=2000)
parser.add_argument("--loop-runs", type=int, default=200, help="of the slow loop")
arguments = parser.parse_args()

torch.set_num_threads(1)
torch.set_num_interop_threads(1)
nets = networks.load(SET / "weights.safetensors")
arrays = inputs(nets)
tensors = {name: torch.from_numpy(value) for name, value in arrays.items()}

with torch.inference_mode():
    onnxruntime, eager, loop = Bound(nets, arrays), Eager(nets, tensors), Loop(nets)
    for graphs in GRAPHS.values():
        left, right = onnxruntime(graphs), eager(graphs)
        for name in ("logits", "proposal", "execute"):
            assert np.allclose(left[name], right[name].numpy(), atol=parity.TOLERANCE, rtol=0), name
    for decision, graphs in GRAPHS.items():
        measure("onnxruntime", decision, lambda: onnxruntime(graphs), arguments.runs)
        measure("pytorch_eager", decision, lambda: eager(graphs), arguments.runs)
    measure("pytorch_loop", "5_minutes", lambda: loop(tensors), arguments.loop_runs)
