"""Photographs without their metadata: names, dates, places and devices do not go into a pack.

The pixels and colours are the same to the last bit, and so is the orientation: it stays as the only
entry of the EXIF block.
"""

from __future__ import annotations

import io
import struct
import warnings
import zlib
from collections.abc import Iterator
from typing import Final

from PIL import Image

from fundoscope.errors import PhotoError
from fundoscope.photo.decode import DECODER_ERRORS, EXIF_ORIENTATION

JPEG_START: Final = b"\xff\xd8"
PNG_START: Final = b"\x89PNG\r\n\x1a\n"
TIFF_STARTS: Final = {b"II*\0": "<", b"MM\0*": ">"}
"""By its first bytes, the byte order of a TIFF file as :mod:`struct` writes it."""
UPRIGHT: Final = 1

SCAN, END = 0xDA, 0xD9
"""JPEG's markers for the start of a scan and the end of the picture."""
APPLICATION: Final = range(0xE0, 0xF0)
KEPT_APPLICATION: Final = (0xE0, 0xE2, 0xEE)
"""JFIF, colour profile, and Adobe's colour transform, which say how colours are stored."""
PROFILE: Final = b"ICC_PROFILE\0"
COMMENT: Final = 0xFE
ALONE: Final = (0x01, *range(0xD0, 0xD8))
"""Markers without a length."""

PNG_KEPT: Final = frozenset(
    {
        b"IHDR", b"PLTE", b"IDAT", b"IEND", b"tRNS", b"gAMA", b"cHRM", b"sRGB", b"iCCP", b"sBIT",
        b"pHYs", b"bKGD", b"cICP",
    }
)  # fmt: skip
"""Chunks that say what the pixels and colours are."""

TIFF_METADATA: Final = frozenset(
    {
        269, 270, 271, 272, 285, 305, 306, 315, 316, 700, 33432, 33723, 34377, 34665, 34853, 37724,
        40965, 42016, 42032, 42033, 42036, 42037,
    }
)  # fmt: skip
"""Names, descriptions, dates, makers, authors, XMP, IPTC, Photoshop, EXIF, GPS, serial numbers."""
TIFF_PRIVATE: Final = 32768
"""Tags from this one on belong to companies; of them only :data:`TIFF_PRIVATE_KEPT` are kept."""
TIFF_PRIVATE_KEPT: Final = frozenset({32995, 32996, 32997, 32998, 34675})
"""Matte, data type, depths, and the colour profile."""
TIFF_POINTERS: Final = (34665, 34853, 40965)
"""Tags that point to the directories of EXIF, GPS and interoperability."""
SIZES: Final = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4}
"""Bytes of a value of each TIFF type."""
ASCII: Final = 2
ENTRY: Final = 12
INLINE: Final = 4
"""The type of text, bytes of an entry, and bytes of a value that stands in its entry."""
MAX_PAGES: Final = 100
"""Of a TIFF file; a damaged one may name its pages in a circle."""


def without_metadata(data: bytes, title: str) -> bytes:
    """The file of a photograph without its metadata.

    Args:
        data: of a JPEG, PNG or TIFF file; that of another format is returned as it is.
        title: its name, for errors.

    Raises:
        PhotoError: it is damaged.
    """
    try:
        if data.startswith(JPEG_START):
            return JPEG_START + b"".join(_jpeg(data, _orientation(data)))
        if data.startswith(PNG_START):
            return PNG_START + b"".join(_png(data, _orientation(data)))
        if data[:4] in TIFF_STARTS:
            return _tiff(data, TIFF_STARTS[data[:4]])
    except (struct.error, IndexError, ValueError):
        raise PhotoError(
            title,
            "cannot be packed without its metadata, because it is damaged",
            "store it again as PNG",
            code="damaged",
        ) from None
    return data


def _orientation(data: bytes) -> int:
    """The orientation in the EXIF block of a photograph, 1 to 8; 1 if missing or invalid."""
    try:
        with warnings.catch_warnings(action="ignore"), Image.open(io.BytesIO(data)) as image:
            value = image.getexif().get(EXIF_ORIENTATION, UPRIGHT)
    except DECODER_ERRORS:
        return UPRIGHT
    return value if value in range(1, 9) else UPRIGHT


def _exif(orientation: int) -> bytes:
    """An EXIF block (TIFF) whose only entry is the orientation."""
    head = b"MM\0*" + struct.pack(">I", 8)
    entry = struct.pack(">HHIHH", EXIF_ORIENTATION, 3, 1, orientation, 0)
    return head + struct.pack(">H", 1) + entry + struct.pack(">I", 0)


