"""How a training run is shown: bars on a terminal, else a line now and then."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import typer

if TYPE_CHECKING:
    from fundoscope.train.detection.data import DetectionData
    from fundoscope.train.grading.pictures import LeftOut, Pictures
    from fundoscope.train.run.listeners import Listeners
    from fundoscope.train.run.progress import Report

    ShowPictures = Callable[[int, int], None]
    ShowStep = Callable[[Report], None]

LINE_EVERY: Final = 50
"""Steps between two lines where the output is no terminal."""
PICTURES_EVERY: Final = 500
MINUTES_FROM: Final = 90
"""Seconds from which the time left is told in minutes."""


@contextmanager
def watching() -> Iterator[Listeners[Pictures]]:
    """Listeners that show a grader's run on the standard output while it lasts."""
    from fundoscope.train.run.listeners import Listeners

    with _progress("photographs") as (show_pictures, show_step):
        yield Listeners(
            show_pictures,
            lambda pictures: lines_of_left_out(pictures.left_out),
            _line_of_network,
            show_step,
            _line_of_epoch,
        )


@contextmanager
def watching_detector() -> Iterator[Listeners[DetectionData]]:
    """The same for a detector's run."""
    from fundoscope.train.run.listeners import Listeners

    with _progress("tiles") as (show_pictures, show_step):
        yield Listeners(
            show_pictures, _lines_of_set, _line_of_network, show_step, _line_of_detector_epoch
        )


@contextmanager
def _progress(unit: str) -> Iterator[tuple[ShowPictures, ShowStep]]:
    """What shows how many pictures are made, and each step of so many ``unit`` a second."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    console = Console()
    if not console.is_terminal:
        yield _line_of_pictures, partial(_line_of_step, unit)
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
                description=_standing(report, unit),
            )

        yield show_pictures, show_step


def lines_of_left_out(left_out: tuple[LeftOut, ...]) -> None:
    """Name the photographs that cannot take part."""
    for photograph in left_out:
        typer.echo(f"left out: {photograph.image}: {photograph.reason}")


def _line_of_network(name: str, weights: int) -> None:
    typer.echo(f"{name}: {weights:,} weights")


def _line_of_pictures(done: int, count: int) -> None:
    if done % PICTURES_EVERY == 0 or done == count:
        typer.echo(f"pictures {done}/{count}")


def _lines_of_set(found: DetectionData) -> None:
    """How many photographs and boxes of each kind there are, and the anchors that fit them."""
    for warning in found.warnings:
        typer.echo(warning, err=True)
    sides = {"training": found.train, "validation": found.val}
    for side, views in sides.items():
        labels = [label for view in views for label in view.labels.tolist()]
        boxes = ", ".join(
            f"{labels.count(label)} {kind}" for label, kind in enumerate(found.kinds, start=1)
        )
        held_out = " (held out)" if found.held_out and side == "validation" else ""
        typer.echo(f"{side}: {len(views)} photographs{held_out}, boxes: {boxes}")
    for kind in found.unseen:
        typer.echo(f"validation has no box of {kind}: it has no part in choosing the epoch")
    levels = " | ".join(
        " ".join(f"{width:g}x{height:g}" for width, height in level) for level in found.anchors
    )
    if levels:
        typer.echo(f"anchors, pixels: {levels}")


def _line_of_step(unit: str, report: Report) -> None:
    if report.step % LINE_EVERY == 0:
        typer.echo(f"step {report.step}/{report.steps} {_standing(report, unit)}")


def _standing(report: Report, unit: str) -> str:
    return (
        f"epoch {report.epoch + 1}/{report.epochs} {_size(report.size)} px loss {report.loss:.4f}"
        f" {report.photographs_a_second:.1f} {unit}/s {_left(report.seconds_left)} left"
    )


def _left(seconds: float) -> str:
    return f"{seconds / 60:.0f} min" if seconds >= MINUTES_FROM else f"{seconds:.0f} s"


def _size(size: int | tuple[int, int]) -> str:
    return str(size) if isinstance(size, int) else f"{size[0]}x{size[1]}"


def _line_of_epoch(line: dict[str, Any]) -> None:
    """Loss, kappa and accuracy of training and validation, and validation by source."""
    training = line["training"]
    typer.echo(
        f"epoch {line['epoch'] + 1} training: loss {line['loss']:.4f}"
        f" kappa {_number(training['kappa'])} accuracy {_number(training['accuracy'])};"
        f" validation: loss {line['validation_loss']:.4f} kappa {_number(line['kappa'])}"
        f" accuracy {_number(line['accuracy'])} AUC {_number(line['auc'])},"
        f" mean kappa of sources {_number(line['score'])}"
    )
    if len(line["by_source"]) > 1:
        sources = ", ".join(
            f"{name} {_number(v['kappa'])}/{_number(v['auc'])}"
            for name, v in line["by_source"].items()
        )
        typer.echo(f"  kappa/AUC by source: {sources}")


def _line_of_detector_epoch(line: dict[str, Any]) -> None:
    """The loss in training, and on validation the average precision of each kind."""
    kinds = ", ".join(
        f"{kind} {_number(value)}" for kind, value in line["average_precision"].items()
    )
    typer.echo(
        f"epoch {line['epoch'] + 1} training: loss {line['loss']:.4f};"
        f" validation: average precision {kinds}; mean of lesions {_number(line['score'])}"
    )


def _number(value: float) -> str:
    return "-" if math.isnan(value) else f"{value:.3f}"
