"""Quantisation of a graph to eight bits, calibrated on training pictures.

It is ONNX Runtime's static quantisation with QuantizeLinear and DequantizeLinear nodes. ONNX
Runtime merges them with the convolutions between them when it loads the graph. Such a graph needs
only ``onnxruntime``, and its integer sums do not depend on the number of threads.
"""

from __future__ import annotations

import tempfile
from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

import numpy as np
from numpy.typing import NDArray

from fundoscope.errors import UsageError
from fundoscope.models import runtime
from fundoscope.train.onnx import graph as onnx_graph

if TYPE_CHECKING:
    from onnx import ModelProto, NodeProto

FIRST_IN_FLOAT: Final = 6
"""The first convolutions, which stay in float. In EfficientNet-Lite these are the stem and the two
blocks after it: their maps are the largest, with values of 100 beside details of 0.1. On training
crops the logits of the shipped grader then move by 0.06 (root mean square); with only the first and
the last convolution in float they move by 0.22. It costs a tenth of the time that eight bits
save."""
REDUCED: Final = True
"""Store weights in seven bits instead of eight. Processors without VNNI add two products in sixteen
bits. With eight bits this sum can saturate, and such a processor would grade differently; with
seven bits it cannot. Speed and size are the same; logits move by 0.12 instead of 0.06, see
docs/decisions/0007."""
PICTURES: Final = 200
"""Training pictures from which the ranges of activations are taken."""
SEED: Final = 19
"""Seed of the draw of these pictures: the same run gives the same graph."""
QUIET: Final = 4
"""ONNX Runtime's log level "fatal"."""
CONVOLUTION, PRODUCT = "Conv", "Gemm"
FOLLOWING: Final = ("Add", "Clip", "Relu", "MaxPool", "Resize")
"""Operations that are quantised if all of their inputs are."""
PREPARED: Final = ("onnx.quant.pre_process", "onnxruntime.quant")
"""Metadata by which the quantiser knows that shapes are inferred and normalisation is merged.
Without it the quantiser prints a warning."""
MERGED: Final = "merged."
"""The new prefix of weight names. Batch normalisation is merged into these weights, so they must
not be read as the network's own (:func:`fundoscope.train.onnx.graph.weights`)."""

_Item = TypeVar("_Item")


def sample(items: Sequence[_Item], sources: Sequence[str], count: int = PICTURES) -> list[_Item]:
    """Draw some items, as evenly from each source as possible. The draw is always the same.

    Args:
        items: training rows or views.
        sources: the source of each item.
        count: the number of items to draw; all of them if there are fewer.
    """
    random = np.random.default_rng(SEED)
    ranks: dict[str, int] = defaultdict(int)
    order: list[tuple[int, int]] = []
    for index in random.permutation(len(items)).tolist():
        # The first item of each source comes before the second item of any.
        order.append((ranks[sources[index]], index))
        ranks[sources[index]] += 1
    chosen = sorted(index for _, index in sorted(order)[:count])
    return [items[index] for index in chosen]


