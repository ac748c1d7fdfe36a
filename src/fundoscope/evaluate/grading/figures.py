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
from fundoscope.evaluate.roc import area_under_curve
from fundoscope.grading.heads import GRADE_COUNT, REFERABLE_GRADE

VISION_THREATENING_GRADE: Final = 3
"""Severe or proliferative (International Clinical scale, grade 3)."""
NOT_GRADED: Final = GRADE_COUNT
"""The value of ``Scores.given`` where no grade was given."""
FARTHEST: Final = (4, 4, 4, 0, 0)
"""By label, the grade that counts in kappa where none was given: the farthest. Grade 2 is as far
from 0 as from 4; 4 is taken, because a photograph that was not graded is referred."""

NAMES: Final = (
    "accuracy",
    "quadratic_kappa",
    "referable_auc",
    "referable_sensitivity",
    "referable_specificity",
    "vision_threatening_auc",
    "severe_called_referable",
    "graded_share",
)
RECALLS: Final = tuple(f"recall_{grade}" for grade in range(GRADE_COUNT))
COLUMNS: Final = NAMES + RECALLS
"""The figures in the order in which :func:`figures` returns them."""

NONE_THERE: Final = "there is no photograph"
UNDEFINED: Final = {
    "accuracy": NONE_THERE,
    "quadratic_kappa": "all labels and all given grades are the same",
    "referable_auc": "there is no photograph of grade 2 to 4, or none of grade 0 or 1",
    "referable_sensitivity": "there is no photograph of grade 2 to 4",
    "referable_specificity": "there is no photograph of grade 0 or 1",
    "vision_threatening_auc": "there is no photograph of grade 3 or 4, or none of grade 0 to 2",
    "severe_called_referable": "there is no photograph of grade 3 or 4",
    "graded_share": NONE_THERE,
    **{name: f"there is no photograph of grade {name[-1]}" for name in RECALLS},
}
"""Why a figure is undefined, by name."""


@dataclass(frozen=True, slots=True)
class Scores:
    """A grader's results on N photographs, as arrays.

    Attributes:
        label: ``int64 (N,)``, the true grade, 0 to 4.
        given: ``int64 (N,)``, the grade given, 0 to 4, or ``NOT_GRADED``.
        positive: ``bool (N,)``, whether called referable; true where not graded.
        referable: ``float64 (N,)``, probability of grade 2 or more; 1 where not graded.
        vision_threatening: ``float64 (N,)``, probability of grade 3 or more; 1 where not graded.
    """

    label: Ints
    given: Ints
    positive: Flags
    referable: Floats
    vision_threatening: Floats

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
        )


def figures(scores: Scores, weights: Floats) -> Floats:
    """Compute every figure of :data:`COLUMNS` for each weighting.

    Args:
        scores: of N photographs.
        weights: ``float64 (R, N)``, at least 0: how often each photograph counts.

    Returns:
        ``float64 (R, 13)``, NaN where a figure is undefined (see :data:`UNDEFINED`).
    """
    counts = _counts(scores, weights)
    grades = counts.sum(axis=3)
    by_label = grades.sum(axis=2)
    called = counts[..., 1].sum(axis=2)
    correct = np.einsum("rii->ri", grades[:, :, :GRADE_COUNT])
    total = by_label.sum(axis=1)
    not_graded = grades[:, :, NOT_GRADED].sum(axis=1)
    passed = by_label - called
    columns = (
        share(correct.sum(axis=1), total),
        quadratic_kappa(_with_farthest(grades)),
        area_under_curve(scores.label >= REFERABLE_GRADE, scores.referable, weights),
        _share_from(REFERABLE_GRADE, called, by_label),
        share(passed[:, :REFERABLE_GRADE].sum(axis=1), by_label[:, :REFERABLE_GRADE].sum(axis=1)),
        area_under_curve(
            scores.label >= VISION_THREATENING_GRADE, scores.vision_threatening, weights
        ),
        _share_from(VISION_THREATENING_GRADE, called, by_label),
        share(total - not_graded, total),
    )
    return np.column_stack((*columns, share(correct, by_label)))


def confusion(scores: Scores) -> Ints:
    """Count the photographs of each label that were given each grade.

    Returns:
        ``int64 (5, 6)``: label by given grade; the last column counts those not graded.
    """
    counts: Ints = _counts(scores, np.ones((1, len(scores))))[0].sum(axis=2).astype(np.int64)
    return counts


def quadratic_kappa(confusion: NDArray[Any]) -> Floats:
    """Compute Cohen's kappa with quadratic weights.

    Args:
        confusion: counts or weights ``(..., K, K)``, label by given grade.

    Returns:
        ``float64 (...)``; NaN where chance alone would agree fully (one grade only, or no counts).
    """
    counts = np.asarray(confusion, dtype=np.float64)
    grade = np.arange(counts.shape[-1])
    distance = (grade[:, None] - grade[None, :]) ** 2.0
    observed = (counts * distance).sum(axis=(-2, -1)) * counts.sum(axis=(-2, -1))
    by_label, by_given = counts.sum(axis=-1), counts.sum(axis=-2)
    by_chance = ((by_label @ distance) * by_given).sum(axis=-1)
    return 1.0 - share(observed, by_chance)


def _counts(scores: Scores, weights: Floats) -> Floats:
    """Weigh each combination, ``float64 (R, label 5, given 6, positive 2)``."""
    shape = (GRADE_COUNT, GRADE_COUNT + 1, 2)
    cell = np.ravel_multi_index((scores.label, scores.given, scores.positive.astype(int)), shape)
    membership = np.zeros((len(scores), int(np.prod(shape))))
    membership[np.arange(len(scores)), cell] = 1.0
    return (weights @ membership).reshape(-1, *shape)


def _with_farthest(grades: Floats) -> Floats:
    """Turn ``(R, 5, 6)`` into ``(R, 5, 5)``: what was not graded counts as the farthest grade."""
    counted = grades[:, :, :GRADE_COUNT].copy()
    label = np.arange(GRADE_COUNT)
    counted[:, label, FARTHEST] += grades[:, label, NOT_GRADED]
    return counted


def _share_from(lowest: int, part: Floats, whole: Floats) -> Floats:
    """Share ``(R,)`` among the photographs of grade ``lowest`` or more, from counts ``(R, 5)``."""
    return share(part[:, lowest:].sum(axis=1), whole[:, lowest:].sum(axis=1))
