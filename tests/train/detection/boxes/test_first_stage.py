"""What the first stage learns from where lesions are not annotated."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torchvision.models.detection.anchor_utils import AnchorGenerator
from torchvision.models.detection.image_list import ImageList
from torchvision.models.detection.rpn import RegionProposalNetwork, RPNHead

from fundoscope.train.detection.boxes import first_stage

SIDE = 64
BOX = [[8.0, 8.0, 24.0, 24.0]]


def parts() -> dict[str, Any]:
    torch.manual_seed(1)
    return {
        "anchor_generator": AnchorGenerator(((16,),), ((1.0,),)),
        "head": RPNHead(4, 1),
        "fg_iou_thresh": 0.5,
        "bg_iou_thresh": 0.3,
        "batch_size_per_image": 32,
        "positive_fraction": 0.5,
        "pre_nms_top_n": {"training": 20, "testing": 20},
        "post_nms_top_n": {"training": 20, "testing": 20},
        "nms_thresh": 0.7,
    }


def losses(stage: Any, *targets: tuple[list[list[float]], bool]) -> dict[str, torch.Tensor]:
    torch.manual_seed(2)
    count = len(targets)
    images = ImageList(torch.zeros(count, 3, SIDE, SIDE), [(SIDE, SIDE)] * count)
    features = {"0": torch.randn(count, 4, SIDE // 8, SIDE // 8)}
    wanted = [
        {"boxes": torch.tensor(boxes).reshape(-1, 4), "background": background}
        for boxes, background in targets
    ]
    found: dict[str, torch.Tensor] = stage.train()(images, features, wanted)[1]
    return found


def test_where_all_is_annotated_it_is_torchvisions() -> None:
    ours, theirs = first_stage.create(parts()), RegionProposalNetwork(**parts())
    assert list(ours.state_dict()) == list(theirs.state_dict())
    tiles = ((BOX, True), ([], True))
    mine, other = losses(ours, *tiles), losses(theirs, *tiles)
    assert {key: value.item() for key, value in mine.items()} == {
        key: value.item() for key, value in other.items()
    }


def test_what_may_be_a_lesion_is_not_learnt_as_background() -> None:
    labels = [torch.tensor([1.0, 0.0, -1.0, 0.0])] * 2
    kept, unsure = first_stage.known(labels, [True, False])
    assert kept.tolist() == [1, 0, -1, 0]
    assert unsure.tolist() == [1, -1, -1, -1]
    stage: Any = first_stage.create(parts())
    torch.nn.init.constant_(stage.head.cls_logits.bias, 5.0)  # it sees lesions everywhere
    assert losses(stage, (BOX, True))["loss_objectness"].item() > 1
    assert losses(stage, (BOX, False))["loss_objectness"].item() < 0.1


def test_a_batch_without_a_label_has_no_loss_and_every_weight_a_gradient() -> None:
    stage = first_stage.create(parts())
    found = losses(stage, ([], False), ([], False))
    assert [value.item() for value in found.values()] == [0.0, 0.0]
    sum(found.values(), start=torch.zeros(())).backward()
    assert all(p.grad is not None and not p.grad.any() for p in stage.parameters())


@pytest.mark.parametrize("background", [True, False])
def test_one_tile_that_is_not_known_leaves_the_others(background: bool) -> None:
    found = losses(first_stage.create(parts()), ([], background), (BOX, True))
    assert all(bool(value.isfinite()) and value.item() > 0 for value in found.values())