def quantise(
    model: bytes,
    pictures: Iterable[NDArray[np.uint8]],
    *,
    left: Sequence[str] = (),
    products: bool = False,
) -> bytes:
    """Quantise the convolutions of a graph, except for the first :data:`FIRST_IN_FLOAT`.

    Args:
        model: the bytes of a graph in float, whose input is ``uint8 (n, H, W, 3)`` RGB.
        pictures: batches of that shape on which it is calibrated.
        left: further nodes that stay in float: those whose name contains one of these.
        products: quantise matrix products, too.

    Returns:
        The bytes of a graph with the same inputs and outputs.

    Raises:
        UsageError: the graph has no convolution after the first ones.
    """
    runtime.library()
    from onnxruntime import quantization

    folded = merged(model)
    nodes = _nodes_to_quantise(folded, left, products)
    if not nodes:
        raise UsageError(
            "the network",
            f"has no convolution after the first {FIRST_IN_FLOAT}, and those stay in float",
            "export it without --int8",
        )
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.onnx"
        quantization.quantize_static(
            folded,
            path,
            _reader(pictures),
            op_types_to_quantize=[CONVOLUTION, PRODUCT, *FOLLOWING],
            nodes_to_quantize=nodes,
            per_channel=True,
            reduce_range=REDUCED,
            # Signed activations were 1.6 times slower, unsigned weights ten times.
            activation_type=quantization.QuantType.QUInt8,
            weight_type=quantization.QuantType.QInt8,
            calibrate_method=quantization.CalibrationMethod.MinMax,
            # The mean over pictures of the smallest and largest value. Their extremes over all
            # pictures and the middle 99.998 % were as good; the middle 99.8 % was worse (logits
            # moved by 0.31 instead of 0.22).
            extra_options={"CalibMovingAverage": True},
        )
        quantised = _load(path)
    _rename_weights(quantised)
    onnx_graph.forget_origin(quantised)
    content: bytes = quantised.SerializeToString()
    return onnx_graph.halve(content)


def merged(model: bytes) -> ModelProto:
    """The graph with batch normalisation merged into convolutions, and constants folded."""
    onnxruntime = runtime.library()
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
    options.log_severity_level = QUIET
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "merged.onnx"
        options.optimized_model_filepath = str(path)
        onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
        folded: ModelProto = _load(path)
    used = {node.domain for node in folded.graph.node}
    for opset in [opset for opset in folded.opset_import if opset.domain not in used]:
        folded.opset_import.remove(opset)
    for index, node in enumerate(folded.graph.node):
        node.name = node.name or f"{node.op_type}_{index}"
    folded.metadata_props.add(key=PREPARED[0], value=PREPARED[1])
    return folded


def _load(path: Path) -> Any:
    import onnx

    return onnx.load(path)


def _nodes_to_quantise(model: ModelProto, left: Sequence[str], products: bool) -> list[str]:
    """The names of the nodes to quantise, in the graph's order."""
    constants = {tensor.name for tensor in model.graph.initializer} | {""}
    chosen: list[str] = []
    quantised: set[str] = set()
    convolutions = 0
    for node in model.graph.node:
        convolutions += node.op_type == CONVOLUTION
        if any(part in node.name for part in left):
            continue
        heavy = node.op_type == CONVOLUTION and convolutions > FIRST_IN_FLOAT
        if heavy or (products and node.op_type == PRODUCT) or _follows(node, quantised, constants):
            chosen.append(node.name)
            quantised.update(node.output)
    return chosen


def _follows(node: NodeProto, quantised: set[str], constants: set[str]) -> bool:
    """Whether a node may be quantised because all of its inputs are."""
    inputs = [name for name in node.input if name not in constants]
    return node.op_type in FOLLOWING and bool(inputs) and quantised.issuperset(inputs)


def _reader(pictures: Iterable[NDArray[np.uint8]]) -> Any:
    runtime.library()
    from onnxruntime.quantization import CalibrationDataReader

    class Reader(CalibrationDataReader):  # type: ignore[misc]  # onnxruntime has no types
        """Yields one batch of pictures after the other."""

        def __init__(self) -> None:
            self.remaining = iter(pictures)

        def get_next(self) -> dict[str, NDArray[np.uint8]] | None:
            batch = next(self.remaining, None)
            return None if batch is None else {onnx_graph.INPUT: batch}

    return Reader()


def _rename_weights(model: Any) -> None:
    """Put :data:`MERGED` before the names of weights that still have the network's names."""
    renamed = {
        tensor.name: MERGED + tensor.name
        for tensor in model.graph.initializer
        if tensor.name.startswith(onnx_graph.NETWORK)
    }
    for tensor in model.graph.initializer:
        tensor.name = renamed.get(tensor.name, tensor.name)
    for node in model.graph.node:
        node.input[:] = [renamed.get(name, name) for name in node.input]
