"""The weights in a graph of eight bits, brought back to float, layer by layer.

Batch normalisation is merged into them: they are not the network's own weights
(:func:`fundoscope.train.onnx.graph.weights`), but they calculate the same.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from fundoscope.train.onnx.graph import NETWORK

if TYPE_CHECKING:
    from onnx import NodeProto, TensorProto

OPERATIONS: Final = ("Conv", "Gemm")
WEIGHT: Final = re.compile(rf"{re.escape(NETWORK)}(?P<layer>[\w.]+)\.weight")
"""The layer's own name, within the name of its weight in the graph."""
NORMALISED: Final = re.compile(rf"ConvBnFusion_BN_B_{re.escape(NETWORK)}(?P<layer>[\w.]+)\.bias")
"""ONNX Runtime names a merged bias after the batch normalisation that it comes from."""


@dataclass(frozen=True, slots=True, eq=False)
class Layer:
    """A convolution or matrix product with what was merged into it.

    Attributes:
        weight: ``float32 (outputs, ...)``, as torch has it.
        bias: ``float32 (outputs,)``.
        normalisation: the name of the batch normalisation that was merged into it; empty: none.
    """

    weight: NDArray[np.float32]
    bias: NDArray[np.float32]
    normalisation: str


def layers(model: bytes) -> dict[str, Layer]:
    """The layers of a graph by their names in the network.

    Args:
        model: the bytes of a graph of :func:`fundoscope.train.onnx.quantise.quantise`.
    """
    import onnx

    graph: Any = onnx.load_from_string(model).graph
    stored = {tensor.name: tensor for tensor in graph.initializer}
    made_by = {output: node for node in graph.node for output in node.output}
    found = {}
    for node in graph.node:
        named = WEIGHT.search(node.input[1]) if node.op_type in OPERATIONS else None
        if named is None:
            continue
        weight = _value(node.input[1], stored, made_by)
        if node.op_type == "Gemm" and not _attribute(node, "transB", 0):
            weight = weight.T
        merged = ""
        bias = np.zeros(len(weight), np.float32)
        if len(node.input) > 2:
            bias = _value(node.input[2], stored, made_by)
            from_normalisation = NORMALISED.search(node.input[2])
            merged = from_normalisation["layer"] if from_normalisation else ""
        found[named["layer"]] = Layer(weight, bias, merged)
    return found


def _value(
    name: str, stored: Mapping[str, TensorProto], made_by: Mapping[str, NodeProto]
) -> NDArray[np.float32]:
    """The value of a constant: as it is stored, or as nodes make it from what is stored."""
    from onnx import numpy_helper

    if name in stored:
        return np.asarray(numpy_helper.to_array(stored[name]), np.float32)
    node = made_by[name]
    whole = _value(node.input[0], stored, made_by)
    if node.op_type != "DequantizeLinear":  # a cast from half precision
        return whole
    scale = _value(node.input[1], stored, made_by)
    zero = _value(node.input[2], stored, made_by) if len(node.input) > 2 else np.float32(0)
    if np.ndim(scale) == 1 and np.size(scale) > 1:  # a scale for each channel
        shape = [1] * whole.ndim
        shape[_attribute(node, "axis", 1)] = -1
        scale, zero = scale.reshape(shape), np.reshape(zero, shape)
    return np.asarray((whole - zero) * scale, np.float32)


def _attribute(node: NodeProto, name: str, default: int) -> int:
    return next((each.i for each in node.attribute if each.name == name), default)
