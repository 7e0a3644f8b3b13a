"""Writes a model set: ONNX graphs, weights, golden cases, manifest.

    python -m algospace_train.export --name untrained --seed 7 --output ../models/untrained

The same command on the same versions writes the same bytes. The feature schema is taken from `feature_schema.json`
beside this file, where the engine's tests put it.
"""

import argparse
import hashlib
import json
import logging
import warnings
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path

import numpy as np
import onnx
import onnxscript.optimizer
import safetensors.numpy
import torch
from torch import nn

from algospace_train import masks, parity, two_parts
from algospace_train.networks import PASSES, Networks, untrained
from algospace_train.whole_file import write_whole

OPSET = 18
FEATURE_SCHEMA = Path(__file__).with_name("feature_schema.json")
GOLDEN_PASSES = [30, 3, 3, 3, 3, 3, 3, 3]
"""Passes of each golden case of the core; few in most, since masks are large and a set is to stay below 2 MB."""
CHECKED_PASSES = [1, 30, 100]
PACKAGES = ("torch", "onnx", "onnxscript", "onnxruntime", "safetensors", "numpy")


class ParityError(Exception):
    """An exported graph does not compute what its network computes."""


def graph(network: nn.Module) -> bytes:
    """The network as ONNX, constants folded, without the exporter's notes about source files."""
    example = tuple(torch.zeros([2 if axis == PASSES else axis for axis in shape]) for shape in network.INPUTS.values())
    dynamic = tuple(
        {1: torch.export.Dim(PASSES, min=1, max=masks.MOST_PASSES)} if PASSES in shape else None
        for shape in network.INPUTS.values()
    )
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        program = torch.onnx.export(
            network,
            example,
            dynamo=True,
            external_data=False,
            opset_version=OPSET,
            input_names=list(network.INPUTS),
            output_names=list(network.OUTPUTS),
            dynamic_shapes=dynamic,
            verbose=False,
        )
    everything = 1 << 24
    onnxscript.optimizer.optimize(
        program.model, input_size_limit=everything, output_size_limit=everything, onnx_shape_inference=False
    )
    return stripped(program.model_proto).SerializeToString(deterministic=True)


def stripped(model: onnx.ModelProto) -> onnx.ModelProto:
    """Without descriptions of intermediate values and of where in the source each node came from."""
    del model.metadata_props[:], model.graph.metadata_props[:], model.graph.value_info[:]
    for part in (*model.graph.node, *model.graph.initializer, *model.graph.input, *model.graph.output):
        del part.metadata_props[:]
        part.doc_string = ""
    onnx.checker.check_model(model, full_check=True)
    return model


def check(name: str, network: nn.Module, encoded: bytes, seed: int) -> float:
    """Largest difference between PyTorch and ONNX Runtime; refuses one above the tolerance."""
    loaded = parity.session(encoded)
    cases = parity.random_cases(network, np.random.default_rng([seed, 1]), CHECKED_PASSES * 10, seed)
    largest = max(
        parity.difference(parity.pytorch(network, inputs), parity.onnx_runtime(loaded, inputs)) for inputs in cases
    )
    if not largest <= parity.TOLERANCE:
        raise ParityError(f"graph {name} differs from its network by {largest}, more than {parity.TOLERANCE}")
    return largest


def golden(networks: Networks, seed: int) -> parity.Tensors:
    """Random inputs, real masks, and PyTorch's outputs."""
    kept: parity.Tensors = {}
    for number, (name, network) in enumerate(networks.named_children()):
        cases = parity.random_cases(network, np.random.default_rng([seed, 2, number]), GOLDEN_PASSES, seed)
        outputs = parity.pinned(network, cases)
        kept |= parity.tensors(name, [case | output for case, output in zip(cases, outputs, strict=True)])
    return kept


