"""Training a lesion detector: data, loss and evaluation of the loop."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from fundoscope.data.annotations import formats, voc
from fundoscope.evaluate import hits
from fundoscope.kinds import ANATOMY
from fundoscope.lesions import tiles
from fundoscope.train import anchors as anchoring
from fundoscope.train import (
    augment,
    backbones,
    detection_network,
    loop,
    memory,
    networks,
    processes,
    runs,
    views,
)
from fundoscope.train.augment import Jitter
from fundoscope.train.config import sides
from fundoscope.train.detector_config import DetectorConfig
from fundoscope.train.grader import Watcher
from fundoscope.train.plan import Plan, Size, Stage
from fundoscope.train.tile_draw import Drawer
from fundoscope.train.views import AnnotatedView

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

TILES_AT_ONCE: Final = 4
"""In validation."""
MICRO: Final = 1_000_000
"""Losses are added up as whole millionths."""
LEVELS: Final = 5
"""Of the pyramid."""
DETECTOR: Final = "detector.json"
LOSSES: Final = ("loss_objectness", "loss_rpn_box_reg", "loss_classifier", "loss_box_reg")


@dataclass(frozen=True, slots=True)
class Set:
    """What a detector is trained on.

    Attributes:
        kinds: the class list; label 1 is its first.
        anchors: of the first stage, fitted to the training boxes.
        train, val: annotated photographs at the working scale.
        sha256: of all annotations and photographs.
    """

    kinds: tuple[str, ...]
    anchors: anchoring.Anchors
    train: tuple[AnnotatedView, ...]
    val: tuple[AnnotatedView, ...]
    sha256: str


def read_set(config: DetectorConfig, progress: views.Progress | None = None) -> Set:
    """Read the annotations, split them, and bring the photographs to the working scale."""
    root = Path(config.data.annotations)
    images = Path(config.data.images) if config.data.images else root / voc.PHOTOS
    found = formats.read(root, images=images)
    by_stem = {Path(photo.image).stem: photo for photo in found.photos}
    wanted, val_names = (_names(path) for path in (config.data.train, config.data.val))
    left_out = {*val_names, *config.data.left_out}
    train = [by_stem[name] for name in wanted if name not in left_out]
    val = [by_stem[name] for name in val_names]
    kinds = config.data.kinds or tuple(
        kind
        for kind in found.kinds
        if any(a.kind == kind for photo in train for a in photo.annotations)
    )
    cache = Path(config.data.cache)
    made = views.load([*train, *val], images, kinds, config.data.radius, cache, progress)
    first = made[: len(train)]
    sides_of = np.concatenate([each.boxes[:, 2:] - each.boxes[:, :2] for each in first])
    labels = np.concatenate([each.labels for each in first])
    anchors = anchoring.choose(sides_of, labels, LEVELS, config.anchors, config.seed)
    digest = hashlib.sha256()
    for each in (*train, *val):
        digest.update((images / each.image).read_bytes())
        digest.update(repr([(a.kind, a.box) for a in each.annotations]).encode())
    return Set(kinds, anchors, tuple(first), tuple(made[len(train) :]), digest.hexdigest())


def _names(path: str) -> list[str]:
    return [Path(line).stem for line in Path(path).read_text().split()]


def train(
    config: DetectorConfig, folder: Path, *, resume: bool = True, watcher: Watcher | None = None
) -> None:
    """Train a detector; the run folder holds everything that its export needs.

    Args, errors: as :func:`fundoscope.train.grader.train`.
    """
    import torch

    watcher = watcher if watcher is not None and processes.is_first() else Watcher()
    memory.keep()
    if config.threads:
        torch.set_num_threads(config.threads)
    data = read_set(config, watcher.picture)
    runs.open_run(config, data.sha256, folder, resume=resume)
    described = {"kinds": data.kinds, "anchors": data.anchors}
    loop.write_whole(folder / DETECTOR, msgspec.json.encode(described))
    torch.manual_seed(config.seed)
    network = network_of(config, data.kinds, data.anchors, init=config.backbone.init)
    fabric = runs.fabric(config)
    task = DetectionTask(data.train, data.val, data.kinds, config, fabric.device)
    plan = Plan(
        np.zeros(config.draw.tiles, np.int64),
        (Stage(config.data.tile, config.epochs),),
        config.optimiser,
        config.seed,
        config.checkpoint_every,
        config.patience,
    )
    listeners = loop.Listeners(watcher.step, watcher.epoch)
    loop.train(network, task, plan, fabric, folder, resume=resume, listeners=listeners)


def network_of(
    config: DetectorConfig, kinds: Sequence[str], anchors: anchoring.Anchors, *, init: str
) -> nn.Module:
    """The detector that a configuration asks for."""
    backbone = backbones.pyramid(config.backbone.name, config.shape.channels, init=init)
    return detection_network.create(backbone, len(kinds), anchors, config.shape)


class DetectionTask:
    """The loop's :class:`loop.Task` for detection."""

    def __init__(
        self,
        train: Sequence[AnnotatedView],
        val: Sequence[AnnotatedView],
        kinds: Sequence[str],
        config: DetectorConfig,
        device: torch.device,
    ) -> None:
        self.val, self.kinds, self.config, self.device = val, kinds, config, device
        self.drawer = Drawer(train, kinds, sides(config.data.tile), config.draw)
        self.normalisation = networks.normalisation(config.backbone.name, "imagenet")
        self.jitter = Jitter(**msgspec.to_builtins(config.recolour))

    def batch(
        self, positions: NDArray[np.int64], size: Size, generator: torch.Generator
    ) -> tuple[Tensor, list[dict[str, Tensor]]]:
        """Tiles drawn at random, normalised ``(N, 3, H, W)``, and their targets.

        Which tiles come follows from ``generator`` alone.
        """
        import torch

        seed = int(torch.randint(2**62, (), generator=generator))
        random = np.random.default_rng(seed)
        drawn = [self.drawer.draw(random) for _ in positions]
        pixels = torch.from_numpy(np.stack([each[0] for each in drawn])).to(self.device)
        changed = augment.recolour(pixels, generator, self.jitter)
        targets = [
            {
                "boxes": torch.from_numpy(boxes.astype(np.float32)).to(self.device),
                "labels": torch.from_numpy(labels).to(self.device),
            }
            for _, boxes, labels in drawn
        ]
        return self.normalisation(changed), targets

    def loss(self, network: nn.Module, batch: Any) -> tuple[Tensor, NDArray[np.int64]]:
        """The sum of the four losses; tiles, boxes and each loss in millionths."""
        pixels, targets = batch
        losses = network(pixels, targets)
        parts = [losses[name] for name in LOSSES]
        boxes = sum(len(target["labels"]) for target in targets)
        values = [int(MICRO * min(1e6, float(part.detach().nan_to_num()))) for part in parts]
        return sum(parts[1:], parts[0]), np.array([1, len(targets), boxes, *values], np.int64)

    def set_training(self, network: nn.Module, frozen: int) -> None:
        """The whole network learns."""
        network.train()

    def summarise(self, counts: NDArray[np.int64]) -> dict[str, Any]:
        """Boxes a tile, and the mean of each loss."""
        steps, tiles_seen, boxes, *values = (int(count) for count in counts)
        means = {
            name: value / MICRO / max(1, steps) for name, value in zip(LOSSES, values, strict=True)
        }
        return {"boxes_a_tile": boxes / max(1, tiles_seen), **means}

    def evaluate(self, network: nn.Module, size: Size, epoch: int) -> dict[str, Any]:
        """Average precision of each kind on the whole validation photographs, by our hit rule."""
        found = [self.detect(network, each) for each in self.val]
        by_kind = {}
        for label, kind in enumerate(self.kinds, start=1):
            matched = [
                hits.match(
                    boxes[labels == label],
                    scores[labels == label],
                    each.boxes[each.labels == label],
                )
                for (boxes, labels, scores), each in zip(found, self.val, strict=True)
            ]
            by_kind[kind] = hits.average_precision(hits.pooled(matched))
        lesions = [value for kind, value in by_kind.items() if kind not in ANATOMY]
        return {"score": float(np.nanmean(lesions)), "average_precision": by_kind}

    def detect(
        self, network: nn.Module, each: AnnotatedView
    ) -> tuple[NDArray[np.float64], NDArray[np.int64], NDArray[np.float64]]:
        """Boxes ``(N, 4)`` in a view's pixels, labels and scores, tile by tile, merged."""
        import torch
        from torchvision.ops import batched_nms

        height, width = sides(self.config.data.tile)
        corners = tiles.lay(each.view, height, width, self.config.data.overlap)
        boxes, labels, scores = [], [], []
        for start in range(0, len(corners), TILES_AT_ONCE):
            some = corners[start : start + TILES_AT_ONCE]
            cut = np.stack([tiles.cut(each.view, corner, height, width) for corner in some])
            shown = torch.from_numpy(cut).permute(0, 3, 1, 2).float().to(self.device)
            for corner, out in zip(some, network(self.normalisation(shown)), strict=True):
                boxes.append(out["boxes"].cpu() + torch.tensor([*corner, *corner]))
                labels.append(out["labels"].cpu())
                scores.append(out["scores"].cpu())
        all_boxes, all_labels, all_scores = torch.cat(boxes), torch.cat(labels), torch.cat(scores)
        kept = batched_nms(all_boxes, all_scores, all_labels, self.config.shape.suppress)
        return (
            all_boxes[kept].double().numpy(),
            all_labels[kept].numpy(),
            all_scores[kept].double().numpy(),
        )
