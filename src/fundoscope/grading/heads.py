"""Converting a network's outputs into probabilities of the grades, an expected grade and a grade.

Everything is numpy, float64, with one row for each photograph. The heads differ in what the network
predicts:

==============  =======  ==========================================================================
head            outputs  each output is
==============  =======  ==========================================================================
``cumulative``  4        log-odds that the grade is above 0, 1, 2, 3 (Frank and Hall, A simple
                         approach to ordinal classification, 2001)
``corn``        4        log-odds that the grade is above k, given that it is above k - 1 (Shi, Cao
                         and Raschka, Deep neural networks for rank-consistent ordinal regression,
                         2021)
``softmax``     5        log-probability of a grade, up to a constant
``regression``  1        the grade itself
``sigmoid``     1        log-odds, whose probability is read as the grade, so it can only be 0 or 1.
                         A student project of 2019 did so; it is kept for comparison
==============  =======  ==========================================================================
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

GRADE_COUNT: Final = 5
"""Grades of the International scale, 0 to 4."""
CLASSES: Final = (
    "no apparent retinopathy",
    "mild non-proliferative",
    "moderate non-proliferative",
    "severe non-proliferative",
    "proliferative",
)
"""The grades' names in a bundle, by grade (Wilkinson et al., Ophthalmology 2003;110:1677)."""
REFERABLE_GRADE: Final = 2
"""The lowest referable grade, "more than mild": moderate (International Clinical scale)."""
CUMULATIVE, CORN, SOFTMAX = "cumulative", "corn", "softmax"
REGRESSION, SIGMOID = "regression", "sigmoid"
OUTPUTS: Final = {CUMULATIVE: 4, CORN: 4, SOFTMAX: 5, REGRESSION: 1, SIGMOID: 1}
"""The number of outputs of each head."""
THRESHOLDS: Final = np.arange(GRADE_COUNT - 1) + 0.5
"""The borders between grades, for a score that is a grade."""
SCORE_SCALE: Final = {REGRESSION: 0.25, SIGMOID: 0.05}
"""The probability that a score passes a threshold is sigmoid((score - threshold) / scale). For
``regression`` the fitted temperature then covers errors of a tenth of a grade to two grades. For
``sigmoid`` the scale is so small that the rounded expected grade equals the rounded output."""

Floats = NDArray[np.float64]
"""``float64``, of any shape."""


def probabilities(outputs: ArrayLike, temperature: float = 1.0, head: str = CUMULATIVE) -> Floats:
    """Probabilities of the five grades.

    Args:
        outputs: float ``(N, outputs)``, of the network.
        temperature: divides the log-odds; more than 1 makes the probabilities less certain.
        head: a key of :data:`OUTPUTS`.

    Returns:
        float64 ``(N, 5)``; each row sums to one.
    """
    values = np.asarray(outputs, dtype=np.float64)
    if head == SOFTMAX:
        return _softmax(values / temperature)
    edges = np.ones((len(values), GRADE_COUNT + 1))
    edges[:, 1:-1], edges[:, -1] = _above(values, temperature, head), 0.0
    return edges[:, :-1] - edges[:, 1:]


def _above(values: Floats, temperature: float, head: str) -> Floats:
    """Probabilities ``(N, 4)`` that the grade is above 0, 1, 2, 3; they never rise along a row.

    The outputs of ``cumulative`` are made monotone by their running minimum: a grade above k + 1 is
    also above k.
    """
    if head == CUMULATIVE:
        return np.minimum.accumulate(_sigmoid(values / temperature), axis=1)
    if head == CORN:
        return np.multiply.accumulate(_sigmoid(values / temperature), axis=1)
    score = values if head == REGRESSION else _sigmoid(values)
    return _sigmoid((score - THRESHOLDS) / (SCORE_SCALE[head] * temperature))


def _sigmoid(values: Floats) -> Floats:
    """The logistic function, computed without overflow."""
    share: Floats = 0.5 * (1.0 + np.tanh(0.5 * values))
    return share


def _softmax(values: Floats) -> Floats:
    powers = np.exp(values - values.max(axis=1, keepdims=True))
    share: Floats = powers / powers.sum(axis=1, keepdims=True)
    return share


def expected(p: ArrayLike) -> Floats:
    """The mean grade, float64 ``(N,)``, 0 to 4, for probabilities ``(N, 5)``."""
    mean: Floats = np.asarray(p, dtype=np.float64) @ np.arange(GRADE_COUNT, dtype=np.float64)
    return mean


def referable(p: ArrayLike) -> Floats:
    """The probability of grade 2 or more, float64 ``(N,)``, for probabilities ``(N, 5)``."""
    probability: Floats = np.asarray(p, dtype=np.float64)[:, REFERABLE_GRADE:].sum(axis=1)
    return probability


def icdr(expected_grade: ArrayLike, cut_points: Sequence[float]) -> NDArray[np.int64]:
    """The grade: the number of cut-points that the expected grade reaches.

    Args:
        expected_grade: float ``(N,)``, 0 to 4.
        cut_points: four ascending values of the expected grade.

    Returns:
        int64 ``(N,)``, 0 to 4.
    """
    cuts: Any = np.asarray(cut_points, dtype=np.float64)
    return np.searchsorted(cuts, np.asarray(expected_grade, dtype=np.float64), side="right")
