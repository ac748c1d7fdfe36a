"""How far painted maps are from what they should show, each kind and each lesion counting alike.

Lesions cover a thousandth of the retina, and of those pixels most belong to a few large ones. So

- each kind has a loss of its own: cross-entropy, added up over all pixels and divided by how much
  of the kind there is, and one minus the overlap (Dice), which does not know of the empty pixels;
- a pixel of a small lesion weighs more than one of a large one (the "inverse weighting" of
  Shirokikh et al., 2020, but by the root: a large lesion's outline still is to be learned);
- what lies in a narrow gap between lesions weighs more than other retina, as in the first U-Net
  (Ronneberger et al., 2015): two that touch are one lesion, and one box.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from fundoscope.lesions.components import FULL

if TYPE_CHECKING:
    from torch import Tensor

MIDDLE: Final = FULL // 2
"""Level from which a pixel of a target belongs to a lesion."""
USUAL_AREA: Final = 300.0
"""Pixels of a lesion whose pixels weigh 1, at a field radius of 1,065: between IDRiD's median
microaneurysm and hard exudate (80) and its median haemorrhage (800)."""
LEAST_WEIGHT, MOST_WEIGHT = 0.3, 4.0
"""Of a lesion's pixel: of 3,300 pixels and more, and of 19 and fewer. With a tenth of the weight of
the retina around it, a large lesion stayed pale in a first trial."""
GAP: Final = 5
"""Pixels; a gap no wider than one less is narrow: at 4 pixels the lesions of one exudate's ring lie
apart."""
GAP_WEIGHT: Final = 4.0
SCARCE: Final = 0.001
"""Share of a batch's pixels below which a kind's cross-entropy is not divided by less: a batch that
shows one pixel of a kind must not count as much as a thousand batches."""
SMOOTH: Final = 100.0
"""Weighted pixels added above and below in the overlap: what a batch hardly shows says little of
it."""


def weights(target: NDArray[np.uint8]) -> NDArray[np.float32]:
    """How much each pixel of a lesion weighs, ``float32 (K, H, W)``; 1 where there is none.

    Args:
        target: of a tile, ``uint8 (K, H, W)``, how much of a pixel is covered times 255.
    """
    return np.stack([_of_plane(plane) for plane in target])


def _of_plane(plane: NDArray[np.uint8]) -> NDArray[np.float32]:
    from scipy import ndimage

    weight = np.ones(plane.shape, np.float32)
    if not plane.any():
        return weight
    # Pale edges weigh 1: over them lesions touch that are several.
    lesion, count = ndimage.label(plane > MIDDLE, np.ones((3, 3)))
    area = np.bincount(lesion.ravel(), plane.ravel(), count + 1) / FULL
    of_lesion = np.sqrt(USUAL_AREA / np.maximum(area, 1.0))
    of_lesion = np.clip(of_lesion, LEAST_WEIGHT, MOST_WEIGHT).astype(np.float32)
    of_lesion[0] = 1.0
    return np.asarray(of_lesion[lesion], np.float32)


def parts(logits: Tensor, target: Tensor, weight: Tensor) -> tuple[Tensor, Tensor]:
    """Cross-entropy and one minus the overlap, both the mean over the kinds.

    Args:
        logits: float ``(N, K, H, W)``.
        target: float of the same shape, 0 to 1.
        weight: float of the same shape, of :func:`weights`.
    """
    from torch.nn import functional

    wide = logits.float()
    weighed = weight * (1 + (GAP_WEIGHT - 1) * _gaps(target))
    sums = (0, 2, 3)
    entropy = functional.binary_cross_entropy_with_logits(
        wide, target, weight=weighed, reduction="none"
    ).sum(sums)
    there = (weighed * target).sum(sums)
    scarce = SCARCE * target[:, 0].numel()
    found = wide.sigmoid()
    common = (weighed * found * target).sum(sums)
    both = (weighed * (found + target)).sum(sums)
    overlap = (2 * common + SMOOTH) / (both + SMOOTH)
    return (entropy / there.clamp(min=scarce)).mean(), (1 - overlap).mean()


def _gaps(target: Tensor) -> Tensor:
    """How much of each pixel is retina in a narrow gap, float ``(N, K, H, W)``."""
    from torch.nn import functional

    reach = GAP // 2
    grown = functional.max_pool2d(target, GAP, 1, reach)
    # Shrunk again it is the closing; a tile's edge closes nothing.
    closed = -functional.max_pool2d(-grown, GAP, 1, reach)
    return (closed - target).clamp(min=0)
