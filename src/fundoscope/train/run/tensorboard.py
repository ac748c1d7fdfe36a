"""A run's figures for TensorBoard, where that is installed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

from fundoscope.errors import OutputError
from fundoscope.train.run import folder as runs
from fundoscope.train.run import loop
from fundoscope.train.run.listeners import Data, Listeners
from fundoscope.train.run.loss_names import loss_names

FOLDER: Final = "tensorboard"
FILES: Final = "events.out.tfevents.*"
FIGURES: Final = {
    "loss/training": ("loss",),
    "loss/validation": ("validation_loss",),
    "kappa/training": ("training", "kappa"),
    "kappa/validation": ("kappa",),
    "kappa/mean of sources": ("mean_kappa",),
    "accuracy/training": ("training", "accuracy"),
    "accuracy/validation": ("accuracy",),
    "AUC/validation": ("auc",),
    "AUC/mean of sources": ("mean_auc",),
    "rate": ("rate",),
}
"""The figures of a grader, and the keys of each in a line of ``metrics.jsonl``."""
FIGURES_OF_DETECTOR: Final = {
    "loss/training": ("loss",),
    "average precision/mean of lesions": ("score",),
    "rate": ("rate",),
}
"""The same of a detector. The parts of its loss and the average precision of each kind follow."""
PRECISION: Final = "average_precision"


def recording(listeners: Listeners[Data], folder: Path) -> Listeners[Data]:
    """The listeners, with a further one that writes a run's figures after each epoch.

    Where TensorBoard is not installed, the listeners as they are.

    Args:
        listeners: of the run.
        folder: the run folder.
    """
    if find_spec("tensorboard") is None:
        return listeners

    def show_epoch(line: dict[str, Any]) -> None:
        if listeners.epoch is not None:
            listeners.epoch(line)
        write(folder)

    return replace(listeners, epoch=show_epoch)


def write(folder: Path) -> None:
    """Write all epochs of ``metrics.jsonl`` for TensorBoard; epochs count from 1.

    Every epoch is written again each time, because a run that was killed may have written its last
    epoch twice, or not at all.

    Args:
        folder: the run folder; its ``tensorboard`` gets the file.

    Raises:
        OutputError: the file cannot be written.
    """
    from torch.utils.tensorboard import SummaryWriter

    target = folder / FOLDER
    earlier = list(target.glob(FILES))
    try:
        began = (folder / runs.RUN).stat().st_mtime
        # The purge makes a running TensorBoard forget what it read from the earlier file.
        with SummaryWriter(target, purge_step=0) as writer:
            for name, epoch, value, seconds in _points(folder):
                writer.add_scalar(name, value, epoch, walltime=began + seconds)
        for file in earlier:
            file.unlink()
    except OSError as error:
        raise OutputError(
            str(target),
            f"cannot be written ({error.strerror})",
            loop.REMEDY,
        ) from None


def _points(folder: Path) -> Iterator[tuple[str, int, float, float]]:
    """Name, epoch, value and seconds of training; undefined values are left out."""
    for line in runs.metrics(folder):
        for name, keys in _figures(line).items():
            value: Any = line
            for key in keys:
                value = None if value is None else value.get(key)
            if value is not None:
                yield name, line["epoch"] + 1, float(value), line["training_seconds"]


def _figures(line: Mapping[str, Any]) -> Mapping[str, tuple[str, ...]]:
    """The figures of a run with such lines, and the keys of each in a line."""
    if PRECISION not in line:
        return FIGURES
    names = loss_names(line["training"])
    losses = {f"loss/{name}": ("training", key) for key, name in names.items()}
    kinds = {f"average precision/{kind}": (PRECISION, kind) for kind in line[PRECISION]}
    return {**FIGURES_OF_DETECTOR, **losses, **kinds}
