"""Figures with 95 % intervals, by resampling whole patients.

The two eyes of one patient, or two photographs of one eye, are more alike than those of two
strangers. Resampling single photographs would count that likeness as evidence and give intervals
that are too narrow. Clusters (patients) are therefore drawn with replacement (Efron and Tibshirani,
An Introduction to the Bootstrap, 1993, chapters 8 and 13; percentile intervals).

A resample is a row of *weights*: how often each photograph was drawn. A statistic takes many such
rows at once, so that a thousand resamples are a few matrix products.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from fundoscope.evaluate.arrays import Floats, Ints
from fundoscope.ordered import in_order

RESAMPLES: Final = 1000
"""Enough that the bounds of a 95 % interval repeat within about 2 % of its width."""
SEED: Final = 15
PERCENTILES: Final = (2.5, 97.5)
CELLS_AT_ONCE: Final = 2**22
"""Weights in memory at a time, 32 MiB; larger tables are resampled in several turns."""
CELLS_OF_A_BLOCK: Final = 2**19
"""Weights that a statistic gets at once, 4 MiB: sums over what is in the cache are twice as
fast. Which resamples are drawn does not depend on it."""
THREADS: Final = 2
"""Blocks that are computed at a time; numpy releases Python's lock. More threads wait for
memory."""
ONE_CLUSTER: Final = "a single cluster (patient, group or photograph) gives no interval"

Statistic = Callable[[Floats], Floats]
"""From weights ``float64 (R, N)`` to ``float64 (R, K)``: K figures for each of R weightings of N
photographs, NaN where a figure is undefined."""


@dataclass(frozen=True, slots=True)
class Figure:
    """A figure and its 95 % interval.

    Attributes:
        value: over the photographs as they are; ``None`` where undefined.
        low, high: the 2.5th and 97.5th percentile of the resamples; ``None`` where there are none.
        reason: why a value or an interval is ``None``.
    """

    value: float | None
    low: float | None
    high: float | None
    reason: str | None = None

    def in_words(self, digits: int = 3, *, signed: bool = False) -> str:
        """Write the figure and its interval, e.g. ``"0.712 (0.650 to 0.790)"``.

        Args:
            digits: decimals.
            signed: whether numbers that are not negative get a plus sign.
        """
        form = f"{'+' if signed else ''}.{digits}f"
        if self.value is None or self.low is None or self.high is None:
            return self.value_in_words(form)
        return f"{self.value:{form}} ({self.low:{form}} to {self.high:{form}})"

    def value_in_words(self, form: str = ".3f") -> str:
        """Write the value alone, or ``"undefined"``; ``form`` is Python's format specification."""
        return "undefined" if self.value is None else f"{self.value:{form}}"


def drawn_by(kinds: Iterable[str]) -> str:
    """What is drawn together, in words, e.g. ``"group and patient"``.

    Args:
        kinds: of the clusters; each may appear many times.
    """
    return " and ".join(sorted(set(kinds)))


def numbered(keys: Sequence[Hashable]) -> Ints:
    """Number equal keys equally, from 0 in the order of first appearance, ``int64 (N,)``."""
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
    """Compute the K figures of a statistic and their intervals.

    Args:
        statistic: what is computed; it is first given every photograph with weight 1.
        clusters: ``int64 (N,)``, the cluster number of each photograph, 0 to C - 1.
        undefined: K reasons, one for each figure, used where that figure is NaN.
        strata: ``int64 (C,)``; clusters are redrawn within their own stratum. One stratum by
            default.
        resamples: how many; with 0 there are no intervals.
        seed: of the random generator; the same seed gives the same intervals.
    """
    values = statistic(np.ones((1, len(clusters))))[0]
    samples = bootstrap(statistic, clusters, strata=strata, resamples=resamples, seed=seed)
    return tuple(
        figure_from(float(value), column, reason)
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
    """Compute the statistic of each resample; the arguments are those of :func:`estimate`.

    Returns:
        ``float64 (resamples, K)``; no rows where there are fewer than two clusters to draw from.
    """
    if resamples == 0 or len(clusters) == 0 or clusters.max() == 0:
        return np.empty((0, statistic(np.ones((1, len(clusters)))).shape[1]))
    turns = resampled_weights(clusters, strata, resamples, np.random.default_rng(seed))
    blocks = (block for weights in turns for block in _blocks(weights))
    return np.concatenate(list(in_order(blocks, statistic, THREADS)))


def _blocks(weights: Floats) -> Iterator[Floats]:
    """Cut weights ``(r, N)`` into blocks of some rows that a processor's cache can hold."""
    step = max(1, CELLS_OF_A_BLOCK // weights.shape[1])
    for start in range(0, len(weights), step):
        yield weights[start : start + step]


def resampled_weights(
    clusters: Ints, strata: Ints | None, resamples: int, generator: np.random.Generator
) -> Iterator[Floats]:
    """Draw the weights ``float64 (r, N)`` of resamples, some at a time, ``resamples`` in all.

    From each stratum as many clusters are drawn, with replacement, as it has.
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
    """Count how often each cluster ``(r, C)`` is among the draws of its row ``(r, draws)``."""
    rows = len(drawn)
    cells = drawn + cluster_count * np.arange(rows)[:, None]
    counts = np.bincount(cells.ravel(), minlength=rows * cluster_count)
    return counts.reshape(rows, cluster_count).astype(np.float64)


def figure_from(value: float, samples: Floats, undefined: str) -> Figure:
    """Make a figure of its value and its resamples.

    Args:
        value: NaN where undefined.
        samples: ``float64 (R,)``, NaN where undefined; of length 0 where nothing can be resampled.
        undefined: why the value is NaN, if it is.
    """
    if np.isnan(value):
        return Figure(None, None, None, undefined)
    if len(samples) == 0:
        return Figure(value, None, None, ONE_CLUSTER)
    defined = samples[~np.isnan(samples)]
    if len(defined) == 0:
        return Figure(value, None, None, f"in every resample: {undefined}")
    low, high = np.percentile(defined, PERCENTILES)
    return Figure(value, float(low), float(high))
