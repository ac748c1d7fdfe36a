from __future__ import annotations

import time

import numpy as np
import pytest

from fundoscope.evaluate.grading.figures import COLUMNS, NOT_GRADED, Scores
from fundoscope.evaluate.grading.summary import AVERAGED, ScoredPhotographs, summarise
from fundoscope.evaluate.intervals import ONE_CLUSTER


def made(n, *, seed=0, wrong=0.3, refused=0.0):
    """Scores of a reader that errs by one grade now and then."""
    rng = np.random.default_rng(seed)
    label = rng.choice(5, n, p=[0.5, 0.1, 0.25, 0.08, 0.07])
    given = np.clip(label + np.where(rng.random(n) < wrong, rng.choice([-1, 1], n), 0), 0, 4)
    chance = np.clip(given / 4 + rng.normal(0, 0.1, n), 0, 1)
    lacking = rng.random(n) < refused
    return Scores(
        label,
        np.where(lacking, NOT_GRADED, given),
        lacking | (given >= 2),
        np.where(lacking, 1.0, chance),
        np.where(lacking, 1.0, chance),
    )


def subjects_of(scores, columns=None, clusters=None):
    return ScoredPhotographs(scores, tuple(clusters or range(len(scores))), columns or {})


def test_a_value_alone_gives_the_figures_it_has_in_the_breakdown():
    scores = made(120, refused=0.1)
    source = ("a",) * 50 + ("b",) * 70
    whole = summarise(subjects_of(scores, {"source": source}), resamples=100)
    mask = np.array(source) == "b"
    alone = summarise(subjects_of(scores.where(mask)), resamples=100)
    assert whole.by["source"].values["b"] == alone.whole
    assert list(whole.by["source"].values) == ["a", "b"]


def test_graded_ones_stand_beside_all():
    scores = made(200, refused=0.2)
    whole = summarise(subjects_of(scores), resamples=50).whole
    assert whole.n == 200
    assert whole.graded.n == (scores.given != NOT_GRADED).sum() < 200
    assert whole.graded.figures["accuracy"].value > whole.figures["accuracy"].value
    assert whole.graded.figures["graded_share"].value == 1.0
    assert whole.graded.graded is None


def test_when_all_are_graded_both_are_equal():
    whole = summarise(subjects_of(made(40)), resamples=50).whole
    assert whole.graded.figures == whole.figures
    assert whole.graded.n == whole.n


def test_nothing_graded_leaves_the_graded_figures_undefined():
    scores = made(20, refused=1.0)
    whole = summarise(subjects_of(scores), resamples=20).whole
    assert whole.figures["accuracy"].value == 0.0
    assert whole.graded.n == 0
    assert all(f.value is None and f.reason for f in whole.graded.figures.values())


def test_each_value_weighs_the_same_in_the_mean():
    scores = made(110)
    source = ("small",) * 30 + ("large",) * 80
    breakdown = summarise(subjects_of(scores, {"source": source}), resamples=100).by["source"]
    for name in AVERAGED:
        parts = [summary.figures[name].value for summary in breakdown.values.values()]
        mean = breakdown.mean[name]
        assert mean.value == pytest.approx(np.mean(parts))
        assert mean.low < mean.value < mean.high


def test_the_mean_of_alike_sources_is_surer_than_each():
    scores = made(600, wrong=0.5)
    source = tuple("abc"[i % 3] for i in range(600))
    breakdown = summarise(subjects_of(scores, {"source": source})).by["source"]

    def width(figure):
        return figure.high - figure.low

    each = np.mean([width(s.figures["quadratic_kappa"]) for s in breakdown.values.values()])
    # Three independent thirds: narrower by about the square root of three.
    assert width(breakdown.mean["quadratic_kappa"]) == pytest.approx(each / np.sqrt(3), rel=0.2)


def test_a_mean_with_an_undefined_part_says_which():
    scores = made(60)
    healthy = np.where(scores.label == 0)[0]
    camera = tuple("only_healthy" if i in healthy[:5] else "mixed" for i in range(60))
    mean = summarise(subjects_of(scores, {"camera": camera}), resamples=20).by["camera"].mean
    assert mean["referable_auc"].value is None
    assert "only_healthy" in mean["referable_auc"].reason
    assert "mixed" not in mean["referable_auc"].reason


@pytest.mark.parametrize(
    ("camera_of_patients", "has_interval"),
    [
        (("a", "b"), False),
        (("a", "a", "a", "b"), False),
        (("ab", "a", "b", "b"), False),
        (("ab", "a", "a", "b", "b"), True),
        (("ab", "ab", "a"), True),
    ],
)
def test_a_value_whose_patients_are_never_drawn_leaves_the_mean_without_an_interval(
    camera_of_patients, has_interval
):
    scores = made(20 * len(camera_of_patients))
    patients = [i // 20 for i in range(len(scores))]
    camera = tuple((2 * camera_of_patients[i // 20])[i % 2] for i in range(len(scores)))
    metrics = summarise(subjects_of(scores, {"camera": camera}, patients), resamples=50)
    mean = metrics.by["camera"].mean["quadratic_kappa"]
    assert mean.value is not None
    assert (mean.low is not None) == has_interval
    assert mean.reason == (None if has_interval else ONE_CLUSTER)


def test_a_patient_with_photographs_of_two_values_is_drawn_whole():
    scores = made(200)
    patients = [i // 2 for i in range(200)]
    eye = tuple("left" if i % 2 else "right" for i in range(200))
    by_patient = summarise(subjects_of(scores, {"eye": eye}, patients), resamples=200)
    by_photograph = summarise(subjects_of(scores, {"eye": eye}), resamples=200)
    for name in AVERAGED:
        assert by_patient.by["eye"].mean[name].value == by_photograph.by["eye"].mean[name].value
        assert by_patient.by["eye"].mean[name].low is not None


def test_all_figures_of_the_five_tests_take_seconds():
    scores = made(1638, refused=0.02)
    patients = [i // 2 for i in range(1638)]
    columns = {
        "source": tuple("abcde"[i % 5] for i in range(1638)),
        "camera": tuple("abcdefghij"[i % 10] for i in range(1638)),
    }
    start = time.process_time()
    result = summarise(subjects_of(scores, columns, patients))
    assert time.process_time() - start < 15
    assert set(result.whole.figures) == set(COLUMNS)
