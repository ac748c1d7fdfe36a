"""Boxes and outlines to pixels."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fundoscope.data.annotations.annotation import (
    Annotation,
    Mask,
)
from fundoscope.data.annotations.raster import fill_box, fill_outlines, pixels_of
from fundoscope.errors import UsageError


def test_a_pixel_belongs_when_its_centre_lies_inside() -> None:
    assert fill_box((1, 1, 3, 4), 9, 9) == Mask(1, 1, np.ones((3, 2), bool))
    assert fill_box((0.5, 0.6, 2.5, 2.6), 9, 9) == Mask(0, 1, np.ones((2, 2), bool))
    assert fill_box((-5, -5, 100, 1), 4, 3) == Mask(0, 0, np.ones((1, 4), bool))


@pytest.mark.parametrize("box", [(9, 0, 10, 1), (-2, 0, 0, 1), (0, -3, 1, -1), (0, 9, 1, 9)])
def test_what_lies_outside_has_no_pixels(box: tuple[float, float, float, float]) -> None:
    assert fill_box(box, 9, 9) is None
    x0, y0, x1, y1 = box
    assert fill_outlines((((x0, y0), (x1, y0), (x1, y1)),), 9, 9) is None


def test_no_lesion_vanishes_for_being_small() -> None:
    assert fill_box((2.1, 3.1, 2.2, 3.2), 9, 9) == Mask(2, 3, np.ones((1, 1), bool))
    assert fill_box((0, 0, 0, 0), 9, 9) == Mask(0, 0, np.ones((1, 1), bool))
    tiny = ((2.1, 3.1), (2.3, 3.1), (2.2, 3.3))
    assert fill_outlines((tiny,), 9, 9) == Mask(2, 3, np.ones((1, 1), bool))
    # A sliver that has rows of centres beside it, but none inside.
    sliver = ((0.0, 0.0), (6.0, 0.2), (6.0, 0.3))
    assert fill_outlines((sliver,), 9, 9) is not None


@settings(deadline=None)
@given(
    x0=st.integers(-3, 12),
    y0=st.integers(-3, 12),
    width=st.integers(1, 9),
    height=st.integers(1, 9),
)
def test_a_rectangle_fills_the_same_as_box_and_as_outline(
    x0: int, y0: int, width: int, height: int
) -> None:
    x1, y1 = x0 + width, y0 + height
    outline = ((x0, y0), (x1, y0), (x1, y1), (x0, y1))
    assert fill_outlines((outline,), 10, 8) == fill_box((x0, y0, x1, y1), 10, 8)


coordinate = st.floats(-3, 15, allow_nan=False)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(coordinate, coordinate), min_size=3, max_size=7))
def test_a_polygon_has_the_pixels_whose_centres_an_odd_number_of_edges_passes(
    corners: list[tuple[float, float]],
) -> None:
    filled = fill_outlines((tuple(corners),), 12, 10)
    pixels = np.zeros((10, 12), dtype=bool)
    if filled is not None:
        height, width = filled.pixels.shape
        pixels[filled.y : filled.y + height, filled.x : filled.x + width] = filled.pixels
    edges = list(zip(corners, corners[1:] + corners[:1], strict=True))
    expected = np.zeros_like(pixels)
    for row, column in np.ndindex(pixels.shape):
        x, y = column + 0.5, row + 0.5
        passed = 0
        for (ax, ay), (bx, by) in edges:
            if min(ay, by) <= y < max(ay, by):
                passed += ax + (y - ay) * ((bx - ax) / (by - ay)) <= x
        expected[row, column] = passed % 2
    if expected.any():
        assert np.array_equal(pixels, expected)
    else:
        assert pixels.sum() <= 1


def test_polygons_that_share_an_edge_share_no_pixel_and_leave_none() -> None:
    left = ((0.0, 0.0), (7.0, 0.0), (3.0, 9.0), (0.0, 9.0))
    right = ((7.0, 0.0), (12.0, 0.0), (12.0, 9.0), (3.0, 9.0))
    one, other = fill_outlines((left,), 12, 9), fill_outlines((right,), 12, 9)
    assert one is not None
    assert other is not None
    assert one.area + other.area == 12 * 9


def test_a_mask_that_reaches_beyond_the_photograph_is_cut() -> None:
    item = Annotation(kind="irma", box=(0, 0, 1, 1), mask=Mask(-1, -1, np.ones((3, 3), bool)))
    assert pixels_of(item, 5, 5) == Mask(0, 0, np.ones((2, 2), bool))
    far = Annotation(kind="irma", box=(0, 0, 1, 1), mask=Mask(9, 9, np.ones((3, 3), bool)))
    assert pixels_of(far, 5, 5) is None


def test_a_polygon_of_too_much_work_is_refused() -> None:
    zigzag = tuple((float(n % 90), 16_000.0 * (n % 2)) for n in range(2_000))
    with pytest.raises(UsageError, match="edges cross 31986000 rows, at most 10000000"):
        fill_outlines((zigzag,), 90, 16_000)


def test_an_overflow_of_crossings_does_not_matter() -> None:
    """Only whether their number is odd; 300 of them are in the same place."""
    twice = ((0.0, 0.0), (9.0, 0.0), (9.0, 9.0), (0.0, 9.0))
    once = fill_outlines((twice,), 9, 9)
    assert fill_outlines((twice * 301,), 9, 9) == once
    assert fill_outlines((twice * 300,), 9, 9) != once
