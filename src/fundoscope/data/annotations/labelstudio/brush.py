"""Label Studio's run-length code of brushed regions.

The code is a stream of bits. Its head has 32 bits for the number of values, 5 for the bits of a
value less one, and four times 4 for the bits of a length less one. Then come the pieces: one bit
whether the piece repeats one value, two for the index of the size of its length, the length less
one, and the value or values. The values are red, green, blue and alpha of every pixel, row by row;
a pixel belongs to the region if its alpha is above 0.

From the documentation of thi.ng's rle-pack; checked against label-studio-converter 0.0.59.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import numpy as np
from numpy.typing import NDArray

from fundoscope.data.annotations.allowance import MaskAllowance
from fundoscope.data.annotations.annotation import Mask

CHANNELS: Final = 4
ALPHA: Final = 3
OPAQUE: Final = 255
COUNT_BITS, WORD_BITS, SIZE_BITS = 32, 5, 4
WORD: Final = 8
SIZES: Final = (3, 4, 8, 16)
"""Bits of a length, as they are written here."""
LONGEST: Final = 2 ** SIZES[-1]
WINDOW: Final = 8
"""Bytes read at once: the widest field has 32 bits and may begin at any bit of a byte."""


def decode(
    code: bytes, width: int, height: int, allowance: MaskAllowance | None = None
) -> Mask | None:
    """The pixels of a region.

    Args:
        code: the list under ``rle``, a byte each.
        width: of the photograph in pixels.
        height: of the photograph in pixels.
        allowance: from which the mask is taken.

    Returns:
        ``None`` where the region has no pixel.

    Raises:
        ValueError: the code is invalid, of a picture of another size, or the allowance is used up.
    """
    spans = list(_spans(_Bits(code), width * height))
    if not spans:
        return None
    starts = np.array([start for start, _ in spans])
    first, last = int(starts.min()) // width, (max(end for _, end in spans) - 1) // width
    if allowance is not None:
        allowance.require(sum(end - start for start, end in spans))
    flat = np.zeros((last - first + 1) * width, dtype=bool)
    for start, end in spans:
        flat[start - first * width : end - first * width] = True
    mask = Mask.of(flat.reshape(-1, width), 0, first)
    if allowance is not None:
        allowance.take(mask)
    return mask


def encode(mask: Mask, width: int, height: int) -> list[int]:
    """The code of a region, byte by byte, as Label Studio's converter writes it.

    Args:
        mask: inside the photograph.
        width: of the photograph in pixels.
        height: of the photograph in pixels.
    """
    bits = [f"{width * height * CHANNELS:0{COUNT_BITS}b}", f"{WORD - 1:0{WORD_BITS}b}"]
    bits += [f"{size - 1:0{SIZE_BITS}b}" for size in SIZES]
    edges = _edges(mask, width, height)
    for number, length in enumerate(np.diff(edges).tolist()):
        bits += _piece(length * CHANNELS, OPAQUE if number % 2 else 0)
    text = "".join(bits)
    # As the converter does: the last byte is filled up, and a full one is followed by a zero byte.
    text += "0" * (8 - len(text) % 8)
    return list(int(text, 2).to_bytes(len(text) // 8, "big"))


class _Bits:
    """A cursor over the bits of a code."""

    def __init__(self, code: bytes) -> None:
        self._code = code
        self._place = 0
        self._end = len(code) * 8

    def read(self, count: int) -> int:
        """The next bits as a number."""
        start, offset = divmod(self._place, 8)
        self._advance(count)
        window = int.from_bytes(self._code[start : start + WINDOW].ljust(WINDOW, b"\0"), "big")
        return (window >> (8 * WINDOW - offset - count)) & ((1 << count) - 1)

    def words(self, count: int, size: int) -> NDArray[np.int64]:
        """The next ``count`` numbers of ``size`` bits."""
        start, offset = divmod(self._place, 8)
        self._advance(count * size)
        piece = np.frombuffer(self._code[start : -(-self._place // 8)], dtype=np.uint8)
        bits = np.unpackbits(piece)[offset : offset + count * size].reshape(count, size)
        numbers: NDArray[np.int64] = bits.astype(np.int64) @ (1 << np.arange(size - 1, -1, -1))
        return numbers

    def _advance(self, count: int) -> None:
        self._place += count
        if self._place > self._end:
            raise ValueError("its run-length code ends too early")


def _spans(bits: _Bits, pixels: int) -> Iterator[tuple[int, int]]:
    """First pixel, and the one after the last, of every stretch of the region."""
    count = bits.read(COUNT_BITS)
    if count != pixels * CHANNELS:
        raise ValueError(
            f"its run-length code has {count} values, not {CHANNELS} for each of {pixels} pixels"
        )
    word = bits.read(WORD_BITS) + 1
    sizes = [bits.read(SIZE_BITS) + 1 for _ in range(4)]
    place = 0
    while place < count:
        repeated = bits.read(1)
        end = place + 1 + bits.read(sizes[bits.read(2)])
        if end > count:
            raise ValueError("its run-length code is longer than the picture")
        if not repeated:
            values = bits.words(end - place, word)
            alphas = np.flatnonzero((values > 0) & (np.arange(place, end) % CHANNELS == ALPHA))
            yield from (
                ((place + i) // CHANNELS, (place + i) // CHANNELS + 1) for i in alphas.tolist()
            )
        elif bits.read(word):
            # Of the alphas from `place` to `end`: 3, 7, 11 …
            first, last = place // CHANNELS, end // CHANNELS
            if first < last:
                yield first, last
        place = end


def _edges(mask: Mask, width: int, height: int) -> NDArray[np.int64]:
    """The pixels, counted row by row, at which the region begins or ends.

    The first edge is 0 (twice if the first pixel is in the region), the last the pixel count.
    """
    columns = mask.pixels.shape[1]
    if columns == width:
        flat = mask.pixels.ravel()
        offset = mask.y * width
        steps = np.flatnonzero(np.diff(flat.astype(np.int8), prepend=0, append=0)) + offset
    else:
        changes = np.diff(mask.pixels.astype(np.int8), axis=1, prepend=0, append=0)
        row, column = np.nonzero(changes)
        steps = (row + mask.y) * width + column + mask.x
    edges = np.concatenate([[0], steps, [width * height]])
    return edges if len(steps) == 0 or steps[-1] < width * height else edges[:-1]


def _piece(length: int, value: int) -> Iterator[str]:
    while length > 0:
        part = min(length, LONGEST)
        which = next(index for index, size in enumerate(SIZES) if part <= 2**size)
        yield f"1{which:02b}{part - 1:0{SIZES[which]}b}{value:0{WORD}b}"
        length -= part
