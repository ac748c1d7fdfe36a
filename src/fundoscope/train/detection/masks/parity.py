"""Whether the exported graph of a segmentation network gives the maps that its network gives."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from fundoscope.errors import FundoscopeError
from fundoscope.lesions import heads
from fundoscope.lesions.components import FULL, components
from fundoscope.lesions.heads import DetectedBoxes
from fundoscope.models import runtime
from fundoscope.photo.decode import Pixels
from fundoscope.train.detection import parity
from fundoscope.train.detection.masks.graph import FromPixels
from fundoscope.train.detection.parity import MAX_SCORE, Difference
from fundoscope.train.detection.views.view import AnnotatedView
from fundoscope.train.networks.normalise import Normalisation

if TYPE_CHECKING:
    from torch import nn

LEVEL: Final = 0.5
"""Probability from which a pixel belongs to a lesion, for the boxes that are compared."""


def against_torch(
    network: nn.Module,
    model: bytes,
    normalisation: Normalisation,
    val: Sequence[AnnotatedView],
    at_once: int,
) -> Difference:
    """Compare the maps of an exported graph, and the boxes that they become, with its network's.

    Args:
        network: in evaluation mode.
        model: the bytes of the graph.
        normalisation: what brings pixels to the network's range.
        val: photographs that the tiles are cut from.
        at_once: tiles per call.

    Returns:
        The difference; its ``score`` is the largest of a pixel's probability.

    Raises:
        FundoscopeError: ONNX Runtime gives other maps or boxes than torch.
    """
    import torch

    session = runtime.open_graph(model, "the exported graph")
    module = FromPixels(network, normalisation).eval()
    apart = 0.0

    def theirs(pixels: Pixels) -> DetectedBoxes:
        nonlocal apart
        with torch.inference_mode():
            maps = module(torch.from_numpy(pixels)).numpy()
        levels = np.abs(heads.maps(session, pixels).astype(np.int64) - maps)
        apart = max(apart, float(levels.max()) / FULL)
        return _boxes(maps)

    def ours(pixels: Pixels) -> DetectedBoxes:
        return _boxes(heads.maps(session, pixels))

    away, _ = parity.compared(ours, theirs, val, at_once)
    if apart > MAX_SCORE:
        raise FundoscopeError(
            "the exported graph",
            f"gives a probability that differs by {apart:.3f} from torch's",
            "report it with the versions of torch, onnx and onnxruntime",
        )
    return Difference(len(away), float(away.max(initial=0.0)), apart)


def _boxes(maps: NDArray[np.uint8]) -> DetectedBoxes:
    """The components of all maps of some tiles, ``uint8 (n, K, H, W)``."""
    tile, boxes, labels, scores = [], [], [], []
    for number, planes in enumerate(maps):
        for label, plane in enumerate(planes, start=1):
            parts = components(plane, LEVEL)
            tile.append(np.full(len(parts.scores), number))
            boxes.append(parts.boxes)
            labels.append(np.full(len(parts.scores), label))
            scores.append(parts.scores)
    joined = (np.concatenate(values) for values in (tile, boxes, labels, scores))
    return DetectedBoxes(*joined)
