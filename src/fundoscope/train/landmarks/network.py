"""The landmark network: a backbone cut at stride 16, and maps of stride 8.

Layers that look farther and farther follow the backbone, because where the fovea lies is known from
the disc and the vessels all over the field.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from fundoscope.lesions import landmarks
from fundoscope.train.networks import backbones

if TYPE_CHECKING:
    from torch import nn

    from fundoscope.train.landmarks.config import NetworkChoice

STAGES: Final = (2, 3)
"""The backbone's stages, of strides 8 and 16."""
DILATIONS: Final = (1, 2, 4)
"""Distances in cells of stride 16 that the layers behind the backbone look."""
BLOCKS: Final = "blocks"
"""timm's name for the stages of an EfficientNet."""
RARE: Final = -4.0
"""The first log-odds of a landmark in a cell: about the share of cells that have one."""
USUAL_LOG_DIAMETER: Final = -1.2
"""The first logarithm of the diameter in radii of the field: that of 0.3."""


def create(choice: NetworkChoice, *, init: str | None = None) -> nn.Module:
    """Create the network from normalised float ``(N, 3, H, W)`` to maps ``(N, 3, H/8, W/8)``.

    Args:
        choice: of the configuration.
        init: in place of the configured starting weights.

    Raises: as :func:`fundoscope.train.networks.backbones.features`.
    """
    import torch
    from torch import nn
    from torch.nn import functional

    body = backbones.features(choice.name, STAGES, init=choice.init if init is None else init)
    _cut(body)
    fine, coarse = body.feature_info.channels()
    width = choice.channels

    class Landmarks(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.body = body
            self.reduce = _point(coarse, width)
            self.context = nn.ModuleList(_separable(width, step) for step in DILATIONS)
            self.lateral = _point(fine, width)
            self.smooth = _separable(width, 1)
            self.maps = nn.Conv2d(width, landmarks.MAPS, 1)
            start = torch.tensor([RARE, RARE, USUAL_LOG_DIAMETER])
            self.maps.bias = nn.Parameter(start)

        def forward(self, pictures: Any) -> Any:
            near, far = self.body(pictures)
            far = self.reduce(far)
            for layer in self.context:
                far = far + layer(far)
            wide = functional.interpolate(far, scale_factor=2.0, mode="bilinear")
            return self.maps(self.smooth(self.lateral(near) + wide))

    return Landmarks()


def _cut(body: Any) -> None:
    """Remove the blocks behind the last stage that is used; timm keeps and computes them."""
    last = body.feature_info.module_name()[-1]
    part, _, number = last.rpartition(".")
    if part == BLOCKS:
        body.blocks = body.blocks[: int(number) + 1]


def _point(inputs: int, outputs: int) -> nn.Module:
    from torch import nn

    return nn.Sequential(nn.Conv2d(inputs, outputs, 1, bias=False), nn.BatchNorm2d(outputs))


def _separable(channels: int, dilation: int) -> nn.Module:
    """A depthwise convolution followed by one of single cells."""
    from torch import nn

    return nn.Sequential(
        nn.Conv2d(
            channels, channels, 3, padding=dilation, dilation=dilation, groups=channels, bias=False
        ),
        nn.BatchNorm2d(channels),
        nn.ReLU6(inplace=True),
        nn.Conv2d(channels, channels, 1, bias=False),
        nn.BatchNorm2d(channels),
        nn.ReLU6(inplace=True),
    )
