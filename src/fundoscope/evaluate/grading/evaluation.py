"""Evaluate a grader: read every photograph of a label table and compare with the labels.

Every row counts. A photograph that could not be read, or was not graded, is a wrong answer for the
person who sent it. It counts as wrong, in kappa as the grade farthest from its label, and as called
referable with probability 1. The figures of the graded ones alone are given as well.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

import numpy as np

from fundoscope.data.leaks import keys, together
from fundoscope.data.manifest import IMAGE, Manifest, Row
from fundoscope.data.selection import require_column
from fundoscope.errors import PhotoError, UsageError
from fundoscope.evaluate.arrays import Floats
from fundoscope.evaluate.grading import certainty as certainties
from fundoscope.evaluate.grading.calibration import Bin, reliability
from fundoscope.evaluate.grading.certainty import Certainty
from fundoscope.evaluate.grading.figures import (
    ANY_GRADE,
    NOT_GRADED,
    UNKNOWN,
    VISION_THREATENING_GRADE,
    Scores,
)
from fundoscope.evaluate.grading.readers import Readers, agreement, second_grades
from fundoscope.evaluate.grading.summary import Metrics, ScoredPhotographs, summarise
from fundoscope.evaluate.intervals import RESAMPLES, SEED, numbered
from fundoscope.evaluate.photographs import READ, REFUSED, reported
from fundoscope.grading.heads import GRADE_COUNT, REFERABLE_GRADE
from fundoscope.ordered import in_order
from fundoscope.photo.refusals import OUT_OF_MEMORY, TOO_LARGE
from fundoscope.reading import Grade, Reading
from fundoscope.report.wording import why_not_graded

UNGRADED: Final = "not_graded"
STATUSES: Final = (READ, UNGRADED, REFUSED)

CLUSTER_COLUMNS: Final = ("patient", "group")
"""Photographs with the same value are drawn together in a resample. The first of these columns that
its rows fill names a cluster; a row without any is drawn alone."""
RANKS: Final = {column: rank for rank, column in enumerate((*CLUSTER_COLUMNS, IMAGE))}
PHOTOGRAPH: Final = "photograph"
"""The kind of a cluster without patient and group."""
MAX_BY_VALUES: Final = 100
"""A column with more values than this is a name or a number, not a category to break down by."""
BLANK: Final = "(blank)"


class PhotographReader(Protocol):
    """Reads photographs: :class:`fundoscope.reader.Reader`, or a stand-in in a test."""

    def read(self, source: Path, /) -> Reading:
        """Read a file.

        Raises:
            PhotoError: the file cannot be read as a photograph.
        """


@dataclass(frozen=True, slots=True)
class Outcome:
    """The result of reading one row's photograph.

    Attributes:
        row: of the label table.
        status: ``read``, ``not_graded`` (it opened, but got no grade) or ``refused``.
        grade: without values unless the status is ``read``.
        code, reason, remedy: why there is no grade: a stable word and two halves of a sentence.
            Empty when there is a grade.
    """

    row: Row
    status: str
    grade: Grade
    code: str = ""
    reason: str = ""
    remedy: str = ""


@dataclass(frozen=True, slots=True)
class Evaluation:
    """The results of an evaluation.

    Attributes:
        manifest: the label table.
        outcomes: one for each row that was read, in the order of the rows.
        scores: the same as arrays.
        metrics: every figure with its interval.
        reliability: the reliability table of the graded ones' probability of referable.
        clusters: how many clusters of each kind were resampled (patient, group, photograph).
        certainty: how well the grader knows when it is unsure.
        readers: the agreement with a second reader, where the table has one.
        trained_on: the sources that the grader was trained on; ``None`` if it does not say.
    """

    manifest: Manifest
    outcomes: tuple[Outcome, ...]
    scores: Scores
    metrics: Metrics
    reliability: tuple[Bin, ...]
    clusters: dict[str, int]
    certainty: Certainty
    readers: Readers | None = None
    trained_on: tuple[str, ...] | None = None

    @property
    def without_grade(self) -> tuple[Outcome, ...]:
        """The rows that were refused or not graded."""
        return tuple(outcome for outcome in self.outcomes if outcome.status != READ)

    @property
    def threshold(self) -> float | None:
        """The operating point for referable; ``None`` when no photograph was graded."""
        return next((o.grade.referable.threshold for o in self.outcomes if o.grade.referable), None)


def evaluate(
    manifest: Manifest,
    rows: Sequence[Row],
    reader: PhotographReader,
    *,
    by: Sequence[str] = (),
    second_grade: str | None = None,
    trained_on: Sequence[str] | None = None,
    workers: int = 1,
    on_read: Callable[[], None] = lambda: None,
    resamples: int = RESAMPLES,
    seed: int = SEED,
) -> Evaluation:
    """Read the photographs of some rows of a label table and compare with their labels.

    Args:
        manifest: the table, with the photographs' paths and the columns.
        rows: the rows to read.
        reader: reads the photographs.
        by: columns; the figures are broken down by their values.
        second_grade: column of a second reader's grades, whose agreement is given, too.
        trained_on: the sources that the grader was trained on; ``None`` if it does not say.
        workers: how many photographs are read at the same time.
        on_read: called after each photograph, to report progress.
        resamples: number of resamples for the intervals.
        seed: of the resamples.

    Raises:
        UsageError: there is no row, no row's photograph exists, or a column of ``by`` does not
            exist or has too many values.
    """
    for name in by:
        values_of(manifest, rows, name)  # before any photograph is read
    if second_grade is not None:
        second_grades(manifest, rows, second_grade)
    outcomes = read_rows(manifest, rows, reader, workers=workers, on_read=on_read)
    return measure(
        manifest,
        outcomes,
        by=by,
        second_grade=second_grade,
        trained_on=trained_on,
        resamples=resamples,
        seed=seed,
    )


def measure(
    manifest: Manifest,
    outcomes: Sequence[Outcome],
    *,
    by: Sequence[str] = (),
    second_grade: str | None = None,
    trained_on: Sequence[str] | None = None,
    resamples: int = RESAMPLES,
    seed: int = SEED,
) -> Evaluation:
    """Compare outcomes with the labels; the arguments are those of :func:`evaluate`.

    Raises:
        UsageError: a column of ``by`` does not exist or has too many values, or the one of the
            second reader holds no grades.
    """
    rows = [outcome.row for outcome in outcomes]
    columns = {name: values_of(manifest, rows, name) for name in by}
    scores = scores_of(outcomes)
    clusters = cluster_keys(rows)
    return Evaluation(
        manifest,
        tuple(outcomes),
        scores,
        summarise(ScoredPhotographs(scores, clusters, columns), resamples=resamples, seed=seed),
        _reliability(outcomes),
        dict(Counter(kind for kind, *_ in set(clusters))),
        certainties.evaluate(
            scores.label,
            [outcome.grade for outcome in outcomes],
            clusters,
            columns,
            resamples=resamples,
            seed=seed,
        ),
        None
        if second_grade is None
        else agreement(
            scores,
            second_grades(manifest, rows, second_grade),
            numbered(clusters),
            second_grade,
            resamples=resamples,
            seed=seed,
        ),
        None if trained_on is None else tuple(trained_on),
    )


def _reliability(outcomes: Sequence[Outcome]) -> tuple[Bin, ...]:
    """The table of the graded ones; a grade alone is not a probability."""
    chances = [
        (o.grade.referable.probability, o.row.grade >= REFERABLE_GRADE)
        for o in outcomes
        if o.grade.referable and (o.grade.icdr is None or o.grade.probabilities is not None)
    ]
    probability = np.array([chance for chance, _ in chances], dtype=np.float64)
    referable = np.array([label for _, label in chances], dtype=bool)
    return tuple(reliability(probability, referable))


def read_rows(
    manifest: Manifest,
    rows: Sequence[Row],
    reader: PhotographReader,
    *,
    workers: int = 1,
    on_read: Callable[[], None] = lambda: None,
) -> tuple[Outcome, ...]:
    """Read the photographs of some rows of a label table; one outcome for each row, in order.

    The arguments are those of :func:`evaluate`.

    Raises:
        UsageError: there is no row, or no row's photograph exists.
    """
    require_photographs(manifest, rows)

    def read(row: Row) -> Outcome:
        return _read(manifest, row, reader)

    return tuple(reported(in_order(rows, read, workers), on_read))


def scores_of(outcomes: Sequence[Outcome]) -> Scores:
    """Turn outcomes into arrays; the module's docstring says how those without a grade count."""
    return scores_of_grades([o.row.grade for o in outcomes], [o.grade for o in outcomes])


