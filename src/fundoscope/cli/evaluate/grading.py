"""``fundoscope evaluate grading``: how well a grader does on labelled photographs."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
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
from fundoscope.cli.options import (
    GraderBundle,
    Labels,
    Overwrite,
    Results,
    Where,
    WithPaths,
    Workers,
)
from fundoscope.errors import UsageError
from fundoscope.quoting import printable, shown

if TYPE_CHECKING:
    from fundoscope.data.manifest import Manifest, Row
    from fundoscope.evaluate.folder import Provenance
    from fundoscope.evaluate.grading.certainty import Certainty
    from fundoscope.evaluate.grading.evaluation import Evaluation
    from fundoscope.evaluate.grading.summary import Summary
    from fundoscope.evaluate.intervals import Figure
    from fundoscope.reading import ModelUsed

SHOWN: Final = (
    "accuracy",
    "quadratic_kappa",
    "referable_auc",
    "referable_sensitivity",
    "referable_specificity",
)
"""The figures that are printed; all others are in metrics.json."""
PAIRS: Final = ("software_and_first", "software_and_second", "first_and_second")
"""The pairs of software and readers whose kappa is printed."""
REPEATED: Final = ("split", "where", "grader", "by", "second-grade", "predictions", "threshold")
"""The options that a record of the command repeats."""
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
    second_grade: Annotated[
        str | None,
        typer.Option(
            metavar="COLUMN",
            help="Column of a second reader's grades: give the kappa of each pair among software"
            " and readers.",
        ),
    ] = None,
    predictions: Annotated[
        Path | None,
        typer.Option(
            metavar="TABLE",
            help="Evaluate these predictions of any program instead of reading photographs. Table"
            " (.csv or .parquet) with the column image and with grade, p0 to p4 or"
            " referable_probability.",
        ),
    ] = None,
    threshold: Annotated[
        float | None,
        typer.Option(
            metavar="P",
            min=0.0,
            max=1.0,
            help="Threshold of referable_probability in --predictions. Default: 0.5.",
        ),
    ] = None,
    force: Annotated[
        bool,
        typer.Option("--force", help="Grade photographs that the grader finds ungradable, too."),
    ] = False,
    workers: Workers = None,
    overwrite: Overwrite = False,
    with_paths: WithPaths = False,
) -> None:
    """Grade every photograph of a label table and compare with the labels.

    Exit codes: 0 if all photographs were graded, 3 if some could not be read or graded, 2 for wrong
    use, 1 for any other failure.
    """
    require("fundoscope evaluate", EVALUATE_GRADING)
    from fundoscope.data.selection import select
    from fundoscope.evaluate import folder
    from fundoscope.evaluate.grading import results

    started = now()
    _refuse_contradiction(grader, predictions, threshold)
    table = label_tables.read(labels)
    rows = select(table, split=split, where=where or ())
    _name_repeated(rows)
    folder.check(out, results.FILES, overwrite=overwrite)
    asked = _Asked(tuple(by or ()), second_grade, workers or os.cpu_count() or 1, force)
    if predictions is None:
        evaluation, models = _read(table, rows, grader, asked)
    else:
        evaluation, models = _take(table, rows, predictions, threshold, asked)
    arguments = {
        "labels": str(labels),
        "split": split,
        "where": where or [],
        "grader": None if grader is None else str(grader),
        "by": by or [],
        "second-grade": second_grade,
        "predictions": None if predictions is None else str(predictions),
        "threshold": None if threshold is None else str(threshold),
        "force": force,
    }
    results.write(evaluation, _provenance(arguments, models, started), out, paths=with_paths)
    _print_figures(evaluation)
    _remind_of_test(evaluation, rows, models, arguments)
    lacking = [(each.row.image, each.reason, each.remedy) for each in evaluation.without_grade]
    if name_lacking(lacking, out / folder.RUN):
        raise typer.Exit(INCOMPLETE)


@dataclass(frozen=True, slots=True)
class _Asked:
    """What is asked of an evaluation beside the figures of all photographs."""

    by: tuple[str, ...]
    second_grade: str | None
    workers: int
    force: bool


def _refuse_contradiction(
    grader: Path | None, predictions: Path | None, threshold: float | None
) -> None:
    if predictions is not None and grader is not None:
        raise UsageError("--grader", "does not go with --predictions", "leave one of them out")
    if predictions is None and threshold is not None:
        raise UsageError(
            "--threshold",
            "is for --predictions; a bundle has its own threshold",
            'leave it out, or see "fundoscope calibrate grading"',
        )


def _provenance(
    arguments: dict[str, Any], models: tuple[ModelUsed, ...], started: str
) -> Provenance:
    from fundoscope.batch.versions import installed, versions
    from fundoscope.evaluate.folder import Provenance

    used = versions() | {name: installed(name) for name in LIBRARIES}
    return Provenance(arguments, models, used, started, now())


def _read(
    table: Manifest, rows: Sequence[Row], grader: Path | None, asked: _Asked
) -> tuple[Evaluation, tuple[ModelUsed, ...]]:
    """Evaluate a bundle: read the photographs."""
    from fundoscope.cli.terminal import terminal
    from fundoscope.evaluate.grading.evaluation import evaluate
    from fundoscope.reader import Reader

    reader = Reader(grader=grader, lesions=False, force=asked.force)
    if reader.fitted_to == table.sha256:
        typer.echo(
            "note: threshold and probabilities of this grader were fitted to this label table: only"
            " rows that were left out of the fit can test them",
            err=True,
        )
    with terminal(len(rows)) as screen:
        evaluation = evaluate(
            table,
            rows,
            reader,
            by=asked.by,
            second_grade=asked.second_grade,
            trained_on=reader.trained_on or None,
            workers=asked.workers,
            on_read=screen.advance,
        )
    return evaluation, reader.models


def _take(
    table: Manifest, rows: Sequence[Row], path: Path, threshold: float | None, asked: _Asked
) -> tuple[Evaluation, tuple[ModelUsed, ...]]:
    """Evaluate the predictions of another program."""
    from fundoscope.evaluate.grading import predictions
    from fundoscope.evaluate.grading.evaluation import measure

    matched = predictions.match(table, rows, path, threshold=threshold)
    evaluation = measure(table, matched.outcomes, by=asked.by, second_grade=asked.second_grade)
    lacking = len(evaluation.without_grade)
    typer.echo(
        f"note: {len(rows) - lacking} of {len(rows)} photographs have a prediction,"
        f" {matched.without_label} predictions have no label;"
        f" threshold of referable {matched.threshold:g}",
        err=True,
    )
    if matched.label_unused:
        typer.echo(
            f"note: the column {predictions.LABEL} of {shown(path.name)} is taken for the label and"
            f" not used; name a column of predicted grades {predictions.GRADE_COLUMNS[0]}",
            err=True,
        )
    return evaluation, (matched.used,)


def _name_repeated(rows: Sequence[Row]) -> None:
    """Say which photographs several rows name: each row counts, whatever its label."""
    times = Counter(row.image for row in rows)
    repeated = [image for image, count in times.items() if count > 1]
    if repeated:
        typer.echo(
            f"note: several rows name {shown(repeated[0])}"
            f"{f' and {len(repeated) - 1} others' if repeated[1:] else ''}: each counts; see"
            " fundoscope data check",
            err=True,
        )


def _print_figures(evaluation: Evaluation) -> None:
    from fundoscope.evaluate.intervals import drawn_by

    metrics = evaluation.metrics
    by = drawn_by(evaluation.clusters)
    typer.echo(f"{_in_words(metrics.whole)} (95 % intervals by {by}){_sources(evaluation)}")
    for column, breakdown in metrics.by.items():
        for value, summary in breakdown.values.items():
            sources = _sources(evaluation, column, value)
            typer.echo(f"{printable(f'{column}={value}')}: {_in_words(summary)}{sources}")
        means = ", ".join(
            f"{_name(name)} {with_interval(mean)}" for name, mean in breakdown.mean.items()
        )
        typer.echo(printable(f"mean over {column}: {means}"))
    if evaluation.readers is not None:
        readers = evaluation.readers
        pairs = ", ".join(f"{_name(name)} {with_interval(readers.figures[name])}" for name in PAIRS)
        typer.echo(f"quadratic kappa, {readers.n} photographs with two readers: {pairs}")
    _print_certainty(evaluation.certainty)


def _sources(evaluation: Evaluation, column: str = "", value: str = "") -> str:
    """Whether the sources of photographs took part in training, to be put behind their figures.

    Args:
        evaluation: the results.
        column: only of the photographs with a value in this column.
        value: that value.

    Returns:
        ``""`` where nothing is known.
    """
    from fundoscope.evaluate.grading import results, training

    states = results.sources(evaluation, column, value)
    unknown = states[training.NOT_KNOWN] == sum(states.values())
    return "" if unknown else f"; {training.in_words(states)}"


def _print_certainty(certainty: Certainty) -> None:
    """Print what the grader is sure of, where there is anything to say."""
    from fundoscope.evaluate.grading.certainty import DEFERRED_SHARE

    deferred = certainty.deferred
    typer.echo(
        f"least certain {DEFERRED_SHARE:.0%} referred to a reader: accuracy on the others"
        f" {with_interval(deferred['accuracy_of_the_rest'])},"
        f" gain {with_interval(deferred['gain'])}"
    )
    if certainty.coverage is None:
        typer.echo("prediction sets (plausible grades): not fitted for this grader")
        return
    typer.echo(f"prediction sets for {certainty.coverage:.0%}: {_of_sets(certainty.sets)}")
    for column, values in certainty.by.items():
        for value, figures in values.items():
            sets = f"prediction sets for {certainty.coverage:.0%}, {column}={value}"
            typer.echo(printable(f"{sets}: {_of_sets(figures)}"))


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
    options = {name: arguments[name] for name in REPEATED if arguments[name]}
    words = ["fundoscope", "evaluate", "grading", arguments["labels"]]
    words += ["--force"] if arguments["force"] else []
    command = command_line(words, options)
    whole = evaluation.metrics.whole
    remind(bundles, command, "+".join(filter(None, splits)), whole.n, _main_figures(whole))


def _main_figures(whole: Summary) -> str:
    return "; ".join(
        f"{name} {figure.value:.4f}"
        for name in SHOWN
        if (figure := whole.figures[name]).value is not None
    )
