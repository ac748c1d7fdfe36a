"""A trained network as one ONNX graph, from pixels to logits, and its weights in half precision."""

from __future__ import annotations

import tempfile
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from torch import Tensor, nn

    from fundoscope.train.networks.normalise import Normalisation

OPSET: Final = 18
"""ONNX Runtime has read it since 1.14 (2023)."""
INPUT, OUTPUT, COUNT = "pixels", "logits", "photographs"
NETWORK: Final = "network."
"""What stands before the network's own names of its weights."""
HALF_FROM: Final = 8_192
"""Tensors of fewer values stay in full precision: they are small, and rounding them moves the
result more (largest change of a probability seen: 0.007, against 0.02 with every tensor)."""
HALF_SUFFIX: Final = "_half"


def to_onnx(
    network: nn.Module, normalisation: Normalisation, height: int, width: int, *, free: bool = False
) -> bytes:
    """The graph of a network: ``uint8 (N, H, W, 3)`` RGB to ``float32 (N, outputs)``.

    Batch normalisation stays a node of its own, so that the graph holds every weight under the
    network's own name and training can go on from it (:func:`weights`); ONNX Runtime merges it into
    the convolution before it when it loads the graph.

    Args:
        network: on the processor; it is put into evaluation mode.
        normalisation: what stands between the pixels and the network.
        height, width: of what goes in, in pixels.
        free: any height and width go in (they must not be smaller than the network needs).

    Returns:
        The bytes of an ``.onnx`` file of :data:`OPSET`, any number of photographs at a time.
    """
    import torch

    module = _from_pixels(network, normalisation).eval()
    example = torch.zeros((2, height, width, 3), dtype=torch.uint8)
    with warnings.catch_warnings():
        # torch warns of its own deprecations while it exports; none concerns the result, which is
        # compared with torch's afterwards.
        warnings.simplefilter("ignore")
        model = _traced(module, example) if free else _exported(module, example)
    forget_origin(model)
    content: bytes = model.SerializeToString()
    return content


def _exported(module: nn.Module, example: Tensor) -> Any:
    """By the present exporter, without its optimiser, which would merge batch normalisation."""
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
    # Else Casts and Expands of constants stand between convolution and normalisation, and ONNX
    # Runtime merges nothing: the graph was then 2.3 times slower.
    optimizer.fold_constants(model)
    optimizer.remove_unused_nodes(model)
    return model


def _traced(module: nn.Module, example: Tensor) -> Any:
    """By the older exporter: the newer one cannot solve the pyramid's free sides (torch 2.14)."""
    import onnx
    import torch

    # Of the wrapper alone, its parts stay as they are: else equal weights would be stored once.
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
    """The weights in a graph of :func:`to_onnx`, halved or not, by the network's own names."""
    import onnx
    from onnx import numpy_helper

    found = {}
    for tensor in onnx.load_from_string(model).graph.initializer:
        name = tensor.name.removesuffix(HALF_SUFFIX)
        if name.startswith(NETWORK):
            found[name.removeprefix(NETWORK)] = numpy_helper.to_array(tensor).astype(np.float32)
    return found


def forget_origin(model: Any) -> None:
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
        with np.errstate(over="ignore"):  # what half precision cannot hold stays whole
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


def _from_pixels(network: nn.Module, normalisation: Normalisation) -> nn.Module:
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
