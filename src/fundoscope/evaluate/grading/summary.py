"""From scores to a summary: whole, graded ones, by column, mean over a column."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from fundoscope.evaluate.grading.figures import (
    COLUMNS,
    NOT_GRADED,
    UNDEFINED,
    Floats,
    Scores,
    figures,
)
from fundoscope.evaluate.intervals import (
    RESAMPLES,
    SEED,
    Figure,
    Ints,
    Statistic,
    estimate,
    numbered,
)

AVERAGED: Final = ("quadratic_kappa", "referable_auc")
"""The figures whose unweighted mean over the values of a column is given."""

Mask = NDArray[np.bool_]
"""``bool (N,)``, true for the photographs that are meant."""


@dataclass(frozen=True, slots=True)
class Subjects:
    """Scores, and what is known of the photographs beside them.

    Attributes:
        scores: of N photographs.
        clusters: N keys; photographs of equal key are drawn together (one patient).
        columns: name to N values, for the columns by which figures are asked.
    """

    scores: Scores
    clusters: tuple[Hashable, ...]
    columns: Mapping[str, tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class Summary:
    """The figures of some photographs.

    Attributes:
        n: how many photographs, those that were not graded among them.
        figures: by the names of :data:`fundoscope.evaluate.grading.figures.COLUMNS`.
        graded: the same of the graded ones alone; ``None`` inside itself.
    """

    n: int
    figures: Mapping[str, Figure]
    graded: Summary | None = None


@dataclass(frozen=True, slots=True)
class Breakdown:
    """The figures for each value of a column.

    Attributes:
        values: value to summary, in the order of the values' names.
        mean: of quadratic kappa and referable AUC, each value weighing the same.
    """

    values: Mapping[str, Summary]
    mean: Mapping[str, Figure]


@dataclass(frozen=True, slots=True)
class Metrics:
    """All figures of an evaluation; a breakdown for each column that was asked for."""

    whole: Summary
    by: Mapping[str, Breakdown]
    resamples: int
    seed: int


def summarise(subjects: Subjects, *, resamples: int = RESAMPLES, seed: int = SEED) -> Metrics:
    """Every figure with its interval, for the whole and for each of ``subjects.columns``.

    A value's figures are those that its photographs alone would give, intervals included.
    """
    everyone = np.ones(len(subjects.scores), dtype=bool)
    return Metrics(
        _summary(subjects, everyone, resamples, seed),
        {
            name: _breakdown(subjects, values, resamples, seed)
            for name, values in subjects.columns.items()
        },
        resamples,
        seed,
    )


def _summary(subjects: Subjects, chosen: Mask, resamples: int, seed: int) -> Summary:
    graded = chosen & (subjects.scores.given != NOT_GRADED)
    of_graded = Summary(int(graded.sum()), _figures(subjects, graded, resamples, seed))
    if graded.sum() == chosen.sum():
        return Summary(of_graded.n, of_graded.figures, of_graded)
    return Summary(int(chosen.sum()), _figures(subjects, chosen, resamples, seed), of_graded)


def _figures(subjects: Subjects, chosen: Mask, resamples: int, seed: int) -> dict[str, Figure]:
    scores = subjects.scores.where(chosen)
    clusters = numbered([subjects.clusters[i] for i in np.flatnonzero(chosen)])
    found = estimate(
        lambda weights: figures(scores, weights),
        clusters,
        [UNDEFINED[name] for name in COLUMNS],
        resamples=resamples,
        seed=seed,
    )
    return dict(zip(COLUMNS, found, strict=True))


def _breakdown(subjects: Subjects, values: tuple[str, ...], resamples: int, seed: int) -> Breakdown:
    masks = {value: np.array([other == value for other in values]) for value in sorted(set(values))}
    summaries = {value: _summary(subjects, mask, resamples, seed) for value, mask in masks.items()}
    clusters = numbered(subjects.clusters)
    means = estimate(
        mean_over(subjects.scores, list(masks.values())),
        clusters,
        [_why_no_mean(summaries, name) for name in AVERAGED],
        strata=strata_of(clusters, values),
        resamples=resamples,
        seed=seed,
    )
    return Breakdown(summaries, dict(zip(AVERAGED, means, strict=True)))


def mean_over(scores: Scores, masks: Sequence[Mask]) -> Statistic:
    """The averaged figures, each part of the photographs weighing the same."""
    parts = [(scores.where(mask), mask) for mask in masks]
    wanted = [COLUMNS.index(name) for name in AVERAGED]

    def mean(weights: Floats) -> Floats:
        each = [figures(part, weights[:, mask])[:, wanted] for part, mask in parts]
        averaged: Floats = np.mean(each, axis=0)
        return averaged

    return mean


def strata_of(clusters: Ints, values: Sequence[str]) -> Ints:
    """Clusters with photographs of the same values share a stratum, ``int64 (C,)``.

    So each resample holds as many patients of each value as there are, and a patient with
    photographs of several values is still drawn whole.
    """
    seen: list[set[str]] = [set() for _ in range(int(clusters.max(initial=-1)) + 1)]
    for cluster, value in zip(clusters, values, strict=True):
        seen[cluster].add(value)
    return numbered([frozenset(of_cluster) for of_cluster in seen])


def _why_no_mean(summaries: Mapping[str, Summary], name: str) -> str:
    lacking = [value for value, of in summaries.items() if of.figures[name].value is None]
    return f"undefined for {', '.join(lacking)}: {UNDEFINED[name]}"
