"""Whether the exported graph of a network that paints shows what the network shows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from fundoscope.errors import FundoscopeError
from fundoscope.lesions import heads
from fundoscope.lesions.components import FULL, components
from fundoscope.lesions.heads import Boxes
from fundoscope.models import runtime
from fundoscope.photo.decode import Pixels
from fundoscope.train.detection.boxes import parity as detection_parity
from fundoscope.train.detection.boxes.parity import MAX_SCORE
from fundoscope.train.detection.masks import graph as mask_graph
from fundoscope.train.detection.views.view import AnnotatedView
from fundoscope.train.networks.normalise import Normalisation

if TYPE_CHECKING:
    from torch import nn

LEVEL: Final = 0.5
"""At which the components are compared."""


def against_torch(
    network: nn.Module,
    model: bytes,
    normalisation: Normalisation,
    val: Sequence[AnnotatedView],
    at_once: int,
) -> tuple[int, float, float]:
    """Compare the maps of an exported graph, and the boxes that they become, with its network's.

    Args: as :func:`fundoscope.train.detection.boxes.parity.against_torch`.

    Returns:
        Boxes compared; the largest difference of a box's side in pixels, and of a pixel's
        probability.

    Raises:
        FundoscopeError: ONNX Runtime paints or finds something else than torch.
    """
    import torch

    session = runtime.open_graph(model, "the exported graph")
    module = mask_graph.FromPixels(network, normalisation).eval()
    apart = 0.0

    def theirs(shown: Pixels) -> Boxes:
        nonlocal apart
        with torch.inference_mode():
            maps = module(torch.from_numpy(shown)).numpy()
        levels = np.abs(heads.maps(session, shown).astype(np.int64) - maps)
        apart = max(apart, float(levels.max()) / FULL)
        return _boxes(maps)

    def ours(shown: Pixels) -> Boxes:
        return _boxes(heads.maps(session, shown))

    away, _ = detection_parity.compared(ours, theirs, val, at_once)
    if apart > MAX_SCORE:
        raise FundoscopeError(
            "the exported graph",
            f"paints a probability that differs by {apart:.3f} from torch's",
            "report it with the versions of torch, onnx and onnxruntime",
        )
    return len(away), float(away.max(initial=0.0)), apart


def _boxes(maps: NDArray[np.uint8]) -> Boxes:
    """The components of all maps of some tiles, ``uint8 (n, K, H, W)``."""
    tile, boxes, labels, scores = [], [], [], []
    for number, of_tile in enumerate(maps):
        for label, plane in enumerate(of_tile, start=1):
            found = components(plane, LEVEL)
            tile.append(np.full(len(found.scores), number))
            boxes.append(found.boxes)
            labels.append(np.full(len(found.scores), label))
            scores.append(found.scores)
    joined = (np.concatenate(part) for part in (tile, boxes, labels, scores))
    return Boxes(*joined)
