"""What comes out of a detector's graph: boxes, or maps whose components become boxes.

=========  =========================================================================================
head       its graph gives
=========  =========================================================================================
``boxes``  boxes in a tile's pixels, as Faster R-CNN and its kin do
``mask``   of each kind a map: how likely each pixel of a tile belongs to a lesion
=========  =========================================================================================
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from fundoscope.models import runtime
from fundoscope.photo.decode import Pixels

if TYPE_CHECKING:
    import onnxruntime

BOXES: Final = "boxes"
MASK: Final = "mask"
OUTPUTS: Final = ("tile", "boxes", "labels", "scores")
MAPS: Final = "maps"
HEADS: Final[Mapping[str, tuple[str, ...]]] = {BOXES: OUTPUTS, MASK: (MAPS,)}
"""The outputs of each head's graph."""


@dataclass(frozen=True, slots=True)
class Boxes:
    """Boxes of any number of tiles.

    Attributes:
        tile: ``int (N,)``, on which tile each lies, from 0.
        boxes: ``float (N, 4)``, x0, y0, x1, y1 in that tile's pixels.
        labels: ``int (N,)``, place of its kind in the class list, plus one.
        scores: ``float (N,)``, 0 to 1.
    """

    tile: NDArray[np.int64]
    boxes: NDArray[np.float64]
    labels: NDArray[np.int64]
    scores: NDArray[np.float64]


def boxes(session: onnxruntime.InferenceSession, tiles: Pixels) -> Boxes:
    """The boxes that a graph with the four outputs :data:`OUTPUTS` gives.

    Args:
        session: takes ``uint8 (B, H, W, 3)`` RGB.
        tiles: ``uint8 (n, H, W, 3)``, n no more than B; black ones are added up to B.

    Raises:
        MemoryError: there is too little for the graph.
    """
    tile, found, labels, scores = runtime.outputs(session, _filled(session, tiles), OUTPUTS)
    real = tile < len(tiles)
    return Boxes(
        tile[real], found[real].astype(np.float64), labels[real], scores[real].astype(np.float64)
    )


def maps(session: onnxruntime.InferenceSession, tiles: Pixels) -> NDArray[np.uint8]:
    """The maps that a graph with the output :data:`MAPS` gives, ``uint8 (n, K, H, W)``.

    Of each kind the probability, times 255, that a pixel belongs to a lesion.

    Args, errors: as :func:`boxes`.
    """
    (found,) = runtime.outputs(session, _filled(session, tiles), (MAPS,))
    given: NDArray[np.uint8] = found[: len(tiles)]
    return given


def _filled(session: onnxruntime.InferenceSession, tiles: Pixels) -> Pixels:
    """As many tiles as a graph takes; those that are added are black."""
    filled = np.zeros((session.get_inputs()[0].shape[0], *tiles.shape[1:]), np.uint8)
    filled[: len(tiles)] = tiles
    return filled
