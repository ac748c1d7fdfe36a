from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from scipy import ndimage

from fundoscope.geometry import Affine
from fundoscope.lesions import segmentation
from fundoscope.lesions.segmentation import Segmentation, on_photograph
from fundoscope.lesions.view import View

Blank = Callable[..., View]


def spots(*places: tuple[int, int, int, int], side: int = 60) -> np.ndarray:
    """A map of squares: left, top, side and level."""
    drawn = np.zeros((side, side), np.uint8)
    for x, y, size, level in places:
        drawn[y : y + size, x : x + size] = level
    return drawn


def test_lesions_come_best_first(blank_view: Blank) -> None:
    shown = spots((10, 10, 4, 150), (30, 30, 2, 250), (40, 20, 9, 200))
    detected = segmentation.lesions(shown, 0.5, "hard_exudate", blank_view(60, 60))
    assert detected.boxes[:, 0].tolist() == [30, 40, 10]


def test_what_lies_beyond_the_field_is_no_lesion(blank_view: Blank) -> None:
    shown = spots((1, 1, 6, 250), (30, 30, 4, 150))
    detected = segmentation.lesions(shown, 0.5, "hard_exudate", blank_view(60, 60, 30.0))
    assert detected.boxes.tolist() == [[30, 30, 34, 34]]


def test_of_a_landmark_the_largest_part_on_the_retina_is_the_one(blank_view: Blank) -> None:
    # A bright label beyond the field is larger, a glint is surer.
    shown = spots((1, 1, 9, 250), (30, 30, 6, 150), (40, 20, 3, 250))
    detected = segmentation.lesions(shown, 0.5, "optic_disc", blank_view(60, 60, 30.0))
    assert detected.boxes.tolist() == [[30, 30, 36, 36]]


def test_of_a_speckled_map_only_the_best_parts_are_kept(
    blank_view: Blank, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(segmentation, "MAX_LESIONS", 2)
    shown = spots((10, 20, 4, 150), (20, 20, 4, 250), (30, 20, 4, 200), (40, 20, 8, 140))
    detected = segmentation.lesions(shown, 0.5, "hard_exudate", blank_view(60, 60))
    assert detected.boxes[:, 0].tolist() == [20, 30]
    detected = segmentation.lesions(shown, 0.5, "optic_disc", blank_view(60, 60))
    assert detected.boxes[:, 0].tolist() == [40]


@pytest.mark.parametrize(
    "to_view",
    [
        Affine(),
        Affine.scale(0.5).then(Affine.shift(-3, 2)),  # the photograph is larger
        Affine.scale(0.4, 0.6).then(Affine.shift(0.3, -4.7)),  # and was squashed
        Affine.scale(2.0).then(Affine.shift(-20, -20)),  # it is smaller
    ],
)
def test_maps_lie_on_the_photograph_where_the_view_lies(to_view: Affine) -> None:
    random = np.random.default_rng(1)
    smooth = ndimage.gaussian_filter(random.uniform(size=(2, 50, 70)), (0, 3, 3))
    smooth = (smooth - smooth.min()) / np.ptp(smooth)
    maps = np.rint(smooth * 255).astype(np.uint8)
    detected = Segmentation(("haemorrhage", "optic_disc"), maps, to_view)
    drawn = on_photograph(detected, "optic_disc", 110, 90)
    assert drawn.shape == (90, 110)
    y, x = np.mgrid[:90, :110] + 0.5
    at = to_view.points(np.stack([x.ravel(), y.ravel()], 1)).T.reshape(2, 90, 110)
    inside = (at[0] > 0) & (at[1] > 0) & (at[0] < 70) & (at[1] < 50)
    # Coordinates of scipy count from the middle of the first pixel.
    wanted = ndimage.map_coordinates(maps[1].astype(float), at[::-1] - 0.5, order=1, mode="nearest")
    assert inside.any()
    assert np.abs(drawn - wanted)[inside].max() <= 1
    assert not drawn[~inside].any()
