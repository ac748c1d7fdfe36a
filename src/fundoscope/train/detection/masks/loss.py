"""The loss of a segmentation network, in which each kind and each lesion counts alike.

Lesions cover a thousandth of the retina, and most of those pixels belong to a few large ones. So

- each kind has a loss of its own: cross-entropy, summed over all pixels and divided by the area of
  the kind, and one minus the overlap (Dice), which ignores empty pixels;
- a pixel of a small lesion weighs more than one of a large one (the "inverse weighting" of
  Shirokikh et al., 2020, but by the square root: the outline of a large lesion must be learned
  too);
- retina in a narrow gap between lesions weighs more than other retina, as in the first U-Net
  (Ronneberger et al., 2015): two lesions that touch become one, with one box.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from fundoscope.lesions.components import FULL

if TYPE_CHECKING:
    from torch import Tensor

MIDDLE: Final = FULL // 2
"""Level of a target from which a pixel belongs to a lesion."""
USUAL_AREA: Final = 300.0
"""Area in pixels of a lesion whose pixels weigh 1, at a field radius of 1,065: between IDRiD's
median microaneurysm and hard exudate (80) and its median haemorrhage (800)."""
LEAST_WEIGHT, MOST_WEIGHT = 0.3, 4.0
"""Limits of the weight of a lesion's pixel, reached at 3,300 pixels and at 19. In a first trial
with a tenth of the weight of the retina around it, a large lesion got low probabilities."""
GAP: Final = 5
"""Side in pixels of the closing that finds gaps: one of up to 4 pixels is narrow, as between the
lesions of a ring of exudates."""
GAP_WEIGHT: Final = 4.0
"""Weight of a pixel in a narrow gap, where other retina weighs 1."""
SCARCE: Final = 0.001
"""Smallest share of a batch's pixels that a kind's cross-entropy is divided by: a batch with one
pixel of a kind must not count as much as a thousand batches."""
SMOOTH: Final = 100.0
"""Weighted pixels added to numerator and denominator of the overlap, so that a kind that a batch
hardly shows counts little."""


def weights(target: NDArray[np.uint8]) -> NDArray[np.float32]:
    """The weight of each pixel of a lesion, ``float32 (K, H, W)``; 1 elsewhere.

    Args:
        target: of a tile, ``uint8 (K, H, W)``, the covered share of each pixel times 255.
    """
    return np.stack([_of_plane(plane) for plane in target])


def _of_plane(plane: NDArray[np.uint8]) -> NDArray[np.float32]:
    from scipy import ndimage

    weight = np.ones(plane.shape, np.float32)
    if not plane.any():
        return weight
    # Edges with a low share weigh 1: through them separate lesions would touch.
    lesion, count = ndimage.label(plane > MIDDLE, np.ones((3, 3)))
    area = np.bincount(lesion.ravel(), plane.ravel(), count + 1) / FULL
    of_lesion = np.sqrt(USUAL_AREA / np.maximum(area, 1.0))
    of_lesion = np.clip(of_lesion, LEAST_WEIGHT, MOST_WEIGHT).astype(np.float32)
    of_lesion[0] = 1.0
    return np.asarray(of_lesion[lesion], np.float32)


def parts(logits: Tensor, target: Tensor, weight: Tensor) -> tuple[Tensor, Tensor]:
    """Cross-entropy and one minus the overlap, each the mean over the kinds.

    Args:
        logits: float ``(N, K, H, W)``.
        target: float of the same shape, 0 to 1.
        weight: float of the same shape, see :func:`weights`.
    """
    from torch.nn import functional

    wide = logits.float()
    weighed = weight * (1 + (GAP_WEIGHT - 1) * _gaps(target))
    sums = (0, 2, 3)
    entropy = functional.binary_cross_entropy_with_logits(
        wide, target, weight=weighed, reduction="none"
    ).sum(sums)
    area = (weighed * target).sum(sums)
    least = SCARCE * target[:, 0].numel()
    probability = wide.sigmoid()
    common = (weighed * probability * target).sum(sums)
    both = (weighed * (probability + target)).sum(sums)
    overlap = (2 * common + SMOOTH) / (both + SMOOTH)
    return (entropy / area.clamp(min=least)).mean(), (1 - overlap).mean()


def _gaps(target: Tensor) -> Tensor:
    """The share of each pixel that is retina in a narrow gap, float ``(N, K, H, W)``."""
    from torch.nn import functional

    reach = GAP // 2
    grown = functional.max_pool2d(target, GAP, 1, reach)
    # Shrunk again, it is a morphological closing; the edge of a tile closes nothing.
    closed = -functional.max_pool2d(-grown, GAP, 1, reach)
    return (closed - target).clamp(min=0)
