"""Precision over recall of detections, for many weightings of the photographs at once.

Detections (boxes or pixels) are ranked by score over all photographs. A bootstrap draws photographs
many times; each curve is a cumulative sum over that ranking, with each entry weighted by how often
its photograph was drawn.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from fundoscope.evaluate.arrays import Floats, Ints, share

CELLS_AT_ONCE: Final = 2**20
"""Weighted entries in memory at a time, 8 MiB an array."""
COCO_RECALLS: Final = np.linspace(0.0, 1.0, 101)
"""Recalls at which COCO reads precision (Lin et al., Microsoft COCO, 2014; pycocotools)."""


@dataclass(frozen=True, slots=True)
class Ranked:
    """The detections on N photographs as E entries, best score first.

    Attributes:
        photograph: ``int (E,)``, the number of each entry's photograph.
        score: ``float (E,)``, falling.
        true: ``float (E,)``, how much of an entry is true: 0 or 1 box, or pixels of a mask.
        count: ``float (E,)``, how much an entry holds: 1 box, or pixels.
        positives: ``float (N,)``, how much there is to find on each photograph.
        steps: ``int (D,)``, rising: the entries after which a threshold may lie.
    """

    photograph: Ints
    score: Floats
    true: Floats
    count: Floats
    positives: Floats
    steps: Ints


@dataclass(frozen=True, slots=True)
class Curve:
    """Counts at every threshold, for R weightings.

    Attributes:
        true: ``float (R, D)``, true boxes or pixels that reach each threshold.
        count: ``float (R, D)``, all boxes or pixels that reach it.
        positives: ``float (R,)``, how much there is to find.
        photographs: ``float (R,)``, number of photographs.
    """

    true: Floats
    count: Floats
    positives: Floats
    photographs: Floats

    @property
    def recall(self) -> Floats:
        """Recall at each threshold, ``float (R, D)``; NaN where there is nothing to find."""
        return share(self.true, self.positives[:, None])

    @property
    def precision(self) -> Floats:
        """Precision at each threshold, ``float (R, D)``; 0 where nothing reaches it."""
        return np.nan_to_num(share(self.true, self.count))


Measure = Callable[[Curve], Floats]
"""From the curves of R weightings to K figures of each, ``float (R, K)``."""


def rank(
    entries: Sequence[tuple[Floats, Floats, Floats]],
    positives: Sequence[float],
    *,
    ties: bool = True,
) -> Ranked:
    """Rank the detections of all photographs.

    Args:
        entries: of each of N photographs: score, true and count, ``(n,)`` each, in any order.
        positives: how much there is to find on each.
        ties: whether entries of equal score come together, as no threshold separates them. COCO
            takes them one by one, in the order of the photographs.
    """
    photograph = np.repeat(np.arange(len(entries)), [len(scores) for scores, _, _ in entries])
    score, true, count = (
        np.concatenate([np.zeros(0), *(each[part] for each in entries)]) for part in range(3)
    )
    order = np.argsort(-score, kind="stable")
    last = np.ones(len(score), bool)
    if ties:
        last[:-1] = score[order][1:] != score[order][:-1]
    return Ranked(
        photograph[order],
        score[order],
        true[order],
        count[order],
        np.asarray(positives, np.float64),
        np.flatnonzero(last),
    )


def measure(ranked: Ranked, weights: Floats, figures: Measure) -> Floats:
    """Measure the curve of each weighting, some weightings at a time.

    Args:
        ranked: of N photographs.
        weights: ``float (R, N)``, at least 0: how often each photograph counts.
        figures: reads K figures from each curve.

    Returns:
        ``float (R, K)``.
    """
    step = max(1, CELLS_AT_ONCE // max(1, len(ranked.score)))
    parts = [
        figures(curve(ranked, weights[start : start + step]))
        for start in range(0, len(weights), step)
    ]
    return np.concatenate(parts)


def curve(ranked: Ranked, weights: Floats) -> Curve:
    """Count at every threshold, for weights ``float (R, N)``."""
    weight = weights[:, ranked.photograph]
    return Curve(
        (weight * ranked.true).cumsum(axis=1)[:, ranked.steps],
        (weight * ranked.count).cumsum(axis=1)[:, ranked.steps],
        weights @ ranked.positives,
        weights.sum(axis=1),
    )


def average_precision(curve: Curve) -> Floats:
    """Average as :func:`fundoscope.evaluate.lesions.hits.average_precision` does, ``(R, 1)``."""
    gain = np.diff(curve.true, axis=1, prepend=0.0)
    return share((gain * _best_beyond(curve)).sum(axis=1), curve.positives)[:, None]


def step_precision(curve: Curve) -> Floats:
    """Average precision over recall without interpolation, as scikit-learn does, ``(R, 1)``."""
    gain = np.diff(curve.true, axis=1, prepend=0.0)
    return share((gain * curve.precision).sum(axis=1), curve.positives)[:, None]


def coco_precision(curve: Curve) -> Floats:
    """Average the best precision at or beyond each of COCO's 101 recalls, ``(R, 1)``."""
    best = _best_beyond(curve)
    means = [
        np.append(row, 0.0)[np.searchsorted(recall, COCO_RECALLS)].mean()
        for row, recall in zip(best, np.nan_to_num(curve.recall), strict=True)
    ]
    return np.where(curve.positives > 0, means, np.nan)[:, None]


def _best_beyond(curve: Curve) -> Floats:
    best: Floats = np.maximum.accumulate(curve.precision[:, ::-1], axis=1)[:, ::-1]
    return best
