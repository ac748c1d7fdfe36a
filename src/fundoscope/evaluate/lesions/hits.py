"""The rule by which a box hits a lesion; precision, recall and average precision by that rule.

A box hits a lesion where their IoU is at least 0.3, or where each one's centre lies inside the
other and their areas differ by at most a factor of 4. Boxes and lesions are matched one to one, the
best score first. A box that hits several lesions takes the one of the largest IoU. A large area (a
preretinal haemorrhage of half the retina, a field of exudates) is one lesion by the same rule; a
box inside it that does not hit it is false. Nothing is ignored for its size, and lesions marked as
difficult count as well.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from fundoscope.evaluate.arrays import Flags, Floats, Ints

BoxArray = Floats
"""``float (N, 4)``; each row is x0, y0, x1, y1, half-open, in pixels."""

LEAST_IOU: Final = 0.3
LARGEST_RATIO: Final = 4.0
"""Between the areas of a box and a lesion whose centres lie inside each other."""
NOTHING: Final = -1
"""The row of the lesion that a false box hits."""
PAIRS_AT_ONCE: Final = 2**17
"""Compared at a time: a few MiB, which stay in the processor's cache."""


@dataclass(frozen=True, slots=True)
class Matched:
    """Boxes of one kind on one photograph, matched with its lesions.

    Attributes:
        scores: ``float (N,)``, of the boxes, best first.
        hit: ``bool (N,)``, whether each box hits a lesion that no better box took.
        lesions: number of lesions.
    """

    scores: Floats
    hit: Flags
    lesions: int


def areas(boxes: BoxArray) -> Floats:
    """Area of each box, ``(N,)`` square pixels."""
    sides = boxes[:, 2:] - boxes[:, :2]
    return np.asarray(sides.prod(axis=1), np.float64)


def ious(boxes: BoxArray, lesions: BoxArray) -> Floats:
    """Intersection over union of each box and lesion, ``(N, M)``."""
    width = np.minimum(boxes[:, 2, None], lesions[:, 2]) - np.maximum(
        boxes[:, 0, None], lesions[:, 0]
    )
    height = np.minimum(boxes[:, 3, None], lesions[:, 3]) - np.maximum(
        boxes[:, 1, None], lesions[:, 1]
    )
    common = np.clip(width, 0, None) * np.clip(height, 0, None)
    union = areas(boxes)[:, None] + areas(lesions)[None] - common
    overlap: Floats = np.divide(common, union, out=np.zeros_like(common), where=union > 0)
    return overlap


def hits(boxes: BoxArray, lesions: BoxArray) -> Flags:
    """Tell which box (row) hits which lesion (column), ``(N, M)``, before they are matched."""
    return _hits(boxes, lesions, ious(boxes, lesions))


def _hits(boxes: BoxArray, lesions: BoxArray, overlap: Floats) -> Flags:
    mutual = _holds(lesions, boxes).T & _holds(boxes, lesions)
    a, b = areas(boxes)[:, None], areas(lesions)[None]
    alike = np.maximum(a, b) <= LARGEST_RATIO * np.minimum(a, b)
    hitting: Flags = (overlap >= LEAST_IOU) | (mutual & alike)
    return hitting


def _holds(outer: BoxArray, inner: BoxArray) -> Flags:
    """Tell whether each outer box (row) holds the centre of each inner one (column)."""
    x, y = (inner[:, 0] + inner[:, 2]) / 2, (inner[:, 1] + inner[:, 3]) / 2
    across = (x > outer[:, 0, None]) & (x < outer[:, 2, None])
    inside: Flags = across & (y > outer[:, 1, None]) & (y < outer[:, 3, None])
    return inside


def match(boxes: BoxArray, scores: Floats, lesions: BoxArray) -> Matched:
    """Match the boxes of one kind on one photograph with its lesions.

    Args:
        boxes: ``(N, 4)``.
        scores: ``(N,)``; boxes of equal score keep their order.
        lesions: ``(M, 4)``, in the same pixels.
    """
    order = np.argsort(-scores, kind="stable")
    hit = pairs(boxes, scores, lesions)[order] != NOTHING
    return Matched(scores[order].astype(np.float64), hit, len(lesions))


def pairs(boxes: BoxArray, scores: Floats, lesions: BoxArray) -> Ints:
    """Find the row of the lesion that each box hits; the arguments are those of :func:`match`.

    Returns:
        ``int (N,)``, :data:`NOTHING` for a false box.
    """
    order = np.argsort(-scores, kind="stable")
    taken = np.full(len(boxes), NOTHING)
    free = np.ones(len(lesions), bool)
    for place, candidates in _candidates(boxes[order], lesions):
        left = candidates[free[candidates]]
        if len(left):
            free[left[0]] = False
            taken[order[place]] = left[0]
    return taken


def _candidates(boxes: BoxArray, lesions: BoxArray) -> list[tuple[int, Ints]]:
    """List each box that hits lesions (its row) and those lesions (rows), the largest IoU first.

    All pairs of 5,000 boxes and 2,000 lesions at once would take a gigabyte; few of them hit.
    """
    candidates = []
    step = max(1, PAIRS_AT_ONCE // max(1, len(lesions)))
    for start in range(0, len(boxes) if len(lesions) else 0, step):
        some = boxes[start : start + step]
        overlap = ious(some, lesions)
        hitting = _hits(some, lesions, overlap)
        for row in np.flatnonzero(hitting.any(axis=1)):
            columns = np.flatnonzero(hitting[row])
            order = np.argsort(-overlap[row, columns], kind="stable")
            candidates.append((start + int(row), columns[order]))
    return candidates


def pooled(photographs: Sequence[Matched]) -> Matched:
    """Join the boxes of all photographs, best score first."""
    if not photographs:
        return Matched(np.zeros(0), np.zeros(0, bool), 0)
    scores = np.concatenate([each.scores for each in photographs])
    hit = np.concatenate([each.hit for each in photographs])
    order = np.argsort(-scores, kind="stable")
    return Matched(scores[order], hit[order], sum(each.lesions for each in photographs))


def average_precision(matched: Matched) -> float:
    """Area under precision over recall, with the best precision at that recall or beyond.

    As in VOC since 2010: over every point, not at eleven recalls. Boxes of equal score come
    together, as no threshold separates them. NaN where there is no lesion.
    """
    if matched.lesions == 0:
        return float("nan")
    last = np.flatnonzero(np.diff(matched.scores, append=-np.inf))
    true = np.cumsum(matched.hit)[last]
    precision = true / (last + 1)
    best = np.maximum.accumulate(precision[::-1])[::-1]
    return float((np.diff(true, prepend=0) * best).sum() / matched.lesions)


def at_threshold(matched: Matched, threshold: float) -> tuple[float, float]:
    """Precision and recall of the boxes whose score reaches a threshold; NaN where undefined."""
    taken = matched.scores >= threshold
    true = float(matched.hit[taken].sum())
    precision = true / taken.sum() if taken.any() else float("nan")
    recall = true / matched.lesions if matched.lesions else float("nan")
    return float(precision), recall
