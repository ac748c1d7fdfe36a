"""Boxes of overlapping tiles brought together, with no double boxes at the seams.

A side of a box is cut where it lies on an edge of its tile inside the view: the lesion may go on
behind it. In turn, among boxes of one kind:

1. Two boxes of two tiles, cut at edges that face each other, are pieces of a lesion larger than the
   overlap if both reach through all of it and lie beside each other along the seam. They become the
   box around both, with the better score. A piece has one partner at an edge, the likeliest.
2. A cut box of which most lies inside a larger one of another tile is a piece of what that one
   shows whole, or more of. It goes, and the other has the better score of both.
3. Of two that overlap by much the better one stays (non-maximum suppression).

In 1 and 2 both scores must be of one order, else a stray box that the threshold will take away
would have changed a good one.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from fundoscope.lesions.heads import Boxes
from fundoscope.models import runtime

if TYPE_CHECKING:
    import onnxruntime

GRAPH: Final = Path(__file__).with_name("suppress.onnx")
"""One NonMaxSuppression, made by :mod:`fundoscope.train.suppression`: 5,000 boxes take ONNX Runtime
4 ms, and a loop in numpy 100 or more."""
TOUCH: Final = 2.0
"""Pixels between a box and the edge that cuts it, at most; small boxes are about so exact."""
TOUCH_SHARE: Final = 0.1
"""The same as a share of the box's side, for large ones: a cut optic disc is found so exactly."""
BESIDE: Final = 0.5
"""Of the shorter of two pieces along a seam, the share that lies beside the other one, at least."""
INSIDE: Final = 0.5
"""Of a piece's area, the share that lies inside the box that replaces it; more than this."""
ORDER: Final = 0.25
"""Worse over better score of boxes that say the same, at least. Between 0.25 and 0.8 no kind's
average precision on the eight validation photographs of IDRiD changes by more than 0.002."""
NOT_OF_KIND: Final = -1.0
"""Stands for the score of a box in kinds that it is not of."""

Sides = NDArray[np.bool_]
"""``bool (N, 4)``: left, top, right, bottom."""


def merge(
    found: Boxes,
    corners: NDArray[np.int64],
    tile: tuple[int, int],
    view: tuple[int, int],
    suppress: float,
) -> Boxes:
    """Bring the boxes of tiles together.

    Args:
        found: boxes in their tiles' pixels.
        corners: ``(T, 2)``, x and y of each tile's first pixel in the view.
        tile: height and width of a tile.
        view: height and width of the view; what reaches beyond it is cut off.
        suppress: of two boxes of one kind that overlap by more than this (IoU) the better one
            stays.

    Returns:
        Boxes in the view's pixels, best first; ``tile`` is kept, that of the best piece.
    """
    placed = _placed(found, corners, view)
    frames = np.hstack([corners, corners + tile[::-1]]).astype(np.float64)[placed.tile]
    cut = _cut_sides(placed.boxes, frames, view)
    joined, cut = _joined(placed, frames, cut)
    return _suppressed(_without_pieces(joined, cut), suppress)


def _placed(found: Boxes, corners: NDArray[np.int64], view: tuple[int, int]) -> Boxes:
    """In the view's pixels and inside of it."""
    boxes = found.boxes + np.tile(corners[found.tile], 2)
    boxes = np.clip(boxes, 0.0, (view[1], view[0], view[1], view[0]))
    there = np.flatnonzero((boxes[:, 2:] > boxes[:, :2]).all(axis=1))
    return _taken(Boxes(found.tile, boxes, found.labels, found.scores), there)


def _cut_sides(
    boxes: NDArray[np.float64], frames: NDArray[np.float64], view: tuple[int, int]
) -> Sides:
    """Which sides of boxes lie on edges of their tiles inside the view."""
    inner = np.hstack([frames[:, :2] > 0, frames[:, 2:] < (view[1], view[0])])
    cut: Sides = inner & (np.abs(boxes - frames) <= np.tile(_exactness(boxes), 2))
    return cut


def _exactness(boxes: NDArray[np.float64]) -> NDArray[np.float64]:
    """How far a box's sides may be from an edge that they lie on, across and down, ``(N, 2)``."""
    exactness: NDArray[np.float64] = np.maximum(TOUCH, TOUCH_SHARE * (boxes[:, 2:] - boxes[:, :2]))
    return exactness


def _joined(found: Boxes, frames: NDArray[np.float64], cut: Sides) -> tuple[Boxes, Sides]:
    """Rule 1. Sides at which pieces were joined are cut no more."""
    lesion = np.arange(len(found.scores))
    cut = cut.copy()
    for axis in (0, 1):
        for before, behind in _pairs(found, frames, cut, axis):
            lesion[lesion == lesion[behind]] = lesion[before]
            cut[before, axis + 2] = cut[behind, axis] = False
    boxes, scores, tile = found.boxes.copy(), found.scores.copy(), found.tile.copy()
    numbers, pieces = np.unique(lesion, return_counts=True)
    for number in numbers[pieces > 1]:
        members = np.flatnonzero(lesion == number)
        best = members[np.argmax(found.scores[members])]
        boxes[number, :2] = found.boxes[members, :2].min(axis=0)
        boxes[number, 2:] = found.boxes[members, 2:].max(axis=0)
        scores[number], tile[number] = found.scores[best], found.tile[best]
        cut[number] = cut[members].any(axis=0)
    return _taken(Boxes(tile, boxes, found.labels, scores), numbers), cut[numbers]


