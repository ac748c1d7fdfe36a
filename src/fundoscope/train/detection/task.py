"""What the loop of training needs of detection: batches of tiles, the loss, and the evaluation."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from fundoscope.evaluate.lesions import hits
from fundoscope.kinds import ANATOMY
from fundoscope.lesions import merge, tiles
from fundoscope.lesions.heads import Boxes
from fundoscope.train.detection import sheets as detection_pictures
from fundoscope.train.detection.boxes.network import Target
from fundoscope.train.detection.config import DetectorConfig
from fundoscope.train.detection.views import operating, tile_draw
from fundoscope.train.detection.views.tile_draw import Drawer, Place
from fundoscope.train.detection.views.view import AnnotatedView
from fundoscope.train.networks import augment
from fundoscope.train.networks import catalogue as networks
from fundoscope.train.networks.augment import Jitter
from fundoscope.train.run import loop
from fundoscope.train.run.plan import PictureSize
from fundoscope.train.run.settings import sides

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

TILES_AT_ONCE: Final = 4
"""In validation."""
MICRO: Final = 1_000_000
"""Losses are added up as whole millionths."""
LOSSES: Final = ("loss_objectness", "loss_rpn_box_reg", "loss_classifier", "loss_box_reg")


class DetectionTask:
    """The loop's :class:`loop.Task` for detection."""

    def __init__(
        self,
        train: Sequence[AnnotatedView],
        val: Sequence[AnnotatedView],
        kinds: Sequence[str],
        config: DetectorConfig,
        device: torch.device,
        folder: Path | None = None,
    ) -> None:
        self.val, self.kinds, self.config, self.device = val, kinds, config, device
        self.folder = folder
        self.drawer = Drawer(train, kinds, sides(config.data.tile), config.draw)
        self.normalisation = networks.normalisation(config.backbone.name, "imagenet")
        self.jitter = Jitter(**msgspec.to_builtins(config.recolour))

    def batch(
        self,
        positions: NDArray[np.int64],
        size: PictureSize,  # noqa: ARG002 (a detector's tiles have one size)
        generator: torch.Generator,
    ) -> tuple[Tensor, list[Target]]:
        """Tiles drawn at random, normalised ``(N, 3, H, W)``, and their targets."""
        import torch

        changed, drawn = self.tiles(len(positions), generator)
        targets = [
            Target(
                torch.from_numpy(boxes.astype(np.float32)).to(self.device),
                torch.from_numpy(labels).to(self.device),
            )
            for boxes, labels in drawn
        ]
        return self.normalisation(changed), targets

    def tiles(
        self, count: int, generator: torch.Generator
    ) -> tuple[Tensor, list[tuple[NDArray[np.float64], NDArray[np.int64]]]]:
        """Tiles as training shows them, float ``(N, 3, H, W)`` of 0 to 255, boxes and labels.

        Which tiles come follows from ``generator`` alone.
        """
        import torch

        drawn = [tile_draw.shown(place) for place in self.places(count, generator)]
        pixels = torch.from_numpy(np.stack([each[0] for each in drawn])).to(self.device)
        changed = augment.recolour(pixels, generator, self.jitter)
        return changed, [(boxes, labels) for _, boxes, labels in drawn]

    def places(self, count: int, generator: torch.Generator) -> list[Place]:
        """What so many tiles show."""
        import torch

        seed = int(torch.randint(2**62, (), generator=generator))
        random = np.random.default_rng(seed)
        return [self.drawer.place(random) for _ in range(count)]

    def loss(self, network: nn.Module, batch: Any) -> tuple[Tensor, NDArray[np.int64]]:
        """The sum of the four losses; tiles, boxes and each loss in millionths."""
        pixels, targets = batch
        losses = network(pixels, targets)
        parts = [losses[name] for name in LOSSES]
        boxes = sum(len(target.labels) for target in targets)
        values = [int(MICRO * min(1e6, float(part.detach().nan_to_num()))) for part in parts]
        return sum(parts[1:], parts[0]), np.array([1, len(targets), boxes, *values], np.int64)

    def set_training(
        self,
        network: nn.Module,
        frozen: int,  # noqa: ARG002 (nothing rests but what the backbone itself holds still)
    ) -> None:
        """The whole network learns."""
        network.train()

    def summarise(self, counts: NDArray[np.int64]) -> dict[str, Any]:
        """Boxes a tile, and the mean of each loss."""
        steps, tiles_seen, boxes, *values = (int(count) for count in counts)
        means = {
            name: value / MICRO / max(1, steps) for name, value in zip(LOSSES, values, strict=True)
        }
        return {"boxes_a_tile": boxes / max(1, tiles_seen), **means}

    def evaluate(
        self,
        network: nn.Module,
        size: PictureSize,  # noqa: ARG002 (as in batch)
        epoch: int,
    ) -> dict[str, Any]:
        """Figures of each kind on the whole validation photographs, by our hit rule.

        ``score`` is the mean average precision of the lesions; of the landmarks where no lesion is
        among the classes. Precision and recall are those at the threshold that an export would
        choose. A sheet of tiles with truth and findings is drawn into the run folder.
        """
        return self.judge([self.detect(network, each) for each in self.val], epoch)

    def judge(self, found: Sequence[detection_pictures.Found], epoch: int) -> dict[str, Any]:
        """The figures of :meth:`evaluate`, from what was found on each validation photograph."""
        matched = {
            kind: [
                hits.match(
                    boxes[labels == label],
                    scores[labels == label],
                    each.boxes[each.labels == label],
                )
                for (boxes, labels, scores), each in zip(found, self.val, strict=True)
            ]
            for label, kind in enumerate(self.kinds, start=1)
        }
        precision = {
            kind: hits.average_precision(hits.pooled(photographs))
            for kind, photographs in matched.items()
        }
        thresholds = {
            kind: operating.threshold(kind, photographs) for kind, photographs in matched.items()
        }
        at_threshold = {
            kind: _at(kind, photographs, thresholds[kind]) for kind, photographs in matched.items()
        }
        if self.folder is not None:
            self._draw(found, thresholds, epoch)
        return {
            "score": _score(precision),
            "average_precision": precision,
            "at_threshold": at_threshold,
        }

    def _draw(
        self, found: Sequence[detection_pictures.Found], thresholds: dict[str, float], epoch: int
    ) -> None:
        """Truth and findings on a tile of some validation photographs."""
        height, width = sides(self.config.data.tile)
        limits = np.array([thresholds[kind] for kind in self.kinds])
        shown = [
            (boxes[scores >= limits[labels - 1]], labels[scores >= limits[labels - 1]])
            for boxes, labels, scores in found
        ]
        sheet = detection_pictures.sheet(self.val, shown, self.kinds, (height, width))
        if self.folder is not None:
            loop.write_whole(self.folder / f"validation-{epoch:03d}.jpg", sheet)

    def detect(
        self, network: nn.Module, each: AnnotatedView
    ) -> tuple[NDArray[np.float64], NDArray[np.int64], NDArray[np.float64]]:
        """Boxes ``(N, 4)`` in a view's pixels, labels and scores, tile by tile, merged."""
        import torch

        height, width = sides(self.config.data.tile)
        shown, parts = each.view, []
        corners = tiles.lay(shown, height, width, self.config.data.overlap)
        for start in range(0, len(corners), TILES_AT_ONCE):
            some = corners[start : start + TILES_AT_ONCE]
            cut = np.stack([tiles.cut(shown, corner, height, width) for corner in some])
            pixels = torch.from_numpy(cut).permute(0, 3, 1, 2).float().to(self.device)
            for tile, out in enumerate(network(self.normalisation(pixels)), start=start):
                boxes, labels, scores = (out[key].cpu() for key in ("boxes", "labels", "scores"))
                parts.append(
                    Boxes(
                        np.full(len(labels), tile, np.int64),
                        boxes.double().numpy(),
                        labels.numpy(),
                        scores.double().numpy(),
                    )
                )
        together = Boxes(
            *(
                np.concatenate([getattr(part, name) for part in parts])
                for name in ("tile", "boxes", "labels", "scores")
            )
        )
        rows, columns = shown.pixels.shape[:2]
        merged = merge.merge(
            together,
            np.array(corners, np.int64),
            (height, width),
            (rows, columns),
            self.config.shape.suppress,
        )
        return merged.boxes, merged.labels, merged.scores


def _score(precision: dict[str, float]) -> float:
    """The mean over the lesions that validation shows; over the landmarks where there are none."""
    lesions = [value for kind, value in precision.items() if kind not in ANATOMY]
    judged = [value for value in lesions or precision.values() if np.isfinite(value)]
    return float(np.mean(judged)) if judged else float("nan")


def _at(kind: str, photographs: Sequence[hits.Matched], threshold: float) -> dict[str, float]:
    counted = hits.pooled([operating.counted(kind, one) for one in photographs])
    precision, recall = hits.at_threshold(counted, threshold)
    return {"threshold": threshold, "precision": precision, "recall": recall}
