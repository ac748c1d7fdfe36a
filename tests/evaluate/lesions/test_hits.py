from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fundoscope.evaluate.lesions import hits
from fundoscope.evaluate.lesions.hits import (
    NOTHING,
    Matched,
    at_threshold,
    average_precision,
    ious,
    match,
    pairs,
    pooled,
)


def boxes(*rows):
    return np.array(rows, np.float64).reshape(-1, 4)


def hit(detected, lesion):
    return bool(hits.hits(boxes(detected), boxes(lesion))[0, 0])


def test_iou_of_known_boxes():
    detected = ious(boxes((0, 0, 10, 10), (20, 20, 30, 30)), boxes((0, 0, 10, 10), (5, 0, 15, 10)))
    assert detected == pytest.approx(np.array([[1.0, 1 / 3], [0.0, 0.0]]))


def test_boxes_without_area_overlap_nothing():
    assert ious(boxes((5, 5, 5, 5)), boxes((5, 5, 5, 5))) == 0.0
    assert not hit((5, 5, 5, 5), (0, 0, 10, 10))


def test_overlap_of_three_tenths_is_a_hit():
    # Side by side by 7 of 13: IoU 6 / 20 = 0.3, the centres outside each other.
    assert hit((0, 0, 13, 10), (7, 0, 20, 10))
    assert not hit((0, 0, 13, 10), (7.1, 0, 20.1, 10))


def test_centres_inside_each_other_are_a_hit_up_to_four_times_the_area():
    lesion = (0, 0, 10, 10)
    assert hit((-5, -5, 15, 15), lesion)  # IoU 0.25, four times the area
    assert not hit((-5.1, -5.1, 15.1, 15.1), lesion)
    assert hit((2.5, 2.5, 7.5, 7.5), lesion)
    # Its centre lies on the edge of the other box.
    assert not hit((0, -5, 20, 15), lesion)


def test_a_grid_of_big_squares_hits_no_microaneurysm():
    """The laxer rule, one centre in the other's box, is met by such a grid."""
    random = np.random.default_rng(0)
    corner = random.uniform(0, 1000, (200, 2))
    lesions = np.concatenate([corner, corner + 17], axis=1)
    grid = boxes(*((x, y, x + 50, y + 50) for x in range(0, 1000, 50) for y in range(0, 1000, 50)))
    assert not hits.hits(grid, lesions).any()


def test_the_best_score_takes_the_lesion_and_each_is_taken_once():
    lesion = boxes((0, 0, 10, 10))
    detected = boxes((0, 0, 10, 9), (0, 0, 10, 10), (50, 50, 60, 60))
    matched = match(detected, np.array([0.9, 0.5, 0.7]), lesion)
    assert matched.scores.tolist() == [0.9, 0.7, 0.5]
    assert matched.hit.tolist() == [True, False, False]
    assert matched.lesions == 1


def test_a_box_takes_the_lesion_that_it_covers_best():
    lesions = boxes((0, 0, 10, 10), (4, 0, 14, 10))
    detected = boxes((3, 0, 13, 10), (3, 0, 13, 10), (3, 0, 13, 10))
    assert pairs(detected, np.array([0.5, 0.9, 0.1]), lesions).tolist() == [0, 1, NOTHING]


def test_a_sheet_is_one_lesion():
    sheet = boxes((0, 0, 2790, 1374))
    pieces = boxes(*((x, 500, x + 400, 900) for x in range(0, 2400, 400)))
    assert match(pieces, np.full(6, 0.9), sheet).hit.sum() == 0
    assert match(boxes((0, 0, 2000, 1374)), np.array([0.9]), sheet).hit.sum() == 1


@pytest.mark.parametrize(("detected", "lesions"), [(0, 0), (0, 3), (3, 0)])
def test_nothing_found_or_nothing_there(detected, lesions):
    some = np.tile([0.0, 0, 10, 10], (max(detected, lesions), 1))
    matched = match(some[:detected], np.full(detected, 0.5), some[:lesions])
    assert len(matched.scores) == detected
    assert not matched.hit.any()
    assert matched.lesions == lesions


@st.composite
def scenes(draw):
    random = np.random.default_rng(draw(st.integers(0, 2**32)))
    counts = [draw(st.integers(0, 40)), draw(st.integers(0, 30))]
    made = []
    for count in counts:
        corner, side = random.uniform(0, 60, (count, 2)), random.uniform(1, 25, (count, 2))
        made.append(np.concatenate([corner, corner + side], axis=1))
    return made[0], random.integers(0, 5, counts[0]) / 5, made[1]


@given(scenes())
def test_pairs_are_hits_one_to_one_and_none_is_left(scene):
    detected, scores, lesions = scene
    given_to = pairs(detected, scores, lesions)
    taken = given_to[given_to != NOTHING]
    assert len(set(taken.tolist())) == len(taken)
    hitting = hits.hits(detected, lesions)
    assert all(hitting[row, given_to[row]] for row in np.flatnonzero(given_to != NOTHING))
    free = np.setdiff1d(np.arange(len(lesions)), taken)
    assert not hitting[given_to == NOTHING][:, free].any()
    # A threshold takes nothing away from those above it.
    high = scores >= 0.4
    assert (pairs(detected[high], scores[high], lesions) == given_to[high]).all()


@given(scenes())
def test_what_is_held_in_memory_changes_nothing(scene):
    with pytest.MonkeyPatch.context() as patch:
        whole = pairs(*scene)
        patch.setattr(hits, "PAIRS_AT_ONCE", 1)
        assert (pairs(*scene) == whole).all()


def test_average_precision_of_a_ranking():
    # Precision 1, 1/2, 2/3: the third hit raises what stands before it to 2/3.
    matched = Matched(np.array([0.9, 0.8, 0.7]), np.array([True, False, True]), 3)
    assert average_precision(matched) == pytest.approx((1 + 2 / 3) / 3)


def test_average_precision_does_not_depend_on_the_order_of_equal_scores():
    for order in ([True, False], [False, True]):
        matched = Matched(np.array([0.5, 0.5]), np.array(order), 1)
        assert average_precision(matched) == pytest.approx(0.5)


def test_average_precision_without_lesions_or_boxes():
    assert np.isnan(average_precision(Matched(np.array([0.5]), np.array([False]), 0)))
    assert average_precision(pooled([Matched(np.zeros(0), np.zeros(0, bool), 2)])) == 0.0
    assert np.isnan(average_precision(pooled([])))


def test_pooling_ranks_all_photographs_together():
    one = Matched(np.array([0.9, 0.2]), np.array([True, False]), 1)
    two = Matched(np.array([0.5]), np.array([True]), 3)
    together = pooled([one, two])
    assert together.scores.tolist() == [0.9, 0.5, 0.2]
    assert together.hit.tolist() == [True, True, False]
    assert together.lesions == 4
    assert at_threshold(together, 0.5) == (1.0, 0.5)


def test_figures_at_a_threshold_that_nothing_reaches():
    matched = Matched(np.array([0.5]), np.array([True]), 1)
    precision, recall = at_threshold(matched, 0.6)
    assert np.isnan(precision)
    assert recall == 0.0
    assert np.isnan(at_threshold(Matched(np.zeros(0), np.zeros(0, bool), 0), 0.5)[1])
