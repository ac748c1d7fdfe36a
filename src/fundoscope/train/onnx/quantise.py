"""An exported graph with weights and activations of eight bits, calibrated on training pictures.

ONNX Runtime's static quantisation in the form of QuantizeLinear and DequantizeLinear nodes, which
it merges with the convolutions between them when it loads the graph. Such a graph needs nothing but
``onnxruntime`` to be read, and its integer sums do not depend on how many threads add them up.
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
from fundoscope.train.onnx import graph as onnx_graph

if TYPE_CHECKING:
    from onnx import ModelProto, NodeProto

FIRST_IN_FLOAT: Final = 6
"""Convolutions from the pixels on that stay in float. In EfficientNet-Lite these are the stem and
the two blocks behind it, on the largest maps, where values of 100 stand beside details of 0.1. On
training crops the logits of the shipped grader then move by 0.06 (root mean square), and by 0.22
with only the first and the last in float; it costs a tenth of the time that eight bits save."""
REDUCED: Final = True
"""Weights of seven bits instead of eight. Processors without VNNI add two products up in sixteen
bits: with eight bits that saturates and such a machine would grade otherwise, with seven it cannot.
As fast and as small; logits move by 0.12 instead of 0.06, see docs/decisions/0007."""
PICTURES: Final = 200
"""Training pictures that the ranges of activations are taken from."""
SEED: Final = 19
"""Of their draw: the same run gives the same graph."""
CONVOLUTION, PRODUCT = "Conv", "Gemm"
FOLLOWING: Final = ("Add", "Clip", "Relu", "MaxPool", "Resize")
"""Operations that stay in eight bits where all that comes in is."""
PREPARED: Final = ("onnx.quant.pre_process", "onnxruntime.quant")
"""Tells the quantiser that shapes are known and normalisation is merged; else it says so aloud."""
OWN: Final = "merged."
"""What stands before a weight's name. It is not the network's own any more, now that normalisation
is merged into it, and must not be taken for it (:func:`onnx_graph.weights`)."""

_Item = TypeVar("_Item")


def sample(items: Sequence[_Item], sources: Sequence[str], count: int = PICTURES) -> list[_Item]:
    """Some of the items, the sources as evenly as they allow, always the same.

    Args:
        items: what is drawn from; training rows or views.
        sources: of each.
        count: how many; fewer where there are fewer.
    """
    random = np.random.default_rng(SEED)
    ranks: dict[str, int] = defaultdict(int)
    order: list[tuple[int, int]] = []
    for place in random.permutation(len(items)).tolist():
        # The first ones of each source come before the second ones of any.
        order.append((ranks[sources[place]], place))
        ranks[sources[place]] += 1
    chosen = sorted(place for _, place in sorted(order)[:count])
    return [items[place] for place in chosen]


def quantise(
    model: bytes,
    shown: Iterable[NDArray[np.uint8]],
    *,
    left: Sequence[str] = (),
    products: bool = False,
) -> bytes:
    """Quantise the convolutions of a graph, but for the first :data:`FIRST_IN_FLOAT`.

    Args:
        model: the bytes of a float graph of :mod:`onnx_graph` or :mod:`detection_graph`.
        shown: what it is calibrated on, ``uint8 (n, H, W, 3)`` RGB each.
        left: parts of the names of nodes that stay in float as well.
        products: quantise the matrix products, too.

    Returns:
        The bytes of a graph with the same inputs and outputs.

    Raises:
        UsageError: it has no convolution behind the first ones.
    """
    from onnxruntime import quantization

    folded = merged(model)
    nodes = _chosen(folded, left, products)
    if not nodes:
        raise UsageError(
            "the network",
            f"has no convolution behind the first {FIRST_IN_FLOAT}, and those stay in float",
            "export it without --int8",
        )
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.onnx"
        quantization.quantize_static(
            folded,
            path,
            _reader(shown),
            op_types_to_quantize=[CONVOLUTION, PRODUCT, *FOLLOWING],
            nodes_to_quantize=nodes,
            per_channel=True,
            reduce_range=REDUCED,
            # Signed activations took 1.6 times as long, unsigned weights ten times.
            activation_type=quantization.QuantType.QUInt8,
            weight_type=quantization.QuantType.QInt8,
            calibrate_method=quantization.CalibrationMethod.MinMax,
            # The mean over pictures of least and largest value: as good as those of all pictures
            # and as the middle 99.998 %; the middle 99.8 % were worse (0.31 instead of 0.22).
            extra_options={"CalibMovingAverage": True},
        )
        made = _loaded(path)
    _disown(made)
    onnx_graph.forget_origin(made)
    content: bytes = made.SerializeToString()
    return onnx_graph.halve(content)


def merged(model: bytes) -> ModelProto:
    """The graph with batch normalisation merged into convolutions and constants worked out."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
    options.log_severity_level = 4
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "merged.onnx"
        options.optimized_model_filepath = str(path)
        onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
        made: ModelProto = _loaded(path)
    used = {node.domain for node in made.graph.node}
    for one in [one for one in made.opset_import if one.domain not in used]:
        made.opset_import.remove(one)
    for place, node in enumerate(made.graph.node):
        node.name = node.name or f"{node.op_type}_{place}"
    made.metadata_props.add(key=PREPARED[0], value=PREPARED[1])
    return made


def _loaded(path: Path) -> Any:
    import onnx

    return onnx.load(path)


def _chosen(model: ModelProto, left: Sequence[str], products: bool) -> list[str]:
    """Names of the nodes to quantise, in the graph's order."""
    constant = {tensor.name for tensor in model.graph.initializer} | {""}
    chosen: list[str] = []
    eight_bits: set[str] = set()
    convolutions = 0
    for node in model.graph.node:
        convolutions += node.op_type == CONVOLUTION
        if any(part in node.name for part in left):
            continue
        heavy = node.op_type == CONVOLUTION and convolutions > FIRST_IN_FLOAT
        if heavy or (products and node.op_type == PRODUCT) or _follows(node, eight_bits, constant):
            chosen.append(node.name)
            eight_bits.update(node.output)
    return chosen


def _follows(node: NodeProto, eight_bits: set[str], constant: set[str]) -> bool:
    comes_in = [name for name in node.input if name not in constant]
    return node.op_type in FOLLOWING and bool(comes_in) and eight_bits.issuperset(comes_in)


def _reader(shown: Iterable[NDArray[np.uint8]]) -> Any:
    from onnxruntime.quantization import CalibrationDataReader

    class Reader(CalibrationDataReader):  # type: ignore[misc]  # onnxruntime has no types
        """Gives the pictures one after the other."""

        def __init__(self) -> None:
            self.left = iter(shown)

        def get_next(self) -> dict[str, NDArray[np.uint8]] | None:
            some = next(self.left, None)
            return None if some is None else {onnx_graph.INPUT: some}

    return Reader()


def _disown(model: Any) -> None:
    """Give what is left of the network's weights names that are not the network's own."""
    new = {
        tensor.name: OWN + tensor.name
        for tensor in model.graph.initializer
        if tensor.name.startswith(onnx_graph.NETWORK)
    }
    for tensor in model.graph.initializer:
        tensor.name = new.get(tensor.name, tensor.name)
    for node in model.graph.node:
        node.input[:] = [new.get(name, name) for name in node.input]
