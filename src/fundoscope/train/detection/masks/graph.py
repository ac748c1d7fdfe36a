"""A trained network that paints as one ONNX graph, from a tile's pixels to its maps."""

from __future__ import annotations

import tempfile
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import torch
from torch import Tensor, nn

from fundoscope.lesions.components import FULL
from fundoscope.lesions.heads import MAPS
from fundoscope.train.detection.masks.network import COARSEST
from fundoscope.train.onnx import graph as onnx_graph

if TYPE_CHECKING:
    from fundoscope.train.networks.normalise import Normalisation

ROUNDED: Final = 0.5
"""Added before the fraction is cut off."""


class FromPixels(nn.Module):
    """A network that paints with its normalisation in front and levels of grey behind."""

    def __init__(self, network: nn.Module, normalisation: Normalisation) -> None:
        super().__init__()
        self.network, self.normalisation = network, normalisation

    def forward(self, pixels: Tensor) -> Tensor:
        """``uint8 (B, H, W, 3)`` RGB to ``uint8 (B, K, H, W)``, probabilities times 255."""
        logits = self.network(self.normalisation(pixels.permute(0, 3, 1, 2).float())).float()
        maps: Tensor = (logits.sigmoid() * FULL + ROUNDED).to(torch.uint8)
        return maps


def to_onnx(network: nn.Module, normalisation: Normalisation, at_once: int) -> bytes:
    """The graph of a network that paints; its output is :data:`fundoscope.lesions.heads.MAPS`.

    By the older exporter, as graders with free sides are: height and width stay free, the number of
    tiles does not.

    Args:
        network: of :mod:`fundoscope.train.detection.masks.network`, on the processor; put into
        evaluation
            mode.
        normalisation: what stands between the pixels and the network.
        at_once: tiles a call.

    Returns:
        The bytes of an ``.onnx`` file of :data:`onnx_graph.OPSET`.
    """
    model = _traced(FromPixels(network, normalisation).eval(), at_once)
    onnx_graph.forget_origin(model)
    content: bytes = model.SerializeToString()
    return content


def _traced(module: FromPixels, at_once: int) -> Any:
    import onnx

    # Of the wrapper alone, its parts stay as they are: batch normalisation is then not merged, so
    # that the graph holds every weight under the network's own name.
    module.training = True
    example = torch.zeros((at_once, 2 * COARSEST, 3 * COARSEST, 3), dtype=torch.uint8)
    with warnings.catch_warnings(), tempfile.TemporaryDirectory() as folder:
        # torch warns of its own deprecations while it exports; the result is compared with torch's.
        warnings.simplefilter("ignore")
        path = Path(folder) / "model.onnx"
        torch.onnx.export(
            module,
            (example,),
            path,
            input_names=[onnx_graph.INPUT],
            output_names=[MAPS],
            dynamic_axes={
                onnx_graph.INPUT: {1: "height", 2: "width"},
                MAPS: {2: "height", 3: "width"},
            },
            opset_version=onnx_graph.OPSET,
            training=torch.onnx.TrainingMode.PRESERVE,
            dynamo=False,
        )
        return onnx.load(path)
