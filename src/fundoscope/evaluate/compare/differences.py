"""Two bundles on the same photographs: by how much a figure differs, and how sure that is.

Both are counted on the same resamples of the same patients (a paired bootstrap; Efron and
Tibshirani, An Introduction to the Bootstrap, 1993, chapter 8). What makes a patient easy or hard
for both falls out of the difference, so its interval is narrower than those of the two figures
suggest: figures whose own intervals overlap may differ for certain.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from fundoscope.evaluate.intervals import (
    RESAMPLES,
    SEED,
    Figure,
    Floats,
    Ints,
    Statistic,
    estimate,
)
from fundoscope.reading import ModelUsed


@dataclass(frozen=True, slots=True)
class Change:
    """A figure of two bundles on the same photographs.

    Attributes:
        old, new: the figure of each.
        difference: the new one less the old one; its interval is that of the paired resamples.
    """

    old: Figure
    new: Figure
    difference: Figure

    @property
    def excludes_zero(self) -> bool | None:
        """Whether the interval of the difference leaves 0 out; ``None`` where there is none."""
        low, high = self.difference.low, self.difference.high
        return None if low is None or high is None else low > 0.0 or high < 0.0


@dataclass(frozen=True, slots=True)
class Part:
    """The figures of some of the photographs, or of one kind of lesion.

    Attributes:
        name: e.g. ``all``, ``source=aptos``, ``mean over source``, ``microaneurysm``.
        n: how many photographs, or lesions, there are; ``None`` for a mean.
        changes: by the figure's name.
    """

    name: str
    n: int | None
    changes: Mapping[str, Change]


@dataclass(frozen=True, slots=True)
class Bundle:
    """One of the two that are compared.

    Attributes:
        folder: of its results.
        models: the bundle, or those that took part.
        thresholds: at which it was counted, frozen in it.
    """

    folder: str
    models: tuple[ModelUsed, ...]
    thresholds: Mapping[str, float | None]


@dataclass(frozen=True, slots=True)
class Comparison:
    """All that was compared.

    Attributes:
        command: that made both folders, ``evaluate grading`` or ``evaluate lesions``.
        old, new: the two.
        photographs: how many they both were given.
        counted: what ``Part.n`` counts, ``photographs`` or ``lesions``.
        told: the figures that a table shows, of all that the parts hold.
        parts: in the order in which they are told.
        clusters: how many clusters of each kind were resampled.
        resamples, seed: of the intervals.
    """

    command: str
    old: Bundle
    new: Bundle
    photographs: int
    counted: str
    told: tuple[str, ...]
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
    """The K figures of two statistics of the same N photographs, and their differences.

    Args:
        old, new: one for each bundle; both give the same K figures.
        clusters, undefined, strata, resamples, seed: as in :func:`intervals.estimate`. A bundle's
            own interval is the one that it has alone.
    """

    def both(weights: Floats) -> Floats:
        before, after = old(weights), new(weights)
        return np.concatenate([before, after, after - before], axis=1)

    found = estimate(
        both, clusters, tuple(undefined) * 3, strata=strata, resamples=resamples, seed=seed
    )
    width = len(undefined)
    parts = (found[start : start + width] for start in (0, width, 2 * width))
    return tuple(Change(*each) for each in zip(*parts, strict=True))
