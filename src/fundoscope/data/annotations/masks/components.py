"""From the pixels of a class to objects: connected components.

Two pixels are connected if they touch at a side or a corner (8-neighbours), the rule by which
IDRiD's lesions are counted. Two further rules are off by default: *specks* of fewer pixels than a
bound are dropped (IDRiD's smallest lesion has 5), and components that only a *seam* separates, such
as the blank line between the tiles of an annotation tool, count as one.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from fundoscope import limits
from fundoscope.data.annotations.annotation import Mask
from fundoscope.errors import TableError

ROWS: Final = 256
"""Rows of a large mask that are looked at together."""
SMALL: Final = 2**16
"""Pixels of a mask whose labels are sorted: for larger ones, memory and time would be large."""
EIGHT_NEIGHBOURS: Final = np.ones((3, 3), dtype=bool)


@dataclass(frozen=True, slots=True)
class Rules:
    """What counts as one object.

    Attributes:
        min_pixels: components of fewer pixels are dropped; 1 drops none.
        seam: components count as one if at most this many blank pixels, along rows and along
            columns, lie between them; 0 joins only components that touch.
    """

    min_pixels: int = 1
    seam: int = 0

    def __post_init__(self) -> None:
        """Reject invalid values."""
        if self.min_pixels < 1 or self.seam < 0:
            raise ValueError(f"min_pixels must be at least 1 and seam at least 0: {self}")


@dataclass(frozen=True, slots=True)
class Components:
    """The objects of a mask.

    Attributes:
        objects: in the order of their first pixel, row by row.
        specks: the number of components that were dropped.
    """

    objects: tuple[Mask, ...]
    specks: int = 0


def components(
    pixels: NDArray[np.bool_], rules: Rules | None = None, *, where: str = "the mask"
) -> Components:
    """The objects in a mask of one class.

    Args:
        pixels: bool ``(H, W)``, true where the class is.
        rules: what counts as one object; by default every component.
        where: the file, for errors.

    Raises:
        TableError: it has more than :data:`fundoscope.limits.MAX_MASK_OBJECTS` components.
    """
    from scipy import ndimage

    rules = rules or Rules()
    if not pixels.any():
        return Components(())
    whole = Mask.of(pixels)
    labels, count = ndimage.label(_grown(whole.pixels, rules.seam), structure=EIGHT_NEIGHBOURS)
    if count > limits.MAX_MASK_OBJECTS:
        raise TableError(
            where,
            f"has {count} separate parts, more than {limits.MAX_MASK_OBJECTS}",
            "check that it is a mask, and store it without loss as PNG",
        )
    if rules.seam:
        height, width = whole.pixels.shape
        labels = np.where(whole.pixels, labels[:height, :width], 0)
    objects: list[Mask] = []
    specks = 0
    for number, place in enumerate(ndimage.find_objects(labels), start=1):
        if place is None:  # pragma: no cover - every label has a pixel of the mask
            continue
        rows, columns = place
        mask = Mask.of(labels[place] == number, whole.x + columns.start, whole.y + rows.start)
        if mask.area < rules.min_pixels:
            specks += 1
        else:
            objects.append(mask)
    return Components(tuple(sorted(objects, key=_first_pixel)), specks)


def entangled(pixels: NDArray[np.bool_], objects: Iterable[Mask]) -> tuple[int, int]:
    """Count the objects that cannot be recovered from their common mask.

    Args:
        pixels: bool ``(H, W)``, the union of the objects.
        objects: of one class, all inside.

    Returns:
        The number that share a component with another, and the number that lie in several.
    """
    from scipy import ndimage

    labels, count = ndimage.label(pixels, structure=EIGHT_NEIGHBOURS)
    owners = np.zeros(count + 1, dtype=np.int64)
    parts: list[NDArray[np.int64]] = []
    for mask in objects:
        parts.append(_labels_in(mask, labels, count))
        owners[parts[-1]] += 1
    joined = sum(bool((owners[part] > 1).any()) for part in parts)
    return joined, sum(len(part) > 1 for part in parts)


def _labels_in(mask: Mask, labels: NDArray[np.int32], count: int) -> NDArray[np.int64]:
    """The labels that occur in a mask, some rows at a time."""
    height, width = mask.pixels.shape
    if mask.pixels.size <= SMALL:
        cut = labels[mask.y : mask.y + height, mask.x : mask.x + width]
        return np.unique(cut[mask.pixels])
    present = np.zeros(count + 1, dtype=bool)
    for top in range(0, height, ROWS):
        inside = mask.pixels[top : top + ROWS]
        first = mask.y + top
        cut = labels[first : first + len(inside), mask.x : mask.x + width]
        present[cut[inside]] = True
    return np.flatnonzero(present)


def _grown(pixels: NDArray[np.bool_], seam: int) -> NDArray[np.bool_]:
    """Every true pixel extended to a square of side ``seam + 1``: squares touch across a seam."""
    if seam == 0:
        return pixels
    height, width = pixels.shape
    rows = np.zeros((height + seam, width), dtype=bool)
    for shift in range(seam + 1):
        rows[shift : shift + height] |= pixels
    grown = np.zeros((height + seam, width + seam), dtype=bool)
    for shift in range(seam + 1):
        grown[:, shift : shift + width] |= rows
    return grown


def _first_pixel(mask: Mask) -> tuple[int, int]:
    return mask.y, mask.x + int(mask.pixels[0].argmax())
