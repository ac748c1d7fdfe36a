"""Fitting on validation after training: temperature, correction, threshold, sets of grades.

Numpy and scipy only. Test photographs are never used.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from fundoscope.calibrate import fitting
from fundoscope.calibrate import sets as grade_sets
from fundoscope.evaluate.arrays import Floats, Ints
from fundoscope.evaluate.grading.figures import quadratic_kappa
from fundoscope.evaluate.roc import area_under_curve
from fundoscope.grading import heads
from fundoscope.models.correction import GradeCorrection
from fundoscope.models.sets import GradeSets
from fundoscope.train.grading.cut_points import confusions

TARGET_SENSITIVITY: Final = 0.90
"""For "referable", over the gradable validation photographs of all sources together."""
MEAN, POOLED, GRADABLE = "mean of sources", "together", "gradable"
SHARES: Final = ("auc", "kappa", "accuracy", "sensitivity", "specificity")
"""All figures but the number of photographs."""


@dataclass(frozen=True, slots=True)
class Figures:
    """Figures of a calibrated grader on some validation photographs; NaN where undefined.

    Attributes:
        n: number of photographs.
        accuracy, kappa: of the most probable grades; kappa has quadratic weights.
        auc: area under the ROC curve of the referable probability.
        sensitivity, specificity: of "referable" at the threshold.
    """

    n: int
    accuracy: float
    kappa: float
    auc: float
    sensitivity: float
    specificity: float


@dataclass(frozen=True, slots=True)
class Fitted:
    """The values that are fitted on validation.

    Attributes:
        temperature: divides the logits.
        correction: of the probabilities; ``None`` where none was fitted.
        threshold: of the referable probability.
        sets: limits of the sets of grades; ``None`` where none were fitted.
    """

    temperature: float
    correction: GradeCorrection | None
    threshold: float
    sets: GradeSets | None = None

    def probabilities(self, logits: NDArray[np.float32], head: str) -> Floats:
        """The probabilities of the grades, ``(N, 5)``, from the outputs of a head."""
        return heads.probabilities(logits, self.temperature, head, self.correction)


@dataclass(frozen=True, slots=True)
class Calibration:
    """The fitted values, and the figures of the grader with them.

    Attributes:
        fitted: the values.
        by_source: figures of each source by its name.
        pooled: of all photographs together.
        gradable: of the gradable photographs, on which the threshold was fitted.
    """

    fitted: Fitted
    by_source: dict[str, Figures]
    pooled: Figures
    gradable: Figures

    def mean(self, name: str) -> float:
        """The unweighted mean of a figure over the sources that have one; NaN where none has."""
        values = np.array([getattr(f, name) for f in self.by_source.values()])
        known = values[np.isfinite(values)]
        return float(known.mean()) if len(known) else float("nan")

    def table(self) -> dict[str, dict[str, float | None]]:
        """All figures by name, of each source and the summaries; ``None`` where undefined.

        The summaries are :data:`MEAN`, :data:`POOLED` and :data:`GRADABLE`.
        """
        rows = {
            **{name: dataclasses.asdict(figures) for name, figures in self.by_source.items()},
            MEAN: {name: self.mean(name) for name in SHARES},
            POOLED: dataclasses.asdict(self.pooled),
            GRADABLE: dataclasses.asdict(self.gradable),
        }
        return {
            row: {name: value if np.isfinite(value) else None for name, value in figures.items()}
            for row, figures in rows.items()
        }


def calibrate(
    logits: NDArray[np.float32],
    labels: Ints,
    sources: Sequence[str],
    gradable: NDArray[np.bool_],
    head: str = heads.CUMULATIVE,
    *,
    resamples: int = fitting.RESAMPLES,
) -> Calibration:
    """Fit everything on validation.

    For the head ``sigmoid``, whose output is rounded to a grade, only the threshold is fitted.

    Args:
        logits: ``(N, outputs)`` of the head.
        labels: ``(N,)`` grades, 0 to 4.
        sources: N names.
        gradable: ``(N,)``, false where a person could not grade the photograph; these are not used
            for the threshold and for the sets of grades.
        head: of :mod:`fundoscope.grading.heads`.
        resamples: as for :func:`fitting.fit`.
    """
    temperature, correction, sets = 1.0, None, None
    numbers = source_numbers(sources)[1]
    if head != heads.SIGMOID:
        temperature = fitting.fit_temperature(logits, labels, head)
        p = heads.probabilities(logits, temperature, head)
        correction = fitting.fit(p, labels, numbers, resamples=resamples)
    p = heads.probabilities(logits, temperature, head, correction)
    if head != heads.SIGMOID:
        sets = grade_sets.fit(p[gradable], labels[gradable], numbers[gradable])
    positive = labels >= heads.REFERABLE_GRADE
    threshold = fitting.referable_threshold(
        heads.referable(p)[gradable], positive[gradable], TARGET_SENSITIVITY
    )
    fitted = Fitted(temperature, correction, threshold, sets)
    return evaluate(logits, labels, sources, gradable, head, fitted)


def evaluate(
    logits: NDArray[np.float32],
    labels: Ints,
    sources: Sequence[str],
    gradable: NDArray[np.bool_],
    head: str,
    fitted: Fitted,
) -> Calibration:
    """The figures of a grader with given fitted values.

    Args:
        logits: ``(N, outputs)`` of the head.
        labels: ``(N,)`` grades, 0 to 4.
        sources: N names.
        gradable: ``(N,)``, false where a person could not grade the photograph.
        head: of :mod:`fundoscope.grading.heads`.
        fitted: the values.
    """
    return evaluate_probabilities(
        fitted.probabilities(logits, head), labels, sources, gradable, fitted
    )


def evaluate_probabilities(
    p: Floats,
    labels: Ints,
    sources: Sequence[str],
    gradable: NDArray[np.bool_],
    fitted: Fitted,
) -> Calibration:
    """The figures of a grader, from its probabilities with the fitted values, ``(N, 5)``.

    The other arguments are those of :func:`evaluate`.
    """
    referable, grades = heads.referable(p), heads.most_probable(p)
    names, numbers = source_numbers(sources)

    def of(mask: NDArray[np.bool_]) -> Figures:
        return _figures(labels[mask], grades[mask], referable[mask], fitted.threshold)

    return Calibration(
        fitted,
        {name: of(numbers == i) for i, name in enumerate(names)},
        of(np.ones(len(labels), bool)),
        of(gradable),
    )


def _figures(labels: Ints, grades: Ints, referable: Floats, threshold: float) -> Figures:
    positive, called = labels >= heads.REFERABLE_GRADE, referable >= threshold
    counts = confusions(labels, grades, np.zeros(len(labels), np.int64))[0]
    return Figures(
        len(labels),
        _share(labels == grades),
        float(quadratic_kappa(counts)),
        float(area_under_curve(positive, referable, np.ones((1, len(labels))))[0]),
        _share(called[positive]),
        _share(~called[~positive]),
    )


def _share(true: NDArray[np.bool_]) -> float:
    return float(true.mean()) if len(true) else float("nan")


def source_numbers(names: Sequence[str]) -> tuple[tuple[str, ...], Ints]:
    """The distinct names in order, and each row's number among them."""
    distinct, numbers = np.unique(np.asarray(names), return_inverse=True)
    return tuple(str(n) for n in distinct), numbers.astype(np.int64)
