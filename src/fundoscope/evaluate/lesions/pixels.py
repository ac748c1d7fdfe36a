"""Detections compared with masks, pixel by pixel.

A pixel's score is the probability in the detector's map where it segments, else the score of the
best box over the pixel. Of a photograph only counts are kept, one pair for each score that occurs
on it, so that pooling many photographs of twelve megapixels takes little memory.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from fundoscope.evaluate.arrays import Floats, Ints
from fundoscope.evaluate.lesions.hits import BoxArray
from fundoscope.evaluate.lesions.masks import Mask
from fundoscope.lesions.components import FULL, Map

UNCOVERED: Final = 0.0
"""The score of pixels that no box covers: the same as a map's where it shows nothing."""


@dataclass(frozen=True, slots=True)
class PixelCounts:
    """The pixels of one photograph by their score for one kind.

    Attributes:
        score: ``float (S,)``, falling, 0 to 1; the last is that of pixels where nothing was found.
        true: ``float (S,)``, pixels of the lesions with that score.
        count: ``float (S,)``, all pixels with that score.
    """

    score: Floats
    true: Floats
    count: Floats

    @property
    def positives(self) -> float:
        """Number of pixels of the lesions."""
        return float(self.true.sum())


def of_map(probability: Map, mask: Mask) -> PixelCounts:
    """Count a photograph's pixels by their score in a map.

    Args:
        probability: of one kind, times 255, ``uint8 (H, W)`` like the mask.
        mask: ``bool (H, W)``.
    """
    scores = Image.fromarray(probability)
    # Pillow counts bytes as they are; numpy would first convert each to eight bytes.
    true = scores.histogram(Image.fromarray(mask))
    levels = np.arange(FULL, -1, -1)
    return PixelCounts(
        levels / FULL,
        np.array(true, np.float64)[levels],
        np.array(scores.histogram(), np.float64)[levels],
    )


def of_boxes(boxes: BoxArray, scores: Floats, mask: Mask) -> PixelCounts:
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


def _best_rank(boxes: BoxArray, ranks: Ints, shape: tuple[int, ...]) -> NDArray[np.int32]:
    """Take the highest rank of the boxes over each pixel, ``int (H, W)``; 0 where there is none."""
    best = np.zeros(shape, np.int32)
    corners = np.clip(np.rint(boxes), 0, None).astype(np.int64)
    for index in np.argsort(ranks, kind="stable"):
        x0, y0, x1, y1 = corners[index]
        best[y0:y1, x0:x1] = ranks[index]
    return best
