"""A trained detector as one ONNX graph, from a tile's pixels to boxes."""

from __future__ import annotations

import tempfile
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torchvision.ops import roi_align

from fundoscope.lesions.heads import OUTPUTS
from fundoscope.train.onnx import graph as onnx_graph

if TYPE_CHECKING:
    from fundoscope.photo.decode import Pixels
    from fundoscope.train.networks.normalise import Normalisation

HEIGHT, WIDTH, FOUND = "height", "width", "found"


class FromPixels(nn.Module):
    """A detector with its normalisation in front and one list of boxes behind."""

    def __init__(self, network: nn.Module, normalisation: Normalisation) -> None:
        super().__init__()
        self.network, self.normalisation = network, normalisation

    def forward(self, pixels: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """``uint8 (B, H, W, 3)`` RGB to tile, boxes, label and score of all boxes."""
        found = self.network(self.normalisation(pixels.permute(0, 3, 1, 2).float()))
        tile = [torch.full_like(each["labels"], place) for place, each in enumerate(found)]
        boxes, labels, scores = (
            torch.cat([each[key] for each in found]) for key in ("boxes", "labels", "scores")
        )
        return torch.cat(tile), boxes, labels, scores


class SortedPool(nn.Module):
    """torchvision's pooling of proposals over the levels of a pyramid, without its scattering.

    Proposals are pooled level by level and put back into their order at once; writing each level
    into its places by ScatterElements took ONNX Runtime a quarter of the whole time.
    """

    def __init__(self, pool: Any) -> None:
        super().__init__()
        self.pool = pool

    def forward(self, maps: dict[str, Tensor], boxes: list[Tensor], sizes: Any) -> Tensor:
        """``float (P, C, 7, 7)`` of all tiles' proposals; arguments as torchvision's."""
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


SPECK = 1e-5
"""Pixels. The second stage enlarges a proposal 62 times at most, and drops what is below 0.01;
the logarithm of its area is finite, which calibration for eight bits needs."""


def never_none(_heads: nn.Module, given: tuple[Any, ...]) -> tuple[Any, ...]:
    """What the second stage is given, with a proposal of hardly any size on every tile.

    The second stage is traced with proposals, and its graph's reshaping is undefined for none: a
    tile on which nothing was proposed ended the reading. Boxes of that size are dropped by the
    second stage itself, so nothing else changes.
    """
    maps, proposals, *others = given
    speck = torch.tensor([[0.0, 0.0, SPECK, SPECK]])
    return maps, [torch.cat((each, speck.to(each))) for each in proposals], *others


def to_onnx(network: nn.Module, normalisation: Normalisation, example: Pixels) -> bytes:
    """The graph of a detector; its outputs are those of :data:`fundoscope.lesions.heads.OUTPUTS`.

    By the older exporter: the newer one fails in torchvision's suppression of boxes (torch 2.14).
    Height and width stay free, the number of tiles does not.

    Args:
        network: of :mod:`fundoscope.train.detection.boxes.network`, on the processor; put into
            evaluation mode.
        normalisation: what stands between the pixels and the network.
        example: ``uint8 (B, H, W, 3)`` tiles on which the network proposes something; a graph that
            was traced without a proposal fails later. B is the number of tiles a call.

    Returns:
        The bytes of an ``.onnx`` file of :data:`onnx_graph.OPSET`.
    """
    module = FromPixels(network, normalisation).eval()
    with torch.inference_mode():
        module(torch.from_numpy(example))  # the pooling learns the scales of its maps
    heads: Any = network.roi_heads
    pool = heads.box_roi_pool
    heads.box_roi_pool = SortedPool(pool)
    hook = heads.register_forward_pre_hook(never_none)
    try:
        model = _traced(module, example)
    finally:
        hook.remove()
        heads.box_roi_pool = pool
    onnx_graph.forget_origin(model)
    content: bytes = model.SerializeToString()
    return content


def _traced(module: FromPixels, example: Pixels) -> Any:
    import onnx

    # Of the wrapper alone, its parts stay as they are: batch normalisation is then not merged, so
    # that the graph holds every weight under the network's own name.
    module.training = True
    free: dict[str, dict[int, str]] = {onnx_graph.INPUT: {1: HEIGHT, 2: WIDTH}}
    free |= {name: {0: FOUND} for name in OUTPUTS}
    with warnings.catch_warnings(), tempfile.TemporaryDirectory() as folder:
        # The tracer warns of every size that it takes for a constant; the result is compared with
        # torch's on tiles of several sizes.
        warnings.simplefilter("ignore")
        path = Path(folder) / "model.onnx"
        torch.onnx.export(
            module,
            (torch.from_numpy(example),),
            path,
            input_names=[onnx_graph.INPUT],
            output_names=list(OUTPUTS),
            dynamic_axes=free,
            opset_version=onnx_graph.OPSET,
            training=torch.onnx.TrainingMode.PRESERVE,
            dynamo=False,
        )
        return onnx.load(path)
