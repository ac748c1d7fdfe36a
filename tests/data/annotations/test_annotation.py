"""The form in the middle: masks cut out, and numbers that stay what they are."""

from __future__ import annotations

from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fundoscope.data.annotations import exact
from fundoscope.data.annotations.annotation import AnnotationSet, Mask
from fundoscope.data.annotations.yolo import relative

COORDINATES = st.floats(-1e6, 1e6)


def test_a_mask_is_cut_to_its_pixels() -> None:
    pixels = np.zeros((6, 8), dtype=bool)
    pixels[2:4, 3:7] = True
    mask = Mask.of(pixels, x=10, y=20)
    assert (mask.x, mask.y, mask.pixels.shape) == (13, 22, (2, 4))
    assert mask.box == (13, 22, 17, 24)
    assert mask.area == 8
    with pytest.raises(ValueError, match="the mask has no pixel"):
        Mask.of(np.zeros((2, 2), dtype=bool))


def test_masks_are_equal_by_place_and_pixels() -> None:
    one, other = (Mask(1, 2, np.array([[True, False]])) for _ in range(2))
    assert one == other
    assert hash(one) == hash(other)
    assert one != Mask(1, 3, one.pixels)
    assert one != Mask(1, 2, np.array([[True, True]]))
    assert one != "mask"


def test_warnings_are_not_part_of_what_is_compared() -> None:
    assert AnnotationSet(photos=(), warnings=("a",)) == AnnotationSet(photos=())


@given(COORDINATES, COORDINATES)
def test_what_is_added_and_subtracted_again_is_as_before(one: float, other: float) -> None:
    moved = exact.add(exact.decimal(one), exact.decimal(other))
    text = exact.plain(moved)
    assert "E" not in text
    assert float(exact.subtract(exact.parse(text), exact.decimal(other))) == one


@pytest.mark.parametrize(
    ("number", "text"),
    [("12", "12"), ("12.50", "12.5"), ("-0", "0"), ("1E-7", "0.0000001"), ("1E+2", "100")],
)
def test_numbers_are_written_plainly(number: str, text: str) -> None:
    assert exact.plain(Decimal(number)) == text


def test_the_shortest_number_of_an_interval() -> None:
    assert exact.simplest(Decimal("2676.9975"), Decimal("2677.0031")) == 2677
    assert exact.simplest(Decimal("0.121"), Decimal("0.139")) == 0.13
    assert exact.simplest(Decimal("1E-400"), Decimal("3E-400")) == 0


def test_a_number_too_near_to_a_whole_one_is_given_up_without_harm() -> None:
    assert float(relative.point_text(1e-300, 100)) == 0
    assert [float(text) for text in relative.span_text(1e-300, 50.0, 100)] == [0.25, 0.5]
