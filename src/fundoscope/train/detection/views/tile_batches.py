"""The tiles of a whole photograph, a few at a time, as validation reads them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

import numpy as np

from fundoscope.lesions import tiles
from fundoscope.lesions.tiles import Corner
from fundoscope.lesions.view import View
from fundoscope.photo.decode import Pixels

AT_ONCE: Final = 4
"""Tiles per call of the network."""


def batches(
    view: View, corners: Sequence[Corner], size: tuple[int, int]
) -> Iterator[tuple[int, Pixels]]:
    """Batches of tiles ``uint8 (n, H, W, 3)``, each with the position of its first tile.

    Args:
        view: a photograph at the working scale.
        corners: of the tiles, see :func:`fundoscope.lesions.tiles.lay`.
        size: height and width of a tile in pixels.
    """
    for first in range(0, len(corners), AT_ONCE):
        batch = corners[first : first + AT_ONCE]
        yield first, np.stack([tiles.cut(view, corner, *size) for corner in batch])
