"""Cuts LSTM encoders in two: what the rows give that are known before a close, and the last step.

    python -m algospace_train.two_parts ../models/untrained

brings a model set of format 1 to format 2: the same weights, the same golden cases, other graphs.
"""

import argparse
import hashlib
import json
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from algospace_train import parity
from algospace_train.whole_file import write_whole

FORMAT = 2
ENCODERS = ("structure", "tactical")
"""The graphs that a set has in two parts."""


class NotAnEncoderError(Exception):
    """A graph is not a transposed matrix, an LSTM from zeros and its last hidden state."""


def shapes(rows: int, columns: int, units: int) -> dict[str, tuple[dict, dict]]:
    """Inputs and outputs of the parts of an encoder of `rows` rows, by their place in the name."""
    state = {"hidden": (1, 1, units), "cell": (1, 1, units)}
    return {
        "prefix": ({"known": (1, rows - 1, columns)}, state),
        "step": ({"row": (1, 1, columns), **state}, {"embedding": (1, units)}),
    }


def split(encoded: bytes) -> dict[str, bytes]:
    """The parts of an encoder's graph, `prefix` and `step`."""
    whole = onnx.load_from_string(encoded)
    kinds = [node.op_type for node in whole.graph.node]
    if kinds != ["Transpose", "LSTM", "Gather"]:
        raise NotAnEncoderError(f"it has the nodes {', '.join(kinds)}")
    constants = {tensor.name: tensor for tensor in whole.graph.initializer}
    _, lstm, gather = whole.graph.node
    weights = list(lstm.input[1:4])
    begins = [numpy_helper.to_array(constants[name]) for name in lstm.input[5:7]]
    if lstm.input[4] or any(begin.any() for begin in begins):
        raise NotAnEncoderError("it does not begin with zeros")
    size = whole.graph.input[0].type.tensor_type.shape.dim
    units = constants[weights[1]].dims[2]
    parts = {}
    for part, (inputs, outputs) in shapes(size[1].dim_value, size[2].dim_value, units).items():
        rows = next(iter(inputs))
        before, last = (["hidden", "cell"], "last") if part == "step" else ([], "hidden")
        nodes = [
            helper.make_node("Transpose", [rows], ["rows"], perm=[1, 0, 2]),
            helper.make_node(
                "LSTM",
                ["rows", *weights, *(["", *before] if before else [])],
                ["", last] if part == "step" else ["", last, "cell"],
                hidden_size=units,
            ),
        ]
        kept = weights
        if part == "step":
            nodes.append(helper.make_node("Gather", ["last", gather.input[1]], ["embedding"], axis=0))
            kept = [*weights, gather.input[1]]
        graph = helper.make_graph(
            nodes,
            f"encoder_{part}",
            [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in inputs.items()],
            [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in outputs.items()],
            [constants[name] for name in kept],
        )
        model = helper.make_model(graph, opset_imports=list(whole.opset_import), ir_version=whole.ir_version)
        onnx.checker.check_model(model, full_check=True)
        parts[part] = model.SerializeToString(deterministic=True)
    check(encoded, parts)
    return parts


def check(encoded: bytes, parts: dict[str, bytes]) -> None:
    """Refuses parts that do not give what the whole gives."""
    whole, prefix, step = (parity.session(graph) for graph in (encoded, parts["prefix"], parts["step"]))
    shape = whole.get_inputs()[0].shape
    random = np.random.default_rng(1)
    for _ in range(100):
        matrix = random.uniform(-3.0, 3.0, shape).astype(np.float32)
        state = parity.onnx_runtime(prefix, {"known": matrix[:, :-1]})
        given = parity.onnx_runtime(step, {"row": matrix[:, -1:], **state})
        apart = parity.difference(parity.onnx_runtime(whole, {"matrix": matrix}), given)
        if not apart <= parity.TOLERANCE:
            raise NotAnEncoderError(f"its parts give something else, by {apart}")


def runs(directory: Path, manifest: dict) -> dict[str, Callable[[parity.Tensors], parity.Tensors]]:
    """Every network of a set by ONNX Runtime, from one graph or from two."""
    sessions = {
        name: parity.session((directory / graph["file"]).read_bytes()) for name, graph in manifest["graphs"].items()
    }

    def in_parts(name: str, inputs: parity.Tensors) -> parity.Tensors:
        matrix = inputs["matrix"]
        state = parity.onnx_runtime(sessions[f"{name}_prefix"], {"known": matrix[:, :-1]})
        return parity.onnx_runtime(sessions[f"{name}_step"], {"row": matrix[:, -1:], **state})

    names = dict.fromkeys(name.removesuffix("_prefix").removesuffix("_step") for name in sessions)
    return {
        name: partial(parity.onnx_runtime, sessions[name]) if name in sessions else partial(in_parts, name)
        for name in names
    }


def described(content: bytes, file: str, inputs: dict, outputs: dict) -> dict:
    """A graph as the manifest has it."""
    hashed = hashlib.sha256(content).hexdigest()
    named = [[{"name": key, "shape": list(shape)} for key, shape in of.items()] for of in (inputs, outputs)]
    return {"file": file, "sha256": hashed, "inputs": named[0], "outputs": named[1]}


def upgrade(directory: Path) -> None:
    """Writes the parts of a set's encoders and its manifest, and removes the whole graphs."""
    manifest = json.loads((directory / "manifest.json").read_text())
    if manifest["format"] != 1:
        raise SystemExit(f"{directory}: the set has format {manifest['format']}, not 1")
    graphs: dict[str, dict] = {}
    for name, graph in manifest["graphs"].items():
        if name not in ENCODERS:
            graphs[name] = graph
            continue
        _, rows, columns = graph["inputs"][0]["shape"]
        units = graph["outputs"][0]["shape"][1]
        parts = split((directory / graph["file"]).read_bytes())
        for part, (inputs, outputs) in shapes(rows, columns, units).items():
            file = f"{name}_{part}.onnx"
            write_whole(directory / file, parts[part])
            graphs[f"{name}_{part}"] = described(parts[part], file, inputs, outputs)
    removed = [manifest["graphs"][name]["file"] for name in ENCODERS]
    manifest |= {"format": FORMAT, "graphs": graphs}
    write_whole(directory / "manifest.json", (json.dumps(manifest, indent=2) + "\n").encode())
    for file in removed:
        (directory / file).unlink()


def main() -> None:
    parser = argparse.ArgumentParser(description="Brings model sets of format 1 to format 2.")
    parser.add_argument("sets", type=Path, nargs="+", help="folders of model sets")
    for directory in parser.parse_args().sets:
        upgrade(directory)
        print(f"{directory}: format {FORMAT}")


if __name__ == "__main__":
    main()
