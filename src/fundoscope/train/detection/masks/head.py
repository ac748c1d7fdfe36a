"""The ``mask`` head: a segmentation network, whose connected parts become boxes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from fundoscope.kinds import KINDS
from fundoscope.lesions import tiles
from fundoscope.lesions.components import FULL, Components
from fundoscope.lesions.detector import Detector
from fundoscope.lesions.heads import DetectedBoxes
from fundoscope.models.bundle import DetectorManifest
from fundoscope.train.detection.config import Anchors, DetectorConfig
from fundoscope.train.detection.data import DetectionData
from fundoscope.train.detection.head import (
    Counts,
    PhotographBoxes,
    TargetsOf,
    counted,
    means,
    normalisation,
)
from fundoscope.train.detection.masks import levels
from fundoscope.train.detection.masks import loss as mask_loss
from fundoscope.train.detection.masks import network as segmentation
from fundoscope.train.detection.masks.network import COARSEST
from fundoscope.train.detection.parity import Difference
from fundoscope.train.detection.views import coverage as coverages
from fundoscope.train.detection.views import tile_batches
from fundoscope.train.detection.views.coverage import MaskTargets
from fundoscope.train.detection.views.tile_draw import Tile
from fundoscope.train.detection.views.view import AnnotatedView, Progress
from fundoscope.train.run.settings import require, sides

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

LOSSES: Final = ("loss_entropy", "loss_overlap")
BACKBONE: Final = "backbone.body."
"""Prefix of the backbone's weights in a network with a ``boxes`` head."""


def check(config: DetectorConfig, title: str) -> None:
    """Reject photographs without masks, and sizes that the network does not take."""
    masks, tile = config.data.masks, config.data.tile
    require(masks != "", title, "data.masks", masks, "name the folder of the masks to learn from")
    without = "leave it out: only photographs with masks are learnt from"
    require(config.healthy.share == 0, title, "healthy.share", config.healthy.share, without)
    named = ", ".join(each.annotations for each in config.partial)
    require(not config.partial, title, "partial.annotations", named, without)
    multiples = not any(side % COARSEST for side in sides(tile))
    require(multiples, title, "data.tile", tile, f"write multiples of {COARSEST}")
    widths = config.painter.widths
    require(min(widths) >= 1, title, "painter.widths", widths, "write positive numbers")


def anchors(
    config: DetectorConfig,  # noqa: ARG001 (as Head)
    train: Sequence[AnnotatedView],  # noqa: ARG001
) -> Anchors:
    """None: this head has no anchors."""
    return ()


def digest(config: DetectorConfig, train: Sequence[AnnotatedView], images: Path) -> bytes:
    """A hash of the masks of the training photographs."""
    return coverages.digest(train, images, Path(config.data.masks))


def create(
    config: DetectorConfig,
    kinds: Sequence[str],
    anchors: Anchors,  # noqa: ARG001 (as Head)
    *,
    init: str,
    reading: bool = False,  # noqa: ARG001 (it has no limits)
) -> nn.Module:
    """A segmentation network; see :func:`fundoscope.train.detection.masks.network.create`."""
    return segmentation.create(config.backbone.name, len(kinds), config.painter, init=init)


def start(network: nn.Module, stored: Mapping[str, Tensor]) -> None:
    """Load the weights of an earlier run; of a run with a ``boxes`` head only the backbone's."""
    if any(key.startswith(BACKBONE) for key in stored):
        backbone = {
            key.removeprefix(BACKBONE): value for key, value in stored.items() if BACKBONE in key
        }
        network.get_submodule("body").load_state_dict(backbone)
    else:
        network.load_state_dict(stored)


def targets(config: DetectorConfig, data: DetectionData, progress: Progress | None) -> TargetsOf:
    """Bring the masks to the working scale once; each tile then shows its part of them."""
    masks, cache = Path(config.data.masks), Path(config.data.cache)
    made = MaskTargets(data.train, data.images, masks, data.kinds, cache, progress)

    def of_tiles(drawn: Sequence[Tile], device: torch.device) -> tuple[Tensor, Tensor]:
        """The share of each pixel that is lesion, and its weight, both float ``(N, K, H, W)``."""
        import torch

        wanted = [made.on_tile(tile.place) for tile in drawn]
        weights = np.stack([mask_loss.weights(each) for each in wanted])
        shares = torch.from_numpy(np.stack(wanted)).to(device).float() / FULL
        return shares, torch.from_numpy(weights).to(device)

    return of_tiles


