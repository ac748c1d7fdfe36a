"""The structure of a TIFF file, and of the blocks of TIFF in others: EXIF, and lists of pictures.

After TIFF revision 6.0, and the BigTIFF design of the libtiff project.
"""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass
from typing import Final

from fundoscope import limits
from fundoscope.photo.structure.density import check_density
from fundoscope.photo.structure.source import Source, beyond_bounds, damaged, refuse

STARTS: Final = (b"II*\0", b"MM\0*", b"II\0*", b"MM*\0", b"II+\0", b"MM\0+")
"""The first bytes that Pillow takes for TIFF, two of them in the wrong order."""
BIG: Final = ord("+")
TYPE_BYTES: Final = {
    1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8, 17: 8,
    18: 8,
}  # fmt: skip
"""Bytes of a value, by type."""
NUMBERS: Final = {3: "H", 4: "I", 16: "Q"}
"""Unsigned whole numbers: their codes in ``struct``."""
TEXTS: Final = frozenset({1, 2, 6, 7})
"""Types whose values are kept as bytes, not as a number each."""
WIDTH, HEIGHT, BITS, SAMPLES, ROWS, TILE_WIDTH, TILE_HEIGHT = 256, 257, 258, 277, 278, 322, 323
BLOCK_OFFSETS: Final = (273, 324)
"""Where the strips or tiles lie."""
COMPRESSION: Final = 259
JPEG_INSIDE: Final = (6, 7)
"""Values of the compression of strips or tiles that are JPEG pictures."""
START_OF_SCAN: Final = b"\xff\xda"
SCANS_OF_BLOCK, SCANS_ELSEWHERE = 4, 64
"""Scans of a strip, one for each colour at most; and places that look like one by chance."""


@dataclass(frozen=True, slots=True)
class Layout:
    """How the numbers of a file are stored.

    Attributes:
        order: ``"<"`` or ``">"``.
        is_big: whether it is BigTIFF.
    """

    order: str
    is_big: bool

    @property
    def count(self) -> struct.Struct:
        """The number of entries of a directory."""
        return struct.Struct(self.order + ("Q" if self.is_big else "H"))

    @property
    def entry(self) -> struct.Struct:
        """An entry: tag, type, count, and value or place."""
        return struct.Struct(self.order + ("HHQ8s" if self.is_big else "HHI4s"))

    @property
    def offset(self) -> struct.Struct:
        """A place in the file."""
        return struct.Struct(self.order + ("Q" if self.is_big else "I"))


@dataclass(frozen=True, slots=True)
class Entry:
    """An entry of a directory.

    Attributes:
        kind: of its values.
        count: of its values.
        value: the values, or the place where they lie.
    """

    kind: int
    count: int
    value: bytes

    @property
    def size(self) -> int:
        """Bytes of its values."""
        return self.count * TYPE_BYTES.get(self.kind, 0)


Directory = dict[int, Entry]
"""Entries by tag."""


def check(source: Source, *, is_photograph: bool) -> None:
    """Refuse a TIFF file that asks for more work or memory than a photograph does.

    Args:
        source: the file.
        is_photograph: else it is a mask, which compresses much better.

    Raises:
        PhotoError: ``too_complex``, ``too_large`` or ``truncated``.
    """
    for layout in _layouts(source.piece(0, 4)):
        _check_pictures(source, layout, is_photograph=is_photograph)


def _check_pictures(source: Source, layout: Layout, *, is_photograph: bool) -> None:
    place = _number(source, 8 if layout.is_big else 4, layout.offset)
    seen: set[int] = set()
    while place:
        if place in seen:
            damaged(source, "its list of pages never ends")
        seen.add(place)
        if len(seen) > limits.MAX_TIFF_PAGES:
            refuse(
                source,
                f"holds more than {limits.MAX_TIFF_PAGES} pictures",
                "animated",
                remedy="store the one to be read alone",
            )
        directory, place = _directory(source, place, layout)
        _check_values(source, directory)
        pixels = _check_blocks(source, directory, layout)
        if len(seen) == 1:
            check_density(source, pixels, source.size, is_photograph=is_photograph)


def check_block(source: Source) -> None:
    """Refuse a block of TIFF inside another file whose values are larger than the block.

    Raises:
        PhotoError: ``too_complex``.
    """
    for layout in _layouts(source.piece(0, 4)):
        place = _number(source, 8 if layout.is_big else 4, layout.offset)
        if place:
            _check_values(source, _directory(source, place, layout)[0])


