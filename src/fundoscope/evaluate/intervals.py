"""Figures with 95 % intervals, by resampling whole patients.

The two eyes of one patient, or two photographs of one eye, agree more than two strangers do.
Resampling photographs one by one would call that agreement evidence and give intervals that are too
narrow, so what is drawn with replacement are clusters: patients (Efron and Tibshirani, An
Introduction to the Bootstrap, 1993, chapters 8 and 13; percentile intervals).

A resample is a row of *weights*: how often each photograph was drawn. A statistic takes many such
rows at once, which makes a thousand resamples a few matrix products.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

RESAMPLES: Final = 1000
"""Enough that the bounds of a 95 % interval repeat within about 2 % of its width."""
SEED: Final = 15
PERCENTILES: Final = (2.5, 97.5)
CELLS_AT_ONCE: Final = 2**22
"""Weights in memory at a time, 32 MiB; larger tables are resampled in several turns."""
ONE_CLUSTER: Final = "one cluster (patient, group or photograph) alone gives no interval"

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

Statistic = Callable[[Floats], Floats]
"""From weights ``float64 (R, N)`` to ``float64 (R, K)``: K figures for each of R weightings of N
photographs, NaN where a figure is undefined."""


@dataclass(frozen=True, slots=True)
class Figure:
    """A figure and its 95 % interval.

    Attributes:
        value: of the photographs as they are; ``None`` where undefined.
        low, high: the 2.5th and 97.5th percentile of the resamples; ``None`` where there are none.
        reason: why something is ``None``.
    """

    value: float | None
    low: float | None
    high: float | None
    reason: str | None = None


def numbered(keys: Sequence[Hashable]) -> Ints:
    """``int64 (N,)``: equal keys get equal numbers 0, 1, … as they first appear."""
    numbers: dict[Hashable, int] = {}
    return np.array([numbers.setdefault(key, len(numbers)) for key in keys], dtype=np.int64)


def estimate(
    statistic: Statistic,
    clusters: Ints,
    undefined: Sequence[str],
    *,
    strata: Ints | None = None,
    resamples: int = RESAMPLES,
    seed: int = SEED,
) -> tuple[Figure, ...]:
    """The K figures of a statistic with their intervals.

    Args:
        statistic: what is computed; sees all photographs with weight 1 first.
        clusters: ``int64 (N,)``, the cluster number of each photograph, 0 to C - 1.
        undefined: K reasons, given where the figure of that place is NaN.
        strata: ``int64 (C,)``, clusters are redrawn within their stratum only; one when left out.
        resamples: how many.
        seed: of the random generator; the same seed gives the same intervals.
    """
    values = statistic(np.ones((1, len(clusters))))[0]
    samples = bootstrap(statistic, clusters, strata=strata, resamples=resamples, seed=seed)
    return tuple(
        _figure(float(value), column, reason)
        for value, column, reason in zip(values, samples.T, undefined, strict=True)
    )


def bootstrap(
    statistic: Statistic,
    clusters: Ints,
    *,
    strata: Ints | None = None,
    resamples: int = RESAMPLES,
    seed: int = SEED,
) -> Floats:
    """The statistic of each resample, ``float64 (resamples, K)``; arguments as in `estimate`.

    Nothing is drawn from fewer than two clusters: the result then has no rows.
    """
    if len(clusters) == 0 or clusters.max() == 0:
        return np.empty((0, statistic(np.ones((1, len(clusters)))).shape[1]))
    turns = resampled_weights(clusters, strata, resamples, np.random.default_rng(seed))
    return np.concatenate([statistic(weights) for weights in turns])


def resampled_weights(
    clusters: Ints, strata: Ints | None, resamples: int, generator: np.random.Generator
) -> Iterator[Floats]:
    """Weights ``float64 (r, N)`` of resamples, some at a time, ``resamples`` in all.

    Each stratum gives as many clusters as it has, drawn with replacement.
    """
    cluster_count = int(clusters.max()) + 1
    if strata is None:
        strata = np.zeros(cluster_count, dtype=np.int64)
    members = [np.flatnonzero(strata == stratum) for stratum in np.unique(strata)]
    step = max(1, CELLS_AT_ONCE // max(len(clusters), cluster_count))
    for start in range(0, resamples, step):
        turn = min(step, resamples - start)
        drawn = np.concatenate(
            [m[generator.integers(len(m), size=(turn, len(m)))] for m in members], axis=1
        )
        yield _times_drawn(drawn, cluster_count)[:, clusters]


def _times_drawn(drawn: Ints, cluster_count: int) -> Floats:
    """How often each cluster ``(r, C)`` is among the draws of its row ``(r, draws)``."""
    rows = len(drawn)
    cells = drawn + cluster_count * np.arange(rows)[:, None]
    counts = np.bincount(cells.ravel(), minlength=rows * cluster_count)
    return counts.reshape(rows, cluster_count).astype(np.float64)


def _figure(value: float, samples: Floats, undefined: str) -> Figure:
    if np.isnan(value):
        return Figure(None, None, None, undefined)
    if len(samples) == 0:
        return Figure(value, None, None, ONE_CLUSTER)
    defined = samples[~np.isnan(samples)]
    if len(defined) == 0:
        return Figure(value, None, None, f"in every resample: {undefined}")
    low, high = np.percentile(defined, PERCENTILES)
    return Figure(value, float(low), float(high))