def loss(
    network: nn.Module, pixels: Tensor, targets: tuple[Tensor, Tensor]
) -> tuple[Tensor, Counts]:
    """The sum of both losses; counts of steps and each loss."""
    parts = mask_loss.parts(network(pixels), *targets)
    return parts[0] + parts[1], counted(parts)


def summarise(counts: Counts) -> dict[str, Any]:
    """The mean of each loss."""
    steps, *losses = (int(count) for count in counts)
    return dict(means(LOSSES, losses, steps))


def detect(
    network: nn.Module,
    views: Sequence[AnnotatedView],
    kinds: Sequence[str],
    config: DetectorConfig,
    device: torch.device,
) -> PhotographBoxes:
    """The connected parts of the maps, at the levels that an export would choose."""
    seen = [
        levels.at_levels(maps(network, each, len(kinds), config, device), each.view, kinds)
        for each in views
    ]
    chosen = levels.choose(seen, views, kinds)
    boxes = [_joined([by_kind[kind][chosen[kind]] for kind in kinds]) for by_kind in seen]
    return PhotographBoxes(boxes, {"levels": chosen})


def maps(
    network: nn.Module,
    photograph: AnnotatedView,
    kinds: int,
    config: DetectorConfig,
    device: torch.device,
) -> NDArray[np.uint8]:
    """The maps of a photograph's view, ``uint8 (kinds, H, W)``: probabilities times 255."""
    import torch

    from fundoscope.train.detection.masks.graph import FromPixels

    view, size = photograph.view, sides(config.data.tile)
    corners = tiles.lay(view, *size, config.data.overlap)
    parts = tiles.owned(corners, *size, view)
    module = FromPixels(network, normalisation(config))
    whole = np.zeros((kinds, *view.pixels.shape[:2]), np.uint8)
    for first, batch in tile_batches.batches(view, corners, size):
        seen = module(torch.from_numpy(batch).to(device)).cpu().numpy()
        for planes, corner, part in zip(seen, corners[first:], parts[first:], strict=False):
            tiles.paste(whole, planes, corner, part)
    return whole


def _joined(by_kind: Sequence[Components]) -> DetectedBoxes:
    """The boxes of all kinds, in the order of the class list."""
    counts = [len(components.scores) for components in by_kind]
    return DetectedBoxes(
        np.zeros(sum(counts), np.int64),
        np.concatenate([components.boxes for components in by_kind]),
        np.repeat(np.arange(1, len(by_kind) + 1), counts),
        np.concatenate([components.scores for components in by_kind]),
    )


def to_onnx(
    network: nn.Module,
    config: DetectorConfig,
    val: Sequence[AnnotatedView],  # noqa: ARG001 (as Head)
    at_once: int,
) -> bytes:
    """The graph, traced on a black tile."""
    from fundoscope.train.detection.masks import graph

    return graph.to_onnx(network, normalisation(config), at_once)


def parity(
    network: nn.Module,
    model: bytes,
    config: DetectorConfig,
    val: Sequence[AnnotatedView],
    at_once: int,
) -> Difference:
    """Compare the maps, and the boxes that they become."""
    from fundoscope.train.detection.masks import parity as mask_parity

    return mask_parity.against_torch(network, model, normalisation(config), val, at_once)


def manifest_fields(detector: Detector, val: Sequence[AnnotatedView]) -> dict[str, Any]:
    """For each kind the probability from which a pixel belongs to a lesion."""
    return {"levels": levels.of_detector(detector, val)}


def float_layers() -> tuple[str, ...]:
    """The last layer, which gives the maps."""
    return ("paint",)


def output_text(manifest: DetectorManifest) -> str:
    """The graph's output, as the model card describes it."""
    names = ", ".join(f"{KINDS[kind].name} {level:g}" for kind, level in manifest.levels.items())
    return (
        "of each kind a map, `uint8 (B, K, H, W)`, of how likely (255: surely) each pixel belongs"
        f"\nto a lesion. A connected area of pixels that reach a level ({names})\nis one lesion;"
        " its score is the mean of its pixels"
    )
