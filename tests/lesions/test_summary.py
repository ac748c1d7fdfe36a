from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fundoscope.kinds import LESIONS
from fundoscope.lesions import summary
from fundoscope.lesions.detector import Detector
from fundoscope.photo.decode import Photo
from fundoscope.reading import (
    NOT_ASSESSED_REASONS,
    Anatomy,
    FieldOfView,
    Laterality,
    Lesion,
    LesionSummary,
    OpticDisc,
)

FIELD = FieldOfView(True, (500.0, 500.0), 400.0, 1.0)
SIDE = 30

corner = st.integers(0, SIDE)
box = st.tuples(corner, corner, corner, corner).map(
    lambda c: (min(c[0], c[2]), min(c[1], c[3]), max(c[0], c[2]) + 1, max(c[1], c[3]) + 1)
)


@given(boxes=st.lists(box, max_size=12))
def test_the_union_is_what_counting_pixels_gives(boxes: list[tuple[int, int, int, int]]) -> None:
    covered = np.zeros((SIDE + 1, SIDE + 1), bool)
    for x0, y0, x1, y1 in boxes:
        covered[y0:y1, x0:x1] = True
    assert summary.union_area(boxes) == covered.sum()


@given(boxes=st.lists(box, min_size=1, max_size=6), scale=st.floats(0.1, 100))
def test_the_union_scales_and_is_no_more_than_the_sum(
    boxes: list[tuple[int, int, int, int]], scale: float
) -> None:
    area = summary.union_area(boxes)
    areas = [(x1 - x0) * (y1 - y0) for x0, y0, x1, y1 in boxes]
    assert max(areas) <= area <= sum(areas)
    scaled = [tuple(scale * c for c in each) for each in boxes]
    assert summary.union_area(scaled) == pytest.approx(scale**2 * area)


def test_two_thousand_boxes_have_an_area() -> None:
    rng = np.random.default_rng(0)
    low = rng.uniform(0, 4000, (2000, 2))
    boxes = [tuple(row) for row in np.hstack([low, low + 20.0]).tolist()]
    assert 0 < summary.union_area(boxes) < 2000 * 400


def of_kind(summaries: tuple[LesionSummary, ...], kind: str) -> LesionSummary:
    (one,) = [each for each in summaries if each.kind == kind]
    return one


def test_every_kind_of_lesion_has_its_line_in_order(
    spot_detector: Callable[..., Detector],
) -> None:
    summaries = summary.summarise([], Anatomy(), spot_detector(), FIELD)
    assert tuple(each.kind for each in summaries) == LESIONS
    for each in (*summaries, *summary.NO_DETECTOR, *summary.NO_FIELD):
        assert each.assessed == (each.reason is None) == (each.count is not None)
        assert each.reason is None or each.reason in NOT_ASSESSED_REASONS


def test_none_found_is_told_apart_from_not_looked_for(
    spot_detector: Callable[..., Detector],
) -> None:
    summaries = summary.summarise([], Anatomy(), spot_detector(), FIELD)
    assert of_kind(summaries, "microaneurysm") == LesionSummary(
        "microaneurysm", True, None, 0, 0.0, None
    )
    unknown = of_kind(summaries, "neovascularisation")
    assert unknown == LesionSummary("neovascularisation", False, "unknown_to_detector")


def test_a_photograph_too_small_for_a_kind_says_so(spot_detector: Callable[..., Detector]) -> None:
    small = FieldOfView(True, (80.0, 80.0), 70.0, 1.0)
    summaries = summary.summarise([], Anatomy(), spot_detector(), small)
    assert of_kind(summaries, "microaneurysm") == LesionSummary(
        "microaneurysm", False, "photograph_too_small"
    )
    assert of_kind(summaries, "hard_exudate").count == 0


def test_a_kind_that_was_never_measured_is_not_assessed(
    spot_detector: Callable[..., Detector],
) -> None:
    detector = spot_detector(minimum_radius={"hard_exudate": 50.0})
    summaries = summary.summarise([], Anatomy(), detector, FIELD)
    assert of_kind(summaries, "microaneurysm").reason == "unknown_to_detector"


@pytest.mark.parametrize("stretch", [1.0, 1.5])
def test_areas_in_discs_do_not_depend_on_the_stretch(
    spot_detector: Callable[..., Detector], stretch: float
) -> None:
    fov = FieldOfView(True, (500.0 / stretch, 500.0), 400.0, stretch)
    lesions = [
        Lesion("hard_exudate", (100 / stretch, 100, 140 / stretch, 150), 0.9),
        Lesion("hard_exudate", (120 / stretch, 100, 160 / stretch, 150), 0.8),
        Lesion("optic_disc", (600 / stretch, 450, 700 / stretch, 550), 0.95),
    ]
    anatomy, others = summary.anatomy_of(lesions, spot_detector(), fov)
    assert others == tuple(lesions[:2])
    assert anatomy.disc.diameter == pytest.approx(100)
    assert anatomy.disc.centre == pytest.approx((650 / stretch, 500))
    exudates = of_kind(summary.summarise(others, anatomy, spot_detector(), fov), "hard_exudate")
    assert exudates.count == 2
    assert exudates.box_area == pytest.approx(60 * 50 / stretch)
    assert exudates.box_area_discs == pytest.approx(60 * 50 / (math.pi / 4 * 100**2))


def test_of_several_discs_the_likeliest_is_the_disc(spot_detector: Callable[..., Detector]) -> None:
    discs = [Lesion("optic_disc", (x, 0.0, x + 80, 100), x / 1000) for x in (100.0, 900.0, 500.0)]
    anatomy, others = summary.anatomy_of(discs, spot_detector(), FIELD)
    assert anatomy.disc == OpticDisc(True, (900, 0, 980, 100), (940, 50), 90, 0.9, "found")
    assert others == ()


def test_no_disc_found_and_none_looked_for(spot_detector: Callable[..., Detector]) -> None:
    assert summary.anatomy_of([], spot_detector(), FIELD)[0].disc == OpticDisc(
        False, state="not_found"
    )
    small = FieldOfView(True, (30.0, 30.0), 40.0, 1.0)
    assert summary.anatomy_of([], spot_detector(), small)[0] == Anatomy()


def test_a_given_eye_finds_no_fovea_that_was_not_looked_for(
    spot_detector: Callable[..., Detector], spotted: Callable[..., tuple[Photo, FieldOfView]]
) -> None:
    photo, fov = spotted([])
    blind = spot_detector(minimum_radius={"hard_exudate": 50.0})
    seen = summary.findings([], blind, photo, fov, eye="left").anatomy
    assert seen == Anatomy(laterality=Laterality("left", "given"))
    assert summary.findings([], blind, photo, fov).anatomy == Anatomy()


def test_boxes_are_judged_where_the_detector_reads_the_photograph(
    spot_detector: Callable[..., Detector], spotted: Callable[..., tuple[Photo, FieldOfView]]
) -> None:
    photo, fov = spotted([])
    for_discs_only = spot_detector(minimum_radius={"optic_disc": 50.0, "hard_exudate": 9000.0})
    assert summary.findings([], for_discs_only, photo, fov).readable
    assert not any(
        each.assessed for each in summary.findings([], for_discs_only, photo, fov).summary
    )
    for_none = spot_detector(minimum_radius={"optic_disc": 9000.0})
    assert not summary.findings([], for_none, photo, fov).readable
    white = replace(photo, pixels=np.full_like(photo.pixels, 255))
    assert not summary.findings([], for_discs_only, white, fov).readable
