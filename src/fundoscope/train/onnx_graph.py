"""A trained network as one ONNX graph, from pixels to logits, and its weights in half precision."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from fundoscope.train import networks

if TYPE_CHECKING:
    from torch import Tensor, nn

OPSET: Final = 18
"""ONNX Runtime has read it since 1.14 (2023)."""
INPUT, OUTPUT = "pixels", "logits"
HALF_FROM: Final = 8_192
"""Tensors of fewer values stay in full precision: they are small, and rounding them moves the
result more (largest change of a probability seen: 0.007, against 0.02 with every tensor)."""
HALF_SUFFIX: Final = "_half"


def to_onnx(network: nn.Module, size: int) -> bytes:
    """The graph of a network: ``uint8 (N, size, size, 3)`` RGB to ``float32 (N, 4)`` logits.

    Args:
        network: on the processor; it is put into evaluation mode.
        size: side of the square that goes in, in pixels.

    Returns:
        The bytes of an ``.onnx`` file of :data:`OPSET`, any number of photographs at a time.
    """
    import torch

    module = _from_pixels(network).eval()
    example = torch.zeros((2, size, size, 3), dtype=torch.uint8)
    with warnings.catch_warnings():
        # torch warns of its own deprecations while it exports; none concerns the result, which is
        # compared with torch's afterwards.
        warnings.simplefilter("ignore")
        program: Any = torch.onnx.export(
            module,
            (example,),
            input_names=[INPUT],
            output_names=[OUTPUT],
            dynamic_shapes=({0: torch.export.Dim("photographs")},),
            opset_version=OPSET,
            dynamo=True,
            verbose=False,
        )
    model = program.model_proto
    _forget_origin(model)
    content: bytes = model.SerializeToString()
    return content


def _forget_origin(model: Any) -> None:
    """Take out what names the machine and the source lines that the graph was traced on."""
    for node in model.graph.node:
        del node.metadata_props[:]
        node.doc_string = ""
    for value in (*model.graph.value_info, *model.graph.input, *model.graph.output):
        del value.metadata_props[:]
    for initializer in model.graph.initializer:
        del initializer.metadata_props[:]
        initializer.doc_string = ""
    del model.graph.metadata_props[:]
    del model.metadata_props[:]


def halve(model: bytes) -> bytes:
    """Store the large weights in half precision, with a Cast to float32 behind each.

    ONNX Runtime folds the Casts when it loads the graph: the file is half as large and as fast.
    """
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    proto = onnx.load_from_string(model)
    casts = []
    for tensor in list(proto.graph.initializer):
        values = numpy_helper.to_array(tensor)
        if values.dtype != np.float32 or values.size < HALF_FROM:
            continue
        half = values.astype(np.float16)
        if not np.isfinite(half).all():
            continue
        stored = numpy_helper.from_array(half, tensor.name + HALF_SUFFIX)
        casts.append(helper.make_node("Cast", [stored.name], [tensor.name], to=TensorProto.FLOAT))
        proto.graph.initializer.remove(tensor)
        proto.graph.initializer.append(stored)
    nodes = [*casts, *proto.graph.node]
    del proto.graph.node[:]
    proto.graph.node.extend(nodes)
    # A weight has a declared type as a value inside the graph now; the declaration is optional.
    onnx.checker.check_model(proto)
    content: bytes = proto.SerializeToString()
    return content


def _from_pixels(network: nn.Module) -> nn.Module:
    from torch import nn as layers

    class FromPixels(layers.Module):
        """The network with its normalisation in front."""

        def __init__(self) -> None:
            super().__init__()
            self.network = network

        def forward(self, pixels: Tensor) -> Tensor:
            planes = networks.normalise(pixels.permute(0, 3, 1, 2).float())
            logits: Tensor = self.network(planes).float()
            return logits

    return FromPixels()
