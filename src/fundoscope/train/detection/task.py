"""What the training loop needs of detection: batches of tiles, the loss, and the evaluation."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from fundoscope.evaluate.lesions import hits
from fundoscope.evaluate.lesions.hits import Matched
from fundoscope.kinds import ANATOMY
from fundoscope.lesions.heads import DetectedBoxes
from fundoscope.train.detection import sheets
from fundoscope.train.detection.config import DetectorConfig
from fundoscope.train.detection.data import DetectionData
from fundoscope.train.detection.head import Head, TargetsOf, normalisation
from fundoscope.train.detection.views import operating
from fundoscope.train.detection.views.training_tiles import TrainingTiles
from fundoscope.train.run import loop
from fundoscope.train.run.plan import PictureSize
from fundoscope.train.run.settings import sides

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

SHOWN: Final = 16
"""Batches of :meth:`DetectionTask.shown`."""


class DetectionTask:
    """The training loop's task (:class:`fundoscope.train.run.loop.Task`) for detection."""

    def __init__(
        self,
        head: Head,
        config: DetectorConfig,
        data: DetectionData,
        targets: TargetsOf,
        device: torch.device,
        folder: Path | None = None,
    ) -> None:
        """Put together what the head and the data give.

        Args:
            head: the head that is trained.
            config: of the run.
            data: its photographs.
            targets: makes the targets of tiles, see :meth:`Head.targets`.
            device: where tiles and targets go.
            folder: the run folder, for sheets of validation tiles; ``None``: none are drawn.
        """
        self.head, self.config, self.kinds, self.val = head, config, data.kinds, data.val
        self.healthy = data.healthy_val
        self.targets, self.device, self.folder = targets, device, folder
        self.tiles = TrainingTiles(
            data.train, data.kinds, config, data.further(config), data.coverage
        )
        self.normalisation = normalisation(config)

    def shown(self) -> Iterator[Tensor]:
        """Some training tiles before the training, normalised ``(N, 3, H, W)``."""
        import torch

        generator = torch.Generator().manual_seed(self.config.seed)
        for _ in range(SHOWN):
            pixels, _ = self.tiles.draw(self.config.optimiser.batch, generator, self.device)
            yield self.normalisation(pixels)

    def batch(
        self,
        positions: NDArray[np.int64],
        size: PictureSize,  # noqa: ARG002 (a detector's tiles have one size)
        generator: torch.Generator,
    ) -> tuple[Tensor, Any]:
        """Tiles drawn at random, normalised ``(N, 3, H, W)``, and their targets."""
        pixels, drawn = self.tiles.draw(len(positions), generator, self.device)
        return self.normalisation(pixels), self.targets(drawn, self.device)

    def loss(
        self, network: nn.Module, batch: tuple[Tensor, Any]
    ) -> tuple[Tensor, NDArray[np.int64]]:
        """The loss, and the counts of the head."""
        return self.head.loss(network, *batch)

    def set_training(
        self,
        network: nn.Module,
        frozen: int,  # noqa: ARG002 (only the backbone itself keeps parts frozen)
    ) -> None:
        """Put the whole network into training mode."""
        network.train()

    def summarise(self, counts: NDArray[np.int64]) -> dict[str, Any]:
        """Figures of an epoch's training tiles."""
        return self.head.summarise(counts)

    def evaluate(
        self,
        network: nn.Module,
        size: PictureSize,  # noqa: ARG002 (as in batch)
        epoch: int,
    ) -> dict[str, Any]:
        """Figures of each kind on the whole validation photographs.

        ``score`` is the mean average precision of the lesions, or of the landmarks where no lesion
        is among the classes. Precision and recall are those at the threshold that an export would
        choose. A sheet of tiles with annotated and found boxes is drawn into the run folder.
        """
        found = self.head.detect(network, self.val, self.kinds, self.config, self.device)
        figures = self._figures(found.boxes, epoch)
        if self.healthy:
            figures |= self._healthy_figures(network, found.boxes, figures)
        return {**figures, **found.figures}

    def _healthy_figures(
        self, network: nn.Module, detections: Sequence[DetectedBoxes], figures: Mapping[str, Any]
    ) -> dict[str, Any]:
        """What the detector finds on healthy eyes, and a score that counts it.

        ``healthy_share`` is the share of healthy eyes with a box at the threshold;
        ``healthy_recall`` the recall at the lowest threshold at which at most
        :data:`operating.HEALTHY_SHARE` of them have one. The score is the mean of average precision
        and of this recall.
        """
        on_healthy = self.head.detect(
            network, self.healthy, self.kinds, self.config, self.device
        ).boxes
        share: dict[str, float] = {}
        recall: dict[str, float] = {}
        for label, kind in enumerate(self.kinds, start=1):
            if kind in ANATOMY:
                continue
            highest = operating.highest_scores(on_healthy, label)
            limit = operating.healthy_limit(highest)
            matched = [
                _matched(boxes, photograph.boxes[photograph.labels == label], label)
                for boxes, photograph in zip(detections, self.val, strict=True)
            ]
            together = hits.pooled(matched)
            recall[kind] = hits.at_threshold(together, limit)[1]
            threshold = figures["at_threshold"][kind]["threshold"]
            share[kind] = float(np.mean(np.array(highest) >= threshold))
        scores = (figures["score"], _score(recall))
        return {"score": float(np.mean(scores)), "healthy_share": share, "healthy_recall": recall}

    def _figures(self, detections: Sequence[DetectedBoxes], epoch: int) -> dict[str, Any]:
        """The figures of :meth:`evaluate`, from the boxes on each validation photograph."""
        matched = {
            kind: [
                _matched(boxes, photograph.boxes[photograph.labels == label], label)
                for boxes, photograph in zip(detections, self.val, strict=True)
            ]
            for label, kind in enumerate(self.kinds, start=1)
        }
        precision = {
            kind: operating.average_precision(kind, photographs)
            for kind, photographs in matched.items()
        }
        thresholds = {
            kind: operating.threshold(kind, photographs) for kind, photographs in matched.items()
        }
        at_threshold = {
            kind: _at(kind, photographs, thresholds[kind]) for kind, photographs in matched.items()
        }
        if self.folder is not None:
            content = self._sheet(detections, thresholds)
            loop.write_whole(self.folder / f"validation-{epoch:03d}.jpg", content)
        return {
            "score": _score(precision),
            "average_precision": precision,
            "at_threshold": at_threshold,
        }

    def _sheet(self, detections: Sequence[DetectedBoxes], thresholds: Mapping[str, float]) -> bytes:
        """A picture of annotated and found boxes on some validation tiles."""
        limits = np.array([thresholds[kind] for kind in self.kinds])
        counting = []
        for found in detections:
            counts = found.scores >= limits[found.labels - 1]
            counting.append((found.boxes[counts], found.labels[counts]))
        return sheets.sheet(self.val, counting, self.kinds, sides(self.config.data.tile))


def _matched(found: DetectedBoxes, truth: NDArray[np.float64], label: int) -> Matched:
    """The boxes of a kind on a photograph, matched with its annotated boxes."""
    of_kind = found.labels == label
    return hits.match(found.boxes[of_kind], found.scores[of_kind], truth)


def _score(precision: Mapping[str, float]) -> float:
    """The mean of the lesions that validation shows; of the landmarks where there is no lesion."""
    lesions = [value for kind, value in precision.items() if kind not in ANATOMY]
    known = [value for value in lesions or precision.values() if np.isfinite(value)]
    return float(np.mean(known)) if known else float("nan")


def _at(kind: str, photographs: Sequence[Matched], threshold: float) -> dict[str, float]:
    counted = hits.pooled([operating.counted(kind, matched) for matched in photographs])
    precision, recall = hits.at_threshold(counted, threshold)
    return {"threshold": threshold, "precision": precision, "recall": recall}
