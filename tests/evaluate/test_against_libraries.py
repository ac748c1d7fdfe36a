"""The bootstrap and the areas are those of scipy and scikit-learn on the same draws."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from fundoscope.evaluate.grading.figures import COLUMNS, Scores, figures
from fundoscope.evaluate.intervals import bootstrap, figure_from, resampled_weights

DRAWS = 40
EXACT = 1e-9
PATIENTS = np.arange(300) // 2


@pytest.fixture(scope="module")
def scores() -> Scores:
    generator = np.random.default_rng(7)
    label = generator.integers(0, 5, 300)
    referable = np.clip(label / 4 + generator.normal(0, 0.35, 300), 0, 1).round(2)  # with ties
    given = np.clip(label + generator.integers(-1, 2, 300), 0, 4)
    severe = np.clip(label / 4 + generator.normal(0, 0.3, 300), 0, 1).round(2)
    return Scores(label, given, referable >= 0.4, referable, severe, severe)


@pytest.fixture(scope="module")
def draws() -> np.ndarray:
    (weights,) = resampled_weights(PATIENTS, None, DRAWS, np.random.default_rng(15))
    return weights


def test_figures_of_each_draw_are_those_of_scikit_learn(scores: Scores, draws: np.ndarray) -> None:
    from sklearn import metrics

    ours = figures(scores, draws)
    for weights, row in zip(draws, ours, strict=True):
        found = dict(zip(COLUMNS, row, strict=True))
        sick, severe = scores.label >= 2, scores.label >= 3
        area, kappa = metrics.roc_auc_score, metrics.cohen_kappa_score
        expected = {
            "referable_auc": area(sick, scores.referable, sample_weight=weights),
            "vision_threatening_auc": area(
                severe, scores.vision_threatening, sample_weight=weights
            ),
            "accuracy": metrics.accuracy_score(scores.label, scores.given, sample_weight=weights),
            "quadratic_kappa": kappa(
                scores.label, scores.given, weights="quadratic", sample_weight=weights
            ),
            "referable_sensitivity": metrics.recall_score(
                sick, scores.positive, sample_weight=weights
            ),
        }
        for name, value in expected.items():
            assert found[name] == pytest.approx(value, abs=EXACT), name


def test_intervals_are_those_of_scipy_on_the_same_draws(scores: Scores) -> None:
    from scipy import stats

    samples = bootstrap(lambda weights: figures(scores, weights), PATIENTS, resamples=500)
    for column, name in enumerate(COLUMNS):
        ours = figure_from(0.5, samples[:, column], "-")
        # scipy goes on from these draws and adds none.
        known = SimpleNamespace(bootstrap_distribution=samples[:, column])
        theirs = stats.bootstrap(
            (scores.referable,), np.mean, n_resamples=0, bootstrap_result=known,
            method="percentile", vectorized=True,
        ).confidence_interval  # fmt: skip
        assert (ours.low, ours.high) == pytest.approx((theirs.low, theirs.high), abs=EXACT), name


def test_draws_are_of_whole_patients(draws: np.ndarray) -> None:
    assert (draws[:, ::2] == draws[:, 1::2]).all()
    assert (draws.sum(axis=1) == 300).all()
