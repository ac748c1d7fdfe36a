"""What comes out of a detector's graph, brought to one form: boxes in a tile's pixels.

A head is a function from a loaded graph and tiles to boxes. ``boxes`` is that of Faster R-CNN and
its kin; one that paints pixels and makes boxes of their components takes its place beside it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from fundoscope.models import runtime
from fundoscope.photo.decode import Pixels

if TYPE_CHECKING:
    import onnxruntime

BOXES: Final = "boxes"
OUTPUTS: Final = ("tile", "boxes", "labels", "scores")


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
    batch = session.get_inputs()[0].shape[0]
    filled = np.zeros((batch, *tiles.shape[1:]), np.uint8)
    filled[: len(tiles)] = tiles
    tile, found, labels, scores = runtime.outputs(session, filled, OUTPUTS)
    real = tile < len(tiles)
    return Boxes(
        tile[real], found[real].astype(np.float64), labels[real], scores[real].astype(np.float64)
    )


HEADS: Final[Mapping[str, Callable[[onnxruntime.InferenceSession, Pixels], Boxes]]] = {BOXES: boxes}
