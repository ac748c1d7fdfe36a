"""Whether a detector's exported graph finds what its network finds."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from fundoscope.errors import FundoscopeError
from fundoscope.lesions import heads, tiles
from fundoscope.lesions.heads import Boxes
from fundoscope.models import runtime
from fundoscope.photo.decode import Pixels
from fundoscope.train.detection.boxes import graph as detection_graph
from fundoscope.train.detection.views.view import AnnotatedView
from fundoscope.train.networks.normalise import Normalisation

if TYPE_CHECKING:
    from torch import nn

COMPARED: Final = 12
"""Tiles of validation on which ONNX Runtime is compared with torch."""
COMPARED_SIDES: Final = ((512, 512), (416, 608))
MAX_PIXELS, MAX_SCORE = 1.0, 0.01
"""By how much a box and its score may differ between ONNX Runtime and torch."""
STRAY: Final = 0.01
"""Share of boxes that may differ by more: of two that overlap and have all but the same score,
suppression may keep the other. A trained network has none of them, a random one a few."""
SURE: Final = 0.1
"""Boxes of a lower score are not compared one by one: near-equal ones change places at the edge
of what is kept."""


def tiles_of(val: Sequence[AnnotatedView], size: tuple[int, int], at_once: int) -> Iterator[Pixels]:
    """Tiles of validation around a lesion each, ``uint8 (at_once, H, W, 3)``, without an end."""
    cut = []
    while True:
        for each in val:
            middle = each.boxes[len(each.boxes) // 2] if len(each.boxes) else np.zeros(4)
            height, width = size
            x = int(np.clip(middle[0] - width / 2, 0, max(0, each.pixels.shape[1] - width)))
            y = int(np.clip(middle[1] - height / 2, 0, max(0, each.pixels.shape[0] - height)))
            cut.append(tiles.cut(each.view, (x, y), height, width))
            if len(cut) == at_once:
                yield np.stack(cut)
                cut = []


def against_torch(
    network: nn.Module,
    model: bytes,
    normalisation: Normalisation,
    val: Sequence[AnnotatedView],
    at_once: int,
) -> tuple[int, float, float]:
    """Compare the boxes of an exported graph with those of its network on validation tiles.

    Args:
        network: in evaluation mode.
        model: the bytes of the graph.
        normalisation: what stands before the network.
        val: where the tiles come from.
        at_once: tiles that the graph takes a call.

    Returns:
        Boxes compared, and the largest differences in pixels and score.

    Raises:
        FundoscopeError: ONNX Runtime finds other boxes than torch.
    """
    import torch

    session = runtime.open_graph(model, "the exported graph")
    module = detection_graph.FromPixels(network, normalisation).eval()

    def theirs(shown: Pixels) -> Boxes:
        with torch.inference_mode():
            return Boxes(*(out.numpy() for out in module(torch.from_numpy(shown))))

    same = compared(partial(heads.boxes, session), theirs, val, at_once)
    if not len(same[0]):
        raise _other(0, 0)
    return len(same[0]), float(same[0].max()), float(same[1].max())


def compared(
    ours: Callable[[Pixels], Boxes],
    theirs: Callable[[Pixels], Boxes],
    val: Sequence[AnnotatedView],
    at_once: int,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """How far boxes, and how far their scores, are apart on validation tiles; without strays.

    Args:
        ours, theirs: the boxes of ONNX Runtime and of torch on ``uint8 (at_once, H, W, 3)`` tiles.
        val: where the tiles come from.
        at_once: tiles a call.

    Raises:
        FundoscopeError: more of them differ than may.
    """
    away, apart = np.zeros(0), np.zeros(0)
    for size in COMPARED_SIDES:
        source = tiles_of(val, size, at_once)
        for _ in range(COMPARED // at_once // len(COMPARED_SIDES)):
            shown = next(source)
            found = difference(theirs(shown), ours(shown))
            away, apart = np.append(away, found[0]), np.append(apart, found[1])
    same = (away < MAX_PIXELS) & (apart < MAX_SCORE)
    if same.size and same.mean() < 1 - STRAY:
        raise _other(int(same.sum()), same.size)
    return away[same], apart[same]


def _other(same: int, count: int) -> FundoscopeError:
    return FundoscopeError(
        "the exported graph",
        f"finds {same} of torch's {count} boxes within {MAX_PIXELS:g} pixel and"
        f" {MAX_SCORE} of their score",
        "report it with the versions of torch, torchvision, onnx and onnxruntime",
    )


def difference(theirs: Boxes, ours: Boxes) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """How far each sure box of torch, and its score, is from the nearest of its tile and kind."""
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
