"""Whether the exported graph of a Faster R-CNN finds the boxes that its network finds."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

from fundoscope.lesions import heads
from fundoscope.lesions.heads import DetectedBoxes
from fundoscope.models import runtime
from fundoscope.photo.decode import Pixels
from fundoscope.train.detection import parity
from fundoscope.train.detection.boxes.graph import FromPixels
from fundoscope.train.detection.parity import Difference
from fundoscope.train.detection.views.view import AnnotatedView
from fundoscope.train.networks.normalise import Normalisation

if TYPE_CHECKING:
    from torch import nn


def against_torch(
    network: nn.Module,
    model: bytes,
    normalisation: Normalisation,
    val: Sequence[AnnotatedView],
    at_once: int,
) -> Difference:
    """Compare the boxes of an exported graph with those of its network on validation tiles.

    Args:
        network: in evaluation mode.
        model: the bytes of the graph.
        normalisation: what brings pixels to the network's range.
        val: photographs that the tiles are cut from.
        at_once: tiles per call.

    Raises:
        FundoscopeError: ONNX Runtime finds other boxes than torch, or torch finds none.
    """
    import torch

    session = runtime.open_graph(model, "the exported graph")
    module = FromPixels(network, normalisation).eval()

    def theirs(pixels: Pixels) -> DetectedBoxes:
        with torch.inference_mode():
            return DetectedBoxes(*(output.numpy() for output in module(torch.from_numpy(pixels))))

    away, apart = parity.compared(partial(heads.boxes, session), theirs, val, at_once)
    if not len(away):
        raise parity.other_boxes(0, 0)
    return Difference(len(away), float(away.max()), float(apart.max()))
