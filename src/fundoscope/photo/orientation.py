"""Turning decoded pixels upright, by the EXIF orientation of their photograph (1 to 8)."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from fundoscope.geometry import Affine

TRANSPOSED: Final = 5
"""Orientations from this one on swap rows and columns."""
MIRRORED_X: Final = (2, 3, 6, 7)
MIRRORED_Y: Final = (3, 4, 7, 8)
"""Orientations that mirror the picture, after rows and columns were swapped."""


def upright(pixels: NDArray[np.uint8], orientation: int) -> NDArray[np.uint8]:
    """Apply an orientation.

    Args:
        pixels: ``uint8 (H, W, 3)``, as stored.
        orientation: 1 to 8.

    Returns:
        ``uint8 (H, W, 3)``, or ``(W, H, 3)`` if the orientation swaps rows and columns.
    """
    if orientation >= TRANSPOSED:
        pixels = pixels.transpose(1, 0, 2)
    if orientation in MIRRORED_Y:
        pixels = pixels[::-1]
    if orientation in MIRRORED_X:
        pixels = pixels[:, ::-1]
    return np.ascontiguousarray(pixels)


def upright_size(size: tuple[int, int], orientation: int) -> tuple[int, int]:
    """Width and height of an upright photograph, from those as stored."""
    return size if orientation < TRANSPOSED else size[::-1]


def to_decoded(
    scale: float, size: tuple[int, int], shape: tuple[int, ...], orientation: int
) -> Affine:
    """The map from the photograph's pixels to those decoded at a reduced scale.

    If a side is not a multiple of the scale, the decoder rounds it up at the right or lower edge of
    the stored picture. If the orientation turns that edge to the left or top, the pixels shift.

    Args:
        scale: decoded over stored size, above 0 and at most 1.
        size: width and height of the upright photograph.
        shape: of the upright decoded pixels.
        orientation: 1 to 8.
    """
    left = scale * size[0] if orientation in MIRRORED_X else shape[1]
    top = scale * size[1] if orientation in MIRRORED_Y else shape[0]
    return Affine(xx=scale, yy=scale, x0=shape[1] - left, y0=shape[0] - top)
