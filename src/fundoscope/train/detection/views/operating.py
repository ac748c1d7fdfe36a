"""A detector's operating point: the score from which a box counts, and the smallest photograph.

Both are chosen on validation and stored in the bundle.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import isotonic_regression
from scipy.special import expit, logit

from fundoscope.calibrate.presence import limit_of_values
from fundoscope.evaluate.lesions import hits
from fundoscope.evaluate.lesions.hits import Matched
from fundoscope.kinds import ANATOMY
from fundoscope.lesions.heads import DetectedBoxes

KEPT: Final = 0.8
"""A kind is assessed on photographs down to the size at which this share of both precision and
recall at full size is reached."""
BELOW_LANDMARKS: Final = 0.5
"""Threshold of a landmark, as a share of the lowest score of a hit on validation. A photograph has
one landmark, its best box, and no validation photograph is without it: the threshold only rejects
what is nothing like it."""
NEVER: Final = 1.01
"""A threshold that no score reaches."""
CLOSEST: Final = 1e-3
"""How close to 0 or 1 a threshold counts in a mean of log-odds."""
READ_SUPPRESS: Final = 0.2
"""In reading, of two boxes of a kind that overlap by this IoU the better one stays. Of 0.15, 0.2,
0.25 and 0.3 it has the highest average precision on validation for three of four kinds of lesion.
"""

SIZE_EXPONENT: Final = 2.0
"""The loss of log-odds grows with this power of the number of halvings. On copies of the validation
photographs, of 1, 1.5, 2, 2.5 and 3 it fits the loss best (mean error 0.22 over the four kinds of
lesion; a straight line has 0.33)."""
HEALTHY_SHARE: Final = 0.1
"""At most this share of healthy eyes may have a box of a kind of lesion."""

Sizes = Mapping[float, tuple[float, float]]
"""Precision and recall by the radius of the field in pixels; the largest radius is full size."""


def threshold(kind: str, photographs: Sequence[Matched]) -> float:
    """The score from which a box counts.

    For a lesion it is the score at which the count is right on the median photograph that shows
    the kind: there are as many photographs with too many boxes as with too few. A single photograph
    cannot move it (one of IDRiD's holds 280 drusen that look like hard exudates), unlike the score
    at which precision and recall over all boxes are equal.

    Args:
        kind: a key of :data:`fundoscope.kinds.KINDS`.
        photographs: the boxes of all validation photographs.
    """
    together = hits.pooled([counted(kind, matched) for matched in photographs])
    if not together.hit.any():
        return NEVER
    if kind in ANATOMY:
        return float(together.scores[together.hit].min() * BELOW_LANDMARKS)
    shown = [matched for matched in photographs if matched.lesions]
    scores = np.unique(np.concatenate([matched.scores for matched in shown]))
    excesses = [_reaching(matched, scores) - matched.lesions for matched in shown]
    too_many = np.median(excesses, axis=0)
    # The count falls as the score rises: too many, right, too few.
    excess, right, lack = scores[too_many > 0], scores[too_many == 0], scores[too_many < 0]
    low = excess[-1] if excess.size else 0.0
    high = right[-1] if right.size else lack[0] if lack.size else low
    return float((low + high) / 2)


def size_correction(
    kind: str, full: float, by_halvings: Sequence[tuple[float, Sequence[Matched]]]
) -> float:
    """What to add to the log-odds of a kind's scores for the first halving of the field.

    At each size another score would be the one at which the count is right. Its difference from the
    threshold at full size grows with the power :data:`SIZE_EXPONENT` of the halvings; the
    correction is the factor, by least squares.

    Args:
        kind: of lesion.
        full: the threshold at full size.
        by_halvings: for each size, how often the field is smaller by half than the working scale's,
            and the boxes of all validation photographs.

    Returns:
        The correction; 0 if no size is smaller or the kind is never found.
    """
    smaller = [(halved, threshold(kind, boxes)) for halved, boxes in by_halvings if halved > 0]
    points = [(halved, logit(full) - logit(at)) for halved, at in smaller if 0 < at < 1]
    if not points or not 0 < full < 1:
        return 0.0
    halved, lower = np.array(points).T
    share = halved**SIZE_EXPONENT
    return float((share @ lower) / (share @ share))


def between(thresholds: Sequence[float]) -> float:
    """The threshold in the middle between those that fit the photographs of several makers.

    Makers differ in what they mark, so none of them alone is right.

    Args:
        thresholds: of each maker, 0 to 1.

    Returns:
        The mean of their log-odds, as a score.
    """
    return float(expit(np.mean(logit(np.clip(thresholds, CLOSEST, 1 - CLOSEST)))))


def healthy_limit(highest: Sequence[float]) -> float:
    """The lowest score from which few enough healthy eyes have a box.

    Args:
        highest: the highest score of a kind on each photograph of a healthy eye; 0 without a box.

    Returns:
        A score that at most :data:`HEALTHY_SHARE` of them reach.
    """
    return limit_of_values(highest, HEALTHY_SHARE)


def highest_scores(boxes: Sequence[DetectedBoxes], label: int) -> list[float]:
    """The highest score of a kind on each photograph; 0 without a box."""
    return [float(each.scores[each.labels == label].max(initial=0.0)) for each in boxes]


def level(by_level: Mapping[float, Sequence[Matched]]) -> float:
    """The probability from which a pixel belongs to a lesion of a kind.

    It is the level at which the components have the highest average precision; of several, the
    middle one.

    Args:
        by_level: the components of all validation photographs at each level.
    """
    precision = {
        at: hits.average_precision(hits.pooled(photographs)) for at, photographs in by_level.items()
    }
    known = [value for value in precision.values() if np.isfinite(value)]
    best = [at for at, value in precision.items() if known and value == max(known)]
    chosen = sorted(best or precision)
    return chosen[len(chosen) // 2]


def _reaching(matched: Matched, scores: NDArray[np.float64]) -> NDArray[np.int64]:
    """The number of boxes that reach each of some scores."""
    return len(matched.scores) - np.searchsorted(np.sort(matched.scores), scores)


def counted(kind: str, matched: Matched) -> Matched:
    """The boxes of a photograph that count: all of a lesion, only the best one of a landmark."""
    if kind not in ANATOMY:
        return matched
    return Matched(matched.scores[:1], matched.hit[:1], matched.lesions)


def average_precision(kind: str, photographs: Sequence[Matched]) -> float:
    """The average precision of a kind, over the boxes that count.

    Args:
        kind: a key of :data:`fundoscope.kinds.KINDS`.
        photographs: the boxes of all validation photographs.
    """
    return hits.average_precision(hits.pooled([counted(kind, matched) for matched in photographs]))


def minimum_radius(sizes: Sizes) -> float | None:
    """The smallest radius of the field at which a kind is assessed.

    A smaller copy cannot be read better than a larger one. Where it seems so, that is chance (IDRiD
    has 17 soft exudates for validation), and both count with their mean (isotonic regression).
    Between two sizes, the share of precision and recall that is kept falls evenly with the
    logarithm of the radius.

    Returns:
        The radius in whole pixels, rounded up; ``None`` where none of it is found even at full
        size.
    """
    radii = sorted(sizes, reverse=True)
    if not min(sizes[radii[0]]) > 0:
        return None
    figures = np.nan_to_num([sizes[radius] for radius in radii])
    falling = np.stack(
        [isotonic_regression(values, increasing=False).x for values in figures.T], axis=1
    )
    shares = (falling / falling[0]).T
    return math.ceil(max(_smallest(radii, share) for share in shares))


def _smallest(radii: Sequence[float], shares: NDArray[np.float64]) -> float:
    """The radius down to which the share of one figure is kept.

    Args:
        radii: largest first.
        shares: of the figure at full size, at each radius; they do not rise.
    """
    last = int((shares >= KEPT).sum()) - 1
    if last == len(radii) - 1:
        return radii[last]
    above, below = shares[last], shares[last + 1]
    smaller: float = (radii[last + 1] / radii[last]) ** ((above - KEPT) / (above - below))
    return radii[last] * smaller
