"""``fundoscope evaluate``: how good a grader is on labelled photographs."""

from __future__ import annotations

import csv
import importlib.util
import io
import os
import shlex
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from fundoscope.errors import MissingExtraError, PhotoError

if TYPE_CHECKING:
    from fundoscope.data.manifest import Manifest
    from fundoscope.evaluate.grading import Evaluation
    from fundoscope.evaluate.intervals import Figure
    from fundoscope.evaluate.summary import Summary

app = typer.Typer(
    help="Measure a grader on labelled photographs (needs the extra evaluate).",
    no_args_is_help=True,
)

EXTRA_MODULES: Final = ("matplotlib", "sklearn")
TEST: Final = "test"
LOOKS: Final = "docs/test-looks.csv"
TOLD: Final = ("accuracy", "quadratic_kappa", "referable_auc")
"""The figures of the line that is printed; all others are in metrics.json."""
NAMED_AT_MOST: Final = 20
"""Photographs without a grade that are named on the terminal; run.json names all."""


@app.callback()
def group() -> None:
    """Measure a grader on labelled photographs (needs the extra evaluate)."""


@app.command()
def grading(
    labels: Annotated[
        Path, typer.Argument(help="CSV table with columns image and grade, or class folders 0 … 4.")
    ],
    out: Annotated[Path, typer.Option(help="Folder for the results.")],
    split: Annotated[str | None, typer.Option(help="Only rows of this split.")] = None,
    where: Annotated[
        list[str] | None,
        typer.Option(metavar="COLUMN=VALUE", help="Only these rows; repeat to narrow further."),
    ] = None,
    grader: Annotated[Path | None, typer.Option(help="Bundle; the shipped one by default.")] = None,
    by: Annotated[
        list[str] | None,
        typer.Option(metavar="COLUMN", help="Figures for each value of this column as well."),
    ] = None,
    workers: Annotated[
        int | None, typer.Option(min=1, help="Photographs read at a time; all processors.")
    ] = None,
    overwrite: Annotated[bool, typer.Option(help="Replace an evaluation in the folder.")] = False,
) -> None:
    """Read every photograph of a label table and compare with the labels.

    Exit code 0; 3 when photographs were refused or not graded; 2 misuse; 1 failure.
    """
    _require_extra()
    from fundoscope.batch.versions import installed, versions
    from fundoscope.cli.terminal import terminal
    from fundoscope.data.selection import select
    from fundoscope.evaluate import results
    from fundoscope.evaluate.grading import evaluate
    from fundoscope.reader import Reader

    started = _now()
    manifest = _manifest(labels)
    rows = select(manifest, split=split, where=where or ())
    results.check_folder(out, overwrite=overwrite)
    reader = Reader(grader=grader)
    with terminal(len(rows)) as screen:
        evaluation = evaluate(
            manifest,
            rows,
            reader,
            by=by or (),
            workers=workers or os.cpu_count() or 1,
            on_read=screen.advance,
        )
    arguments = {
        "labels": str(labels),
        "split": split,
        "where": where or [],
        "grader": None if grader is None else str(grader),
        "by": by or [],
    }
    circumstances = results.Circumstances(
        arguments=arguments,
        columns=manifest.columns,
        table_sha256=manifest.sha256,
        models=reader.models,
        versions=versions() | {name: installed(name) for name in ("scikit-learn", "matplotlib")},
        started=started,
        finished=_now(),
    )
    results.write(evaluation, circumstances, out)
    _tell(evaluation)
    if any(row.split == TEST for row in rows):
        bundles = " ".join(model.sha256 for model in reader.models)
        _remind(evaluation.metrics.whole, bundles, _command(arguments), split or "all")
    if _name_ungraded(evaluation, out / results.RUN):
        raise typer.Exit(PhotoError.exit_code)


def _require_extra() -> None:
    if any(importlib.util.find_spec(name) is None for name in EXTRA_MODULES):
        raise MissingExtraError("fundoscope evaluate", "evaluate")


def _manifest(labels: Path) -> Manifest:
    from fundoscope.data import manifest
    from fundoscope.data.class_folders import from_class_folders

    return from_class_folders(labels) if labels.is_dir() else manifest.read(labels)


def _tell(evaluation: Evaluation) -> None:
    metrics = evaluation.metrics
    by = " and ".join(sorted(evaluation.clusters))
    typer.echo(f"{_in_words(metrics.whole)} (95 % intervals by {by})")
    for column, breakdown in metrics.by.items():
        for value, summary in breakdown.values.items():
            typer.echo(f"{column}={value}: {_in_words(summary)}")
        means = ", ".join(f"{_name(name)} {_span(f)}" for name, f in breakdown.mean.items())
        typer.echo(f"mean over {column}: {means}")


def _in_words(summary: Summary) -> str:
    figures = ", ".join(f"{_name(name)} {_span(summary.figures[name])}" for name in TOLD)
    return f"{figures}, n {summary.n}"


def _span(figure: Figure) -> str:
    if figure.value is None:
        return f"undefined ({figure.reason})"
    if figure.low is None or figure.high is None:
        return f"{figure.value:.3f}"
    return f"{figure.value:.3f} ({figure.low:.3f} to {figure.high:.3f})"


def _name(figure: str) -> str:
    return figure.replace("_", " ").replace("auc", "AUC")


def _remind(whole: Summary, bundles: str, command: str, split: str) -> None:
    """A look at a test split is recorded, so that nobody tunes on it unseen."""
    figures = "; ".join(
        f"{name} {figure.value:.4f}"
        for name in TOLD
        if (figure := whole.figures[name]).value is not None
    )
    row = io.StringIO()
    today = datetime.now(UTC).date().isoformat()
    csv.writer(row, lineterminator="").writerow([today, bundles, command, split, whole.n, figures])
    typer.echo(f"a look at a test split: add this row to {LOOKS}", err=True)
    typer.echo(row.getvalue(), err=True)


def _command(arguments: dict[str, Any]) -> str:
    """The command without what changes no figure."""
    words = ["fundoscope", "evaluate", "grading", arguments["labels"]]
    for name in ("split", "where", "grader", "by"):
        given = arguments[name]
        for value in given if isinstance(given, list) else [given] if given else []:
            words += [f"--{name}", value]
    return shlex.join(words)


def _name_ungraded(evaluation: Evaluation, run: Path) -> bool:
    from fundoscope.report.wording import printable

    lacking = evaluation.without_grade
    for outcome in lacking[:NAMED_AT_MOST]:
        image = printable(outcome.row.image)
        typer.echo(f"{image}: {outcome.reason}; {outcome.remedy}", err=True)
    if len(lacking) > NAMED_AT_MOST:
        typer.echo(f"and {len(lacking) - NAMED_AT_MOST} more, named in {run}", err=True)
    return bool(lacking)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
