"""The pixels of masks of any make."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from fundoscope.data.annotations.annotation import (
    AnnotatedPhoto,
    Annotation,
)
from fundoscope.data.annotations.masks.pixels import mask_pixels
from fundoscope.data.annotations.masks.read import read_masks
from fundoscope.errors import PhotoError

from .drawn import EXPECTED, HEIGHT, TWO, WIDTH, boxes, painted_on, saved

MAKES: Mapping[str, NDArray[np.generic]] = {
    "one bit": TWO,
    "0 and 1": TWO.astype(np.uint8),
    "0 and 255": TWO.astype(np.uint8) * 255,
    "16 bits, 1": TWO.astype(np.uint16),
    "16 bits, 65535": TWO.astype(np.uint16) * 65535,
    "32 bits": TWO.astype(np.int32),
    "red": painted_on((0, 0, 0), (255, 0, 0)),
    "red, opaque": painted_on((0, 0, 0, 255), (255, 0, 0, 255)),
    "red on a transparent ground": painted_on((0, 0, 0, 0), (255, 0, 0, 255)),
    "on a transparent white ground": painted_on((255, 255, 255, 0), (255, 255, 255, 255)),
    "black on a transparent ground": painted_on((0, 0, 0, 0), (0, 0, 0, 255)),
    "grey with transparency": painted_on((0, 255), (9, 255)),
}


@pytest.mark.parametrize("suffix", [".png", ".tif"])
@pytest.mark.parametrize("make", MAKES)
def test_a_mask_of_any_make_gives_the_same_objects(make: str, suffix: str, tmp_path: Path) -> None:
    if make == "32 bits" and suffix == ".png":
        pytest.skip("PNG has no 32 bits")
    saved(tmp_path / f"IDRiD_01_MA{suffix}", MAKES[make])
    marked = read_masks(tmp_path)
    assert [box for _, _, box in boxes(marked)] == EXPECTED
    (photo,) = marked.photos
    assert (photo.image, photo.width, photo.height) == ("IDRiD_01.jpg", WIDTH, HEIGHT)
    assert {item.kind for item in photo.annotations} == {"microaneurysm"}
    assert [item.mask.area for item in photo.annotations if item.mask] == [3, 2]


@pytest.mark.parametrize(
    ("palette", "ground", "paint"),
    [
        ([0, 0, 0, 255, 0, 0], 0, 1),
        ([255, 0, 0, 0, 0, 0], 1, 0),
        ([0, 0, 0, 0, 0, 0], 0, 1),
    ],
    ids=["black and red", "red stands first", "all black"],
)
def test_a_mask_with_a_palette(palette: list[int], ground: int, paint: int, tmp_path: Path) -> None:
    image = Image.fromarray(np.where(TWO, paint, ground).astype(np.uint8), mode="P")
    image.putpalette(palette)
    image.save(tmp_path / "IDRiD_81_EX.tif")
    marked = read_masks(tmp_path)
    assert [box for _, _, box in boxes(marked)] == EXPECTED


def test_a_palette_with_a_transparent_entry(tmp_path: Path) -> None:
    image = Image.fromarray(TWO.astype(np.uint8), mode="P")
    image.putpalette([255, 255, 255, 255, 0, 0])
    image.save(tmp_path / "a_EX.png", transparency=0)
    assert [box for _, _, box in boxes(read_masks(tmp_path))] == EXPECTED


def test_a_mask_in_colours_is_not_indexed(tmp_path: Path) -> None:
    saved(tmp_path / "a.png", MAKES["red"])
    with pytest.raises(PhotoError, match="mode RGB"):
        read_masks(tmp_path, classes={1: "MA"})


def test_colours_of_16_bits_are_refused_for_their_lower_half_would_vanish(tmp_path: Path) -> None:
    import struct
    import zlib

    def chunk(name: bytes, body: bytes) -> bytes:
        return (
            struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))
        )

    row = b"\0" + struct.pack(">6H", 0, 0, 0, 1, 0, 0)
    png = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", 2, 1, 16, 2, 0, 0, 0))
    png += chunk(b"IDAT", zlib.compress(row)) + chunk(b"IEND", b"")
    (tmp_path / "a_MA.png").write_bytes(png)
    with pytest.raises(PhotoError, match="16 bits"):
        read_masks(tmp_path)


def test_files_that_are_no_masks(tmp_path: Path) -> None:
    (tmp_path / "a_MA.png").write_bytes(b"no picture")
    with pytest.raises(PhotoError, match="is not an image"):
        read_masks(tmp_path)
    data = saved(tmp_path / "a_MA.png", TWO).read_bytes()
    (tmp_path / "a_MA.png").write_bytes(data[:50])
    with pytest.raises(PhotoError, match="cannot be read"):
        read_masks(tmp_path)
    pages = [Image.fromarray(TWO), Image.fromarray(TWO)]
    pages[0].save(tmp_path / "a_MA.tif", save_all=True, append_images=pages[1:])
    (tmp_path / "a_MA.png").unlink()
    with pytest.raises(PhotoError, match="several pictures"):
        read_masks(tmp_path)


def test_a_mask_of_more_pixels_than_any_photograph(tmp_path: Path) -> None:
    Image.new("1", (20_000, 2)).save(tmp_path / "a_MA.png")
    with pytest.raises(PhotoError, match="on a side"):
        read_masks(tmp_path)
    Image.new("1", (16_000, 16_000)).save(tmp_path / "a_MA.png")
    with pytest.raises(PhotoError, match="million pixels"):
        read_masks(tmp_path)


def photo(*items: Annotation, image: str = "a.jpg", source: str = "") -> AnnotatedPhoto:
    return AnnotatedPhoto(image=image, width=WIDTH, height=HEIGHT, annotations=items, source=source)


@pytest.mark.parametrize(("kind", "is_read"), [("BMP", True), ("GIF", True), ("WEBP", False)])
def test_only_formats_of_masks_are_offered_to_their_parsers(
    tmp_path: Path, kind: str, is_read: bool
) -> None:
    path = tmp_path / "mask.png"
    Image.fromarray(np.eye(40, dtype=np.uint8) * 255).save(path, kind)
    if is_read:
        assert mask_pixels(path).sum() == 40
        return
    with pytest.raises(PhotoError, match="is WEBP, which is not read"):
        mask_pixels(path)
