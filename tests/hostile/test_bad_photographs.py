"""Every bad photograph is refused in one line, and the rest of the folder is read all the same."""

from __future__ import annotations

import io
import json
import os
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from fundoscope import limits
from fundoscope.photo.decode import decode

Save = Callable[..., Path]
Command = Callable[..., Any]


def picture(
    kind: str, mode: str = "RGB", size: tuple[int, int] = (160, 120), **options: Any
) -> bytes:
    """An image file; grey of no meaning."""
    buffer = io.BytesIO()
    Image.new(mode, size, 128 if len(mode) == 1 else None).save(buffer, kind, **options)
    return buffer.getvalue()


def frames(kind: str) -> bytes:
    """Three pictures in one file."""
    first, *rest = (Image.fromarray(np.full((120, 160, 3), k * 60, np.uint8)) for k in range(3))
    buffer = io.BytesIO()
    first.save(buffer, kind, save_all=True, append_images=rest)
    return buffer.getvalue()


def png_of(width: int, height: int) -> bytes:
    """A PNG whose header claims a size, with next to nothing behind it."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return (
            struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        )

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    data = zlib.compress(b"\0" * 100)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", data) + chunk(b"IEND", b"")
    )


def jpeg_of(width: int, height: int) -> bytes:
    """A JPEG whose header claims a size."""
    data = bytearray(picture("JPEG"))
    start = data.index(b"\xff\xc0") + 5
    data[start : start + 4] = struct.pack(">HH", height, width)
    return bytes(data)


def tiff_of(width: int, height: int) -> bytes:
    """A TIFF whose header claims a size."""
    data = picture("TIFF")
    return (
        data.replace(struct.pack("<HHII", 256, 4, 1, 160), struct.pack("<HHII", 256, 4, 1, width))
        .replace(struct.pack("<HHII", 257, 4, 1, 120), struct.pack("<HHII", 257, 4, 1, height))
        .replace(struct.pack("<HHIHH", 256, 3, 1, 160, 0), struct.pack("<HHII", 256, 4, 1, width))
        .replace(struct.pack("<HHIHH", 257, 3, 1, 120, 0), struct.pack("<HHII", 257, 4, 1, height))
    )


GOOD = picture("JPEG")

REFUSED = {
    "empty.jpg": (b"", "empty", "is empty (0 bytes)"),
    "one-byte.jpg": (b"\xff", "not_an_image", "is not an image"),
    "text.jpg": (b"To whom it may concern\n" * 40, "not_an_image", "is not an image"),
    "page.jpg": (b"%PDF-1.7\n" + b"\0" * 500, "not_an_image", "is not an image"),
    "archive.png": (b"PK\x03\x04" + b"\0" * 500, "not_an_image", "is not an image"),
    "start-only.jpg": (GOOD[:3], "not_an_image", "is not an image"),
    "cut-in-half.jpg": (GOOD[: len(GOOD) // 2], "truncated", "is damaged or incomplete"),
    "cut-in-half.png": (picture("PNG")[:-40], "truncated", "is damaged or incomplete"),
    "cut-in-half.tif": (picture("TIFF")[:5000], "", ""),
    "gigantic.png": (png_of(60_000, 60_000), "too_large", "more than 80 million"),
    "gigantic.jpg": (jpeg_of(60_000, 60_000), "too_large", "more than 80 million"),
    "gigantic.tif": (tiff_of(60_000, 60_000), "too_large", "more than 80 million"),
    "long.png": (png_of(20_000, 100), "too_large", "16384 on a side"),
    "zero-sized.png": (png_of(0, 0), "", ""),
    "zero-sized.jpg": (jpeg_of(0, 0), "", ""),
    "zero-sized.tif": (tiff_of(0, 0), "", ""),
    "one-by-one.jpg": (picture("JPEG", size=(1, 1)), "too_small", "has 1 x 1 pixels"),
    "one-by-one.png": (picture("PNG", size=(1, 1)), "too_small", "has 1 x 1 pixels"),
    "one-by-one.tif": (picture("TIFF", size=(1, 1)), "too_small", "has 1 x 1 pixels"),
    "thin.png": (picture("PNG", size=(2000, 40)), "too_small", "fewer than 64"),
    "print.jpg": (picture("JPEG", "CMYK"), "cmyk", "print colours (CMYK)"),
    "print.tif": (picture("TIFF", "CMYK"), "cmyk", "print colours (CMYK)"),
    "moving.png": (frames("PNG"), "animated", "several pictures"),
    "pages.tif": (frames("TIFF"), "animated", "several pictures"),
    "moving.jpg": (frames("GIF"), "unsupported", "is GIF, which is not read"),
    "other.jpg": (picture("BMP"), "unsupported", "is BMP, which is not read"),
    "web.jpg": (picture("WEBP"), "unsupported", "is WEBP, which is not read"),
    "floats.tif": (picture("TIFF", "F"), "unsupported_mode", "pixels of mode F"),
    "lab.tif": (picture("TIFF", "LAB"), "unsupported_mode", "pixels of mode LAB"),
}  # fmt: skip
"""Name: content, code and a part of the sentence (empty: any of those for damaged files)."""


@pytest.fixture
def folder(tmp_path: Path, save_eye: Save) -> Path:
    """A folder with a sound photograph before and one behind whatever is added."""
    save_eye(tmp_path / "photos" / "000_g1.jpg")
    save_eye(tmp_path / "photos" / "zzz_g2.png")
    return tmp_path / "photos"


def refused_alone(fundoscope: Command, folder: Path, name: str) -> dict[str, str]:
    """Read the folder; exactly ``name`` is refused, in one line, and everything else is there."""
    out = folder.parent / "out"
    said = fundoscope("read", folder, "--out", out)
    assert said.code == 3
    assert "Traceback" not in said.out + said.err
    assert len(said.complaints) == 1, said.err
    assert said.complaints[0].startswith(f"{folder / name}: ")
    assert "; " in said.complaints[0]
    assert f"{folder / '000_g1.jpg'}: not referable (probability 0.15), 1 mild NPDR" in said.out
    assert f"{folder / 'zzz_g2.png'}: referable (probability 0.90), 2 moderate NPDR" in said.out
    manifest = json.loads((out / "run.json").read_text())
    assert manifest["counts"]["read"] == 2
    (refusal,) = manifest["refused"]
    assert len(list(out.glob("*.png"))) == 2
    assert not [path for path in out.iterdir() if path.name.startswith(".")]
    return dict(refusal)


@pytest.mark.parametrize("name", REFUSED)
def test_a_bad_file_is_refused_and_the_rest_is_read(
    name: str, folder: Path, fundoscope: Command
) -> None:
    content, code, sentence = REFUSED[name]
    (folder / name).write_bytes(content)
    refusal = refused_alone(fundoscope, folder, name)
    assert refusal["code"] == (code or refusal["code"])
    assert sentence in refusal["reason"]
    assert refusal["remedy"]


def test_names_do_not_matter(tmp_path: Path, fundoscope: Command, save_eye: Save) -> None:
    save_eye(tmp_path / "a_g1.png").rename(tmp_path / "a_g1.jpg")
    save_eye(tmp_path / "b_g1.jpg").rename(tmp_path / "b_g1.tif")
    save_eye(tmp_path / "c_g1.tiff").rename(tmp_path / "c_g1.png")
    assert fundoscope("read", tmp_path).code == 0
    save_eye(tmp_path / "d_g1.jpg").rename(tmp_path / "d_g1")
    assert fundoscope("read", tmp_path / "d_g1").code == 0


def test_a_file_that_is_too_large_is_not_opened(
    folder: Path, fundoscope: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    with (folder / "huge.jpg").open("wb") as stream:
        stream.truncate(limits.MAX_FILE_BYTES + 1)  # takes no room on the disk
    assert refused_alone(fundoscope, folder, "huge.jpg")["code"] == "too_large"


def test_no_memory_is_taken_for_a_gigantic_header() -> None:
    import tracemalloc

    from fundoscope.errors import PhotoError

    tracemalloc.start()
    for content in (png_of(60_000, 60_000), jpeg_of(60_000, 60_000), tiff_of(60_000, 60_000)):
        with pytest.raises(PhotoError):
            decode(content)
    assert tracemalloc.get_traced_memory()[1] < 20 * 2**20
    tracemalloc.stop()


def test_no_permission(folder: Path, fundoscope: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "locked.jpg").write_bytes(GOOD)
    open_file = Path.read_bytes

    def guarded(self: Path) -> bytes:
        if self.name == "locked.jpg":
            raise PermissionError(13, "Permission denied")
        return open_file(self)

    monkeypatch.setattr(Path, "read_bytes", guarded)
    assert refused_alone(fundoscope, folder, "locked.jpg")["code"] == "no_permission"


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read all")
def test_no_permission_for_real(folder: Path, fundoscope: Command) -> None:
    (folder / "locked.jpg").write_bytes(GOOD)
    (folder / "locked.jpg").chmod(0)
    assert refused_alone(fundoscope, folder, "locked.jpg")["code"] == "no_permission"


def test_a_failing_disk(folder: Path, fundoscope: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "rotten.jpg").write_bytes(GOOD)
    open_file = Path.read_bytes

    def guarded(self: Path) -> bytes:
        if self.name == "rotten.jpg":
            raise OSError(5, "Input/output error")
        return open_file(self)

    monkeypatch.setattr(Path, "read_bytes", guarded)
    refusal = refused_alone(fundoscope, folder, "rotten.jpg")
    assert (refusal["code"], "Input/output" in refusal["reason"]) == ("unreadable", True)


def test_links_and_pipes(folder: Path, fundoscope: Command) -> None:
    (folder / "gone.jpg").symlink_to(folder / "nowhere.jpg")
    assert refused_alone(fundoscope, folder, "gone.jpg")["code"] == "not_found"


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
def test_a_named_pipe_is_not_waited_for(folder: Path, fundoscope: Command) -> None:
    os.mkfifo(folder / "pipe.jpg")
    assert refused_alone(fundoscope, folder, "pipe.jpg")["code"] == "not_a_file"


def test_a_link_to_itself(folder: Path, fundoscope: Command) -> None:
    (folder / "self.jpg").symlink_to(folder / "self.jpg")
    assert refused_alone(fundoscope, folder, "self.jpg")["code"] in {"unreadable", "not_found"}


def test_one_bad_file_alone(tmp_path: Path, fundoscope: Command) -> None:
    (tmp_path / "a.jpg").write_bytes(b"")
    said = fundoscope("read", tmp_path / "a.jpg")
    assert said.code == 3
    assert said.complaints == [
        f"{tmp_path / 'a.jpg'}: is empty (0 bytes); copy it again from the camera"
    ]


def test_a_name_that_is_too_long(tmp_path: Path, fundoscope: Command) -> None:
    said = fundoscope("read", tmp_path / ("x" * 300 + ".jpg"))
    assert said.code == 3
    assert len(said.complaints) == 1


def test_a_dicom_file_is_named_and_the_way_out_said(folder: Path, fundoscope: Command) -> None:
    (folder / "eye.jpg").write_bytes(b"\0" * 128 + b"DICM" + b"\x02\0\0\0UL\x04\0" + b"\0" * 300)
    refusal = refused_alone(fundoscope, folder, "eye.jpg")
    assert refusal["code"] == "unsupported"
    assert refusal["reason"] == "is a DICOM file, which is not read"
    assert "PNG or JPEG" in refusal["remedy"]
