"""Figures per eye and per patient: the worst photograph decides, as in a screening programme."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Final

import numpy as np

from fundoscope.data.manifest import Row
from fundoscope.evaluate.grading.figures import (
    COLUMNS,
    NOT_GRADED,
    Scores,
    figures,
    why_undefined,
)
from fundoscope.evaluate.intervals import Figure, estimate, numbered

SHOWN: Final = (
    "accuracy",
    "quadratic_kappa",
    "referable_auc",
    "referable_sensitivity",
    "referable_specificity",
)
"""The figures that are given per eye and per patient."""
BELOW_ALL: Final = -1
"""What a photograph without a grade counts where another one of the eye has a grade."""


def eye_keys(rows: Sequence[Row]) -> list[tuple[str, ...] | None]:
    """The eye of each row: source, patient and side; ``None`` where one is not known."""
    return [(row.source, row.patient, row.eye) if row.patient and row.eye else None for row in rows]


def patient_keys(rows: Sequence[Row]) -> list[tuple[str, ...] | None]:
    """The patient of each row: source and name; ``None`` where not known."""
    return [(row.source, row.patient) if row.patient else None for row in rows]


def worst_of(scores: Scores, keys: Sequence[Hashable | None]) -> Scores:
    """Put the photographs with one key together: the highest label, grade and probability.

    Photographs without a key are left out. One that got no grade makes its eye or patient called
    referable, with probability 1. The grade is the highest that was given: an eye is not graded
    only if none of its photographs was.
    """
    chosen = np.array([key is not None for key in keys], dtype=bool)
    some = scores.where(chosen)
    number = numbered([key for key in keys if key is not None])
    count = int(number.max(initial=-1)) + 1

    def highest(values: np.ndarray) -> np.ndarray:
        best = np.full(count, -np.inf)
        with np.errstate(invalid="ignore"):  # an unknown probability stays unknown
            np.maximum.at(best, number, values.astype(np.float64))
        return best

    given = highest(np.where(some.given == NOT_GRADED, BELOW_ALL, some.given))
    return Scores(
        highest(some.label).astype(np.int64),
        np.where(given == BELOW_ALL, NOT_GRADED, given).astype(np.int64),
        highest(some.positive) > 0,
        highest(some.referable),
        highest(some.vision_threatening),
        None if some.any_retinopathy is None else highest(some.any_retinopathy),
    )


def measure(scores: Scores, clusters: Sequence[Hashable], *, resamples: int) -> dict[str, Figure]:
    """Compute the figures of :data:`SHOWN` with their intervals.

    Args:
        scores: of N eyes or patients.
        clusters: N patients.
        resamples: for the intervals.
    """
    estimated = estimate(
        lambda weights: figures(scores, weights),
        numbered(clusters),
        why_undefined(scores),
        resamples=resamples,
    )
    return {name: estimated[COLUMNS.index(name)] for name in SHOWN}
