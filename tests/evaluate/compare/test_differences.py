from __future__ import annotations

import numpy as np
import pytest

from fundoscope.evaluate.compare.differences import Change, changes
from fundoscope.evaluate.intervals import Figure, estimate


def mean_of(values):
    """The weighted mean of some values, NaN where nothing was drawn."""
    values = np.asarray(values, float)

    def statistic(weights):
        return ((weights @ values) / weights.sum(axis=1))[:, None]

    return statistic


def test_each_has_the_figure_and_the_interval_that_it_has_alone():
    rng = np.random.default_rng(1)
    old, new = mean_of(rng.random(60)), mean_of(rng.random(60))
    clusters = np.arange(60) // 2
    (result,) = changes(old, new, clusters, ["why"])
    assert result.old == estimate(old, clusters, ["why"])[0]
    assert result.new == estimate(new, clusters, ["why"])[0]
    assert result.difference.value == pytest.approx(result.new.value - result.old.value)


def test_what_is_hard_for_both_falls_out_of_the_difference():
    rng = np.random.default_rng(2)
    hard = rng.normal(0, 1, 200)
    (result,) = changes(
        mean_of(hard), mean_of(hard + 0.05 + rng.normal(0, 0.05, 200)), np.arange(200), ["why"]
    )
    assert result.old.high > result.new.low  # alone, they overlap
    assert result.excludes_zero
    assert result.difference.high - result.difference.low < 0.02


def test_the_same_twice_differs_by_nothing():
    values = mean_of(np.random.default_rng(3).random(40))
    (result,) = changes(values, values, np.arange(40), ["why"])
    assert result.difference == Figure(0.0, 0.0, 0.0)
    assert result.excludes_zero is False


def test_noise_includes_zero_about_as_often_as_it_should():
    rng = np.random.default_rng(4)
    sure = 0
    for _ in range(200):
        a, b = rng.normal(0, 1, (2, 50))
        (result,) = changes(mean_of(a), mean_of(b), np.arange(50), ["why"], resamples=200)
        sure += bool(result.excludes_zero)
    assert 2 <= sure <= 22  # 5 % of 200 is 10


def test_what_one_of_them_lacks_has_no_difference():
    def never(weights):
        return np.full((len(weights), 1), np.nan)

    (result,) = changes(mean_of(np.ones(5)), never, np.arange(5), ["there is none"])
    assert result.old.value == 1.0
    assert result.difference == Figure(None, None, None, "there is none")
    assert result.excludes_zero is None


@pytest.mark.parametrize(
    ("low", "high", "verdict"),
    [(0.1, 0.2, True), (-0.2, -0.1, True), (-0.1, 0.1, False), (0.0, 0.1, False)],
)
def test_the_verdict(low, high, verdict):
    nothing = Figure(0.5, None, None)
    assert Change(nothing, nothing, Figure(0.1, low, high)).excludes_zero is verdict
