"""Shows how a training run goes: bars on a terminal, else a line now and then."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import typer

from fundoscope.quoting import printable

if TYPE_CHECKING:
    from fundoscope.train.detection.data import DetectionData
    from fundoscope.train.detection.views.view import LeftOut as UnusableEye
    from fundoscope.train.grading.pictures import LeftOut, Pictures
    from fundoscope.train.landmarks.marks import Crops
    from fundoscope.train.landmarks.marks import LeftOut as UnusableMark
    from fundoscope.train.run.listeners import Listeners
    from fundoscope.train.run.progress import Report

    ShowPictures = Callable[[int, int], None]
    ShowStep = Callable[[Report], None]

LINE_EVERY: Final = 50
"""Steps between two lines where the output is not a terminal."""
PICTURES_EVERY: Final = 500
"""Pictures between two lines where the output is not a terminal."""
MINUTES_FROM: Final = 90
"""Time left is shown in minutes from this number of seconds on."""


@contextmanager
def watching_grader() -> Iterator[Listeners[Pictures]]:
    """Show a grader's run on standard output; gives the callbacks that report its progress."""
    from fundoscope.train.run.listeners import Listeners

    with _display("photographs") as (show_pictures, show_step):
        yield Listeners(
            show_pictures,
            lambda pictures: print_left_out(pictures.left_out),
            _print_network,
            show_step,
            _print_grader_epoch,
        )


@contextmanager
def watching_detector() -> Iterator[Listeners[DetectionData]]:
    """Show a detector's run on standard output; gives the callbacks that report its progress."""
    from fundoscope.train.run.listeners import Listeners

    with _display("tiles") as (show_pictures, show_step):
        yield Listeners(
            show_pictures, _print_data, _print_network, show_step, _print_detector_epoch
        )


@contextmanager
def watching_landmarks() -> Iterator[Listeners[Crops]]:
    """Show the run of a landmark network; gives the callbacks that report its progress."""
    from fundoscope.train.run.listeners import Listeners

    with _display("photographs") as (show_pictures, show_step):
        yield Listeners(
            show_pictures,
            lambda crops: print_left_out(crops.left_out),
            _print_network,
            show_step,
            _print_landmarks_epoch,
        )


@contextmanager
def _display(unit: str) -> Iterator[tuple[ShowPictures, ShowStep]]:
    """Show prepared pictures and training steps; speed is given in ``unit`` per second."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    console = Console()
    if not console.is_terminal:
        yield _print_pictures, partial(_print_step, unit)
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, console=console) as bars:
        pictures = bars.add_task("pictures", total=None, visible=False)
        steps = bars.add_task("training", total=None, visible=False)

        def show_pictures(done: int, count: int) -> None:
            bars.update(pictures, completed=done, total=count, visible=done < count)

        def show_step(report: Report) -> None:
            bars.update(
                steps,
                completed=report.step,
                total=report.steps,
                visible=True,
                description=_progress(report, unit),
            )

        yield show_pictures, show_step


def print_left_out(left_out: Sequence[LeftOut | UnusableMark | UnusableEye]) -> None:
    """Name the photographs that cannot be used for training, with the reason."""
    for photograph in left_out:
        typer.echo(f"left out: {photograph.image}: {photograph.reason}")


def _print_network(name: str, weights: int) -> None:
    typer.echo(f"{name}: {weights:,} weights")


def _print_pictures(done: int, count: int) -> None:
    if done % PICTURES_EVERY == 0 or done == count:
        typer.echo(f"pictures {done}/{count}")


def _print_data(data: DetectionData) -> None:
    """Print the number of photographs and of boxes of each kind, and the anchors fitted to them."""
    for warning in data.warnings:
        typer.echo(printable(warning), err=True)
    print_left_out(data.left_out)
    for part, views in {"training": data.train, "validation": data.val}.items():
        labels = [label for view in views for label in view.labels.tolist()]
        boxes = ", ".join(
            f"{labels.count(label)} {kind}" for label, kind in enumerate(data.kinds, start=1)
        )
        held_out = " (held out)" if data.held_out and part == "validation" else ""
        typer.echo(f"{part}: {len(views)} photographs{held_out}, boxes: {boxes}")
    for kind in data.unseen:
        typer.echo(f"validation has no box of {kind}: it is not used for choosing the epoch")
    levels = " | ".join(
        " ".join(f"{width:g}x{height:g}" for width, height in level) for level in data.anchors
    )
    if levels:
        typer.echo(f"anchors, pixels: {levels}")


def _print_step(unit: str, report: Report) -> None:
    if report.step % LINE_EVERY == 0:
        typer.echo(f"step {report.step}/{report.steps} {_progress(report, unit)}")


def _progress(report: Report, unit: str) -> str:
    return (
        f"epoch {report.epoch + 1}/{report.epochs} {_size(report.size)} px loss {report.loss:.4f}"
        f" {report.photographs_a_second:.1f} {unit}/s {_duration(report.seconds_left)} left"
    )


def _duration(seconds: float) -> str:
    return f"{seconds / 60:.0f} min" if seconds >= MINUTES_FROM else f"{seconds:.0f} s"


def _size(size: int | tuple[int, int]) -> str:
    return str(size) if isinstance(size, int) else f"{size[0]}x{size[1]}"


def _print_grader_epoch(line: dict[str, Any]) -> None:
    """Print the figures of training and validation, and those of validation for each source.

    Kappa and accuracy of both round the expected grade.
    """
    training = line["training"]
    typer.echo(
        f"epoch {line['epoch'] + 1} training: loss {line['loss']:.4f}"
        f" kappa {_number(training['kappa'])} accuracy {_number(training['accuracy'])};"
        f" validation: loss {line['validation_loss']:.4f} kappa {_number(line['kappa_rounded'])}"
        f" accuracy {_number(line['accuracy_rounded'])} AUC {_number(line['auc'])},"
        f" with fitted cut-points: mean kappa of sources {_number(line['mean_kappa'])}"
    )
    if len(line["by_source"]) > 1:
        sources = ", ".join(
            f"{name} {_number(figures['kappa'])}/{_number(figures['auc'])}"
            for name, figures in line["by_source"].items()
        )
        typer.echo(f"  kappa/AUC by source: {sources}")


def _print_detector_epoch(line: dict[str, Any]) -> None:
    """Print the training loss, and the average precision of each kind on validation."""
    kinds = ", ".join(
        f"{kind} {_number(value)}" for kind, value in line["average_precision"].items()
    )
    typer.echo(
        f"epoch {line['epoch'] + 1} training: loss {line['loss']:.4f};"
        f" validation: average precision {kinds}; mean of lesions {_number(line['score'])}"
    )


def _print_landmarks_epoch(line: dict[str, Any]) -> None:
    """Print the training loss, and how near the landmarks are to the marks of validation."""
    typer.echo(
        f"epoch {line['epoch'] + 1} training: loss {line['loss']:.4f}; validation, in disc"
        f" diameters: disc {_number(line['disc_median'])} (within half:"
        f" {_number(line['disc_within_half'])}, diameter within 15 %:"
        f" {_number(line['diameter_within_15'])}), fovea {_number(line['fovea_median'])} (within"
        f" half: {_number(line['fovea_within_half'])})"
    )


def _number(value: float) -> str:
    return "-" if math.isnan(value) else f"{value:.3f}"
