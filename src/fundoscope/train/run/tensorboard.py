"""A run's figures for TensorBoard, where that is installed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

from fundoscope.errors import OutputError
from fundoscope.train.run import folder as runs

if TYPE_CHECKING:
    from fundoscope.train.detection import training as detector
    from fundoscope.train.grading import training as grader

AnyWatcher = TypeVar("AnyWatcher", "grader.Watcher", "detector.Watcher")

FOLDER: Final = "tensorboard"
FILES: Final = "events.out.tfevents.*"
FIGURES: Final = {
    "loss/training": ("loss",),
    "loss/validation": ("validation_loss",),
    "kappa/training": ("training", "kappa"),
    "kappa/validation": ("kappa",),
    "kappa/mean of sources": ("score",),
    "accuracy/training": ("training", "accuracy"),
    "accuracy/validation": ("accuracy",),
    "AUC/validation": ("auc",),
    "AUC/mean of sources": ("mean_auc",),
    "rate": ("rate",),
}
"""What is shown of a grader, and where it stands in a line of ``metrics.jsonl``."""
FIGURES_OF_DETECTOR: Final = {
    "loss/training": ("loss",),
    "loss/first stage, lesion or not": ("training", "loss_objectness"),
    "loss/first stage, boxes": ("training", "loss_rpn_box_reg"),
    "loss/second stage, kinds": ("training", "loss_classifier"),
    "loss/second stage, boxes": ("training", "loss_box_reg"),
    "loss/pixels": ("training", "loss_entropy"),
    "loss/overlap": ("training", "loss_overlap"),
    "average precision/mean of lesions": ("score",),
    "rate": ("rate",),
}
PRECISION: Final = "average_precision"


def recording(watcher: AnyWatcher, folder: Path) -> AnyWatcher:
    """The watcher, also writing the run's figures for TensorBoard where that is installed."""
    if find_spec("tensorboard") is None:
        return watcher

    def show_epoch(line: dict[str, Any]) -> None:
        if watcher.epoch is not None:
            watcher.epoch(line)
        write(folder)

    return replace(watcher, epoch=show_epoch)


def write(folder: Path) -> None:
    """Write all epochs of ``metrics.jsonl`` into the run folder's ``tensorboard``; epochs count
    from 1.

    Everything is written anew each time, because a killed run shows its last epoch twice, or not
    at all.

    Raises:
        OutputError: it cannot be written.
    """
    from torch.utils.tensorboard import SummaryWriter

    target = folder / FOLDER
    earlier = list(target.glob(FILES))
    try:
        began = (folder / runs.RUN).stat().st_mtime
        # The purge makes a TensorBoard that is looking forget what it read from the earlier file.
        with SummaryWriter(target, purge_step=0) as writer:
            for name, epoch, value, seconds in _points(folder):
                writer.add_scalar(name, value, epoch, walltime=began + seconds)
        for file in earlier:
            file.unlink()
    except OSError as error:
        raise OutputError(
            str(target),
            f"cannot be written ({error.strerror})",
            "free some space; the run then goes on from its last check-point",
        ) from None


def _points(folder: Path) -> Iterator[tuple[str, int, float, float]]:
    """Name, epoch, value and seconds of training; what is undefined is left out."""
    for line in runs.metrics(folder):
        for name, keys in _figures(line).items():
            value: Any = line
            for key in keys:
                value = None if value is None else value.get(key)
            if value is not None:
                yield name, line["epoch"] + 1, float(value), line["training_seconds"]


def _figures(line: Mapping[str, Any]) -> Mapping[str, tuple[str, ...]]:
    """What is shown of a run that has such lines."""
    if PRECISION not in line:
        return FIGURES
    kinds = {f"average precision/{kind}": (PRECISION, kind) for kind in line[PRECISION]}
    return {**FIGURES_OF_DETECTOR, **kinds}
