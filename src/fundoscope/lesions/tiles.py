"""How a view is cut into tiles that overlap, and which of them show retina."""

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
EDGE: Final = 1e-6


def lay(view: View, height: int, width: int, overlap: int) -> list[Corner]:
    """Where tiles of a size lie so that every pixel of the retina is on one of them.

    Tiles lie evenly, so they overlap by ``overlap`` pixels or more. Those that the disc does not
    reach are left out. A view that is smaller than a tile has one, which reaches beyond it.

    Args:
        view: of :func:`fundoscope.lesions.view.make`.
        height, width: of a tile, in pixels.
        overlap: the least of two neighbours, in pixels; less than a tile.
    """
    rows = _starts(view.pixels.shape[0], height, overlap)
    columns = _starts(view.pixels.shape[1], width, overlap)
    return [(x, y) for y in rows for x in columns if _meets(view, (x, y, x + width, y + height))]


def fit(view: View, height: int, width: int, overlap: int, step: int) -> tuple[int, int]:
    """Height and width of the tiles that cover a view with the fewest pixels.

    As few tiles as the largest allowed size needs, each as small as then will do, so that little is
    looked at twice.

    Args:
        view: of :func:`fundoscope.lesions.view.make`.
        height, width: of the largest tile, in pixels; multiples of ``step``.
        overlap: of two neighbouring tiles, at least.
        step: sides are multiples of it.
    """
    rows, columns = view.pixels.shape[:2]
    return _side(rows, height, overlap, step), _side(columns, width, overlap, step)


def cut(view: View, corner: Corner, height: int, width: int) -> Pixels:
    """A tile's pixels, ``uint8 (height, width, 3)``; black where it reaches beyond the view."""
    x, y = corner
    part = view.pixels[y : y + height, x : x + width]
    if part.shape[:2] == (height, width):
        return part
    tile = np.zeros((height, width, 3), np.uint8)
    tile[: part.shape[0], : part.shape[1]] = part
    return tile


def owned(corners: Sequence[Corner], height: int, width: int, view: View) -> list[Part]:
    """Which part of a view each tile answers for: up to the middle of its overlaps.

    Together they are all of the retina, and none has a pixel of another.

    Args:
        corners: of :func:`lay`.
        height, width: of a tile, in pixels.
        view: that was cut.
    """
    rows, columns = view.pixels.shape[:2]
    across = _shares(sorted({x for x, _ in corners}), width, columns)
    down = _shares(sorted({y for _, y in corners}), height, rows)
    return [(across[x][0], down[y][0], across[x][1], down[y][1]) for x, y in corners]


def paste(whole: Maps, seen: Maps, corner: Corner, part: Part) -> None:
    """Put what a tile shows of the part that it answers for into maps of the whole view.

    Args:
        whole: ``uint8 (K, H, W)``, changed.
        seen: ``uint8 (K, height, width)``, of the tile.
        corner: of the tile.
        part: of :func:`owned`.
    """
    (x, y), (left, top, right, bottom) = corner, part
    whole[:, top:bottom, left:right] = seen[:, top - y : bottom - y, left - x : right - x]


def _shares(starts: Sequence[int], side: int, limit: int) -> dict[int, tuple[int, int]]:
    """First and last pixel (exclusive) of each start's share of a side."""
    seams = [(one + side + other) // 2 for one, other in pairwise(starts)]
    ends = [*seams, min(starts[-1] + side, limit)]
    return dict(zip(starts, pairwise((starts[0], *ends)), strict=True))


def _side(length: int, largest: int, overlap: int, step: int) -> int:
    count = 1 if length <= largest else math.ceil((length - overlap) / (largest - overlap))
    needed = (length + (count - 1) * overlap) / count
    return min(largest, math.ceil(needed / step) * step)


def _starts(length: int, tile: int, overlap: int) -> list[int]:
    """Evenly spread starts of tiles along a side."""
    if length <= tile:
        return [0]
    count = math.ceil((length - overlap) / (tile - overlap))
    return [round(i * (length - tile) / (count - 1)) for i in range(count)]


def _meets(view: View, box: tuple[int, int, int, int]) -> bool:
    """Whether the field's disc reaches into a box."""
    x, y = view.centre
    near_x, near_y = min(max(x, box[0]), box[2]), min(max(y, box[1]), box[3])
    return math.hypot(near_x - x, near_y - y) < view.radius - EDGE
