"""One way to run a training, whatever is trained."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar

import typer

if TYPE_CHECKING:
    from fundoscope.errors import FundoscopeError
    from fundoscope.train.budget import Budget, BudgetedConfig
    from fundoscope.train.detection.config import DetectorConfig
    from fundoscope.train.detection.data import DetectionData
    from fundoscope.train.grading.config import GraderConfig
    from fundoscope.train.grading.pictures import Pictures
    from fundoscope.train.landmarks.config import LandmarksConfig
    from fundoscope.train.landmarks.marks import Crops
    from fundoscope.train.run.listeners import Listeners

Config = TypeVar("Config", "GraderConfig", "DetectorConfig", "LandmarksConfig")
Data = TypeVar("Data", "Pictures", "DetectionData", "Crops")

RUNS: Final = Path("runs")
"""Where run folders lie by default."""


@dataclass(frozen=True, slots=True)
class Kind(Generic[Config, Data]):
    """What differs between the trainings of the tasks.

    Attributes:
        watching: opens the display of a run; gives the callbacks that report progress.
        settle: chooses the number of epochs for a time budget; ``None`` if the command takes none.
        schedule: describes the epochs of a configuration.
        train: trains.
    """

    watching: Callable[[], AbstractContextManager[Listeners[Data]]]
    settle: Callable[..., Any] | None
    schedule: Callable[[Config], str]
    train: Callable[..., None]


@dataclass(frozen=True, slots=True)
class Options:
    """How to run a training, whatever is trained.

    Attributes:
        folder: the run folder.
        resume: continue an interrupted run in the folder.
        minutes: time budget for training and export; ``None`` trains the configured epochs.
        bundle: folder of the bundle to export at the end; ``None`` exports nothing.
        overwrite: replace an existing bundle.
        started: start of the command, as :func:`time.monotonic` gives it.
    """

    folder: Path
    resume: bool
    minutes: float | None
    bundle: Path | None
    overwrite: bool
    started: float


def run_folder(out: Path | None, config: Path) -> Path:
    """The run folder: as named, or after the configuration file."""
    return out or RUNS / config.stem


def require_data(named: Path | None, configured: str) -> Path:
    """The data to train on: what the user named, else what the configuration names.

    Raises:
        UsageError: neither names any.
    """
    from fundoscope.errors import UsageError

    if named is None and not configured:
        raise UsageError("the configuration", "does not name any data", "name it with --data")
    return named or Path(configured)


def require_one_length(epochs: int | None, minutes: float | None) -> None:
    """Reject a number of epochs beside a time budget.

    Raises:
        UsageError: both are given.
    """
    from fundoscope.errors import UsageError

    if epochs is not None and minutes is not None:
        raise UsageError("--epochs", "contradicts --minutes", "give one of them")


def run(kind: Kind[Config, Data], config: Config, options: Options) -> None:
    """Train, draw the curves, and export the best network if a bundle was asked for.

    Args:
        kind: of training.
        config: checked, and complete but for the epochs that a time budget allows.
        options: how to run it.

    Raises:
        OutputError: the bundle exists and may not be replaced, or a file cannot be written.
        UsageError: the run folder holds another run, or the time budget is too short.
        FundoscopeError: the training failed.
        typer.Exit: the training failed in a process other than the first, which reports it.
    """
    from fundoscope.cli.train.export import require_free
    from fundoscope.errors import FundoscopeError
    from fundoscope.train.budget import Budget
    from fundoscope.train.run import tensorboard

    require_free(options.bundle, overwrite=options.overwrite)
    try:
        with kind.watching() as listeners:
            if options.minutes is not None and kind.settle is not None:
                budget = Budget(options.minutes, options.started)
                settled = kind.settle(
                    config, options.folder, budget, resume=options.resume, listeners=listeners
                )
                _print_settled(settled, budget, kind.schedule(settled.config))
                config = settled.config
            listeners = tensorboard.recording(listeners, options.folder)
            kind.train(config, options.folder, resume=options.resume, listeners=listeners)
    except FundoscopeError as error:
        raise _reported_once(error) from None
    _finish(options, Path(config.data.cache))


def _print_settled(settled: BudgetedConfig[Any], budget: Budget, schedule: str) -> None:
    """Print what was measured, and the epochs that fit into the time budget."""
    measured = ", ".join(f"{pace.step:.3f} + {pace.closing:.1f}" for pace in settled.paces)
    typer.echo(f"seconds per step and at the end of an epoch, for each stage: {measured}")
    source = "the run in the folder has" if settled.kept else f"{budget.minutes:.3g} minutes allow"
    typer.echo(f"{source} {schedule}")


def _reported_once(error: FundoscopeError) -> Exception:
    """What to raise in each process of a run, so that only the first prints the error."""
    from fundoscope.train.run import processes

    return error if processes.is_first() else typer.Exit(error.exit_code)


def _finish(options: Options, cache: Path) -> None:
    """Draw the curves of a finished run, and export it if a bundle was asked for."""
    from fundoscope.cli.train.export import export_run
    from fundoscope.train.run import curves, processes

    if not processes.is_first():
        return
    curves.draw(options.folder)
    typer.echo(f"trained; curves: {options.folder / curves.NAME}")
    if options.bundle is None:
        typer.echo(f"export it with: fundoscope train export {options.folder} BUNDLE")
    else:
        export_run(options.folder, options.bundle, None, cache, overwrite=options.overwrite)
