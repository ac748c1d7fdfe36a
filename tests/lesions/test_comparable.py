"""Scores are corrected by the size of the photograph."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fundoscope.lesions import comparable
from fundoscope.lesions import detector as detectors
from fundoscope.lesions.detector import Detector
from fundoscope.photo.decode import Photo
from fundoscope.reading import FieldOfView

Make = Callable[..., Detector]
Draw = Callable[..., tuple[Photo, FieldOfView]]

SPOTS = [("hard_exudate", -0.4, -0.2, 0.05), ("microaneurysm", 0.3, 0.4, 0.05)]


def scores(detector: Detector, photo: Photo, fov: FieldOfView) -> dict[str, float]:
    return {each.kind: each.score for each in detectors.candidates(detector, photo, fov)}


@pytest.mark.parametrize("exponent", [1.0, 2.0])
def test_a_small_photograph_gets_its_correction_and_a_large_one_none(
    spot_detector: Make, spotted: Draw, exponent: float
) -> None:
    plain = spot_detector()
    radius = plain.manifest.radius
    manifest = replace(
        plain.manifest, size_correction={"microaneurysm": 1.0}, size_exponent=exponent
    )
    corrects = replace(plain, manifest=manifest)
    for share, added in ((0.5, 1.0), (0.25, 2**exponent), (2.0, 0.0)):
        side = round(2.4 * radius * share)
        photo, fov = spotted(SPOTS, width=side, height=side, radius=radius * share)
        before, after = scores(plain, photo, fov), scores(corrects, photo, fov)
        assert after["hard_exudate"] == before["hard_exudate"]
        odds = np.log(after["microaneurysm"] / (1 - after["microaneurysm"]))
        was = np.log(before["microaneurysm"] / (1 - before["microaneurysm"]))
        assert odds - was == pytest.approx(added)


def test_the_best_box_comes_first_after_the_correction(spot_detector: Make, spotted: Draw) -> None:
    plain = spot_detector()
    manifest = replace(plain.manifest, size_correction={"hard_exudate": -2.0})
    radius = plain.manifest.radius / 2
    side = round(2.4 * radius)
    photo, fov = spotted(SPOTS, width=side, height=side, radius=radius)
    found = detectors.candidates(replace(plain, manifest=manifest), photo, fov)
    assert [each.kind for each in found][-1] == "hard_exudate"
    assert sorted((each.score for each in found), reverse=True) == [each.score for each in found]


@given(
    st.lists(st.floats(0, 1), min_size=1),
    st.floats(-10, 10),
    st.floats(0, 5),
    st.floats(0.1, 10),
)
def test_a_correction_keeps_order_and_range(
    values: list[float], correction: float, halved: float, exponent: float
) -> None:
    before = np.sort(np.array(values))
    after = comparable.corrected(before, correction, halved, exponent)
    assert ((after >= 0) & (after <= 1)).all()
    assert (np.diff(after) >= 0).all()
