"""Training a grader: data, loss and evaluation of the loop."""

from __future__ import annotations

import io
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from fundoscope.data.manifest import Manifest, Row
from fundoscope.errors import FundoscopeError
from fundoscope.evaluate.grading.figures import quadratic_kappa
from fundoscope.grading import heads, inputs
from fundoscope.train.grading import (
    calibrate,
    cut_points,
    lesion_boxes,
    lesion_maps,
    losses,
    photographs,
    pictures,
)
from fundoscope.train.grading import config as configs
from fundoscope.train.grading.config import GraderConfig
from fundoscope.train.grading.lesion_maps import LesionMaps
from fundoscope.train.grading.photographs import TRAIN, VAL
from fundoscope.train.grading.pictures import Pictures
from fundoscope.train.networks import augment, weights
from fundoscope.train.networks import catalogue as networks
from fundoscope.train.networks.normalise import Normalisation
from fundoscope.train.run import devices, loop, memory, processes
from fundoscope.train.run.listeners import Listeners
from fundoscope.train.run.plan import PictureSize, Plan
from fundoscope.train.run.settings import sides

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

EVALUATION_BATCH: Final = 32


class Batch(NamedTuple):
    """Augmented photographs of training.

    Attributes:
        shown: normalised, ``(N, 3, H, W)``.
        grades: ``(N,)``.
        positions: ``(N,)`` among the training photographs.
        affine: ``(N, 2, 3)`` from the shown picture to its crop, see
            :func:`augment.augment_with_maps`.
    """

    shown: Tensor
    grades: Tensor
    positions: NDArray[np.int64]
    affine: Tensor


def train(
    config: GraderConfig,
    folder: Path,
    *,
    resume: bool = True,
    listeners: Listeners[Pictures] | None = None,
) -> None:
    """Train a grader; the run folder gets what :mod:`fundoscope.train.grading.export` needs.

    Args:
        config: see :class:`GraderConfig`.
        folder: the run folder; made where it does not exist.
        resume: continue an earlier run of the folder. Its configuration must be the same but for
            :data:`fundoscope.train.run.settings.HARDWARE`.
        listeners: report the progress; their ``data`` gets the pictures.

    Raises:
        UsageError: the configuration, the manifest or the run folder does not fit.
        FundoscopeError, OutputError: as :func:`loop.train`.
    """
    import torch

    if listeners is None or not processes.is_first():
        listeners = Listeners()
    configs.check(config, "the configuration")
    devices.set_up(config)
    table = photographs.read(config.data.manifest)
    also = photographs.read_also(config.data, table)
    rows = photographs.choose(table, config.data, config.seed)
    weights.require(config.network.name, config.network.init)
    make = partial(network_of, config, init=weights.NONE)
    count = memory.require(make, _title(config))
    shown = [networks.InputSize(*sides(stage.size)) for stage in config.stages]
    networks.require_takes(make, shown, _title(config))
    if listeners.network is not None:
        listeners.network(config.network.name, count)
    configs.open_run(config, photographs.sha256(table, also), folder, resume=resume)
    data = pictures_of(config, table, rows, also, listeners.picture)
    if listeners.data is not None:
        listeners.data(data)
    photographs.require_usable(data.rows, table.path.name)
    torch.manual_seed(config.seed)
    network = network_of(config, init=config.network.init)
    maps = None
    if config.maps.boxes:
        network, maps = _with_maps(network, config, (table, *also), data)
        lesion_maps.require_same(maps, config.maps.boxes, folder, resume=resume)
    fabric = devices.fabric(config)
    task = GradingTask(data, config, fabric.device, folder, maps)
    plan = plan_of(config, data)
    loop.train(network, task, plan, fabric, folder, resume=resume, listeners=listeners)


def _with_maps(
    network: nn.Module, config: GraderConfig, tables: Sequence[Manifest], data: Pictures
) -> tuple[nn.Module, LesionMaps]:
    """The network with maps of lesions, and what is known of the training photographs.

    Raises:
        UsageError: the network cannot give maps, or as :func:`lesion_maps.read`.
    """
    from fundoscope.train.networks.with_maps import WithMaps

    mapped = WithMaps(network, len(lesion_boxes.KINDS))
    rows = [data.rows[i] for i in data.of_split(TRAIN)]
    files = photographs.files_of(rows, tables)
    return mapped, lesion_maps.read(Path(config.maps.boxes), files, rows)


def pictures_of(
    config: GraderConfig,
    table: Manifest,
    rows: Sequence[Row],
    also: Sequence[Manifest],
    progress: pictures.Progress | None,
) -> Pictures:
    """The pictures of some rows of the table, followed by those of all rows of further tables.

    Args:
        config: of the run.
        table: the first table.
        rows: of this table.
        also: the further tables.
        progress: a callback for pictures that are not cached.
    """
    load = partial(
        pictures.load, wanted=config.data.wanted, cache=Path(config.data.cache), progress=progress
    )
    further = (load(each, each.rows, trusted=True) for each in also)
    return sum(further, start=load(table, rows))


