"""From probability maps to boxes: the connected components of the pixels above a level.

Two pixels are connected if they touch at a side or a corner (8-neighbours), the rule by which
IDRiD's lesions are counted. Few of the millions of pixels belong to lesions, so the work is done on
runs of neighbouring pixels in a row. A map of a thousand lesions takes 7 ms; labelling an image
takes 25 ms.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

Map = NDArray[np.uint8]
"""``uint8 (H, W)``: the probability, times 255, that a pixel belongs to a lesion of one kind."""

FULL: Final = 255
"""The value of a map for the probability 1."""
LEAST_PIXELS: Final = 3
"""Least pixels of a lesion at the working scale; 0.09 % of IDRiD's lesions are smaller."""


@dataclass(frozen=True, slots=True)
class Components:
    """The components of one map, highest score first.

    Attributes:
        boxes: ``float (N, 4)``: x0, y0, x1, y1 in the map's pixels, half-open.
        scores: ``float (N,)``: the mean probability of a component's pixels, 0 to 1.
        areas: ``int (N,)``: the number of its pixels.
    """

    boxes: NDArray[np.float64]
    scores: NDArray[np.float64]
    areas: NDArray[np.int64]


def components(probability: Map, level: float) -> Components:
    """The components of a map at a level, without those that are too small (:data:`LEAST_PIXELS`).

    Args:
        probability: of one kind.
        level: the least probability of a pixel, above 0 and at most 1.
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
    return subset(Components(corners, scores, areas), order[areas[order] >= LEAST_PIXELS])


def subset(parts: Components, chosen: NDArray[np.int64]) -> Components:
    """The components at some places, in that order.

    Args:
        parts: from :func:`components`.
        chosen: ``int (n,)``, places in ``parts``.
    """
    return Components(parts.boxes[chosen], parts.scores[chosen], parts.areas[chosen])


def _begins(at: NDArray[np.int64], width: int) -> NDArray[np.bool_]:
    """Which of the pixels, given in order, begin a run: their left neighbour is not among them."""
    begins: NDArray[np.bool_] = (np.diff(at, prepend=-2) != 1) | (at % width == 0)
    return begins


def _parts(
    rows: NDArray[np.int64], left: NDArray[np.int64], right: NDArray[np.int64], width: int
) -> NDArray[np.int64]:
    """The component of each run, from 0.

    Args:
        rows: of the runs, in ascending order.
        left: the first column of each run.
        right: the column after its last.
        width: of the map.
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    # Put all rows on one line, `line` apart: runs become intervals, and a run's neighbours in the
    # next row lie one `line` further. The two extra pixels keep the end of a row from touching the
    # start of the next.
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
