"""Training a landmark network: data, loss and evaluation of the loop."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from fundoscope.errors import UsageError
from fundoscope.lesions import landmarks
from fundoscope.lesions.landmarks import Peak
from fundoscope.train.landmarks import config as configs
from fundoscope.train.landmarks import figures, losses, marks, network
from fundoscope.train.landmarks.config import LandmarksConfig
from fundoscope.train.landmarks.losses import Targets
from fundoscope.train.landmarks.marks import TRAIN, VAL, Crops
from fundoscope.train.networks import augment, catalogue, normalise, weights
from fundoscope.train.run import devices, loop, memory, processes
from fundoscope.train.run.listeners import Listeners
from fundoscope.train.run.plan import PictureSize, Plan

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

EVALUATION_BATCH: Final = 32
HALF: Final = 0.5
LEAST_SHOWN: Final = 0.2
"""A sensor's edge lies at least this far from the middle, in half sides."""


def train(
    config: LandmarksConfig,
    folder: Path,
    *,
    resume: bool = True,
    listeners: Listeners[Crops] | None = None,
) -> None:
    """Train a landmark network; the run folder gets what the export needs.

    Args:
        config: see :class:`LandmarksConfig`.
        folder: the run folder; made where it does not exist.
        resume: continue an earlier run of the folder, of the same configuration.
        listeners: report the progress; their ``data`` gets the pictures.

    Raises:
        UsageError, TableError: the configuration, the table or the run folder does not fit.
        FundoscopeError, OutputError: as :func:`loop.train`.
    """
    import torch

    if listeners is None or not processes.is_first():
        listeners = Listeners()
    configs.check(config, "the configuration")
    devices.set_up(config)
    table = marks.read(config.data.manifest)
    make = partial(network.create, config.network)
    count = memory.require(partial(make, init=weights.NONE), config.network.name)
    if listeners.network is not None:
        listeners.network(config.network.name, count)
    configs.open_run(config, table.sha256, folder, resume=resume)
    crops = marks.load(table, config.data.crop_size, Path(config.data.cache), listeners.picture)
    if listeners.data is not None:
        listeners.data(crops)
    marks.require_usable(crops, table.path.name)
    torch.manual_seed(config.seed)
    fabric = devices.fabric(config)
    task = LandmarksTask(crops, config, fabric.device)
    plan = plan_of(config, crops)
    loop.train(_start(config), task, plan, fabric, folder, resume=resume, listeners=listeners)


def _start(config: LandmarksConfig) -> nn.Module:
    """The network with its starting weights.

    Raises:
        UsageError: the earlier run is of another network.
    """
    if not config.start:
        return network.create(config.network)
    made = network.create(config.network, init=weights.NONE)
    stored = weights.stored(Path(config.start))
    if {key: value.shape for key, value in made.state_dict().items()} != {
        key: value.shape for key, value in stored.items()
    }:
        raise UsageError(config.start, "is of another network", "name best.pt of a run of this one")
    made.load_state_dict(stored)
    return made


def plan_of(config: LandmarksConfig, crops: Crops) -> Plan:
    """The plan of a run on some pictures."""
    training = crops.of_split(TRAIN)
    return Plan(
        np.zeros(len(training), np.int64),
        config.stages,
        config.optimiser,
        config.seed,
        config.checkpoint_every,
        config.patience,
    )


class LandmarksTask:
    """The loop's :class:`loop.Task` for landmarks."""

    def __init__(self, crops: Crops, config: LandmarksConfig, device: torch.device) -> None:
        """Make the task of a run.

        Args:
            crops: the pictures of training and validation.
            config: of the run.
            device: on which batches are made.
        """
        self.crops, self.config, self.device = crops, config, device
        self.train_positions, self.val_positions = crops.of_split(TRAIN), crops.of_split(VAL)
        self.normalisation = catalogue.normalisation(config.network.name, normalise.IMAGENET)

    def batch(
        self, positions: NDArray[np.int64], size: PictureSize, generator: torch.Generator
    ) -> tuple[Tensor, Targets]:
        """Augmented photographs, normalised ``(N, 3, S, S)``, and their landmarks."""
        import torch

        chosen = self.train_positions[positions]
        pixels = torch.from_numpy(self.crops.pixels[chosen]).to(self.device)
        changed, maps = augment.augment_with_maps(pixels, size, generator, self.config.jitter)
        targets = moved(torch.from_numpy(self.crops.truth[chosen]).to(self.device), maps)
        changed, targets = cut(changed, targets, self.config.cut, generator)
        return self.normalisation(changed), targets

    def loss(
        self, network: nn.Module, batch: tuple[Tensor, Targets]
    ) -> tuple[Tensor, NDArray[np.int64]]:
        """The loss of a batch; nothing is counted."""
        pictures, targets = batch
        maps = network(pictures).float()
        terms = {"offset": self.config.offset, "diameter": self.config.diameter}
        return losses.loss(maps, targets, **terms), np.zeros(1, np.int64)

    def set_training(self, network: nn.Module, frozen: int) -> None:
        """Put the network into training mode; no part is frozen."""
        del frozen
        network.train()

    def summarise(self, counts: NDArray[np.int64]) -> dict[str, Any]:
        """No figures but the loss."""
        del counts
        return {}

    def evaluate(self, network: nn.Module, size: PictureSize, epoch: int) -> dict[str, Any]:
        """Figures on validation, in all and by source."""
        del epoch
        found = predict(network, self.crops, self.val_positions, size, self.normalisation)
        return measure(found, self.crops, self.val_positions)


