"""Turned, deep and odd files become the picture that their makers meant, or are refused."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageOps

from fundoscope.errors import PhotoError
from fundoscope.photo import sources
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
    assert len(photo.warnings) == 1


@pytest.mark.parametrize("mode", ["L", "LA", "1"])
def test_grey_is_read_without_a_warning_of_its_own(mode: str) -> None:
    """The field finder says that there is no colour; two warnings would contradict each other."""
    photo = decode(saved(Image.fromarray(marked()).convert(mode), "PNG"))
    assert not any("colour" in warning or "grey" in warning for warning in photo.warnings)
    assert (photo.pixels[..., 0] == photo.pixels[..., 1]).all()


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


BITS = {8: 0, 10: 2, 12: 4, 14: 6, 16: 8}
SMOOTH = np.asarray(Image.fromarray(DEEP.astype(np.uint8)).resize((96, 72))) // 2 + 100


@pytest.mark.parametrize("bits", BITS)
@pytest.mark.parametrize("make", [lambda v: png(v, 2), tiff16], ids=["png", "tiff"])
def test_a_sensors_bits_in_16_look_as_they_do_in_8(bits: int, make: Callable) -> None:
    """A 12-bit photograph in 16 bits was read nearly black, and severe became mild."""
    photo = decode(make(SMOOTH.astype(np.uint16) << BITS[bits]))
    assert np.abs(photo.pixels.astype(int) - SMOOTH).max() <= 1
    said = f"{bits} bits are in use" if bits < 16 else "16-bit colours were reduced"
    assert any(said in warning for warning in photo.warnings)


def test_12_bits_in_a_compressed_tiff() -> None:
    tifffile = pytest.importorskip("tifffile")
    stream = io.BytesIO()
    values = SMOOTH.astype(np.uint16) << 4
    tifffile.imwrite(stream, values, photometric="rgb", compression="zlib")
    assert np.abs(decode(stream.getvalue()).pixels.astype(int) - SMOOTH).max() <= 1


def test_12_bits_with_transparency_and_interlaced() -> None:
    alpha = np.full((*SMOOTH.shape[:2], 1), 65535, np.uint16)
    data = png(np.concatenate([SMOOTH.astype(np.uint16) << 4, alpha], axis=2), 6)
    assert np.abs(decode(data).pixels.astype(int) - SMOOTH).max() <= 1


def test_a_genuine_but_dark_16_bit_photograph_stays_dark() -> None:
    photo = decode(png((SMOOTH.astype(np.uint16) << 8) // 3, 2))
    assert np.abs(photo.pixels.astype(int) - SMOOTH // 3).max() <= 1


def dicom(*, preamble: bool = True) -> bytes:
    """The start of a DICOM file."""
    start = b"\0" * 128 + b"DICM" if preamble else b""
    return start + b"\x02\x00\x00\x00UL\x04\x00" + b"\0" * 400


@pytest.mark.parametrize(
    ("data", "code", "why", "remedy"),
    [
        (dicom(), "unsupported", "is a DICOM file", "export the photograph"),
        (dicom(preamble=False), "unsupported", "is a DICOM file", "export the photograph"),
        (b"\0\0\0\x18ftypheic" + b"\0" * 90, "unsupported", "is HEIC", "store it as JPEG"),
        (b"\0\0\0\x1cftypavif" + b"\0" * 90, "unsupported", "is AVIF", "store it as JPEG"),
        (b"\0\0\0\x0cjP  \r\n\x87\n" + b"\0" * 90, "unsupported", "is JPEG 2000", "JPEG"),
        (b"%PDF-1.7\n" + b"\0" * 90, "not_an_image", "a PDF document", "export the photograph"),
        (b"PK\x03\x04" + b"\0" * 90, "not_an_image", "a ZIP archive", "unpack it"),
        (b"\n<!DOCTYPE html><p>Log in", "not_an_image", "a web page", "download"),
        (b"version https://git-lfs.github.com/spec/v1\n", "not_an_image", "Git LFS", "git lfs"),
        (b"\0" * 900, "not_an_image", "is not an image", "give a JPEG"),
    ],
    ids=lambda value: value[:20] if isinstance(value, str) else "",
)
def test_other_files_are_named_for_what_they_are(
    data: bytes, code: str, why: str, remedy: str
) -> None:
    with pytest.raises(PhotoError) as refusal:
        decode(data)
    assert refusal.value.code == code
    assert why in refusal.value.why
    assert remedy in refusal.value.remedy


@pytest.mark.parametrize("share", [0.01, 0.5, 0.99])
def test_a_tiff_whose_directory_was_cut_off_is_damaged(share: float) -> None:
    """Libtiff writes the directory last, so a cut file has none."""
    buffer = io.BytesIO()
    Image.fromarray(SMOOTH).save(buffer, "TIFF", compression="tiff_lzw")
    data = buffer.getvalue()
    with pytest.raises(PhotoError) as refusal:
        decode(data[: int(share * len(data))])
    assert refusal.value.code == "truncated"
    assert "copy it again" in refusal.value.remedy


@pytest.mark.parametrize("form", ["JPEG", "PNG"])
def test_a_file_that_was_cut_within_its_header_is_damaged(form: str) -> None:
    buffer = io.BytesIO()
    Image.fromarray(SMOOTH).save(buffer, form)
    for length in (13, 20, 89):
        with pytest.raises(PhotoError) as refusal:
            decode(buffer.getvalue()[:length])
        assert refusal.value.code == "truncated"


def test_a_whole_tiff_of_a_rare_kind_is_not_called_damaged() -> None:
    buffer = io.BytesIO()
    Image.fromarray(SMOOTH).save(buffer, "TIFF")
    data = bytearray(buffer.getvalue())
    place = data.index(b"\x06\x01\x03\x00\x01\x00\x00\x00")  # the kind of colours
    data[place + 8] = 99
    with pytest.raises(PhotoError) as refusal:
        decode(bytes(data))
    assert (refusal.value.code, refusal.value.remedy) == ("unsupported", "store it as 8-bit RGB")


def test_only_the_parsers_that_are_meant_are_offered_a_file(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from PIL import GifImagePlugin

    def reached(*_: object) -> None:
        raise AssertionError("a parser that is not meant was offered a file")

    monkeypatch.setattr(GifImagePlugin.GifImageFile, "_open", reached)
    with pytest.raises(PhotoError, match="is GIF"):
        decode(saved(Image.fromarray(marked()), "GIF"))


JPEG_BYTES = saved(Image.fromarray(marked()), "JPEG", quality=95)


def test_a_jpeg_whose_end_alone_is_missing_is_read_and_said() -> None:
    photo = decode(JPEG_BYTES[:-2])
    assert (photo.pixels == decode(JPEG_BYTES).pixels).all()
    assert any("no pixel is" in warning for warning in photo.warnings)


def test_bytes_between_the_parts_of_a_jpeg_cost_nothing() -> None:
    scan = JPEG_BYTES.index(b"\xff\xda")
    photo = decode(JPEG_BYTES[:scan] + b"\x12\x34" + JPEG_BYTES[scan:])
    assert (photo.pixels == decode(JPEG_BYTES).pixels).all()
    assert any("costs no pixel" in warning for warning in photo.warnings)


def test_bytes_behind_the_pixels_of_a_jpeg_mean_damage() -> None:
    # So ends a file in whose coded pixels a byte has changed.
    left_over = JPEG_BYTES[:-2] + bytes(range(20)) + JPEG_BYTES[-2:]
    with pytest.raises(PhotoError, match=r"damaged .*extraneous bytes") as refusal:
        decode(left_over)
    assert refusal.value.code == "truncated"
    scan = left_over.index(b"\xff\xda")
    both = left_over[:scan] + b"\x12\x34" + left_over[scan:]
    with pytest.raises(PhotoError, match="damaged"):
        decode(both)


@pytest.mark.parametrize("cut", [3, 10, 60])
def test_a_jpeg_that_lost_pixels_is_refused(cut: int) -> None:
    busy = saved(Image.fromarray(DEEP.astype(np.uint8)), "JPEG", quality=95)
    with pytest.raises(PhotoError, match="damaged"):
        decode(busy[: -2 - cut])


def test_small_copies_behind_a_tiff_are_passed_over() -> None:
    whole = Image.fromarray(marked())
    copies = [whole.reduce(2), whole.reduce(4)]
    photo = decode(saved(whole, "TIFF", save_all=True, append_images=copies))
    assert (photo.pixels == marked()).all()
    with pytest.raises(PhotoError, match="several pictures"):
        decode(saved(whole, "TIFF", save_all=True, append_images=[whole]))


@pytest.mark.parametrize("kind", [2, 6], ids=["colour", "with transparency"])
def test_a_picture_of_16_bits_is_not_taken_for_one_of_8(kind: int) -> None:
    """Pillow gives its upper bytes, which hold 4 of the 12 bits of many cameras."""
    values = np.full((300, 300, 3 if kind == 2 else 4), 3000, np.uint16)
    picture = Image.open(io.BytesIO(png(values, kind)))
    with pytest.raises(PhotoError, match="16 bits a channel; give the path"):
        sources.content(picture)


def test_a_dark_grey_png_of_16_bits_with_transparency_is_not_called_damaged() -> None:
    values = np.full((300, 300, 2), 900, np.uint16)
    values[..., 1] = 65_535
    assert decode(png(values, 4)).pixels.shape == (300, 300, 3)


def test_a_jpeg_of_12_bits_is_named() -> None:
    data = saved(Image.fromarray(marked()), "JPEG")
    frame = data.index(b"\xff\xc0")
    deep = data[: frame + 1] + b"\xc1" + data[frame + 2 : frame + 4] + b"\x0c" + data[frame + 5 :]
    with pytest.raises(PhotoError, match="JPEG of 12 bits"):
        decode(deep)
