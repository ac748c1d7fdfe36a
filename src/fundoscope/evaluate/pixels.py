"""Boxes held against masks, pixel by pixel: a pixel's score is that of the best box over it.

Of a photograph only counts are kept, one pair for each score that occurs on it, so that pooling
twenty-seven photographs of twelve megapixels takes no memory.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Final

import numpy as np
from numpy.typing import NDArray

from fundoscope.data.annotations import mask_layout
from fundoscope.data.annotations.mask_pixels import painted
from fundoscope.evaluate.hits import Boxes

UNCOVERED: Final = -1.0
"""The score of pixels that no box covers, below that of any box."""

Pixels = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class PixelCounts:
    """The pixels of one photograph by their score for one kind.

    Attributes:
        score: ``float (S,)``, falling; the last are the pixels under no box.
        true: ``float (S,)``, pixels of the lesions with that score.
        count: ``float (S,)``, all pixels with it.
    """

    score: NDArray[np.float64]
    true: NDArray[np.float64]
    count: NDArray[np.float64]

    @property
    def positives(self) -> float:
        """How many pixels the lesions have."""
        return float(self.true.sum())


def masks_of(
    folder: Path, images: Path, wanted: Iterable[str]
) -> dict[str, Mapping[str, tuple[Path, ...]]]:
    """The masks of photographs by kind, found by name (IDRiD's and other sets' layouts).

    Args:
        folder: of the masks.
        images: of the photographs.
        wanted: photographs, as paths below ``images``.

    Returns:
        By photograph its masks by kind; a photograph without any mask is left out.

    Raises:
        TableError: the folder has no masks.
    """
    by_photo: dict[str, dict[str, tuple[Path, ...]]] = {}
    for mask in mask_layout.one_a_class(folder, images):
        kinds = by_photo.setdefault(mask.photo, {})
        kinds[mask.kind] = (*kinds.get(mask.kind, ()), mask.path)
    found: dict[str, Mapping[str, tuple[Path, ...]]] = {}
    for image in wanted:
        stem = PurePosixPath(image).with_suffix("")
        masks = by_photo.get(stem.as_posix()) or by_photo.get(stem.name)
        if masks:
            found[image] = masks
    return found


def read(paths: Iterable[Path], shape: tuple[int, int]) -> Pixels:
    """Bool ``(H, W)``: the pixels of a kind, of all its masks together; none where there is none.

    Raises:
        PhotoError: a mask cannot be read.
    """
    together = np.zeros(shape, bool)
    for path in paths:
        together |= painted(path)
    return together


def count(boxes: Boxes, scores: NDArray[np.float64], mask: Pixels) -> PixelCounts:
    """Count a photograph's pixels by score.

    Args:
        boxes: ``(N, 4)`` of one kind, in the mask's pixels; a pixel is under a box whose edges,
            rounded to whole pixels, enclose it.
        scores: ``(N,)``.
        mask: ``bool (H, W)``.
    """
    distinct, place = np.unique(scores, return_inverse=True)
    rank = _best_rank(boxes, place.reshape(-1) + 1, mask.shape)
    covered = rank > 0
    count = np.bincount(rank[covered], minlength=len(distinct) + 1).astype(np.float64)
    true = np.bincount(rank[covered & mask], minlength=len(distinct) + 1).astype(np.float64)
    count[0], true[0] = mask.size - count.sum(), mask.sum() - true.sum()
    return PixelCounts(np.append(distinct[::-1], UNCOVERED), true[::-1], count[::-1])


def _best_rank(boxes: Boxes, ranks: NDArray[np.int64], shape: tuple[int, ...]) -> NDArray[np.int32]:
    """``int (H, W)``: the highest rank of the boxes over each pixel, 0 under none."""
    painted_over = np.zeros(shape, np.int32)
    corners = np.clip(np.rint(boxes), 0, None).astype(np.int64)
    for index in np.argsort(ranks, kind="stable"):
        x0, y0, x1, y1 = corners[index]
        painted_over[y0:y1, x0:x1] = ranks[index]
    return painted_over
