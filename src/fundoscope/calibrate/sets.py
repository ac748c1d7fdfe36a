"""Fit the limits of the sets of grades (:mod:`fundoscope.grading.conformal`)."""

from __future__ import annotations

import math
from typing import Final

import numpy as np

from fundoscope.evaluate.arrays import Flags, Floats, Ints
from fundoscope.grading import conformal
from fundoscope.grading.heads import GRADE_COUNT, REFERABLE_GRADE
from fundoscope.models.sets import GradeSets

COVERAGE: Final = 0.90
"""The share of photographs whose grade should be in its set."""
GROUPS: Final = (tuple(range(REFERABLE_GRADE)), tuple(range(REFERABLE_GRADE, GRADE_COUNT)))
"""Grades with a common limit. A limit for each grade made sets of more than two grades and covered
too much on single sources; see docs/explanation/certainty.md."""
DIGITS: Final = 6
"""Decimals of the limits."""
TINY: Final = 1e-9
"""Keeps sums of weights exact."""


def fit(p: Floats, labels: Ints, source: Ints, coverage: float = COVERAGE) -> GradeSets:
    """Fit the limits, so that a set holds the true grade with the wanted probability.

    In each group of grades the limit is the quantile of the scores of the true grades, with every
    source counting the same; between few photographs it is rounded up (Vovk, Gammerman and Shafer,
    Algorithmic Learning in a Random World, 2005). A group without photographs takes all grades.

    Args:
        p: ``(N, 5)`` probabilities with the correction.
        labels: ``(N,)`` grades, 0 to 4.
        source: ``(N,)`` numbers of the sources.
        coverage: the wanted probability, more than 0 and less than 1.
    """
    own = conformal.scores(p)[np.arange(len(labels)), labels]
    _, number = np.unique(source, return_inverse=True)
    weights = 1.0 / np.bincount(number)[number] if len(number) else np.zeros(0)
    limits = [1.0] * GRADE_COUNT
    for grades in GROUPS:
        chosen = np.isin(labels, grades)
        limit = _quantile(own[chosen], weights[chosen], coverage)
        for grade in grades:
            limits[grade] = limit
    zero, one, two, three, four = limits
    return GradeSets(
        coverage=coverage, limits=(zero, one, two, three, four), photographs=len(labels)
    )


def _quantile(scores: Floats, weights: Floats, coverage: float) -> float:
    """The lowest score that enough of the weight does not exceed; 1 if there are too few."""
    if len(scores) == 0:
        return 1.0
    order = np.argsort(scores, kind="stable")
    reached = np.cumsum(weights[order]) / weights.sum()
    wanted = coverage * (1.0 + 1.0 / len(scores)) - TINY
    place = int(np.searchsorted(reached, wanted))
    if place >= len(scores):
        return 1.0
    # Rounded up: a limit below the score that it was taken from would leave that grade out.
    return min(math.ceil(float(scores[order][place]) * 10**DIGITS) / 10**DIGITS, 1.0)


def held(p: Floats, labels: Ints, sets: GradeSets) -> Flags:
    """Whether the set of each photograph holds its true grade, ``bool (N,)``."""
    inside: Flags = conformal.members(p, sets)[np.arange(len(labels)), labels]
    return inside
