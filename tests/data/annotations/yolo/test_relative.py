"""Fractions of a photograph to pixels, and back without loss."""

from __future__ import annotations

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from fundoscope.data.annotations.yolo import relative

PIXELS = st.sampled_from([97, 224, 2848, 4288, 16384])


PARTS = st.one_of(
    st.floats(0, 1, allow_subnormal=False, width=32),
    st.floats(1e-6, 1),
    st.decimals(0, 1, places=3).map(float),
)


def test_boxes_drawn_on_whole_pixels_come_back_whole_from_six_decimals() -> None:
    for low, high in ((2677, 2693), (0, 1), (4287, 4288), (13, 1971)):
        centre, size = (low + high) / 2 / 4288, (high - low) / 4288
        texts = (Decimal(f"{centre:.6f}"), Decimal(f"{size:.6f}"))
        assert relative.span(*texts, 4288) == (low, high)
        printed = (Decimal(repr(centre)), Decimal(repr(size)))
        assert relative.span(*printed, 4288) == (low, high)


@given(PARTS, PARTS, PIXELS)
def test_every_span_and_point_comes_back(one: float, other: float, pixels: int) -> None:
    low, high = sorted((one * pixels, other * pixels))
    centre, size = relative.span_text(low, high, pixels)
    assert relative.span(Decimal(centre), Decimal(size), pixels) == (low, high)
    assert relative.point(Decimal(relative.point_text(low, pixels)), pixels) == low
    assert abs(float(centre) * pixels - (low + high) / 2) < 1e-2
