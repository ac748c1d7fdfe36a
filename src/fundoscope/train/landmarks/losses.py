"""The loss of a landmark network: where landmarks are, how exactly, and how large the disc is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from torch import Tensor

SPREAD: Final = 1.5
"""Standard deviation in cells of the Gaussian that a map should show at a landmark."""
NEAR: Final = 3.0
"""Cells around a mark whose mean place is compared with the mark, as in reading."""
POSITIVE: Final = 0.05
"""Weight of the map's term, which is summed over the cells: it brings it to the size of the
others."""
TINY: Final = 1e-6
SMOOTH: Final = 0.02
"""Radii of the field below which a distance counts by its square."""


@dataclass(frozen=True)
class Targets:
    """What a batch shows, in units of half a side about the middle.

    Attributes:
        points: ``float32 (N, 2, 2)``: x and y of disc and fovea.
        shown: ``bool (N, 2)``: whether each is visible.
        diameter: ``float32 (N,)`` of the disc in radii of the field; NaN where not measured.
    """

    points: Tensor
    shown: Tensor
    diameter: Tensor


def loss(maps: Tensor, targets: Targets, *, offset: float, diameter: float) -> Tensor:
    """The loss of a batch.

    Args:
        maps: of the network, ``(N, 3, H, W)``.
        targets: of the batch.
        offset: weight of the distance from the mark.
        diameter: weight of the diameter's relative error.
    """
    import torch
    from torch.nn import functional

    count, _, height, width = maps.shape
    x = (torch.arange(width, device=maps.device) + 0.5) / width * 2 - 1
    y = (torch.arange(height, device=maps.device) + 0.5) / height * 2 - 1
    points = targets.points.nan_to_num()
    across = (x - points[..., 0, None])[:, :, None, :] * (width / 2)
    down = (y - points[..., 1, None])[:, :, :, None] * (height / 2)
    squared = across**2 + down**2
    shown = targets.shown.float()
    wanted = (-squared / (2 * SPREAD**2)).exp() * shown[..., None, None]
    odds = maps[:, :2]
    cells = functional.binary_cross_entropy_with_logits(odds, wanted, reduction="none")
    total = POSITIVE * cells.sum(dim=(2, 3)).mean()
    near = (squared <= NEAR**2) * odds.sigmoid()
    weights = near / (near.sum(dim=(2, 3), keepdim=True) + TINY)
    mean_x = (weights.sum(dim=2) * x).sum(dim=2)
    mean_y = (weights.sum(dim=3) * y).sum(dim=2)
    error = torch.stack((mean_x, mean_y), dim=2) - points
    far = functional.smooth_l1_loss(
        error, torch.zeros_like(error), reduction="none", beta=SMOOTH
    ).sum(dim=2)
    # A mark near the edge of the map may have no cell near it.
    seen = shown * (near.sum(dim=(2, 3)) > TINY)
    total = total + offset * (far * seen).sum() / (seen.sum() + 1) / SMOOTH * POSITIVE
    known = targets.shown[:, 0] & targets.diameter.isfinite()
    if bool(known.any()):
        # The size is read around the disc's mark.
        size = (weights[:, 0].detach() * maps[:, 2]).sum(dim=(1, 2))[known]
        miss = (size - targets.diameter[known].log()).abs().sum() / count
        total = total + diameter * miss
    return total
