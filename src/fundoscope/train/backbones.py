"""What a detector sees with: maps of features at several strides."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from fundoscope.train import networks, weights

if TYPE_CHECKING:
    from torch import nn

STRIDES: Final = (1, 2, 3, 4)
"""Of timm's stages: strides 4, 8, 16 and 32."""


def pyramid(name: str, channels: int, *, init: str) -> nn.Module:
    """A network's features as a pyramid (Lin et al., 2017) of strides 4, 8, 16, 32 and 64.

    Args:
        name: a network of :mod:`fundoscope.train.networks`, of an EfficientNet-Lite or of timm.
        channels: of each level.
        init: what it starts from, see :mod:`fundoscope.train.weights`.

    Raises:
        UsageError: as :func:`fundoscope.train.weights.start`.
    """
    import timm
    from torch import nn
    from torchvision.ops import FeaturePyramidNetwork
    from torchvision.ops.feature_pyramid_network import LastLevelMaxPool

    body: Any = timm.create_model(
        name.removeprefix(networks.TIMM), features_only=True, out_indices=STRIDES
    )
    if init != weights.NONE:
        whole = weights.start(name, 1, networks.Size(224, 224), dropout=0.0, init=init)
        stored = whole.state_dict()
        body.load_state_dict({key: stored[key] for key in body.state_dict()})

    class Pyramid(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.body = body
            self.pyramid = FeaturePyramidNetwork(
                body.feature_info.channels(), channels, LastLevelMaxPool()
            )
            self.channels = channels
            self.levels = ["0", "1", "2", "3"]

        def forward(self, tiles: Any) -> Any:
            maps = self.body(tiles)
            return self.pyramid({str(level): found for level, found in enumerate(maps)})

    return Pyramid()
