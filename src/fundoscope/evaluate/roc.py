"""Area under the receiver operating characteristic, for many weightings of the photographs."""

from __future__ import annotations

import numpy as np

from fundoscope.evaluate.arrays import Flags, Floats, share


def area_under_curve(positive: Flags, score: Floats, weights: Floats) -> Floats:
    """Area under the receiver operating characteristic; ties count half.

    It is the probability that a positive photograph scores above a negative one (Hanley and
    McNeil, Radiology 1982), so it is a sum over the sorted scores.

    Args:
        positive: ``bool (N,)``.
        score: ``float64 (N,)``.
        weights: ``float64 (R, N)``, at least 0.

    Returns:
        ``float64 (R,)``; NaN where no positive or no negative photograph has weight.
    """
    if len(score) == 0:
        return np.full(len(weights), np.nan)
    order = np.argsort(score, kind="stable")
    distinct = np.flatnonzero(np.diff(score[order], prepend=-np.inf))
    ordered = weights[:, order]
    positives = np.add.reduceat(ordered * positive[order], distinct, axis=1)
    negatives = np.add.reduceat(ordered * ~positive[order], distinct, axis=1)
    below = np.cumsum(negatives, axis=1) - negatives / 2.0
    pairs = positives.sum(axis=1) * negatives.sum(axis=1)
    return share((positives * below).sum(axis=1), pairs)
