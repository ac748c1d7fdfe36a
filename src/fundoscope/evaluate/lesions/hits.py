"""When a box hits a lesion, and what follows: precision, recall and average precision.

A hit is an IoU of at least 0.3; or each box's centre lies inside the other and their areas differ
by no more than a factor of 4. One to one, the best score first; of several lesions that a box hits
it takes the one of the largest IoU. A sheet (a preretinal haemorrhage of half the retina, a field
of exudates) is one lesion by the same rule; boxes inside it that do not hit it are false. Nothing
is ignored, whatever its size, and what is marked as difficult counts as well.
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
NOTHING: Final = -1
"""Stands for the lesion of a false box."""
PAIRS_AT_ONCE: Final = 2**17
"""Held against each other at a time: a few MiB, which stay in the processor's cache."""


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
    width = np.minimum(found[:, 2, None], truth[:, 2]) - np.maximum(found[:, 0, None], truth[:, 0])
    height = np.minimum(found[:, 3, None], truth[:, 3]) - np.maximum(found[:, 1, None], truth[:, 1])
    common = np.clip(width, 0, None) * np.clip(height, 0, None)
    union = areas(found)[:, None] + areas(truth)[None] - common
    overlap: NDArray[np.float64] = np.divide(
        common, union, out=np.zeros_like(common), where=union > 0
    )
    return overlap


def hits(found: Boxes, truth: Boxes) -> NDArray[np.bool_]:
    """Which found box (row) hits which lesion (column), ``(N, M)``, before they are paired."""
    return _hits(found, truth, ious(found, truth))


def _hits(found: Boxes, truth: Boxes, overlap: NDArray[np.float64]) -> NDArray[np.bool_]:
    mutual = _holds(truth, found).T & _holds(found, truth)
    a, b = areas(found)[:, None], areas(truth)[None]
    alike = np.maximum(a, b) <= LARGEST_RATIO * np.minimum(a, b)
    chosen: NDArray[np.bool_] = (overlap >= LEAST_IOU) | (mutual & alike)
    return chosen


def _holds(outer: Boxes, inner: Boxes) -> NDArray[np.bool_]:
    """Whether each box (row) holds the centre of each other (column)."""
    x, y = (inner[:, 0] + inner[:, 2]) / 2, (inner[:, 1] + inner[:, 3]) / 2
    across = (x > outer[:, 0, None]) & (x < outer[:, 2, None])
    inside: NDArray[np.bool_] = across & (y > outer[:, 1, None]) & (y < outer[:, 3, None])
    return inside


def match(found: Boxes, scores: NDArray[np.float64], truth: Boxes) -> Matched:
    """Pair the found boxes of one kind on one photograph with its lesions.

    Args:
        found: ``(N, 4)``.
        scores: ``(N,)``; equal ones keep their order.
        truth: ``(M, 4)``, in the same pixels.
    """
    order = np.argsort(-scores, kind="stable")
    hit = pairs(found, scores, truth)[order] != NOTHING
    return Matched(scores[order].astype(np.float64), hit, len(truth))


def pairs(found: Boxes, scores: NDArray[np.float64], truth: Boxes) -> NDArray[np.int64]:
    """Which lesion (its row) each found box has, ``int (N,)``; :data:`NOTHING` where it has none.

    Args: as :func:`match`.
    """
    order = np.argsort(-scores, kind="stable")
    given = np.full(len(found), NOTHING)
    free = np.ones(len(truth), bool)
    for place, lesions in _candidates(found[order], truth):
        wanted = lesions[free[lesions]]
        if len(wanted):
            free[wanted[0]] = False
            given[order[place]] = wanted[0]
    return given


def _candidates(found: Boxes, truth: Boxes) -> list[tuple[int, NDArray[np.int64]]]:
    """Each box (its row) that hits lesions, and those (columns), the largest IoU first.

    All pairs of 5,000 boxes and 2,000 lesions at once would take a gigabyte; few of them hit.
    """
    chosen = []
    step = max(1, PAIRS_AT_ONCE // max(1, len(truth)))
    for start in range(0, len(found) if len(truth) else 0, step):
        some = found[start : start + step]
        overlap = ious(some, truth)
        hitting = _hits(some, truth, overlap)
        for row in np.flatnonzero(hitting.any(axis=1)):
            lesions = np.flatnonzero(hitting[row])
            order = np.argsort(-overlap[row, lesions], kind="stable")
            chosen.append((start + int(row), lesions[order]))
    return chosen


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

    As VOC from 2010 on: every point, no interpolation at eleven. Boxes of equal score come
    together, as no threshold parts them. NaN where there is no lesion.
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
