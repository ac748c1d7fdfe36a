"""Arrays are reduced as libjpeg-turbo reduces a JPEG."""

from __future__ import annotations

import numpy as np
import pytest
import simplejpeg

from fundoscope import phantom
from fundoscope.phantom import PhantomSpec
from fundoscope.photo import decode, scales


@pytest.fixture(scope="module")
def jpeg() -> bytes:
    pixels = phantom.draw(PhantomSpec(seed=5, width=813, height=602, grade=3))[0]
    encoded: bytes = simplejpeg.encode_jpeg(pixels, quality=90, colorsubsampling="444")
    return encoded


@pytest.mark.parametrize("eighths", range(1, 9))
def test_as_libjpeg_does(jpeg: bytes, eighths: int) -> None:
    full = simplejpeg.decode_jpeg(jpeg, "RGB")
    height, width = (scales.side(length, eighths) for length in full.shape[:2])
    theirs = simplejpeg.decode_jpeg(jpeg, "RGB", min_height=height, min_width=width)
    ours = scales.reduced(full, eighths)
    assert ours.shape == theirs.shape
    assert ours.dtype == np.uint8
    assert np.abs(ours.astype(int) - theirs).mean() < 0.5


@pytest.mark.parametrize("eighths", range(1, 9))
@pytest.mark.parametrize("shape", [(64, 64), (65, 71), (600, 64)])
def test_an_even_picture_stays_even(eighths: int, shape: tuple[int, int]) -> None:
    small = scales.reduced(np.full((*shape, 3), 137, np.uint8), eighths)
    assert small.shape == (scales.side(shape[0], eighths), scales.side(shape[1], eighths), 3)
    assert (small == 137).all()


@pytest.mark.parametrize(
    ("size", "min_side", "eighths"),
    [((800, 600), None, 8), ((800, 600), 600, 8), ((800, 600), 75, 1), ((800, 600), 76, 2),
     ((600, 800), 1, 1), ((64, 64), 1000, 8)],
)  # fmt: skip
def test_the_scale_is_the_smallest_that_is_large_enough(
    size: tuple[int, int], min_side: int | None, eighths: int
) -> None:
    assert scales.wanted(size, min_side) == eighths


def test_only_a_very_large_jpeg_is_decoded_at_the_scale() -> None:
    assert scales.decoded((4288, 2848), 1) == 1
    assert scales.decoded((3504, 2336), 2) == scales.BLOCK


def test_decoded_at_either_place_the_map_is_the_same(
    jpeg: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours = decode.decode(jpeg, min_side=200)
    monkeypatch.setattr(scales, "MAX_EXACT_PIXELS", 0)
    theirs = decode.decode(jpeg, min_side=200)
    assert ours.pixels.shape == theirs.pixels.shape
    assert ours.to_pixels.point(300.0, 200.0) == pytest.approx(theirs.to_pixels.point(300.0, 200.0))
