"""How a training run is shown: bars on a terminal, else a line now and then."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

import typer

if TYPE_CHECKING:
    from fundoscope.train.grader import Watcher
    from fundoscope.train.pictures import LeftOut
    from fundoscope.train.progress import Report

LINE_EVERY: Final = 50
"""Steps between two lines where the output is no terminal."""
PICTURES_EVERY: Final = 500
MINUTES_FROM: Final = 90
"""Seconds from which the time left is told in minutes."""


@contextmanager
def watching() -> Iterator[Watcher]:
    """A watcher that shows a run on the standard output while it lasts."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    from fundoscope.train.grader import Watcher

    console = Console()
    if not console.is_terminal:
        yield Watcher(
            _line_of_pictures, lines_of_left_out, _line_of_network, _line_of_step, _line_of_epoch
        )
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
                description=_standing(report),
            )

        yield Watcher(show_pictures, lines_of_left_out, _line_of_network, show_step, _line_of_epoch)


def lines_of_left_out(left_out: tuple[LeftOut, ...]) -> None:
    """Name the photographs that cannot take part."""
    for photograph in left_out:
        typer.echo(f"left out: {photograph.image}: {photograph.reason}")


def _line_of_network(name: str, weights: int) -> None:
    typer.echo(f"{name}: {weights:,} weights")


def _line_of_pictures(done: int, count: int) -> None:
    if done % PICTURES_EVERY == 0 or done == count:
        typer.echo(f"pictures {done}/{count}")


def _line_of_step(report: Report) -> None:
    if report.step % LINE_EVERY == 0:
        typer.echo(f"step {report.step}/{report.steps} {_standing(report)}")


def _standing(report: Report) -> str:
    return (
        f"epoch {report.epoch + 1}/{report.epochs} {_size(report.size)} px loss {report.loss:.4f}"
        f" {report.photographs_a_second:.1f} photographs/s {_left(report.seconds_left)} left"
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


def _number(value: float) -> str:
    return "-" if math.isnan(value) else f"{value:.3f}"
