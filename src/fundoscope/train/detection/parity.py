"""Comparing what an exported graph finds in ONNX Runtime with what its network finds in torch."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fundoscope.errors import FundoscopeError
from fundoscope.lesions import tiles
from fundoscope.lesions.heads import DetectedBoxes
from fundoscope.photo.decode import Pixels
from fundoscope.train.detection.views.view import AnnotatedView

COMPARED: Final = 12
"""Validation tiles that are compared."""
COMPARED_SIDES: Final = ((512, 512), (416, 608))
"""Their heights and widths in pixels."""
MAX_PIXELS, MAX_SCORE = 1.0, 0.01
"""Largest allowed difference of a box's side, and of its score."""
STRAY: Final = 0.01
"""Share of boxes that may differ by more. Of two overlapping boxes with nearly equal scores,
suppression may keep the other one. A trained network has no such box, a random one a few."""
SURE: Final = 0.1
"""Boxes of a lower score are not compared: nearly equal ones change places at the limit of the
number that is kept."""


class Difference(NamedTuple):
    """How far an exported graph is from its network.

    Attributes:
        compared: number of boxes.
        pixels: largest difference of a box's side, in pixels.
        score: largest difference of a score, or of a pixel's probability.
    """

    compared: int
    pixels: float
    score: float


def tiles_of(val: Sequence[AnnotatedView], size: tuple[int, int], at_once: int) -> Iterator[Pixels]:
    """Batches of tiles, each tile around a lesion, ``uint8 (at_once, H, W, 3)``, without an end."""
    cut = []
    while True:
        for photograph in val:
            boxes, (rows, columns) = photograph.boxes, photograph.pixels.shape[:2]
            corners = boxes[len(boxes) // 2] if len(boxes) else np.zeros(4)
            height, width = size
            x = int(np.clip(corners[0] - width / 2, 0, max(0, columns - width)))
            y = int(np.clip(corners[1] - height / 2, 0, max(0, rows - height)))
            cut.append(tiles.cut(photograph.view, (x, y), height, width))
            if len(cut) == at_once:
                yield np.stack(cut)
                cut = []


def compared(
    ours: Callable[[Pixels], DetectedBoxes],
    theirs: Callable[[Pixels], DetectedBoxes],
    val: Sequence[AnnotatedView],
    at_once: int,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """How far boxes and their scores are apart on validation tiles, each ``float (N,)``.

    Boxes that differ by more than allowed are left out, where there are few enough of them.

    Args:
        ours: gives the boxes of ONNX Runtime on ``uint8 (at_once, H, W, 3)`` tiles.
        theirs: gives those of torch.
        val: photographs that the tiles are cut from.
        at_once: tiles per call.

    Raises:
        FundoscopeError: too many boxes differ.
    """
    away, apart = np.zeros(0), np.zeros(0)
    for size in COMPARED_SIDES:
        source = tiles_of(val, size, at_once)
        for _ in range(COMPARED // at_once // len(COMPARED_SIDES)):
            pixels = next(source)
            distances, scores = difference(theirs(pixels), ours(pixels))
            away, apart = np.append(away, distances), np.append(apart, scores)
    same = (away < MAX_PIXELS) & (apart < MAX_SCORE)
    if same.size and same.mean() < 1 - STRAY:
        raise other_boxes(int(same.sum()), same.size)
    return away[same], apart[same]


def other_boxes(same: int, count: int) -> FundoscopeError:
    """The error for a graph of whose boxes only ``same`` of ``count`` are torch's."""
    return FundoscopeError(
        "the exported graph",
        f"finds {same} of torch's {count} boxes within {MAX_PIXELS:g} pixel and"
        f" {MAX_SCORE} of their score",
        "report it with the versions of torch, torchvision, onnx and onnxruntime",
    )


def difference(
    theirs: DetectedBoxes, ours: DetectedBoxes
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """How far each box of torch, and its score, is from the nearest of its tile and kind.

    Only boxes of a score of :data:`SURE` or more are compared; a missing one is infinitely far.
    """
    sure = theirs.scores >= SURE
    if not sure.any() or len(ours.scores) == 0:
        nowhere = np.full(int(sure.sum()), np.inf)
        return nowhere, nowhere
    same = (theirs.tile[sure, None] == ours.tile) & (theirs.labels[sure, None] == ours.labels)
    away = np.abs(theirs.boxes[sure, None] - ours.boxes[None]).max(axis=2)
    apart = np.abs(theirs.scores[sure, None] - ours.scores[None])
    nearest = np.where(same, away + apart, np.inf).argmin(axis=1)
    rows = np.arange(len(nearest))
    missing = ~same[rows, nearest]
    return (
        np.where(missing, np.inf, away[rows, nearest]),
        np.where(missing, np.inf, apart[rows, nearest]),
    )
