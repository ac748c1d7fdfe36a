"""Merging the boxes of overlapping tiles, without double boxes at the seams.

A side of a box is cut if it lies on an edge of its tile inside the view: the lesion may continue
beyond it. Three rules are applied in turn to boxes of the same kind:

1. Two boxes of two tiles, cut at edges that face each other, are pieces of one lesion larger than
   the overlap, if both reach through all of the overlap and lie side by side along the seam. They
   become the box around both, with the better score. A piece has one partner at an edge, the most
   likely one.
2. A cut box that lies mostly inside a larger one of another tile is a piece of it. It is removed,
   and the larger box gets the better of the two scores.
3. If two boxes overlap by much, the better one is kept (non-maximum suppression).

Rules 1 and 2 apply only if the two scores are similar. Otherwise a stray box, which the threshold
would remove later, could change a good one.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from fundoscope.lesions.heads import DetectedBoxes, subset
from fundoscope.models import runtime

if TYPE_CHECKING:
    import onnxruntime

GRAPH: Final = Path(__file__).with_name("suppress.onnx")
"""A graph of one NonMaxSuppression node, written by ``scripts/make_suppression_graph.py``. For
5,000 boxes ONNX Runtime needs 4 ms; a loop in numpy needs 100 or more."""
TOUCH: Final = 2.0
"""Largest distance, in pixels, of a box from the edge that cuts it: the accuracy of small boxes."""
TOUCH_SHARE: Final = 0.1
"""The same for large boxes, as a share of the box's side: the accuracy of a cut optic disc."""
BESIDE: Final = 0.5
"""Least share of the shorter piece that lies beside the other one, along the seam."""
INSIDE: Final = 0.5
"""The share of a piece's area that must be exceeded inside the box that replaces it."""
ORDER: Final = 0.25
"""Least ratio of the worse to the better score for two boxes of one lesion. Between 0.25 and 0.8 no
kind's average precision on the eight validation photographs of IDRiD changes by more than 0.002."""
NOT_OF_KIND: Final = -1.0
"""The score of a box for the kinds that it does not have."""

Sides = NDArray[np.bool_]
"""``bool (N, 4)``: left, top, right, bottom."""


def merge(
    detections: DetectedBoxes,
    corners: NDArray[np.int64],
    tile: tuple[int, int],
    view: tuple[int, int],
    suppress: float,
) -> DetectedBoxes:
    """Merge the boxes of tiles.

    Args:
        detections: boxes in their tiles' pixels.
        corners: ``(T, 2)``, x and y of each tile's first pixel in the view.
        tile: height and width of a tile.
        view: height and width of the view; boxes are clipped to it.
        suppress: if two boxes of one kind overlap by more than this (IoU), the better one is kept.

    Returns:
        Boxes in the view's pixels, highest score first. ``tile`` is that of the best piece.
    """
    placed = _placed(detections, corners, view)
    frames = np.hstack([corners, corners + tile[::-1]]).astype(np.float64)[placed.tile]
    cut = _cut_sides(placed.boxes, frames, view)
    joined, cut = _joined(placed, frames, cut)
    return _suppressed(_without_pieces(joined, cut), suppress)


def _placed(
    detections: DetectedBoxes, corners: NDArray[np.int64], view: tuple[int, int]
) -> DetectedBoxes:
    """Move boxes into the view's pixels and clip them; those outside are removed."""
    boxes = detections.boxes + np.tile(corners[detections.tile], 2)
    boxes = np.clip(boxes, 0.0, (view[1], view[0], view[1], view[0]))
    inside = np.flatnonzero((boxes[:, 2:] > boxes[:, :2]).all(axis=1))
    return subset(
        DetectedBoxes(detections.tile, boxes, detections.labels, detections.scores), inside
    )


