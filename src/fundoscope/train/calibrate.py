"""What is fitted on validation after training: temperature, cut-points, referable threshold.

Numpy and scipy only. Each function states what it optimises; none ever sees a test photograph.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from fundoscope.grading import heads

CUT_STEP: Final = 0.02
"""Grid of the cut-points on the expected grade; finer ones fit noise (0.02 moves 1 % of cases)."""
CUT_SMOOTHING: Final = 4
"""A cut-point is judged by the mean over this many grid steps on each side, so that the middle of
a plateau is preferred to a spike that a few photographs make."""
CUT_ROUNDS: Final = 6
TEMPERATURE_RANGE: Final = (0.25, 4.0)
TARGET_SENSITIVITY: Final = 0.90
TINY: Final = 1e-7

Floats = NDArray[np.float64]
Labels = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class OperatingPoint:
    """Referable at a threshold: ``n`` photographs, share of sick found, share of well passed."""

    n: int
    sensitivity: float
    specificity: float


def quadratic_kappa(confusion: NDArray[np.integer[Any]]) -> Floats:
    """Cohen's kappa with quadratic weights.

    Args:
        confusion: counts ``(..., 5, 5)``, label by prediction.

    Returns:
        float64 ``(...)``; 0 where chance alone agrees fully (one grade only).
    """
    counts = np.asarray(confusion, dtype=np.float64)
    grades = np.arange(counts.shape[-1])
    weights = (grades[:, None] - grades[None, :]) ** 2
    observed = (counts * weights).sum(axis=(-2, -1))
    total = np.maximum(counts.sum(axis=(-2, -1)), 1)
    by_label, by_prediction = counts.sum(axis=-1), counts.sum(axis=-2)
    chance = np.einsum("...i,ij,...j->...", by_label, weights, by_prediction) / total
    return np.where(chance > 0, 1 - observed / np.where(chance > 0, chance, 1), 0.0)


def confusions(labels: Labels, grades: Labels, source: Labels) -> NDArray[np.int64]:
    """Counts ``(sources, 5, 5)``, label by prediction, for source numbers 0, 1, ..."""
    n = heads.GRADE_COUNT
    cells = (source * n + labels) * n + grades
    sources = int(source.max()) + 1
    return np.bincount(cells, minlength=sources * n * n).reshape(sources, n, n)


def fit_temperature(logits: Floats, labels: Labels) -> float:
    """The temperature with the smallest negative log-likelihood of the five probabilities."""
    from scipy.optimize import minimize_scalar

    def loss(log_temperature: float) -> float:
        p = heads.probabilities(logits, float(np.exp(log_temperature)))
        return float(-np.log(np.maximum(p[np.arange(len(p)), labels], TINY)).mean())

    low, high = np.log(TEMPERATURE_RANGE)
    return float(np.exp(minimize_scalar(loss, bounds=(low, high), method="bounded").x))


def agreement(labels: Labels, grades: Labels, source: Labels) -> float:
    """The mean over the sources of (quadratic kappa + accuracy) / 2."""
    counts = confusions(labels, grades, source)
    accuracy = np.einsum("sii->s", counts) / np.maximum(counts.sum(axis=(1, 2)), 1)
    return float(((quadratic_kappa(counts) + accuracy) / 2).mean())


def fit_cut_points(expected: Floats, labels: Labels, source: Labels) -> tuple[float, ...]:
    """Four ascending cut-points on the expected grade that maximise :func:`agreement`.

    Coordinate search over a grid, each profile smoothed (see :data:`CUT_SMOOTHING`).

    Args:
        expected: ``(N,)`` expected grades, 0 to 4.
        labels: ``(N,)`` grades.
        source: ``(N,)`` numbers of the sources, each of which weighs the same.
    """
    cuts = np.array([0.5, 1.5, 2.5, 3.5])
    steps = round((heads.GRADE_COUNT - 1) / CUT_STEP)
    grid = np.round(np.arange(1, steps) * CUT_STEP, 6)
    for _ in range(CUT_ROUNDS):
        before = cuts.copy()
        for i in range(len(cuts)):
            low = cuts[i - 1] + CUT_STEP if i > 0 else 0.0
            high = cuts[i + 1] - CUT_STEP if i + 1 < len(cuts) else np.inf
            candidates = grid[(grid >= low - TINY) & (grid <= high + TINY)]
            profile = [_agreement_at(cuts, i, c, expected, labels, source) for c in candidates]
            cuts[i] = candidates[_smoothed(np.array(profile)).argmax()]
        if np.array_equal(before, cuts):
            break
    return tuple(float(c) for c in cuts)


def _agreement_at(
    cuts: Floats, i: int, candidate: float, expected: Floats, labels: Labels, source: Labels
) -> float:
    trial = cuts.copy()
    trial[i] = candidate
    return agreement(labels, heads.icdr(expected, trial.tolist()), source)


def _smoothed(profile: Floats) -> Floats:
    padded = np.pad(profile, CUT_SMOOTHING, mode="edge")
    width = 2 * CUT_SMOOTHING + 1
    return np.convolve(padded, np.full(width, 1 / width), mode="valid")


def referable_threshold(
    probability: Floats, positive: NDArray[np.bool_], sensitivity: float = TARGET_SENSITIVITY
) -> float:
    """The highest threshold at which at least this share of the positives is called referable.

    Raises:
        ValueError: there is no positive.
    """
    sick = np.sort(probability[positive])
    if len(sick) == 0:
        raise ValueError("no referable photograph to fit a threshold on")
    missed = int(np.floor((1 - sensitivity) * len(sick) + TINY))
    return float(sick[missed])


def operating_point(
    probability: Floats, positive: NDArray[np.bool_], threshold: float
) -> OperatingPoint:
    """Sensitivity and specificity at a threshold (NaN where there is none to find or pass)."""
    called = probability >= threshold
    sick, well = int(positive.sum()), int((~positive).sum())
    return OperatingPoint(
        len(positive),
        float((called & positive).sum() / sick) if sick else float("nan"),
        float((~called & ~positive).sum() / well) if well else float("nan"),
    )


def source_numbers(names: Sequence[str]) -> tuple[tuple[str, ...], Labels]:
    """The distinct names in order, and each row's number among them."""
    distinct, numbers = np.unique(np.asarray(names), return_inverse=True)
    return tuple(str(n) for n in distinct), numbers.astype(np.int64)
