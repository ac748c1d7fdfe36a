"""The configuration of a landmark network's training, as its TOML file has it."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any, Final

import msgspec

from fundoscope.errors import UsageError
from fundoscope.train.networks import augment
from fundoscope.train.run import folder as runs
from fundoscope.train.run import optimisers, plan, settings
from fundoscope.train.run.plan import Stage
from fundoscope.train.run.settings import require

LANDMARKS: Final = runs.TASKS[runs.LANDMARKS]
MULTIPLE: Final = 16
"""Sides of the pictures are multiples of it: the network's coarsest map has this stride."""
BOUNDS: Final[dict[str, tuple[float, float]]] = {
    **{f"jitter.{key}": bounds for key, bounds in augment.BOUNDS.items()},
    "data.crop_size": (MULTIPLE, math.inf),
    "cut": (0, 1),
    "offset": (0, math.inf),
    "diameter": (0, math.inf),
    "network.channels": (1, math.inf),
}
"""The lowest and the highest valid value of each number that only a landmark network has."""


class Data(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The marked photographs.

    Attributes:
        manifest: the table of marks, see :mod:`fundoscope.train.landmarks.marks`; empty where
            ``--data`` names it. Paths are relative to the working directory.
        cache: folder of the cached pictures.
        crop_size: side of the cached pictures, in pixels.
        licence: the terms for the trained weights.
    """

    manifest: str = ""
    cache: str = "cache"
    crop_size: int = 288
    licence: str = "not stated; the terms of the training photographs apply"


class NetworkChoice(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The network, and the weights that it starts from.

    Attributes:
        name: a network of :mod:`fundoscope.train.networks.backbones` with a pyramid.
        init: see :func:`fundoscope.train.networks.weights.start`.
        channels: of the layers behind the backbone.
    """

    name: str = "efficientnet_lite0"
    init: str = "imagenet"
    channels: int = 64


class LandmarksConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The whole configuration of a run; the TOML file has the same names.

    Attributes:
        data: the photographs.
        stages: of the training, one after the other.
        network: what is trained.
        optimiser: how the weights are changed.
        jitter: random changes of the training pictures.
        cut: share of the training pictures that are cut off at a side, as a sensor does.
        offset: weight of the distance from the mark in the loss.
        diameter: weight of the disc's diameter in the loss.
        start: ``best.pt`` of an earlier run of the same network, to start from; ``""``: none.
        patience: the run ends after this number of epochs without a better one; 0: never.
        seed: of all random draws.
        devices, threads, precision: see :class:`fundoscope.train.run.settings.Hardware`.
        checkpoint_every: steps between two check-points.
    """

    data: Data
    stages: tuple[Stage, ...]
    network: NetworkChoice = NetworkChoice()
    optimiser: optimisers.Optimiser = optimisers.Optimiser()
    jitter: augment.Jitter = augment.Jitter(rotation=20.0)
    cut: float = 0.3
    offset: float = 1.0
    diameter: float = 1.0
    start: str = ""
    patience: int = 0
    seed: int = 1
    devices: int = 1
    threads: int = 0
    precision: str = "auto"
    checkpoint_every: int = 100


def read_config(path: Path) -> LandmarksConfig:
    """Read a TOML configuration.

    Raises:
        UsageError: the file cannot be read, or holds an unknown key or an invalid value.
    """
    return settings.read(path, LandmarksConfig, LANDMARKS, check=check)


def check(config: LandmarksConfig, title: str) -> None:
    """Reject invalid values.

    Args:
        config: what is checked.
        title: how messages call the configuration.

    Raises:
        UsageError: names the key and the values that it takes.
    """
    if not config.stages:
        raise UsageError(title, "has no stage", "add [[stages]] with size and epochs")
    settings.require_within(config, BOUNDS, title)
    settings.require_training(config, title)
    for stage in config.stages:
        square = isinstance(stage.size, int) and stage.size > 0 and stage.size % MULTIPLE == 0
        require(square, title, "stages.size", stage.size, f"write a multiple of {MULTIPLE}")
        require(stage.epochs >= 1, title, "stages.epochs", stage.epochs, "write 1 or more")
        require(stage.frozen == 0, title, "stages.frozen", stage.frozen, "leave it out")


def with_epochs(config: LandmarksConfig, epochs: int) -> LandmarksConfig:
    """The configuration with another number of epochs, which its stages share.

    Args: as of :func:`plan.shared`.
    """
    return msgspec.structs.replace(config, stages=plan.shared(config.stages, epochs))


def open_run(config: LandmarksConfig, sha256: str, folder: Path, *, resume: bool) -> None:
    """Store a run's configuration and data hash, or check that the folder has the same ones.

    Args: as of :func:`runs.open_run`.

    Raises: as :func:`runs.open_run`.
    """
    run = runs.Stored(runs.LANDMARKS, msgspec.to_builtins(config), sha256)
    runs.open_run(run, folder, resume=resume, complete=_complete)


def _complete(stored: dict[str, Any]) -> dict[str, Any]:
    """Stored settings with the defaults of those that they lack."""
    plain: dict[str, Any] = msgspec.to_builtins(_converted(stored))
    return plain


def _converted(stored: dict[str, Any]) -> LandmarksConfig:
    return settings.convert(stored, LandmarksConfig, LANDMARKS)


def of_run(folder: Path) -> tuple[LandmarksConfig, str]:
    """The configuration of a landmark network's run folder, and the SHA-256 of its table.

    Raises:
        UsageError: the folder is not a run folder of a landmark network.
    """
    run = runs.stored_of(runs.LANDMARKS, folder)
    return _converted(run.settings), run.manifest_sha256
