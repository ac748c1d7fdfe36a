"""COCO's run-length encoding of masks, plain and compressed.

Runs of pixels outside and inside alternate, beginning outside, down the columns from left to right.
In the compressed form every count after the third is the difference to the one two places before.
It is split into groups of five bits, the lowest first, and each group is one character from "0" on;
the sixth bit means that more follow (``rleToString`` and ``rleFrString`` of pycocotools'
``maskApi.c``).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from fundoscope.data.annotations.allowance import MaskAllowance
from fundoscope.data.annotations.annotation import Mask

ZERO: Final = ord("0")
GROUP_BITS: Final = 5
GROUP: Final = 0b011111
MORE: Final = 0b100000
SIGN: Final = 0b010000
MOST_GROUPS: Final = 7
"""Of one count: 35 bits, enough for the pixels of any photograph."""
DELTA_FROM: Final = 3
"""The first count that is a difference."""

Counts = NDArray[np.int64]
"""``int64 (N,)``: lengths of the runs."""


def decompress(text: str) -> Counts:
    """The counts of a compressed encoding.

    Raises:
        ValueError: it has invalid characters, ends early, or a count has too many bits.
    """
    codes = np.frombuffer(text.encode("utf-32-le"), np.uint32).astype(np.int64) - ZERO
    if len(codes) == 0:
        return np.zeros(0, np.int64)
    if codes.min() < 0 or codes.max() > (MORE | GROUP):
        raise ValueError("has characters that a run-length encoding cannot have")
    ends = np.flatnonzero(codes & MORE == 0)
    if len(ends) == 0 or ends[-1] != len(codes) - 1:
        raise ValueError("ends in the middle of a count")
    starts = np.concatenate(([0], ends[:-1] + 1))
    sizes = ends - starts + 1
    if sizes.max() > MOST_GROUPS:
        raise ValueError("has a count of too many bits")
    place = np.arange(len(codes)) - np.repeat(starts, sizes)
    values = np.add.reduceat((codes & GROUP) << (GROUP_BITS * place), starts)
    values -= np.where(codes[ends] & SIGN, 1, 0) << (GROUP_BITS * sizes)
    # Each difference is to the count two places before, so odd and even places sum separately.
    values[1::2] = np.cumsum(values[1::2])
    values[2::2] = np.cumsum(values[2::2])
    return values


def compress(counts: Counts) -> str:
    """The compressed encoding of counts; the inverse of :func:`decompress`."""
    values = counts.copy()
    values[DELTA_FROM:] -= counts[DELTA_FROM - 2 : -2]
    groups = np.arange(MOST_GROUPS)
    codes = (values[:, None] >> (GROUP_BITS * groups)) & GROUP
    # A group is the last one where the rest is 0 or -1 and agrees with the sign bit.
    rest = values[:, None] >> (GROUP_BITS * (groups + 1))
    done = np.where(codes & SIGN, rest == -1, rest == 0)
    last = done.argmax(axis=1)
    codes |= np.where(groups < last[:, None], MORE, 0)
    return bytes((codes[groups <= last[:, None]] + ZERO).astype(np.uint8)).decode("ascii")


def decode(
    counts: Sequence[int] | str, width: int, height: int, allowance: MaskAllowance | None = None
) -> Mask | None:
    """The mask of an encoding; ``None`` where no pixel is inside.

    Args:
        counts: plain (numbers) or compressed (text).
        width: of the photograph in pixels.
        height: of the photograph in pixels.
        allowance: from which the mask is taken.

    Raises:
        ValueError: the encoding is damaged, its runs do not fill the photograph, or the allowance
            is used up.
    """
    try:
        runs = decompress(counts) if isinstance(counts, str) else np.array(counts, np.int64)
    except OverflowError:
        raise ValueError("has a run of more pixels than any photograph") from None
    if len(runs) and (runs.min() < 0 or runs.max() > width * height):
        raise ValueError("has a run that is longer than the photograph, or negative")
    if runs.sum() != width * height:
        raise ValueError(f"covers {runs.sum()} pixels, where the photograph has {width * height}")
    ends = np.cumsum(runs)
    starts = ends - runs
    inside = np.flatnonzero((np.arange(len(runs)) % 2 == 1) & (runs > 0))
    if len(inside) == 0:
        return None
    if allowance is not None:
        allowance.require(int(runs[1::2].sum()))
    # Only the columns that the object touches are expanded: most objects are small.
    left = int(starts[inside[0]]) // height
    right = (int(ends[inside[-1]]) - 1) // height + 1
    steps = np.zeros((right - left) * height + 1, np.int8)
    steps[starts[inside] - left * height] += 1
    steps[ends[inside] - left * height] -= 1
    pixels = np.cumsum(steps[:-1], dtype=np.int8).astype(np.bool_)
    # Trimmed before it is turned: along its columns, numpy is ten times as slow.
    turned = Mask.of(pixels.reshape(right - left, height), y=left)
    mask = Mask(turned.y, turned.x, np.ascontiguousarray(turned.pixels.T))
    if allowance is not None:
        allowance.take(mask)
    return mask


def encode(mask: Mask, width: int, height: int) -> Counts:
    """The counts of a mask.

    Args:
        mask: inside the photograph.
        width: of the photograph in pixels.
        height: of the photograph in pixels.
    """
    rows, columns = mask.pixels.shape
    strip = np.zeros((columns, height), np.bool_)
    strip[:, mask.y : mask.y + rows] = mask.pixels.T
    changes = np.flatnonzero(np.diff(strip.ravel(), prepend=False, append=False))
    edges = np.concatenate(([0], changes + mask.x * height, [width * height]))
    counts: Counts = np.diff(edges)
    return counts[:-1] if counts[-1] == 0 else counts
