"""The receiver operating characteristic for many weightings of the photographs: area and points."""

from __future__ import annotations

from typing import Final

import numpy as np

from fundoscope.evaluate.arrays import Flags, Floats, Ints, share

ROUNDING: Final = 1e-9
"""Weights are whole numbers, shares of them are not: 0.9 of 10 is 9 up to this."""


def area_under_curve(positive: Flags, score: Floats, weights: Floats) -> Floats:
    """Area under the receiver operating characteristic; ties count half.

    It is the probability that a positive photograph scores above a negative one (Hanley and
    McNeil, Radiology 1982), so it is a sum over the sorted scores.

    Args:
        positive: ``bool (N,)``.
        score: ``float64 (N,)``.
        weights: ``float64 (R, N)``, at least 0.

    Returns:
        ``float64 (R,)``; NaN where no positive or no negative photograph has weight, or a score is
        NaN.
    """
    return area_of_counts(*counts_by_score(positive, score, weights))


def counts_by_score(positive: Flags, score: Floats, weights: Floats) -> tuple[Floats, Floats]:
    """Sum the weights of the positive and of the negative photographs at each distinct score.

    The arguments are those of :func:`area_under_curve`.

    Returns:
        Twice ``float64 (R, D)``, for the D distinct scores from the lowest to the highest; D is 0
        where there is no photograph or a score is NaN.
    """
    if len(score) == 0 or np.isnan(score).any():
        return np.zeros((len(weights), 0)), np.zeros((len(weights), 0))
    distinct = np.unique(score)
    return (
        _sums(score, np.flatnonzero(positive), distinct, weights),
        _sums(score, np.flatnonzero(~positive), distinct, weights),
    )


def _sums(score: Floats, places: Ints, distinct: Floats, weights: Floats) -> Floats:
    """Sum the weights of some photographs at each distinct score, ``float64 (R, D)``.

    Differences of running sums: whole numbers stay exact, and numpy's ``add.reduceat`` takes four
    times as long.
    """
    order = places[np.argsort(score[places], kind="stable")]
    running = np.zeros((len(weights), len(order) + 1))
    np.cumsum(weights[:, order], axis=1, out=running[:, 1:])
    ends = np.searchsorted(score[order], distinct, side="right")
    return np.diff(running[:, ends], axis=1, prepend=0.0)


def area_of_counts(positives: Floats, negatives: Floats) -> Floats:
    """Area under the curve, ``float64 (R,)``, from the result of :func:`counts_by_score`."""
    below = np.cumsum(negatives, axis=1) - negatives / 2.0
    pairs = positives.sum(axis=1) * negatives.sum(axis=1)
    return share((positives * below).sum(axis=1), pairs)


def sensitivity_at(specificity: float, positives: Floats, negatives: Floats) -> Floats:
    """Best sensitivity of any threshold with at least this specificity; nothing is interpolated.

    Args:
        specificity: 0 to 1.
        positives: weights ``float64 (R, D)`` at each distinct score, as of
            :func:`counts_by_score`.
        negatives: the same of the negative photographs.

    Returns:
        ``float64 (R,)``; NaN where no positive or no negative photograph has weight.
    """
    if positives.shape[1] == 0:
        return np.full(len(positives), np.nan)
    passed = np.cumsum(negatives, axis=1)
    total = passed[:, -1:]
    # A threshold calls a score and all above it. The first score below which enough of the negative
    # ones lie is the lowest threshold that will do.
    allowed = passed - negatives >= specificity * total - ROUNDING
    called = np.where(allowed, positives, 0.0).sum(axis=1)
    positive = positives.sum(axis=1)
    return np.where(total[:, 0] > 0, share(called, positive), np.nan)


def specificity_at(sensitivity: float, positives: Floats, negatives: Floats) -> Floats:
    """Best specificity of any threshold with at least this sensitivity.

    Arguments and result are as for :func:`sensitivity_at`: the same question from the other end.
    """
    return sensitivity_at(sensitivity, negatives[:, ::-1], positives[:, ::-1])
