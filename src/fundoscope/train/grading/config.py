"""The configuration of a grader's training, as its TOML file has it."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any, Final

import msgspec
import numpy as np

from fundoscope.errors import UsageError
from fundoscope.grading import heads, inputs
from fundoscope.train.grading import losses
from fundoscope.train.networks import augment, normalise
from fundoscope.train.networks import catalogue as networks
from fundoscope.train.run import folder as runs
from fundoscope.train.run import optimisers, plan, settings
from fundoscope.train.run.plan import Stage
from fundoscope.train.run.settings import require, sides

GRADER: Final = runs.TASKS[runs.GRADING]
FEWEST: Final = 2
"""Smallest number of photographs in a batch."""
ASPECT_SPREAD: Final = 0.03
"""``only_aspect`` takes photographs whose shape differs by at most this share. Sensors of 3:2
differ by 1 % from each other, and by 11 % from 4:3."""
KIN: Final = {"equalised": "eyepacs", "grey": "eyepacs"}
"""For each further table (``data.also``), by name, the source that its photographs belong to."""
MOST_SHOWN: Final = 100
"""Largest number of times that an epoch may show a photograph."""
BOUNDS: Final[dict[str, tuple[float, float]]] = {
    "data.sample": (0, math.inf),
    "network.dropout": (0, 0.99),
    "optimiser.batch": (FEWEST, math.inf),
    **{f"jitter.{key}": bounds for key, bounds in augment.BOUNDS.items()},
    "expected": (0, math.inf),
    "label_smoothing": (0, 0.49),
    "maps.weight": (0, math.inf),
}
"""The lowest and the highest valid value of each number that only a grader has."""

KAPPA, AUC = "kappa", "auc"
CHOICES: Final = (KAPPA, AUC)
"""Figures by which a run can choose its best epoch."""


class Data(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The photographs, and what the network sees of them.

    Paths are relative to the working directory.

    Attributes:
        manifest: a label table, or a folder of class folders; empty where ``--data`` names it.
        also: further label tables, which are trained on and never used for validation or test.
            They are trusted to show retinas and not checked for it, because equalised pictures
            would fail the check.
        without: sources of ``manifest`` that are left out of training and validation.
        unmarked: sources whose ungradable photographs nobody has marked. Threshold and sets of
            grades are not fitted to them.
        shown: how often an epoch shows each photograph of a source; 1 for sources that are not
            named. With 0.5 each epoch shows another half of them.
        cache: folder of the cached pictures.
        input: ``crop`` (the field's square), ``squash`` (the whole frame in one shape) or
            ``native`` (the whole frame in its own shape).
        crop_size: side of the cached pictures, or height and width; the largest useful stage.
        only_aspect: only photographs of this width over height.
        sample: number of training photographs, drawn by the seed; 0: all.
        licence: the terms for the trained weights.
    """

    manifest: str = ""
    cache: str = "cache"
    input: str = inputs.CROP
    crop_size: int | tuple[int, int] = 320
    only_aspect: float | None = None
    sample: int = 0
    also: tuple[str, ...] = ()
    without: tuple[str, ...] = ()
    unmarked: tuple[str, ...] = ()
    shown: dict[str, float] = {}
    licence: str = "not stated; the terms of the training photographs apply"

    @property
    def wanted(self) -> inputs.Input:
        """What is cached of each photograph."""
        return inputs.Input(self.input, *sides(self.crop_size))


