"""How well a grader knows when it is unsure: its sets of grades, its certainty, its abstentions.

A photograph that was not graded has no certainty. It is left out here, except where the figures of
"referable" count it as positive.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from fundoscope.evaluate.arrays import Flags, Floats, Ints, share
from fundoscope.evaluate.grading.calibration import Bin, reliability
from fundoscope.evaluate.intervals import RESAMPLES, SEED, Figure, estimate, numbered
from fundoscope.grading import conformal
from fundoscope.grading.heads import GRADE_COUNT, REFERABLE_GRADE
from fundoscope.reading import Grade

SHARES: Final = tuple(percent / 100 for percent in range(0, 55, 5))
"""Shares of the photographs that are referred to a reader, for the curve."""
DEFERRED_SHARE: Final = 0.2
"""The share for which the gain of accuracy is given with its interval."""
SEVERE: Final = REFERABLE_GRADE + 1
"""The lowest grade that must not be missed (severe, International Clinical scale)."""
TINY: Final = 1e-9
"""Keeps counts of photographs exact."""

PLACEHOLDER: Final = (1.0 / GRADE_COUNT,) * GRADE_COUNT
"""Probabilities in the place of those that a photograph does not have; they are not used."""

NO_SETS: Final = "the bundle has no fitted sets of grades, or no photograph was graded"
NO_GRADE: Final = "no photograph was graded with probabilities"
SET_FIGURES: Final = ("set_coverage", "set_size", "abstained_share")
DEFERRAL_FIGURES: Final = ("accuracy", "accuracy_of_the_rest", "gain")
CALLS: Final = ("referable_sensitivity", "referable_specificity")
NO_CALL: Final = (
    "there is no photograph of grade 2 to 4",
    "there is no photograph of grade 0 or 1",
)


@dataclass(frozen=True, slots=True)
class DeferralPoint:
    """The photographs that remain when the least certain ones go to a reader.

    Attributes:
        share: of the graded photographs that is referred.
        n: number of those that remain.
        accuracy: of those that remain; ``None`` if there are none.
        severe: how many of them have grade 3 or 4 by their label.
        severe_missed: how many of these are not called referable.
    """

    share: float
    n: int
    accuracy: float | None
    severe: int
    severe_missed: int


@dataclass(frozen=True, slots=True)
class Certainty:
    """How well a grader knows when it is unsure.

    Attributes:
        grade: reliability table of the most probable grade: its probability, and how often it is
            right.
        coverage: that the sets were fitted to; ``None`` without sets.
        sets: coverage, mean size and share of abstentions, by :data:`SET_FIGURES`.
        by: the same by column and value.
        curve: an entry for each of :data:`SHARES`.
        deferred: for the share :data:`DEFERRED_SHARE`, the accuracy of all, of the rest, and the
            difference, by :data:`DEFERRAL_FIGURES`.
        calls: sensitivity and specificity of "referable", with the photographs that were not graded
            or abstained from counted as positive, and with them left out; by :data:`CALLS`.
    """

    grade: tuple[Bin, ...]
    coverage: float | None
    sets: Mapping[str, Figure]
    by: Mapping[str, Mapping[str, Mapping[str, Figure]]]
    curve: tuple[DeferralPoint, ...]
    deferred: Mapping[str, Figure]
    calls: Mapping[str, Mapping[str, Figure]]


@dataclass(frozen=True, slots=True)
class _Graded:
    """N photographs as arrays.

    Attributes:
        label: ``(N,)``, 0 to 4.
        graded: ``(N,)``, whether there are a grade and its probabilities.
        right: ``(N,)``, whether the grade is that of the label.
        called: ``(N,)``, whether called referable or not.
        positive: ``(N,)``, whether called referable; true where not called.
        certain: ``(N,)``, the probability of the given grade.
        uncertain: ``(N,)``, entropy of the probabilities, by which photographs are referred.
        held: ``(N,)``, whether the set holds the label.
        size: ``(N,)``, grades of the set; 0 without one.
        abstained: ``(N,)``, whether the grade is not to be used without a reader.
    """

    label: Ints
    graded: Flags
    right: Flags
    called: Flags
    positive: Flags
    certain: Floats
    uncertain: Floats
    held: Flags
    size: Ints
    abstained: Flags


def evaluate(
    labels: Ints,
    grades: Sequence[Grade],
    clusters: Sequence[Hashable],
    columns: Mapping[str, Sequence[str]],
    *,
    resamples: int = RESAMPLES,
    seed: int = SEED,
) -> Certainty:
    """Compare what a grader is sure of with the labels.

    Args:
        labels: ``(N,)``, 0 to 4.
        grades: of N photographs; without values where one was not graded.
        clusters: N keys; photographs with the same key (one patient) are drawn together.
        columns: by name, N values of each column that figures are broken down by.
        resamples: number of resamples for the intervals.
        seed: of the resamples.
    """
    data = _arrays(labels, grades)
    resampled = _Resampled(numbered(clusters), resamples, seed)
    everything = np.ones(len(labels), dtype=bool)
    return Certainty(
        tuple(reliability(data.certain[data.graded], data.right[data.graded])),
        next((grade.set_coverage for grade in grades if grade.set_coverage is not None), None),
        _of_sets(data, everything, resampled),
        {
            name: {
                value: _of_sets(data, np.array([other == value for other in values]), resampled)
                for value in sorted(set(values))
            }
            for name, values in columns.items()
        },
        tuple(_remaining(data, part) for part in SHARES),
        _gain(data, resampled),
        {
            "counted_positive": _calls(data, everything, resampled),
            "left_out": _calls(data, data.called & ~data.abstained, resampled),
        },
    )


def curve(labels: Ints, grades: Sequence[Grade]) -> tuple[DeferralPoint, ...]:
    """What remains for each of :data:`SHARES` that is referred to a reader.

    Args:
        labels: ``(N,)``, 0 to 4.
        grades: of N photographs; without values where one was not graded.
    """
    data = _arrays(labels, grades)
    return tuple(_remaining(data, part) for part in SHARES)


@dataclass(frozen=True, slots=True)
class _Resampled:
    """How means are resampled.

    Attributes:
        clusters: ``(N,)``, the number of each photograph's cluster.
        resamples: how many.
        seed: of them.
    """

    clusters: Ints
    resamples: int
    seed: int

    def means(
        self, chosen: Flags, of: Sequence[tuple[Floats, Flags]], reasons: Sequence[str]
    ) -> tuple[Figure, ...]:
        """Means of K values, each over some photographs, with their intervals.

        Args:
            chosen: ``(N,)``, the photographs that are drawn from.
            of: K pairs of values and the photographs that count, both ``(N,)``.
            reasons: K reasons why a mean is undefined.
        """
        values = np.stack([value * counts for value, counts in of])[:, chosen]
        counted = np.stack([counts for _, counts in of])[:, chosen].astype(np.float64)

        def statistic(weights: Floats) -> Floats:
            return share(weights @ values.T, weights @ counted.T)

        return estimate(
            statistic,
            numbered(self.clusters[chosen].tolist()),
            reasons,
            resamples=self.resamples,
            seed=self.seed,
        )


def _arrays(labels: Ints, grades: Sequence[Grade]) -> _Graded:
    # Predictions of other programs may have a grade without probabilities.
    graded = np.array(
        [grade.icdr is not None and grade.probabilities is not None for grade in grades],
        dtype=bool,
    )
    p = np.array([grade.probabilities or PLACEHOLDER for grade in grades], dtype=np.float64)
    given = np.array([-1 if grade.icdr is None else grade.icdr for grade in grades], dtype=np.int64)
    return _Graded(
        labels,
        graded,
        given == labels,
        np.array([grade.referable is not None for grade in grades], dtype=bool),
        np.array([g.referable is None or g.referable.positive for g in grades], dtype=bool),
        np.array([_certainty(grade) for grade in grades], dtype=np.float64),
        conformal.entropy(p.reshape(-1, GRADE_COUNT)),
        np.array(
            [label in (grade.set or ()) for label, grade in zip(labels, grades, strict=True)],
            dtype=bool,
        ),
        np.array([len(grade.set or ()) for grade in grades], dtype=np.int64),
        np.array([grade.abstained is True for grade in grades], dtype=bool),
    )


def _certainty(grade: Grade) -> float:
    """The probability of the given grade; 0 without one."""
    if grade.icdr is None or grade.probabilities is None:
        return 0.0
    return grade.probabilities[grade.icdr]


def _of_sets(data: _Graded, chosen: Flags, resampled: _Resampled) -> dict[str, Figure]:
    with_set = data.size > 0
    means = resampled.means(
        chosen,
        (
            (data.held.astype(np.float64), with_set),
            (data.size.astype(np.float64), with_set),
            (data.abstained.astype(np.float64), data.graded),
        ),
        (NO_SETS, NO_SETS, NO_GRADE),
    )
    return dict(zip(SET_FIGURES, means, strict=True))


def _rest(data: _Graded, part: float) -> Flags:
    """The graded photographs that remain when the least certain part goes to a reader."""
    places = np.flatnonzero(data.graded)
    order = places[np.argsort(data.uncertain[places], kind="stable")]
    rest = np.zeros(len(data.label), dtype=bool)
    rest[order[: int(np.ceil((1.0 - part) * len(order) - TINY))]] = True
    return rest


def _remaining(data: _Graded, part: float) -> DeferralPoint:
    rest = _rest(data, part)
    severe = rest & (data.label >= SEVERE)
    return DeferralPoint(
        part,
        int(rest.sum()),
        float(data.right[rest].mean()) if rest.any() else None,
        int(severe.sum()),
        int((severe & ~data.positive).sum()),
    )


def _gain(data: _Graded, resampled: _Resampled) -> dict[str, Figure]:
    right, rest = data.right.astype(np.float64), _rest(data, DEFERRED_SHARE)
    graded = data.graded

    def statistic(weights: Floats) -> Floats:
        of_all = share(weights @ (right * graded), weights @ graded)
        of_rest = share(weights @ (right * rest), weights @ rest)
        return np.column_stack((of_all, of_rest, of_rest - of_all))

    figures = estimate(
        statistic,
        resampled.clusters,
        [NO_GRADE] * len(DEFERRAL_FIGURES),
        resamples=resampled.resamples,
        seed=resampled.seed,
    )
    return dict(zip(DEFERRAL_FIGURES, figures, strict=True))


def _calls(data: _Graded, chosen: Flags, resampled: _Resampled) -> dict[str, Figure]:
    """Sensitivity and specificity of the chosen ones; who goes to a reader is called positive."""
    called = data.positive | data.abstained
    referable = data.label >= REFERABLE_GRADE
    means = resampled.means(
        chosen,
        ((called.astype(np.float64), referable), ((~called).astype(np.float64), ~referable)),
        NO_CALL,
    )
    return dict(zip(CALLS, means, strict=True))
