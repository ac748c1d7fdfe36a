"""The ``boxes`` head: a Faster R-CNN, whose graph gives boxes with scores."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import msgspec
import numpy as np

from fundoscope.errors import UsageError
from fundoscope.lesions import merge, tiles
from fundoscope.lesions.detector import Detector
from fundoscope.lesions.heads import DetectedBoxes
from fundoscope.models.bundle import DetectorManifest
from fundoscope.train.detection import parity as tile_parity
from fundoscope.train.detection.boxes import anchors as anchoring
from fundoscope.train.detection.boxes import network as faster_rcnn
from fundoscope.train.detection.boxes.target import Target
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
from fundoscope.train.detection.parity import Difference
from fundoscope.train.detection.views import tile_batches
from fundoscope.train.detection.views.operating import READ_SUPPRESS
from fundoscope.train.detection.views.tile_draw import Tile
from fundoscope.train.detection.views.view import AnnotatedView, Progress
from fundoscope.train.networks import backbones
from fundoscope.train.run.settings import require, sides

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

LOSSES: Final = ("loss_objectness", "loss_rpn_box_reg", "loss_classifier", "loss_box_reg")
PREDICTOR: Final = "roi_heads.box_predictor."
"""The weights whose rows belong to kinds: the background, then the class list."""
MOST_ANCHORS: Final = 100
"""Per level."""
LEAST_OBJECTNESS: Final = 0.35
"""Score from which the second stage looks at a proposal, in reading. The average precision on
validation is the same as without it, and a photograph takes a tenth less time."""
PROPOSALS, DETECTIONS = 1500, 1500
"""Per tile in reading: an eye with 500 lesions may have all of them on one tile."""


def check(config: DetectorConfig, title: str) -> None:
    """Reject settings of the network and of its anchors that are invalid."""
    shape = config.shape
    require(shape.far <= shape.near, title, "shape.far", shape.far, "write no more than shape.near")
    _check_anchors(config.anchors, title)


def _check_anchors(anchors: int | Anchors, title: str) -> None:
    if isinstance(anchors, int):
        valid = 1 <= anchors <= MOST_ANCHORS
        require(valid, title, "anchors", anchors, f"write 1 to {MOST_ANCHORS}")
        return
    alike = len({len(level) for level in anchors}) == 1
    positive = all(0 < side < math.inf for level in anchors for pair in level for side in pair)
    remedy = "write a list of [width, height] for each level, in pixels, all of the same length"
    require(alike and len(anchors[0]) > 0 and positive, title, "anchors", anchors, remedy)


def anchors(config: DetectorConfig, train: Sequence[AnnotatedView]) -> Anchors:
    """The configured anchors, or the number that is configured, fitted to the training boxes."""
    levels = backbones.levels(config.backbone.name)
    if isinstance(config.anchors, int):
        lengths = np.concatenate([each.boxes[:, 2:] - each.boxes[:, :2] for each in train])
        labels = np.concatenate([each.labels for each in train])
        return anchoring.choose(lengths, labels, levels, config.anchors, config.seed)
    if len(config.anchors) != levels:
        raise UsageError(
            "anchors",
            f"are of {len(config.anchors)} levels, and {config.backbone.name} has {levels}",
            "write a list of [width, height] for each level, or a number to be fitted",
        )
    return config.anchors


def digest(
    config: DetectorConfig,  # noqa: ARG001 (as Head)
    train: Sequence[AnnotatedView],  # noqa: ARG001
    images: Path,  # noqa: ARG001
) -> bytes:
    """Return no bytes: it learns from photographs and boxes alone."""
    return b""


def create(
    config: DetectorConfig,
    kinds: Sequence[str],
    anchors: Anchors,
    *,
    init: str,
    reading: bool = False,
) -> nn.Module:
    """A Faster R-CNN; see :func:`fundoscope.train.detection.boxes.network.create`."""
    shape = config.shape
    if reading:
        shape = msgspec.structs.replace(
            shape, proposals_kept=PROPOSALS, detections=DETECTIONS, suppress=READ_SUPPRESS
        )
    backbone = backbones.create(config.backbone.name, shape.channels, init=init)
    fitted = anchors or _placeholders(config)
    network = faster_rcnn.create(backbone, len(kinds), fitted, shape)
    if reading:
        first_stage: Any = network.rpn
        first_stage.score_thresh = LEAST_OBJECTNESS
    return network


def _placeholders(config: DetectorConfig) -> Anchors:
    """As many anchors as are configured, of any size."""
    count = config.anchors if isinstance(config.anchors, int) else len(config.anchors[0])
    return (((1.0, 1.0),) * count,) * backbones.levels(config.backbone.name)


def start(network: nn.Module, stored: Mapping[str, Tensor]) -> None:
    """Load the weights of an earlier run with the same network and class list."""
    network.load_state_dict(stored)


def targets(
    config: DetectorConfig,  # noqa: ARG001 (as Head)
    data: DetectionData,  # noqa: ARG001
    progress: Progress | None,  # noqa: ARG001
) -> TargetsOf:
    """The targets are the boxes of each tile."""
    return _targets_of


def _targets_of(drawn: Sequence[Tile], device: torch.device) -> list[Target]:
    import torch

    return [
        Target(
            torch.from_numpy(tile.boxes.astype(np.float32)).to(device),
            torch.from_numpy(tile.labels).to(device),
            torch.tensor(tile.place.view.unassessed, dtype=torch.int64, device=device),
            tile.place.view.background,
        )
        for tile in drawn
    ]


def loss(network: nn.Module, pixels: Tensor, targets: Sequence[Target]) -> tuple[Tensor, Counts]:
    """The sum of the four losses; counts of steps, tiles and boxes, and each loss."""
    losses = network(pixels, targets)
    parts = [losses[name] for name in LOSSES]
    boxes = sum(len(target.labels) for target in targets)
    return sum(parts[1:], parts[0]), counted(parts, len(targets), boxes)


def summarise(counts: Counts) -> dict[str, Any]:
    """Boxes per tile, and the mean of each loss."""
    steps, shown, boxes, *losses = (int(count) for count in counts)
    return {"boxes_a_tile": boxes / max(1, shown), **means(LOSSES, losses, steps)}


def detect(
    network: nn.Module,
    views: Sequence[AnnotatedView],
    kinds: Sequence[str],  # noqa: ARG001 (as Head)
    config: DetectorConfig,
    device: torch.device,
) -> PhotographBoxes:
    """The boxes of all tiles, merged."""
    return PhotographBoxes([_on_view(network, each, config, device) for each in views])


def _on_view(
    network: nn.Module, photograph: AnnotatedView, config: DetectorConfig, device: torch.device
) -> DetectedBoxes:
    """The boxes on a photograph, in its view's pixels."""
    import torch

    normalise, view, parts = normalisation(config), photograph.view, []
    size = sides(config.data.tile)
    corners = tiles.lay(view, *size, config.data.overlap)
    for first, batch in tile_batches.batches(view, corners, size):
        pixels = torch.from_numpy(batch).permute(0, 3, 1, 2).float().to(device)
        for tile, output in enumerate(network(normalise(pixels)), start=first):
            boxes, labels, scores = (output[key].cpu() for key in ("boxes", "labels", "scores"))
            numbers = np.full(len(labels), tile, np.int64)
            parts.append(
                DetectedBoxes(
                    numbers, boxes.double().numpy(), labels.numpy(), scores.double().numpy()
                )
            )
    together = DetectedBoxes(
        *(
            np.concatenate([getattr(part, name) for part in parts])
            for name in ("tile", "boxes", "labels", "scores")
        )
    )
    rows, columns = view.pixels.shape[:2]
    places = np.array(corners, np.int64)
    return merge.merge(together, places, size, (rows, columns), config.shape.suppress)


