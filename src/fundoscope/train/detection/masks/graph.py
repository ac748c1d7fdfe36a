"""A trained segmentation network as one ONNX graph, from a tile's pixels to its maps."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import torch
from torch import Tensor, nn

from fundoscope.lesions.components import FULL
from fundoscope.lesions.heads import MAPS
from fundoscope.train.detection import tracing
from fundoscope.train.detection.masks.network import COARSEST

if TYPE_CHECKING:
    from fundoscope.train.networks.normalise import Normalisation

ROUNDED: Final = 0.5
"""Added before the fraction is cut off."""
EXAMPLE: Final = (2 * COARSEST, 3 * COARSEST)
"""Height and width of the tile that the graph is traced with, in pixels."""


class FromPixels(nn.Module):
    """A segmentation network that takes pixels and gives levels of grey."""

    def __init__(self, network: nn.Module, normalisation: Normalisation) -> None:
        """Put the normalisation in front of the network."""
        super().__init__()
        self.network, self.normalisation = network, normalisation

    def forward(self, pixels: Tensor) -> Tensor:
        """``uint8 (B, H, W, 3)`` RGB to ``uint8 (B, K, H, W)``, probabilities times 255."""
        logits = self.network(self.normalisation(pixels.permute(0, 3, 1, 2).float())).float()
        maps: Tensor = (logits.sigmoid() * FULL + ROUNDED).to(torch.uint8)
        return maps


def to_onnx(network: nn.Module, normalisation: Normalisation, at_once: int) -> bytes:
    """The graph of a segmentation network; its output is :data:`fundoscope.lesions.heads.MAPS`.

    Args:
        network: of :mod:`fundoscope.train.detection.masks.network`, on the CPU; it is put
            into evaluation mode.
        normalisation: what brings pixels to the network's range.
        at_once: tiles per call.

    Returns:
        The bytes of an ``.onnx`` file, see :func:`fundoscope.train.detection.tracing.trace`.
    """
    module = FromPixels(network, normalisation).eval()
    example = torch.zeros((at_once, *EXAMPLE, 3), dtype=torch.uint8)
    return tracing.trace(module, example, (MAPS,), {MAPS: {2: tracing.HEIGHT, 3: tracing.WIDTH}})
