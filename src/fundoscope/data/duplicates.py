"""Which photographs show the same thing: a perceptual hash finds candidates, correlation decides.

Both look at the disc of retina alone, at its vessels and lesions rather than at its shading: a
hash of the whole frame calls eyes equal that share a camera. What is compared is the field's small
crop (:mod:`fundoscope.data.fingerprint`), so photographs of other sizes, of squeezed shape or with
other borders are still found. Mirrored copies are found too. Turned ones are not: no camera turns
them, and each angle would be another chance for a false alarm.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from fundoscope.data.fingerprint import SIDE

SAME: Final = 0.75
"""Least correlation of two photographs that are one; see docs/explanation/duplicates.md."""
INNER: Final = 0.9
"""Share of the radius that is compared: the rim has glare and shadow of its own."""
UNLIT: Final = 3
LIT_SHARE: Final = 0.2
"""Darker than this level, or than this share of the middle, is cut off or masked, no retina."""
OFFSET: Final = 8.0
"""Added before the logarithm, so that sensor noise in the dark does not count as contrast."""
FINE, COARSE = 0.7, 2.0
"""Standard deviations in pixels of the Gaussians between which structure is compared: finer is
noise of JPEG, coarser is shading, in which most eyes are alike (with 5, up to 0.80 of correlation
between strangers, with 2 up to 0.56)."""
TRUNCATE: Final = 2.5
"""Standard deviations at which a Gaussian is cut off."""
FLAT: Final = 0.004
"""Structure (standard deviation of the logarithm) below which there is none to compare; the
blurriest of 6,500 real photographs has 0.0066."""
CLIP: Final = 2.0
"""Standard deviations at which a pixel is cut off, or the reflex of the flash would decide."""
QUANTUM: Final = 127 / CLIP
"""Steps to a standard deviation in 8 bits."""
NOWHERE: Final = -128
"""Stands for a pixel that shows no retina."""
BLOCK: Final = 4
"""Side in pixels of a block that gives one bit of the hash."""
BITS: Final = (SIDE // BLOCK) ** 2
LEAST_BITS: Final = 64
"""Fewer common bits (of about 150 in a disc) tell nothing."""
NEAR: Final = 0.2
"""Largest share of differing bits of a candidate; see docs/explanation/duplicates.md."""
SHIFT: Final = 2
"""Pixels by which a crop may lie beside the other: 6 % of the radius."""
AT_A_TIME: Final = 1024
"""Crops that are in memory as floats, or pairs of them."""
HASHES_AT_A_TIME: Final = 2**23
"""Pairs whose hashes are compared at a time: 32 MB for each of a few tables."""

Residuals = NDArray[np.int8]
"""``int8 (N, SIDE, SIDE)``: structure in steps of ``QUANTUM``; ``NOWHERE`` beside the retina."""
Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Link:
    """Two photographs that are one.

    Attributes:
        first, second: their places, ``first < second``.
        correlation: inside the common field of view, ``SAME`` to 1.
        mirrored: whether one is the other's mirror image, left for right.
    """

    first: int
    second: int
    correlation: float
    mirrored: bool = False


def near_duplicates(crops: Sequence[bytes], *, same: float = SAME) -> tuple[Link, ...]:
    """All pairs of crops that show one photograph.

    Args:
        crops: of :class:`~fundoscope.data.fingerprint.Fingerprint`; an empty one matches nothing.
        same: least correlation.

    Returns:
        Sorted by place. Time grows with the square of the number of crops: a second for 8,000, some
        minutes for 100,000.
    """
    places = [place for place, crop in enumerate(crops) if crop]
    residuals = _residuals([crops[place] for place in places])
    bits = _hashes(residuals)
    links = []
    for mirrored in (False, True):
        others = residuals[:, :, ::-1] if mirrored else residuals
        turned = _turned(bits) if mirrored else bits
        for pairs in _candidates(bits, turned):
            found = correlation(residuals[pairs[:, 0]], others[pairs[:, 1]])
            links += [
                Link(places[i], places[j], float(value), mirrored)
                for (i, j), value in zip(pairs[found >= same], found[found >= same], strict=True)
            ]
    return tuple(sorted(links, key=lambda link: (link.first, link.second, link.mirrored)))


def groups(count: int, pairs: Sequence[tuple[int, int]]) -> tuple[tuple[int, ...], ...]:
    """What hangs together, directly or through others: groups of two or more of ``count`` places.

    Returns:
        Sorted by their first places, each sorted.
    """
    if not pairs:
        return ()
    first, second = np.array(pairs, dtype=np.intp).T
    graph = coo_array((np.ones(len(first), dtype=np.int8), (first, second)), shape=(count, count))
    labels = connected_components(graph, directed=False)[1]
    together: dict[int, list[int]] = {}
    for place in sorted({*first.tolist(), *second.tolist()}):
        together.setdefault(int(labels[place]), []).append(place)
    return tuple(tuple(group) for group in together.values() if len(group) > 1)


def correlation(first: Residuals, second: Residuals) -> Floats:
    """How alike pairs are where both show retina: ``float32 (K,)``, the best of all small shifts.

    Args:
        first, second: ``(K, SIDE, SIDE)``, the two of each pair.
    """
    a, in_a = _values(first)
    b, in_b = _values(second)
    best = np.zeros(len(a), dtype=np.float32)
    for down in range(-SHIFT, SHIFT + 1):
        for right in range(-SHIFT, SHIFT + 1):
            here = (slice(None), _part(down), _part(right))
            there = (slice(None), _part(-down), _part(-right))
            product = np.einsum("kij,kij->k", a[here], b[there])
            energy_a = np.einsum("kij,kij,kij->k", a[here], a[here], in_b[there])
            energy_b = np.einsum("kij,kij,kij->k", b[there], b[there], in_a[here])
            best = np.maximum(best, product / np.sqrt(np.maximum(energy_a * energy_b, 1.0)))
    return best


def _residuals(crops: Sequence[bytes]) -> Residuals:
    found = np.full((len(crops), SIDE, SIDE), NOWHERE, dtype=np.int8)
    for place, crop in enumerate(crops):
        pixels = np.frombuffer(crop, np.uint8).reshape(SIDE, SIDE)
        middle = float(np.median(pixels[_within(INNER / 2)]))
        bright = ndimage.binary_erosion(pixels > max(UNLIT, LIT_SHARE * middle), iterations=2)
        lit = (bright & _within(INNER)).astype(np.float32)
        level = np.log(pixels + np.float32(OFFSET)) * lit
        detail = (level - _blur(level, lit, COARSE)) * lit
        detail = _blur(detail, lit, FINE)
        spread = float(np.sqrt((detail**2 * lit).sum() / max(lit.sum(), 1.0)))
        steps = np.clip(detail / max(spread, FLAT), -CLIP, CLIP) * QUANTUM
        found[place] = np.where(lit > 0, np.rint(steps), NOWHERE)
    return found


def _blur(plane: Floats, lit: Floats, scale: float) -> Floats:
    """Blur what is lit with what is lit alone; ``plane`` is 0 elsewhere."""
    blurred: Floats = ndimage.gaussian_filter(plane, scale, truncate=TRUNCATE)
    weight: Floats = ndimage.gaussian_filter(lit, scale, truncate=TRUNCATE)
    return blurred / (weight + np.float32(1e-6))


def _hashes(residuals: Residuals) -> Floats:
    """``float32 (N, BITS)``: 1 or -1, whether a block is brighter than around it; 0 without one."""
    count, blocks = len(residuals), SIDE // BLOCK
    bits = np.zeros((count, BITS), dtype=np.float32)
    for start in range(0, count, AT_A_TIME):
        values, lit = _values(residuals[start : start + AT_A_TIME])
        shape = (-1, blocks, BLOCK, blocks, BLOCK)
        level = values.reshape(shape).mean(axis=(2, 4))
        mostly = lit.reshape(shape).mean(axis=(2, 4)) > 0.5
        bits[start : start + AT_A_TIME] = (np.sign(level) * mostly).reshape(-1, BITS)
    return bits


def _turned(bits: Floats) -> Floats:
    blocks = SIDE // BLOCK
    return bits.reshape(-1, blocks, blocks)[:, :, ::-1].reshape(-1, BITS)


def _candidates(bits: Floats, others: Floats) -> Iterator[NDArray[np.intp]]:
    """Pairs ``(K, 2)`` of nearly equal hashes, the first place being the lower one."""
    known, others_known = np.abs(bits), np.abs(others)
    step = max(1, HASHES_AT_A_TIME // max(1, len(bits)))
    for start in range(0, len(bits), step):
        rows = slice(start, start + step)
        common = known[rows] @ others_known[start:].T
        agreement = bits[rows] @ others[start:].T
        near = (common >= LEAST_BITS) & (agreement >= (1 - 2 * NEAR) * common)
        pairs = np.argwhere(np.triu(near, k=1)) + start
        for first in range(0, len(pairs), AT_A_TIME):
            yield pairs[first : first + AT_A_TIME]


def _values(residuals: Residuals) -> tuple[Floats, Floats]:
    """Structure (0 where there is no retina), and 1 or 0: whether there is."""
    lit = residuals != NOWHERE
    return np.where(lit, residuals, 0).astype(np.float32), lit.astype(np.float32)


def _part(shift: int) -> slice[Any, Any, Any]:
    return slice(max(shift, 0), SIDE + min(shift, 0))


@cache
def _within(radius: float) -> NDArray[np.bool_]:
    """``bool (SIDE, SIDE)``: the pixels within this share of the disc's radius."""
    axis = (np.arange(SIDE) + 0.5) * (2 / SIDE) - 1
    inside: NDArray[np.bool_] = np.hypot(axis[:, None], axis) < radius
    return inside
