"""A trained detector as one ONNX graph, from a tile's pixels to boxes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import torch
from torch import Tensor, nn
from torchvision.ops import roi_align

from fundoscope.lesions.heads import OUTPUTS
from fundoscope.train.detection import tracing

if TYPE_CHECKING:
    from fundoscope.photo.decode import Pixels
    from fundoscope.train.networks.normalise import Normalisation

FOUND: Final = "found"
"""The free axis of the outputs: the number of boxes."""
SPECK: Final = 1e-5
"""Side in pixels of an added proposal. The second stage enlarges a proposal 62 times at most, and
drops what is smaller than 0.01; the logarithm of its area is finite, which calibration for eight
bits needs."""


class FromPixels(nn.Module):
    """A detector that takes pixels and gives one list of boxes for all tiles."""

    def __init__(self, network: nn.Module, normalisation: Normalisation) -> None:
        """Put the normalisation in front of the network."""
        super().__init__()
        self.network, self.normalisation = network, normalisation

    def forward(self, pixels: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """``uint8 (B, H, W, 3)`` RGB to tile, boxes, label and score of all boxes."""
        by_tile = self.network(self.normalisation(pixels.permute(0, 3, 1, 2).float()))
        tile = [torch.full_like(output["labels"], at) for at, output in enumerate(by_tile)]
        boxes, labels, scores = (
            torch.cat([output[key] for output in by_tile]) for key in ("boxes", "labels", "scores")
        )
        return torch.cat(tile), boxes, labels, scores


class SortedPool(nn.Module):
    """torchvision's pooling of proposals over the levels of a pyramid, without scattering.

    Proposals are pooled level by level and put back into their order in one step. Writing each
    level to its places with ScatterElements took ONNX Runtime a quarter of the whole time.
    """

    def __init__(self, pool: Any) -> None:
        """Take the levels and sizes of torchvision's ``MultiScaleRoIAlign``."""
        super().__init__()
        self.pool = pool

    def forward(self, maps: dict[str, Tensor], boxes: list[Tensor], sizes: Any) -> Tensor:
        """Features of all tiles' proposals, ``float (P, C, 7, 7)``; arguments as torchvision's."""
        pool = self.pool
        levels = [maps[name] for name in pool.featmap_names]
        if len(levels) == 1:
            alone: Tensor = pool(maps, boxes, sizes)
            return alone
        tile = [torch.full_like(each[:, :1], place) for place, each in enumerate(boxes)]
        proposals = torch.cat((torch.cat(tile), torch.cat(boxes)), dim=1)
        level_of = pool.map_levels(boxes)
        places = [torch.where(level_of == level)[0] for level in range(len(levels))]
        pooled = [
            roi_align(level, proposals[at], pool.output_size, scale, pool.sampling_ratio)
            for level, at, scale in zip(levels, places, pool.scales, strict=True)
        ]
        return torch.cat(pooled)[torch.argsort(torch.cat(places))]


def add_speck(_heads: nn.Module, inputs: tuple[Any, ...]) -> tuple[Any, ...]:
    """The inputs of the second stage, with one tiny proposal added to every tile.

    The second stage is traced with proposals, and the reshaping in its graph is undefined without
    any: reading failed at a tile without a proposal. The second stage itself drops boxes of this
    size, so nothing else changes.
    """
    maps, proposals, *others = inputs
    speck = torch.tensor([[0.0, 0.0, SPECK, SPECK]])
    return maps, [torch.cat((each, speck.to(each))) for each in proposals], *others


def to_onnx(network: nn.Module, normalisation: Normalisation, example: Pixels) -> bytes:
    """The graph of a detector; its outputs are those of :data:`fundoscope.lesions.heads.OUTPUTS`.

    Args:
        network: of :mod:`fundoscope.train.detection.boxes.network`, on the CPU; it is put
            into evaluation mode.
        normalisation: what brings pixels to the network's range.
        example: ``uint8 (B, H, W, 3)`` tiles on which the network proposes something: a graph that
            was traced without a proposal fails later. B is the number of tiles per call.

    Returns:
        The bytes of an ``.onnx`` file, see :func:`fundoscope.train.detection.tracing.trace`.
    """
    module = FromPixels(network, normalisation).eval()
    pixels = torch.from_numpy(example)
    with torch.inference_mode():
        module(pixels)  # the pooling learns the scales of its maps
    heads: Any = network.roi_heads
    pool = heads.box_roi_pool
    heads.box_roi_pool = SortedPool(pool)
    hook = heads.register_forward_pre_hook(add_speck)
    try:
        return tracing.trace(module, pixels, OUTPUTS, {name: {0: FOUND} for name in OUTPUTS})
    finally:
        hook.remove()
        heads.box_roi_pool = pool
