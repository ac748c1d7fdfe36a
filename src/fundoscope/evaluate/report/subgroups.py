"""Is the grader as good on each camera, site or eye as on the others?

For each value of a column the gap is its figure less that of all other photographs, on the same
resamples of whole patients. Who looks at many gaps finds a large one by chance, so Holm's step-down
correction is given over all gaps of a report (Holm, Scandinavian Journal of Statistics 1979).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from fundoscope.evaluate.arrays import Floats
from fundoscope.evaluate.grading.figures import COLUMNS, Scores, figures, why_undefined
from fundoscope.evaluate.intervals import Figure, bootstrap, figure_from, numbered

LOOKED_AT: Final = ("referable_auc", "referable_sensitivity", "referable_specificity")
"""The figures whose gaps are given."""
FEWEST: Final = 20
"""Resamples in which a gap must exist for a test; fewer say nothing about its spread."""


@dataclass(frozen=True, slots=True)
class Gap:
    """One figure of one part of the photographs, against all others.

    Attributes:
        value: of the column.
        n: photographs with that value.
        figure: its name.
        own: of the photographs with that value.
        gap: ``own`` less that of all other photographs.
        p: two-sided, from the gap and its spread over the resamples; ``None`` where there is none.
    """

    value: str
    n: int
    figure: str
    own: Figure
    gap: Figure
    p: float | None


def gaps(
    scores: Scores, keys: Sequence[tuple[str, ...]], values: Sequence[str], *, resamples: int
) -> tuple[Gap, ...]:
    """Compute the gaps of each value of a column.

    Args:
        scores: of N photographs.
        keys: N clusters that are drawn together.
        values: N values of the column.
        resamples: for the intervals.

    Returns:
        Nothing if the column has a single value: there is nothing to compare with.
    """
    distinct = sorted(set(values))
    if len(distinct) < 2:
        return ()
    cells = np.array(values)
    return tuple(
        gap
        for value in distinct
        for gap in _gaps(scores, numbered(keys), cells == value, value, resamples)
    )


def _gaps(
    scores: Scores, clusters: np.ndarray, mask: np.ndarray, value: str, resamples: int
) -> list[Gap]:
    own, rest = scores.where(mask), scores.where(~mask)
    places = [COLUMNS.index(name) for name in LOOKED_AT]

    def statistic(weights: Floats) -> Floats:
        inside = figures(own, weights[:, mask])[:, places]
        outside = figures(rest, weights[:, ~mask])[:, places]
        return np.concatenate([inside, inside - outside], axis=1)

    values = statistic(np.ones((1, len(mask))))[0]
    samples = bootstrap(statistic, clusters, resamples=resamples)
    # A single cluster, drawn once or twice, gives the same figure: it has no spread.
    several = [len(np.unique(clusters[part])) > 1 for part in (mask, ~mask)]
    of_own = samples if several[0] else samples[:0]
    of_gaps = samples if all(several) else samples[:0]
    width = len(LOOKED_AT)
    reasons, others = why_undefined(own), why_undefined(rest)
    found = []
    for at, name in enumerate(LOOKED_AT):
        why = reasons[places[at]]
        if not np.isnan(values[at]):
            of_gap = f"of the other photographs: {others[places[at]]}"
        else:
            of_gap = why
        gap = figure_from(float(values[width + at]), of_gaps[:, width + at], of_gap)
        found.append(
            Gap(
                value,
                int(mask.sum()),
                name,
                figure_from(float(values[at]), of_own[:, at], why),
                gap,
                probability(gap, of_gaps[:, width + at]),
            )
        )
    return found


def probability(gap: Figure, samples: Floats) -> float | None:
    """Two-sided probability of such a gap by chance: a normal test by the bootstrap's spread.

    Counting resamples beyond 0 would end at one in a thousand, too coarse for a correction.
    """
    from scipy.stats import norm

    defined = samples[~np.isnan(samples)]
    if gap.value is None or len(defined) < FEWEST:
        return None
    spread = float(np.std(defined, ddof=1))
    return None if spread == 0.0 else float(2.0 * norm.sf(abs(gap.value) / spread))


def holm(probabilities: Sequence[float | None]) -> list[float | None]:
    """Correct probabilities for their number; ``None`` stays and does not count."""
    given = [p for p in probabilities if p is not None]
    order = sorted(range(len(given)), key=given.__getitem__)
    corrected = [0.0] * len(given)
    largest = 0.0
    for rank, place in enumerate(order):
        largest = max(largest, min(1.0, (len(given) - rank) * given[place]))
        corrected[place] = largest
    left = iter(corrected)
    return [None if p is None else next(left) for p in probabilities]
