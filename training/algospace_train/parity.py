"""The same inputs through PyTorch and through ONNX Runtime, and how far apart the outputs are."""

import copy

import numpy as np
import onnxruntime
import torch
from torch import nn

from algospace_train import masks
from algospace_train.networks import PASSES

Tensors = dict[str, np.ndarray]

TOLERANCE = 1e-5


def random_inputs(network: nn.Module, random: np.random.Generator, drawn: tuple[np.ndarray, np.ndarray]) -> Tensors:
    """Inputs of one evaluation within +-3; masks are those `drawn`, an opportunity's direction is -1 or +1."""
    inputs: Tensors = {}
    for name, shape in network.INPUTS.items():
        if PASSES in shape:
            inputs[name] = drawn[int(name == "mask_2")]
        else:
            inputs[name] = random.uniform(-3.0, 3.0, shape).astype(np.float32)
        if name == "opportunity":
            inputs[name][:, 0] = np.sign(inputs[name][:, 0])
    return inputs


def random_cases(network: nn.Module, random: np.random.Generator, passes: list[int], seed: int) -> list[Tensors]:
    """One set of inputs for each number of passes; masks are those of decision 0, 1 and so on under `seed`."""
    return [random_inputs(network, random, masks.masks(seed, case, count)) for case, count in enumerate(passes)]


def pytorch(network: nn.Module, inputs: Tensors) -> Tensors:
    """Outputs by PyTorch in the precision of the network."""
    precision = next(network.parameters()).dtype
    tensors = [torch.from_numpy(inputs[name]).to(precision) for name in network.INPUTS]
    with torch.inference_mode():
        outputs = network(*tensors)
    outputs = outputs if isinstance(outputs, tuple) else (outputs,)
    return {name: output.numpy() for name, output in zip(network.OUTPUTS, outputs, strict=True)}


def pinned(network: nn.Module, cases: list[Tensors]) -> list[Tensors]:
    """Outputs to keep in a file: evaluated in f64 and rounded to f32, so that they do not depend on the processor."""
    precise = copy.deepcopy(network).double()
    return [{name: output.astype(np.float32) for name, output in pytorch(precise, inputs).items()} for inputs in cases]


def session(graph: bytes) -> onnxruntime.InferenceSession:
    """A single-threaded ONNX Runtime session on the CPU."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    return onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])


def onnx_runtime(loaded: onnxruntime.InferenceSession, inputs: Tensors) -> Tensors:
    """Outputs by ONNX Runtime."""
    names = [output.name for output in loaded.get_outputs()]
    return dict(zip(names, loaded.run(names, inputs), strict=True))


def difference(left: Tensors, right: Tensors) -> float:
    """Largest absolute difference over all outputs; infinite where a value is not finite or a shape differs."""
    if any(left[name].shape != right[name].shape for name in left):
        return float("inf")
    largest = np.max([np.max(np.abs(left[name].astype(np.float64) - right[name])) for name in left])
    return float(largest) if np.isfinite(largest) else float("inf")


def tensors(graph: str, cases: list[Tensors]) -> Tensors:
    """Names as they stand in a file: `<graph>/<case>/<input or output>`."""
    return {
        f"{graph}/{number}/{name}": np.ascontiguousarray(value)
        for number, case in enumerate(cases)
        for name, value in case.items()
    }