def plan_of(config: GraderConfig, data: Pictures) -> Plan:
    """The plan of a run on some pictures."""
    training = data.of_split(TRAIN)
    return Plan(
        data.shapes[training],
        config.stages,
        config.optimiser,
        config.seed,
        config.checkpoint_every,
        config.patience,
        photographs.times([data.rows[i] for i in training], config.data),
    )


def network_of(config: GraderConfig, *, init: str) -> nn.Module:
    """The network of a configuration, with its starting weights.

    Args:
        config: the configuration.
        init: what it starts from, see :func:`weights.start`.
    """
    return weights.start(
        config.network.name,
        heads.OUTPUTS[config.head],
        largest(config),
        dropout=config.network.dropout,
        init=init,
    )


def largest(config: GraderConfig) -> networks.InputSize:
    """The size of the last stage, for which the network is made."""
    return networks.InputSize(*sides(config.stages[-1].size))


def _title(config: GraderConfig) -> str:
    size = largest(config)
    return f"{config.network.name} at {size.height}x{size.width}"


class GradingTask:
    """The loop's :class:`loop.Task` for grading."""

    def __init__(
        self,
        data: Pictures,
        config: GraderConfig,
        device: torch.device,
        folder: Path,
        maps: LesionMaps | None = None,
    ) -> None:
        """Make the task of a run.

        Args:
            data: the pictures of training and validation.
            config: of the run.
            device: on which batches are made.
            folder: the run folder.
            maps: of the lesions of the training photographs, for a network that gives some.
        """
        self.data, self.config, self.device, self.folder = data, config, device, folder
        self.maps = maps
        self.train_positions, self.val_positions = data.of_split(TRAIN), data.of_split(VAL)
        self.grades = np.array([row.grade for row in data.rows], np.int64)
        self.sources = [data.rows[i].source for i in self.val_positions]
        self.normalisation = networks.normalisation(config.network.name, config.normalise)
        self.loss_of_batch = loss_of(config, self.grades[self.train_positions])

    def batch(
        self, positions: NDArray[np.int64], size: PictureSize, generator: torch.Generator
    ) -> Batch:
        """Augmented photographs, normalised."""
        import torch

        chosen = self.train_positions[positions]
        pixels = torch.from_numpy(self.data.take(chosen)).to(self.device)
        shown = shown_size(self.config, pixels.shape[1], pixels.shape[2], size)
        changed, affine = augment.augment_with_maps(pixels, shown, generator, self.config.jitter)
        grades = torch.from_numpy(self.grades[chosen]).to(self.device)
        return Batch(self.normalisation(changed), grades, positions, affine)

    def loss(self, network: nn.Module, batch: Batch) -> tuple[Tensor, NDArray[np.int64]]:
        """The loss of head and maps, and counts of label by rounded expected grade, ``(25,)``."""
        given = network(batch.shown)
        outputs = (given if self.maps is None else given[0]).float()
        loss = self.loss_of_batch(outputs, batch.grades)
        if self.maps is not None:
            loss = loss + self.config.maps.weight * self._loss_of_maps(self.maps, given[1], batch)
        # The loop reports outputs that are not finite; until then they must not break the counting.
        given = losses.expected(outputs.detach(), self.config.head).nan_to_num().round()
        cells = batch.grades * heads.GRADE_COUNT + given.clamp(0, heads.GRADE_COUNT - 1).long()
        counts = np.bincount(cells.cpu().numpy(), minlength=heads.GRADE_COUNT**2)
        return loss, counts

    def _loss_of_maps(self, maps: LesionMaps, given: Tensor, batch: Batch) -> Tensor:
        rows, columns = given.shape[2:]
        wanted, known = maps.batch(batch.positions, batch.affine, (rows, columns))
        return losses.of_maps(given.float(), wanted.to(given.device), known.to(given.device))

    def set_training(self, network: nn.Module, frozen: int) -> None:
        """See :func:`networks.set_training`; maps are never frozen."""
        if self.maps is None:
            networks.set_training(network, frozen)
            return
        network.train().requires_grad_(True)
        kept: nn.Module = network.kept  # type: ignore[assignment]
        networks.set_training(kept, frozen)

    def summarise(self, counts: NDArray[np.int64]) -> dict[str, Any]:
        """Accuracy and quadratic kappa of the augmented training photographs, rounded."""
        table = counts.reshape(heads.GRADE_COUNT, heads.GRADE_COUNT)
        return {
            "accuracy": float(np.trace(table) / max(1, table.sum())),
            "kappa": float(quadratic_kappa(table)),
        }

    def evaluate(self, network: nn.Module, size: PictureSize, epoch: int) -> dict[str, Any]:
        """Kappa and referable AUC on validation; each epoch's outputs are kept in a file."""
        import torch

        outputs = predict(
            network, self.data, self.val_positions, self.config, size, self.normalisation
        )
        if not np.isfinite(outputs).all():
            raise FundoscopeError(
                f"epoch {epoch + 1}", "the network's outputs are not finite", loop.NOT_A_NUMBER
            )
        labels = self.grades[self.val_positions]
        loss = self.loss_of_batch(torch.from_numpy(outputs), torch.from_numpy(labels))
        content = io.BytesIO()
        np.savez(content, logits=outputs, labels=labels)
        loop.write_whole(self.folder / f"validation-{epoch:03d}.npz", content.getvalue())
        figures = measure(outputs, labels, self.sources, self.config.head)
        score = figures[f"mean_{self.config.best_by}"]
        return {"validation_loss": float(loss), "score": score, **figures}