def _cut_sides(
    boxes: NDArray[np.float64], frames: NDArray[np.float64], view: tuple[int, int]
) -> Sides:
    """Which sides of the boxes lie on edges of their tiles inside the view."""
    inner = np.hstack([frames[:, :2] > 0, frames[:, 2:] < (view[1], view[0])])
    cut: Sides = inner & (np.abs(boxes - frames) <= np.tile(_exactness(boxes), 2))
    return cut


def _exactness(boxes: NDArray[np.float64]) -> NDArray[np.float64]:
    """The largest distance of each box from an edge that cuts it, across and down, ``(N, 2)``."""
    exactness: NDArray[np.float64] = np.maximum(TOUCH, TOUCH_SHARE * (boxes[:, 2:] - boxes[:, :2]))
    return exactness


def _joined(
    detections: DetectedBoxes, frames: NDArray[np.float64], cut: Sides
) -> tuple[DetectedBoxes, Sides]:
    """Apply rule 1. Sides at which pieces were joined no longer count as cut."""
    lesion = np.arange(len(detections.scores))
    cut = cut.copy()
    for axis in (0, 1):
        for before, behind in _pairs(detections, frames, cut, axis):
            lesion[lesion == lesion[behind]] = lesion[before]
            cut[before, axis + 2] = cut[behind, axis] = False
    boxes, scores, tile = detections.boxes.copy(), detections.scores.copy(), detections.tile.copy()
    numbers, pieces = np.unique(lesion, return_counts=True)
    for number in numbers[pieces > 1]:
        members = np.flatnonzero(lesion == number)
        best = members[np.argmax(detections.scores[members])]
        boxes[number, :2] = detections.boxes[members, :2].min(axis=0)
        boxes[number, 2:] = detections.boxes[members, 2:].max(axis=0)
        scores[number], tile[number] = detections.scores[best], detections.tile[best]
        cut[number] = cut[members].any(axis=0)
    return subset(DetectedBoxes(tile, boxes, detections.labels, scores), numbers), cut[numbers]


def _pairs(
    detections: DetectedBoxes, frames: NDArray[np.float64], cut: Sides, axis: int
) -> list[tuple[int, int]]:
    """Pieces that meet across the seams of an axis: the piece before a seam and the one behind."""
    before, behind = np.flatnonzero(cut[:, axis + 2]), np.flatnonzero(cut[:, axis])
    first, second = detections.boxes[before][:, None], detections.boxes[behind][None]
    start, end = frames[behind, axis][None], frames[before, axis + 2][:, None]
    slack = _exactness(detections.boxes)[:, axis]
    through = (first[..., axis] <= start + slack[before][:, None]) & (
        second[..., axis + 2] >= end - slack[behind][None]
    )
    faces = (frames[before, axis][:, None] < start) & (start <= end)
    low, high = 1 - axis, 3 - axis
    shared = np.minimum(first[..., high], second[..., high]) - np.maximum(
        first[..., low], second[..., low]
    )
    lengths = first[..., high] - first[..., low], second[..., high] - second[..., low]
    worse, better = _scores(detections.scores[before][:, None], detections.scores[behind][None])
    fits = (
        through
        & faces
        & (detections.labels[before][:, None] == detections.labels[behind][None])
        & (shared >= BESIDE * np.minimum(*lengths))
        & (worse >= ORDER * better)
    )
    likely = worse * shared / (lengths[0] + lengths[1] - shared)
    return _one_to_one(before, behind, fits, likely)


def _one_to_one(
    before: NDArray[np.int64],
    behind: NDArray[np.int64],
    fits: NDArray[np.bool_],
    likely: NDArray[np.float64],
) -> list[tuple[int, int]]:
    """Pairs of pieces that fit, the most likely first; each piece is in one pair at most."""
    rows, columns = np.nonzero(fits)
    pairs: list[tuple[int, int]] = []
    taken: set[tuple[str, int]] = set()
    for k in np.argsort(-likely[rows, columns], kind="stable"):
        first, second = int(before[rows[k]]), int(behind[columns[k]])
        if ("before", first) not in taken and ("behind", second) not in taken:
            taken |= {("before", first), ("behind", second)}
            pairs.append((first, second))
    return pairs