def _pairs(
    found: Boxes, frames: NDArray[np.float64], cut: Sides, axis: int
) -> list[tuple[int, int]]:
    """Pieces that meet across the seams of an axis: which lies before, which behind."""
    before, behind = np.flatnonzero(cut[:, axis + 2]), np.flatnonzero(cut[:, axis])
    one, other = found.boxes[before][:, None], found.boxes[behind][None]
    start, end = frames[behind, axis][None], frames[before, axis + 2][:, None]
    slack = _exactness(found.boxes)[:, axis]
    through = (one[..., axis] <= start + slack[before][:, None]) & (
        other[..., axis + 2] >= end - slack[behind][None]
    )
    faces = (frames[before, axis][:, None] < start) & (start <= end)
    low, high = 1 - axis, 3 - axis
    shared = np.minimum(one[..., high], other[..., high]) - np.maximum(
        one[..., low], other[..., low]
    )
    lengths = one[..., high] - one[..., low], other[..., high] - other[..., low]
    worse, better = _scores(found.scores[before][:, None], found.scores[behind][None])
    fits = (
        through
        & faces
        & (found.labels[before][:, None] == found.labels[behind][None])
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
    rows, columns = np.nonzero(fits)
    pairs: list[tuple[int, int]] = []
    taken: set[tuple[str, int]] = set()
    for k in np.argsort(-likely[rows, columns], kind="stable"):
        one, other = int(before[rows[k]]), int(behind[columns[k]])
        if ("before", one) not in taken and ("behind", other) not in taken:
            taken |= {("before", one), ("behind", other)}
            pairs.append((one, other))
    return pairs


def _without_pieces(found: Boxes, cut: Sides) -> Boxes:
    """Rule 2."""
    kept = np.ones(len(found.scores), bool)
    scores = found.scores.copy()
    # Smallest piece first, best box for it first: a score goes from piece to piece, each to one.
    for piece, box in _replaced(found, np.flatnonzero(cut.any(axis=1))):
        if kept[piece]:
            kept[piece] = False
            scores[box] = max(scores[box], scores[piece])
    left = Boxes(found.tile, found.boxes, found.labels, scores)
    return _taken(left, np.flatnonzero(kept))


def _replaced(found: Boxes, pieces: NDArray[np.int64]) -> list[tuple[int, int]]:
    """Pieces and the boxes that show them; small pieces first, then the best boxes."""
    near = [_around(found, pieces, kind) for kind in np.unique(found.labels[pieces])]
    piece, box = np.hstack([np.empty((2, 0), np.int64), *near])
    area = np.prod(found.boxes[:, 2:] - found.boxes[:, :2], axis=1)
    one, other = found.boxes[piece], found.boxes[box]
    common = np.prod(
        np.minimum(one[:, 2:], other[:, 2:]) - np.maximum(one[:, :2], other[:, :2]), axis=1
    )
    worse, better = _scores(found.scores[piece], found.scores[box])
    # Of two as large the better is taken for the larger: they must not replace each other.
    rank = np.argsort(np.lexsort((found.scores, area)))
    shows = np.flatnonzero(
        (common > INSIDE * area[piece])
        & (rank[piece] < rank[box])
        & (found.tile[piece] != found.tile[box])
        & (worse >= ORDER * better)
    )
    piece, box = piece[shows], box[shows]
    order = np.lexsort((-found.scores[box], rank[piece]))
    return list(zip(piece[order].tolist(), box[order].tolist(), strict=True))


def _around(found: Boxes, pieces: NDArray[np.int64], kind: int) -> NDArray[np.int64]:
    """``(2, M)``: pieces of a kind and the boxes of it that their centres lie in.

    A box that holds more than half of another holds its centre; that is quickly told.
    """
    same = np.flatnonzero(found.labels == kind)
    pieces = pieces[found.labels[pieces] == kind]
    x, y = ((found.boxes[pieces, :2] + found.boxes[pieces, 2:]) / 2).T[..., None]
    x0, y0, x1, y1 = found.boxes[same].T
    rows, columns = np.nonzero((x0 <= x) & (x <= x1) & (y0 <= y) & (y <= y1))
    return np.stack([pieces[rows], same[columns]])


def _suppressed(found: Boxes, suppress: float) -> Boxes:
    """Rule 3; best first."""
    kinds, kind = np.unique(found.labels, return_inverse=True)
    if not kinds.size:
        return found
    count = len(found.scores)
    scores = np.full((1, len(kinds), count), NOT_OF_KIND, np.float32)
    scores[0, kind, np.arange(count)] = found.scores
    (chosen,) = _suppression().run(
        None,
        {
            "boxes": found.boxes.astype(np.float32)[None],
            "scores": scores,
            "most": np.array([count], np.int64),
            "overlap": np.array([suppress], np.float32),
            "least_score": np.array([NOT_OF_KIND / 2], np.float32),
        },
    )
    kept = np.sort(chosen[:, 2])
    return _taken(found, kept[np.argsort(-found.scores[kept], kind="stable")])


@cache
def _suppression() -> onnxruntime.InferenceSession:
    return runtime.open_graph(GRAPH.read_bytes(), GRAPH.name)


def _scores(
    one: NDArray[np.float64], other: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The worse and the better of each pair."""
    return np.minimum(one, other), np.maximum(one, other)


def _taken(found: Boxes, which: NDArray[np.int64]) -> Boxes:
    return Boxes(found.tile[which], found.boxes[which], found.labels[which], found.scores[which])
