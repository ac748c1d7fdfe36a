"""Find near-duplicates: a perceptual hash finds candidates, correlation decides.

Both use only the disc of retina, its vessels and lesions rather than its shading: by a hash of the
whole frame, different eyes from one camera look equal. The small crop of the field is compared
(:mod:`fundoscope.data.fingerprint`), so copies of another size, shape or border are found, and so
are mirrored copies. Rotated copies are not: cameras do not rotate photographs, and each angle would
add false alarms.
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
"""Lowest correlation of duplicates; see docs/explanation/duplicates.md."""
INNER: Final = 0.9
"""Share of the radius that is compared: the rim has its own glare and shadow."""
UNLIT: Final = 3
LIT_SHARE: Final = 0.2
"""A pixel darker than this level, or this share of the middle, is cut off or masked."""
OFFSET: Final = 8.0
"""Added before the logarithm, so that sensor noise in dark areas is not contrast."""
FINE, COARSE = 0.7, 2.0
"""Standard deviations, in pixels, of the Gaussians that bound the compared structure: finer is JPEG
noise, coarser is shading, in which most eyes are alike (with 5, different eyes reach a correlation
of 0.80, with 2 of 0.56)."""
TRUNCATE: Final = 2.5
"""Standard deviations at which a Gaussian is cut off."""
FLAT: Final = 0.004
"""Lowest structure (standard deviation of the logarithm) that is compared; the blurriest of 6,500
real photographs has 0.0066."""
CLIP: Final = 2.0
"""Standard deviations at which a pixel is clipped, so that no reflex of the flash decides."""
QUANTUM: Final = 127 / CLIP
"""Steps of a standard deviation in 8 bits."""
NOWHERE: Final = -128
"""The value of a pixel that shows no retina."""
BLOCK: Final = 4
"""Side in pixels of a block that gives one bit of the hash."""
BITS: Final = (SIDE // BLOCK) ** 2
LEAST_BITS: Final = 64
"""Fewest common bits (of about 150 in a disc) for a comparison."""
NEAR: Final = 0.2
"""Largest share of differing bits of a candidate; see docs/explanation/duplicates.md."""
SHIFT: Final = 2
"""Pixels by which crops may be shifted against each other: 6 % of the radius."""
AT_A_TIME: Final = 1024
"""Crops, or pairs of crops, that are in memory as floats."""
HASHES_AT_A_TIME: Final = 2**23
"""Pairs whose hashes are compared at a time: 32 MB for each of a few tables."""

Residuals = NDArray[np.int8]
"""``int8 (N, SIDE, SIDE)``: structure in steps of ``QUANTUM``; ``NOWHERE`` outside the retina."""
Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Link:
    """Two near-duplicates.

    Attributes:
        first: the place of one, from 0.
        second: the place of the other; ``first < second``.
        correlation: inside the common field of view, ``SAME`` to 1.
        mirrored: whether they are mirror images, left for right.
    """

    first: int
    second: int
    correlation: float
    mirrored: bool = False


def near_duplicates(crops: Sequence[bytes], *, same: float = SAME) -> tuple[Link, ...]:
    """All pairs of crops of the same photograph.

    Args:
        crops: of :class:`~fundoscope.data.fingerprint.Fingerprint`; an empty crop matches nothing.
        same: lowest correlation, 0 to 1.

    Returns:
        The pairs, sorted by place. Time grows with the square of the number of crops: a second for
        8,000, some minutes for 100,000.
    """
    places = [place for place, crop in enumerate(crops) if crop]
    residuals = _residuals([crops[place] for place in places])
    bits = _hashes(residuals)
    links = []
    for mirrored in (False, True):
        others = residuals[:, :, ::-1] if mirrored else residuals
        other_bits = _mirrored(bits) if mirrored else bits
        for pairs in _candidates(bits, other_bits):
            values = correlation(residuals[pairs[:, 0]], others[pairs[:, 1]])
            alike = values >= same
            links += [
                Link(places[i], places[j], float(value), mirrored)
                for (i, j), value in zip(pairs[alike], values[alike], strict=True)
            ]
    return tuple(sorted(links, key=lambda link: (link.first, link.second, link.mirrored)))


def groups(count: int, pairs: Sequence[tuple[int, int]]) -> tuple[tuple[int, ...], ...]:
    """Groups of places that pairs connect, directly or through others.

    Args:
        count: the number of places.
        pairs: of places, from 0.

    Returns:
        Groups of two or more, each sorted, in the order of their first places.
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
    """The correlation of pairs where both show retina: ``float32 (K,)``, the best of small shifts.

    Args:
        first: one of each pair, ``(K, SIDE, SIDE)``.
        second: the other of each pair, ``(K, SIDE, SIDE)``.
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
    residuals = np.full((len(crops), SIDE, SIDE), NOWHERE, dtype=np.int8)
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
        residuals[place] = np.where(lit > 0, np.rint(steps), NOWHERE)
    return residuals


def _blur(plane: Floats, lit: Floats, scale: float) -> Floats:
    """Blur lit pixels with lit pixels only; ``plane`` is 0 elsewhere."""
    blurred: Floats = ndimage.gaussian_filter(plane, scale, truncate=TRUNCATE)
    weight: Floats = ndimage.gaussian_filter(lit, scale, truncate=TRUNCATE)
    return blurred / (weight + np.float32(1e-6))


def _hashes(residuals: Residuals) -> Floats:
    """``float32 (N, BITS)``: 1 or -1 for a block brighter or darker than its surround, else 0."""
    count, blocks = len(residuals), SIDE // BLOCK
    bits = np.zeros((count, BITS), dtype=np.float32)
    for start in range(0, count, AT_A_TIME):
        values, lit = _values(residuals[start : start + AT_A_TIME])
        shape = (-1, blocks, BLOCK, blocks, BLOCK)
        level = values.reshape(shape).mean(axis=(2, 4))
        mostly = lit.reshape(shape).mean(axis=(2, 4)) > 0.5
        bits[start : start + AT_A_TIME] = (np.sign(level) * mostly).reshape(-1, BITS)
    return bits


def _mirrored(bits: Floats) -> Floats:
    blocks = SIDE // BLOCK
    return bits.reshape(-1, blocks, blocks)[:, :, ::-1].reshape(-1, BITS)


def _candidates(bits: Floats, others: Floats) -> Iterator[NDArray[np.intp]]:
    """Pairs ``(K, 2)`` of nearly equal hashes, the lower place first."""
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
    """Structure (0 where there is no retina), and 1 where there is retina, else 0."""
    lit = residuals != NOWHERE
    return np.where(lit, residuals, 0).astype(np.float32), lit.astype(np.float32)


def _part(shift: int) -> slice[Any, Any, Any]:
    return slice(max(shift, 0), SIDE + min(shift, 0))


@cache
def _within(radius: float) -> NDArray[np.bool_]:
    """``bool (SIDE, SIDE)``: the pixels within this share of the radius of the disc."""
    axis = (np.arange(SIDE) + 0.5) * (2 / SIDE) - 1
    inside: NDArray[np.bool_] = np.hypot(axis[:, None], axis) < radius
    return inside
