"""The features of a grader's network as a second output of its graph.

They are the pooled maps of the last stage: what the last layer turns into logits. The judge of a
bundle (:mod:`fundoscope.grading.judge`) reads them. No weight is changed, and the logits stay the
same to the bit.
"""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from fundoscope.errors import BundleError
from fundoscope.models import bundle as bundles
from fundoscope.models.bundle import GraderManifest
from fundoscope.models.judge import FEATURES
from fundoscope.train.onnx.graph import COUNT, OUTPUT

LINEAR: Final = ("Gemm", "MatMul")
"""The operators of a last layer."""
SUM: Final = "Add"
"""What adds the bias of a ``MatMul``."""


def with_features(model: bytes) -> bytes | None:
    """A graph with the input of its last layer as a further output.

    Args:
        model: the bytes of an ``.onnx`` file.

    Returns:
        The bytes of the new graph; the given ones if it has the output already; ``None`` if its
        last layer is not linear.
    """
    import onnx
    from onnx import TensorProto, helper

    proto = onnx.load_from_string(model)
    if any(output.name == FEATURES for output in proto.graph.output):
        return model
    last = _last(proto.graph)
    if last is None:
        return None
    proto.graph.node.append(helper.make_node("Identity", [last.input[0]], [FEATURES]))
    shape = [COUNT, _length(proto, last)]
    proto.graph.output.append(helper.make_tensor_value_info(FEATURES, TensorProto.FLOAT, shape))
    onnx.checker.check_model(proto)
    content: bytes = proto.SerializeToString()
    return content


def _length(proto: Any, last: Any) -> int | None:
    """The number of features, by the shape of the layer's weights; ``None`` if it is not stored."""
    made_by = {output: node for node in proto.graph.node for output in node.output}
    shapes = {tensor.name: list(tensor.dims) for tensor in proto.graph.initializer}
    name = last.input[1]
    while name not in shapes and name in made_by:
        name = made_by[name].input[0]
    if name not in shapes:
        return None
    turned = any(field.name == "transB" and field.i for field in last.attribute)
    return int(shapes[name][-1 if turned else 0])


def _last(graph: Any) -> Any | None:
    """The linear node (NodeProto) that gives the logits."""
    makers = {name: node for node in graph.node for name in node.output}
    node = makers.get(graph.output[0].name if graph.output else OUTPUT)
    if node is not None and node.op_type == SUM:
        node = next((makers[name] for name in node.input if name in makers), None)
    return node if node is not None and node.op_type in LINEAR else None


def add_to_bundle(given: Path, folder: Path) -> GraderManifest:
    """Write a grading bundle whose graph has the further output.

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
            given.name, "ends in no linear layer, so it has no features", "name another bundle"
        )
    manifest = replace(bundle.manifest, model_sha256=hashlib.sha256(model).hexdigest())
    bundles.write(folder, manifest, model, bundles.card(given))
    return manifest
