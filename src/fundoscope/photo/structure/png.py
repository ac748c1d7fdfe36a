"""The structure of a PNG file: its chunks, and its size beside its compressed bytes.

After the PNG specification of the W3C, third edition.
"""

from __future__ import annotations

import math
import struct
from typing import Final

from fundoscope import limits
from fundoscope.photo.structure import tiff
from fundoscope.photo.structure.density import check_density
from fundoscope.photo.structure.source import InMemory, Source, beyond_bounds, damaged, refuse

START: Final = b"\x89PNG\r\n\x1a\n"
HEADER, PIXELS, LAST, EXIF = b"IHDR", b"IDAT", b"IEND", b"eXIf"
FRAMES: Final = (b"fcTL", b"fdAT", b"acTL")
"""Chunks of moving pictures, which are refused for that."""
CHANNELS: Final = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
"""By type of colours."""
FRAME_BYTES: Final = 12
"""Of a chunk beside its content: length, type, check sum."""
DEFLATE_RATIO: Final = 1032
"""Bytes that one compressed byte can become at most: 258 for two bits (RFC 1951)."""


def check(source: Source, *, is_photograph: bool) -> None:
    """Refuse a PNG file that asks for more work or memory than a photograph does.

    Args:
        source: the file.
        is_photograph: else it is a mask, which compresses much better.

    Raises:
        PhotoError: ``too_complex`` or ``truncated``.
    """
    headers: list[bytes] = []
    place, pixels, count, others = len(START), 0, 0, 0
    while len(head := source.piece(place, 8)) == 8:
        length, kind = struct.unpack(">I4s", head)
        count += 1
        if kind == PIXELS:
            pixels += length
        elif kind == HEADER:
            headers.append(source.piece(place + 8, length if length < FRAME_BYTES * 2 else 0))
        elif kind not in FRAMES:
            others += 1
        if kind == EXIF:
            tiff.check_block(InMemory(source.title, source.piece(place + 8, length)))
        if count > limits.MAX_PNG_CHUNKS or others > limits.MAX_PNG_FURTHER_CHUNKS:
            refuse(source, f"has too many chunks ({count})")
        if kind == LAST:
            break
        place += FRAME_BYTES + length
    if len(headers) > 1:
        damaged(source, "two headers")
    if headers:
        _check_ratio(source, headers[0], pixels, is_photograph=is_photograph)


def _check_ratio(source: Source, header: bytes, stored: int, *, is_photograph: bool) -> None:
    if len(header) < 10:
        return
    width, height, bits, colours = struct.unpack(">IIBB", header[:10])
    row = math.ceil(width * bits * CHANNELS.get(colours, 1) / 8) + 1
    unpacked = row * height
    if beyond_bounds(width, height):
        return
    if unpacked > DEFLATE_RATIO * (stored + FRAME_BYTES):
        damaged(source, f"{width} x {height} pixels do not fit its {source.size} bytes")
    check_density(source, width * height, stored, is_photograph=is_photograph)
