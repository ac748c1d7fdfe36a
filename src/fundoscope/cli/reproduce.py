"""``fundoscope reproduce``: train a bundle again, and say how far the new one lies from it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

if TYPE_CHECKING:
    from fundoscope.train.grading.calibrate import Calibration
    from fundoscope.train.grading.reproduce import Comparison, Reproduction

app = typer.Typer(help="Train a bundle again (needs the extra train).", no_args_is_help=True)

NAMES: Final = {
    "auc": "AUC referable",
    "kappa": "quadratic kappa",
    "accuracy": "accuracy",
    "sensitivity": "sensitivity",
    "specificity": "specificity",
}
"""The figures that are shown, as people call them."""
WIDTH: Final = 36


@app.callback()
def root() -> None:
    """Train a bundle again, and say how far the new one lies from it."""


@app.command()
def grader(
    bundle: Annotated[
        Path | None, typer.Option(help="Bundle to train again; the one that ships by default.")
    ] = None,
    data: Annotated[
        Path | None,
        typer.Option(help="Its label table; needed to start, not to resume."),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Run folder; runs/reproduce-BUNDLE by default.")
    ] = None,
    init: Annotated[
        str | None,
        typer.Option(help="What it started from, where that was a file or another run's best.pt."),
    ] = None,
    cache: Annotated[Path | None, typer.Option(help="Folder of the cached pictures.")] = None,
    threads: Annotated[
        int | None, typer.Option(min=0, help="Processor threads; the bundle's by default.")
    ] = None,
) -> None:
    """Train a grader again from what its bundle says: configuration, seed and hash of the table.

    The same command goes on where a killed run ended; a finished run is only compared.
    """
    from fundoscope.cli.train import require_extra

    require_extra()
    from fundoscope.cli.train.progress import watching
    from fundoscope.models import bundle as bundles
    from fundoscope.train.grading import reproduce

    with watching() as listeners:
        done = reproduce.reproduce(
            bundle or bundles.shipped(),
            out,
            data=data,
            init=init,
            cache=cache,
            threads=threads,
            listeners=listeners,
        )
    for line in _told(done):
        typer.echo(line)


def _told(done: Reproduction) -> Iterator[str]:
    given, compared = done.given, done.comparison
    yield (
        f"{given.name}: seed {given.trained_on.seed}, table {given.trained_on.manifest_sha256},"
        " the same here"
    )
    if not done.trained:
        yield "the run folder holds the finished run; it was not trained again"
    yield _threads(done)
    other = [
        f"{name} {version} there, {done.made.versions[name]} here"
        for name, version in given.versions.items()
        if done.made.versions.get(name, version) != version
    ]
    yield f"versions: {'; '.join(other) or 'the same'}"
    yield f"new bundle: {done.exported.folder}, epoch {done.exported.epoch + 1}"
    yield ""
    yield (
        f"{compared.photographs} photographs of validation, each bundle with its own fitted values"
    )
    if compared.from_card is not None:
        yield f"figures of the given bundle differ by {compared.from_card:.4f} from what it states"
    yield ""
    yield from _table(compared)
    yield ""
    yield (
        f"expected grade of a photograph: mean difference {compared.mean_difference:.4f},"
        f" largest {compared.largest_difference:.4f}"
    )
    yield f"given another grade: {compared.other_grade} of {compared.photographs}"


def _threads(done: Reproduction) -> str:
    there, here = done.threads, done.config.threads
    if there == here != 0:
        return f"threads: {here} there and here"
    names = [str(count) if count else "all" for count in (there, here)]
    return (
        f"threads: {names[0]} there, {names[1]} here; their number changes the last bits of sums,"
        " and so, step by step, the weights"
    )


def _table(compared: Comparison) -> Iterator[str]:
    """Figure by figure: the given bundle, the new one, the difference."""
    yield f"{'':{WIDTH}}{'given':>10}{'new':>10}{'difference':>12}"
    before, after = compared.before.table(), compared.after.table()
    for key, name in NAMES.items():
        for row, figures in before.items():
            yield _row(f"{name}, {row or '(not named)'}", figures[key], after[row][key])
    fitted = zip(_fitted(compared.before), _fitted(compared.after), strict=True)
    for (name, old), (_, new) in fitted:
        yield _row(name, old, new)


def _fitted(calibration: Calibration) -> Iterator[tuple[str, float]]:
    yield "temperature", calibration.temperature
    for number, cut in enumerate(calibration.cut_points, start=1):
        yield f"cut-point of grade {number}", cut
    yield "threshold of referable", calibration.threshold


def _row(name: str, old: float | None, new: float | None) -> str:
    if old is None or new is None:
        return f"{name:{WIDTH}}{_number(old):>10}{_number(new):>10}"
    return f"{name:{WIDTH}}{old:>10.4f}{new:>10.4f}{new - old:>+12.4f}"


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.4f}"