def _layouts(start: bytes) -> list[Layout]:
    """The layouts that a decoder may take a file to have: Pillow and libtiff differ on one."""
    if start not in STARTS:
        return []
    order = "<" if start[:1] == b"I" else ">"
    if BIG not in start:
        return [Layout(order, is_big=False)]
    big = Layout(order, is_big=True)
    return [big] if order == "<" else [big, Layout(order, is_big=False)]


def _number(source: Source, place: int, form: struct.Struct) -> int:
    """A number of the file; 0 beyond its end."""
    data = source.piece(place, form.size)
    return int(form.unpack(data)[0]) if len(data) == form.size else 0


def _directory(source: Source, place: int, layout: Layout) -> tuple[Directory, int]:
    """The entries of a directory, and the place of the next one (0 for none)."""
    count = _number(source, place, layout.count)
    if count > limits.MAX_TIFF_TAGS:
        refuse(source, f"has a directory of {count} entries, where a photograph has about twenty")
    place += layout.count.size
    entries = source.piece(place, count * layout.entry.size)
    whole = len(entries) // layout.entry.size * layout.entry.size
    directory: Directory = {}
    for tag, kind, number, value in layout.entry.iter_unpack(entries[:whole]):
        directory.setdefault(tag, Entry(kind, number, value))
    return directory, _number(source, place + count * layout.entry.size, layout.offset)


def _check_values(source: Source, directory: Directory) -> None:
    """Values lie in the file, each in its own place, so together they are not larger than it."""
    inside = [entry for entry in directory.values() if entry.size <= source.size]
    total = sum(entry.size for entry in inside)
    numbers = sum(entry.count for entry in inside if entry.kind not in TEXTS)
    if total > source.size + limits.TIFF_SLACK or numbers > limits.MAX_TIFF_NUMBERS:
        refuse(source, f"has {total} bytes of metadata, more than a photograph can have")


def _check_blocks(source: Source, directory: Directory, layout: Layout) -> int:
    """Check the strips or tiles of a picture.

    Returns:
        Its pixels; 0 if the size is not stated or out of bounds, which the decoder reports.
    """

    def stated(tag: int, otherwise: int) -> int:
        return _stated(source, directory.get(tag), layout, otherwise)

    width, height = stated(WIDTH, 0), stated(HEIGHT, 0)
    if width == 0 or height == 0 or beyond_bounds(width, height):
        return 0
    bits = max(stated(BITS, 1), 1) * max(stated(SAMPLES, 1), _count(directory, BITS), 1)
    if TILE_WIDTH in directory or TILE_HEIGHT in directory:
        columns, rows = stated(TILE_WIDTH, width), stated(TILE_HEIGHT, height)
        what = f"tiles of {columns} x {rows} pixels"
    else:
        columns, rows = width, min(stated(ROWS, height), height)
        what = f"strips of {rows} rows"
    if columns < 1 or rows < 1:
        damaged(source, f"it has {what}")
    size = math.ceil(columns * bits / 8) * rows
    largest = max(4 * math.ceil(width * bits / 8) * height, limits.TIFF_SMALL_BLOCK)
    if size > limits.MAX_TIFF_BLOCK or size > largest:
        refuse(source, f"has {what}, {size // 2**20} MiB each", "too_large")
    blocks = max(_count(directory, tag) for tag in BLOCK_OFFSETS)
    if blocks > limits.MAX_TIFF_BLOCKS:
        refuse(source, f"has {blocks} strips or tiles")
    if stated(COMPRESSION, 0) in JPEG_INSIDE:
        most = SCANS_OF_BLOCK * max(blocks, 1) + SCANS_ELSEWHERE
        if source.whole().count(START_OF_SCAN) > most:
            refuse(source, f"holds JPEG pictures with more than {most} scans")
    return width * height


def _count(directory: Directory, tag: int) -> int:
    return directory[tag].count if tag in directory else 0


def _stated(source: Source, entry: Entry | None, layout: Layout, otherwise: int) -> int:
    """The first value of an entry that holds whole numbers."""
    code = None if entry is None else NUMBERS.get(entry.kind)
    if entry is None or code is None or entry.count < 1:
        return otherwise
    form = struct.Struct(layout.order + code)
    if entry.size <= len(entry.value):
        return int(form.unpack(entry.value[: form.size])[0])
    return _number(source, int(layout.offset.unpack(entry.value)[0]), form)
