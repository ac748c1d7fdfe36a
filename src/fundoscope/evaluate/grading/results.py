"""The result folder of a grader's evaluation: figures, tables, plots and how they were made.

Either all files of an evaluation appear in the folder, or (disk full, killed) none does.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import msgspec

from fundoscope.evaluate import folder
from fundoscope.evaluate.folder import (
    METRICS,
    PREDICTIONS,
    RUN,
    Provenance,
    figure_document,
    true_or_false,
)
from fundoscope.evaluate.grading import plots, training
from fundoscope.evaluate.grading.calibration import BINS, Bin, expected_calibration_error
from fundoscope.evaluate.grading.certainty import DEFERRED_SHARE, Certainty
from fundoscope.evaluate.grading.evaluation import (
    STATUSES,
    UNGRADED,
    Evaluation,
    Outcome,
    values_of,
)
from fundoscope.evaluate.grading.figures import NAMES, PRECISIONS, RECALLS, confusion
from fundoscope.evaluate.grading.readers import Readers
from fundoscope.evaluate.grading.summary import Summary
from fundoscope.evaluate.intervals import PERCENTILES, Figure
from fundoscope.evaluate.photographs import REFUSED, names_of
from fundoscope.grading.heads import GRADE_COUNT
from fundoscope.quoting import printable

CONFUSION: Final = "confusion.csv"
CONFUSION_PICTURE: Final = "confusion.png"
ROC_PICTURE: Final = "roc.png"
RELIABILITY: Final = "reliability.csv"
RELIABILITY_PICTURE: Final = "reliability.png"
GRADE_RELIABILITY: Final = "grade_reliability.csv"
GRADE_RELIABILITY_PICTURE: Final = "grade_reliability.png"
READER_SHARE: Final = "reader_share.csv"
READER_SHARE_PICTURE: Final = "reader_share.png"
FILES: Final = (
    METRICS,
    PREDICTIONS,
    CONFUSION,
    CONFUSION_PICTURE,
    ROC_PICTURE,
    RELIABILITY,
    RELIABILITY_PICTURE,
    GRADE_RELIABILITY,
    GRADE_RELIABILITY_PICTURE,
    READER_SHARE,
    READER_SHARE_PICTURE,
    RUN,
)
"""All files that an evaluation writes."""

VERSION: Final = "fundoscope.grading-metrics/1"
PREDICTED: Final = (
    "icdr",
    *(f"p{grade}" for grade in range(GRADE_COUNT)),
    "expected",
    "referable_probability",
    "referable",
    "status",
    "reason",
    "grade_set",
    "abstained",
)
"""Columns of ``predictions.csv`` that follow those of the label table."""
CLASHING: Final = "label_"
"""Prefix of a label table's column whose name is one of :data:`PREDICTED`; it is repeated where the
table has that name, too."""
SOURCES: Final = "sources"
"""Entry of ``metrics.json``: photographs by whether their source took part in training."""
DIGITS: Final = 6
"""Decimals of probabilities in tables, as many as float32 holds."""


def write(
    evaluation: Evaluation, provenance: Provenance, out: Path, *, paths: bool = False
) -> None:
    """Write every file of :data:`FILES`; other files in the folder are left alone.

    Args:
        evaluation: the results.
        provenance: how they were made.
        out: the folder for the results.
        paths: whether photographs are named by their paths, else by their bare file names.

    Raises:
        OutputError: a file could not be written; nothing was changed.
    """
    columns = evaluation.manifest.columns
    names = names_of([outcome.row.image for outcome in evaluation.outcomes], paths=paths)
    with folder.staged(out, FILES) as stage:
        folder.write_json(stage / METRICS, metrics(evaluation))
        folder.write_json(stage / RUN, _run(evaluation, provenance, names))
        folder.write_csv(stage / PREDICTIONS, _predictions(evaluation.outcomes, names, columns))
        folder.write_csv(stage / CONFUSION, _confusion_rows(evaluation))
        folder.write_csv(stage / RELIABILITY, _reliability_rows(evaluation.reliability))
        certainty = evaluation.certainty
        folder.write_csv(stage / GRADE_RELIABILITY, _reliability_rows(certainty.grade))
        folder.write_csv(stage / READER_SHARE, _reader_share_rows(certainty))
        _draw(evaluation, stage)


def metrics(evaluation: Evaluation) -> dict[str, Any]:
    """Build ``metrics.json``: the same photographs and bundle give the same bytes."""
    figures = evaluation.metrics
    table = evaluation.reliability
    return {
        "version": VERSION,
        **_summary(figures.whole),
        SOURCES: sources(evaluation),
        "by": {
            column: {
                value: _summary(summary) | {SOURCES: sources(evaluation, column, value)}
                for value, summary in breakdown.values.items()
            }
            for column, breakdown in figures.by.items()
        },
        "mean": {
            column: {name: figure_document(figure) for name, figure in breakdown.mean.items()}
            for column, breakdown in figures.by.items()
        },
        "calibration": {
            "expected_calibration_error": expected_calibration_error(table),
            "n": sum(row.n for row in table),
            "bins": BINS,
        },
        "certainty": _certainty(evaluation.certainty),
        "intervals": {
            "resamples": figures.resamples,
            "seed": figures.seed,
            "percentiles": PERCENTILES,
            "clusters": dict(sorted(evaluation.clusters.items())),
        },
        **({} if evaluation.readers is None else {"readers": _readers(evaluation.readers)}),
    }


def sources(evaluation: Evaluation, column: str = "", value: str = "") -> dict[str, int]:
    """Count photographs by whether their source took part in training.

    Args:
        evaluation: the results.
        column: only of the photographs with a value in this column.
        value: that value, as in the breakdown.
    """
    rows = [outcome.row for outcome in evaluation.outcomes]
    if column:
        values = values_of(evaluation.manifest, rows, column)
        rows = [row for row, own in zip(rows, values, strict=True) if own == value]
    return training.counts((row.source for row in rows), evaluation.trained_on)


def _readers(readers: Readers) -> dict[str, Any]:
    figures = {name: figure_document(figure) for name, figure in readers.figures.items()}
    return {"second_grade": readers.column, "n": readers.n, **figures}


def _summary(summary: Summary) -> dict[str, Any]:
    document = {
        "n": summary.n,
        **{name: figure_document(summary.figures[name]) for name in NAMES},
        "recall": {name[-1]: figure_document(summary.figures[name]) for name in RECALLS},
        "precision": {name[-1]: figure_document(summary.figures[name]) for name in PRECISIONS},
    }
    if summary.graded is not None:
        document["graded"] = _summary(summary.graded)
    return document


def _certainty(certainty: Certainty) -> dict[str, Any]:
    def documents(figures: Mapping[str, Figure]) -> dict[str, Any]:
        return {name: figure_document(figure) for name, figure in figures.items()}

    return {
        "expected_calibration_error": expected_calibration_error(certainty.grade),
        "wanted_coverage": certainty.coverage,
        "sets": documents(certainty.sets),
        "by": {
            column: {value: documents(figures) for value, figures in values.items()}
            for column, values in certainty.by.items()
        },
        "handed_to_a_reader": {"share": DEFERRED_SHARE, **documents(certainty.deferred)},
        "without_grade_or_abstained": {
            way: documents(figures) for way, figures in certainty.calls.items()
        },
    }


def _run(evaluation: Evaluation, provenance: Provenance, names: Sequence[str]) -> dict[str, Any]:
    statuses = Counter(outcome.status for outcome in evaluation.outcomes)
    details = {
        "thresholds": {"referable": evaluation.threshold},
        "counts": {
            "photographs": len(evaluation.outcomes),
            **{status: statuses[status] for status in STATUSES},
        },
        "refused": _with_status(evaluation, names, REFUSED),
        "not_graded": _with_status(evaluation, names, UNGRADED),
        "trained_on": evaluation.trained_on,
    }
    truth = {"table_sha256": evaluation.manifest.sha256}
    return folder.run_document(folder.GRADING, provenance, truth, details)


def _with_status(evaluation: Evaluation, names: Sequence[str], status: str) -> list[dict[str, str]]:
    return [
        {"image": printable(name), "code": o.code, "reason": o.reason, "remedy": o.remedy}
        for o, name in zip(evaluation.outcomes, names, strict=True)
        if o.status == status
    ]


def _predictions(
    outcomes: Sequence[Outcome], names: Sequence[str], columns: Sequence[str]
) -> Iterator[Sequence[object]]:
    yield [*_apart(columns), *PREDICTED]
    for outcome, image in zip(outcomes, names, strict=True):
        row = msgspec.structs.replace(outcome.row, image=image)
        yield [*(row.text(name) for name in columns), *_predicted(outcome)]


def _apart(columns: Sequence[str]) -> Iterator[str]:
    """Names of a label table's columns that differ from each other and from :data:`PREDICTED`."""
    taken = {*columns, *PREDICTED}
    for name in columns:
        if name in PREDICTED:
            while name in taken:
                name = CLASHING + name
            taken.add(name)
        yield name


