"""Cutting a view into overlapping tiles, and putting their maps together again."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Final

import numpy as np
from numpy.typing import NDArray

from fundoscope.lesions.view import View
from fundoscope.photo.decode import Pixels

Corner = tuple[int, int]
"""Column and row of a tile's first pixel in the view."""
Part = tuple[int, int, int, int]
"""First and last column and row (left, top, right, bottom), half-open, in the view."""
Maps = NDArray[np.uint8]
"""``uint8 (K, H, W)``: a map for each kind."""
EDGE: Final = 1e-6
"""Rounding error, in pixels, of the field's radius."""


def lay(view: View, height: int, width: int, overlap: int) -> list[Corner]:
    """Place tiles so that every pixel of the retina is on one of them.

    The tiles are evenly spaced and overlap by ``overlap`` pixels or more. Tiles outside of the disc
    are left out. A view smaller than a tile gets one tile, which reaches beyond it.

    Args:
        view: from :func:`fundoscope.lesions.view.make`.
        height: of a tile, in pixels.
        width: of a tile, in pixels.
        overlap: least overlap of two neighbours, in pixels; less than a tile.
    """
    rows = _starts(view.pixels.shape[0], height, overlap)
    columns = _starts(view.pixels.shape[1], width, overlap)
    return [(x, y) for y in rows for x in columns if _meets(view, (x, y, x + width, y + height))]


def fit(view: View, height: int, width: int, overlap: int, step: int) -> tuple[int, int]:
    """The size of the tiles that cover a view with the fewest pixels.

    Their number is the least that the largest allowed size needs, and each is then as small as
    possible, so that few pixels are read twice.

    Args:
        view: from :func:`fundoscope.lesions.view.make`.
        height: of the largest tile, in pixels; a multiple of ``step``.
        width: of the largest tile, in pixels; a multiple of ``step``.
        overlap: least overlap of two neighbours, in pixels.
        step: sides are multiples of it.

    Returns:
        Height and width, in pixels.
    """
    rows, columns = view.pixels.shape[:2]
    return _side(rows, height, overlap, step), _side(columns, width, overlap, step)


def cut(view: View, corner: Corner, height: int, width: int) -> Pixels:
    """The pixels of a tile, ``uint8 (height, width, 3)`` RGB; black outside of the view."""
    x, y = corner
    part = view.pixels[y : y + height, x : x + width]
    if part.shape[:2] == (height, width):
        return part
    tile = np.zeros((height, width, 3), np.uint8)
    tile[: part.shape[0], : part.shape[1]] = part
    return tile


def owned(corners: Sequence[Corner], height: int, width: int, view: View) -> list[Part]:
    """The part of a view that each tile is used for: up to the middle of its overlaps.

    The parts cover all of the retina and do not overlap.

    Args:
        corners: from :func:`lay`.
        height: of a tile, in pixels.
        width: of a tile, in pixels.
        view: that was cut.
    """
    rows, columns = view.pixels.shape[:2]
    across = _shares(sorted({x for x, _ in corners}), width, columns)
    down = _shares(sorted({y for _, y in corners}), height, rows)
    return [(across[x][0], down[y][0], across[x][1], down[y][1]) for x, y in corners]


def paste(whole: Maps, seen: Maps, corner: Corner, part: Part) -> None:
    """Copy a tile's part of the view from its maps into the maps of the whole view.

    Args:
        whole: ``uint8 (K, H, W)``, of the view; changed.
        seen: ``uint8 (K, height, width)``, of the tile.
        corner: of the tile.
        part: from :func:`owned`.
    """
    (x, y), (left, top, right, bottom) = corner, part
    whole[:, top:bottom, left:right] = seen[:, top - y : bottom - y, left - x : right - x]


def _shares(starts: Sequence[int], side: int, limit: int) -> dict[int, tuple[int, int]]:
    """The first pixel and the end of each tile's share of a side, by the start of the tile."""
    seams = [(start + side + following) // 2 for start, following in pairwise(starts)]
    ends = [*seams, min(starts[-1] + side, limit)]
    return dict(zip(starts, pairwise((starts[0], *ends)), strict=True))


def _side(length: int, largest: int, overlap: int, step: int) -> int:
    """The smallest side of tiles, as few as possible, that cover a length."""
    count = 1 if length <= largest else math.ceil((length - overlap) / (largest - overlap))
    needed = (length + (count - 1) * overlap) / count
    return min(largest, math.ceil(needed / step) * step)


def _starts(length: int, tile: int, overlap: int) -> list[int]:
    """Evenly spaced starts of tiles along a side."""
    if length <= tile:
        return [0]
    count = math.ceil((length - overlap) / (tile - overlap))
    return [round(i * (length - tile) / (count - 1)) for i in range(count)]


def _meets(view: View, box: tuple[int, int, int, int]) -> bool:
    """Whether the field's disc reaches into a box."""
    x, y = view.centre
    near_x, near_y = min(max(x, box[0]), box[2]), min(max(y, box[1]), box[3])
    return math.hypot(near_x - x, near_y - y) < view.radius - EDGE
