"""Boxes of overlapping tiles brought together, with no double boxes at the seams."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from fundoscope.lesions.heads import Boxes


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
        suppress: of two boxes of one kind that overlap by this (IoU) the better one stays.

    Returns:
        Boxes in the view's pixels, best first; ``tile`` is kept.
    """
    raise NotImplementedError
