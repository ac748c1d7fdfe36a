"""Running a detector's graph, which gives boxes, or maps whose components become boxes.

=========  =========================================================================================
head       output of its graph
=========  =========================================================================================
``boxes``  boxes in a tile's pixels, as from Faster R-CNN
``mask``   for each kind a map: the probability that a pixel of a tile belongs to a lesion
=========  =========================================================================================
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from fundoscope.errors import PhotoError
from fundoscope.models import runtime
from fundoscope.photo.decode import Pixels

if TYPE_CHECKING:
    import onnxruntime

BOXES: Final = "boxes"
MASK: Final = "mask"
OUTPUTS: Final = ("tile", "boxes", "labels", "scores")
"""The outputs of a ``boxes`` head, the fields of :class:`DetectedBoxes`."""
MAPS: Final = "maps"
"""The output of a ``mask`` head."""
HEADS: Final[Mapping[str, tuple[str, ...]]] = {BOXES: OUTPUTS, MASK: (MAPS,)}
"""The outputs of each head's graph."""


@dataclass(frozen=True, slots=True)
class DetectedBoxes:
    """Boxes on any number of tiles.

    Attributes:
        tile: ``int (N,)``, the tile of each box, from 0.
        boxes: ``float (N, 4)``: x0, y0, x1, y1 in that tile's pixels.
        labels: ``int (N,)``, the place of its kind in the class list, from 1.
        scores: ``float (N,)``, 0 to 1.
    """

    tile: NDArray[np.int64]
    boxes: NDArray[np.float64]
    labels: NDArray[np.int64]
    scores: NDArray[np.float64]


def subset(detections: DetectedBoxes, chosen: NDArray[np.int64]) -> DetectedBoxes:
    """The boxes at some places, in that order.

    Args:
        detections: all boxes.
        chosen: ``int (n,)``, places in ``detections``.
    """
    return DetectedBoxes(
        detections.tile[chosen],
        detections.boxes[chosen],
        detections.labels[chosen],
        detections.scores[chosen],
    )


def boxes(session: onnxruntime.InferenceSession, tiles: Pixels) -> DetectedBoxes:
    """The boxes of a graph that has the outputs :data:`OUTPUTS`.

    Args:
        session: takes ``uint8 (B, H, W, 3)`` RGB.
        tiles: ``uint8 (n, H, W, 3)`` RGB; n is at most B. Black tiles are added up to B.

    Raises:
        MemoryError: there is too little memory for the graph.
        PhotoError: the network failed, or gave values that are not finite.
    """
    tile, corners, labels, scores = runtime.outputs(session, _filled(session, tiles), OUTPUTS)
    runtime.require_finite("the detector", corners, scores)
    real = tile < len(tiles)
    return DetectedBoxes(
        tile[real], corners[real].astype(np.float64), labels[real], scores[real].astype(np.float64)
    )


def require_valid(detections: DetectedBoxes, kinds: int) -> None:
    """Check boxes against the class list, so that none is taken for another kind.

    Args:
        detections: of :func:`boxes`.
        kinds: the length of the class list.

    Raises:
        PhotoError: a label, a tile or a score is out of its range.
    """
    labels, tile, scores = detections.labels, detections.tile, detections.scores
    valid = (labels >= 1) & (labels <= kinds) & (tile >= 0) & (scores >= 0) & (scores <= 1)
    if not valid.all():
        raise PhotoError(
            "the detector",
            "has no result: the network gives boxes with impossible kinds, tiles or scores",
            "use another bundle, or export this one again",
            code=runtime.INVALID_OUTPUT,
        )


def maps(session: onnxruntime.InferenceSession, tiles: Pixels) -> NDArray[np.uint8]:
    """The maps of a graph that has the output :data:`MAPS`.

    Args:
        session: as for :func:`boxes`.
        tiles: likewise.

    Returns:
        ``uint8 (n, K, H, W)``: for each kind the probability, times 255, that a pixel belongs to a
        lesion.

    Raises:
        MemoryError: there is too little memory for the graph.
        PhotoError: the network failed.
    """
    (output,) = runtime.outputs(session, _filled(session, tiles), (MAPS,))
    real: NDArray[np.uint8] = output[: len(tiles)]
    return real


def _filled(session: onnxruntime.InferenceSession, tiles: Pixels) -> Pixels:
    """The tiles, with black ones added up to the number that a graph takes."""
    filled = np.zeros((session.get_inputs()[0].shape[0], *tiles.shape[1:]), np.uint8)
    filled[: len(tiles)] = tiles
    return filled
