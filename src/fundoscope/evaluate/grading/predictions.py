"""Predictions of another program, evaluated like those of a bundle.

The table has a row for each photograph and at least one of: a grade, the probabilities of the five
grades, a probability of referable. What is missing is left undefined, never guessed.
"""

from __future__ import annotations

import posixpath
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Final

from fundoscope.data.manifest import Manifest, Row
from fundoscope.data.table import Table, read_table
from fundoscope.errors import TableError, UsageError
from fundoscope.evaluate.grading.evaluation import UNGRADED, Outcome, rank
from fundoscope.evaluate.grading.readers import GRADES
from fundoscope.evaluate.photographs import READ
from fundoscope.grading import heads
from fundoscope.quoting import quoted
from fundoscope.reading import Grade, ModelUsed, Referable

IMAGE: Final = "image"
GRADE_COLUMNS: Final = ("icdr", "predicted_grade")
"""Names of the column of grades, the best first."""
LABEL: Final = "grade"
"""The column of grades of a table that predicts nothing else. Beside probabilities it is the label:
the table would be compared with itself."""
PROBABILITY_COLUMNS: Final = tuple(f"p{grade}" for grade in range(heads.GRADE_COUNT))
SCORE_COLUMNS: Final = ("referable_probability", "referable_score")
THRESHOLD: Final = 0.5
"""Of the probability of referable, unless another is given."""
SUM_TOLERANCE: Final = 0.02
"""Probabilities that were rounded to two decimals may miss a sum of 1 by this much."""
SHOWN_CHARACTERS: Final = 40
NO_PREDICTION: Final = (
    "no_prediction",
    "has no prediction in the table",
    "add a row for it; until then it counts as not graded",
)
"""Code, reason and remedy of a photograph without a row in the table, or with empty cells."""


@dataclass(frozen=True, slots=True)
class Predictions:
    """Predictions matched to the rows of a label table.

    Attributes:
        outcomes: one for each row of the label table, in order.
        without_label: the number of predictions whose photograph has no label.
        used: the table as a model, for the record of the evaluation.
        threshold: of the probability of referable.
        label_unused: whether the table's only column of grades is ``grade``, beside probabilities:
            it is taken for the label.
    """

    outcomes: tuple[Outcome, ...]
    without_label: int
    used: ModelUsed
    threshold: float
    label_unused: bool = False


def match(
    manifest: Manifest, rows: Sequence[Row], path: Path, *, threshold: float | None = None
) -> Predictions:
    """Read predictions and match them to the rows of a label table.

    A photograph is matched by its path as in the label table, or by its file name where that is
    unique in both tables, whichever rows are chosen.

    Args:
        manifest: the label table.
        rows: of it.
        path: the table of predictions, CSV or Parquet.
        threshold: of the probability of referable, 0 to 1.

    Raises:
        TableError: the table is faulty; the message names the line.
        UsageError: no prediction is for a row of the label table, or there is a threshold and no
            probability that it could be of.
    """
    table = read_table(path, required=(IMAGE,))
    _require_probabilities(table, threshold)
    limit = THRESHOLD if threshold is None else threshold
    grades = _grades(table, limit)
    ours = _unique_names([row.image for row in manifest.rows])
    keys = _matched(rows, ours, tuple(grades))
    if not any(key is not None for key in keys):
        raise UsageError(
            path.name,
            f"none of its {len(grades)} predictions is for one of the {len(rows)} photographs of"
            f" {manifest.path.name} (the first: {quoted(next(iter(grades), ''), SHOWN_CHARACTERS)},"
            f" and {quoted(rows[0].image, SHOWN_CHARACTERS)})",
            "write the names of the photographs as in the label table",
        )
    outcomes = tuple(
        _outcome(row, Grade() if key is None else grades[key])
        for row, key in zip(rows, keys, strict=True)
    )
    unlabelled = len(set(grades) - set(_matched(manifest.rows, ours, tuple(grades))))
    used = ModelUsed("grading", path.name, table.sha256)
    label_unused = LABEL in table.cells and not _columns(table).grade
    return Predictions(outcomes, unlabelled, used, limit, label_unused)


def _require_probabilities(table: Table, threshold: float | None) -> None:
    columns = _columns(table)
    if threshold is not None and not columns.score and not columns.probabilities:
        raise UsageError(
            f"--threshold {threshold:g}",
            f"is of a probability, and {table.path.name} has grades alone: those from"
            f" {heads.REFERABLE_GRADE} on are referable",
            "leave it out, or add a column referable_probability",
        )


def _outcome(row: Row, grade: Grade) -> Outcome:
    if grade == Grade():
        return Outcome(row, UNGRADED, grade, *NO_PREDICTION)
    return Outcome(row, READ, grade)


