"""Connected components, specks and seams."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray
from scipy import ndimage

from fundoscope.data.annotations.annotation import (
    Mask,
)
from fundoscope.data.annotations.masks.components import Rules, components

Pixels = NDArray[np.bool_]


def test_a_seam_joins_what_it_parts() -> None:
    row = np.array([[1, 1, 0, 1, 0, 0, 1]], dtype=bool)
    counts = [len(components(row, Rules(seam=seam)).objects) for seam in range(4)]
    assert counts == [3, 2, 1, 1]
    assert [len(components(row.T, Rules(seam=seam)).objects) for seam in range(4)] == counts
    whole = components(row, Rules(seam=2)).objects[0]
    assert whole == Mask.of(row)
    corners = np.array([[1, 0, 0], [0, 0, 0], [0, 0, 1]], dtype=bool)
    assert len(components(corners, Rules(seam=1)).objects) == 1


@pytest.mark.parametrize("rules", [{"min_pixels": 0}, {"seam": -1}])
def test_rules_that_make_no_sense(rules: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="at least"):
        Rules(**rules)


some_pixels = arrays(np.bool_, st.tuples(st.integers(1, 12), st.integers(1, 12)))


@settings(deadline=None)
@given(pixels=some_pixels, seam=st.integers(0, 3))
def test_components_part_the_pixels_and_no_two_touch(pixels: Pixels, seam: int) -> None:
    parts = components(pixels, Rules(seam=seam)).objects
    total = np.zeros(pixels.shape, dtype=int)
    for number, mask in enumerate(parts, start=1):
        height, width = mask.pixels.shape
        part = total[mask.y : mask.y + height, mask.x : mask.x + width]
        assert not part[mask.pixels].any()
        part[mask.pixels] = number
        assert mask.box == (mask.x, mask.y, mask.x + width, mask.y + height)
    assert np.array_equal(total > 0, pixels)
    for number in range(1, len(parts) + 1):
        near = ndimage.binary_dilation(total == number, np.ones((2 * seam + 3,) * 2))
        assert not (near & pixels & (total != number)).any()
    firsts = [int(np.flatnonzero(total == number)[0]) for number in range(1, len(parts) + 1)]
    assert firsts == sorted(firsts)
