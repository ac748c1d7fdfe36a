"""What was found held against masks, pixel by pixel.

Where a detector paints, a pixel's score is the probability of its map; where it gives boxes, the
score of the best box over it. Of a photograph only counts are kept, one pair for each score that
occurs on it, so that pooling twenty-seven photographs of twelve megapixels takes no memory.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from fundoscope.evaluate.lesions.hits import Boxes
from fundoscope.evaluate.lesions.masks import Mask
from fundoscope.lesions.components import FULL, Map

UNCOVERED: Final = 0.0
"""The score of pixels that no box covers: as of those on which nothing is painted."""


@dataclass(frozen=True, slots=True)
class PixelCounts:
    """The pixels of one photograph by their score for one kind.

    Attributes:
        score: ``float (S,)``, falling, 0 to 1; the last are pixels on which nothing was found.
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


def of_map(probability: Map, mask: Mask) -> PixelCounts:
    """Count a photograph's pixels by what is painted on them.

    Args:
        probability: of one kind, ``uint8 (H, W)``, times 255, as large as the mask.
        mask: ``bool (H, W)``.
    """
    shown = Image.fromarray(probability)
    # Pillow counts bytes as they are; numpy would first make a number of eight bytes of each.
    true = shown.histogram(Image.fromarray(mask))
    levels = np.arange(FULL, -1, -1)
    return PixelCounts(
        levels / FULL,
        np.array(true, np.float64)[levels],
        np.array(shown.histogram(), np.float64)[levels],
    )


def of_boxes(boxes: Boxes, scores: NDArray[np.float64], mask: Mask) -> PixelCounts:
    """Count a photograph's pixels by the best box over them.

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
