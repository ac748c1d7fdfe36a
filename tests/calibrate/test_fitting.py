"""Fitting the correction of a grader's probabilities."""

from __future__ import annotations

import numpy as np
import pytest

from fundoscope.calibrate import fitting
from fundoscope.evaluate.arrays import Floats, Ints
from fundoscope.evaluate.grading.figures import quadratic_kappa
from fundoscope.grading import heads
from fundoscope.models.correction import GradeCorrection


def eyes(count: int = 600, seed: int = 0) -> tuple[Floats, Ints]:
    """Probabilities of an honest grader, and the grades that they come true with."""
    random = np.random.default_rng(seed)
    severity = random.uniform(-0.5, 4.5, count)
    p = heads.probabilities(2.0 * (severity[:, None] - np.array([0.5, 1.5, 2.5, 3.5])))
    return p, np.array([random.choice(5, p=row / row.sum()) for row in p])


def kappa(p: Floats, labels: Ints) -> float:
    counts = np.zeros((5, 5))
    np.add.at(counts, (labels, heads.most_probable(p)), 1)
    return float(quadratic_kappa(counts))


def test_a_grader_that_calls_all_too_low_is_put_right() -> None:
    p, labels = eyes()
    low = heads.corrected(p, GradeCorrection(slope=0.7, offsets=(-1.0, -1.5, -1.5, -2.0)))
    fitted = fitting.fit(low, labels, np.zeros(len(labels), np.int64), resamples=5)
    mended = heads.corrected(low, fitted)
    assert kappa(mended, labels) > kappa(low, labels) + 0.01
    assert fitting.log_loss(mended, labels) < fitting.log_loss(low, labels)
    assert kappa(mended, labels) > kappa(p, labels) - 0.02


def test_each_source_weighs_the_same() -> None:
    p, labels = eyes()
    source = (np.arange(len(labels)) < 60).astype(np.int64)
    shifted = labels.copy()
    shifted[source == 1] = np.minimum(labels[source == 1] + 1, 4)
    alone = fitting.fit(p, shifted, np.zeros(len(labels), np.int64), resamples=0)
    both = fitting.fit(p, shifted, source, resamples=0)
    assert both.offsets[0] > alone.offsets[0]


def test_the_same_photographs_give_the_same_correction() -> None:
    p, labels = eyes(200)
    source = np.arange(200) % 2
    assert fitting.fit(p, labels, source, resamples=3) == fitting.fit(
        p, labels, source, resamples=3
    )


def test_few_photographs_stay_near_the_start() -> None:
    p, labels = eyes(12)
    start = GradeCorrection(slope=1.3, offsets=(0.5, 0.5, 0.5, 0.5))
    for chosen in (labels, np.zeros(12, np.int64), np.full(12, 4)):
        fitted = fitting.fit(p, chosen, np.zeros(12, np.int64), start=start, resamples=3)
        assert fitting.SLOPES[0] <= fitted.slope <= fitting.SLOPES[1]
        assert max(map(abs, fitted.offsets)) <= fitting.OFFSETS[1]
        assert np.isfinite(heads.corrected(p, fitted)).all()


@pytest.mark.parametrize("sensitivity", [0.5, 0.9, 1.0])
def test_the_threshold_has_the_sensitivity(sensitivity: float) -> None:
    p, labels = eyes()
    probability, positive = heads.referable(p), labels >= 2
    threshold = fitting.referable_threshold(probability, positive, sensitivity)
    assert (probability[positive] >= threshold).mean() >= sensitivity
