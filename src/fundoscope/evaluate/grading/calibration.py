"""Does a probability of 0.7 come true seven times in ten?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

BINS: Final = 10
"""Equal widths, as in Guo et al., On Calibration of Modern Neural Networks, 2017."""

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Bin:
    """The photographs whose probability lies in ``low`` to ``high``.

    Attributes:
        low, high: bounds; ``high`` belongs to the next bin, save in the last.
        n: how many photographs.
        predicted: their mean probability; ``None`` when there are none.
        observed: the share of them that is positive; ``None`` when there are none.
    """

    low: float
    high: float
    n: int
    predicted: float | None
    observed: float | None


def reliability(probability: Floats, positive: NDArray[np.bool_], bins: int = BINS) -> list[Bin]:
    """The reliability table.

    Args:
        probability: ``float64 (N,)``, 0 to 1.
        positive: ``bool (N,)``, what was true.
        bins: how many, of equal width.
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
    """The mean gap between predicted and observed, each bin weighing as it has photographs.

    ``None`` when there is no photograph at all.
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
