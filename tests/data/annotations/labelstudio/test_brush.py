"""Label Studio's run-length code."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from fundoscope.data.annotations.annotation import (
    Mask,
)
from fundoscope.data.annotations.labelstudio import brush

SIZES = (3, 4, 8, 16)
"""Bits of a length in the run-length code."""


@pytest.fixture(scope="module")
def converter() -> Any:
    """Label Studio's own functions for brush strokes."""
    return pytest.importorskip("label_studio_converter.brush")


some_pixels = arrays(np.bool_, st.tuples(st.integers(1, 12), st.integers(1, 12)))


@settings(deadline=None)
@given(pixels=some_pixels)
def test_the_code_there_and_back(pixels: NDArray[np.bool_]) -> None:
    height, width = pixels.shape
    if pixels.any():
        mask = Mask.of(pixels)
        assert brush.decode(bytes(brush.encode(mask, width, height)), width, height) == mask


@settings(deadline=None)
@given(pixels=some_pixels)
def test_our_code_is_the_converters_bit_by_bit(converter: Any, pixels: NDArray[np.bool_]) -> None:
    if not pixels.any():
        return
    height, width = pixels.shape
    code = brush.encode(Mask.of(pixels), width, height)
    assert code == converter.mask2rle(pixels.astype(np.uint8) * 255)
    decoded = converter.decode_rle(code).reshape(height, width, 4)[..., 3] > 0
    assert np.array_equal(decoded, pixels)


@settings(deadline=None)
@given(
    values=arrays(np.uint8, st.tuples(st.integers(1, 9), st.integers(1, 9), st.just(4))),
    sizes=st.just([3, 4, 8, 16]),
)
def test_any_picture_of_the_converter_is_read_by_its_alpha(
    converter: Any, values: NDArray[np.uint8], sizes: list[int]
) -> None:
    code = converter.encode_rle(values.ravel(), rle_sizes=sizes)
    painted = values[..., 3] > 0
    expected = Mask.of(painted) if painted.any() else None
    assert brush.decode(bytes(code), values.shape[1], values.shape[0]) == expected


def test_values_that_are_not_repeated_may_stand_in_one_piece() -> None:
    # Two pixels: 8 values of 8 bits in one piece that is not repeated.
    bits = f"{8:032b}{7:05b}" + "".join(f"{size - 1:04b}" for size in SIZES)
    bits += "0" + "00" + f"{7:03b}" + "".join(f"{value:08b}" for value in (9, 9, 9, 0, 0, 0, 0, 5))
    bits += "0" * (-len(bits) % 8)
    code = int(bits, 2).to_bytes(len(bits) // 8, "big")
    assert brush.decode(code, 2, 1) == Mask(1, 0, np.ones((1, 1), dtype=bool))


def test_a_piece_longer_than_the_picture() -> None:
    bits = f"{4:032b}{7:05b}" + "".join(f"{size - 1:04b}" for size in SIZES)
    bits += "1" + "00" + f"{7:03b}" + f"{255:08b}" + "0" * 20
    code = int(bits + "0" * (-len(bits) % 8), 2).to_bytes(-(-len(bits) // 8), "big")
    with pytest.raises(ValueError, match="longer than the picture"):
        brush.decode(code, 1, 1)


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=60))
def test_any_bytes_are_a_picture_or_an_error(code: bytes) -> None:
    with suppress(ValueError):
        mask = brush.decode((4).to_bytes(4, "big") + code, 1, 1)
        assert mask is None or mask.area == 1