def _matched(rows: Sequence[Row], ours: Collection[str], images: Sequence[str]) -> list[str | None]:
    """For each row the name of its prediction; ``None`` where it has none.

    Args:
        rows: some rows of the label table.
        ours: the file names that are unique in the whole label table.
        images: of the predictions.
    """
    exact = set(images)
    by_name = _unique_names(images)
    return [
        row.image if row.image in exact else by_name.get(name) if name in ours else None
        for row in rows
        for name in (_name(row.image),)
    ]


def _unique_names(images: Sequence[str]) -> dict[str, str]:
    """The images by their file name, without names that different images have."""
    different = {posixpath.normpath(image): image for image in images}
    counts = Counter(map(_name, different.values()))
    return {_name(image): image for image in different.values() if counts[_name(image)] == 1}


def _name(image: str) -> str:
    return PurePosixPath(image.replace("\\", "/")).name


def _grades(table: Table, threshold: float) -> dict[str, Grade]:
    """The grade of each photograph of the table."""
    columns = _columns(table)
    grades: dict[str, Grade] = {}
    for place, image in enumerate(table.cells[IMAGE]):
        if not image:
            raise TableError(
                table.place(place, IMAGE),
                "does not name a photograph",
                "write the path or file name of the photograph, or remove the row",
            )
        if image in grades:
            raise TableError(
                table.place(place, IMAGE),
                f"has {quoted(image, SHOWN_CHARACTERS)} a second time",
                "keep one prediction for each photograph",
            )
        grades[image] = _grade(table, place, columns, threshold)
    return grades


@dataclass(frozen=True, slots=True)
class _Columns:
    """The names of the columns that a table has; ``""`` where it has none."""

    grade: str
    probabilities: bool
    score: str


def _columns(table: Table) -> _Columns:
    probabilities = set(PROBABILITY_COLUMNS) <= set(table.cells)
    score = _first(SCORE_COLUMNS, table.cells)
    names = GRADE_COLUMNS if probabilities or score else (*GRADE_COLUMNS, LABEL)
    columns = _Columns(_first(names, table.cells), probabilities, score)
    if columns == _Columns("", False, ""):
        raise TableError(
            table.path.name,
            f"holds no predictions (its columns: {', '.join(table.columns)})",
            "add a column grade or referable_probability, or the columns p0 to p4",
        )
    return columns


def _first(names: Sequence[str], cells: Mapping[str, Sequence[str]]) -> str:
    return next((name for name in names if name in cells), "")


def _grade(table: Table, place: int, columns: _Columns, threshold: float) -> Grade:
    icdr = _icdr(table, place, columns.grade) if columns.grade else None
    chances = _probabilities(table, place) if columns.probabilities else None
    if icdr is None and chances is not None:
        icdr = max(range(heads.GRADE_COUNT), key=chances.__getitem__)
    score = _number(table, place, columns.score) if columns.score else None
    if score is None and chances is not None:
        score = min(sum(chances[heads.REFERABLE_GRADE :]), 1.0)
    if score is not None:
        called = Referable(score, score >= threshold, threshold)
    elif icdr is not None:
        # The grade alone decides: its place between 0 and 1 is no probability.
        called = Referable(rank(icdr), icdr >= heads.REFERABLE_GRADE, threshold)
    else:
        return Grade()
    expected = None if chances is None else sum(g * p for g, p in enumerate(chances))
    return Grade(icdr, chances, expected, called)


def _icdr(table: Table, place: int, column: str) -> int | None:
    cell = table.cells[column][place]
    if not cell:
        return None
    if cell not in GRADES:
        raise TableError(
            table.place(place, column),
            f"is {quoted(cell, SHOWN_CHARACTERS)}, not a grade",
            "write 0, 1, 2, 3 or 4, or nothing where there is none",
        )
    return GRADES[cell]


def _probabilities(table: Table, place: int) -> tuple[float, float, float, float, float] | None:
    """The probabilities of the five grades, made to sum to 1; ``None`` if all are empty."""
    given = [_number(table, place, column) for column in PROBABILITY_COLUMNS]
    chances = [chance for chance in given if chance is not None]
    if not chances:
        return None
    total = sum(chances)
    if len(chances) < heads.GRADE_COUNT or abs(total - 1.0) > SUM_TOLERANCE:
        raise TableError(
            table.place(place, PROBABILITY_COLUMNS[0]),
            f"p0 to p4 sum to {total:.3f}"
            if len(chances) == heads.GRADE_COUNT
            else "some of p0 to p4 are empty",
            "write five probabilities that sum to 1, or leave all empty",
        )
    p0, p1, p2, p3, p4 = (chance / total for chance in chances)
    return p0, p1, p2, p3, p4


def _number(table: Table, place: int, column: str) -> float | None:
    """A probability; ``None`` where the cell is empty."""
    cell = table.cells[column][place]
    if not cell:
        return None
    try:
        number = float(cell)
    except ValueError:
        number = float("nan")
    if not 0.0 <= number <= 1.0:
        raise TableError(
            table.place(place, column),
            f"is {quoted(cell, SHOWN_CHARACTERS)}, not a probability",
            "write a number from 0 to 1, or nothing where there is none",
        )
    return number
