"""Metadata does not go into a pack; pixels, colours and orientation stay."""

from __future__ import annotations

import io
from contextlib import suppress

import numpy as np
import pytest
from PIL import Image, ImageCms, PngImagePlugin, TiffImagePlugin

from fundoscope.errors import PhotoError
from fundoscope.photo import decode
from fundoscope.train.pack.metadata import without_metadata

SECRET = "Doe^Jane"
PROFILE = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def exif(orientation: int) -> Image.Exif:
    block = Image.Exif()
    block[0x0112] = orientation
    block[0x010E] = SECRET  # the description
    block[0x013B] = SECRET  # the author
    block.get_ifd(0x8769)[0x9286] = SECRET.encode()  # the comment
    block.get_ifd(0x8825)[1] = SECRET
    return block


def photograph(kind: str, orientation: int) -> bytes:
    pixels = np.random.default_rng(1).integers(0, 255, (80, 120, 3), np.uint8)
    buffer = io.BytesIO()
    options: dict[str, object] = {"exif": exif(orientation), "icc_profile": PROFILE}
    if kind == "JPEG":
        options |= {"comment": SECRET, "progressive": True, "restart_marker_blocks": 4}
    elif kind == "PNG":
        text = PngImagePlugin.PngInfo()
        text.add_text("Patient", SECRET)
        text.add_itxt("Name", SECRET)
        options["pnginfo"] = text
    else:
        tags = TiffImagePlugin.ImageFileDirectory_v2()
        tags[270], tags[305], tags[700] = SECRET, SECRET, SECRET.encode()
        tags[50000] = SECRET
        tags[274] = orientation
        options = {"tiffinfo": tags, "icc_profile": PROFILE, "compression": "tiff_lzw"}
    Image.fromarray(pixels).save(buffer, kind, **options)
    return buffer.getvalue()


@pytest.mark.parametrize("orientation", [1, 3, 6])
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF"])
def test_metadata_go_and_the_picture_stays(kind: str, orientation: int) -> None:
    data = photograph(kind, orientation)
    assert SECRET.encode() in data
    cleaned = without_metadata(data, "a")
    assert SECRET.encode() not in cleaned
    before, after = decode.decode(data), decode.decode(cleaned)
    assert np.array_equal(before.pixels, after.pixels)
    assert before.pixels.shape == ((120, 80, 3) if orientation == 6 else (80, 120, 3))
    with Image.open(io.BytesIO(cleaned)) as image:
        image.load()
        assert image.info.get("icc_profile") == PROFILE
        assert image.getexif().get_ifd(0x8825) == {}
    assert without_metadata(cleaned, "a") == cleaned


def test_tiff_with_an_exif_directory() -> None:
    buffer = io.BytesIO()
    block = exif(1)
    Image.new("RGB", (80, 80), (200, 90, 40)).save(buffer, "TIFF", exif=block)
    data = buffer.getvalue()
    assert SECRET.encode() in data
    cleaned = without_metadata(data, "a")
    assert SECRET.encode() not in cleaned
    assert np.array_equal(decode.decode(data).pixels, decode.decode(cleaned).pixels)


def test_what_follows_a_jpeg_is_left_out() -> None:
    data = photograph("JPEG", 1)
    assert without_metadata(data + SECRET.encode(), "a") == without_metadata(data, "a")


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF"])
def test_damaged_files_are_refused(kind: str) -> None:
    data = photograph(kind, 1)
    for length in range(8, len(data) - 1, max(1, len(data) // 60)):
        cleaned = b""
        with suppress(PhotoError):
            cleaned = without_metadata(data[:length], "a.jpg")
        assert kind == "TIFF" or SECRET.encode() not in cleaned
    with pytest.raises(PhotoError, match="is damaged; store it again as PNG"):
        without_metadata(data[:100], "a.jpg")


def test_other_formats_stay() -> None:
    assert without_metadata(b"BM1234", "a.bmp") == b"BM1234"
