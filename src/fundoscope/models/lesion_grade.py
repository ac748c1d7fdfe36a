"""The model in a detector's bundle that grades an eye by its lesions alone."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

BORDERS: Final = 4
"""Borders between the five grades of the International scale."""
MAX_FEATURES: Final = 200
MAX_NUMBER: Final = 1e4
"""Highest absolute value of a number. Those that are fitted stay below 100."""

Numbers = tuple[float, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class LesionGradeModel:
    """A model of proportional odds (McCullagh, Regression models for ordinal data, 1980).

    The log-odds that the grade is above 0, 1, 2, 3 are one weighted sum of F features, plus the
    border's intercept. A feature that is missing adds a number of its own instead. See
    :func:`fundoscope.grading.lesion_grade.grade`.

    Attributes:
        features: the names of the F features (:mod:`fundoscope.grading.lesion_features`).
        centre: F values that are subtracted from the features.
        spread: F values by which these are then divided; more than 0.
        weights: F, of the features.
        missing: F numbers, each added where its feature is missing.
        intercepts: four, in descending order.
        drawn_from: lesions are drawn on an eye whose probability of grade 1 or more, by this model,
            is at least this; less is enough where the grader gives grade 2 or more
            (:mod:`fundoscope.grading.withholding`). 0: they are drawn on every eye.
        size_share: how much of the correction by size (``size_correction``) the scores have whose
            boxes are counted, 0 to 1; all of it in older bundles.
        fitted_on: number of photographs by source.
    """

    features: tuple[str, ...]
    centre: Numbers
    spread: Numbers
    weights: Numbers
    missing: Numbers
    intercepts: Numbers
    drawn_from: float = 0.0
    size_share: float = 1.0
    fitted_on: Mapping[str, int] = field(default_factory=dict)


def fault(model: LesionGradeModel | None) -> str | None:
    """The first value that is not valid, in words; ``None`` if all are valid."""
    return None if model is None else next(_faults(model), None)


def _faults(model: LesionGradeModel) -> Iterator[str]:
    count = len(model.features)
    if not 1 <= count <= MAX_FEATURES or len(set(model.features)) != count:
        yield f"lesion_grade.features are not 1 to {MAX_FEATURES} different names"
    rows = {
        "centre": model.centre,
        "spread": model.spread,
        "weights": model.weights,
        "missing": model.missing,
    }
    for name, numbers in rows.items():
        if len(numbers) != count:
            yield f"lesion_grade.{name} does not have a number for each feature"
    if len(model.intercepts) != BORDERS or list(model.intercepts) != sorted(
        model.intercepts, reverse=True
    ):
        yield f"lesion_grade.intercepts are not {BORDERS} numbers in descending order"
    for numbers in (*rows.values(), model.intercepts):
        if not all(math.isfinite(number) and abs(number) <= MAX_NUMBER for number in numbers):
            yield f"lesion_grade has a number that is not within {MAX_NUMBER:g} of 0"
    if not 0 <= model.drawn_from <= 1:
        yield "lesion_grade.drawn_from is not from 0 to 1"
    if not 0 <= model.size_share <= 1:
        yield "lesion_grade.size_share is not from 0 to 1"
    if any(spread <= 0 for spread in model.spread):
        yield "lesion_grade.spread has a number that is not above 0"
