"""The structure of a JPEG file: its segments, its size, the number of its scans.

The walk over segments ends at the first scan, so its cost does not depend on the number of pixels.
After ITU-T T.81, annex B.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Final

from fundoscope import limits
from fundoscope.photo.structure import tiff
from fundoscope.photo.structure.source import InMemory, Source, beyond_bounds, damaged, refuse

START: Final = b"\xff\xd8\xff"
MARK: Final = 0xFF
ALONE: Final = frozenset({0x00, 0x01, *range(0xD0, 0xD9)})
"""Markers without a length: filling, TEM, RSTn, SOI."""
END_OF_IMAGE, SCAN, APP1, APP2 = 0xD9, 0xDA, 0xE1, 0xE2
FRAMES: Final = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
"""SOFn: the frame's header. The other three are tables and reserved."""
PROGRESSIVE: Final = frozenset({0xC2, 0xC6, 0xCA, 0xCE})
ARITHMETIC: Final = frozenset(range(0xC9, 0xD0)) - {0xCC}
"""Frames with arithmetic coding, which no camera writes and hardly a viewer reads."""
LOSSLESS: Final = frozenset({0xC3, 0xC7, 0xCB, 0xCF})
"""Frames without blocks."""
EXIF, PICTURES = b"Exif\0\0", b"MPF\0"
"""How the contents of APP1 and APP2 begin that hold a directory of TIFF."""
BLOCK: Final = 8
"""Pixels on a side of a block."""
BLOCK_BYTES: Final = 128
"""Of a block's coefficients, two bytes each."""
FRAME_HEAD: Final = 6
"""Bytes of a frame's header before its components: precision, height, width, their number."""
MARKER: Final = re.compile(rb"\xff([^\x00\xff\xd0-\xd7])")
"""A marker behind the first scan: in coded data, 0xFF is followed by 0 or a restart."""


@dataclass(frozen=True, slots=True)
class Frame:
    """The header of a picture.

    Attributes:
        kind: the marker, one of :data:`FRAMES`.
        width: in pixels.
        height: in pixels.
        sampling: horizontal and vertical factors of each component.
    """

    kind: int
    width: int
    height: int
    sampling: tuple[tuple[int, int], ...]

    @property
    def blocks(self) -> int:
        """Blocks of 8 x 8 pixels in all components."""
        most_x = max(x for x, _ in self.sampling)
        most_y = max(y for _, y in self.sampling)
        return sum(
            math.ceil(self.width * x / (most_x * BLOCK))
            * math.ceil(self.height * y / (most_y * BLOCK))
            for x, y in self.sampling
        )


def check(source: Source) -> None:
    """Refuse a JPEG file that asks for more work or memory than a photograph does.

    Raises:
        PhotoError: ``too_complex``, ``too_large``, ``truncated`` or ``unsupported``.
    """
    frame, place, components = _until_scan(source)
    if frame is None or place == 0 or beyond_bounds(frame.width, frame.height):
        return
    if frame.kind in ARITHMETIC:
        # libjpeg reads zeros beyond the end of such a file, without a word.
        refuse(source, "is an arithmetic-coded JPEG, which cannot be read", "unsupported")
    least = frame.width * frame.height if frame.kind in LOSSLESS else frame.blocks
    if BLOCK * (source.size - place) < least:
        damaged(source, f"{frame.width} x {frame.height} pixels do not fit its {source.size} bytes")
    if frame.kind in PROGRESSIVE or components < len(frame.sampling):
        _check_scans(source, frame, place)


