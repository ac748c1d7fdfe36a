"""COCO's run-length encoding."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from fundoscope.data.annotations.annotation import (
    Mask,
)
from fundoscope.data.annotations.coco import rle

SHAPES = st.tuples(st.integers(1, 40), st.integers(1, 40))


PIXELS = arrays(np.bool_, SHAPES)


@given(PIXELS)
def test_runs_come_back(pixels: np.ndarray) -> None:
    height, width = pixels.shape
    if not pixels.any():
        assert rle.decode([width * height], width, height) is None
        return
    mask = Mask.of(pixels)
    counts = rle.encode(mask, width, height)
    assert counts.sum() == width * height
    np.testing.assert_array_equal(rle.decompress(rle.compress(counts)), counts)
    assert rle.decode(rle.compress(counts), width, height) == mask
    assert rle.decode(counts.tolist(), width, height) == mask


@given(st.lists(st.integers(0, 2**30), min_size=1, max_size=30))
def test_counts_of_any_size_come_back(counts: list[int]) -> None:
    assert rle.decompress(rle.compress(np.array(counts))).tolist() == counts


def test_an_empty_text_has_no_counts() -> None:
    assert rle.decompress("").tolist() == []


@given(PIXELS.filter(lambda pixels: bool(pixels.any())))
def test_runs_are_those_of_pycocotools(pixels: np.ndarray) -> None:
    reference = pytest.importorskip("pycocotools.mask")
    height, width = pixels.shape
    theirs = reference.encode(np.asfortranarray(pixels.astype(np.uint8)))["counts"].decode()
    assert rle.compress(rle.encode(Mask.of(pixels), width, height)) == theirs
