"""The folder of an evaluation: figures, tables, pictures and what they were made with.

Either all files of an evaluation appear in the folder, or (disk full, killed) none does.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import msgspec

from fundoscope.evaluate import folder as folders
from fundoscope.evaluate.folder import METRICS, PREDICTIONS, RUN, RUN_VERSION, write_csv, write_json
from fundoscope.evaluate.folder import figure as as_document
from fundoscope.evaluate.grading import plots
from fundoscope.evaluate.grading.calibration import BINS, expected_calibration_error
from fundoscope.evaluate.grading.evaluation import REFUSED, STATUSES, UNGRADED, Evaluation, Outcome
from fundoscope.evaluate.grading.figures import NAMES, RECALLS, confusion
from fundoscope.evaluate.grading.summary import Summary
from fundoscope.evaluate.intervals import PERCENTILES
from fundoscope.grading.heads import GRADE_COUNT
from fundoscope.reading import ModelUsed
from fundoscope.report.wording import printable

CONFUSION: Final = "confusion.csv"
CONFUSION_PICTURE: Final = "confusion.png"
ROC_PICTURE: Final = "roc.png"
RELIABILITY: Final = "reliability.csv"
RELIABILITY_PICTURE: Final = "reliability.png"
FILES: Final = (
    METRICS,
    PREDICTIONS,
    CONFUSION,
    CONFUSION_PICTURE,
    ROC_PICTURE,
    RELIABILITY,
    RELIABILITY_PICTURE,
    RUN,
)
"""All that an evaluation writes."""

VERSION: Final = "fundoscope.grading-metrics/1"
PREDICTED: Final = (
    "icdr",
    *(f"p{grade}" for grade in range(GRADE_COUNT)),
    "expected",
    "referable_probability",
    "referable",
    "status",
    "reason",
)
"""Columns of ``predictions.csv`` behind those of the label table."""
CLASHING: Final = "label_"
"""Stands before a column of the label table that has the name of one of ours."""
DIGITS: Final = 6
"""Decimals of probabilities in tables; float32 has no more to say."""


@dataclass(frozen=True, slots=True)
class Circumstances:
    """What an evaluation was made with, for ``run.json``; none of it enters a figure.

    Attributes:
        arguments: of the command.
        columns: of the label table, in order.
        table_sha256: of the label table.
        models: the bundles.
        versions: of fundoscope, Python and the libraries, by name.
        started, finished: times in ISO 8601.
    """

    arguments: Mapping[str, Any]
    columns: tuple[str, ...]
    table_sha256: str
    models: tuple[ModelUsed, ...]
    versions: Mapping[str, str | None]
    started: str
    finished: str


def check_folder(folder: Path, *, overwrite: bool) -> None:
    """Check, before any photograph is read, that results may go into a folder; makes it.

    Raises:
        UsageError: it is a file, or holds an evaluation already and ``overwrite`` is false.
        OutputError: it cannot be made, or nothing can be written into it.
    """
    folders.check(folder, FILES, overwrite=overwrite)


def write(evaluation: Evaluation, circumstances: Circumstances, folder: Path) -> None:
    """Write every file of :data:`FILES`; other files in the folder are left alone.

    Raises:
        OutputError: something could not be written; then nothing was changed.
    """
    with folders.staged(folder, FILES) as stage:
        write_json(stage / METRICS, metrics(evaluation))
        write_json(stage / RUN, _run(evaluation, circumstances))
        write_csv(stage / PREDICTIONS, _predictions(evaluation.outcomes, circumstances.columns))
        write_csv(stage / CONFUSION, _confusion_rows(evaluation))
        write_csv(stage / RELIABILITY, _reliability_rows(evaluation))
        _draw(evaluation, stage)


def metrics(evaluation: Evaluation) -> dict[str, Any]:
    """The content of ``metrics.json``: the same photographs and bundle give the same bytes."""
    found = evaluation.metrics
    table = evaluation.reliability
    return {
        "version": VERSION,
        **_summary(found.whole),
        "by": {
            column: {value: _summary(summary) for value, summary in breakdown.values.items()}
            for column, breakdown in found.by.items()
        },
        "mean": {
            column: {name: as_document(figure) for name, figure in breakdown.mean.items()}
            for column, breakdown in found.by.items()
        },
        "calibration": {
            "expected_calibration_error": expected_calibration_error(table),
            "n": sum(row.n for row in table),
            "bins": BINS,
        },
        "intervals": {
            "resamples": found.resamples,
            "seed": found.seed,
            "percentiles": PERCENTILES,
            "clusters": dict(sorted(evaluation.clusters.items())),
        },
    }


def _summary(summary: Summary) -> dict[str, Any]:
    written = {
        "n": summary.n,
        **{name: as_document(summary.figures[name]) for name in NAMES},
        "recall": {name[-1]: as_document(summary.figures[name]) for name in RECALLS},
    }
    if summary.graded is not None:
        written["graded"] = _summary(summary.graded)
    return written


def _run(evaluation: Evaluation, circumstances: Circumstances) -> dict[str, Any]:
    statuses = Counter(outcome.status for outcome in evaluation.outcomes)
    return {
        "version": RUN_VERSION,
        "command": "evaluate grading",
        "arguments": dict(circumstances.arguments),
        "table_sha256": circumstances.table_sha256,
        "versions": dict(circumstances.versions),
        "models": msgspec.to_builtins(circumstances.models),
        "thresholds": {"referable": evaluation.threshold},
        "counts": {
            "photographs": len(evaluation.outcomes),
            **{status: statuses[status] for status in STATUSES},
        },
        "refused": _troubled(evaluation, REFUSED),
        "not_graded": _troubled(evaluation, UNGRADED),
        "started": circumstances.started,
        "finished": circumstances.finished,
    }


def _troubled(evaluation: Evaluation, status: str) -> list[dict[str, str]]:
    return [
        {"image": printable(o.row.image), "code": o.code, "reason": o.reason, "remedy": o.remedy}
        for o in evaluation.outcomes
        if o.status == status
    ]


def _predictions(outcomes: Sequence[Outcome], columns: Sequence[str]) -> Iterator[Sequence[object]]:
    yield [*(CLASHING + name if name in PREDICTED else name for name in columns), *PREDICTED]
    for outcome in outcomes:
        yield [*(outcome.row.text(name) for name in columns), *_predicted(outcome)]


def _predicted(outcome: Outcome) -> Iterator[object]:
    grade = outcome.grade
    yield grade.icdr
    for probability in grade.probabilities or (None,) * GRADE_COUNT:
        yield _number(probability)
    yield _number(grade.expected)
    yield _number(grade.referable.probability if grade.referable else None)
    # What goes to the doctor without a grade is called referable, as it is counted.
    yield "true" if grade.referable is None or grade.referable.positive else "false"
    yield outcome.status
    yield f"{outcome.code}: {outcome.reason}" if outcome.code else ""


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.{DIGITS}f}"


def _confusion_rows(evaluation: Evaluation) -> Iterator[Sequence[object]]:
    yield ["label", *range(GRADE_COUNT), "not_graded"]
    for label, counts in enumerate(confusion(evaluation.scores).tolist()):
        yield [label, *counts]


def _reliability_rows(evaluation: Evaluation) -> Iterator[Sequence[object]]:
    yield ["low", "high", "n", "predicted", "observed"]
    for row in evaluation.reliability:
        yield [row.low, row.high, row.n, _number(row.predicted), _number(row.observed)]


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
