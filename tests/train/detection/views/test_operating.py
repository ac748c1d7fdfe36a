"""Thresholds and smallest sizes, by hand-made hits."""

from __future__ import annotations

import numpy as np
import pytest

from fundoscope.evaluate.lesions.hits import Matched
from fundoscope.lesions import comparable
from fundoscope.train.detection.views import operating


def matched(scores: list[float], hit: list[bool], lesions: int) -> Matched:
    return Matched(np.array(scores), np.array(hit, bool), lesions)


def test_a_threshold_makes_the_count_right_on_the_median_photograph() -> None:
    photographs = [
        matched([0.9, 0.7, 0.3], [True, False, False], 2),
        matched([0.8, 0.6, 0.2], [True, True, False], 2),
        # One photograph full of what only looks like it moves nothing.
        matched([0.95, 0.94, 0.93, 0.92, 0.91], [False] * 5, 1),
    ]
    at = operating.threshold("haemorrhage", photographs)
    assert sorted((one.scores >= at).sum() - one.lesions for one in photographs)[1] == 0
    assert 0.3 < at <= 0.6


def test_photographs_without_the_kind_have_no_say() -> None:
    having = [matched([0.9, 0.5], [True, False], 1)]
    empty = [matched([0.99, 0.98], [False, False], 0)] * 4
    assert operating.threshold("haemorrhage", having + empty) == operating.threshold(
        "haemorrhage", having
    )


def test_what_is_never_hit_never_counts() -> None:
    at = operating.threshold("haemorrhage", [matched([0.99], [False], 1), matched([], [], 0)])
    assert at > 1


def test_where_all_are_found_all_count() -> None:
    at = operating.threshold("haemorrhage", [matched([0.9, 0.5], [True, True], 2)])
    assert at <= 0.5


def test_where_too_little_is_found_everything_counts() -> None:
    at = operating.threshold("haemorrhage", [matched([0.9, 0.5], [True, True], 9)])
    assert at <= 0.5


def test_a_landmark_is_the_best_box_of_a_photograph() -> None:
    photographs = [
        matched([0.9, 0.8], [True, False], 1),
        matched([0.6, 0.5], [True, False], 1),
        matched([0.4, 0.3], [False, True], 1),
    ]
    assert operating.threshold("optic_disc", photographs) == pytest.approx(0.6 / 2)
    assert operating.counted("optic_disc", photographs[0]).hit.tolist() == [True]
    assert len(operating.counted("haemorrhage", photographs[0]).hit) == 2


def test_the_precision_of_a_landmark_is_that_of_its_best_boxes() -> None:
    photographs = [matched([0.9, 0.8], [True, False], 1), matched([0.7], [True], 1)]
    assert operating.average_precision("haemorrhage", photographs) < 1
    assert operating.average_precision("optic_disc", photographs) == 1


def test_the_correction_makes_one_threshold_hold_for_all_sizes() -> None:
    odds = np.array([3.0, 1.0, -1.0, -3.0])

    def at(halved: float, lost: float) -> tuple[float, list[Matched]]:
        scores = 1 / (1 + np.exp(-(odds - lost)))
        return halved, [Matched(scores, np.array([True, True, False, False]), 2)]

    sizes = [at(0.0, 0.0), at(1.0, 0.8), at(2.0, 3.2)]
    full = operating.threshold("haemorrhage", sizes[0][1])
    correction = operating.size_correction("haemorrhage", full, sizes)
    assert correction == pytest.approx(0.8, abs=0.2)
    for halved, (photograph,) in sizes:
        scores = comparable.corrected(
            photograph.scores, correction, halved, operating.SIZE_EXPONENT
        )
        assert (scores >= full).sum() == photograph.lesions


def test_nothing_is_corrected_for_what_is_never_found() -> None:
    nothing = [matched([0.9], [False], 1)]
    assert operating.size_correction("haemorrhage", 0.5, [(0.0, nothing), (1.0, nothing)]) == 0
    assert operating.size_correction("haemorrhage", operating.NEVER, [(1.0, nothing)]) == 0


@pytest.mark.parametrize(
    ("sizes", "smallest"),
    [
        # Four fifths of 0.8 are 0.64. Recall falls from 0.8 to 0.32 over one halving, so 0.64 lies
        # a third of a halving below 500.
        ({1000.0: (0.8, 0.8), 500.0: (0.7, 0.8), 250.0: (0.7, 0.32)}, 397),
        ({1000.0: (0.8, 0.8), 500.0: (0.48, 0.9), 250.0: (0.48, 0.8)}, 708),
        # The smallest is read as well as the largest: the dip between them is chance.
        ({1000.0: (0.8, 0.8), 500.0: (0.5, 0.9), 250.0: (0.8, 0.8)}, 250),
        ({1000.0: (0.8, 0.8), 500.0: (0.8, 0.5), 250.0: (0.8, 0.6)}, 642),
        ({1000.0: (0.8, 0.8), 500.0: (float("nan"), 0.0)}, 871),
        ({1000.0: (0.0, 0.0), 500.0: (0.5, 0.5)}, None),
        ({1000.0: (float("nan"), 0.0)}, None),
    ],
)
def test_a_kind_is_assessed_down_to_where_precision_and_recall_hold(
    sizes: dict[float, tuple[float, float]], smallest: float | None
) -> None:
    assert operating.minimum_radius(sizes) == smallest


def test_few_healthy_eyes_reach_the_healthy_limit():
    highest = [0.0] * 5 + [0.2, 0.3, 0.5, 0.7, 0.9]
    limit = operating.healthy_limit(highest)
    assert sum(score >= limit for score in highest) == 1
    assert limit == pytest.approx(0.7)
    assert operating.healthy_limit([]) == 0
    assert operating.healthy_limit([0.4]) > 0.4
