"""Where a detector operates: the score from which a box counts, and how small a photograph may be.

Both are chosen on validation and stored in the bundle.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from fundoscope.evaluate.lesions import hits
from fundoscope.evaluate.lesions.hits import Matched
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

    For a lesion, the score at which the count is right on the median photograph that shows the
    kind: on as many of them too much is found as too little. Unlike the point at which precision
    and recall meet over all boxes, a single photograph cannot move it (one of IDRiD's holds 280
    drusen that look like hard exudates).

    Args:
        kind: a key of :data:`fundoscope.kinds.KINDS`.
        photographs: all of validation.
    """
    together = hits.pooled([counted(kind, one) for one in photographs])
    if not together.hit.any():
        return NEVER
    if kind in ANATOMY:
        return float(together.scores[together.hit].min() * BELOW_LANDMARKS)
    shown = [one for one in photographs if one.lesions]
    scores = np.unique(np.concatenate([one.scores for one in shown]))
    too_many = np.median([_found(one, scores) - one.lesions for one in shown], axis=0)
    # The count falls as the score rises: too many, right, too few.
    excess, right, lack = scores[too_many > 0], scores[too_many == 0], scores[too_many < 0]
    low = excess[-1] if excess.size else 0.0
    high = right[-1] if right.size else lack[0] if lack.size else low
    return float((low + high) / 2)


def level(by_level: Mapping[float, Sequence[Matched]]) -> float:
    """The probability from which a pixel belongs to a lesion of a kind.

    That at which the components have the highest average precision; the middle one of those that
    are as good.

    Args:
        by_level: all of validation, at each level.
    """
    precision = {
        at: hits.average_precision(hits.pooled(photographs)) for at, photographs in by_level.items()
    }
    known = [value for value in precision.values() if np.isfinite(value)]
    best = [at for at, value in precision.items() if known and value == max(known)]
    chosen = sorted(best or precision)
    return chosen[len(chosen) // 2]


def _found(one: Matched, scores: NDArray[np.float64]) -> NDArray[np.int64]:
    """How many boxes reach each of some scores."""
    return len(one.scores) - np.searchsorted(np.sort(one.scores), scores)


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
