"""The figures of a grader, for many weightings of the photographs at once.

scikit-learn computes one weighting at a time; a bootstrap needs a thousand. All figures but the
areas under curves follow from one table of counts (label, given grade, called referable), and that
table is a matrix product of the weights. The tests compare every figure with scikit-learn's.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from fundoscope.evaluate.arrays import Flags, Floats, Ints, share
from fundoscope.evaluate.roc import (
    area_of_counts,
    area_under_curve,
    counts_by_score,
    sensitivity_at,
    specificity_at,
)
from fundoscope.grading.heads import GRADE_COUNT, REFERABLE_GRADE

VISION_THREATENING_GRADE: Final = 3
"""Severe or proliferative (International Clinical scale, grade 3)."""
ANY_GRADE: Final = 1
"""Any retinopathy at all (International Clinical scale, grade 1)."""
NOT_GRADED: Final = GRADE_COUNT
"""The value of ``Scores.given`` where no grade was given."""
UNKNOWN: Final = GRADE_COUNT + 1
"""The value of ``Scores.given`` of a system that only says how probable referable is."""
FARTHEST: Final = (4, 4, 4, 0, 0)
"""By label, the grade that counts in kappa where none was given: the farthest. Grade 2 is as far
from 0 as from 4; 4 is taken, because a photograph that was not graded is referred."""

FIXED: Final = (0.90, 0.95)
"""Specificities at which sensitivity is given, and the other way round. The British Diabetic
Association asks for a specificity of 0.95 in screening (1997)."""
AT_SPECIFICITY: Final = tuple(f"sensitivity_at_specificity_{at:.0%}"[:-1] for at in FIXED)
AT_SENSITIVITY: Final = tuple(f"specificity_at_sensitivity_{at:.0%}"[:-1] for at in FIXED)

NAMES: Final = (
    "accuracy",
    "quadratic_kappa",
    "referable_auc",
    "referable_sensitivity",
    "referable_specificity",
    "vision_threatening_auc",
    "severe_called_referable",
    "graded_share",
    "balanced_accuracy",
    "linear_kappa",
    "any_auc",
    *AT_SPECIFICITY,
    *AT_SENSITIVITY,
)
RECALLS: Final = tuple(f"recall_{grade}" for grade in range(GRADE_COUNT))
PRECISIONS: Final = tuple(f"precision_{grade}" for grade in range(GRADE_COUNT))
COLUMNS: Final = NAMES + RECALLS + PRECISIONS
"""The figures in the order in which :func:`figures` returns them."""

OF_GRADES: Final = frozenset(
    ("accuracy", "quadratic_kappa", "balanced_accuracy", "linear_kappa", *RECALLS, *PRECISIONS)
)
"""The figures that need a grade."""
OF_PROBABILITIES: Final = {
    "any_auc": "any_retinopathy",
    "vision_threatening_auc": "vision_threatening",
}
"""The figures that need the probability of a grade, and the array of :class:`Scores`."""

NONE_THERE: Final = "there is no photograph"
SAME_GRADE: Final = "all labels and all given grades are the same"
ONE_CLASS: Final = "there is no photograph of grade 2 to 4, or none of grade 0 or 1"
UNDEFINED: Final = {
    "accuracy": NONE_THERE,
    "quadratic_kappa": SAME_GRADE,
    "referable_auc": ONE_CLASS,
    "referable_sensitivity": "there is no photograph of grade 2 to 4",
    "referable_specificity": "there is no photograph of grade 0 or 1",
    "vision_threatening_auc": "there is no photograph of grade 3 or 4, or none of grade 0 to 2",
    "severe_called_referable": "there is no photograph of grade 3 or 4",
    "graded_share": NONE_THERE,
    "balanced_accuracy": NONE_THERE,
    "linear_kappa": SAME_GRADE,
    "any_auc": "there is no photograph of grade 1 to 4, or none of grade 0",
    **dict.fromkeys((*AT_SPECIFICITY, *AT_SENSITIVITY), ONE_CLASS),
    **{name: f"there is no photograph of grade {name[-1]}" for name in RECALLS},
    **{name: f"no photograph was given grade {name[-1]}" for name in PRECISIONS},
}
"""Why a figure is undefined, by name."""


@dataclass(frozen=True, slots=True)
class Scores:
    """A grader's results on N photographs, as arrays.

    Attributes:
        label: ``int64 (N,)``, the true grade, 0 to 4.
        given: ``int64 (N,)``, the grade given, 0 to 4, ``NOT_GRADED`` or ``UNKNOWN``.
        positive: ``bool (N,)``, whether called referable; true where not graded.
        referable: ``float64 (N,)``, probability of grade 2 or more; 1 where not graded.
        vision_threatening: ``float64 (N,)``, probability of grade 3 or more; 1 where not graded,
            NaN where the grader gives none.
        any_retinopathy: the same of grade 1 or more; ``None`` where the grader gives none.
    """

    label: Ints
    given: Ints
    positive: Flags
    referable: Floats
    vision_threatening: Floats
    any_retinopathy: Floats | None = None

    def __len__(self) -> int:
        """N."""
        return len(self.label)

    def where(self, mask: Flags) -> Scores:
        """Select the photographs where ``mask``, ``bool (N,)``, is true."""
        return Scores(
            self.label[mask],
            self.given[mask],
            self.positive[mask],
            self.referable[mask],
            self.vision_threatening[mask],
            None if self.any_retinopathy is None else self.any_retinopathy[mask],
        )


def figures(scores: Scores, weights: Floats) -> Floats:
    """Compute every figure of :data:`COLUMNS` for each weighting.

    Args:
        scores: of N photographs.
        weights: ``float64 (R, N)``, at least 0: how often each photograph counts.

    Returns:
        ``float64 (R, K)``, NaN where a figure is undefined (see :func:`why_undefined`).
    """
    counts = _counts(scores, weights)
    by_name = _of_grades(counts.sum(axis=3)) | _of_calls(counts) | _of_curves(scores, weights)
    return np.column_stack([by_name[name] for name in COLUMNS])


def _of_grades(grades: Floats) -> dict[str, Floats]:
    """Figures from counts ``(R, label 5, given 7)``; NaN where a grade is unknown."""
    by_label = grades.sum(axis=2)
    correct = np.einsum("rii->ri", grades[:, :, :GRADE_COUNT])
    recall = share(correct, by_label)
    precision = share(correct, grades[:, :, :GRADE_COUNT].sum(axis=1))
    there = by_label > 0
    counted = _with_farthest(grades)
    of_grades = {
        "accuracy": share(correct.sum(axis=1), by_label.sum(axis=1)),
        "quadratic_kappa": quadratic_kappa(counted),
        "balanced_accuracy": share(np.where(there, recall, 0.0).sum(axis=1), there.sum(axis=1)),
        "linear_kappa": linear_kappa(counted),
        **dict(zip(RECALLS, recall.T, strict=True)),
        **dict(zip(PRECISIONS, precision.T, strict=True)),
    }
    unknown = grades[:, :, UNKNOWN].sum(axis=1) > 0
    return {name: np.where(unknown, np.nan, values) for name, values in of_grades.items()}


def _of_calls(counts: Floats) -> dict[str, Floats]:
    """Figures of the referable call, from counts ``(R, label 5, given 7, called 2)``."""
    by_label = counts.sum(axis=(2, 3))
    called = counts[..., 1].sum(axis=2)
    passed, healthy = (
        each[:, :REFERABLE_GRADE].sum(axis=1) for each in (by_label - called, by_label)
    )
    total = by_label.sum(axis=1)
    not_graded = counts[:, :, NOT_GRADED].sum(axis=(1, 2))
    return {
        "referable_sensitivity": _share_from(REFERABLE_GRADE, called, by_label),
        "referable_specificity": share(passed, healthy),
        "severe_called_referable": _share_from(VISION_THREATENING_GRADE, called, by_label),
        "graded_share": share(total - not_graded, total),
    }


def _of_curves(scores: Scores, weights: Floats) -> dict[str, Floats]:
    positives, negatives = counts_by_score(
        scores.label >= REFERABLE_GRADE, scores.referable, weights
    )
    threatened = scores.label >= VISION_THREATENING_GRADE
    undefined = np.full(len(weights), np.nan)
    return {
        "referable_auc": area_of_counts(positives, negatives),
        "vision_threatening_auc": area_under_curve(threatened, scores.vision_threatening, weights),
        "any_auc": undefined
        if scores.any_retinopathy is None
        else area_under_curve(scores.label >= ANY_GRADE, scores.any_retinopathy, weights),
        **{
            name: sensitivity_at(at, positives, negatives)
            for name, at in zip(AT_SPECIFICITY, FIXED, strict=True)
        },
        **{
            name: specificity_at(at, positives, negatives)
            for name, at in zip(AT_SENSITIVITY, FIXED, strict=True)
        },
    }


def why_undefined(scores: Scores) -> list[str]:
    """Say for each figure of :data:`COLUMNS` why it is undefined, if it is."""
    reasons = dict(UNDEFINED)
    if (scores.given == UNKNOWN).any():
        reasons |= dict.fromkeys(OF_GRADES, "the predictions hold no grades")
    for name, array in OF_PROBABILITIES.items():
        chances = getattr(scores, array)
        if chances is None or np.isnan(chances).any():
            reasons[name] = "the predictions hold no probabilities of the grades"
    return [reasons[name] for name in COLUMNS]


def confusion(scores: Scores) -> Ints:
    """Count the photographs of each label that were given each grade.

    Returns:
        ``int64 (5, 6)``: label by given grade; the last column counts those not graded.
    """
    counts: Ints = _counts(scores, np.ones((1, len(scores))))[0].sum(axis=2).astype(np.int64)
    return counts[:, :UNKNOWN]


def quadratic_kappa(confusion: NDArray[Any]) -> Floats:
    """Compute Cohen's kappa with quadratic weights.

    Args:
        confusion: counts or weights ``(..., K, K)``, label by given grade.

    Returns:
        ``float64 (...)``; NaN where chance alone would agree fully (one grade only, or no counts).
    """
    return _weighted_kappa(confusion, power=2)


def linear_kappa(confusion: NDArray[Any]) -> Floats:
    """Compute Cohen's kappa with linear weights; arguments as of :func:`quadratic_kappa`."""
    return _weighted_kappa(confusion, power=1)