def moved(truth: Tensor, maps: Tensor) -> Targets:
    """The landmarks of augmented pictures.

    Args:
        truth: ``(N, 5)``, as in :class:`Crops`.
        maps: ``(N, 2, 3)`` from the result to the source.
    """
    import torch

    points = torch.stack((truth[:, :2], truth[:, 3:]), dim=1)
    inverse = torch.linalg.inv(maps[:, :, :2])
    after = torch.einsum("nij,npj->npi", inverse, points - maps[:, None, :, 2])
    # A map that is not a similarity changes the mean diameter by the root of its area.
    scale = torch.linalg.det(inverse).abs().sqrt()
    inside = (after.abs() < 1).all(dim=2) & (points.norm(dim=2) < 1)
    return Targets(after, after.isfinite().all(dim=2) & inside, truth[:, 2] * scale)


def cut(
    pictures: Tensor, targets: Targets, share: float, generator: torch.Generator
) -> tuple[Tensor, Targets]:
    """Cut some pictures off at one side, as a sensor does; what lies beyond is not visible.

    Args:
        pictures: ``(N, 3, S, S)``, black outside of the retina.
        targets: of the pictures.
        share: of the pictures that are cut.
        generator: the only source of randomness.
    """
    import torch

    count, side = len(pictures), pictures.shape[-1]
    chosen = torch.rand(count, generator=generator) < share
    edge = LEAST_SHOWN + (1 - LEAST_SHOWN) * torch.rand(count, generator=generator)
    edge = torch.where(chosen, edge, 2.0).to(pictures.device)
    axis = torch.rand(count, generator=generator) < HALF
    sign = torch.where(torch.rand(count, generator=generator) < HALF, -1.0, 1.0)
    axis, sign = axis.to(pictures.device), sign.to(pictures.device)
    line = (torch.arange(side, device=pictures.device) + 0.5) / side * 2 - 1
    kept = line * sign[:, None] < edge[:, None]
    mask = torch.where(axis[:, None, None], kept[:, None, :], kept[:, :, None])
    along = torch.where(axis[:, None], targets.points[..., 0], targets.points[..., 1])
    shown = targets.shown & (along * sign[:, None] < edge[:, None])
    return pictures * mask[:, None], Targets(targets.points, shown, targets.diameter)


def predict(
    network: nn.Module,
    crops: Crops,
    positions: NDArray[np.int64],
    size: PictureSize,
    normalisation: normalise.Normalisation,
) -> list[tuple[Peak, Peak]]:
    """The landmarks of some pictures without augmentation.

    Args:
        network: in evaluation mode.
        crops: the pictures.
        positions: of the pictures that are read.
        size: at which they are shown.
        normalisation: of their pixels.
    """
    import torch

    device = next(network.parameters()).device
    found: list[tuple[Peak, Peak]] = []
    with torch.inference_mode():
        for start in range(0, len(positions), EVALUATION_BATCH):
            pixels = crops.pixels[positions[start : start + EVALUATION_BATCH]]
            shown = augment.resize(torch.from_numpy(pixels).to(device), size)
            maps = network(normalisation(shown)).float().cpu().numpy()
            found += [landmarks.peaks(each) for each in maps]
    return found


def measure(
    found: list[tuple[Peak, Peak]], crops: Crops, positions: NDArray[np.int64]
) -> dict[str, Any]:
    """Figures of one epoch. ``score`` chooses the best: the shares that are right less medians."""
    errors = figures.errors(found, crops.truth[positions])
    pooled = figures.summary(errors)
    known = {key: value for key, value in pooled.items() if not np.isnan(value)}
    return {"score": _score(known), **pooled, "by_source": _by_source(found, crops, positions)}


def _score(figure: Mapping[str, float]) -> float:
    shares = [value for key, value in figure.items() if "within" in key]
    medians = [value for key, value in figure.items() if "median" in key]
    return sum(shares) - sum(medians)


def _by_source(
    found: list[tuple[Peak, Peak]], crops: Crops, positions: NDArray[np.int64]
) -> dict[str, dict[str, float]]:
    sources = [crops.marks[position].source for position in positions]
    return {
        name: figures.summary(
            figures.errors(
                [pair for pair, source in zip(found, sources, strict=True) if source == name],
                crops.truth[positions[[source == name for source in sources]]],
            )
        )
        for name in sorted(set(sources))
    }
