from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score

from fundoscope.evaluate.lesions import coco, froc, hits, ranked
from fundoscope.evaluate.lesions.hits import Matched


def scene(seed, count=4, most=30):
    """Found boxes, scores and lesions of some photographs."""
    random = np.random.default_rng(seed)
    detected, scores, lesions = [], [], []
    for _ in range(count):
        corner = random.uniform(0, 200, (random.integers(0, most), 2))
        there = np.concatenate([corner, corner + random.uniform(15, 40, corner.shape)], axis=1)
        near = there[random.uniform(size=len(there)) < 0.7]
        false = random.uniform(0, 200, (random.integers(0, most), 2))
        seen = np.concatenate(
            [near + random.uniform(-6, 6, near.shape), np.concatenate([false, false + 20], axis=1)]
        )
        detected.append(seen)
        scores.append(random.integers(0, 12, len(seen)) / 12)
        lesions.append(there)
    return detected, scores, lesions


def matched_of(seed):
    return [hits.match(*each) for each in zip(*scene(seed), strict=True)]


def rank(matched, **options):
    return ranked.rank(
        [(m.scores, m.hit.astype(float), np.ones(len(m.scores))) for m in matched],
        [m.lesions for m in matched],
        **options,
    )


@given(st.integers(0, 2**32))
def test_weights_are_how_often_a_photograph_counts(seed):
    matched = matched_of(seed)
    weights = np.array([[1.0, 1, 1, 1], [2, 0, 1, 3], [0, 0, 0, 0]])
    measured = ranked.measure(rank(matched), weights, ranked.average_precision)[:, 0]
    for row, value in zip(weights.astype(int), measured, strict=True):
        drawn = [each for each, times in zip(matched, row, strict=True) for _ in range(times)]
        expected = hits.average_precision(hits.pooled(drawn))
        assert value == pytest.approx(expected, nan_ok=True)


def test_turns_change_nothing(monkeypatch):
    ranking = rank(matched_of(1))
    weights = np.random.default_rng(0).integers(0, 3, (9, 4)).astype(float)
    whole = ranked.measure(ranking, weights, froc.sensitivities)
    monkeypatch.setattr(ranked, "CELLS_AT_ONCE", 1)
    np.testing.assert_array_equal(ranked.measure(ranking, weights, froc.sensitivities), whole)


@given(st.integers(0, 2**32))
def test_step_precision_is_that_of_scikit_learn(seed):
    random = np.random.default_rng(seed)
    score, true = random.integers(0, 5, 60) / 5, random.uniform(size=60) < 0.4
    true[0] = True
    halves = [slice(0, 25), slice(25, 60)]
    ranking = ranked.rank(
        [(score[part], true[part].astype(float), np.ones(len(score[part]))) for part in halves],
        [true[part].sum() for part in halves],
    )
    measured = ranked.measure(ranking, np.ones((1, 2)), ranked.step_precision)
    assert measured == pytest.approx(average_precision_score(true, score))


@given(st.integers(0, 2**32))
def test_coco_precision_is_that_of_faster_coco_eval(seed):
    detected, scores, lesions = scene(seed)
    strict = coco.hits_of(detected, scores, lesions)
    ranking = ranked.rank(
        [
            (some, right.astype(float), np.ones(len(some)))
            for some, right in zip(*_sorted(scores, strict), strict=True)
        ],
        [len(each) for each in lesions],
        ties=False,
    )
    value = ranked.measure(ranking, np.ones((1, 4)), ranked.coco_precision)[0, 0]
    if not any(map(len, lesions)):
        assert np.isnan(value)
    elif any(map(len, detected)):
        theirs = coco._evaluation(detected, scores, lesions).eval["precision"].mean()
        assert value == pytest.approx(theirs)


