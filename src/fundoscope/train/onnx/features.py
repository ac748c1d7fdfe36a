"""Further outputs of a grader's graph: what its network saw, for the judge and the heat map.

- ``features``: the pooled maps of the last stage, which the last layer turns into logits.
- ``stages``: mean and standard deviation of the maps at the end of each stage. The first stages see
  blur, light and haze that the last one has learnt to overlook.
- ``heat``: what each place of the last maps adds to each logit.

The judge of a bundle (:mod:`fundoscope.grading.judge`) reads the first two. No weight is changed.
The logits of a float graph stay the same. Those of a graph of eight bits move a little (by 0.03 at
most, as seen), because ONNX Runtime then adds the sums at the ends of stages in floats.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from fundoscope.errors import BundleError
from fundoscope.models import bundle as bundles
from fundoscope.models.bundle import GraderManifest
from fundoscope.models.judge import FEATURES, HEAT, STAGES
from fundoscope.train.onnx.graph import COUNT, OUTPUT

LINEAR: Final = ("Gemm", "MatMul")
"""The operators of a last layer."""
SUM: Final = "Add"
"""What adds the bias of a ``MatMul``, and what ends a residual block."""
POOLING: Final = ("ReduceMean", "GlobalAveragePool")
BETWEEN: Final = (
    "Reshape", "Flatten", "Squeeze", "Unsqueeze", "Gather", "Identity", "Dropout", "Cast"
)  # fmt: skip
"""The operators that may stand between pooling and the last layer; they change no value."""
MAP_AXES: Final = 4
"""Axes of maps: photographs, channels, height, width."""

Shape = tuple[int | None, ...]


def with_features(model: bytes) -> bytes | None:
    """A graph with further outputs: its features, and its stages and heat where it has them.

    Args:
        model: the bytes of an ``.onnx`` file.

    Returns:
        The bytes of the new graph; the given ones if nothing is to be added; ``None`` if its last
        layer is not linear.
    """
    import onnx
    from onnx import TensorProto, helper

    proto = onnx.load_from_string(model)
    has = {output.name for output in proto.graph.output}
    last = _last(proto.graph)
    if last is None:
        return None
    added: dict[str, list[int | str | None]] = {}
    if FEATURES not in has:
        proto.graph.node.append(helper.make_node("Identity", [last.input[0]], [FEATURES]))
        added[FEATURES] = [COUNT, _length(proto, last)]
    if STAGES not in has:
        ends = _ends_of_stages(proto)
        if ends:
            proto.graph.node.extend(_statistics(list(ends)))
            added[STAGES] = [COUNT, 2 * sum(ends.values())]
    pooled = _pooled(proto.graph, last)
    if HEAT not in has and pooled is not None and last.op_type == LINEAR[0] and _turned(last):
        proto.graph.node.extend(_heat(pooled, last.input[1]))
        outputs = proto.graph.output[0].type.tensor_type.shape.dim[1].dim_value
        added[HEAT] = [COUNT, outputs, None, None]
    for name, shape in added.items():
        value = helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
        proto.graph.output.append(value)
    if not added:
        return model
    onnx.checker.check_model(proto)
    content: bytes = proto.SerializeToString()
    return content


def shipping(model: bytes) -> bytes:
    """A grader's graph as it ships: with further outputs, unless its last layer is not linear.

    They move the logits of a graph of eight bits, so what is fitted is fitted to this graph.
    """
    return with_features(model) or model


def _ends_of_stages(proto: Any) -> Mapping[str, int]:
    """The last sum of residual blocks at each resolution, and its number of channels.

    A graph whose maps have no fixed size, or whose network has no such blocks, has none.
    """
    import onnx

    inferred = onnx.shape_inference.infer_shapes(proto)
    shapes: dict[str, Shape] = {
        value.name: tuple(
            dim.dim_value if dim.HasField("dim_value") else None
            for dim in value.type.tensor_type.shape.dim
        )
        for value in inferred.graph.value_info
    }
    ends: dict[tuple[int, int], tuple[str, int]] = {}
    for node in proto.graph.node:
        if node.op_type != SUM or not all(name in shapes for name in (*node.input, *node.output)):
            continue
        shape = shapes[node.output[0]]
        if len(shape) != MAP_AXES or shapes[node.input[0]] != shapes[node.input[1]]:
            continue
        channels, height, width = shape[1:]
        if channels and height and width:
            ends[height, width] = (node.output[0], channels)
    return dict(ends.values())


def _statistics(maps: list[str]) -> Iterator[Any]:
    """The nodes that calculate mean and standard deviation of maps, one after the other."""
    from onnx import helper

    parts = []
    for number, name in enumerate(maps):
        mean, deviation = (f"{STAGES}_{what}_{number}" for what in ("mean", "deviation"))
        steps = (
            ("GlobalAveragePool", [name], mean),
            ("Mul", [name, name], f"{mean}_square"),
            ("GlobalAveragePool", [f"{mean}_square"], f"{mean}_of_squares"),
            ("Mul", [mean, mean], f"{mean}_squared"),
            ("Sub", [f"{mean}_of_squares", f"{mean}_squared"], f"{mean}_variance"),
            ("Relu", [f"{mean}_variance"], f"{mean}_positive"),
            ("Sqrt", [f"{mean}_positive"], deviation),
        )
        for operator, takes, gives in steps:
            yield helper.make_node(operator, takes, [gives])
        parts += [mean, deviation]
    yield helper.make_node("Concat", parts, [f"{STAGES}_together"], axis=1)
    yield helper.make_node("Flatten", [f"{STAGES}_together"], [STAGES], axis=1)


def _pooled(graph: Any, last: Any) -> str | None:
    """The maps whose mean the last layer takes; ``None`` if it takes something else."""
    makers = {name: node for node in graph.node for name in node.output}
    node = makers.get(last.input[0])
    while node is not None and node.op_type in BETWEEN:
        node = makers.get(node.input[0])
    return node.input[0] if node is not None and node.op_type in POOLING else None


def _heat(maps: str, weights: str) -> Iterator[Any]:
    """The nodes that apply the weights of the last layer at each place of the maps."""
    from onnx import helper

    axes = helper.make_node(
        "Constant", [], [f"{HEAT}_axes"], value_ints=[MAP_AXES - 2, MAP_AXES - 1]
    )
    yield axes
    yield helper.make_node("Unsqueeze", [weights, f"{HEAT}_axes"], [f"{HEAT}_weights"])
    yield helper.make_node("Conv", [maps, f"{HEAT}_weights"], [HEAT])


def _turned(last: Any) -> bool:
    """Whether a layer's weights are stored as (outputs, inputs)."""
    return any(field.name == "transB" and field.i for field in last.attribute)


