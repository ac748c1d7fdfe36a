from __future__ import annotations

import time

import numpy as np
import pytest

from fundoscope.evaluate import intervals
from fundoscope.evaluate.intervals import Figure, bootstrap, estimate, numbered, resampled_weights


def mean_of(values):
    values = np.asarray(values, dtype=float)
    return lambda weights: (weights @ values / weights.sum(axis=1))[:, None]


def of_positives(values):
    """The mean of the values above zero: undefined in a resample without one."""
    chosen = np.asarray(values) > 0

    def statistic(weights):
        with np.errstate(invalid="ignore"):
            return (weights[:, chosen].sum(axis=1) / weights[:, chosen].sum(axis=1))[:, None]

    return statistic


def width(figure):
    return figure.high - figure.low


def test_equal_keys_get_equal_numbers():
    assert numbered(["b", "a", "b", ("group", "a")]).tolist() == [0, 1, 0, 2]
    assert numbered([]).shape == (0,)


def test_interval_of_a_mean_is_the_textbook_one():
    rng = np.random.default_rng(0)
    values = rng.normal(10, 2, 400)
    figure = estimate(mean_of(values), np.arange(400), ["-"])[0]
    assert figure.value == pytest.approx(values.mean())
    half = 1.96 * values.std() / np.sqrt(400)
    assert figure.low == pytest.approx(values.mean() - half, abs=0.15 * half)
    assert figure.high == pytest.approx(values.mean() + half, abs=0.15 * half)


def test_two_agreeing_eyes_are_one_piece_of_evidence():
    right = np.repeat(np.random.default_rng(1).random(200) < 0.8, 2)
    patients = np.repeat(np.arange(200), 2)
    by_eye = estimate(mean_of(right), np.arange(400), ["-"])[0]
    by_patient = estimate(mean_of(right), patients, ["-"])[0]
    assert by_patient.value == by_eye.value
    # Half the independent observations: wider by the square root of two.
    assert width(by_patient) == pytest.approx(np.sqrt(2) * width(by_eye), rel=0.15)


def test_same_seed_same_interval_other_seed_another():
    values = np.random.default_rng(2).random(50)
    first, again = (estimate(mean_of(values), np.arange(50), ["-"], seed=4) for _ in range(2))
    other = estimate(mean_of(values), np.arange(50), ["-"], seed=5)
    assert first == again
    assert first != other


def test_resamples_draw_whole_clusters_as_many_as_there_are():
    clusters = np.array([0, 0, 1, 2, 2, 2])
    (weights,) = resampled_weights(clusters, None, 200, np.random.default_rng(0))
    assert weights.shape == (200, 6)
    assert (weights[:, 0] == weights[:, 1]).all()
    assert (weights[:, 3] == weights[:, 5]).all()
    assert (weights[:, [0, 2, 3]].sum(axis=1) == 3).all()


def test_strata_keep_their_size():
    clusters = np.arange(10)
    strata = np.array([0] * 3 + [1] * 7)
    (weights,) = resampled_weights(clusters, strata, 100, np.random.default_rng(0))
    assert (weights[:, :3].sum(axis=1) == 3).all()
    assert (weights[:, 3:].sum(axis=1) == 7).all()


def test_turns_do_not_change_the_count(monkeypatch):
    values = np.random.default_rng(3).random(30)
    whole = bootstrap(mean_of(values), np.arange(30), resamples=100)
    monkeypatch.setattr(intervals, "CELLS_AT_ONCE", 30 * 7)
    in_turns = bootstrap(mean_of(values), np.arange(30), resamples=100)
    np.testing.assert_allclose(in_turns, whole, rtol=1e-12)


def test_undefined_is_none_with_its_reason_never_nan():
    statistic = of_positives([0.0, 0.0, 0.0])
    assert estimate(statistic, np.arange(3), ["no positive"])[0] == Figure(
        None, None, None, "no positive"
    )


def test_resamples_without_the_figure_are_left_out():
    figure = estimate(of_positives([1.0, 0.0]), np.arange(2), ["no positive"], resamples=50)[0]
    assert figure == Figure(1.0, 1.0, 1.0)


def test_undefined_in_every_resample():
    def only_as_they_are(weights):
        return np.where((weights == 1).all(axis=1), 0.5, np.nan)[:, None]

    figure = estimate(only_as_they_are, np.arange(40), ["odd"], resamples=20)[0]
    assert (figure.value, figure.low, figure.high) == (0.5, None, None)
    assert figure.reason == "in every resample: odd"


def test_one_patient_gives_no_interval():
    figure = estimate(mean_of([1.0, 0.0]), np.array([0, 0]), ["-"])[0]
    assert figure == Figure(0.5, None, None, intervals.ONE_CLUSTER)


def test_intervals_cover_the_truth_about_as_often_as_they_say():
    rng = np.random.default_rng(7)
    covered = 0
    for trial in range(200):
        eyes = np.repeat(rng.random(80) < 0.7, 2)
        patients = np.repeat(np.arange(80), 2)
        figure = estimate(mean_of(eyes), patients, ["-"], resamples=300, seed=trial)[0]
        covered += figure.low <= 0.7 <= figure.high
    assert 0.88 <= covered / 200 <= 0.99


def test_a_thousand_resamples_of_a_large_table_take_moments():
    values = np.random.default_rng(0).random(10_000)
    start = time.process_time()
    estimate(mean_of(values), np.arange(10_000), ["-"])
    assert time.process_time() - start < 10


@pytest.mark.parametrize(
    ("figure", "words", "signed"),
    [
        (Figure(0.7124, 0.65, 0.79), "0.712 (0.650 to 0.790)", "+0.712 (+0.650 to +0.790)"),
        (Figure(-0.01, -0.02, 0.001), "-0.010 (-0.020 to 0.001)", "-0.010 (-0.020 to +0.001)"),
        (Figure(0.5, None, None, "one cluster"), "0.500", "+0.500"),
        (Figure(None, None, None, "no photograph"), "undefined", "undefined"),
    ],
)
def test_a_figure_in_words(figure, words, signed):
    assert figure.in_words() == words
    assert figure.in_words(signed=True) == signed
    assert figure.in_words(1).startswith(words[:3])
