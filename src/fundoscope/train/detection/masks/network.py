"""A network that paints: of each kind of lesion a map of how likely each pixel belongs to one.

An encoder's features of strides 2 to 32, brought together from the coarsest to the finest (a U-Net
that adds instead of joining, as feature pyramids do), with one plain convolution a stride. The last
one gives four values a kind at stride 2, which are the four pixels there: at stride 2 itself one in
twenty hard exudates touches its neighbour. Only plain convolutions and enlargements by two, which
int8 serves well.
"""

from __future__ import annotations

import math
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final

import msgspec

from fundoscope.train.networks import backbones

if TYPE_CHECKING:
    from torch import Tensor, nn

STAGES: Final = (0, 1, 2, 3, 4)
"""Of the encoder, of strides 2, 4, 8, 16 and 32."""
COARSEST: Final = 32
"""Sides of a tile are multiples of it."""
FINER: Final = 2
"""Pixels of a side that a cell of the finest features stands for."""
EXPECTED: Final = 0.002
"""Share of pixels that the network takes for lesions before it has learned anything, about that of
one of IDRiD's kinds; from one half, the first steps would only unlearn it."""
KERNEL: Final = 3


class Painter(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The sizes of the part behind the encoder.

    Attributes:
        widths: channels at strides 32, 16, 8, 4 and 2. A tile takes 0.91 of the time of the Faster
            R-CNN with a pyramid of 64 that they were chosen beside (ONNX Runtime, one thread).
    """

    widths: tuple[int, int, int, int, int] = (128, 128, 96, 64, 32)


def create(name: str, kinds: int, painter: Painter, *, init: str) -> nn.Module:
    """A network that takes normalised float ``(N, 3, H, W)`` and gives logits ``(N, kinds, H, W)``.

    H and W are multiples of :data:`COARSEST`.

    Args:
        name: of the encoder, see :mod:`fundoscope.train.networks.backbones`; one with features of
        stride 2.
        kinds: how many maps.
        painter: sizes.
        init: what the encoder starts from.

    Raises:
        UsageError: as :func:`backbones.features`.
    """
    from torch import nn
    from torch.nn import functional

    encoder = backbones.features(name, STAGES, init=init)
    channels: list[int] = encoder.feature_info.channels()[::-1]
    widths = painter.widths

    class MaskNetwork(nn.Module):
        """Encoder, and the way back to the pixels."""

        def __init__(self) -> None:
            super().__init__()
            self.body = encoder
            self.sides = nn.ModuleList(
                nn.Conv2d(found, width, 1) for found, width in zip(channels, widths, strict=True)
            )
            self.narrow = nn.ModuleList(
                nn.Conv2d(coarse, fine, 1) for coarse, fine in pairwise(widths)
            )
            self.mix = nn.ModuleList(_mixing(width) for width in widths)
            self.paint = nn.Conv2d(widths[-1], kinds * FINER**2, KERNEL, padding=KERNEL // 2)
            nn.init.constant_(_bias(self.paint), math.log(EXPECTED / (1 - EXPECTED)))

        def forward(self, tiles: Tensor) -> Tensor:
            coarsest, *finer = self.body(tiles)[::-1]
            found = self.mix[0](self.sides[0](coarsest))
            parts = zip(finer, self.narrow, self.sides[1:], self.mix[1:], strict=True)
            for features, narrow, side, mix in parts:
                # Narrowed before it is enlarged, at a quarter of the cost.
                larger = functional.interpolate(narrow(found), scale_factor=2.0, mode="nearest")
                found = mix(larger + side(features))
            return functional.pixel_shuffle(self.paint(found), FINER)

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
