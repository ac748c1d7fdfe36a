from __future__ import annotations

import math

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, cohen_kappa_score, roc_auc_score

from fundoscope.calibrate import fitting
from fundoscope.grading import heads
from fundoscope.train.grading import calibrate, cut_points


def simulated(count=600, sharpness=3.0, seed=4):
    """Logits of an honest grader: labels are drawn from the probabilities that it states."""
    rng = np.random.default_rng(seed)
    severity = rng.uniform(-0.5, 4.5, count)
    logits = sharpness * (severity[:, None] - np.array([0.5, 1.5, 2.5, 3.5]))
    p = heads.probabilities(logits)
    labels = np.array([rng.choice(5, p=row / row.sum()) for row in p])
    return logits.astype(np.float32), labels


def test_an_honest_grader_needs_no_temperature():
    logits, labels = simulated(3000)
    assert fitting.fit_temperature(logits, labels) == pytest.approx(1.0, abs=0.08)


@pytest.mark.parametrize("factor", [0.5, 2.0])
def test_the_temperature_undoes_false_confidence(factor):
    logits, labels = simulated(3000)
    assert fitting.fit_temperature(logits * factor, labels) == pytest.approx(factor, rel=0.08)


def test_fitted_cut_points_undo_a_shift():
    _, labels = simulated()
    rng = np.random.default_rng(0)
    expected = np.clip(0.5 * labels + 0.8 + rng.normal(0, 0.05, len(labels)), 0, 4)
    cuts = cut_points.fit_cut_points(expected, labels, np.zeros(len(labels), np.int64))
    assert np.all(np.diff(cuts) > 0)
    assert heads.icdr(expected, cuts).tolist() == labels.tolist()
    # The middle of the gap between two grades, not its edge.
    assert np.allclose(cuts, 0.5 * np.arange(4) + 1.05, atol=0.06)


def test_fitting_never_loses_to_rounding():
    logits, labels = simulated(sharpness=1.0)
    expected = heads.expected(heads.probabilities(logits))
    source = np.arange(len(labels)) % 2
    cuts = cut_points.fit_cut_points(expected, labels, source)
    fitted = cut_points.agreement(labels, heads.icdr(expected, cuts), source)
    rounded = cut_points.agreement(labels, heads.icdr(expected, cut_points.ROUNDING), source)
    assert fitted >= rounded - 0.01


def test_every_grade_keeps_a_band_even_if_nobody_has_it():
    labels = np.array([0, 2, 3, 4] * 50)
    expected = np.clip(labels + np.linspace(-0.6, 0.6, 200), 0, 4)
    cuts = cut_points.fit_cut_points(expected, labels, np.zeros(200, np.int64))
    assert np.diff(cuts).min() >= cut_points.CUT_BAND - 1e-6


def test_agreement_is_the_mean_over_the_sources():
    rng = np.random.default_rng(1)
    labels, grades, source = rng.integers(0, 5, 90), rng.integers(0, 5, 90), np.arange(90) % 3
    of = [(labels[source == i], grades[source == i]) for i in range(3)]
    kappa = np.mean([cohen_kappa_score(*pair, weights="quadratic") for pair in of])
    accuracy = np.mean([accuracy_score(*pair) for pair in of])
    assert cut_points.agreement(labels, grades, source) == pytest.approx(
        cut_points.KAPPA_SHARE * kappa + (1 - cut_points.KAPPA_SHARE) * accuracy
    )


def test_cut_points_hardly_move_with_who_was_photographed():
    def moved(fit):
        cuts = []
        for seed in range(8):
            logits, labels = simulated(300, sharpness=1.0, seed=seed)
            expected = heads.expected(heads.probabilities(logits))
            cuts.append(fit(expected, labels, np.zeros(len(labels), np.int64)))
        return np.std(cuts, axis=0).mean()

    assert moved(cut_points.fit_cut_points) < 0.95 * moved(cut_points.search_cut_points)


@pytest.mark.parametrize("sensitivity", [0.8, 0.9, 0.95])
def test_the_threshold_is_the_highest_that_finds_enough(sensitivity):
    rng = np.random.default_rng(2)
    probability, positive = rng.uniform(size=300), rng.uniform(size=300) < 0.4
    threshold = fitting.referable_threshold(probability, positive, sensitivity)
    sick = probability[positive]
    assert (sick >= threshold).mean() >= sensitivity
    assert (sick > threshold).mean() < sensitivity


def test_a_threshold_needs_a_sick_eye():
    with pytest.raises(ValueError, match="no referable photograph"):
        fitting.referable_threshold(np.array([0.2]), np.array([False]), 0.9)


def test_calibration_as_a_whole():
    logits, labels = simulated()
    sources = ["ab"[i % 2] for i in range(len(labels))]
    gradable = np.arange(len(labels)) % 10 > 0
    result = calibrate.calibrate(logits, labels, sources, gradable)
    assert list(result.by_source) == ["a", "b"]
    assert result.pooled.n == 600
    assert result.gradable.n == 540
    assert result.gradable.sensitivity >= calibrate.TARGET_SENSITIVITY
    referable = heads.referable(result.fitted.probabilities(logits, heads.CUMULATIVE))
    assert result.pooled.auc == pytest.approx(roc_auc_score(labels >= 2, referable))
    assert result.mean("auc") == pytest.approx(
        (result.by_source["a"].auc + result.by_source["b"].auc) / 2
    )
    assert result.pooled.accuracy > 0.5


def test_a_source_without_sick_eyes_has_no_sensitivity():
    logits, labels = simulated()
    sources = ["well" if label < 2 else "sick" for label in labels]
    result = calibrate.calibrate(logits, labels, sources, np.ones(len(labels), bool))
    assert math.isnan(result.by_source["well"].sensitivity)
    assert math.isnan(result.by_source["well"].auc)
    assert result.mean("sensitivity") == result.by_source["sick"].sensitivity
    assert math.isnan(result.mean("auc"))


def test_sources_are_numbered_by_name():
    names, numbers = calibrate.source_numbers(["b", "", "b", "a"])
    assert names == ("", "a", "b")
    assert numbers.tolist() == [2, 0, 2, 1]
