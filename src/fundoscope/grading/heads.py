"""Converting a network's outputs into probabilities of the grades; the grade is the likeliest one.

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

from fundoscope.models.correction import GradeCorrection

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

SMALLEST: Final = 1e-7
"""Probabilities are kept this far from 0 and 1 where their log-odds are taken: the precision of
float32, in which networks calculate."""

Floats = NDArray[np.float64]
"""``float64``, of any shape."""


def probabilities(
    outputs: ArrayLike,
    temperature: float = 1.0,
    head: str = CUMULATIVE,
    correction: GradeCorrection | None = None,
) -> Floats:
    """Probabilities of the five grades.

    Args:
        outputs: float ``(N, outputs)``, of the network.
        temperature: divides the log-odds; more than 1 makes the probabilities less certain.
        head: a key of :data:`OUTPUTS`.
        correction: fitted on validation; see :func:`corrected`.

    Returns:
        float64 ``(N, 5)``; each row sums to one.
    """
    values = np.asarray(outputs, dtype=np.float64)
    p = (
        _softmax(values / temperature)
        if head == SOFTMAX
        else between(_above(values, temperature, head))
    )
    return p if correction is None else corrected(p, correction)


def corrected(p: ArrayLike, correction: GradeCorrection) -> Floats:
    """Correct probabilities of the grades so that they fit a validation.

    The log-odds that the grade is above k become ``slope * log-odds + offsets[k]``: Platt scaling
    (Probabilistic outputs for support vector machines, 1999) of each border of the scale, with one
    slope for all. Where the results rise with k, the running minimum is taken, as for the head
    ``cumulative``.

    Args:
        p: float ``(N, 5)``, each row sums to one.
        correction: its values.

    Returns:
        float64 ``(N, 5)``; each row sums to one.
    """
    return between(shifted(log_odds(p), correction.slope, correction.offsets))


def log_odds(p: ArrayLike) -> Floats:
    """Log-odds that the grade is above 0, 1, 2, 3: float64 ``(N, 4)`` from ``(N, 5)``.

    They are finite, because probabilities are kept :data:`SMALLEST` away from 0 and 1.
    """
    # Summed from above, so that a small probability of a high grade is not lost in rounding.
    tail = np.cumsum(np.asarray(p, dtype=np.float64)[:, :0:-1], axis=1)[:, ::-1]
    above = np.clip(tail, SMALLEST, 1.0 - SMALLEST)
    odds: Floats = np.log(above) - np.log1p(-above)
    return odds


def shifted(odds: Floats, slope: float, offsets: ArrayLike) -> Floats:
    """The corrected probabilities that the grade is above 0, 1, 2, 3, float64 ``(N, 4)``.

    Args:
        odds: from :func:`log_odds`.
        slope: as in :class:`GradeCorrection`.
        offsets: likewise, ``(4,)``.
    """
    return np.minimum.accumulate(_sigmoid(odds * slope + np.asarray(offsets, np.float64)), axis=1)


def between(above: Floats) -> Floats:
    """Probabilities of the grades, ``(N, 5)``, from those of a higher grade, ``(N, 4)``."""
    edges = np.ones((len(above), GRADE_COUNT + 1))
    edges[:, 1:-1], edges[:, -1] = above, 0.0
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
    """The probability of grade 2 or more, float64 ``(N,)``, 0 to 1, for probabilities ``(N, 5)``.

    Rounding may bring a sum above 1, which is no probability to whoever reads the results.
    """
    probability: Floats = np.asarray(p, dtype=np.float64)[:, REFERABLE_GRADE:].sum(axis=1)
    return np.minimum(probability, 1.0)


def most_probable(p: ArrayLike) -> NDArray[np.int64]:
    """The grade, int64 ``(N,)``: the most probable one; on a tie, the lowest.

    Args:
        p: float ``(N, 5)``.
    """
    grades: NDArray[np.int64] = np.asarray(p).argmax(axis=1).astype(np.int64)
    return grades


def icdr(expected_grade: ArrayLike, cut_points: Sequence[float]) -> NDArray[np.int64]:
    """The number of cut-points that the expected grade reaches: the grade in version 0.1.

    Args:
        expected_grade: float ``(N,)``, 0 to 4.
        cut_points: four ascending values of the expected grade.

    Returns:
        int64 ``(N,)``, 0 to 4.
    """
    cuts: Any = np.asarray(cut_points, dtype=np.float64)
    return np.searchsorted(cuts, np.asarray(expected_grade, dtype=np.float64), side="right")
