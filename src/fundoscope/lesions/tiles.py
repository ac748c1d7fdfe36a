"""How a view is cut into tiles that overlap, and which of them show retina."""

from __future__ import annotations

import math
from typing import Final

import numpy as np

from fundoscope.lesions.view import View
from fundoscope.photo.decode import Pixels

Corner = tuple[int, int]
"""Column and row of a tile's first pixel in the view."""
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
