"""From a network's four cumulative logits to probabilities, expected grade and grade.

The head answers four questions, "is the grade above k?" for k = 0 to 3 (Frank and Hall, A simple
approach to ordinal classification, 2001). Everything is numpy, float64, one row a photograph.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

GRADE_COUNT: Final = 5
REFERABLE_GRADE: Final = 2
"""Referable is "more than mild": moderate or worse (International Clinical scale, grade 2)."""

Floats = NDArray[np.float64]


def probabilities(logits: ArrayLike, temperature: float = 1.0) -> Floats:
    """Probabilities of the five grades.

    The four answers are made monotone by their running minimum, because a grade above k+1 is above
    k as well.

    Args:
        logits: float ``(N, 4)``, log-odds that the grade is above 0, 1, 2, 3.
        temperature: divides the logits; more than 1 makes the answer less certain.

    Returns:
        float64 ``(N, 5)``, each row sums to one.
    """
    scaled = np.asarray(logits, dtype=np.float64) / temperature
    above = 0.5 * (1.0 + np.tanh(0.5 * scaled))  # The sigmoid, without overflow.
    above = np.minimum.accumulate(above, axis=1)
    edges = np.concatenate((np.ones((len(above), 1)), above, np.zeros((len(above), 1))), axis=1)
    return edges[:, :-1] - edges[:, 1:]


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
