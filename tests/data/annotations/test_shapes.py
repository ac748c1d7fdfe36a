"""Ellipses as outlines."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from fundoscope.data.annotations.shapes import ellipse, extent


@settings(deadline=None)
@given(rx=st.floats(0, 300), ry=st.floats(0, 300), degrees=st.floats(-400, 400, allow_nan=False))
def test_an_ellipses_outline_lies_in_its_box_and_nearly_fills_it(
    rx: float, ry: float, degrees: float
) -> None:
    outline, box = ellipse(0.0, 0.0, rx, ry, degrees)
    inner = extent([outline])
    assert all(abs(a - b) <= 0.11 * 2 for a, b in zip(inner, box, strict=True))
    assert inner[0] >= box[0] - 1e-9
    assert inner[3] <= box[3] + 1e-9