def _sorted(scores, right):
    """COCO ranks each photograph by itself first; the order of equal scores follows from that."""
    orders = [np.argsort(-each, kind="stable") for each in scores]
    return (
        [each[order] for each, order in zip(scores, orders, strict=True)],
        [each[order] for each, order in zip(right, orders, strict=True)],
    )


def test_coco_counts_more_than_a_hundred_boxes():
    corner = np.stack(np.meshgrid(np.arange(20), np.arange(15)), axis=-1).reshape(-1, 2) * 30.0
    boxes = np.concatenate([corner, corner + 17], axis=1)
    (right,) = coco.hits_of([boxes], [np.linspace(1, 0.1, 300)], [boxes])
    assert right.all()


def test_coco_is_stricter_than_the_hit_rule():
    lesion, detected = np.array([[0.0, 0, 10, 10]]), np.array([[0.0, 0, 10, 19]])
    assert hits.match(detected, np.array([0.5]), lesion).hit.all()
    assert coco.hits_of([detected], [np.array([0.5])], [lesion])[0].all()
    shifted = detected + np.array([0.0, 3, 0, 3])
    assert hits.match(shifted, np.array([0.5]), lesion).hit.all()
    assert not coco.hits_of([shifted], [np.array([0.5])], [lesion])[0].any()


@pytest.mark.parametrize("detected", [True, False])
def test_coco_where_nothing_is_found_or_nothing_is_there(detected):
    some, none = np.array([[0.0, 0, 10, 10]]), np.zeros((0, 4))
    right = coco.hits_of(
        [some if detected else none, none],
        [np.full(int(detected), 0.5), np.zeros(0)],
        [none if detected else some, none],
    )
    assert [each.tolist() for each in right] == [[False] * detected, []]


def test_froc_of_a_ranking():
    """Two photographs, four lesions; false boxes after 1, 2 and 4 hits."""
    one = Matched(np.array([0.9, 0.8, 0.6, 0.5]), np.array([True, False, True, False]), 3)
    two = Matched(np.array([0.7, 0.4]), np.array([True, True]), 1)
    measured = ranked.measure(rank([one, two]), np.ones((1, 2)), froc.sensitivities)[0]
    by_rate = dict(zip((*froc.RATES, "mean"), measured.tolist(), strict=True))
    assert by_rate[0.125] == by_rate[0.25] == 0.25  # no false box yet
    assert by_rate[0.5] == 0.75  # one false box on two photographs
    assert by_rate[1] == by_rate[32] == 1.0
    assert by_rate["mean"] == 1.0


def test_froc_counts_photographs_without_boxes():
    """The same boxes on twice as many photographs are half the rate."""
    one = Matched(np.array([0.9, 0.8]), np.array([False, True]), 1)
    empty = Matched(np.zeros(0), np.zeros(0, bool), 0)
    rates = np.array(froc.RATES)
    for photographs in (1, 2, 8):
        ranking = rank([one] + [empty] * (photographs - 1))
        measured = ranked.measure(ranking, np.ones((1, photographs)), froc.sensitivities)[0, :-1]
        assert measured.tolist() == (rates * photographs >= 1).tolist()


def test_froc_without_lesions_is_undefined_and_without_boxes_zero():
    empty = Matched(np.zeros(0), np.zeros(0, bool), 0)
    assert np.isnan(ranked.measure(rank([empty]), np.ones((1, 1)), froc.sensitivities)).all()
    missed = Matched(np.zeros(0), np.zeros(0, bool), 2)
    assert (ranked.measure(rank([missed]), np.ones((1, 1)), froc.sensitivities) == 0).all()


def test_equal_scores_come_together():
    """A false and a right box of one score: no threshold has the right one alone."""
    same = Matched(np.array([0.5, 0.5]), np.array([True, False]), 1)
    measured = ranked.measure(rank([same]), np.ones((1, 1)), froc.sensitivities)[0]
    assert measured[froc.RATES.index(0.5)] == 0.0
    assert measured[froc.RATES.index(1.0)] == 1.0
