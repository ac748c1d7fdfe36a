"""What the structure of a picture states is checked before anything is allocated for it."""

from __future__ import annotations

import io
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from fundoscope import limits
from fundoscope.errors import PhotoError
from fundoscope.photo.strips import ROWS, rgb
from fundoscope.photo.structure.check import check
from fundoscope.photo.structure.source import InMemory, OnDisk


def picture(kind: str, mode: str = "RGB", **options: Any) -> bytes:
    noise = np.random.default_rng(1).integers(0, 255, (90, 120, 3), np.uint8)
    stream = io.BytesIO()
    Image.fromarray(noise).convert(mode).save(stream, kind, **options)
    return stream.getvalue()


def code(data: bytes, *, is_photograph: bool = True) -> str:
    """The code of the refusal; empty if there is none."""
    try:
        check(InMemory("x", data), is_photograph=is_photograph)
    except PhotoError as error:
        return error.code
    return ""


@pytest.mark.parametrize(
    "data",
    [
        picture("JPEG"),
        picture("JPEG", progressive=True),
        picture("JPEG", "L"),
        picture("JPEG", comment=b"\xff\xd9" * 40, icc_profile=b"p" * 200_000),
        picture("PNG"),
        picture("PNG", "P"),
        picture("TIFF"),
        picture("TIFF", big_tiff=True),
        picture("TIFF", compression="jpeg"),
        picture("TIFF", tiffinfo={700: b"x" * 100_000}),
        picture("BMP"),
        picture("GIF"),
        b"",
        b"\xff\xd8\xff",
        b"II*\0",
    ],
)
def test_usual_files_pass(data: bytes, tmp_path: Path) -> None:
    assert code(data) == ""
    (tmp_path / "x").write_bytes(data)
    with (tmp_path / "x").open("rb") as stream:
        source = OnDisk("x", stream)
        check(source)
        assert source.whole() == data
        assert source.size == len(data)


def test_a_progressive_file_with_a_second_picture_behind_it_passes() -> None:
    """Some cameras put pictures behind the first, each with its own scans."""
    one = picture("JPEG", progressive=True)
    assert code(one + one * 20) == ""


def test_scans_are_counted_over_tables_and_comments(monkeypatch: pytest.MonkeyPatch) -> None:
    data = picture("JPEG", progressive=True)
    comment = b"\xff\xfe\x00\x06\xff\xda\xff\xda"
    place = data.index(b"\xff\xda")
    monkeypatch.setattr(limits, "MAX_JPEG_SCANS", 10)
    assert code(data) == ""
    assert code(data[:place] + comment * 10 + data[place:]) == ""
    monkeypatch.setattr(limits, "MAX_JPEG_SCANS", 9)
    assert code(data) == "too_complex"


def test_the_work_of_scans_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "MAX_JPEG_BLOCK_VISITS", 400)
    assert code(picture("JPEG", progressive=True)) == "too_complex"
    monkeypatch.setattr(limits, "MAX_JPEG_COEFFICIENTS", 400)
    assert code(picture("JPEG", progressive=True)) == "too_large"
    assert code(picture("JPEG")) == ""


def test_a_jpeg_of_arithmetic_code_is_refused() -> None:
    """libjpeg reads zeros beyond the end of a cut one, without a word."""
    assert code(picture("JPEG").replace(b"\xff\xc0", b"\xff\xc9", 1)) == "unsupported"


@pytest.mark.parametrize(
    "frame",
    [b"\xff\xc0\x00\x04\x08\x00", b"\xff\xc0\x00\x0b\x08\x00\x00\x00\x00\x01\x01\x11\x00"],
)
def test_a_frame_that_no_decoder_takes_is_left_to_it(frame: bytes) -> None:
    assert code(b"\xff\xd8" + frame + b"\xff\xda\x00\x08\x01\x01\x00\x00\x3f\x00") == ""


def test_a_segment_without_length_is_damage() -> None:
    assert code(b"\xff\xd8\xff\xe0\x00\x01") == "truncated"
    assert code(b"\xff\xd8\xff\xe0\x00") == ""
    assert code(b"\xff\xd8\xff\x01\xff\xd9") == ""


def test_dense_masks_are_read_and_dense_photographs_are_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    stream = io.BytesIO()
    Image.new("L", (2_000, 2_000)).save(stream, "PNG")
    assert code(stream.getvalue()) == ""
    monkeypatch.setattr(limits, "DENSITY_FREE_BYTES", 2**20)
    assert code(stream.getvalue()) == "too_complex"
    assert code(stream.getvalue(), is_photograph=False) == ""


def test_a_png_of_many_chunks_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "MAX_PNG_CHUNKS", 2)
    assert code(picture("PNG")) == "too_complex"


def test_a_short_header_of_png_is_left_to_the_decoder() -> None:
    assert code(b"\x89PNG\r\n\x1a\n" + struct.pack(">I4s", 3, b"IHDR") + b"\0" * 7) == ""


def test_pages_of_a_tiff_are_bounded() -> None:
    stream = io.BytesIO()
    first, *rest = [Image.new("L", (64, 64))] * (limits.MAX_TIFF_PAGES + 1)
    first.save(stream, "TIFF", save_all=True, append_images=rest)
    assert code(stream.getvalue()) == "animated"


def test_big_endian_big_tiff_is_checked_as_pillow_and_as_libtiff_read_it() -> None:
    data = b"MM\0+" + struct.pack(">HHQQ", 8, 0, 16, 2**40) + bytes(64)
    assert code(data) == "too_complex"


@pytest.mark.parametrize("mode", ["RGB", "L", "P", "1", "RGBA"])
def test_strips_are_the_whole(mode: str) -> None:
    noise = np.random.default_rng(1).integers(0, 255, (ROWS + 5, 33, 3), np.uint8)
    image = Image.fromarray(noise).convert(mode)
    assert np.array_equal(rgb(image), np.asarray(image.convert("RGB")))
