"""When a box hits a lesion, and what follows: precision, recall and average precision.

A hit is an IoU of at least 0.3; or each box's centre lies inside the other and their areas differ
by no more than a factor of 4. One to one, the best score first; of several lesions that a box hits
it takes the one of the largest IoU. A sheet (a preretinal haemorrhage of half the retina, a field
of exudates) is one lesion by the same rule; boxes inside it that do not hit it are false.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

Boxes = NDArray[np.float64]
"""``float (N, 4)``, x0, y0, x1, y1 a row, half-open."""

LEAST_IOU: Final = 0.3
LARGEST_RATIO: Final = 4.0
"""Of the areas of two boxes whose centres lie inside each other."""


@dataclass(frozen=True, slots=True)
class Matched:
    """Found boxes of one kind on one photograph, held against its lesions.

    Attributes:
        scores: ``float (N,)``, of the found boxes, best first.
        hit: ``bool (N,)``, whether each hits a lesion that no better one took.
        lesions: how many there are.
    """

    scores: NDArray[np.float64]
    hit: NDArray[np.bool_]
    lesions: int


def areas(boxes: Boxes) -> NDArray[np.float64]:
    """``(N,)`` square pixels."""
    sides = boxes[:, 2:] - boxes[:, :2]
    return np.asarray(sides.prod(axis=1), np.float64)


def ious(found: Boxes, truth: Boxes) -> NDArray[np.float64]:
    """Intersection over union of each pair, ``(N, M)``."""
    low = np.maximum(found[:, None, :2], truth[None, :, :2])
    high = np.minimum(found[:, None, 2:], truth[None, :, 2:])
    common = np.prod(np.clip(high - low, 0, None), axis=2)
    union = areas(found)[:, None] + areas(truth)[None] - common
    overlap: NDArray[np.float64] = np.divide(
        common, union, out=np.zeros_like(common), where=union > 0
    )
    return overlap


def hits(found: Boxes, truth: Boxes) -> NDArray[np.bool_]:
    """Which found box (row) hits which lesion (column), ``(N, M)``, before they are paired."""
    mutual = _holds(truth, found).T & _holds(found, truth)
    a, b = areas(found)[:, None], areas(truth)[None]
    alike = np.maximum(a, b) <= LARGEST_RATIO * np.minimum(a, b)
    chosen: NDArray[np.bool_] = (ious(found, truth) >= LEAST_IOU) | (mutual & alike)
    return chosen


def _holds(outer: Boxes, inner: Boxes) -> NDArray[np.bool_]:
    """Whether each box (row) holds the centre of each other (column)."""
    centres = (inner[:, :2] + inner[:, 2:]) / 2
    inside = (centres[None] > outer[:, None, :2]) & (centres[None] < outer[:, None, 2:])
    return np.asarray(inside.all(axis=2))


def match(found: Boxes, scores: NDArray[np.float64], truth: Boxes) -> Matched:
    """Pair the found boxes of one kind on one photograph with its lesions.

    Args:
        found: ``(N, 4)``.
        scores: ``(N,)``; equal ones keep their order.
        truth: ``(M, 4)``, in the same pixels.
    """
    order = np.argsort(-scores, kind="stable")
    found = found[order]
    overlap = np.where(hits(found, truth), ious(found, truth) + 1.0, 0.0)
    hit = np.zeros(len(found), bool)
    for row in range(len(found)):
        if truth.size and overlap[row].max() > 0:
            overlap[:, int(overlap[row].argmax())] = 0.0
            hit[row] = True
    return Matched(scores[order].astype(np.float64), hit, len(truth))


def pooled(photographs: Sequence[Matched]) -> Matched:
    """All photographs as one, best score first."""
    if not photographs:
        return Matched(np.zeros(0), np.zeros(0, bool), 0)
    scores = np.concatenate([each.scores for each in photographs])
    hit = np.concatenate([each.hit for each in photographs])
    order = np.argsort(-scores, kind="stable")
    return Matched(scores[order], hit[order], sum(each.lesions for each in photographs))


def average_precision(matched: Matched) -> float:
    """Area under precision over recall, precision taken as the best at that recall or beyond.

    As VOC from 2010 on: every point, no interpolation at eleven. NaN where there is no lesion.
    """
    if matched.lesions == 0:
        return float("nan")
    true = np.cumsum(matched.hit)
    precision = true / np.arange(1, len(true) + 1)
    best = np.maximum.accumulate(precision[::-1])[::-1]
    return float(best[matched.hit].sum() / matched.lesions)


def at_threshold(matched: Matched, threshold: float) -> tuple[float, float]:
    """Precision and recall of the boxes whose score reaches a threshold; NaN where undefined."""
    taken = matched.scores >= threshold
    true = float(matched.hit[taken].sum())
    precision = true / taken.sum() if taken.any() else float("nan")
    recall = true / matched.lesions if matched.lesions else float("nan")
    return float(precision), recall