def _jpeg(data: bytes, orientation: int) -> Iterator[bytes]:
    """The segments of a JPEG file; whatever follows the picture is left out."""
    if orientation != UPRIGHT:
        block = b"Exif\0\0" + _exif(orientation)
        yield b"\xff\xe1" + struct.pack(">H", len(block) + 2) + block
    place = len(JPEG_START)
    while True:
        if data[place] != 0xFF:
            raise ValueError("damaged")
        marker = data[place + 1]
        if marker == 0xFF:  # fill bytes may precede a marker
            place += 1
            continue
        if marker == END:
            yield data[place : place + 2]
            return
        if marker in ALONE:
            yield data[place : place + 2]
            place += 2
            continue
        (length,) = struct.unpack_from(">H", data, place + 2)
        end = place + 2 + length
        if end > len(data) or length < 2:
            raise ValueError("damaged")
        if marker == SCAN:
            end = _end_of_scan(data, end)
        if _is_kept(marker, data[place + 4 : end]):
            yield data[place:end]
        place = end


def _is_kept(marker: int, content: bytes) -> bool:
    if marker == COMMENT:
        return False
    if marker not in APPLICATION:
        return True
    return marker in KEPT_APPLICATION and (marker != 0xE2 or content.startswith(PROFILE))


def _end_of_scan(data: bytes, place: int) -> int:
    """Where the compressed pixels end that begin at a place: at the next marker."""
    while True:
        place = data.index(b"\xff", place)
        following = data[place + 1]
        if following == 0 or following in ALONE:  # a byte 255, or a restart
            place += 2
        elif following == 0xFF:
            place += 1
        else:
            return place


def _png(data: bytes, orientation: int) -> Iterator[bytes]:
    """The chunks of a PNG file."""
    place = len(PNG_START)
    while True:
        length, kind = struct.unpack_from(">I4s", data, place)
        end = place + 12 + length
        if end > len(data):
            raise ValueError("damaged")
        if kind in PNG_KEPT:
            yield data[place:end]
        if kind == b"IHDR" and orientation != UPRIGHT:
            block = _exif(orientation)
            checksum = zlib.crc32(b"eXIf" + block)
            yield struct.pack(">I4s", len(block), b"eXIf") + block + struct.pack(">I", checksum)
        if kind == b"IEND":
            return
        place = end


def _tiff(data: bytes, order: str) -> bytes:
    """A TIFF file of the same size, with the values of its metadata overwritten by zeros."""
    cleaned = bytearray(data)
    (place,) = struct.unpack_from(f"{order}I", data, 4)
    for _ in range(MAX_PAGES):
        if not place:
            return bytes(cleaned)
        place = _clean_directory(data, cleaned, order, place)
    raise ValueError("damaged")


def _clean_directory(data: bytes, cleaned: bytearray, order: str, place: int) -> int:
    """Overwrite the metadata of one directory; return where the next one is, or 0."""
    (count,) = struct.unpack_from(f"{order}H", data, place)
    entries = place + 2
    for entry in range(entries, entries + count * ENTRY, ENTRY):
        tag, kind, values = struct.unpack_from(f"{order}HHI", data, entry)
        private = tag >= TIFF_PRIVATE and tag not in TIFF_PRIVATE_KEPT
        if not private and tag not in TIFF_METADATA and kind != ASCII:
            continue
        size = SIZES.get(kind, 1) * values
        if size > INLINE:
            (start,) = struct.unpack_from(f"{order}I", data, entry + 8)
            if start + size > len(data):
                raise ValueError("damaged")
            cleaned[start : start + size] = bytes(size)
        else:
            _clean_pointed(data, cleaned, order, tag, entry)
        # An ASCII value of one byte, which says nothing; the tag itself would name an EXIF block.
        struct.pack_into(f"{order}HHII", cleaned, entry, tag, ASCII, 1, 0)
    (following,) = struct.unpack_from(f"{order}I", data, entries + count * ENTRY)
    return int(following)


def _clean_pointed(data: bytes, cleaned: bytearray, order: str, tag: int, entry: int) -> None:
    """Overwrite the directory of EXIF, GPS or interoperability that an entry points to."""
    if tag in TIFF_POINTERS:
        (start,) = struct.unpack_from(f"{order}I", data, entry + 8)
        _clean_block(data, cleaned, order, start)


def _clean_block(data: bytes, cleaned: bytearray, order: str, start: int) -> None:
    """Overwrite a directory and every value that it points to."""
    (count,) = struct.unpack_from(f"{order}H", data, start)
    for entry in range(start + 2, start + 2 + count * ENTRY, ENTRY):
        kind, values = struct.unpack_from(f"{order}HI", data, entry + 2)
        size = SIZES.get(kind, 1) * values
        (place,) = struct.unpack_from(f"{order}I", data, entry + 8)
        if size > INLINE and place + size <= len(data):
            cleaned[place : place + size] = bytes(size)
    size = 2 + count * ENTRY + 4
    cleaned[start : start + size] = bytes(min(size, len(data) - start))
