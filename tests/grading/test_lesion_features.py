"""Features of the lesions of a photograph."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fundoscope.grading import lesion_features
from fundoscope.grading.lesion_features import NAMES, NEAR_FOVEA, features
from fundoscope.grading.rules.evidence import QUADRANTS, Evidence, PlacedLesion

ASSESSED = frozenset(lesion_features.KINDS)
SEEN = frozenset(QUADRANTS)


def haemorrhage(index: int, score: float, quadrant: str | None = QUADRANTS[0]) -> PlacedLesion:
    return PlacedLesion("haemorrhage", index, quadrant=quadrant, area=0.02, score=score)


def test_an_empty_retina_has_zeros_where_everything_was_assessed() -> None:
    values = features(Evidence(assessed=ASSESSED, quadrants_seen=SEEN), 500.0)
    assert tuple(values) == NAMES
    for name, value in values.items():
        if name.endswith("assessed"):
            assert value == 1.0
        elif name == lesion_features.RADIUS:
            assert value == pytest.approx(math.log(500.0))
        else:
            assert value == 0.0, name


def test_weak_boxes_count_apart_from_strong_ones() -> None:
    boxes = tuple(haemorrhage(n, score) for n, score in enumerate((0.9, 0.35, 0.15, 0.12)))
    values = features(Evidence(boxes, ASSESSED, SEEN), 500.0)
    assert values["haemorrhage: boxes from 0.1"] == pytest.approx(math.log1p(4))
    assert values["haemorrhage: boxes from 0.3"] == pytest.approx(math.log1p(2))
    assert values["haemorrhage: boxes from 0.7"] == pytest.approx(math.log1p(1))
    assert values["microaneurysm: boxes from 0.1"] == 0.0


def test_boxes_in_four_quadrants_are_more_than_the_same_boxes_in_one() -> None:
    spread = tuple(haemorrhage(n, 0.8, quadrant) for n, quadrant in enumerate(QUADRANTS))
    together = tuple(haemorrhage(n, 0.8) for n in range(4))
    one, four = (features(Evidence(boxes, ASSESSED, SEEN), 500.0) for boxes in (together, spread))
    assert (one["haemorrhage: quadrants"], four["haemorrhage: quadrants"]) == (1.0, 4.0)
    fullest = "haemorrhage: fullest quadrant"
    assert (one[fullest] or 0.0) > (four[fullest] or 0.0)


def test_what_has_no_place_is_missing_and_not_zero() -> None:
    unplaced = replace(haemorrhage(0, 0.8, None), area=None)
    exudate = PlacedLesion("hard_exudate", 1, score=0.8)
    values = features(Evidence((unplaced, exudate), ASSESSED), 500.0)
    for name in ("haemorrhage: area", "haemorrhage: quadrants", NEAR_FOVEA):
        assert values[name] is None
    assert values["haemorrhage: boxes from 0.3"] == pytest.approx(math.log(2))


def test_an_exudate_nearer_to_the_fovea_weighs_more() -> None:
    def near(distance: float) -> float:
        exudate = PlacedLesion("hard_exudate", 0, distance=distance, score=0.8)
        return features(Evidence((exudate,), ASSESSED, SEEN), 500.0)[NEAR_FOVEA] or 0.0

    assert near(0.0) == 1.0
    assert near(0.4) > near(1.0) > near(3.0) > 0.0


def test_a_kind_that_was_not_assessed_says_so_beside_its_weak_boxes() -> None:
    boxes = (haemorrhage(0, 0.8),)
    values = features(Evidence(boxes, frozenset({"soft_exudate"}), SEEN), 150.0)
    assert values["haemorrhage: assessed"] == 0.0
    assert values["soft_exudate: assessed"] == 1.0
    assert values["haemorrhage: highest score"] != 0.0


SCORES = st.lists(st.floats(0.1, 1.0), max_size=30)


@given(SCORES, st.floats(0.1, 1.0))
def test_one_more_box_never_lowers_a_feature(scores: list[float], another: float) -> None:
    few = tuple(haemorrhage(n, score) for n, score in enumerate(scores))
    more = (*few, haemorrhage(len(few), another))
    before, after = (features(Evidence(boxes, ASSESSED, SEEN), 500.0) for boxes in (few, more))
    for name in NAMES:
        assert (after[name] or 0.0) >= (before[name] or 0.0), name
