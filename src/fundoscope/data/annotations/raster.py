"""From boxes and outlines to pixels, by one rule: a pixel counts if its centre lies inside.

The centre of the first pixel is (0.5, 0.5); a centre on the left or upper edge is inside, one on
the right or lower edge is not, so shapes that share an edge share no pixel. A shape that contains
no centre gets the pixel in which its middle lies, so that no small lesion vanishes.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from fundoscope import limits
from fundoscope.data.annotations.annotation import Annotation, Mask, Outline
from fundoscope.errors import UsageError
from fundoscope.geometry import Box


def pixels_of(annotation: Annotation, width: int, height: int) -> Mask | None:
    """The pixels of an object inside a photograph of ``width`` x ``height`` pixels.

    Its mask counts first, then its outlines, then its box.

    Returns:
        ``None`` where all of it lies outside the photograph.
    """
    if annotation.mask is not None:
        return _clipped(annotation.mask, width, height)
    if annotation.outlines:
        return fill_outlines(annotation.outlines, width, height)
    return fill_box(annotation.box, width, height)


def fill_box(box: Box, width: int, height: int) -> Mask | None:
    """The pixels in a box; ``None`` where it lies outside the photograph."""
    left, right = _pixels_between(box[0], box[2], width)
    top, bottom = _pixels_between(box[1], box[3], height)
    if left >= right or top >= bottom:
        return None
    return Mask(left, top, np.ones((bottom - top, right - left), dtype=bool))


def fill_outlines(outlines: tuple[Outline, ...], width: int, height: int) -> Mask | None:
    """The pixels in any of the polygons, by the even-odd rule where a polygon crosses itself.

    Returns:
        ``None`` where they lie outside the photograph.

    Raises:
        UsageError: it is more work than the outline of a lesion can be.
    """
    corners = np.concatenate([np.asarray(outline, dtype=np.float64) for outline in outlines])
    (x0, y0), (x1, y1) = corners.min(axis=0), corners.max(axis=0)
    frame = fill_box((float(x0), float(y0), float(x1), float(y1)), width, height)
    if frame is None:
        return None
    polygons = [np.asarray(outline, dtype=np.float64) for outline in outlines]
    _require_crossings(polygons)
    inside = np.zeros(frame.pixels.shape, dtype=bool)
    for polygon in polygons:
        inside |= _inside(polygon, frame)
    if inside.any():
        return Mask.of(inside, frame.x, frame.y)
    middle_x = (max(x0, 0.0) + min(x1, width)) / 2
    middle_y = (max(y0, 0.0) + min(y1, height)) / 2
    return fill_box((middle_x, middle_y, middle_x, middle_y), width, height)


def _require_crossings(polygons: list[NDArray[np.float64]]) -> None:
    """Check how many rows the edges of polygons cross, which is the work to fill them.

    Raises:
        UsageError: more than :data:`fundoscope.limits.MAX_CROSSINGS`.
    """
    crossed = sum(
        float(np.abs(np.diff(polygon[:, 1])).sum()) + len(polygon) for polygon in polygons
    )
    if crossed > limits.MAX_CROSSINGS:
        raise UsageError(
            "a polygon",
            f"is too complex: its edges cross {crossed:.0f} rows, at most {limits.MAX_CROSSINGS}"
            " are allowed",
            "draw it with fewer corners",
        )


def _inside(corners: NDArray[np.float64], frame: Mask) -> NDArray[np.bool_]:
    """Which pixel centres of a frame lie inside a polygon: an odd number of edges to their left."""
    rows, columns = frame.pixels.shape
    # Only whether their number is odd matters, so it may overflow.
    crossings = np.zeros((rows, columns + 1), dtype=np.uint8)
    centres = frame.y + np.arange(rows) + 0.5
    for (x0, y0), (x1, y1) in zip(corners, np.roll(corners, -1, axis=0), strict=True):
        low, high = min(y0, y1), max(y0, y1)
        first, last = np.searchsorted(centres, (low, high))
        if first == last:
            continue
        crossed = x0 + (centres[first:last] - y0) * ((x1 - x0) / (y1 - y0))
        column = np.clip(np.ceil(crossed - 0.5) - frame.x, 0, columns).astype(np.int64)
        crossings[np.arange(first, last), column] += 1
    left = np.cumsum(crossings[:, :-1], axis=1, dtype=np.uint8)
    return (left & 1).astype(np.bool_)


def _pixels_between(low: float, high: float, side: int) -> tuple[int, int]:
    """The first pixel whose centre lies from ``low`` to ``high``, and the one after the last."""
    if low >= side or high < 0.0 or low < high <= 0.0:
        return 0, 0
    low, high = max(low, 0.0), min(high, float(side))
    first, end = math.ceil(low - 0.5), math.ceil(high - 0.5)
    if first >= end:
        first = min(math.floor((low + high) / 2), side - 1)
        end = first + 1
    return first, end


def _clipped(mask: Mask, width: int, height: int) -> Mask | None:
    left, top = max(-mask.x, 0), max(-mask.y, 0)
    inner = mask.pixels[top : max(height - mask.y, 0), left : max(width - mask.x, 0)]
    return Mask.of(inner, mask.x + left, mask.y + top) if inner.any() else None
