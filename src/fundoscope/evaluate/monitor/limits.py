"""Control limits for shares and for the distribution of scores, against a reference.

A Shewhart chart for attributes (Montgomery, Introduction to Statistical Quality Control, chapter 7)
with probability limits: as rarely as three standard deviations of a normal distribution, 0.135 % on
each side. The usual p-chart takes the reference's share as known and the count as normal. Neither
holds for a hundred photographs and a rare event, so that it gives false alarms. Here the limits are
those of the predictive distribution: the count of a period given that of the reference is
beta-binomial (Jeffreys' prior; Gelman et al., Bayesian Data Analysis, section 2.4). They hold for
any size of reference and period.

The two eyes of a patient are alike. Where patients are known, a period counts as many photographs
as it has patients: limits are then rather too wide than too narrow.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from fundoscope.evaluate.arrays import Floats

TAIL: Final = 0.00135
"""Probability beyond a limit on each side, that of three standard deviations (Shewhart, 1931)."""
PRIOR: Final = 0.5
"""Jeffreys' prior of a share, on either side."""
FEWEST: Final = 10
"""Patients of a period, or of a reference, for limits to be given; fewer cannot show anything."""
TOGETHER: Final = 8
"""Periods that are also tested together, to see a slow drift: as many as in the last of the
Western Electric rules (Statistical Quality Control Handbook, 1956)."""


@dataclass(frozen=True, slots=True)
class Count:
    """How many of some photographs have something.

    Attributes:
        part: photographs that have it.
        whole: photographs that were looked at for it.
        patients: of them; ``whole`` where they are not known.
    """

    part: int
    whole: int
    patients: int

    @property
    def share(self) -> float | None:
        """0 to 1; ``None`` without photographs."""
        return self.part / self.whole if self.whole else None

    @property
    def careful(self) -> tuple[float, int]:
        """Part and whole, as if each patient had one photograph."""
        if not self.whole:
            return 0.0, 0
        return self.part * self.patients / self.whole, self.patients

    def __add__(self, other: Count) -> Count:
        """Both together."""
        return Count(
            self.part + other.part, self.whole + other.whole, self.patients + other.patients
        )


def of_share(reference: Count, period: Count) -> tuple[float, float] | None:
    """Limits for the share of a period, 0 to 1; ``None`` where there are too few patients.

    Args:
        reference: what is compared with.
        period: only its number of photographs counts.
    """
    part, whole = reference.careful
    _, n = period.careful
    if n < FEWEST or whole < FEWEST:
        return None
    low, high = quantiles(n, part + PRIOR, whole - part + PRIOR, (TAIL, 1.0 - TAIL))
    return low / n, high / n


def quantiles(n: int, a: float, b: float, at: Sequence[float]) -> list[int]:
    """Quantiles of the beta-binomial distribution.

    scipy's ``betabinom.ppf`` takes milliseconds, and a page of charts has hundreds of limits.

    Args:
        n: number of trials.
        a: first parameter of the beta distribution, above 0.
        b: the second.
        at: probabilities.
    """
    from scipy.special import betaln

    k = np.arange(n + 1)
    chance = np.exp(betaln(k + a, n - k + b) - betaln(a, b) - betaln(n - k + 1, k + 1)) / (n + 1)
    # The last sum is 1 up to rounding; no quantile lies beyond n.
    return [min(int(place), n) for place in np.searchsorted(np.cumsum(chance), at)]


def beyond(share: float | None, limits: tuple[float, float] | None) -> bool:
    """Whether a share lies beyond its limits."""
    if share is None or limits is None:
        return False
    return not limits[0] <= share <= limits[1]


def distance(reference: Floats, scores: Floats) -> float:
    """The largest difference of two cumulative distributions, 0 to 1 (Kolmogorov and Smirnov).

    Args:
        reference: scores ``float64 (M,)``, at least one.
        scores: ``float64 (N,)``, at least one.
    """
    both = np.concatenate((reference, scores))
    of_reference = np.searchsorted(np.sort(reference), both, side="right") / len(reference)
    of_scores = np.searchsorted(np.sort(scores), both, side="right") / len(scores)
    return float(np.abs(of_reference - of_scores).max())


def of_distance(reference: int, period: int) -> float | None:
    """The limit of that distance, by Smirnov's asymptotic formula (1948).

    Args:
        reference: photographs, or patients, of the reference.
        period: of the period.
    """
    if min(reference, period) < FEWEST:
        return None
    # Two-sided at twice the tail: exp(-2 c²) * 2 = 2 * TAIL.
    c = math.sqrt(-0.5 * math.log(TAIL))
    return min(1.0, c * math.sqrt((reference + period) / (reference * period)))


def windows(counts: Sequence[Count]) -> list[Count | None]:
    """For each period the last :data:`TOGETHER` periods put together; ``None`` before that many."""
    together: list[Count | None] = []
    for end in range(1, len(counts) + 1):
        if end < TOGETHER:
            together.append(None)
            continue
        total = Count(0, 0, 0)
        for count in counts[end - TOGETHER : end]:
            total = total + count
        together.append(total)
    return together
