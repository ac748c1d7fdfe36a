"""A trained network as one ONNX graph, from pixels to logits, and its weights in half precision."""

from __future__ import annotations

import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from torch import Tensor, nn

OPSET: Final = 18
"""ONNX Runtime has read it since 1.14 (2023)."""
INPUT, OUTPUT, COUNT = "pixels", "logits", "photographs"
NETWORK: Final = "network."
"""The prefix of the network's own weight names in the graph."""
CARRIED: Final = "carried."
"""Goes before the names of weights that no node uses (:func:`carrying`)."""
HALF_FROM: Final = 8_192
"""Tensors with fewer values keep full precision: they are small, and rounding them moves the result
more (largest change of a probability seen: 0.007; with every tensor rounded, 0.02)."""
HALF_SUFFIX: Final = "_half"
EXAMPLES, COLOURS = 2, 3
"""Photographs of the batch that the graph is traced with, and their channels."""


def to_onnx(
    network: nn.Module,
    normalisation: Callable[[Tensor], Tensor],
    height: int,
    width: int,
    *,
    free: bool = False,
) -> bytes:
    """Export a network as a graph: ``uint8 (N, H, W, 3)`` RGB to ``float32 (N, outputs)``.

    Batch normalisation keeps its own nodes. So the graph holds every weight under the network's own
    name, and training can start from it (:func:`weights`). ONNX Runtime merges these nodes into the
    convolutions when it loads the graph.

    Args:
        network: on the CPU; it is put into evaluation mode.
        normalisation: from float ``(N, 3, H, W)`` RGB of 0 to 255 to the network's input.
        height: of the photographs, in pixels.
        width: of the photographs, in pixels.
        free: let the graph take any height and width that the network takes.

    Returns:
        The bytes of an ``.onnx`` file of :data:`OPSET`, for any number of photographs at a time.
    """
    import torch

    module = _from_pixels(network, normalisation).eval()
    example = torch.zeros((EXAMPLES, height, width, COLOURS), dtype=torch.uint8)
    with warnings.catch_warnings():
        # torch warns about its own deprecations during an export. None affects the result, which
        # is compared with torch's afterwards.
        warnings.simplefilter("ignore")
        model = _traced(module, example) if free else _exported(module, example)
    forget_origin(model)
    content: bytes = model.SerializeToString()
    return content


def _exported(module: nn.Module, example: Tensor) -> Any:
    """Export with torch's current exporter.

    Its optimiser is off, because it would merge batch normalisation.
    """
    import torch
    from onnxscript import optimizer

    program: Any = torch.onnx.export(
        module,
        (example,),
        input_names=[INPUT],
        output_names=[OUTPUT],
        dynamic_shapes=({0: torch.export.Dim(COUNT)},),
        opset_version=OPSET,
        dynamo=True,
        optimize=False,
        verbose=False,
    )
    model = program.model_proto
    # Otherwise Casts and Expands of constants remain between convolution and normalisation, ONNX
    # Runtime merges nothing, and the graph is 2.3 times slower.
    optimizer.fold_constants(model)
    optimizer.remove_unused_nodes(model)
    return model


def _traced(module: nn.Module, example: Tensor) -> Any:
    """Export with torch's older exporter.

    The current one cannot resolve the pyramid's free height and width (torch 2.14).
    """
    import onnx
    import torch

    # Of the wrapper only; its parts stay in evaluation mode. In evaluation mode the exporter would
    # store equal weights once, under one of their names.
    module.training = True
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.onnx"
        torch.onnx.export(
            module,
            (example,),
            path,
            input_names=[INPUT],
            output_names=[OUTPUT],
            dynamic_axes={INPUT: {0: COUNT, 1: "height", 2: "width"}, OUTPUT: {0: COUNT}},
            opset_version=OPSET,
            training=torch.onnx.TrainingMode.PRESERVE,  # EVAL would merge batch normalisation
            dynamo=False,
        )
        return onnx.load(path)


def weights(model: bytes) -> dict[str, NDArray[np.float32]]:
    """The weights in a graph of :func:`to_onnx` by the network's own names, in full precision."""
    import onnx
    from onnx import numpy_helper

    arrays = {}
    for tensor in onnx.load_from_string(model).graph.initializer:
        name = tensor.name.removeprefix(CARRIED).removesuffix(HALF_SUFFIX)
        if name.startswith(NETWORK):
            arrays[name.removeprefix(NETWORK)] = numpy_helper.to_array(tensor).astype(np.float32)
    return arrays


def carrying(model: bytes, whole: bytes) -> bytes:
    """A graph that also holds the weights of another one, in half precision.

    No node uses them: ONNX Runtime drops them when it loads the graph. :func:`weights` gives them
    back, so that training can start from a graph that calculates in eight bits.

    Args:
        model: a graph without weights under the network's own names.
        whole: the float graph of the same network.
    """
    import onnx

    proto = onnx.load_from_string(model)
    for tensor in onnx.load_from_string(halve(whole)).graph.initializer:
        if tensor.name.startswith(NETWORK):
            tensor.name = CARRIED + tensor.name
            proto.graph.initializer.append(tensor)
    content: bytes = proto.SerializeToString()
    return content


def forget_origin(model: Any) -> None:
    """Remove what names the machine and the source lines that a graph (ModelProto) came from."""
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
    """Store the large weights of a graph in half precision, with a Cast to float32 after each.

    ONNX Runtime folds the Casts when it loads the graph: the file is half as large, at the same
    speed.
    """
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    proto = onnx.load_from_string(model)
    casts = []
    for tensor in list(proto.graph.initializer):
        values = numpy_helper.to_array(tensor)
        if values.dtype != np.float32 or values.size < HALF_FROM:
            continue
        with np.errstate(over="ignore"):  # a tensor that overflows keeps full precision
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
    onnx.checker.check_model(proto)
    content: bytes = proto.SerializeToString()
    return content


def _from_pixels(network: nn.Module, normalisation: Callable[[Tensor], Tensor]) -> nn.Module:
    from torch import nn as layers

    class FromPixels(layers.Module):
        """The network with its normalisation in front."""

        def __init__(self) -> None:
            super().__init__()
            self.network = network

        def forward(self, pixels: Tensor) -> Tensor:
            planes = normalisation(pixels.permute(0, 3, 1, 2).float())
            outputs: Tensor = self.network(planes).float()
            return outputs

    return FromPixels()
