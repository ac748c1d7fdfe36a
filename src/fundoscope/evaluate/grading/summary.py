"""Summaries of a grader's scores: whole, graded ones alone, by column, mean over a column."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from fundoscope.evaluate.arrays import Flags, Floats, Ints
from fundoscope.evaluate.grading.figures import (
    COLUMNS,
    NONE_THERE,
    NOT_GRADED,
    Scores,
    figures,
    why_undefined,
)
from fundoscope.evaluate.intervals import RESAMPLES, SEED, Figure, Statistic, estimate, numbered

AVERAGED: Final = ("quadratic_kappa", "referable_auc")
"""The figures whose unweighted mean over the values of a column is given."""


@dataclass(frozen=True, slots=True)
class ScoredPhotographs:
    """The scores of N photographs, and what the figures are resampled and broken down by.

    Attributes:
        scores: of N photographs.
        clusters: N keys; photographs with the same key (one patient) are drawn together.
        columns: by name, N values of each column that figures are broken down by.
    """

    scores: Scores
    clusters: tuple[Hashable, ...]
    columns: Mapping[str, tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class Summary:
    """The figures of some photographs.

    Attributes:
        n: number of photographs, including those not graded.
        figures: by their names, see :data:`fundoscope.evaluate.grading.figures.COLUMNS`.
        graded: the summary of the graded ones alone; it has none of its own.
    """

    n: int
    figures: Mapping[str, Figure]
    graded: Summary | None = None


@dataclass(frozen=True, slots=True)
class Breakdown:
    """The figures for each value of a column.

    Attributes:
        values: summary by value, sorted by value.
        mean: of quadratic kappa and referable AUC, each value with the same weight.
    """

    values: Mapping[str, Summary]
    mean: Mapping[str, Figure]


@dataclass(frozen=True, slots=True)
class Metrics:
    """All figures of an evaluation, with a breakdown for each requested column."""

    whole: Summary
    by: Mapping[str, Breakdown]
    resamples: int
    seed: int


def summarise(
    photographs: ScoredPhotographs, *, resamples: int = RESAMPLES, seed: int = SEED
) -> Metrics:
    """Compute every figure with its interval, for all photographs and for each column's values.

    A value's figures are those of its photographs alone, intervals included.
    """
    everything = np.ones(len(photographs.scores), dtype=bool)
    return Metrics(
        _summary(photographs, everything, resamples, seed),
        {
            name: _breakdown(photographs, values, resamples, seed)
            for name, values in photographs.columns.items()
        },
        resamples,
        seed,
    )


def _summary(photographs: ScoredPhotographs, chosen: Flags, resamples: int, seed: int) -> Summary:
    graded = chosen & (photographs.scores.given != NOT_GRADED)
    of_graded = Summary(int(graded.sum()), _figures(photographs, graded, resamples, seed))
    if graded.sum() == chosen.sum():
        return Summary(of_graded.n, of_graded.figures, of_graded)
    return Summary(int(chosen.sum()), _figures(photographs, chosen, resamples, seed), of_graded)


def _figures(
    photographs: ScoredPhotographs, chosen: Flags, resamples: int, seed: int
) -> dict[str, Figure]:
    scores = photographs.scores.where(chosen)
    clusters = numbered([photographs.clusters[i] for i in np.flatnonzero(chosen)])
    estimated = estimate(
        lambda weights: figures(scores, weights),
        clusters,
        why_undefined(scores),
        resamples=resamples,
        seed=seed,
    )
    return dict(zip(COLUMNS, estimated, strict=True))


def _breakdown(
    photographs: ScoredPhotographs, values: tuple[str, ...], resamples: int, seed: int
) -> Breakdown:
    masks = {value: np.array([other == value for other in values]) for value in sorted(set(values))}
    summaries = {
        value: _summary(photographs, mask, resamples, seed) for value, mask in masks.items()
    }
    clusters = numbered(photographs.clusters)
    means = estimate(
        mean_over(photographs.scores, list(masks.values())),
        clusters,
        [_why_no_mean(summaries, name) for name in AVERAGED],
        strata=strata_of(clusters, values),
        resamples=resamples if are_drawn(clusters, values) else 0,
        seed=seed,
    )
    return Breakdown(summaries, dict(zip(AVERAGED, means, strict=True)))


def mean_over(scores: Scores, masks: Sequence[Flags]) -> Statistic:
    """Average the figures of :data:`AVERAGED` over parts of the photographs with equal weight.

    Args:
        scores: of N photographs.
        masks: ``bool (N,)`` of each part.
    """
    parts = [(scores.where(mask), mask) for mask in masks]
    averaged = [COLUMNS.index(name) for name in AVERAGED]

    def mean(weights: Floats) -> Floats:
        by_part = [figures(part, weights[:, mask])[:, averaged] for part, mask in parts]
        means: Floats = np.mean(by_part, axis=0)
        return means

    return mean


def strata_of(clusters: Ints, values: Sequence[str]) -> Ints:
    """Give clusters whose photographs have the same values one stratum, ``int64 (C,)``.

    So each resample holds as many patients of each value as there are, and a patient with
    photographs of several values is still drawn whole.
    """
    values_of: list[set[str]] = [set() for _ in range(int(clusters.max(initial=-1)) + 1)]
    for cluster, value in zip(clusters, values, strict=True):
        values_of[cluster].add(value)
    return numbered([frozenset(distinct) for distinct in values_of])


def are_drawn(clusters: Ints, values: Sequence[str]) -> bool:
    """Whether resamples of :func:`strata_of` differ in the photographs of each value.

    A cluster that is alone in its stratum is in each resample once. If all clusters of a value are,
    an interval of the mean would leave out how uncertain the figure of that value is.
    """
    strata = strata_of(clusters, values)
    alone = (np.bincount(strata) == 1)[strata[clusters]]
    drawn = {value for value, fixed in zip(values, alone.tolist(), strict=True) if not fixed}
    return drawn == set(values)


def _why_no_mean(summaries: Mapping[str, Summary], name: str) -> str:
    lacking = [value for value, summary in summaries.items() if summary.figures[name].value is None]
    if not lacking:
        return NONE_THERE
    return f"undefined for {', '.join(lacking)}: {summaries[lacking[0]].figures[name].reason}"
