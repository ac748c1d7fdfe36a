"""``fundoscope evaluate``: how good a grader or a detector is on labelled photographs."""

from __future__ import annotations

import os
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from fundoscope.cli.evaluate.compare import compare
from fundoscope.cli.evaluate.lesions import lesions
from fundoscope.cli.evaluate.reporting import TEST, name_lacking, now, remind, span
from fundoscope.cli.extras import require
from fundoscope.errors import PhotoError

if TYPE_CHECKING:
    from fundoscope.data.manifest import Manifest
    from fundoscope.evaluate.grading.evaluation import Evaluation
    from fundoscope.evaluate.grading.summary import Summary

app = typer.Typer(
    help="Measure a grader or a detector on labelled photographs (needs the extra evaluate).",
    no_args_is_help=True,
)

EXTRA_MODULES: Final = ("matplotlib", "sklearn")
TOLD: Final = ("accuracy", "quadratic_kappa", "referable_auc")
"""The figures of the line that is printed; all others are in metrics.json."""


@app.callback()
def group() -> None:
    """Measure a grader or a detector on labelled photographs (needs the extra evaluate)."""


@app.command()
def grading(
    labels: Annotated[
        Path,
        typer.Argument(
            metavar="TABLE|FOLDER",
            help="Label table with columns image and grade, or class folders 0 … 4.",
        ),
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
        int | None,
        typer.Option(min=1, help="Photographs read at a time; as many as processors by default."),
    ] = None,
    overwrite: Annotated[bool, typer.Option(help="Replace an evaluation in the folder.")] = False,
) -> None:
    """Read every photograph of a label table and compare with the labels.

    Exit code 0: all were graded. 3: some were refused or not graded. 2: misuse. 1: failure.
    """
    require("fundoscope evaluate", "evaluate", EXTRA_MODULES)
    from fundoscope.batch.versions import installed, versions
    from fundoscope.cli.terminal import terminal
    from fundoscope.data.selection import select
    from fundoscope.evaluate import folder
    from fundoscope.evaluate.grading import results
    from fundoscope.evaluate.grading.evaluation import evaluate
    from fundoscope.reader import Reader

    started = now()
    manifest = _manifest(labels)
    rows = select(manifest, split=split, where=where or ())
    folder.check(out, results.FILES, overwrite=overwrite)
    reader = Reader(grader=grader, lesions=False)
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
    provenance = folder.Provenance(
        arguments=arguments,
        models=reader.models,
        versions=versions() | {name: installed(name) for name in ("scikit-learn", "matplotlib")},
        started=started,
        finished=now(),
    )
    results.write(evaluation, provenance, out)
    _tell(evaluation)
    splits = sorted({row.split for row in rows})
    if TEST in splits:
        bundles = " ".join(model.sha256 for model in reader.models)
        whole = evaluation.metrics.whole
        read = "+".join(filter(None, splits))
        remind(bundles, _command(arguments), read, whole.n, _main_figures(whole))
    lacking = [(each.row.image, each.reason, each.remedy) for each in evaluation.without_grade]
    if name_lacking(lacking, out / folder.RUN):
        raise typer.Exit(PhotoError.exit_code)


app.command()(lesions)
app.command()(compare)


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
        means = ", ".join(f"{_name(name)} {span(f)}" for name, f in breakdown.mean.items())
        typer.echo(f"mean over {column}: {means}")


def _in_words(summary: Summary) -> str:
    figures = ", ".join(f"{_name(name)} {span(summary.figures[name])}" for name in TOLD)
    return f"{figures}, n {summary.n}"


def _name(figure: str) -> str:
    return figure.replace("_", " ").replace("auc", "AUC")


def _main_figures(whole: Summary) -> str:
    return "; ".join(
        f"{name} {figure.value:.4f}"
        for name in TOLD
        if (figure := whole.figures[name]).value is not None
    )


def _command(arguments: dict[str, Any]) -> str:
    """The command without what changes no figure."""
    words = ["fundoscope", "evaluate", "grading", arguments["labels"]]
    for name in ("split", "where", "grader", "by"):
        given = arguments[name]
        for value in given if isinstance(given, list) else [given] if given else []:
            words += [f"--{name}", value]
    return shlex.join(words)
