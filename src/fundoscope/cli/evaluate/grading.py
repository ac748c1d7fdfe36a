"""``fundoscope evaluate grading``: how well a grader does on labelled photographs."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from fundoscope.cli import labels as label_tables
from fundoscope.cli.evaluate.reporting import (
    TEST,
    command_line,
    name_lacking,
    now,
    remind,
    with_interval,
)
from fundoscope.cli.exit_codes import INCOMPLETE
from fundoscope.cli.extras import EVALUATE_GRADING, require
from fundoscope.cli.options import GraderBundle, Labels, Overwrite, Results, Where, Workers

if TYPE_CHECKING:
    from fundoscope.data.manifest import Row
    from fundoscope.evaluate.grading.certainty import Certainty
    from fundoscope.evaluate.grading.evaluation import Evaluation
    from fundoscope.evaluate.grading.summary import Summary
    from fundoscope.evaluate.intervals import Figure
    from fundoscope.reading import ModelUsed

SHOWN: Final = ("accuracy", "quadratic_kappa", "referable_auc")
"""The figures that are printed; all others are in metrics.json."""
LIBRARIES: Final = ("scikit-learn", "matplotlib")
"""Packages whose versions the results name, beside those of the core."""


def grading(
    labels: Labels,
    out: Results,
    split: Annotated[
        str | None, typer.Option(metavar="NAME", help="Use only the rows of this split.")
    ] = None,
    where: Where = None,
    grader: GraderBundle = None,
    by: Annotated[
        list[str] | None,
        typer.Option(
            metavar="COLUMN",
            help="Give the figures for each value of this column, too. Repeat for more columns.",
        ),
    ] = None,
    workers: Workers = None,
    overwrite: Overwrite = False,
) -> None:
    """Grade every photograph of a label table and compare with the labels.

    Exit codes: 0 if all photographs were graded, 3 if some could not be read or graded, 2 for wrong
    use, 1 for any other failure.
    """
    require("fundoscope evaluate", EVALUATE_GRADING)
    from fundoscope.batch.versions import installed, versions
    from fundoscope.cli.terminal import terminal
    from fundoscope.data.selection import select
    from fundoscope.evaluate import folder
    from fundoscope.evaluate.grading import results
    from fundoscope.evaluate.grading.evaluation import evaluate
    from fundoscope.reader import Reader

    started = now()
    table = label_tables.read(labels)
    rows = select(table, split=split, where=where or ())
    folder.check(out, results.FILES, overwrite=overwrite)
    reader = Reader(grader=grader, lesions=False)
    with terminal(len(rows)) as screen:
        evaluation = evaluate(
            table,
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
        versions=versions() | {name: installed(name) for name in LIBRARIES},
        started=started,
        finished=now(),
    )
    results.write(evaluation, provenance, out)
    _print_figures(evaluation)
    _remind_of_test(evaluation, rows, reader.models, arguments)
    lacking = [(each.row.image, each.reason, each.remedy) for each in evaluation.without_grade]
    if name_lacking(lacking, out / folder.RUN):
        raise typer.Exit(INCOMPLETE)


def _print_figures(evaluation: Evaluation) -> None:
    metrics = evaluation.metrics
    by = " and ".join(sorted(evaluation.clusters))
    typer.echo(f"{_in_words(metrics.whole)} (95 % intervals by {by})")
    for column, breakdown in metrics.by.items():
        for value, summary in breakdown.values.items():
            typer.echo(f"{column}={value}: {_in_words(summary)}")
        means = ", ".join(
            f"{_name(name)} {with_interval(mean)}" for name, mean in breakdown.mean.items()
        )
        typer.echo(f"mean over {column}: {means}")
    _print_certainty(evaluation.certainty)


def _print_certainty(certainty: Certainty) -> None:
    """Print what the grader is sure of, where there is anything to say."""
    from fundoscope.evaluate.grading.certainty import HANDED

    handed = certainty.handed
    typer.echo(
        f"least certain {HANDED:.0%} handed to a reader: accuracy of the rest"
        f" {with_interval(handed['accuracy_of_the_rest'])}, gain {with_interval(handed['gain'])}"
    )
    if certainty.coverage is None:
        typer.echo("sets of plausible grades: not fitted for this grader")
        return
    typer.echo(f"sets at {certainty.coverage:.0%}: {_of_sets(certainty.sets)}")
    for column, values in certainty.by.items():
        for value, figures in values.items():
            typer.echo(f"sets at {certainty.coverage:.0%}, {column}={value}: {_of_sets(figures)}")


def _of_sets(figures: Mapping[str, Figure]) -> str:
    return (
        f"coverage {with_interval(figures['set_coverage'])}, mean size"
        f" {with_interval(figures['set_size'])}, abstained"
        f" {with_interval(figures['abstained_share'])}"
    )


def _in_words(summary: Summary) -> str:
    figures = ", ".join(f"{_name(name)} {with_interval(summary.figures[name])}" for name in SHOWN)
    return f"{figures}, n {summary.n}"


def _name(figure: str) -> str:
    return figure.replace("_", " ").replace("auc", "AUC")


def _remind_of_test(
    evaluation: Evaluation,
    rows: Sequence[Row],
    models: Sequence[ModelUsed],
    arguments: dict[str, Any],
) -> None:
    """Print the row that records a look at a test split, if there was one."""
    splits = sorted({row.split for row in rows})
    if TEST not in splits:
        return
    bundles = " ".join(model.sha256 for model in models)
    options = {name: arguments[name] for name in ("split", "where", "grader", "by")}
    command = command_line(["fundoscope", "evaluate", "grading", arguments["labels"]], options)
    whole = evaluation.metrics.whole
    remind(bundles, command, "+".join(filter(None, splits)), whole.n, _main_figures(whole))


def _main_figures(whole: Summary) -> str:
    return "; ".join(
        f"{name} {figure.value:.4f}"
        for name in SHOWN
        if (figure := whole.figures[name]).value is not None
    )