def scores_of_grades(labels: Sequence[int], grades: Sequence[Grade]) -> Scores:
    """Turn labels and what was given into arrays, see :func:`scores_of`.

    Other systems may give less than a grader of this project: a grade without probabilities ranks
    photographs for the areas, and a probability of referable alone leaves the grade unknown.
    """
    called = [grade.referable for grade in grades]
    return Scores(
        np.array(labels, dtype=np.int64),
        np.array([_given(grade) for grade in grades], dtype=np.int64),
        np.array([c is None or c.positive for c in called], dtype=bool),
        np.array([1.0 if c is None else c.probability for c in called], dtype=np.float64),
        _from(VISION_THREATENING_GRADE, grades),
        _from(ANY_GRADE, grades),
    )


def _given(grade: Grade) -> int:
    if grade.icdr is not None:
        return grade.icdr
    return NOT_GRADED if grade.referable is None else UNKNOWN


def _from(lowest: int, grades: Sequence[Grade]) -> Floats:
    """Probability ``float64 (N,)`` of grade ``lowest`` or more; 1 if not graded, NaN if unknown."""
    return np.array([_probability_from(lowest, grade) for grade in grades], dtype=np.float64)


def _probability_from(lowest: int, grade: Grade) -> float:
    if grade.probabilities is not None:
        return sum(grade.probabilities[lowest:])
    if grade.icdr is not None:
        return rank(grade.icdr)
    return 1.0 if grade.referable is None else float("nan")


