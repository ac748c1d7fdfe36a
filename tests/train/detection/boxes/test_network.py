"""Faster R-CNN of every form learns a step and leaves torch as a graph with the same boxes."""

from __future__ import annotations

import copy
import functools
from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np
import onnxruntime
import pytest
import torch
from lightning.fabric import Fabric
from torch import nn
from torchvision.models.detection.image_list import ImageList

from fundoscope.lesions import heads
from fundoscope.train.detection.boxes import graph as detection_graph
from fundoscope.train.detection.boxes import network as detection_network
from fundoscope.train.detection.boxes.target import Target
from fundoscope.train.detection.config import Shape
from fundoscope.train.networks import backbones
from fundoscope.train.networks import catalogue as networks

SMALL = Shape(channels=16, hidden=32, proposals_kept=60, detections=40, sampled=32)
CLASSIC = Shape(
    hidden=32, proposals_kept=60, sampled=32, first_ranked=200, first_suppress=0.7, first_least=16.0
)
PYRAMID = tuple(((side, side), (1.5 * side, side)) for side in (8.0, 16.0, 32.0, 64.0, 96.0))
ONE_MAP = (((90.0, 45.0), (64.0, 64.0), (45.0, 90.0), (32.0, 32.0)),)
KINDS = 3
HEIGHT, WIDTH = 96, 128


def tiles(count: int, height: int, width: int) -> np.ndarray:
    """Dark and bright spots on a reddish ground, ``uint8 (count, height, width, 3)``."""
    rng = np.random.default_rng(count * height)
    y, x = np.mgrid[:height, :width]
    made = np.empty((count, height, width, 3))
    made[:] = (180, 90, 40)
    for tile in made:
        for _ in range(12):
            row, column = rng.uniform(0, height), rng.uniform(0, width)
            tile[np.hypot(y - row, x - column) < rng.uniform(3, 12)] = rng.uniform(0, 255, 3)
    return np.clip(made + rng.normal(0, 5, made.shape), 0, 255).astype(np.uint8)


def normalised(name: str, shown: np.ndarray) -> torch.Tensor:
    planes = torch.from_numpy(shown).permute(0, 3, 1, 2).float()
    return networks.normalisation(name, "imagenet")(planes)


def detector(name: str) -> nn.Module:
    """One of random weights whose scores are spread."""
    return copy.deepcopy(_made(name))


@functools.cache
def _made(name: str) -> nn.Module:
    torch.manual_seed(2)
    shape, anchors = (CLASSIC, ONE_MAP) if name == "vgg16" else (SMALL, PYRAMID)
    backbone = backbones.create(name, shape.channels, init="none")
    network: Any = detection_network.create(backbone, KINDS, anchors, shape)
    with torch.no_grad():
        for _ in range(0 if name == "vgg16" else 20):  # batch normalisation's statistics
            network.backbone.train()(normalised(name, tiles(2, HEIGHT, WIDTH)))
        nn.init.normal_(network.roi_heads.box_predictor.cls_score.weight, std=0.5)
        nn.init.normal_(network.rpn.head.cls_logits.weight, std=0.1)
    made: nn.Module = network
    return made


def target(boxes: list[list[float]], labels: list[int]) -> Target:
    corners = torch.tensor(boxes, dtype=torch.float32).reshape(-1, 4)
    return Target(corners, torch.tensor(labels, dtype=torch.int64))


FORMS = ["efficientnet_lite0", "vgg16", "timm/mobilenetv2_100"]
HEAVY = [pytest.param("timm/resnet50", marks=pytest.mark.slow)]


@pytest.mark.parametrize("name", [*FORMS, *HEAVY])
def test_a_step_has_losses_and_moves_every_stage(name: str) -> None:
    network = detector(name).train()
    targets = [target([[10, 12, 60, 70]], [2]), target([], [])]
    losses = network(normalised(name, tiles(2, HEIGHT, WIDTH)), targets)
    total = sum(losses.values())
    total.backward()
    assert len(losses) == 4
    assert torch.isfinite(total)
    for stage in ("backbone", "rpn", "roi_heads"):
        moved = [p.grad for n, p in network.named_parameters() if n.startswith(stage)]
        assert all(grad is not None for grad in moved)
        assert any(bool(grad.any()) for grad in moved)


