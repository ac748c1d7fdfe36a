"""A segmentation network: for each kind of lesion a map of how likely each pixel belongs to one.

The encoder's features of strides 2 to 32 are combined from the coarsest to the finest, with one
plain convolution per stride. It is a U-Net that adds features instead of concatenating them, as
feature pyramids do. The last layer gives four values per kind at stride 2, which are the four
pixels there: at stride 2 itself one in twenty hard exudates touches its neighbour. The network has
only plain convolutions and enlargements by two, which int8 serves well.
"""

from __future__ import annotations

import math
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final

from fundoscope.train.detection.config import MaskDecoder
from fundoscope.train.networks import backbones

if TYPE_CHECKING:
    from torch import Tensor, nn

STAGES: Final = (0, 1, 2, 3, 4)
"""Stages of the encoder, of strides 2, 4, 8, 16 and 32."""
COARSEST: Final = 32
"""Sides of a tile are multiples of it."""
FINER: Final = 2
"""Pixels per side of a cell of the finest features."""
EXPECTED: Final = 0.002
"""Share of pixels that an untrained network takes for lesions: about the true share of one of
IDRiD's kinds. Starting from one half, the first steps would only unlearn it."""
KERNEL: Final = 3
"""Side of the decoder's convolutions."""


def create(name: str, kinds: int, decoder: MaskDecoder, *, init: str) -> nn.Module:
    """A network that takes normalised float ``(N, 3, H, W)`` and gives logits ``(N, kinds, H, W)``.

    H and W are multiples of :data:`COARSEST`.

    Args:
        name: of the encoder, see :mod:`fundoscope.train.networks.backbones`; it must have features
            of stride 2.
        kinds: number of maps.
        decoder: sizes of the decoder.
        init: the weights that the encoder starts from.

    Raises:
        UsageError: as :func:`fundoscope.train.networks.backbones.features`.
    """
    from torch import nn
    from torch.nn import functional

    encoder = backbones.features(name, STAGES, init=init)
    channels: list[int] = encoder.feature_info.channels()[::-1]
    widths = decoder.widths

    class MaskNetwork(nn.Module):
        """Encoder and decoder; check-points store the names of its parts."""

        def __init__(self) -> None:
            """Put the parts together."""
            super().__init__()
            self.body = encoder
            self.sides = nn.ModuleList(
                nn.Conv2d(wide, width, 1) for wide, width in zip(channels, widths, strict=True)
            )
            self.narrow = nn.ModuleList(
                nn.Conv2d(coarse, fine, 1) for coarse, fine in pairwise(widths)
            )
            self.mix = nn.ModuleList(_mixing(width) for width in widths)
            self.paint = nn.Conv2d(widths[-1], kinds * FINER**2, KERNEL, padding=KERNEL // 2)
            nn.init.constant_(_bias(self.paint), math.log(EXPECTED / (1 - EXPECTED)))

        def forward(self, tiles: Tensor) -> Tensor:
            """Logits of each kind and pixel; see :func:`create`."""
            coarsest, *finer = self.body(tiles)[::-1]
            features = self.mix[0](self.sides[0](coarsest))
            parts = zip(finer, self.narrow, self.sides[1:], self.mix[1:], strict=True)
            for encoded, narrow, side, mix in parts:
                # Narrowed before it is enlarged, at a quarter of the cost.
                larger = functional.interpolate(narrow(features), scale_factor=2.0, mode="nearest")
                features = mix(larger + side(encoded))
            return functional.pixel_shuffle(self.paint(features), FINER)

    return MaskNetwork()


def _mixing(width: int) -> nn.Module:
    from torch import nn

    return nn.Sequential(
        nn.Conv2d(width, width, KERNEL, padding=KERNEL // 2, bias=False),
        nn.BatchNorm2d(width),
        nn.ReLU(inplace=True),
    )


def _bias(layer: Any) -> Any:
    return layer.bias