def loss_of(config: GraderConfig, grades: NDArray[np.int64]) -> losses.Loss:
    """The loss of a configuration.

    Args:
        config: the configuration.
        grades: of the training photographs.
    """
    return losses.Loss(
        config.head,
        config.label_smoothing,
        config.expected,
        losses.weights_of(config.class_weights, grades),
    )


def shown_size(config: GraderConfig, height: int, width: int, size: PictureSize) -> PictureSize:
    """The size at which a picture is shown.

    Args:
        config: of the run.
        height: of the picture, in pixels.
        width: of the picture, in pixels.
        size: of the stage.
    """
    if config.data.input != inputs.NATIVE:
        return size
    return inputs.Input(inputs.NATIVE, *sides(size)).shape(height, width)


def predict(
    network: nn.Module,
    data: Pictures,
    positions: NDArray[np.int64],
    config: GraderConfig,
    size: PictureSize,
    normalisation: Normalisation,
) -> NDArray[np.float32]:
    """Outputs ``(N, outputs)`` for some pictures without augmentation.

    Args:
        network: in evaluation mode.
        data: the pictures.
        positions: ``(N,)`` positions of the pictures that are read.
        config: of the run.
        size: at which they are shown.
        normalisation: of their pixels.
    """
    import torch

    device = next(network.parameters()).device
    result = np.empty((len(positions), heads.OUTPUTS[config.head]), np.float32)
    with torch.inference_mode():
        for places in data.batches(positions, EVALUATION_BATCH):
            pixels = torch.from_numpy(data.take(positions[places])).to(device)
            shown = shown_size(config, pixels.shape[1], pixels.shape[2], size)
            outputs = network(normalisation(augment.resize(pixels, shown)))
            result[places] = outputs.float().cpu().numpy()
    return result


def measure(
    outputs: NDArray[np.float32],
    labels: NDArray[np.int64],
    sources: Sequence[str],
    head: str = heads.CUMULATIVE,
) -> dict[str, Any]:
    """Figures of one epoch: pooled, by source, and the mean of the sources.

    Kappa is that of the most probable grade, after a correction that is fitted for all sources, as
    for a bundle but once, for speed. (Rounding the expected grade instead would measure the
    network's calibration, which is fitted later.) ``kappa_rounded`` and ``accuracy_rounded`` round
    it, which is the rule of the training figures. The best epoch is chosen by ``mean_kappa`` or
    ``mean_auc``, see :class:`GraderConfig`.

    Args:
        outputs: of the network, ``(N, outputs)``.
        labels: ``(N,)`` grades, 0 to 4.
        sources: N names.
        head: of the grader.
    """
    everything = np.ones(len(labels), bool)
    fitted = calibrate.calibrate(outputs, labels, sources, everything, head, resamples=0)
    expected = heads.expected(heads.probabilities(outputs, head=head))
    rounded = cut_points.confusions(
        labels, np.rint(expected).astype(np.int64), np.zeros(len(labels), np.int64)
    )[0]
    return {
        "mean_kappa": fitted.mean("kappa"),
        "kappa": fitted.pooled.kappa,
        "kappa_rounded": float(quadratic_kappa(rounded)),
        "accuracy_rounded": float(np.trace(rounded) / max(1, rounded.sum())),
        "accuracy": fitted.pooled.accuracy,
        "auc": fitted.pooled.auc,
        "mean_auc": fitted.mean("auc"),
        "by_source": {n: {"kappa": f.kappa, "auc": f.auc} for n, f in fitted.by_source.items()},
        "temperature": fitted.fitted.temperature,
        "correction": msgspec.to_builtins(fitted.fitted.correction),
    }
