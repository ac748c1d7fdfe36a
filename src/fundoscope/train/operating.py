"""Where a detector operates: the score from which a box counts, and how small a photograph may be.

Both are chosen on validation and stored in the bundle.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np

from fundoscope.evaluate import hits
from fundoscope.evaluate.hits import Matched

KEPT_RECALL: Final = 0.8
"""A kind is assessed on photographs so small that still this share of the recall at full size is
reached there, and on none smaller."""


def threshold(matched: Matched) -> float:
    """The score at which precision and recall are both as high as they can be.

    It maximises the lower of the two: about as many boxes are false as lesions are missed, so that
    counts come out right on average.

    Args:
        matched: all of validation, :func:`fundoscope.evaluate.hits.pooled`.

    Returns:
        Halfway between two scores; above 1 where nothing was hit, so that nothing counts.
    """
    true = np.cumsum(matched.hit)
    if matched.lesions == 0 or not matched.hit.any():
        return 1.01
    precision = true / np.arange(1, len(true) + 1)
    recall = true / matched.lesions
    best = int(np.argmax(np.minimum(precision, recall)))
    following = matched.scores[best + 1] if best + 1 < len(true) else 0.0
    return float((matched.scores[best] + following) / 2)


def minimum_radius(recalls: Mapping[float, float]) -> float | None:
    """The smallest radius of the field at which a kind keeps its recall.

    Args:
        recalls: recall at the shipped threshold by radius in pixels; the largest is full size.

    Returns:
        ``None`` where it is not recalled at full size either.
    """
    radii = sorted(recalls, reverse=True)
    wanted = KEPT_RECALL * recalls[radii[0]]
    if not recalls[radii[0]] > 0:
        return None
    smallest = radii[0]
    for radius in radii[1:]:
        if recalls[radius] < wanted:
            break
        smallest = radius
    return smallest


def recall(photographs: Sequence[Matched], at: float) -> float:
    """Of all photographs together, at a threshold."""
    return hits.at_threshold(hits.pooled(photographs), at)[1]
