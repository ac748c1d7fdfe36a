"""Faster R-CNN from torchvision's parts, put together so that it can be exported."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from fundoscope.train.detection.boxes import first_stage, second_stage
from fundoscope.train.detection.config import Anchors, Shape

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor, nn

    from fundoscope.train.detection.boxes.target import Target


POOL: Final = 7
"""Side of the grid to which a proposal's features are pooled."""
SAMPLING: Final = 2
"""Sampling points per side of a cell of that grid."""
BOX_WEIGHTS: Final = (10.0, 10.0, 5.0, 5.0)
"""Weights of the four offsets of a box in the second stage (Ren et al., 2015)."""
FIRST_FAR: Final = 0.3
"""An anchor whose IoU with every box is below it is background."""
FIRST_SAMPLED: Final = 256
"""Anchors per tile that the first stage is trained on."""


def create(backbone: nn.Module, kinds: int, anchors: Anchors, shape: Shape) -> nn.Module:
    """A Faster R-CNN with random weights in all but the backbone.

    In training it takes normalised tiles ``(N, 3, H, W)`` with a :class:`Target` for each and gives
    named losses. In evaluation it takes tiles and gives for each ``boxes``, ``labels`` and
    ``scores``, best first. Under autocast only the backbone works in half precision: bf16 knows the
    position of a box at 700 pixels to 4 pixels.

    Args:
        backbone: of :mod:`fundoscope.train.networks.backbones`; it gives named maps.
        kinds: number of kinds of box; label 0 is the background.
        anchors: the boxes that the first stage starts from, for each level.
        shape: sizes.
    """
    import torch
    from torch import nn
    from torchvision.models.detection.faster_rcnn import FastRCNNPredictor, TwoMLPHead
    from torchvision.models.detection.image_list import ImageList
    from torchvision.ops import MultiScaleRoIAlign

    channels: Any = backbone.channels
    levels: Any = backbone.levels

    class FasterRCNN(nn.Module):
        """Backbone, first stage and second stage."""

        def __init__(self) -> None:
            """Put the parts together."""
            super().__init__()
            self.backbone = backbone
            self.rpn = _first_stage(channels, anchors, shape)
            parts = {
                "box_roi_pool": MultiScaleRoIAlign(levels, POOL, SAMPLING),
                "box_head": TwoMLPHead(channels * POOL**2, shape.hidden),
                "box_predictor": FastRCNNPredictor(shape.hidden, kinds + 1),
                "fg_iou_thresh": shape.near,
                "bg_iou_thresh": shape.far,
                "batch_size_per_image": shape.sampled,
                "positive_fraction": shape.positive,
                "bbox_reg_weights": BOX_WEIGHTS,
                "score_thresh": shape.least_score,
                "nms_thresh": shape.suppress,
                "detections_per_img": shape.detections,
            }
            self.roi_heads = second_stage.create(parts, hardest=shape.hardest)

        def forward(self, tiles: Tensor, targets: Sequence[Target] | None = None) -> Any:
            """Named losses in training, boxes in evaluation; see :func:`create`."""
            features = {key: _full(level) for key, level in self.backbone(tiles).items()}
            sizes = [(tiles.shape[2], tiles.shape[3])] * tiles.shape[0]
            wanted: Any = targets and [
                {"boxes": t.boxes, "labels": t.labels, "background": t.background} for t in targets
            ]
            with torch.autocast(tiles.device.type, enabled=False):
                proposals, first = self.rpn(ImageList(tiles, sizes), features, wanted)
                detections, second = self.roi_heads(features, proposals, sizes, targets)
            return {**first, **second} if self.training else detections

    return FasterRCNN()


def _full(features: Tensor) -> Tensor:
    """Features in single precision; a conversion that does nothing is kept out of the graph."""
    import torch

    return features if features.dtype == torch.float32 else features.float()


def _first_stage(channels: int, anchors: Anchors, shape: Shape) -> nn.Module:
    """The region proposal network."""
    from torchvision.models.detection.rpn import RPNHead

    ranked = shape.first_ranked or shape.proposals_kept
    parts = {
        "anchor_generator": _anchor_generator(anchors),
        "head": RPNHead(channels, len(anchors[0])),
        "fg_iou_thresh": shape.first_near,
        "bg_iou_thresh": FIRST_FAR,
        "batch_size_per_image": FIRST_SAMPLED,
        "positive_fraction": 0.5,
        "pre_nms_top_n": {"training": 2 * ranked, "testing": ranked},
        "post_nms_top_n": {"training": 2 * shape.proposals_kept, "testing": shape.proposals_kept},
        "nms_thresh": shape.first_suppress,
    }
    stage: Any = first_stage.create(parts)
    stage.min_size = shape.first_least
    made: nn.Module = stage
    return made


def _anchor_generator(anchors: Anchors) -> nn.Module:
    """An anchor generator with boxes of any width and height at the centre of each cell."""
    import torch
    from torchvision.models.detection.anchor_utils import AnchorGenerator

    count = len(anchors[0])
    generator = AnchorGenerator(((1.0,) * count,) * len(anchors), ((1.0,),) * len(anchors))
    sides = [torch.tensor(level, dtype=torch.float32) for level in anchors]
    generator.cell_anchors = [torch.cat((-side / 2, side / 2), dim=1) for side in sides]
    made: nn.Module = generator
    return made
