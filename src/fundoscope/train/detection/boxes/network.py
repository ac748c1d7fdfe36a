"""Faster R-CNN, made of torchvision's parts so that its graph can leave torch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor, nn

    from fundoscope.train.detection.boxes.anchors import Anchors

POOL: Final = 7
"""Side of the grid that a proposal's features are brought to."""
SAMPLING: Final = 2
"""Points a cell of that grid."""
BOX_WEIGHTS: Final = (10.0, 10.0, 5.0, 5.0)
"""Of the four differences of a box in the second stage (Ren et al., 2015)."""
FIRST_FAR: Final = 0.3
"""IoU with every box below which an anchor is to find nothing."""
FIRST_SAMPLED: Final = 256
"""Anchors a tile that the first stage is trained on."""
LEAST_SIDE: Final = 1e-3
"""Of a proposal, in pixels, where nothing else is asked: it has an area."""


class Shape(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The sizes of a Faster R-CNN; the defaults are those of the detector that ships.

    Attributes:
        channels: of each level of the pyramid.
        hidden: of both layers of the box head.
        proposals_kept: of the first stage, a tile, before the second one; in reading.
        detections: boxes a tile.
        least_score: boxes below it are dropped.
        suppress: boxes of one kind that overlap a better one by this (IoU) are dropped.
        sampled: proposals a tile that the second stage is trained on.
        positive: at most this share of them are lesions.
        near, far: a proposal of at least ``near`` IoU with a lesion is one, below ``far`` none. Of
            boxes of 8 pixels, 2 pixels beside each other, the IoU is 0.4.
        first_near: an anchor of at least this IoU with a box is to find it. Torchvision asks 0.7,
            which an anchor beside a box of 8 pixels never reaches.
        first_ranked: proposals of each map before those that overlap are dropped, in reading;
            twice as many in training. 0: as many as are kept of the tile.
        first_suppress: a proposal that overlaps a better one by this (IoU) is dropped.
        first_least: proposals with a side below it, in a tile's pixels, are dropped.
    """

    channels: int = 64
    hidden: int = 256
    proposals_kept: int = 300
    detections: int = 300
    least_score: float = 0.05
    suppress: float = 0.3
    sampled: int = 128
    positive: float = 0.5
    near: float = 0.4
    far: float = 0.4
    first_near: float = 0.5
    first_ranked: int = 0
    first_suppress: float = 0.6
    first_least: float = LEAST_SIDE


class Target(msgspec.Struct, frozen=True, eq=False):
    """What is to be found on a tile.

    It is no mapping, whose numbers Lightning Fabric would bring to half precision with the pixels.

    Attributes:
        boxes: float ``(M, 4)`` in the tile's pixels.
        labels: int64 ``(M,)``, from 1.
    """

    boxes: Tensor
    labels: Tensor


def create(backbone: nn.Module, kinds: int, anchors: Anchors, shape: Shape) -> nn.Module:
    """A Faster R-CNN with random weights in all but the backbone.

    In training it takes normalised tiles ``(N, 3, H, W)`` and a :class:`Target` for each and gives
    named losses; else it takes tiles and gives for each ``boxes``, ``labels`` and ``scores``, best
    first. Under autocast the backbone alone works in half precision: of a box at 700 pixels bf16
    knows the place to 4.

    Args:
        backbone: of :mod:`fundoscope.train.networks.backbones`; gives named maps.
        kinds: how many kinds of box there are; 0 stands for none of them.
        anchors: boxes that the first stage starts from, of each map of the backbone so many.
        shape: sizes.
    """
    import torch
    from torch import nn
    from torchvision.models.detection.faster_rcnn import FastRCNNPredictor, TwoMLPHead
    from torchvision.models.detection.image_list import ImageList
    from torchvision.models.detection.roi_heads import RoIHeads
    from torchvision.ops import MultiScaleRoIAlign

    channels: Any = backbone.channels
    levels: Any = backbone.levels

    class FasterRCNN(nn.Module):
        """Backbone, first stage and second stage."""

        def __init__(self) -> None:
            super().__init__()
            self.backbone = backbone
            self.rpn = _first_stage(channels, anchors, shape)
            self.roi_heads = RoIHeads(
                MultiScaleRoIAlign(levels, POOL, SAMPLING),
                TwoMLPHead(channels * POOL**2, shape.hidden),
                FastRCNNPredictor(shape.hidden, kinds + 1),
                fg_iou_thresh=shape.near,
                bg_iou_thresh=shape.far,
                batch_size_per_image=shape.sampled,
                positive_fraction=shape.positive,
                bbox_reg_weights=BOX_WEIGHTS,
                score_thresh=shape.least_score,
                nms_thresh=shape.suppress,
                detections_per_img=shape.detections,
            )

        def forward(self, tiles: Tensor, targets: Sequence[Target] | None = None) -> Any:
            features = {key: _full(found) for key, found in self.backbone(tiles).items()}
            sizes = [(tiles.shape[2], tiles.shape[3])] * tiles.shape[0]
            wanted: Any = targets and [{"boxes": t.boxes, "labels": t.labels} for t in targets]
            with torch.autocast(tiles.device.type, enabled=False):
                proposals, first = self.rpn(ImageList(tiles, sizes), features, wanted)
                found, second = self.roi_heads(features, proposals, sizes, wanted)
            return {**first, **second} if self.training else found

    return FasterRCNN()


def _full(found: Tensor) -> Tensor:
    """In single precision; one that is there already leaves no trace in a graph."""
    import torch

    return found if found.dtype == torch.float32 else found.float()


def _first_stage(channels: int, anchors: Anchors, shape: Shape) -> nn.Module:
    """What proposes boxes of no kind yet."""
    from torchvision.models.detection.rpn import RegionProposalNetwork, RPNHead

    ranked = shape.first_ranked or shape.proposals_kept
    stage = RegionProposalNetwork(
        _anchor_generator(anchors),
        RPNHead(channels, len(anchors[0])),
        fg_iou_thresh=shape.first_near,
        bg_iou_thresh=FIRST_FAR,
        batch_size_per_image=FIRST_SAMPLED,
        positive_fraction=0.5,
        pre_nms_top_n={"training": 2 * ranked, "testing": ranked},
        post_nms_top_n={"training": 2 * shape.proposals_kept, "testing": shape.proposals_kept},
        nms_thresh=shape.first_suppress,
    )
    stage.min_size = shape.first_least
    made: nn.Module = stage
    return made


def _anchor_generator(anchors: Anchors) -> nn.Module:
    """torchvision's, with boxes of any width and height about the middle of each cell."""
    import torch
    from torchvision.models.detection.anchor_utils import AnchorGenerator

    count = len(anchors[0])
    generator = AnchorGenerator(((1.0,) * count,) * len(anchors), ((1.0,),) * len(anchors))
    sides = [torch.tensor(level, dtype=torch.float32) for level in anchors]
    generator.cell_anchors = [torch.cat((-side / 2, side / 2), dim=1) for side in sides]
    made: nn.Module = generator
    return made