def _without_pieces(detections: DetectedBoxes, cut: Sides) -> DetectedBoxes:
    """Apply rule 2."""
    kept = np.ones(len(detections.scores), bool)
    scores = detections.scores.copy()
    # Smallest piece first, and for each the best box first: a score passes from piece to piece.
    for piece, box in _replaced(detections, np.flatnonzero(cut.any(axis=1))):
        if kept[piece]:
            kept[piece] = False
            scores[box] = max(scores[box], scores[piece])
    left = DetectedBoxes(detections.tile, detections.boxes, detections.labels, scores)
    return subset(left, np.flatnonzero(kept))


def _replaced(detections: DetectedBoxes, pieces: NDArray[np.int64]) -> list[tuple[int, int]]:
    """Pieces and the boxes that replace them; small pieces first, then the best boxes."""
    near = [_around(detections, pieces, kind) for kind in np.unique(detections.labels[pieces])]
    piece, box = np.hstack([np.empty((2, 0), np.int64), *near])
    area = np.prod(detections.boxes[:, 2:] - detections.boxes[:, :2], axis=1)
    small, large = detections.boxes[piece], detections.boxes[box]
    common = np.prod(
        np.minimum(small[:, 2:], large[:, 2:]) - np.maximum(small[:, :2], large[:, :2]), axis=1
    )
    worse, better = _scores(detections.scores[piece], detections.scores[box])
    # Of two equally large boxes the better one counts as larger, so they cannot replace each other.
    rank = np.argsort(np.lexsort((detections.scores, area)))
    shows = np.flatnonzero(
        (common > INSIDE * area[piece])
        & (rank[piece] < rank[box])
        & (detections.tile[piece] != detections.tile[box])
        & (worse >= ORDER * better)
    )
    piece, box = piece[shows], box[shows]
    order = np.lexsort((-detections.scores[box], rank[piece]))
    return list(zip(piece[order].tolist(), box[order].tolist(), strict=True))


def _around(detections: DetectedBoxes, pieces: NDArray[np.int64], kind: int) -> NDArray[np.int64]:
    """Pieces of a kind and the boxes that contain their centres, ``(2, M)``.

    A box that contains more than half of another contains its centre, which is quick to check.
    """
    same = np.flatnonzero(detections.labels == kind)
    pieces = pieces[detections.labels[pieces] == kind]
    x, y = ((detections.boxes[pieces, :2] + detections.boxes[pieces, 2:]) / 2).T[..., None]
    x0, y0, x1, y1 = detections.boxes[same].T
    rows, columns = np.nonzero((x0 <= x) & (x <= x1) & (y0 <= y) & (y <= y1))
    return np.stack([pieces[rows], same[columns]])


def _suppressed(detections: DetectedBoxes, suppress: float) -> DetectedBoxes:
    """Apply rule 3; highest score first."""
    kinds, kind = np.unique(detections.labels, return_inverse=True)
    if not kinds.size:
        return detections
    count = len(detections.scores)
    scores = np.full((1, len(kinds), count), NOT_OF_KIND, np.float32)
    scores[0, kind, np.arange(count)] = detections.scores
    (chosen,) = _suppression().run(
        None,
        {
            "boxes": detections.boxes.astype(np.float32)[None],
            "scores": scores,
            "most": np.array([count], np.int64),
            "overlap": np.array([suppress], np.float32),
            "least_score": np.array([NOT_OF_KIND / 2], np.float32),
        },
    )
    kept = np.sort(chosen[:, 2])
    return subset(detections, kept[np.argsort(-detections.scores[kept], kind="stable")])


@cache
def _suppression() -> onnxruntime.InferenceSession:
    return runtime.open_graph(GRAPH.read_bytes(), GRAPH.name)


def _scores(
    first: NDArray[np.float64], second: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The worse and the better of each pair."""
    return np.minimum(first, second), np.maximum(first, second)