@dataclass
class Card:
    """What a set is, beside its networks; as made, of an untrained one."""

    name: str
    description: str
    seed: int
    trained: bool = False
    calibration: dict[str, float | None] = field(
        default_factory=lambda: {
            "temperature": 1.0,
            "expected_calibration_error_before": None,
            "expected_calibration_error_after": None,
        }
    )
    training: dict[str, str | int | None] = field(
        default_factory=lambda: {"data_sha256": None, "span": None, "steps": 0}
    )
    metrics: dict[str, float] = field(default_factory=dict)
    revision: str | None = None


def export(networks: Networks, directory: Path, card: Card) -> None:
    """Writes the set into `directory`, which is made if need be; files of the same names are replaced."""
    seed = card.seed
    encoded = {graph_name: graph(network) for graph_name, network in networks.named_children()}
    for graph_name, network in networks.named_children():
        largest = check(graph_name, network, encoded[graph_name], seed)
        print(f"{graph_name}: {len(encoded[graph_name]):,} bytes, {largest:.1e} from PyTorch")

    weights = {key: value.numpy() for key, value in networks.state_dict().items()}
    graphs: dict[str, tuple[bytes, dict, dict]] = {}
    for graph_name, network in networks.named_children():
        if graph_name in two_parts.ENCODERS:
            (_, rows, columns), (_, units) = network.INPUTS["matrix"], network.OUTPUTS["embedding"]
            parts = two_parts.split(encoded[graph_name])
            for part, of in two_parts.shapes(rows, columns, units).items():
                graphs[f"{graph_name}_{part}"] = (parts[part], *of)
        else:
            graphs[graph_name] = (encoded[graph_name], network.INPUTS, network.OUTPUTS)
    files = {f"{graph_name}.onnx": content for graph_name, (content, _, _) in graphs.items()}
    files["weights.safetensors"] = safetensors.numpy.save(weights)
    files["golden.safetensors"] = safetensors.numpy.save(golden(networks, seed))

    def file(of: str) -> dict[str, str]:
        return {"file": of, "sha256": hashlib.sha256(files[of]).hexdigest()}

    manifest = {
        "format": two_parts.FORMAT,
        "name": card.name,
        "trained": card.trained,
        "description": card.description,
        "feature_schema": json.loads(FEATURE_SCHEMA.read_text()) if FEATURE_SCHEMA.exists() else None,
        "graphs": {
            graph_name: two_parts.described(content, f"{graph_name}.onnx", inputs, outputs)
            for graph_name, (content, inputs, outputs) in graphs.items()
        },
        "golden": file("golden.safetensors"),
        "weights": file("weights.safetensors"),
        "dropout": {"probability": masks.PROBABILITY, "widths": list(masks.WIDTHS), "generator": "philox4x32-10"},
        "calibration": card.calibration,
        "training": card.training,
        "seed": seed,
        "metrics": card.metrics,
        "revision": card.revision,
        "versions": {package: version(package) for package in PACKAGES},
        "licence": "Apache-2.0",
    }
    files["manifest.json"] = (json.dumps(manifest, indent=2) + "\n").encode()
    directory.mkdir(parents=True, exist_ok=True)
    # The manifest comes last: until then the set is the one that was there, or none that loads.
    for file_name, content in files.items():
        write_whole(directory / file_name, content)
    print(f"{directory}: {sum(map(len, files.values())):,} bytes")


def main() -> None:
    parser = argparse.ArgumentParser(description="Writes an untrained model set.")
    parser.add_argument("--name", default="untrained")
    parser.add_argument("--seed", type=int, default=7, help="of the weights, the golden cases and their masks")
    parser.add_argument("--output", type=Path, required=True)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    description = (
        f"Networks as initialised under seed {arguments.seed}, untrained: they let everything run before training "
        "exists, and their decisions mean nothing."
    )
    export(untrained(arguments.seed), arguments.output, Card(arguments.name, description, arguments.seed))


if __name__ == "__main__":
    main()