def to_onnx(
    network: nn.Module, config: DetectorConfig, val: Sequence[AnnotatedView], at_once: int
) -> bytes:
    """The graph, traced on a validation tile that shows a lesion."""
    from fundoscope.train.detection.boxes import graph

    example = next(tile_parity.tiles_of(val, tile_parity.COMPARED_SIDES[0], at_once))
    return graph.to_onnx(network, normalisation(config), example)


def parity(
    network: nn.Module,
    model: bytes,
    config: DetectorConfig,
    val: Sequence[AnnotatedView],
    at_once: int,
) -> Difference:
    """Compare boxes and scores."""
    from fundoscope.train.detection.boxes import parity as box_parity

    return box_parity.against_torch(network, model, normalisation(config), val, at_once)


def manifest_fields(
    detector: Detector,  # noqa: ARG001 (as Head)
    val: Sequence[AnnotatedView],  # noqa: ARG001
) -> dict[str, Any]:
    """Return no further values."""
    return {}


def float_layers() -> tuple[str, ...]:
    """The layers of scores and boxes of both stages."""
    return "cls_logits", "cls_score", "bbox_pred"


def output_text(manifest: DetectorManifest) -> str:  # noqa: ARG001 (as Head)
    """The graph's output, as the model card describes it."""
    return "tile, box, label and score of each box"
