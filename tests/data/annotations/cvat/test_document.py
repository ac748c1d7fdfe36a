"""The run lengths of CVAT's masks."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from fundoscope.data.annotations.annotation import (
    Mask,
)
from fundoscope.data.annotations.cvat.document import runs


@settings(deadline=None)
@given(arrays(np.bool_, st.tuples(st.integers(1, 9), st.integers(1, 9))))
def test_run_lengths_begin_blank_and_cover_the_frame(pixels: NDArray[np.bool_]) -> None:
    if not pixels.any():
        return
    mask = Mask.of(pixels)
    lengths = runs(mask)
    flat = np.repeat(np.arange(len(lengths)) % 2 == 1, lengths)
    assert np.array_equal(flat.reshape(mask.pixels.shape), mask.pixels)
    assert min(lengths[1:]) > 0