def _until_scan(source: Source) -> tuple[Frame | None, int, int]:
    """The frame, the place of the first scan (0 for none), and the number of its components."""
    frame: Frame | None = None
    exif: list[bytes] = []
    place, count = 2, 0
    while True:
        marker, place = _next_marker(source, place)
        count += 1
        if count > limits.MAX_JPEG_SEGMENTS:
            refuse(source, f"has more than {limits.MAX_JPEG_SEGMENTS} segments before its picture")
        if marker is None or marker in (END_OF_IMAGE, SCAN):
            # Pillow joins the EXIF blocks of several segments.
            tiff.check_block(InMemory(source.title, b"".join(exif)))
        if marker is None or marker == END_OF_IMAGE:
            return frame, 0, 0
        if marker in ALONE:
            continue
        stated = source.piece(place, 2)
        if len(stated) < 2:
            return frame, 0, 0
        length = int.from_bytes(stated, "big")
        if length < 2:
            damaged(source, "a segment without length")
        if marker == SCAN:
            return frame, place, int.from_bytes(source.piece(place + 2, 1), "big")
        content = place + 2
        if marker in FRAMES:
            if frame is not None:
                damaged(source, "two frames")
            frame = _frame(source.piece(content, length - 2), marker)
        elif marker == APP1 and source.piece(content, len(EXIF)) == EXIF:
            exif.append(source.piece(content + len(EXIF), length - 2 - len(EXIF)))
        elif marker == APP2 and source.piece(content, len(PICTURES)) == PICTURES:
            block = source.piece(content + len(PICTURES), length - 2 - len(PICTURES))
            tiff.check_block(InMemory(source.title, block))
        place += length


def without_junk(data: bytes) -> bytes:
    """A file without the bytes in its header that belong to no segment.

    Args:
        data: of a file that passed :func:`check`.
    """
    source, kept, place = InMemory("", data), [data[:2]], 2
    while True:
        marker, place = _next_marker(source, place)
        if marker is None:
            return data
        kept.append(bytes((MARK, marker)))
        if marker in (END_OF_IMAGE, SCAN):
            return b"".join(kept) + data[place:]
        if marker not in ALONE:
            end = place + int.from_bytes(data[place : place + 2], "big")
            kept.append(data[place:end])
            place = end


def _next_marker(source: Source, place: int) -> tuple[int | None, int]:
    """The next marker, and the place behind it; ``None`` at the end of the file."""
    head = source.piece(place, 2)
    if len(head) == 2 and head[0] == MARK and head[1] != MARK:
        return head[1], place + 2
    junk = source.piece(place, limits.MAX_JPEG_JUNK)
    match = re.search(rb"\xff[^\xff]", junk)
    if match is not None:
        return junk[match.start() + 1], place + match.end()
    if len(junk) == limits.MAX_JPEG_JUNK:
        refuse(source, f"has more than {limits.MAX_JPEG_JUNK} stray bytes between its segments")
    return None, source.size


def _frame(content: bytes, kind: int) -> Frame | None:
    """The frame of a header; ``None`` for one that no decoder takes."""
    if len(content) < FRAME_HEAD:
        return None
    height, width = (int.from_bytes(content[at : at + 2], "big") for at in (1, 3))
    factors = content[FRAME_HEAD + 1 : FRAME_HEAD + 3 * content[5] : 3]
    sampling = tuple((each >> 4, each & 0xF) for each in factors)
    if not (width and height and sampling) or not all(x and y for x, y in sampling):
        return None
    return Frame(kind, width, height, sampling)


def _check_scans(source: Source, frame: Frame, place: int) -> None:
    """Bound the work and memory of a picture that is decoded in several scans."""
    if frame.blocks * BLOCK_BYTES > limits.MAX_JPEG_COEFFICIENTS:
        refuse(
            source,
            f"is progressive and has {frame.width} x {frame.height} pixels, more than can be"
            f" decoded in {limits.MAX_JPEG_COEFFICIENTS // 2**20} MiB",
            "too_large",
            remedy="store it as an ordinary (not progressive) JPEG",
        )
    most = min(limits.MAX_JPEG_SCANS, limits.MAX_JPEG_BLOCK_VISITS // frame.blocks)
    data = source.whole()
    if data.count(bytes((MARK, SCAN)), place - 2) <= most:
        return
    # Bytes behind the end, as the second picture of some cameras, have scans of their own.
    scans, place = 0, place - 2
    while (match := MARKER.search(data, place)) is not None:
        marker, place = match[1][0], match.end()
        if marker == END_OF_IMAGE:
            return
        scans += marker == SCAN
        if scans > most:
            refuse(source, f"has more than {most} scans, where a photograph has about ten")
        place += int.from_bytes(data[place : place + 2], "big")
