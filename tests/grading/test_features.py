"""The evidence of a photograph as numbers."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fundoscope.grading.features import KINDS, NAMES, OF_KIND, features
from fundoscope.grading.rules.evidence import QUADRANTS, Evidence, PlacedLesion

HERE, THERE = QUADRANTS[:2]
EXUDATES = (
    PlacedLesion("hard_exudate", 0, HERE, 0.4, 0.0, True, 0.1, 0.9),
    PlacedLesion("hard_exudate", 1, HERE, 2.5, 0.0, False, 0.2, 0.5),
)


def named(evidence: Evidence) -> dict[str, float | None]:
    return dict(zip(NAMES, features(evidence), strict=True))


def test_the_numbers_of_a_kind() -> None:
    numbers = named(
        Evidence(
            EXUDATES,
            frozenset({"hard_exudate", "haemorrhage"}),
            frozenset({HERE, THERE}),
            macula_shown=2.5,
            presence={"hard_exudate": 0.97},
        )
    )
    assert numbers["hard_exudate_assessed"] == 1.0
    assert numbers["hard_exudate_presence"] == 0.97
    assert numbers["hard_exudate_count"] == 2.0
    assert numbers["hard_exudate_area"] == pytest.approx(0.3)
    assert numbers["hard_exudate_highest_score"] == 0.9
    assert numbers["hard_exudate_mean_score"] == pytest.approx(0.7)
    assert numbers["hard_exudate_nearest"] == 0.4
    assert numbers[f"hard_exudate_count_{HERE}"] == 2.0
    assert numbers[f"hard_exudate_count_{THERE}"] == 0.0
    assert numbers[f"hard_exudate_count_{QUADRANTS[3]}"] is None
    assert numbers["macula_shown"] == 2.5
    assert [numbers[f"seen_{quadrant}"] for quadrant in QUADRANTS] == [1.0, 1.0, 0.0, 0.0]


def test_none_found_differs_from_not_assessed() -> None:
    numbers = named(Evidence((), frozenset({"haemorrhage"})))
    assert (numbers["haemorrhage_assessed"], numbers["haemorrhage_count"]) == (1.0, 0.0)
    assert numbers["haemorrhage_area"] == 0.0
    assert numbers["haemorrhage_highest_score"] is None
    assert numbers["haemorrhage_nearest"] is None
    assert numbers["microaneurysm_assessed"] == 0.0
    of_kind = [numbers[f"microaneurysm_{name}"] for name in OF_KIND if name != "assessed"]
    assert of_kind == [None] * (len(OF_KIND) - 1)


def test_without_a_disc_there_is_no_area() -> None:
    numbers = named(Evidence((PlacedLesion("haemorrhage", 0),), frozenset({"haemorrhage"})))
    assert numbers["haemorrhage_count"] == 1.0
    assert numbers["haemorrhage_area"] is None
    assert numbers["haemorrhage_mean_score"] is None


@given(st.lists(st.sampled_from(KINDS), max_size=30), st.frozensets(st.sampled_from(KINDS)))
def test_every_photograph_has_as_many_finite_numbers(
    kinds: list[str], assessed: frozenset[str]
) -> None:
    lesions = tuple(PlacedLesion(kind, index) for index, kind in enumerate(kinds))
    numbers = features(Evidence(lesions, assessed))
    assert len(numbers) == len(NAMES) == len(set(NAMES))
    assert all(number is None or math.isfinite(number) for number in numbers)
