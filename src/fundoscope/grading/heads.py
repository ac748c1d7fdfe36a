"""From what a network puts out to probabilities of the grades, expected grade and grade.

Everything is numpy, float64, one row a photograph. Heads differ in the question that they answer:

==============  =======  ==========================================================================
head            outputs  each output is
==============  =======  ==========================================================================
``cumulative``  4        log-odds that the grade is above 0, 1, 2, 3 (Frank and Hall, A simple
                         approach to ordinal classification, 2001)
``corn``        4        log-odds that it is above k, given that it is above k - 1 (Shi, Cao and
                         Raschka, Deep neural networks for rank-consistent ordinal regression, 2021)
``softmax``     5        log-probability of a grade, up to a constant
``regression``  1        the grade itself
``sigmoid``     1        log-odds whose probability is read as the grade: it can only be 0 or 1. The
                         form of the student project of 2019, kept for comparison
==============  =======  ==========================================================================
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

GRADE_COUNT: Final = 5
REFERABLE_GRADE: Final = 2
"""Referable is "more than mild": moderate or worse (International Clinical scale, grade 2)."""
CUMULATIVE, CORN, SOFTMAX = "cumulative", "corn", "softmax"
REGRESSION, SIGMOID = "regression", "sigmoid"
OUTPUTS: Final = {CUMULATIVE: 4, CORN: 4, SOFTMAX: 5, REGRESSION: 1, SIGMOID: 1}
"""The heads, and how many numbers each puts out."""
THRESHOLDS: Final = np.arange(GRADE_COUNT - 1) + 0.5
"""Where a score in grades passes from one grade to the next."""
SCORE_SCALE: Final = {REGRESSION: 0.25, SIGMOID: 0.05}
"""A score passes a threshold with the probability sigmoid((score - threshold) / scale). For
regression the fitted temperature then covers errors of a tenth of a grade to two grades; for the
sigmoid the scale is so small that rounding the expected grade is rounding its output."""

Floats = NDArray[np.float64]


def probabilities(outputs: ArrayLike, temperature: float = 1.0, head: str = CUMULATIVE) -> Floats:
    """Probabilities of the five grades.

    Args:
        outputs: float ``(N, outputs)`` of the network, as the head has them.
        temperature: divides the log-odds; more than 1 makes the answer less certain.
        head: a key of :data:`OUTPUTS`.

    Returns:
        float64 ``(N, 5)``, each row sums to one.
    """
    values = np.asarray(outputs, dtype=np.float64)
    if head == SOFTMAX:
        return _softmax(values / temperature)
    edges = np.ones((len(values), GRADE_COUNT + 1))
    edges[:, 1:-1], edges[:, -1] = _above(values, temperature, head), 0.0
    return edges[:, :-1] - edges[:, 1:]


def _above(values: Floats, temperature: float, head: str) -> Floats:
    """Probabilities ``(N, 4)`` that the grade is above 0, 1, 2, 3; they never rise.

    Cumulative answers are made monotone by their running minimum, because a grade above k + 1 is
    above k as well.
    """
    if head == CUMULATIVE:
        return np.minimum.accumulate(_sigmoid(values / temperature), axis=1)
    if head == CORN:
        return np.multiply.accumulate(_sigmoid(values / temperature), axis=1)
    score = values if head == REGRESSION else _sigmoid(values)
    return _sigmoid((score - THRESHOLDS) / (SCORE_SCALE[head] * temperature))


def _sigmoid(values: Floats) -> Floats:
    """Without overflow."""
    share: Floats = 0.5 * (1.0 + np.tanh(0.5 * values))
    return share


def _softmax(values: Floats) -> Floats:
    powers = np.exp(values - values.max(axis=1, keepdims=True))
    share: Floats = powers / powers.sum(axis=1, keepdims=True)
    return share


def expected(p: ArrayLike) -> Floats:
    """The mean grade, float64 ``(N,)`` in 0 to 4, of probabilities ``(N, 5)``."""
    mean: Floats = np.asarray(p, dtype=np.float64) @ np.arange(GRADE_COUNT, dtype=np.float64)
    return mean


def referable(p: ArrayLike) -> Floats:
    """The probability of grade 2 or more, float64 ``(N,)``, of probabilities ``(N, 5)``."""
    probability: Floats = np.asarray(p, dtype=np.float64)[:, REFERABLE_GRADE:].sum(axis=1)
    return probability


def icdr(expected_grade: ArrayLike, cut_points: Sequence[float]) -> NDArray[np.int64]:
    """The grade 0 to 4: how many of the four cut-points the expected grade reaches.

    Args:
        expected_grade: float ``(N,)``, 0 to 4.
        cut_points: four ascending values on the expected grade.
    """
    cuts: Any = np.asarray(cut_points, dtype=np.float64)
    return np.searchsorted(cuts, np.asarray(expected_grade, dtype=np.float64), side="right")
