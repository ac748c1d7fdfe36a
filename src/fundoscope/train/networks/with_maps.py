"""A grader with a second output, for training alone: coarse maps of what the picture shows."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

from torch import nn

from fundoscope.errors import UsageError

if TYPE_CHECKING:
    from torch import Tensor

STRIDE: Final = 16
"""Pixels of the input to a cell of the maps."""
RARE: Final = 0.02
"""The share of cells that the maps show before they have learnt anything."""


class WithMaps(nn.Module):
    """A network made of groups of blocks, whose features of stride 16 also give maps.

    In training the result is the outputs and the maps, ``(N, kinds, H / 16, W / 16)`` log-odds; in
    evaluation the outputs alone.

    Attributes:
        kept: the network itself, which is what a run keeps of it.
        maps: from the features to the maps.
    """

    def __init__(self, network: nn.Module, kinds: int) -> None:
        """Add maps to a network.

        Args:
            network: an efficientnet of timm, such as ``efficientnet_lite0``.
            kinds: the number of maps.

        Raises:
            UsageError: the network is not made of groups of blocks.
        """
        super().__init__()
        self.kept = network
        self.group, channels = _features(network)
        self.maps = nn.Conv2d(channels, kinds, 1)
        nn.init.constant_(self.maps.bias, math.log(RARE / (1 - RARE)))  # type: ignore[arg-type]

    def forward(self, pixels: Tensor) -> Tensor | tuple[Tensor, Tensor]:
        """Outputs of normalised pictures ``(N, 3, H, W)``, and in training their maps."""
        network: Any = self.kept
        if not self.training:
            outputs: Tensor = network(pixels)
            return outputs
        features = network.bn1(network.conv_stem(pixels))
        for number, group in enumerate(network.blocks):
            features = group(features)
            if number == self.group:
                maps = self.maps(features)
        features = network.bn2(network.conv_head(features))
        return network.forward_head(features), maps


def _features(network: Any) -> tuple[int, int]:
    """The last group of blocks of :data:`STRIDE`, and its channels.

    Raises:
        UsageError: there is none.
    """
    found = [
        (int(info["module"].removeprefix("blocks.")), int(info["num_chs"]))
        for info in getattr(network, "feature_info", ())
        if info["reduction"] == STRIDE and info["module"].startswith("blocks.")
    ]
    if not found or not hasattr(network, "conv_head"):
        raise UsageError(
            "maps.boxes",
            "needs a network made of groups of blocks",
            "choose one of the efficientnets, or leave maps out",
        )
    return found[-1]