def _predicted(outcome: Outcome) -> Iterator[object]:
    grade = outcome.grade
    yield grade.icdr
    for probability in grade.probabilities or (None,) * GRADE_COUNT:
        yield _number(probability)
    yield _number(grade.expected)
    yield _number(grade.referable.probability if grade.referable else None)
    # A photograph without a grade is called referable here too, as the figures count it.
    yield true_or_false(grade.referable is None or grade.referable.positive)
    yield outcome.status
    yield f"{outcome.code}: {outcome.reason}" if outcome.code else ""
    yield "; ".join(map(str, grade.set or ()))
    yield "" if grade.abstained is None else true_or_false(grade.abstained)


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.{DIGITS}f}"


def _confusion_rows(evaluation: Evaluation) -> Iterator[Sequence[object]]:
    yield ["label", *range(GRADE_COUNT), "not_graded"]
    for label, counts in enumerate(confusion(evaluation.scores).tolist()):
        yield [label, *counts]


def _reliability_rows(table: Sequence[Bin]) -> Iterator[Sequence[object]]:
    yield ["low", "high", "n", "predicted", "observed"]
    for row in table:
        yield [row.low, row.high, row.n, _number(row.predicted), _number(row.observed)]


def _reader_share_rows(certainty: Certainty) -> Iterator[Sequence[object]]:
    yield ["share", "n", "accuracy", "severe", "severe_not_called_referable"]
    for row in certainty.curve:
        yield [row.share, row.n, _number(row.accuracy), row.severe, row.severe_missed]


def _draw(evaluation: Evaluation, stage: Path) -> None:
    figures = evaluation.metrics.whole.figures
    plots.draw_confusion(confusion(evaluation.scores), stage / CONFUSION_PICTURE)
    plots.draw_roc(
        evaluation.scores,
        figures["referable_auc"],
        figures["vision_threatening_auc"],
        evaluation.threshold,
        stage / ROC_PICTURE,
    )
    table = evaluation.reliability
    plots.draw_reliability(table, expected_calibration_error(table), stage / RELIABILITY_PICTURE)
    certainty = evaluation.certainty
    plots.draw_reliability(
        certainty.grade,
        expected_calibration_error(certainty.grade),
        stage / GRADE_RELIABILITY_PICTURE,
        predicted="predicted probability of the given grade",
        observed="observed share of right grades",
    )
    plots.draw_reader_share(certainty.curve, stage / READER_SHARE_PICTURE)
