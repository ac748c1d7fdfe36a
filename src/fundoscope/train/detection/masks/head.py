"""What the loop of training needs of a head that paints: targets, the loss, and the evaluation."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from fundoscope.lesions import tiles
from fundoscope.lesions.components import FULL, Components
from fundoscope.train.detection.config import DetectorConfig
from fundoscope.train.detection.masks import graph as mask_graph
from fundoscope.train.detection.masks import levels as mask_levels
from fundoscope.train.detection.masks import loss as mask_loss
from fundoscope.train.detection.masks.targets import Targets
from fundoscope.train.detection.sheets import Found
from fundoscope.train.detection.task import MICRO, TILES_AT_ONCE, DetectionTask
from fundoscope.train.detection.views import tile_draw
from fundoscope.train.detection.views.view import AnnotatedView
from fundoscope.train.networks import augment
from fundoscope.train.run.plan import PictureSize
from fundoscope.train.run.settings import sides

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

LOSSES: Final = ("loss_entropy", "loss_overlap")


class MaskTask(DetectionTask):
    """The loop's :class:`loop.Task` for a head that paints."""

    def __init__(
        self,
        train: Sequence[AnnotatedView],
        val: Sequence[AnnotatedView],
        kinds: Sequence[str],
        targets: Targets,
        config: DetectorConfig,
        device: torch.device,
        folder: Path | None = None,
    ) -> None:
        super().__init__(train, val, kinds, config, device, folder)
        self.targets = targets

    def batch(
        self,
        positions: NDArray[np.int64],
        size: PictureSize,  # noqa: ARG002 (a detector's tiles have one size)
        generator: torch.Generator,
    ) -> Any:
        """Tiles drawn at random, normalised ``(N, 3, H, W)``, and what each shall show: share of
        each pixel and its weight, both float ``(N, K, H, W)``."""
        import torch

        places = self.places(len(positions), generator)
        pixels = np.stack([tile_draw.shown(place)[0] for place in places])
        wanted = [self.targets.shown(place) for place in places]
        weights = np.stack([mask_loss.weights(each) for each in wanted])
        changed = augment.recolour(torch.from_numpy(pixels).to(self.device), generator, self.jitter)
        target = torch.from_numpy(np.stack(wanted)).to(self.device).float() / FULL
        return self.normalisation(changed), target, torch.from_numpy(weights).to(self.device)

    def loss(self, network: nn.Module, batch: Any) -> tuple[Tensor, NDArray[np.int64]]:
        """The sum of both losses; steps, and each loss in millionths."""
        pixels, target, weight = batch
        parts = mask_loss.parts(network(pixels), target, weight)
        values = [int(MICRO * min(1e6, float(part.detach().nan_to_num()))) for part in parts]
        return parts[0] + parts[1], np.array([1, *values], np.int64)

    def summarise(self, counts: NDArray[np.int64]) -> dict[str, Any]:
        """The mean of each loss."""
        steps, *values = (int(count) for count in counts)
        return {
            name: value / MICRO / max(1, steps) for name, value in zip(LOSSES, values, strict=True)
        }

    def evaluate(
        self,
        network: nn.Module,
        size: PictureSize,  # noqa: ARG002 (as in batch)
        epoch: int,
    ) -> dict[str, Any]:
        """As :meth:`DetectionTask.evaluate`, at the levels that an export would choose."""
        seen = [
            mask_levels.at_levels(self.maps(network, each), each.view, self.kinds)
            for each in self.val
        ]
        levels = mask_levels.choose(seen, self.val, self.kinds)
        found = [_joined([one[kind][levels[kind]] for kind in self.kinds]) for one in seen]
        return {**self.judge(found, epoch), "levels": levels}

    def maps(self, network: nn.Module, each: AnnotatedView) -> NDArray[np.uint8]:
        """What a network paints on a view, ``uint8 (K, H, W)``, tile by tile."""
        import torch

        height, width = sides(self.config.data.tile)
        shown = each.view
        corners = tiles.lay(shown, height, width, self.config.data.overlap)
        parts = tiles.owned(corners, height, width, shown)
        paint = mask_graph.FromPixels(network, self.normalisation)
        whole = np.zeros((len(self.kinds), *shown.pixels.shape[:2]), np.uint8)
        for start in range(0, len(corners), TILES_AT_ONCE):
            some = corners[start : start + TILES_AT_ONCE]
            cut = np.stack([tiles.cut(shown, corner, height, width) for corner in some])
            seen = paint(torch.from_numpy(cut).to(self.device)).cpu().numpy()
            for found, corner, part in zip(seen, some, parts[start:], strict=False):
                tiles.paste(whole, found, corner, part)
        return whole


def _joined(parts: Sequence[Components]) -> Found:
    """Boxes, labels and scores of all kinds."""
    counts = [len(part.scores) for part in parts]
    return (
        np.concatenate([part.boxes for part in parts]),
        np.repeat(np.arange(1, len(parts) + 1), counts),
        np.concatenate([part.scores for part in parts]),
    )