@pytest.mark.parametrize("name", [*FORMS, *HEAVY])
def test_its_graph_gives_the_same_boxes_on_tiles_of_any_size(name: str) -> None:
    network = detector(name).eval()
    normalisation = networks.normalisation(name, "imagenet")
    graph = detection_graph.to_onnx(network, normalisation, tiles(2, HEIGHT, WIDTH))
    session = onnxruntime.InferenceSession(graph, providers=["CPUExecutionProvider"])
    for height, width in ((HEIGHT, WIDTH), (160, 96)):
        shown = tiles(2, height, width)
        ours = heads.boxes(session, shown)
        with torch.no_grad():
            theirs = network(normalised(name, shown))
        assert sum(len(result["labels"]) for result in theirs) > 5
        for tile, result in enumerate(theirs):
            mine = ours.tile == tile
            assert_same(
                (ours.boxes[mine], ours.labels[mine], ours.scores[mine]),
                [result[key].numpy() for key in ("boxes", "labels", "scores")],
            )


@pytest.mark.parametrize("at_once", [1, 2])
def test_a_tile_on_which_nothing_is_proposed_has_no_box(at_once: int) -> None:
    network = detector("efficientnet_lite0").eval()
    normalisation = networks.normalisation("efficientnet_lite0", "imagenet")
    both = (tiles(at_once, HEIGHT, WIDTH), np.zeros((at_once, HEIGHT, WIDTH, 3), np.uint8))
    most = [most_likely(network, normalised("efficientnet_lite0", shown)) for shown in both]
    (_, silent), (_, speaking) = sorted(zip(most, both, strict=True), key=lambda pair: pair[0])
    network.rpn.score_thresh = sum(most) / 2
    graph = detection_graph.to_onnx(network, normalisation, speaking)
    session = onnxruntime.InferenceSession(graph, providers=["CPUExecutionProvider"])
    assert len(heads.boxes(session, speaking).scores) > 0
    assert heads.boxes(session, silent).boxes.shape == (0, 4)


def most_likely(network: Any, shown: torch.Tensor) -> float:
    """The highest probability of an object that the first stage sees anywhere."""
    seen: list[float] = []
    hook = network.rpn.head.register_forward_hook(
        lambda _head, _given, result: seen.extend(float(level.max()) for level in result[0])
    )
    with torch.no_grad():
        network(shown)
    hook.remove()
    return float(torch.sigmoid(torch.tensor(max(seen))))


def assert_same(ours: Sequence[np.ndarray], theirs: Sequence[np.ndarray]) -> None:
    """Within a pixel and 0.01 of the score; equal scores may have changed places."""
    assert len(ours[0]) == len(theirs[0])
    for box, label, score in zip(*theirs, strict=True):
        near = np.abs(ours[0] - box).max(axis=1) < 1.0
        assert (near & (ours[1] == label) & (np.abs(ours[2] - score) < 0.01)).any()


def test_half_precision_leaves_places_exact() -> None:
    """bf16 would know the place of a box at 700 pixels to 4."""
    network: Any = detector("efficientnet_lite0")
    fabric = Fabric(accelerator="cpu", devices=1, precision="bf16-mixed")
    wrapped = fabric.setup(network.train())
    seen = []
    network.rpn.register_forward_pre_hook(lambda _, given: seen.append(given[2]))
    box = [[601.3, 12.7, 640.9, 70.1]]
    shown = normalised("efficientnet_lite0", tiles(1, 96, 704))
    losses = wrapped(shown, [target(box, [2])])
    assert seen[0][0]["boxes"].tolist() == torch.tensor(box).tolist()
    assert all(bool(value.isfinite()) for value in losses.values())
    with torch.no_grad(), fabric.autocast():
        (result,) = network.eval()(shown)
    assert result["boxes"].dtype == result["scores"].dtype == torch.float32
    anchors = network.rpn.anchor_generator.cell_anchors
    assert all(level.dtype == torch.float32 for level in anchors)


def test_proposals_of_less_than_the_least_side_are_dropped() -> None:
    network: Any = detector("vgg16").eval()
    shown = normalised("vgg16", tiles(1, HEIGHT, WIDTH))
    images = ImageList(shown, [(HEIGHT, WIDTH)])
    with torch.no_grad():
        (kept,), _ = network.rpn(images, network.backbone(shown))
    sides = kept[:, 2:] - kept[:, :2]
    assert len(kept) > 0
    assert sides.min() >= CLASSIC.first_least


def test_anchors_lie_about_the_middle_of_their_cell() -> None:
    network: Any = detector("vgg16")
    corners = network.rpn.anchor_generator.cell_anchors[0].numpy()
    assert corners[0].tolist() == [-45.0, -22.5, 45.0, 22.5]
    assert (corners[:, :2] == -corners[:, 2:]).all()


def test_a_shape_written_before_there_were_more_fields_is_read() -> None:
    old = {"channels": 64, "hidden": 256, "near": 0.4, "far": 0.4}
    assert msgspec.convert(old, Shape) == Shape()