def _length(proto: Any, last: Any) -> int | None:
    """The number of features, by the shape of the layer's weights; ``None`` if it is not stored."""
    made_by = {output: node for node in proto.graph.node for output in node.output}
    shapes = {tensor.name: list(tensor.dims) for tensor in proto.graph.initializer}
    name = last.input[1]
    while name not in shapes and name in made_by:
        name = made_by[name].input[0]
    if name not in shapes:
        return None
    return int(shapes[name][-1 if _turned(last) else 0])


def _last(graph: Any) -> Any | None:
    """The linear node (NodeProto) that gives the logits."""
    makers = {name: node for node in graph.node for name in node.output}
    node = makers.get(graph.output[0].name if graph.output else OUTPUT)
    if node is not None and node.op_type == SUM:
        node = next((makers[name] for name in node.input if name in makers), None)
    return node if node is not None and node.op_type in LINEAR else None


def add_to_bundle(given: Path, folder: Path) -> GraderManifest:
    """Write a grading bundle whose graph has the further outputs.

    Args:
        given: the bundle.
        folder: of the new bundle; may be the same.

    Raises:
        BundleError: the bundle cannot be read, or its last layer is not linear.
        OutputError: the new bundle cannot be written.
    """
    bundle = bundles.load_grader(given)
    model = with_features(bundle.model)
    if model is None:
        raise BundleError(
            given.name,
            "does not end in a linear layer, so it has no features",
            "name another bundle",
        )
    manifest = replace(bundle.manifest, model_sha256=hashlib.sha256(model).hexdigest())
    bundles.write(folder, manifest, model, bundles.card(given))
    return manifest
