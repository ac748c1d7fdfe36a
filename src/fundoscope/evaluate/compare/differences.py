"""Differences between the figures of two bundles on the same photographs, with their intervals.

Both are counted on the same resamples of the same patients (a paired bootstrap; Efron and
Tibshirani, An Introduction to the Bootstrap, 1993, chapter 8). What makes a patient easy or hard
for both bundles cancels in the difference, so its interval is narrower than those of the two
figures suggest. Figures whose own intervals overlap may still differ significantly.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from fundoscope.evaluate.arrays import Floats, Ints
from fundoscope.evaluate.compare.mcnemar import McNemar
from fundoscope.evaluate.intervals import RESAMPLES, SEED, Figure, Statistic, estimate
from fundoscope.reading import ModelUsed


@dataclass(frozen=True, slots=True)
class Change:
    """One figure of two bundles on the same photographs.

    Attributes:
        old, new: the figure of each bundle.
        difference: new minus old, with the interval of the paired resamples.
    """

    old: Figure
    new: Figure
    difference: Figure

    @property
    def excludes_zero(self) -> bool | None:
        """Whether the interval of the difference excludes 0; ``None`` where it has no interval."""
        low, high = self.difference.low, self.difference.high
        return None if low is None or high is None else low > 0.0 or high < 0.0


@dataclass(frozen=True, slots=True)
class Part:
    """The figures of some of the photographs, or of one kind of lesion.

    Attributes:
        name: e.g. ``all``, ``source=aptos``, ``mean over source``, ``microaneurysm``.
        n: number of photographs or lesions; ``None`` for a mean.
        changes: by the name of the figure.
        mcnemar: by the name of the figure, for graders.
    """

    name: str
    n: int | None
    changes: Mapping[str, Change]
    mcnemar: Mapping[str, McNemar] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Bundle:
    """One of the two bundles that are compared.

    Attributes:
        folder: of its results.
        models: the bundle, or the bundles that took part.
        thresholds: the bundle's own, at which it was counted.
    """

    folder: str
    models: tuple[ModelUsed, ...]
    thresholds: Mapping[str, float | None]


@dataclass(frozen=True, slots=True)
class Comparison:
    """The results of a comparison.

    Attributes:
        command: that made both folders, ``evaluate grading`` or ``evaluate lesions``.
        old, new: the two bundles.
        photographs: number of photographs that both were evaluated on.
        counted: what ``Part.n`` counts, ``photographs`` or ``lesions``.
        shown: names of the figures that a table shows; the parts hold more.
        parts: in the order in which a table shows them.
        clusters: how many clusters of each kind were resampled.
        resamples, seed: of the intervals.
    """

    command: str
    old: Bundle
    new: Bundle
    photographs: int
    counted: str
    shown: tuple[str, ...]
    parts: tuple[Part, ...]
    clusters: Mapping[str, int]
    resamples: int
    seed: int


def changes(
    old: Statistic,
    new: Statistic,
    clusters: Ints,
    undefined: Sequence[str],
    *,
    strata: Ints | None = None,
    resamples: int = RESAMPLES,
    seed: int = SEED,
) -> tuple[Change, ...]:
    """Compute the K figures of two bundles on the same N photographs, and their differences.

    A bundle's own intervals are the same as without the comparison.

    Args:
        old: the statistic of the old bundle.
        new: the statistic of the new bundle, of the same K figures.
        clusters: as in :func:`intervals.estimate`.
        undefined: as in :func:`intervals.estimate`.
        strata: as in :func:`intervals.estimate`.
        resamples: as in :func:`intervals.estimate`.
        seed: as in :func:`intervals.estimate`.
    """

    def both(weights: Floats) -> Floats:
        before, after = old(weights), new(weights)
        return np.concatenate([before, after, after - before], axis=1)

    figures = estimate(
        both, clusters, tuple(undefined) * 3, strata=strata, resamples=resamples, seed=seed
    )
    width = len(undefined)
    parts = (figures[start : start + width] for start in (0, width, 2 * width))
    return tuple(Change(*triple) for triple in zip(*parts, strict=True))
