"""Agreement of the software with two human readers, and of the readers with each other.

Kappa against one reader has no ceiling to be compared with. The kappa of the two readers is that
ceiling. All three are of the same photographs: those that both readers graded. They are resampled
together, so that their differences have intervals, too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from fundoscope.data.manifest import Manifest, Row
from fundoscope.data.selection import require_column
from fundoscope.data.table import place
from fundoscope.errors import TableError, UsageError
from fundoscope.evaluate.arrays import Floats, Ints, share
from fundoscope.evaluate.grading.figures import (
    FARTHEST,
    NOT_GRADED,
    UNKNOWN,
    Scores,
    quadratic_kappa,
)
from fundoscope.evaluate.intervals import RESAMPLES, SEED, Figure, estimate, numbered
from fundoscope.grading.heads import GRADE_COUNT
from fundoscope.quoting import quoted

GRADES: Final = {str(grade): grade for grade in range(GRADE_COUNT)} | {
    f"{grade}.0": grade for grade in range(GRADE_COUNT)
}
"""Grades as programs write them: pandas writes whole numbers beside empty cells as ``2.0``."""
SHOWN_CHARACTERS: Final = 40
FIGURES: Final = (
    "software_and_first",
    "software_and_second",
    "first_and_second",
    "software_less_readers",
    "equal_software_and_first",
    "equal_software_and_second",
    "equal_first_and_second",
)
"""Quadratic kappa of each pair, that of software and first reader less that of the two readers, and
the share of equal grades of each pair."""
UNDEFINED: Final = ("all grades of a pair are the same",) * 4 + ("there is no photograph",) * 3


@dataclass(frozen=True, slots=True)
class Readers:
    """The agreement of the software with two readers.

    Attributes:
        column: of the second reader's grades.
        n: photographs that both readers graded.
        figures: by the names of :data:`FIGURES`.
    """

    column: str
    n: int
    figures: dict[str, Figure]


def agreement(
    scores: Scores,
    second: Sequence[int | None],
    clusters: Ints,
    column: str,
    *,
    resamples: int = RESAMPLES,
    seed: int = SEED,
) -> Readers:
    """Compare the software with the labels and with a second reader.

    Args:
        scores: of N photographs.
        second: N grades of the second reader, as :func:`second_grades` takes them.
        clusters: ``int64 (N,)``, as in :func:`fundoscope.evaluate.intervals.estimate`.
        column: of the second reader's grades.
        resamples: of whole clusters, for the intervals.
        seed: of the resamples.

    Raises:
        UsageError: the predictions hold no grades.
    """
    chosen = np.array([grade is not None for grade in second], dtype=bool)
    some = scores.where(chosen)
    if (some.given == UNKNOWN).any():
        raise UsageError(
            f"--second-grade {column}",
            "needs grades, and the predictions hold none",
            "leave it out",
        )
    software = np.where(some.given == NOT_GRADED, np.array(FARTHEST)[some.label], some.given)
    other = np.array([grade for grade in second if grade is not None], dtype=np.int64)
    figures = estimate(
        lambda weights: _figures(software, some.label, other, weights),
        numbered(clusters[chosen].tolist()),
        UNDEFINED,
        resamples=resamples,
        seed=seed,
    )
    return Readers(column, len(some), dict(zip(FIGURES, figures, strict=True)))


def second_grades(manifest: Manifest, rows: Sequence[Row], column: str) -> list[int | None]:
    """Take the second reader's grade of each row; ``None`` where the cell is empty.

    Raises:
        UsageError: the column does not exist, or is empty in all rows.
        TableError: a cell is not a grade.
    """
    require_column(manifest, column)
    cells = [row.text(column) for row in rows]
    for row, cell in zip(rows, cells, strict=True):
        if cell and cell not in GRADES:
            raise TableError(
                place(manifest.path, row.line, column),
                f"is {quoted(cell, SHOWN_CHARACTERS)}, not a grade",
                "give --second-grade a column of grades 0 to 4, empty where there is none",
            )
    if not any(cells):
        raise UsageError(
            f"--second-grade {column}", "is empty in the chosen rows", "choose other rows"
        )
    return [GRADES.get(cell) for cell in cells]


def _figures(software: Ints, first: Ints, second: Ints, weights: Floats) -> Floats:
    pairs = ((software, first), (software, second), (first, second))
    tables = [_table(one, other, weights) for one, other in pairs]
    kappas = [quadratic_kappa(table) for table in tables]
    equal = [share(np.einsum("rii->r", table), table.sum(axis=(1, 2))) for table in tables]
    return np.column_stack([*kappas, kappas[0] - kappas[2], *equal])


def _table(one: Ints, other: Ints, weights: Floats) -> Floats:
    """Weigh each pair of grades, ``float64 (R, 5, 5)``."""
    membership = np.zeros((len(one), GRADE_COUNT * GRADE_COUNT))
    membership[np.arange(len(one)), one * GRADE_COUNT + other] = 1.0
    return (weights @ membership).reshape(-1, GRADE_COUNT, GRADE_COUNT)
