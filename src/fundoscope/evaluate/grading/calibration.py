"""Calibration: is a probability of 0.7 right seven times in ten?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from fundoscope.evaluate.arrays import Flags, Floats

BINS: Final = 10
"""Of equal width, as in Guo et al., On Calibration of Modern Neural Networks, 2017."""


@dataclass(frozen=True, slots=True)
class Bin:
    """The photographs whose probability lies between ``low`` and ``high``.

    Attributes:
        low, high: bounds; ``high`` belongs to the next bin, except in the last.
        n: number of photographs.
        predicted: their mean probability; ``None`` for an empty bin.
        observed: the share of them that is positive; ``None`` for an empty bin.
    """

    low: float
    high: float
    n: int
    predicted: float | None
    observed: float | None


def reliability(probability: Floats, positive: Flags, bins: int = BINS) -> list[Bin]:
    """Build the reliability table.

    Args:
        probability: ``float64 (N,)``, 0 to 1.
        positive: ``bool (N,)``, the truth.
        bins: number of bins, of equal width.
    """
    place = np.minimum((probability * bins).astype(np.int64), bins - 1)
    n = np.bincount(place, minlength=bins)
    predicted = np.bincount(place, weights=probability, minlength=bins)
    observed = np.bincount(place, weights=positive, minlength=bins)
    return [
        Bin(
            i / bins,
            (i + 1) / bins,
            int(n[i]),
            float(predicted[i] / n[i]) if n[i] else None,
            float(observed[i] / n[i]) if n[i] else None,
        )
        for i in range(bins)
    ]


def expected_calibration_error(table: Sequence[Bin]) -> float | None:
    """Average the gap between predicted and observed over the photographs.

    Each bin has the weight of its photographs. ``None`` when there is no photograph.
    """
    total = sum(row.n for row in table)
    if total == 0:
        return None
    gaps = (
        row.n * abs(row.predicted - row.observed)
        for row in table
        if row.predicted is not None and row.observed is not None
    )
    return sum(gaps) / total
