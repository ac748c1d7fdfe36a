"""Whether a kind of lesion is in the eye at all."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fundoscope.lesions import detector as detectors
from fundoscope.lesions import presence, summary
from fundoscope.lesions.detector import Detector
from fundoscope.models.presence import PresenceModel
from fundoscope.photo.decode import Photo
from fundoscope.reading import FieldOfView, Lesion, LesionSummary, OpticDisc

MODEL = PresenceModel(intercept=-2.0, top_score=0.5, boxes=1.0, floor=0.2, limit=0.5)
SCORES = st.lists(st.floats(0.0, 1.0), max_size=30)


def test_without_a_box_only_the_intercept_counts() -> None:
    expected = 0.1192029
    assert presence.probability(MODEL, []) == pytest.approx(expected)
    assert presence.probability(MODEL, [0.19]) == pytest.approx(expected)


@given(SCORES, st.floats(0.0, 1.0))
def test_one_more_box_never_makes_a_kind_less_likely(scores: list[float], more: float) -> None:
    before = presence.probability(MODEL, scores)
    assert 0.0 <= before <= presence.probability(MODEL, [*scores, more]) <= 1.0


@given(SCORES)
def test_the_order_of_boxes_does_not_matter(scores: list[float]) -> None:
    assert presence.probability(MODEL, scores) == presence.probability(MODEL, scores[::-1])


def test_many_weak_boxes_say_more_than_one_strong_one() -> None:
    assert presence.probability(MODEL, [0.3] * 12) > presence.probability(MODEL, [0.8])


def test_extreme_values_give_a_probability() -> None:
    low = replace(MODEL, intercept=-50.0)
    high = replace(MODEL, intercept=50.0, top_score=50.0, boxes=50.0)
    assert presence.probability(low, []) == pytest.approx(0.0, abs=1e-20)
    assert presence.probability(high, [1.0] * 5) == 1.0


SPOTS = [("hard_exudate", 0.2 * x, 0.3, 0.04) for x in (-2, 0, 2)]
WEAK = PresenceModel(intercept=-1.0, top_score=0.0, boxes=1.0, floor=0.3, limit=0.55)


def of_kind(findings: summary.Findings, kind: str) -> LesionSummary:
    return next(each for each in findings.summary if each.kind == kind)


def findings(detector: Detector, photo: Photo, fov: FieldOfView) -> summary.Findings:
    return summary.findings(detectors.assessable(detector, photo, fov), detector, photo, fov)


Spotted = Callable[[Sequence[tuple[str, float, float, float]]], tuple[Photo, FieldOfView]]


def test_boxes_too_weak_to_be_drawn_make_a_kind_present(
    spot_detector: Callable[..., Any], spotted: Spotted
) -> None:
    """The spots have a score of 0.875."""
    photo, fov = spotted(SPOTS)
    never = dict.fromkeys(("microaneurysm", "hard_exudate", "optic_disc"), 0.9)
    detector = spot_detector(thresholds=never, presence={"hard_exudate": WEAK})
    exudates = of_kind(findings(detector, photo, fov), "hard_exudate")
    assert exudates.count == 0
    assert exudates.presence_probability == pytest.approx(presence.probability(WEAK, [0.875] * 3))
    assert exudates.present is True


def test_a_kind_without_a_model_or_not_assessed_has_no_presence(
    spot_detector: Callable[..., Any], spotted: Spotted
) -> None:
    photo, fov = spotted(SPOTS)
    detector = spot_detector(
        minimum_radius={"microaneurysm": 1000.0, "hard_exudate": 50.0},
        presence={"microaneurysm": WEAK},
    )
    for kind in ("microaneurysm", "hard_exudate"):
        summary_of_kind = of_kind(findings(detector, photo, fov), kind)
        assert summary_of_kind.present is None
        assert summary_of_kind.presence_probability is None


def test_a_bright_box_on_the_disc_does_not_count(spot_detector: Callable[..., Any]) -> None:
    disc = OpticDisc(True, (300.0, 180.0, 340.0, 220.0), (320.0, 200.0), 40.0, 0.9)
    fov = FieldOfView(True, (240.0, 200.0), 180.0, 1.0)
    on_disc = Lesion("hard_exudate", (315.0, 195.0, 325.0, 205.0), 0.8)
    beside = Lesion("hard_exudate", (215.0, 195.0, 225.0, 205.0), 0.8)
    detector = spot_detector(presence={"hard_exudate": WEAK})
    empty = (LesionSummary("hard_exudate", True, None, 0, 0.0),)
    seen = summary.possible([on_disc, beside], disc, fov)
    (exudates,) = summary.with_presence(empty, seen, detector)
    assert exudates.presence_probability == pytest.approx(presence.probability(WEAK, [0.8]))
