"""Where a detector operates: the score from which a box counts, and how small a photograph may be.

Both are chosen on validation and stored in the bundle.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np

from fundoscope.evaluate import hits
from fundoscope.evaluate.hits import Matched
from fundoscope.kinds import ANATOMY

KEPT: Final = 0.8
"""A kind is assessed on photographs so small that still this share of the precision and of the
recall at full size is reached there, and on none smaller."""
BELOW_LANDMARKS: Final = 0.5
"""Threshold of a landmark over the lowest score with which it was rightly found on validation. A
photograph has one, its best box, and validation has no photograph without: the threshold is only
there to refuse what is nothing like it."""
NEVER: Final = 1.01
"""A threshold that no score reaches."""

Sizes = Mapping[float, tuple[float, float]]
"""Precision and recall by the radius of the field, in pixels; the largest is full size."""


def threshold(kind: str, photographs: Sequence[Matched]) -> float:
    """The score from which a box counts.

    For a lesion, where precision and recall are both as high as they can be: it maximises the lower
    of the two. About as many boxes are then false as lesions are missed, so that counts come out
    right on average.

    Args:
        kind: a key of :data:`fundoscope.kinds.KINDS`.
        photographs: all of validation.
    """
    together = hits.pooled([counted(kind, one) for one in photographs])
    if not together.hit.any():
        return NEVER
    if kind in ANATOMY:
        return float(together.scores[together.hit].min() * BELOW_LANDMARKS)
    true = np.cumsum(together.hit)
    lower = np.minimum(true / np.arange(1, len(true) + 1), true / together.lesions)
    best = int(np.argmax(lower))
    following = together.scores[best + 1] if best + 1 < len(true) else 0.0
    return float((together.scores[best] + following) / 2)


def counted(kind: str, one: Matched) -> Matched:
    """Of a landmark only the best box of a photograph counts; of a lesion all."""
    return Matched(one.scores[:1], one.hit[:1], one.lesions) if kind in ANATOMY else one


def minimum_radius(sizes: Sizes) -> float | None:
    """The smallest radius of the field at which a kind is assessed.

    Returns:
        ``None`` where nothing of it is found at full size either.
    """
    radii = sorted(sizes, reverse=True)
    full = sizes[radii[0]]
    if not min(full) > 0:
        return None
    smallest = radii[0]
    for radius in radii[1:]:
        if any(not value >= KEPT * of for value, of in zip(sizes[radius], full, strict=True)):
            break
        smallest = radius
    return smallest
