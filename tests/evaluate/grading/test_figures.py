"""Every figure equals scikit-learn's on any labels, answers and weights; some facts beside that."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as sk

from fundoscope.evaluate.grading.figures import (
    COLUMNS,
    NOT_GRADED,
    UNDEFINED,
    Scores,
    confusion,
    figures,
    quadratic_kappa,
)


def scores_from(label, given, referable=None, threatening=None, positive=None, some=None):
    label, given = np.array(label, dtype=np.int64), np.array(given, dtype=np.int64)
    lacking = given == NOT_GRADED
    if referable is None:
        referable = np.where(lacking, 1.0, given / 4)
    if threatening is None:
        threatening = np.where(lacking, 1.0, given / 4)
    if positive is None:
        positive = lacking | (given >= 2)
    if some is None:
        some = np.where(lacking, 1.0, given / 4)
    return Scores(
        label,
        given,
        np.array(positive, dtype=bool),
        np.array(referable, dtype=float),
        np.array(threatening, dtype=float),
        np.array(some, dtype=float),
    )


def figure(scores, name, weights=None):
    if weights is None:
        weights = np.ones(len(scores))
    return figures(scores, np.array([weights], dtype=float))[0, COLUMNS.index(name)]


@st.composite
def graded(draw):
    """Scores of graded photographs with whole-numbered weights, some of them zero."""
    n = draw(st.integers(2, 40))
    grades = st.lists(st.integers(0, 4), min_size=n, max_size=n)
    # Few distinct values, so that ties are common.
    chances = st.lists(st.sampled_from([0.0, 0.1, 0.25, 0.5, 0.9, 1.0]), min_size=n, max_size=n)
    flags = st.lists(st.booleans(), min_size=n, max_size=n)
    given, areas = (draw(grades), draw(grades)), (draw(chances), draw(chances))
    scores = scores_from(*given, *areas, draw(flags), draw(chances))
    weights = draw(st.lists(st.integers(0, 3), min_size=n, max_size=n).filter(any))
    return scores, np.array(weights, dtype=float)


def equal_or_undefined(ours, reference, defined):
    if not defined:
        assert np.isnan(ours)
    else:
        assert ours == pytest.approx(reference(), abs=1e-9)


@settings(deadline=None)
@given(graded())
def test_kappa_and_accuracy_are_those_of_scikit_learn(case):
    scores, w = case
    drawn = w > 0
    together = np.concatenate([scores.label[drawn], scores.given[drawn]])
    kappa = figure(scores, "quadratic_kappa", w)
    equal_or_undefined(
        kappa,
        lambda: sk.cohen_kappa_score(
            scores.label, scores.given, labels=range(5), weights="quadratic", sample_weight=w
        ),
        len(set(together)) > 1,
    )
    linear = figure(scores, "linear_kappa", w)
    equal_or_undefined(
        linear,
        lambda: sk.cohen_kappa_score(
            scores.label, scores.given, labels=range(5), weights="linear", sample_weight=w
        ),
        len(set(together)) > 1,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # scikit-learn warns where an answer is no label.
        balanced = sk.balanced_accuracy_score(
            scores.label[drawn], scores.given[drawn], sample_weight=w[drawn]
        )
    assert figure(scores, "balanced_accuracy", w) == pytest.approx(balanced, abs=1e-9)
    accuracy = sk.accuracy_score(scores.label, scores.given, sample_weight=w)
    assert figure(scores, "accuracy", w) == pytest.approx(accuracy)


@settings(deadline=None)
@given(graded())
def test_areas_are_those_of_scikit_learn(case):
    scores, w = case
    for name, lowest, chance in (
        ("referable_auc", 2, scores.referable),
        ("vision_threatening_auc", 3, scores.vision_threatening),
        ("any_auc", 1, scores.any_retinopathy),
    ):
        positive = scores.label >= lowest
        defined = w[positive].sum() > 0 and w[~positive].sum() > 0
        equal_or_undefined(
            figure(scores, name, w),
            lambda p=positive, c=chance: sk.roc_auc_score(p, c, sample_weight=w),
            defined,
        )


@settings(deadline=None)
@given(graded())
def test_points_of_the_curve_are_those_of_scikit_learn(case):
    scores, w = case
    sick = scores.label >= 2
    defined = w[sick].sum() > 0 and w[~sick].sum() > 0
    if defined:
        false_positive, true_positive, _ = sk.roc_curve(
            sick, scores.referable, sample_weight=w, drop_intermediate=False
        )
    for at in (0.90, 0.95):
        equal_or_undefined(
            figure(scores, f"sensitivity_at_specificity_{at * 100:.0f}", w),
            lambda at=at: true_positive[1 - false_positive >= at - 1e-9].max(),
            defined,
        )
        equal_or_undefined(
            figure(scores, f"specificity_at_sensitivity_{at * 100:.0f}", w),
            lambda at=at: 1 - false_positive[true_positive >= at - 1e-9].min(),
            defined,
        )


@settings(deadline=None)
@given(graded())
def test_shares_are_those_of_scikit_learn(case):
    scores, w = case
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # scikit-learn warns where a class is missing.
        recalls = sk.recall_score(
            scores.label, scores.given, labels=range(5), average=None, sample_weight=w
        )
    for grade in range(5):
        there = w[scores.label == grade].sum() > 0
        equal_or_undefined(figure(scores, f"recall_{grade}", w), lambda g=grade: recalls[g], there)
    for grade in range(5):
        given_it = scores.given == grade
        equal_or_undefined(
            figure(scores, f"precision_{grade}", w),
            lambda it=given_it, g=grade: np.average(scores.label[it] == g, weights=w[it]),
            w[given_it].sum() > 0,
        )
    sick, severe = scores.label >= 2, scores.label >= 3
    for name, who, called in (
        ("referable_sensitivity", sick, scores.positive),
        ("referable_specificity", ~sick, ~scores.positive),
        ("severe_called_referable", severe, scores.positive),
    ):
        equal_or_undefined(
            figure(scores, name, w),
            lambda p=who, c=called: np.average(c[p], weights=w[p]),
            w[who].sum() > 0,
        )


@settings(deadline=None)
@given(graded(), st.integers(1, 5))
def test_weightings_do_not_touch_one_another(case, copies):
    scores, w = case
    alone = figures(scores, w[None])
    together = figures(scores, np.vstack([np.ones_like(w), *[w] * copies]))
    for row in together[1:]:
        np.testing.assert_array_equal(row, alone[0])


@settings(deadline=None)
@given(graded())
def test_weight_two_is_the_same_photograph_twice(case):
    scores, w = case
    twice = np.repeat(np.arange(len(scores)), w.astype(int))
    repeated = Scores(
        scores.label[twice],
        scores.given[twice],
        scores.positive[twice],
        scores.referable[twice],
        scores.vision_threatening[twice],
        scores.any_retinopathy[twice],
    )
    ours = figures(repeated, np.ones((1, len(twice))))
    np.testing.assert_allclose(ours, figures(scores, w[None]), atol=1e-12)


def test_a_perfect_reader():
    scores = scores_from([0, 1, 2, 3, 4], [0, 1, 2, 3, 4])
    np.testing.assert_array_equal(figures(scores, np.ones((1, 5)))[0], np.ones(len(COLUMNS)))


def test_one_grade_for_everybody_has_kappa_zero_and_area_one_half():
    scores = scores_from([0, 0, 1, 2, 4], [2, 2, 2, 2, 2])
    assert figure(scores, "quadratic_kappa") == 0.0
    assert figure(scores, "referable_auc") == 0.5


def test_the_reverse_of_the_truth():
    scores = scores_from([0, 4], [4, 0])
    assert figure(scores, "quadratic_kappa") == -1.0
    assert figure(scores, "referable_auc") == 0.0


def test_kappa_where_chance_agrees_fully_is_undefined():
    assert np.isnan(figure(scores_from([1, 1], [1, 1]), "quadratic_kappa"))
    assert figure(scores_from([1, 1], [2, 2]), "quadratic_kappa") == 0.0


@pytest.mark.parametrize(("label", "farthest"), [(0, 4), (1, 4), (2, 4), (3, 0), (4, 0)])
def test_not_graded_counts_in_kappa_as_the_farthest_grade(label, farthest):
    others = [0, 1, 2, 3, 4]
    refused = scores_from([label, *others], [NOT_GRADED, *others])
    worst = scores_from([label, *others], [farthest, *others])
    expected = figure(worst, "quadratic_kappa")
    assert figure(refused, "quadratic_kappa") == expected


def test_not_graded_is_wrong_and_positive_and_most_suspect():
    scores = scores_from([0, 0, 2, 4], [0, NOT_GRADED, 2, NOT_GRADED])
    assert figure(scores, "accuracy") == 0.5
    assert figure(scores, "graded_share") == 0.5
    assert figure(scores, "recall_4") == 0.0
    assert figure(scores, "referable_specificity") == 0.5
    assert figure(scores, "severe_called_referable") == 1.0
    # Of the four pairs of a healthy and a sick one: 0 below both; the refused healthy one above
    # the graded sick one, and level with the refused one.
    assert figure(scores, "referable_auc") == (1 + 1 + 0 + 0.5) / 4


def test_a_refusal_never_helps_accuracy_or_kappa():
    rng = np.random.default_rng(3)
    label = rng.integers(0, 5, 60)
    given = np.clip(label + rng.integers(-1, 2, 60), 0, 4)
    before = scores_from(label, given)
    for place in range(0, 60, 7):
        fewer = given.copy()
        fewer[place] = NOT_GRADED
        after = scores_from(label, fewer)
        assert figure(after, "accuracy") <= figure(before, "accuracy")
        assert figure(after, "quadratic_kappa") < figure(before, "quadratic_kappa")


def test_nothing_at_all_is_undefined_with_a_reason_for_each():
    nothing = scores_from([], [])
    assert np.isnan(figures(nothing, np.ones((1, 0)))).all()
    assert set(UNDEFINED) == set(COLUMNS)


def test_confusion_counts_labels_by_row():
    matrix = confusion(scores_from([0, 0, 3, 3], [0, 2, NOT_GRADED, 4]))
    assert matrix.shape == (5, 6)
    assert matrix[0].tolist() == [1, 0, 1, 0, 0, 0]
    assert matrix[3].tolist() == [0, 0, 0, 0, 1, 1]
    assert matrix.sum() == 4


def test_kappa_of_stacked_tables():
    tables = np.stack([np.eye(5), np.ones((5, 5))])
    np.testing.assert_allclose(quadratic_kappa(tables), [1.0, 0.0], atol=1e-12)
