"""Evaluate a grader: read every photograph of a label table with the one pipeline, and compare.

Every row counts. A photograph that could not be read, or was not graded, is a wrong answer for the
person who sent it: it counts as wrong, in kappa as the grade farthest from its label, and as called
referable with probability 1. What the graded ones alone would give stands beside that.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

import numpy as np

from fundoscope.data.manifest import Manifest, Row
from fundoscope.data.selection import require_column
from fundoscope.errors import PhotoError, UsageError
from fundoscope.evaluate.grading.calibration import Bin, reliability
from fundoscope.evaluate.grading.figures import NOT_GRADED, VISION_THREATENING_GRADE, Scores
from fundoscope.evaluate.grading.summary import Metrics, Subjects, summarise
from fundoscope.evaluate.intervals import RESAMPLES, SEED
from fundoscope.grading.heads import REFERABLE_GRADE
from fundoscope.reading import Grade, Reading
from fundoscope.report.wording import why_not_graded

READ: Final = "read"
UNGRADED: Final = "not_graded"
REFUSED: Final = "refused"
STATUSES: Final = (READ, UNGRADED, REFUSED)

CLUSTER_COLUMNS: Final = ("patient", "group")
"""What is drawn together in a resample; the first of them that a row has, else the photograph."""
MAX_BY_VALUES: Final = 100
"""Values of a column by which figures are given; more is a name or a number, not a category."""
BLANK: Final = "(blank)"
OUT_OF_MEMORY: Final = (
    "out_of_memory",
    "needs more memory than there is",
    "use fewer --workers or store it smaller",
)
"""Code, reason and remedy."""


class PhotographReader(Protocol):
    """What reads a photograph: :class:`fundoscope.reader.Reader`, or a stand-in in a test."""

    def read(self, source: Path, /) -> Reading:
        """The Reading of a file.

        Raises:
            PhotoError: it cannot be read as a photograph.
        """


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one row.

    Attributes:
        row: the row of the label table.
        status: ``read``, ``not_graded`` (it opened, but got no grade) or ``refused``.
        grade: all ``None`` unless read.
        code, reason, remedy: why there is no grade, a stable word and two halves of a sentence;
            empty when there is one.
    """

    row: Row
    status: str
    grade: Grade
    code: str = ""
    reason: str = ""
    remedy: str = ""


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What an evaluation found.

    Attributes:
        outcomes: one for each row, in the order of the rows.
        scores: the same as arrays.
        metrics: every figure with its interval.
        reliability: how far the referable probabilities of the graded ones come true.
        clusters: how many clusters of each kind were resampled (patient, group, photograph).
    """

    outcomes: tuple[Outcome, ...]
    scores: Scores
    metrics: Metrics
    reliability: tuple[Bin, ...]
    clusters: dict[str, int]

    @property
    def without_grade(self) -> tuple[Outcome, ...]:
        """The rows that were refused or not graded."""
        return tuple(outcome for outcome in self.outcomes if outcome.status != READ)

    @property
    def threshold(self) -> float | None:
        """The operating point of the referable call; ``None`` when nothing was graded."""
        return next((o.grade.referable.threshold for o in self.outcomes if o.grade.referable), None)


def evaluate(
    manifest: Manifest,
    rows: Sequence[Row],
    reader: PhotographReader,
    *,
    by: Sequence[str] = (),
    workers: int = 1,
    on_read: Callable[[], None] = lambda: None,
    resamples: int = RESAMPLES,
    seed: int = SEED,
) -> Evaluation:
    """Read the photographs of some rows of a label table and compare with their labels.

    Args:
        manifest: the table; gives the photographs' paths and the columns.
        rows: those to read.
        reader: what reads.
        by: columns for each value of which the figures are given as well.
        workers: how many photographs are read at the same time.
        on_read: called after each photograph, for progress.
        resamples: for the intervals.
        seed: for the intervals.

    Raises:
        UsageError: no rows, no photograph of any row, or a column of ``by`` that does not exist or
            has too many values.
    """
    columns = {name: values_of(manifest, rows, name) for name in by}
    _require_photographs(manifest, rows)
    outcomes = tuple(_read_all(manifest, rows, reader, workers, on_read))
    scores = scores_of(outcomes)
    keys = cluster_keys(rows)
    graded = scores.where(scores.given != NOT_GRADED)
    return Evaluation(
        outcomes,
        scores,
        summarise(Subjects(scores, keys, columns), resamples=resamples, seed=seed),
        tuple(reliability(graded.referable, graded.label >= REFERABLE_GRADE)),
        dict(Counter(kind for kind, _ in set(keys))),
    )


def scores_of(outcomes: Sequence[Outcome]) -> Scores:
    """The outcomes as arrays; see the head of this module for how those without a grade count."""
    given = [NOT_GRADED if o.grade.icdr is None else o.grade.icdr for o in outcomes]
    called = [o.grade.referable for o in outcomes]
    return Scores(
        np.array([o.row.grade for o in outcomes], dtype=np.int64),
        np.array(given, dtype=np.int64),
        np.array([c is None or c.positive for c in called], dtype=bool),
        np.array([1.0 if c is None else c.probability for c in called], dtype=np.float64),
        np.array([_vision_threatening(o.grade) for o in outcomes], dtype=np.float64),
    )


def cluster_keys(rows: Sequence[Row]) -> tuple[tuple[str, str], ...]:
    """What each row is drawn with: its patient, else its group, else itself.

    The column's name is part of the key, so that patient 7 and group 7 stay apart.
    """
    return tuple(
        next(
            ((name, row.text(name)) for name in CLUSTER_COLUMNS if row.text(name)),
            ("photograph", str(place)),
        )
        for place, row in enumerate(rows)
    )


def _read_all(
    manifest: Manifest,
    rows: Sequence[Row],
    reader: PhotographReader,
    workers: int,
    on_read: Callable[[], None],
) -> Iterator[Outcome]:
    """The outcome of each row, in order; threads, because decoding and inference free the lock."""
    with ThreadPoolExecutor(workers) as pool:
        for outcome in pool.map(lambda row: _read(manifest, row, reader), rows):
            on_read()
            yield outcome


def _read(manifest: Manifest, row: Row, reader: PhotographReader) -> Outcome:
    try:
        reading = reader.read(manifest.photograph(row))
    except PhotoError as error:
        return Outcome(row, REFUSED, Grade(), error.code, error.why, error.remedy)
    except MemoryError:
        return Outcome(row, REFUSED, Grade(), *OUT_OF_MEMORY)
    cause = why_not_graded(reading)
    if cause is None:
        return Outcome(row, READ, reading.grade)
    return Outcome(row, UNGRADED, Grade(), cause.code, cause.reason, cause.remedy)


def _vision_threatening(grade: Grade) -> float:
    if grade.probabilities is None:
        return 1.0
    return sum(grade.probabilities[VISION_THREATENING_GRADE:])


def values_of(manifest: Manifest, rows: Sequence[Row], column: str) -> tuple[str, ...]:
    """What a column by which figures are asked has for each row, ``BLANK`` where it is empty.

    Raises:
        UsageError: it does not exist, or has too many values.
    """
    require_column(manifest, column)
    values = tuple(row.text(column) or BLANK for row in rows)
    distinct = len(set(values))
    if distinct > MAX_BY_VALUES:
        raise UsageError(
            f"--by {column}",
            f"has {distinct} values, more than {MAX_BY_VALUES}",
            "name a column of few values, such as source or camera",
        )
    return values


def _require_photographs(manifest: Manifest, rows: Sequence[Row]) -> None:
    """One missing photograph is a refusal; when all are, the table lies in the wrong place."""
    if not rows:
        raise UsageError(manifest.path.name, "has no rows to evaluate", "choose other rows")
    if not any(manifest.photograph(row).exists() for row in rows):
        raise UsageError(
            manifest.path.name,
            f"none of its photographs exists (the first: {rows[0].image})",
            "write their paths relative to the table",
        )
