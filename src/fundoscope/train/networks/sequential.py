"""The network of the student project of 2019, and a variant with spatial pyramid pooling.

Its layers in Keras' terms: ``Conv2D(64, 3, relu)``, ``MaxPooling2D(2)``, both again, ``Flatten``,
``Dense(64, relu)``, ``Dropout(0.5)``, ``Dense(outputs)``. The padding is "valid".
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from fundoscope.errors import UsageError

if TYPE_CHECKING:
    from torch import Tensor, nn

FILTERS, KERNEL, POOL, HIDDEN = 64, 3, 2, 64
DROPOUT: Final = 0.5
PYRAMID: Final = (1, 2, 4)
"""Cells along a side at each level of the pyramid; 21 cells in all (He, Zhang, Ren and Sun, Spatial
pyramid pooling in deep convolutional networks, 2014, had 1, 2, 3 and 6)."""
LARGEST_TRIED: Final = 1000
"""Sides in pixels up to which an error message looks for the smallest that fits."""


def sequential(outputs: int, height: int, width: int, dropout: float = DROPOUT) -> nn.Sequential:
    """Create the network as a plain chain of layers; it takes ``(N, 3, height, width)``.

    Nearly all of its weights belong to the layer after ``Flatten``, which grows with the input:
    14 million at 200x300, 59 million at 400x600.

    Args:
        outputs: the number of outputs.
        height: of the input, in pixels.
        width: of the input, in pixels.
        dropout: share of the hidden features that are dropped in training.

    Raises:
        UsageError: the input is smaller than the convolutions and pools need.
    """
    from torch import nn

    rows, columns = map_size(height), map_size(width)
    _require_map(rows, columns, 1, f"{height}x{width}")
    return nn.Sequential(
        *_features(),
        nn.Flatten(),
        *_classifier(FILTERS * rows * columns, outputs, dropout),
    )


def sequential_spp(
    outputs: int, height: int, width: int, dropout: float = DROPOUT
) -> nn.Sequential:
    """Create the network with spatial pyramid pooling in place of ``Flatten``.

    It takes pictures of any height and width.

    Args:
        outputs: the number of outputs.
        height: of the smallest input, in pixels; it is only checked.
        width: of the smallest input, in pixels; it is only checked.
        dropout: share of the hidden features that are dropped in training.

    Raises:
        UsageError: the input is smaller than the pyramid's finest level needs.
    """
    from torch import nn

    _require_map(map_size(height), map_size(width), max(PYRAMID), f"{height}x{width}")
    cells = sum(level**2 for level in PYRAMID)
    return nn.Sequential(
        *_features(),
        _pyramid(),
        *_classifier(FILTERS * cells, outputs, dropout),
    )


def map_size(side: int) -> int:
    """Rows or columns of the last feature map of an input with this side; below 1: too small."""
    for _ in range(2):
        side = (side - KERNEL + 1) // POOL
    return side


def _features() -> list[nn.Module]:
    from torch import nn

    return [
        nn.Conv2d(3, FILTERS, KERNEL),
        nn.ReLU(),
        nn.MaxPool2d(POOL),
        nn.Conv2d(FILTERS, FILTERS, KERNEL),
        nn.ReLU(),
        nn.MaxPool2d(POOL),
    ]


def _classifier(features: int, outputs: int, dropout: float) -> list[nn.Module]:
    from torch import nn

    return [
        nn.Linear(features, HIDDEN),
        nn.ReLU(),
        nn.Dropout(dropout),
        nn.Linear(HIDDEN, outputs),
    ]


def _pyramid() -> nn.Module:
    import torch
    from torch import nn

    class SpatialPyramid(nn.Module):
        """The maxima over the cells of grids: ``(N, C, H, W)`` to ``(N, C * cells)``.

        It is written with slices, because torch cannot export an adaptive pool with a free height
        and width. A cell spans from the floor to the ceiling of its share, as in torch's own pools.
        """

        def forward(self, maps: Tensor) -> Tensor:
            parts = []
            for level in PYRAMID:
                for row in range(level):
                    band = _part(maps, 2, row, level)
                    for column in range(level):
                        parts.append(_part(band, 3, column, level).amax(dim=(2, 3)))
            return torch.cat(parts, dim=1)

    return SpatialPyramid()


def _part(maps: Tensor, dim: int, index: int, count: int) -> Tensor:
    """Part ``index`` of a dimension that is divided into ``count`` parts."""
    if count == 1:
        return maps
    length = maps.shape[dim]
    start = index * length // count
    stop = ((index + 1) * length + count - 1) // count
    return maps.narrow(dim, start, stop - start)


def _require_map(rows: int, columns: int, least: int, size: str) -> None:
    if min(rows, columns) < least:
        smallest = next(side for side in range(1, LARGEST_TRIED) if map_size(side) >= least)
        raise UsageError(
            f"an input of {size}",
            "is smaller than the network's convolutions and pools need",
            f"choose sides of {smallest} pixels or more",
        )
