"""The set of plausible grades, which holds the true one with a stated probability.

The method is that of Lu, Angelopoulos and Pomerantz, Improving Trustworthiness of AI Disease
Severity Rating in Medical Imaging with Ordinal Conformal Prediction Sets, MICCAI 2022. A set grows
from the most probable grade to the likelier of its two neighbours (on a tie, the higher one), so it
is always a run of neighbouring grades. The score of a grade is the probability of those that
came before it, and a grade belongs to the set if its score is not above a limit.

The limit is fitted to labelled photographs (:mod:`fundoscope.calibrate.sets`), once for referable
grades and once for the others, so that the coverage holds for sick eyes, not only on average over
many healthy ones (Vovk, Conditional validity of inductive conformal predictors, 2012).
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fundoscope.grading.heads import GRADE_COUNT, Floats, most_probable
from fundoscope.models.sets import GradeSets

Flags = NDArray[np.bool_]

SMALLEST: Final = 1e-12
"""Keeps logarithms finite."""


def scores(p: ArrayLike) -> Floats:
    """The score of each grade: the probability of those that join the set before it.

    Args:
        p: float ``(N, 5)``; each row sums to one.

    Returns:
        float64 ``(N, 5)``, 0 to 1; 0 for the most probable grade.
    """
    values = np.asarray(p, dtype=np.float64)
    # A margin of a value below every probability: there is no grade beyond 0 and 4.
    padded = np.pad(values, ((0, 0), (1, 1)), constant_values=-1.0)
    rows = np.arange(len(values))
    low = high = most_probable(values) + 1
    before = padded[rows, low]
    out = np.zeros_like(padded)
    for _ in range(GRADE_COUNT - 1):
        upwards = padded[rows, high + 1] >= padded[rows, low - 1]
        joins = np.where(upwards, high + 1, low - 1)
        low, high = np.where(upwards, low, low - 1), np.where(upwards, high + 1, high)
        out[rows, joins] = before
        before = before + padded[rows, joins]
    return np.clip(out[:, 1:-1], 0.0, 1.0)


def members(p: ArrayLike, sets: GradeSets) -> Flags:
    """Which grades belong to the set of each photograph.

    Args:
        p: float ``(N, 5)``, with the correction of the bundle.
        sets: the fitted limits.

    Returns:
        bool ``(N, 5)``: a run of neighbouring grades in each row, with the most probable one.
    """
    inside = scores(p) <= np.asarray(sets.limits)
    # The limits of two grades may differ, which could leave out one between two that belong.
    upwards = np.logical_or.accumulate(inside, axis=1)
    downwards = np.logical_or.accumulate(inside[:, ::-1], axis=1)[:, ::-1]
    run: Flags = upwards & downwards
    return run


def entropy(p: ArrayLike) -> Floats:
    """How uncertain a grader is: the entropy of its probabilities in nats, ``(N,)``, 0 to 1.61.

    On validation it chose best which photographs to hand to a reader (docs/explanation/certainty).

    Args:
        p: float ``(N, 5)``; each row sums to one.
    """
    values = np.asarray(p, dtype=np.float64)
    nats: Floats = -(values * np.log(np.maximum(values, SMALLEST))).sum(axis=1)
    return nats
