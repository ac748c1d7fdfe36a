"""Damaged bytes are refused or read; nothing else comes out, however the damage was done."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from fundoscope.errors import PhotoError
from fundoscope.photo.decode import Photo, decode

CODES = {
    "empty", "not_an_image", "unsupported", "animated", "too_large", "too_complex", "too_small",
    "cmyk", "truncated", "unsupported_mode",
}  # fmt: skip


def _picture(kind: str, mode: str = "RGB", **options: Any) -> bytes:
    noise = np.random.default_rng(7).integers(60, 160, (72, 96, 3), dtype=np.uint8)
    buffer = io.BytesIO()
    picture = Image.fromarray(noise)
    if mode == "I;16":
        picture = Image.fromarray(noise[..., 0].astype(np.uint16) * 200)
    elif mode != "RGB":
        picture = picture.convert(mode)
    picture.save(buffer, kind, **options)
    return buffer.getvalue()


def _exif() -> Image.Exif:
    exif = Image.Exif()
    exif[0x0112] = 6
    exif[0x010E] = "right eye"
    return exif


def _frames(kind: str) -> bytes:
    buffer = io.BytesIO()
    one, two = (Image.new("RGB", (96, 72), colour) for colour in ("red", "blue"))
    one.save(buffer, kind, save_all=True, append_images=[two])
    return buffer.getvalue()


SEEDS = {
    "jpeg": _picture("JPEG"),
    "progressive": _picture("JPEG", progressive=True),
    "turned": _picture("JPEG", exif=_exif()),
    "grey jpeg": _picture("JPEG", "L"),
    "several jpeg": _frames("MPO"),
    "png": _picture("PNG"),
    "palette": _picture("PNG", "P"),
    "transparent": _picture("PNG", "RGBA"),
    "deep png": _picture("PNG", "I;16"),
    "turned png": _picture("PNG", exif=_exif()),
    "moving png": _frames("PNG"),
    "tiff": _picture("TIFF"),
    "deep tiff": _picture("TIFF", "I;16"),
    "lzw": _picture("TIFF", compression="tiff_lzw"),
    "deflate": _picture("TIFF", compression="tiff_adobe_deflate"),
    "fax": _picture("TIFF", "1", compression="group4"),
    "jpeg in tiff": _picture("TIFF", compression="jpeg"),
    "pages": _frames("TIFF"),
    "gif": _picture("GIF", "P"),
}


def decoded(data: bytes, *, min_side: int | None = None) -> Photo | PhotoError:
    """What comes out of the decoder: a photograph or a refusal; anything else fails the test."""
    try:
        return decode(data, name="eye.jpg", min_side=min_side)
    except PhotoError as refusal:
        return refusal


def expect_pixels_or_refusal(data: bytes, *, min_side: int | None = None) -> None:
    came = decoded(data, min_side=min_side)
    if isinstance(came, PhotoError):
        assert came.code in CODES
        assert str(came).startswith("eye.jpg: ")
        assert len(str(came).splitlines()) == 1
    else:
        assert came.pixels.dtype == np.uint8
        assert came.pixels.ndim == 3
        assert came.pixels.shape[2] == 3
        assert came.pixels.size > 0


@pytest.mark.parametrize("name", SEEDS)
@settings(max_examples=60, deadline=None)
@given(
    flips=st.lists(st.tuples(st.integers(0, 2**20), st.integers(1, 255)), min_size=1, max_size=24),
    near_start=st.booleans(),
    min_side=st.sampled_from([None, 64]),
)
def test_flipped_bytes(
    name: str, flips: list[tuple[int, int]], near_start: bool, min_side: int | None
) -> None:
    data = bytearray(SEEDS[name])
    for where, change in flips:
        data[where % (min(len(data), 300) if near_start else len(data))] ^= change
    expect_pixels_or_refusal(bytes(data), min_side=min_side)


@pytest.mark.parametrize("name", SEEDS)
@settings(max_examples=25, deadline=None)
@given(share=st.floats(0, 1), tail=st.binary(max_size=32))
def test_cut_short_and_followed_by_something(name: str, share: float, tail: bytes) -> None:
    data = SEEDS[name]
    expect_pixels_or_refusal(data[: round(share * len(data))] + tail)


@settings(max_examples=200, deadline=None)
@given(
    start=st.sampled_from(
        [b"", b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"II*\0", b"MM\0*", b"GIF89a", b"BM", b"RIFF"]
    ),
    rest=st.binary(max_size=600),
)
def test_anything_at_all(start: bytes, rest: bytes) -> None:
    expect_pixels_or_refusal(start + rest)


@pytest.mark.parametrize("name", ["jpeg", "progressive", "turned", "grey jpeg"])
@pytest.mark.parametrize("share", [0.3, 0.6, 0.9, 0.99])
def test_a_jpeg_cut_short_is_never_read(name: str, share: float) -> None:
    """Ordinary viewers show such a file with a grey rest; a grade from it would be false."""
    data = SEEDS[name]
    with pytest.raises(PhotoError) as refusal:
        decode(data[: int(share * len(data))])
    assert refusal.value.code == "truncated"


@pytest.mark.parametrize("name", ["png", "palette", "deep png", "tiff", "lzw", "deflate"])
@pytest.mark.parametrize("share", [0.3, 0.6, 0.9])
def test_a_png_or_tiff_cut_short_is_never_read(name: str, share: float) -> None:
    data = SEEDS[name]
    with pytest.raises(PhotoError):
        decode(data[: int(share * len(data))])


def test_threads_do_not_disturb_each_other() -> None:
    from concurrent.futures import ThreadPoolExecutor

    def outcome(name: str) -> Any:
        came = decoded(SEEDS[name])
        return came.code if isinstance(came, PhotoError) else came.pixels.sum()

    alone = [outcome(name) for name in SEEDS] * 20
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(outcome, list(SEEDS) * 20)) == alone
