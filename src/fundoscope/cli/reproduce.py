"""``fundoscope reproduce``: train a bundle again, and compare the two."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from fundoscope.cli.extras import TRAIN, require
from fundoscope.cli.train.options import Cache

if TYPE_CHECKING:
    from fundoscope.train.grading.calibrate import Calibration
    from fundoscope.train.grading.reproduce import Comparison, Reproduction

app = typer.Typer(
    help="Train a bundle again, and compare the two (needs the optional part train).",
    no_args_is_help=True,
)

NAMES: Final = {
    "auc": "AUC referable",
    "kappa": "quadratic kappa",
    "accuracy": "accuracy",
    "sensitivity": "sensitivity",
    "specificity": "specificity",
}
"""The figures that are printed, and their names."""
WIDTH: Final = 36
"""Of the first column, in characters."""


@app.callback()
def root() -> None:
    """Train a bundle again, and compare the two (needs the optional part train)."""


@app.command()
def grader(
    bundle: Annotated[
        Path | None,
        typer.Option(
            metavar="BUNDLE",
            help="Bundle to train again. Default: the grader that comes with fundoscope.",
        ),
    ] = None,
    data: Annotated[
        Path | None,
        typer.Option(
            metavar="TABLE|FOLDER",
            help="Label table or class folders that it was trained on; needed to start, not to"
            " resume.",
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(metavar="RUN", help="Run folder. Default: runs/reproduce-NAME."),
    ] = None,
    init: Annotated[
        str | None,
        typer.Option(
            metavar="START",
            help="Weights that its training started from; needed if these were a file or a bundle.",
        ),
    ] = None,
    cache: Cache = None,
    threads: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            min=0,
            help="Number of CPU threads; 0 uses all. Default: as the bundle was trained.",
        ),
    ] = None,
) -> None:
    """Train a grader again with the configuration and seed that its bundle states.

    Checks first that the label table is the same. To continue an interrupted run, give the same
    command again; a finished run is only compared.
    """
    require("fundoscope reproduce", TRAIN)
    from fundoscope.cli.train.progress import watching_grader
    from fundoscope.models import bundle as bundles
    from fundoscope.train.grading import reproduce

    with watching_grader() as listeners:
        done = reproduce.reproduce(
            bundle or bundles.shipped(),
            out,
            data=data,
            init=init,
            cache=cache,
            threads=threads,
            listeners=listeners,
        )
    for line in _lines(done):
        typer.echo(line)


def _lines(done: Reproduction) -> Iterator[str]:
    given, compared = done.given, done.comparison
    yield (
        f"{given.name}: seed {given.trained_on.seed}, table {given.trained_on.manifest_sha256},"
        " as in this run"
    )
    if not done.trained:
        yield "the run folder holds the finished run; it was not trained again"
    yield _threads(done)
    changed = [
        f"{name} {version} then, {done.made.versions[name]} now"
        for name, version in given.versions.items()
        if done.made.versions.get(name, version) != version
    ]
    yield f"versions: {'; '.join(changed) or 'the same'}"
    yield f"new bundle: {done.exported.folder}, epoch {done.exported.epoch + 1}"
    yield ""
    yield (f"{compared.photographs} validation photographs, each bundle with its own fitted values")
    if compared.from_card is not None:
        yield (
            f"figures of the given bundle differ by at most {compared.from_card:.4f} from those it"
            " states"
        )
    yield ""
    yield from _table(compared)
    yield ""
    yield (
        f"expected grade of a photograph: mean difference {compared.mean_difference:.4f},"
        f" largest {compared.largest_difference:.4f}"
    )
    yield f"photographs with another grade: {compared.other_grade} of {compared.photographs}"


def _threads(done: Reproduction) -> str:
    then, now = done.threads, done.config.threads
    if then == now != 0:
        return f"threads: {now} then and now"
    names = [str(count) if count else "all" for count in (then, now)]
    return (
        f"threads: {names[0]} then, {names[1]} now; their number changes how sums are rounded,"
        " and so, step by step, the weights"
    )


def _table(compared: Comparison) -> Iterator[str]:
    """Each figure of the given bundle and of the new one, and the difference."""
    yield f"{'':{WIDTH}}{'given':>10}{'new':>10}{'difference':>12}"
    before, after = compared.before.table(), compared.after.table()
    for key, name in NAMES.items():
        for row, figures in before.items():
            yield _row(f"{name}, {row or '(not named)'}", figures[key], after[row][key])
    fitted = zip(_fitted(compared.before), _fitted(compared.after), strict=True)
    for (name, old), (_, new) in fitted:
        yield _row(name, old, new)


def _fitted(calibration: Calibration) -> Iterator[tuple[str, float]]:
    """Each fitted value by its name; a bundle of 0.1 has the correction that changes nothing."""
    from fundoscope.calibrate.fitting import IDENTITY

    fitted = calibration.fitted
    yield "temperature", fitted.temperature
    correction = fitted.correction or IDENTITY
    yield "slope of the correction", correction.slope
    for number, offset in enumerate(correction.offsets, start=1):
        yield f"offset of grade {number}", offset
    yield "threshold of referable", fitted.threshold


def _row(name: str, old: float | None, new: float | None) -> str:
    if old is None or new is None:
        return f"{name:{WIDTH}}{_number(old):>10}{_number(new):>10}"
    return f"{name:{WIDTH}}{old:>10.4f}{new:>10.4f}{new - old:>+12.4f}"


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.4f}"