class NetworkChoice(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The network, and the weights that it starts from.

    Attributes:
        name: of :mod:`fundoscope.train.networks.catalogue`.
        dropout: share of the outputs before the last layer that are set to 0 in training.
        init: see :func:`fundoscope.train.networks.weights.start`.
    """

    name: str = "efficientnet_lite0"
    dropout: float = 0.2
    init: str = "imagenet"


class Maps(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Coarse maps of lesions that a grader learns beside the grade.

    They are for training alone: a bundle does not give them.

    Attributes:
        boxes: file of ``scripts/lesion_boxes`` with what a detector saw; empty: no maps.
        weight: of their loss, the binary cross-entropy of a cell summed over the kinds.
    """

    boxes: str = ""
    weight: float = 1.0


class GraderConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The whole configuration of a run; the TOML file has the same names.

    Attributes:
        data: the photographs.
        stages: of the training, one after the other.
        network: what is trained.
        optimiser: how the weights are changed.
        jitter: random changes of the training pictures.
        head: of :mod:`fundoscope.grading.heads`, with its loss.
        expected: weight of a second term of the loss, the squared error of the expected grade.
        class_weights: ``none``, ``balanced``, or five weights.
        label_smoothing: for ``cumulative`` and ``corn``, distance of the targets from 0 and 1; for
            ``softmax``, share spread evenly over the five grades; not used by other heads.
        normalise: a mode of :mod:`fundoscope.train.networks.normalise`.
        maps: of lesions, that are learnt too.
        best_by: the figure of validation that chooses the best epoch, the mean over the sources:
            ``kappa``, or ``auc`` of "referable".
        patience: the run ends after this number of epochs without a better one; 0: never.
        seed: of all random draws.
        devices, threads, precision: see :class:`fundoscope.train.run.settings.Hardware`.
        checkpoint_every: steps between two check-points.
    """

    data: Data
    stages: tuple[Stage, ...]
    network: NetworkChoice = NetworkChoice()
    optimiser: optimisers.Optimiser = optimisers.Optimiser()
    jitter: augment.Jitter = augment.Jitter()
    head: str = heads.CUMULATIVE
    expected: float = 0.0
    class_weights: str | tuple[float, ...] = losses.NONE
    label_smoothing: float = 0.03
    normalise: str = normalise.IMAGENET
    maps: Maps = Maps()
    best_by: str = KAPPA
    patience: int = 0
    seed: int = 1
    devices: int = 1
    threads: int = 0
    precision: str = "auto"
    checkpoint_every: int = 100


def read_config(path: Path) -> GraderConfig:
    """Read a TOML configuration.

    Raises:
        UsageError: the file cannot be read, or holds an unknown key or an invalid value.
    """
    return settings.read(path, GraderConfig, GRADER, check=check)


def replaced(
    config: GraderConfig,
    *,
    network: dict[str, Any] | None = None,
    data: dict[str, Any] | None = None,
    **changes: Any,
) -> GraderConfig:
    """The configuration with other values.

    Args:
        config: the configuration.
        network: new values of ``config.network``.
        data: new values of ``config.data``.
        changes: further new values. A value of ``None`` changes nothing.
    """
    return settings.replaced(config, {"network": network, "data": data, **changes})


def on_other_data(config: GraderConfig, table: Path) -> GraderConfig:
    """The configuration for another table: what names sources and terms of the first is cleared.

    Args:
        config: the configuration.
        table: a label table, or a folder of class folders.
    """
    cleared = {"also": (), "without": (), "unmarked": (), "shown": {}, "licence": Data().licence}
    data = msgspec.structs.replace(config.data, manifest=str(table), **cleared)
    return msgspec.structs.replace(config, data=data, maps=Maps())


def with_epochs(config: GraderConfig, epochs: int) -> GraderConfig:
    """The configuration with another number of epochs, which its stages share.

    Args: as of :func:`plan.shared`.
    """
    return msgspec.structs.replace(config, stages=plan.shared(config.stages, epochs))


def without(config: GraderConfig, source: str) -> GraderConfig:
    """The configuration without a source and the further tables that belong to it.

    Args:
        config: the configuration.
        source: its name in the label table.
    """
    data, related = config.data, kin(source)
    changed = msgspec.structs.replace(
        data,
        without=(*data.without, source),
        also=tuple(table for table in data.also if Path(table).stem not in related),
        shown={name: times for name, times in data.shown.items() if name not in related},
    )
    return msgspec.structs.replace(config, data=changed)


def kin(source: str) -> frozenset[str]:
    """A source and the further tables with photographs of it, by name."""
    return frozenset({source, *(table for table, its in KIN.items() if its == source)})


def from_builtins(stored: dict[str, Any]) -> GraderConfig:
    """A configuration from plain values, such as those that a bundle stores.

    Bundles of version 0.1 have ``pretrained`` in place of ``init``.

    Raises:
        UsageError: the values are not a valid configuration.
    """
    network = dict(stored.get("network", {}))
    if "pretrained" in network:
        network["init"] = "imagenet" if network.pop("pretrained") else "none"
    return settings.convert({**stored, "network": network}, GraderConfig, GRADER)


def open_run(config: GraderConfig, manifest_sha256: str, folder: Path, *, resume: bool) -> None:
    """Store a run's configuration and data hash, or check that the folder has the same ones.

    Args: as of :func:`runs.open_run`.

    Raises: as :func:`runs.open_run`.
    """
    run = runs.Stored(runs.GRADING, msgspec.to_builtins(config), manifest_sha256)
    runs.open_run(run, folder, resume=resume, complete=_complete)


def _complete(stored: dict[str, Any]) -> dict[str, Any]:
    """Stored settings with the defaults of those that they lack."""
    plain: dict[str, Any] = msgspec.to_builtins(from_builtins(stored))
    return plain


def of_run(folder: Path) -> tuple[GraderConfig, str]:
    """The configuration of a grader's run folder, and the SHA-256 of its tables.

    Raises:
        UsageError: the folder is not a run folder of a grader.
    """
    run = runs.stored_of(runs.GRADING, folder)
    return from_builtins(run.settings), run.manifest_sha256


def check(config: GraderConfig, title: str) -> None:
    """Reject invalid values.

    Args:
        config: what is checked.
        title: how messages call the configuration.

    Raises:
        UsageError: names the key and the values that it takes.
    """
    if not config.stages:
        raise UsageError(title, "has no stage", "add [[stages]] with size and epochs")
    known = {
        "head": tuple(heads.OUTPUTS),
        "normalise": normalise.MODES,
        "best_by": CHOICES,
        "data.input": inputs.KINDS,
    }
    settings.require_known(config, known, title)
    settings.require_within(config, BOUNDS, title)
    settings.require_training(config, title)
    aspect = config.data.only_aspect
    valid = aspect is None or 0 < aspect < math.inf
    require(valid, title, "data.only_aspect", aspect, "write a positive number")
    for source, times in config.data.shown.items():
        valid = 0 <= times <= MOST_SHOWN
        require(valid, title, f"data.shown.{source}", times, f"write 0 to {MOST_SHOWN}")
    losses.weights_of(config.class_weights, np.arange(heads.GRADE_COUNT))
    mapped = not config.maps.boxes or config.data.input == inputs.CROP
    require(mapped, title, "data.input", config.data.input, "maps need square crops: write crop")
    _check_sizes(config, title)
    # Processes wait for the gradient of every weight, and a frozen one has none.
    resting = config.devices > 1 and any(stage.frozen for stage in config.stages)
    require(not resting, title, "devices", config.devices, "leave frozen out of the stages")


def _check_sizes(config: GraderConfig, title: str) -> None:
    crop = config.data.input == inputs.CROP
    for number, stage in enumerate(config.stages):
        key = f"stages[{number}]"
        height, width = sides(stage.size)
        require(min(height, width) >= 1, title, f"{key}.size", stage.size, "write 1 or more")
        require(stage.epochs >= 1, title, f"{key}.epochs", stage.epochs, "write 1 or more")
        require(stage.frozen >= 0, title, f"{key}.frozen", stage.frozen, "write 0 or more")
        square = height == width or not crop
        require(square, title, f"{key}.size", stage.size, "a crop is square: write one number")
    size = config.data.crop_size
    height, width = sides(size)
    require(min(height, width) >= 1, title, "data.crop_size", size, "write pixels")
    require(height == width or not crop, title, "data.crop_size", size, "a crop is square")
    any_shape = config.network.name != networks.SEQUENTIAL
    require(
        any_shape or config.data.input != inputs.NATIVE,
        title,
        "data.input",
        config.data.input,
        f"{networks.SEQUENTIAL} takes one shape; take {networks.SEQUENTIAL_SPP}",
    )
