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


@pytest.mark.parametrize("eighths", [1, 2, 4])
def test_a_jpeg_of_any_size_is_averaged_like_an_array(eighths: int) -> None:
    assert scales.decoded((4288, 2848), eighths) == scales.BLOCK


@pytest.mark.parametrize("eighths", [1, 2, 4])
@pytest.mark.parametrize("turned", [False, True])
def test_four_bytes_a_pixel_give_the_same_averages_as_three(
    jpeg: bytes, eighths: int, turned: bool
) -> None:
    three, four = (simplejpeg.decode_jpeg(jpeg, colours) for colours in ("RGB", scales.PADDED))
    if turned:
        three, four = (np.ascontiguousarray(np.rot90(pixels)) for pixels in (three, four))
    assert np.array_equal(scales.reduced(four, eighths), scales.reduced(three, eighths))


def test_only_averages_are_made_of_four_bytes_a_pixel() -> None:
    wanted = [eighths for eighths in range(1, 9) if scales.takes_padded(scales.BLOCK, eighths)]
    assert wanted == [1, 2, 4]
    assert not scales.takes_padded(4, 4)


def test_only_a_very_large_jpeg_is_decoded_at_the_other_scales() -> None:
    assert scales.decoded((4288, 2848), 5) == 5
    assert scales.decoded((3504, 2336), 5) == scales.BLOCK


@pytest.mark.parametrize("min_side", [100, 200, 352])
def test_a_very_large_jpeg_and_its_array_give_equal_pixels(min_side: int) -> None:
    pixels = phantom.draw(PhantomSpec(seed=5, width=813, height=602, grade=3))[0]
    large = np.tile(pixels, (6, 5, 1))
    assert large.shape[0] * large.shape[1] > scales.MAX_EXACT_PIXELS
    content = simplejpeg.encode_jpeg(large, quality=90, colorsubsampling="420")
    by_file = decode.decode(content, min_side=min_side)
    by_array = decode.from_array(simplejpeg.decode_jpeg(content, "RGB"), min_side=min_side)
    assert np.array_equal(by_file.pixels, by_array.pixels)
    assert by_file.to_pixels == by_array.to_pixels


def test_decoded_at_either_place_the_map_is_the_same(
    jpeg: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours = decode.decode(jpeg, min_side=350)
    monkeypatch.setattr(scales, "MAX_EXACT_PIXELS", 0)
    theirs = decode.decode(jpeg, min_side=350)
    assert ours.pixels.shape == theirs.pixels.shape
    assert ours.to_pixels.point(300.0, 200.0) == pytest.approx(theirs.to_pixels.point(300.0, 200.0))
