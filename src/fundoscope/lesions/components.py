"""From maps of probability to boxes: the connected parts of what reaches a level.

Two pixels belong together when they touch at a side or a corner (8-neighbours), the rule by which
IDRiD's lesions are counted. Lesions are few among millions of pixels, so the work is done on runs
of neighbouring pixels of a row: a map of a thousand lesions takes 7 ms, and an image of labels 25.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

Map = NDArray[np.uint8]
"""``uint8 (H, W)``: the probability that a pixel belongs to a lesion of a kind, times 255."""

FULL: Final = 255
LEAST_PIXELS: Final = 3
"""Of a lesion, at the working scale. Of IDRiD's lesions nine in ten thousand are smaller."""


@dataclass(frozen=True, slots=True)
class Components:
    """The parts of one map, best first.

    Attributes:
        boxes: ``float (N, 4)``, x0, y0, x1, y1 in the map's pixels, half-open.
        scores: ``float (N,)``, the mean probability of a part's pixels, 0 to 1.
        areas: ``int (N,)``, how many pixels each has.
    """

    boxes: NDArray[np.float64]
    scores: NDArray[np.float64]
    areas: NDArray[np.int64]


def components(probability: Map, level: float) -> Components:
    """The parts of a map that reach a level; specks of fewer than :data:`LEAST_PIXELS` are none.

    Args:
        probability: of one kind.
        level: of a pixel that belongs to a lesion, 0 to 1; more than 0.
    """
    at = np.flatnonzero(probability >= max(1, math.ceil(level * FULL)))
    if not at.size:
        return Components(np.zeros((0, 4)), np.zeros(0), np.zeros(0, np.int64))
    first = np.flatnonzero(_begins(at, probability.shape[1]))
    rows, left = np.divmod(at[first], probability.shape[1])
    lengths = np.diff(first, append=len(at))
    sums = np.add.reduceat(probability.reshape(-1)[at].astype(np.int64), first)
    part = _parts(rows, left, left + lengths, probability.shape[1])
    count = int(part.max()) + 1
    corners = np.tile((np.inf, np.inf, -np.inf, -np.inf), (count, 1))
    np.minimum.at(corners[:, 0], part, left)
    np.minimum.at(corners[:, 1], part, rows)
    np.maximum.at(corners[:, 2], part, left + lengths)
    np.maximum.at(corners[:, 3], part, rows + 1)
    areas = np.bincount(part, lengths, count).astype(np.int64)
    scores = np.bincount(part, sums, count) / areas / FULL
    order = np.argsort(-scores, kind="stable")
    return some_of(Components(corners, scores, areas), order[areas[order] >= LEAST_PIXELS])


def some_of(parts: Components, chosen: NDArray[np.int64]) -> Components:
    """Those in some places, in their order.

    Args:
        parts: of :func:`components`.
        chosen: ``int (n,)``.
    """
    return Components(parts.boxes[chosen], parts.scores[chosen], parts.areas[chosen])


def _begins(at: NDArray[np.int64], width: int) -> NDArray[np.bool_]:
    """Which of some pixels, in order, begin a run: their left neighbour is none of them."""
    begins: NDArray[np.bool_] = (np.diff(at, prepend=-2) != 1) | (at % width == 0)
    return begins


def _parts(
    rows: NDArray[np.int64], left: NDArray[np.int64], right: NDArray[np.int64], width: int
) -> NDArray[np.int64]:
    """The part that each run belongs to, from 0.

    Args:
        rows, left, right: of each run, row by row; ``right`` is the first pixel behind it.
        width: of the map.
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    # Runs as stretches of one line, on which a run and its neighbours in the next row lie `line`
    # apart. Two pixels between the rows: the end of one does not touch the start of the next.
    line = width + 2
    start, end = rows * line + left, rows * line + right
    low = np.searchsorted(end, start + line, side="left")
    high = np.searchsorted(start, end + line, side="right")
    touching = np.maximum(high - low, 0)
    above = np.repeat(np.arange(len(rows)), touching)
    within = np.arange(len(above)) - np.repeat(np.cumsum(touching) - touching, touching)
    below = low[above] + within
    links = coo_array((np.ones(len(above), np.int8), (above, below)), shape=(len(rows), len(rows)))
    part: NDArray[np.int64] = connected_components(links, directed=False)[1].astype(np.int64)
    return part