def _weighted_kappa(confusion: NDArray[Any], power: int) -> Floats:
    counts = np.asarray(confusion, dtype=np.float64)
    grade = np.arange(counts.shape[-1], dtype=np.float64)
    distance = np.abs(grade[:, None] - grade[None, :]) ** power
    observed = (counts * distance).sum(axis=(-2, -1)) * counts.sum(axis=(-2, -1))
    by_label, by_given = counts.sum(axis=-1), counts.sum(axis=-2)
    by_chance = ((by_label @ distance) * by_given).sum(axis=-1)
    return 1.0 - share(observed, by_chance)


def _counts(scores: Scores, weights: Floats) -> Floats:
    """Weigh each combination, ``float64 (R, label 5, given 7, positive 2)``."""
    shape = (GRADE_COUNT, UNKNOWN + 1, 2)
    cell = np.ravel_multi_index((scores.label, scores.given, scores.positive.astype(int)), shape)
    membership = np.zeros((len(scores), int(np.prod(shape))))
    membership[np.arange(len(scores)), cell] = 1.0
    return (weights @ membership).reshape(-1, *shape)


def _with_farthest(grades: Floats) -> Floats:
    """Turn ``(R, 5, 7)`` into ``(R, 5, 5)``: what was not graded counts as the farthest grade."""
    counted = grades[:, :, :GRADE_COUNT].copy()
    label = np.arange(GRADE_COUNT)
    counted[:, label, FARTHEST] += grades[:, label, NOT_GRADED]
    return counted


def _share_from(lowest: int, part: Floats, whole: Floats) -> Floats:
    """Share ``(R,)`` among the photographs of grade ``lowest`` or more, from counts ``(R, 5)``."""
    return share(part[:, lowest:].sum(axis=1), whole[:, lowest:].sum(axis=1))
