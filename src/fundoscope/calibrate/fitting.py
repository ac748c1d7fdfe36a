"""Fit a correction of the probabilities, and the threshold of "referable".

The grade that is printed is the most probable one. The correction moves the probabilities so that
this grade agrees well with the labels, and so that the probabilities stay honest. Two figures are
weighed: the log-likelihood, and quadratic kappa of the most probable grade. Kappa moves in steps,
so a smooth stand-in is used: each photograph counts for the grades in proportion to the eighth
power of their probabilities, most of all for the likeliest. `bench/refit.py` and docs/results.md
have the figures.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from fundoscope.evaluate.arrays import Floats, Ints
from fundoscope.grading import heads
from fundoscope.models.correction import GradeCorrection

IDENTITY: Final = GradeCorrection(slope=1.0, offsets=(0.0, 0.0, 0.0, 0.0))
"""The correction that changes nothing."""
KAPPA_WEIGHT: Final = 2.0
"""Of kappa against the log-likelihood. On validation 1 gave a lower kappa than the cut-points of
0.1, and 4 a worse log-likelihood for no more accuracy (docs/results.md)."""
SHARPNESS: Final = 8.0
"""The power of the probabilities in the smooth kappa. With 4 less of kappa was gained for the same
log-likelihood."""
PRIOR: Final = 1.0
"""L2 penalty on the distance from where the fit starts, divided by the number of photographs. It
matters for a grade that hardly any photograph has."""
RESAMPLES: Final = 25
"""The correction is the mean of those that fit this many samples, so that few photographs move it
less. From each grade of each source as many are drawn as it has: otherwise the mean lies away from
the fit to all (on validation, kappa 0.814 instead of 0.825)."""
SLOPES: Final = (0.2, 5.0)
OFFSETS: Final = (-4.0, 4.0)
"""Bounds of the search."""
TEMPERATURE_RANGE: Final = (0.25, 4.0)
SEED: Final = 0
DIGITS: Final = 6
"""Decimals of the fitted values."""
TINY: Final = 1e-7
"""Keeps logarithms finite, and counts of photographs exact."""

_GRADES: Final = np.arange(heads.GRADE_COUNT)
_DISTANCE: Final = (_GRADES[:, None] - _GRADES[None, :]) ** 2.0


@dataclass(frozen=True, slots=True)
class _Sample:
    """Photographs that a correction is fitted to.

    Attributes:
        odds: from :func:`heads.log_odds`, ``(N, 4)``.
        labels: ``(N,)`` grades.
        weights: ``(N,)``; every source has the same, and they sum to one.
        members: ``(sources * 5, N)``, one where a photograph is of a source and has a label.
    """

    odds: Floats
    labels: Ints
    weights: Floats
    members: Floats


def fit(
    p: Floats,
    labels: Ints,
    source: Ints,
    *,
    start: GradeCorrection = IDENTITY,
    prior: float = PRIOR,
    resamples: int = RESAMPLES,
) -> GradeCorrection:
    """Fit a correction of probabilities.

    Args:
        p: ``(N, 5)`` probabilities without a correction.
        labels: ``(N,)`` grades, 0 to 4.
        source: ``(N,)`` numbers of the sources, each of which has the same weight.
        start: where the search starts, and from where the penalty counts the distance.
        prior: the L2 penalty, as :data:`PRIOR`.
        resamples: samples drawn with replacement, always the same; 0: one fit to all photographs.
    """
    odds = heads.log_odds(p)
    if resamples == 0:
        return _correction(_search(_sample(odds, labels, source), start, prior))
    random = np.random.default_rng(SEED)
    strata = np.unique(np.stack([source, labels]), axis=1, return_inverse=True)[1].ravel()
    members = [np.flatnonzero(strata == stratum) for stratum in range(strata.max() + 1)]
    fitted = []
    for _ in range(resamples):
        drawn = np.concatenate([each[random.integers(0, len(each), len(each))] for each in members])
        sample = _sample(odds[drawn], labels[drawn], source[drawn])
        fitted.append(_search(sample, start, prior))
    return _correction(np.mean(fitted, axis=0))


def _correction(values: Floats) -> GradeCorrection:
    slope, first, second, third, fourth = (round(float(value), DIGITS) for value in values)
    return GradeCorrection(slope=slope, offsets=(first, second, third, fourth))


def _sample(odds: Floats, labels: Ints, source: Ints) -> _Sample:
    _, number = np.unique(source, return_inverse=True)
    counts = np.bincount(number)
    members = np.zeros((len(counts) * heads.GRADE_COUNT, len(labels)))
    members[number * heads.GRADE_COUNT + labels, np.arange(len(labels))] = 1.0
    return _Sample(odds, labels, 1.0 / counts[number] / len(counts), members)


def _search(sample: _Sample, start: GradeCorrection, prior: float) -> Floats:
    """The slope and the offsets with the smallest :func:`_loss`, ``(5,)``."""
    from scipy.optimize import minimize

    first = np.array([start.slope, *start.offsets])
    bounds = [SLOPES] + [OFFSETS] * len(start.offsets)
    found: Floats = minimize(
        _loss, first, (sample, first, prior), method="L-BFGS-B", bounds=bounds
    ).x
    return found


def _loss(values: Floats, sample: _Sample, first: Floats, prior: float) -> float:
    """Negative log-likelihood less weighted kappa, plus the L2 penalty."""
    p = heads.between(heads.shifted(sample.odds, float(values[0]), values[1:]))
    of_label = np.maximum(p[np.arange(len(p)), sample.labels], TINY)
    likelihood = float(sample.weights @ np.log(of_label))
    penalty = prior / len(p) * float(((values - first) ** 2).sum())
    return penalty - likelihood - KAPPA_WEIGHT * _smooth_kappa(p, sample.members)


def _smooth_kappa(p: Floats, members: Floats) -> float:
    """Quadratic kappa, the mean of the sources, if a photograph counts for several grades."""
    sharp = p / p.max(axis=1, keepdims=True)
    sharp = sharp**SHARPNESS
    sharp /= sharp.sum(axis=1, keepdims=True)
    counts = (members @ sharp).reshape(-1, heads.GRADE_COUNT, heads.GRADE_COUNT)
    observed = (counts * _DISTANCE).sum(axis=(1, 2)) * counts.sum(axis=(1, 2))
    by_chance = ((counts.sum(axis=2) @ _DISTANCE) * counts.sum(axis=1)).sum(axis=1)
    return float((1.0 - observed / np.maximum(by_chance, TINY)).mean())


def fit_temperature(
    logits: NDArray[np.float32], labels: Ints, head: str = heads.CUMULATIVE
) -> float:
    """The temperature with the smallest negative log-likelihood of the five probabilities.

    Args:
        logits: ``(N, outputs)`` of the head.
        labels: ``(N,)`` grades, 0 to 4.
        head: of :mod:`fundoscope.grading.heads`.
    """
    from scipy.optimize import minimize_scalar

    def loss(log_temperature: float) -> float:
        return log_loss(heads.probabilities(logits, float(np.exp(log_temperature)), head), labels)

    low, high = np.log(TEMPERATURE_RANGE)
    return float(np.exp(minimize_scalar(loss, bounds=(low, high), method="bounded").x))


def log_loss(p: Floats, labels: Ints) -> float:
    """The mean negative log-likelihood of the labels.

    Args:
        p: ``(N, 5)`` probabilities.
        labels: ``(N,)`` grades, 0 to 4.
    """
    return float(-np.log(np.maximum(p[np.arange(len(p)), labels], TINY)).mean())


def referable_threshold(
    probability: Floats, positive: NDArray[np.bool_], sensitivity: float
) -> float:
    """The highest threshold with at least the wanted sensitivity.

    Args:
        probability: ``(N,)`` of "referable".
        positive: ``(N,)``, whether the photograph is referable.
        sensitivity: the wanted one, 0 to 1.

    Raises:
        ValueError: no photograph is referable.
    """
    of_positive = np.sort(probability[positive])
    if len(of_positive) == 0:
        raise ValueError("no referable photograph to fit a threshold on")
    missed = min(int(np.floor((1 - sensitivity) * len(of_positive) + TINY)), len(of_positive) - 1)
    return float(of_positive[missed])
