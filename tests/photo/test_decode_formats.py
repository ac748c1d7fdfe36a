"""Turned, deep and odd files become the picture that their makers meant, or are refused."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageOps

from fundoscope.errors import PhotoError
from fundoscope.photo.decode import decode, decode_file

ORIENTATION = 0x0112


def marked() -> np.ndarray:
    """A picture that looks different however it is turned or mirrored, ``uint8 (80, 112, 3)``."""
    pixels = np.zeros((80, 112, 3), np.uint8)
    pixels[:16, :48] = (255, 0, 0)
    pixels[64:, :16] = (0, 255, 0)
    return pixels


def saved(picture: Image.Image, kind: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, kind, **options)
    return buffer.getvalue()


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize(
    ("kind", "options"),
    [("JPEG", {"quality": 95, "subsampling": 0}), ("PNG", {}), ("TIFF", {}),
     ("TIFF", {"compression": "tiff_lzw"})],
)  # fmt: skip
def test_every_orientation_is_applied_once(kind: str, options: dict, orientation: int) -> None:
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    data = saved(Image.fromarray(marked()), kind, exif=exif, **options)
    meant = np.asarray(ImageOps.exif_transpose(Image.open(io.BytesIO(data))).convert("RGB"))
    photo = decode(data)
    assert photo.pixels.shape == meant.shape
    assert np.abs(photo.pixels.astype(int) - meant).mean() < 3
    assert (photo.facts.height, photo.facts.width) == meant.shape[:2]


def png(values: np.ndarray, colour_type: int) -> bytes:
    """A 16-bit PNG of ``uint16 (H, W)`` (type 0) or ``(H, W, 3)`` (type 2)."""
    height, width = values.shape[:2]
    lines = b"".join(b"\0" + line.astype(">u2").tobytes() for line in values)

    def chunk(name: bytes, body: bytes) -> bytes:
        return (
            struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))
        )

    header = struct.pack(">IIBBBBB", width, height, 16, colour_type, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        chunk(name, body)
        for name, body in ((b"IHDR", header), (b"IDAT", zlib.compress(lines)), (b"IEND", b""))
    )


def tiff16(values: np.ndarray, *, planes: bool = False) -> bytes:
    """A little-endian 16-bit RGB TIFF of ``uint16 (H, W, 3)``, by pixel or by plane."""
    height, width = values.shape[:2]
    body = (values.transpose(2, 0, 1) if planes else values).astype("<u2").tobytes()
    strips, strip = (3, len(body) // 3) if planes else (1, len(body))
    start = 8 + 2 + 10 * 12 + 4
    extra = start + 6
    first = extra + (8 * strips if strips > 1 else 0)
    offsets = [first + strip * k for k in range(strips)]
    entries = [
        (256, 4, 1, width), (257, 4, 1, height), (258, 3, 3, start), (259, 3, 1, 1),
        (262, 3, 1, 2), (273, 4, strips, extra if planes else first), (277, 3, 1, 3),
        (278, 4, 1, height), (279, 4, strips, extra + 4 * strips if planes else strip),
        (284, 3, 1, 2 if planes else 1),
    ]  # fmt: skip
    head = b"II*\0" + struct.pack("<IH", 8, len(entries))
    head += b"".join(struct.pack("<HHII", *entry) for entry in entries) + struct.pack("<I", 0)
    head += struct.pack("<HHH", 16, 16, 16)
    if planes:
        head += struct.pack(f"<{2 * strips}I", *offsets, *[strip] * strips)
    return head + body


DEEP = np.random.default_rng(5).integers(0, 2**16, (72, 96, 3), dtype=np.uint16)


@pytest.mark.parametrize("data", [png(DEEP, 2), tiff16(DEEP)], ids=["png", "tiff"])
def test_16_bit_colour_is_reduced_and_said(data: bytes) -> None:
    photo = decode(data)
    assert np.abs(photo.pixels.astype(int) - (DEEP >> 8)).max() <= 1
    assert "16-bit colours were reduced to their upper 8 bits" in photo.warnings


def test_16_bit_planes_are_refused_rather_than_garbled() -> None:
    with pytest.raises(PhotoError, match="16-bit TIFF in separate planes") as refusal:
        decode(tiff16(DEEP, planes=True))
    assert refusal.value.code == "unsupported_mode"


def test_16_bit_grey_is_stretched_and_said() -> None:
    dark = (DEEP[..., 0] >> 8) + 1000  # of 65,535: black, were the upper byte taken
    photo = decode(png(dark, 0))
    assert photo.pixels.min() == 0
    assert photo.pixels.max() == 255
    assert len(photo.warnings) == 2


@pytest.mark.parametrize("mode", ["L", "LA", "1"])
def test_grey_is_said(mode: str) -> None:
    photo = decode(saved(Image.fromarray(marked()).convert(mode), "PNG"))
    assert any("no colour" in warning for warning in photo.warnings)


def test_transparency_is_said() -> None:
    photo = decode(saved(Image.fromarray(marked()).convert("RGBA"), "PNG"))
    assert photo.warnings == ("the photograph's transparency was ignored",)


def test_of_a_file_with_further_pictures_behind_it_the_first_is_read() -> None:
    one, two = Image.fromarray(marked()), Image.new("RGB", (112, 80), "white")
    photo = decode(saved(one, "MPO", save_all=True, append_images=[two]))
    assert photo.pixels.mean() < 128


def test_names_that_are_no_text_become_text(tmp_path: Path) -> None:
    path = tmp_path / "\udcff.png"
    path.write_bytes(saved(Image.fromarray(marked()), "PNG"))
    assert decode_file(path).facts.name == "\\udcff.png"
