"""Control limits hold as often as they say, and see what they are for."""

from __future__ import annotations

import numpy as np
import pytest

from fundoscope.evaluate.monitor import limits
from fundoscope.evaluate.monitor.limits import Count


def test_a_share_that_has_not_changed_is_seldom_beyond():
    generator = np.random.default_rng(5)
    alarms, looks = 0, 4000
    for _ in range(looks):
        reference = Count(int(generator.binomial(150, 0.1)), 150, 150)
        period = Count(int(generator.binomial(60, 0.1)), 60, 60)
        alarms += limits.beyond(period.share, limits.of_share(reference, period))
    assert alarms / looks <= 2 * limits.TAIL + 3 * np.sqrt(2 * limits.TAIL / looks)


@pytest.mark.parametrize(("n", "a", "b"), [(12, 0.5, 150.5), (60, 15.5, 135.5), (700, 3.2, 8.1)])
def test_quantiles_are_those_of_scipy(n, a, b):
    from scipy.stats import betabinom

    at = (limits.TAIL, 0.5, 1 - limits.TAIL)
    assert limits.quantiles(n, a, b, at) == betabinom(n, a, b).ppf(at).astype(int).tolist()


def test_a_share_that_has_doubled_is_beyond():
    reference = Count(60, 300, 300)
    assert limits.beyond(0.4, limits.of_share(reference, Count(40, 100, 100)))
    assert not limits.beyond(0.25, limits.of_share(reference, Count(25, 100, 100)))


def test_the_eyes_of_a_patient_count_once():
    reference = Count(20, 100, 100)
    wide, narrow = (limits.of_share(reference, Count(10, 100, n)) for n in (50, 100))
    assert wide is not None
    assert narrow is not None
    assert wide[1] > narrow[1]


def test_too_few_photographs_have_no_limits():
    assert limits.of_share(Count(1, 100, 100), Count(1, 9, 9)) is None
    assert limits.of_share(Count(1, 9, 9), Count(1, 100, 100)) is None
    assert limits.of_distance(9, 100) is None
    assert not limits.beyond(1.0, None)


def test_the_distance_and_its_limit_are_those_of_scipy():
    from scipy.stats import ks_2samp, kstwobign

    generator = np.random.default_rng(3)
    one, other = generator.random(80).round(1), generator.random(33)
    expected = ks_2samp(one, other).statistic
    assert limits.distance(one, other) == pytest.approx(expected, abs=1e-12)
    limit = limits.of_distance(400, 400)
    assert limit == pytest.approx(kstwobign.isf(2 * limits.TAIL) * np.sqrt(1 / 200), rel=1e-3)


def test_eight_periods_together_see_a_slow_drift():
    reference = Count(40, 400, 400)
    counts = [Count(8, 50, 50)] * 9
    together = limits.windows(counts)
    assert together[:7] == [None] * 7
    assert together[7] == Count(64, 400, 400)
    assert not limits.beyond(0.16, limits.of_share(reference, counts[0]))
    assert limits.beyond(0.16, limits.of_share(Count(40, 800, 800), Count(64, 400, 400)))
