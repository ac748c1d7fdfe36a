from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fundoscope.geometry import Affine, clipped

finite = st.floats(-1e4, 1e4)
scale = st.floats(0.01, 100.0) | st.floats(-100.0, -0.01)


@st.composite
def maps(draw: st.DrawFn) -> Affine:
    """Invertible maps: a stretch, a turn, a shift."""
    angle = draw(st.floats(0, 2 * np.pi))
    turn = Affine(np.cos(angle), -np.sin(angle), 0, np.sin(angle), np.cos(angle), 0)
    stretch = Affine.scale(draw(scale), draw(scale))
    return stretch.then(turn).then(Affine.shift(draw(finite), draw(finite)))


def test_the_plain_map_changes_nothing() -> None:
    assert Affine().point(3.5, -2.0) == (3.5, -2.0)


def test_scale_then_shift_scales_first() -> None:
    assert Affine.scale(2, 3).then(Affine.shift(1, 1)).point(10, 10) == (21, 31)


def test_one_scale_serves_both_axes() -> None:
    assert Affine.scale(2).point(1, 1) == (2, 2)


@given(maps(), finite, finite)
def test_there_and_back_is_where_it_began(there: Affine, x: float, y: float) -> None:
    back = there.then(there.inverse()).point(x, y)
    assert back == pytest.approx((x, y), abs=1e-3, rel=1e-6)


@given(maps(), maps(), finite, finite)
def test_composing_is_mapping_twice(first: Affine, second: Affine, x: float, y: float) -> None:
    once = first.then(second).point(x, y)
    twice = second.point(*first.point(x, y))
    assert once == pytest.approx(twice, rel=1e-6, abs=1e-3)


@given(maps(), finite, finite)
def test_many_points_map_as_one(there: Affine, x: float, y: float) -> None:
    assert there.points(np.array([[x, y]]))[0] == pytest.approx(there.point(x, y), rel=1e-9)


@given(maps(), finite, finite, st.floats(1, 100), st.floats(1, 100))
def test_a_mapped_box_holds_its_mapped_corners(
    there: Affine, x: float, y: float, width: float, height: float
) -> None:
    x0, y0, x1, y1 = there.box((x, y, x + width, y + height))
    for corner in ((x, y), (x + width, y), (x, y + height), (x + width, y + height)):
        across, down = there.point(*corner)
        slack = 1e-12 * max(abs(value) for value in (x0, y0, x1, y1, 1.0))  # rounding
        assert x0 - slack <= across <= x1 + slack
        assert y0 - slack <= down <= y1 + slack


def test_a_turned_over_box_keeps_its_corners_in_order() -> None:
    assert Affine.scale(-1, 1).box((1, 2, 3, 4)) == (-3, 2, -1, 4)


def test_a_flat_map_cannot_be_undone() -> None:
    with pytest.raises(ValueError, match="no inverse"):
        Affine.scale(1, 0).inverse()


def test_a_box_is_cut_at_the_edges_of_its_picture():
    assert clipped((-1.5, 20.0, 30.0, 101.0), 200, 100) == (0.0, 20.0, 30.0, 100.0)
    x0, _, x1, _ = clipped((201.0, 20.0, 210.0, 30.0), 200, 100)
    assert x0 == x1
