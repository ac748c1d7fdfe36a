"""Precision over recall of what was found on photographs, for many weightings of them at once.

What is found (boxes, or pixels under boxes) is ranked by its score over all photographs. A
bootstrap draws photographs again and again, so every curve is a cumulative sum of that ranking with
each entry weighted by how often its photograph was drawn.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

CELLS_AT_ONCE: Final = 2**20
"""Weighted entries in memory at a time, 8 MiB an array."""
COCO_RECALLS: Final = np.linspace(0.0, 1.0, 101)
"""Where COCO reads precision off (Lin et al., Microsoft COCO, 2014; pycocotools)."""


@dataclass(frozen=True, slots=True)
class Ranked:
    """What was found on N photographs in E entries, best score first.

    Attributes:
        photograph: ``int (E,)``, which one each entry lies on.
        score: ``float (E,)``, falling.
        true: ``float (E,)``, how much of an entry is right: 0 or 1 of a box, pixels of a mask.
        count: ``float (E,)``, how much there is of it: 1 box, or pixels.
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
        true: ``float (R, D)``, right ones that reach each threshold.
        count: ``float (R, D)``, all that reach it.
        positives: ``float (R,)``, how much there is to find.
        photographs: ``float (R,)``, how many there are.
    """

    true: Floats
    count: Floats
    positives: Floats
    photographs: Floats

    @property
    def recall(self) -> Floats:
        """``float (R, D)``; NaN where there is nothing to find."""
        return _share(self.true, self.positives[:, None])

    @property
    def precision(self) -> Floats:
        """``float (R, D)``; 0 where nothing is found yet."""
        return np.nan_to_num(_share(self.true, self.count))


Measure = Callable[[Curve], Floats]
"""From R weightings to ``float (R, K)``."""


def rank(
    entries: Sequence[tuple[Floats, Floats, Floats]],
    positives: Sequence[float],
    *,
    ties: bool = True,
) -> Ranked:
    """Rank what was found on each photograph.

    Args:
        entries: of each of N photographs: score, true and count, ``(n,)`` each, in any order.
        positives: how much there is to find on each.
        ties: whether entries of equal score come together, as no threshold parts them. COCO lets
            them come one by one, in the order of the photographs.
    """
    photograph = np.repeat(np.arange(len(entries)), [len(each[0]) for each in entries])
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
    """Figures of a curve for each weighting, some of them at a time.

    Args:
        ranked: of N photographs.
        weights: ``float (R, N)``, at least 0: how often each photograph counts.
        figures: what is read off the curves.
    """
    step = max(1, CELLS_AT_ONCE // max(1, len(ranked.score)))
    parts = [
        figures(curve(ranked, weights[start : start + step]))
        for start in range(0, len(weights), step)
    ]
    return np.concatenate(parts)


def curve(ranked: Ranked, weights: Floats) -> Curve:
    """The counts at every threshold, for weights ``float (R, N)``."""
    weight = weights[:, ranked.photograph]
    return Curve(
        (weight * ranked.true).cumsum(axis=1)[:, ranked.steps],
        (weight * ranked.count).cumsum(axis=1)[:, ranked.steps],
        weights @ ranked.positives,
        weights.sum(axis=1),
    )


def average_precision(found: Curve) -> Floats:
    """As :func:`fundoscope.evaluate.lesions.hits.average_precision`, ``float (R, 1)``."""
    gain = np.diff(found.true, axis=1, prepend=0.0)
    return _share((gain * _best_beyond(found)).sum(axis=1), found.positives)[:, None]


def step_precision(found: Curve) -> Floats:
    """Precision averaged over recall without interpolation (scikit-learn's), ``float (R, 1)``."""
    gain = np.diff(found.true, axis=1, prepend=0.0)
    return _share((gain * found.precision).sum(axis=1), found.positives)[:, None]


def coco_precision(found: Curve) -> Floats:
    """Best precision at or beyond each of COCO's 101 recalls, their mean, ``float (R, 1)``."""
    best = _best_beyond(found)
    means = [
        np.append(row, 0.0)[np.searchsorted(recall, COCO_RECALLS)].mean()
        for row, recall in zip(best, np.nan_to_num(found.recall), strict=True)
    ]
    return np.where(found.positives > 0, means, np.nan)[:, None]


def _best_beyond(found: Curve) -> Floats:
    best: Floats = np.maximum.accumulate(found.precision[:, ::-1], axis=1)[:, ::-1]
    return best


def _share(part: Floats, whole: Floats) -> Floats:
    whole = np.broadcast_to(whole, part.shape)
    share: Floats = np.divide(part, whole, out=np.full(part.shape, np.nan), where=whole > 0)
    return share
