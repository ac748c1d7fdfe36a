"""The border around the disc of retina: its colour, and how much each pixel differs from it."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from fundoscope.photo.decode import Pixels

Colour = NDArray[np.float64]
"""``float64 (3,)``: red, green, blue, 0 to 255."""
Plane = NDArray[np.uint8]
"""``uint8 (H, W)``."""

CORNER: Final = 0.03
"""Side of the corner patches that are measured, as a share of the shorter side."""
CORNER_AGREEMENT: Final = 40.0
"""Largest difference (0 to 255) between corners of the same border."""
INSIDE_LIKENESS: Final = 0.35
"""Corners that differ from the middle by less than this share of its brightness show retina."""
BLACK: Final = 11.0
"""A border whose brightest channel stays below this level (0 to 255) is black with noise."""
LINE: Final = 4
"""Width, in working pixels, of the line where a coloured frame fades into a black border."""


def colour(pixels: Pixels) -> Colour:
    """The border's colour: that of the corners if three or more agree, else black.

    Args:
        pixels: ``uint8 (H, W, 3)`` RGB.

    Returns:
        ``float64 (3,)`` RGB, 0 to 255. It is also black if the corners show retina.
    """
    side = max(2, round(CORNER * min(pixels.shape[:2])))
    patches = [
        pixels[rows, columns].reshape(-1, 3)
        for rows in (slice(None, side), slice(-side, None))
        for columns in (slice(None, side), slice(-side, None))
    ]
    corners = np.median(patches, axis=1)
    middle = np.median(corners, axis=0)
    agree = np.abs(corners - middle).max(axis=1) < CORNER_AGREEMENT
    border = corners[agree].mean(axis=0) if agree.sum() >= 3 else np.zeros(3)
    return np.zeros(3) if _is_inside(pixels, border) else border


def distance(pixels: Pixels, border: Colour) -> Plane:
    """How much each pixel differs from the border.

    Inside a coloured frame there is often a black border too, so a pixel that is near either colour
    counts as border.

    Args:
        pixels: ``uint8 (H, W, 3)`` RGB.
        border: from :func:`colour`.

    Returns:
        ``uint8 (H, W)``, 0 (border) to 255: the largest difference over the three channels.
    """
    away = _away(pixels, border)
    return np.minimum(away, _away(pixels, np.zeros(3))) if coloured(border) else away


def smoothed(distance: Plane) -> NDArray[np.float32]:
    """The mean of each pixel and its eight neighbours; the outermost pixels count twice.

    Args:
        distance: ``uint8 (H, W)``.

    Returns:
        ``float32 (H, W)``, 0 to 255.
    """
    padded = np.pad(distance, 1, mode="edge").astype(np.uint16)
    rows = padded[:-2] + padded[1:-1] + padded[2:]
    sums = rows[:, :-2] + rows[:, 1:-1] + rows[:, 2:]
    mean: NDArray[np.float32] = sums * np.float32(1 / 9)
    return mean


def coloured(border: Colour) -> bool:
    """Whether a border has a colour other than black."""
    return float(border.max()) > BLACK


def _away(pixels: Pixels, colour: Colour) -> Plane:
    # Whole bytes, one channel at a time: numpy is slow along an axis of length three.
    away: Plane = np.zeros(pixels.shape[:2], dtype=np.uint8)
    for channel, level in enumerate(np.rint(colour).astype(np.uint8)):
        plane = np.ascontiguousarray(pixels[..., channel])
        np.maximum(away, np.maximum(plane, level) - np.minimum(plane, level), out=away)
    return away


def _is_inside(pixels: Pixels, border: Colour) -> bool:
    """Whether the corners look like the picture's middle: then they are retina, not border."""
    height, width = pixels.shape[:2]
    middle = pixels[height // 4 : -height // 4 : 4, width // 4 : -width // 4 : 4].reshape(-1, 3)
    inside = np.median(middle, axis=0)
    alike = float(np.abs(inside - border).max()) < INSIDE_LIKENESS * float(inside.max())
    return alike and float(border.max()) > BLACK


def without_line(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """A mask without its outermost line, where a coloured frame fades into the border.

    Args:
        mask: ``bool (H, W)``.
    """
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    inner = np.zeros_like(mask)
    if len(rows):
        inner[rows[0] + LINE : rows[-1] + 1 - LINE, columns[0] + LINE : columns[-1] + 1 - LINE] = (
            True
        )
    return mask & inner
