"""Tracing a network into an ONNX graph whose tiles may have any height and width."""

from __future__ import annotations

import tempfile
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from fundoscope.train.onnx import graph as onnx_graph

if TYPE_CHECKING:
    from torch import Tensor, nn

HEIGHT, WIDTH = "height", "width"
SIDES: Final[Mapping[int, str]] = {1: HEIGHT, 2: WIDTH}
"""The free axes of the pixels, ``(B, H, W, 3)``."""


def trace(
    module: nn.Module,
    example: Tensor,
    outputs: Sequence[str],
    free: Mapping[str, Mapping[int, str]],
) -> bytes:
    """The graph of a module from pixels to its outputs.

    It uses the older exporter: the newer one fails in torchvision's suppression of boxes
    (torch 2.14). Height and width stay free, the number of tiles does not.

    Args:
        module: takes ``uint8 (B, H, W, 3)``; in evaluation mode, on the CPU.
        example: tiles to trace it with.
        outputs: names of its outputs.
        free: the free axes of each output, with a name for each.

    Returns:
        The bytes of an ``.onnx`` file of :data:`fundoscope.train.onnx.graph.OPSET`.
    """
    import onnx
    import torch

    # Only the wrapper is set to training: its parts stay in evaluation mode. The exporter then does
    # not merge batch normalisation, so the graph holds every weight under the network's own name.
    module.training = True
    with warnings.catch_warnings(), tempfile.TemporaryDirectory() as folder:
        # torch warns of its deprecations, and the tracer of every size that it takes for a
        # constant. The result is compared with torch's on tiles of several sizes.
        warnings.simplefilter("ignore")
        path = Path(folder) / "model.onnx"
        torch.onnx.export(
            module,
            (example,),
            path,
            input_names=[onnx_graph.INPUT],
            output_names=list(outputs),
            dynamic_axes={onnx_graph.INPUT: SIDES, **free},
            opset_version=onnx_graph.OPSET,
            training=torch.onnx.TrainingMode.PRESERVE,
            dynamo=False,
        )
        model = onnx.load(path)
    onnx_graph.forget_origin(model)
    content: bytes = model.SerializeToString()
    return content