def rank(icdr: int) -> float:
    """Place a grade between 0 and 1: in an area only the order of the photographs counts."""
    return icdr / (GRADE_COUNT - 1)


def cluster_keys(rows: Sequence[Row]) -> tuple[tuple[str, ...], ...]:
    """Find the cluster of each row: its patient, else its group, else the photograph alone.

    Patient 7 and group 7 stay apart, and so do the patients 7 of two sources: each clinic numbers
    its own. A group may reach across sources. Patients with photographs in one group are one
    cluster, under the name of the first of them, and so are rows that name one photograph
    (:func:`fundoscope.data.leaks.together`).
    """
    names: dict[int, tuple[str, ...]] = {}
    groups = together(rows).tolist()
    for row, group in zip(rows, groups, strict=True):
        key = next(keys(row))
        if group not in names or RANKS[key[0]] < RANKS[names[group][0]]:
            names[group] = key
    return tuple(
        names[group] if names[group][0] != IMAGE else (PHOTOGRAPH, *names[group][1:])
        for group in groups
    )


def _read(manifest: Manifest, row: Row, reader: PhotographReader) -> Outcome:
    try:
        reading = reader.read(manifest.photograph(row))
    except PhotoError as error:
        return Outcome(row, REFUSED, Grade(), error.code, error.why, error.remedy)
    except MemoryError:
        return Outcome(row, REFUSED, Grade(), OUT_OF_MEMORY, *TOO_LARGE)
    cause = why_not_graded(reading)
    if cause is None:
        return Outcome(row, READ, reading.grade)
    return Outcome(row, UNGRADED, Grade(), cause.code, cause.reason, cause.remedy)


def values_of(manifest: Manifest, rows: Sequence[Row], column: str) -> tuple[str, ...]:
    """Take a column's value of each row, :data:`BLANK` where it is empty.

    Raises:
        UsageError: the column does not exist, or has too many values to break down by.
    """
    require_column(manifest, column)
    values = tuple(row.text(column) or BLANK for row in rows)
    distinct = len(set(values))
    if distinct > MAX_BY_VALUES:
        raise UsageError(
            f"--by {column}",
            f"has {distinct} values, more than {MAX_BY_VALUES}",
            "name a column with few values, such as source or camera",
        )
    return values


def require_photographs(manifest: Manifest, rows: Sequence[Row]) -> None:
    """Reject a table in the wrong place: all photographs are missing. A single one is a refusal.

    Raises:
        UsageError: there is no row, or no row's photograph exists.
    """
    if not rows:
        raise UsageError(manifest.path.name, "has no rows to evaluate", "choose other rows")
    if not any(manifest.photograph(row).exists() for row in rows):
        raise UsageError(
            manifest.path.name,
            f"none of its photographs exists (the first: {rows[0].image})",
            "write their paths relative to the table",
        )
