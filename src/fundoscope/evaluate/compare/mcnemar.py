"""McNemar's test of two graders on the same photographs.

Only the photographs on which one is right and the other wrong count. If the two were equally good,
each of these would be as likely to favour the one as the other (McNemar, Psychometrika 1947). The
test is the exact binomial one. It takes photographs as independent. Two eyes of one patient are
not, so the paired bootstrap by patient is the main result.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fundoscope.evaluate.arrays import Flags
from fundoscope.evaluate.grading.figures import UNKNOWN, Scores
from fundoscope.grading.heads import REFERABLE_GRADE


@dataclass(frozen=True, slots=True)
class McNemar:
    """The result of a test.

    Attributes:
        old_only: photographs on which only the old grader is right.
        new_only: photographs on which only the new grader is right.
        p: two-sided probability of such a difference, or a larger one, by chance; 1 where the two
            are right on the same photographs.
    """

    old_only: int
    new_only: int
    p: float


def tests(old: Scores, new: Scores) -> dict[str, McNemar]:
    """Test accuracy, sensitivity and specificity, as far as both graders give what these need.

    Args:
        old: of N photographs.
        new: of the same photographs.

    Returns:
        By the name of the figure; a figure without a photograph that counts is left out.
    """
    referable = old.label >= REFERABLE_GRADE
    right = (old.positive == referable, new.positive == referable)
    results = {}
    if len(old) and not ((old.given == UNKNOWN).any() or (new.given == UNKNOWN).any()):
        results["accuracy"] = mcnemar(old.given == old.label, new.given == new.label)
    for name, chosen in (
        ("referable_sensitivity", referable),
        ("referable_specificity", ~referable),
    ):
        if chosen.any():
            results[name] = mcnemar(right[0][chosen], right[1][chosen])
    return results


def mcnemar(old_right: Flags, new_right: Flags) -> McNemar:
    """Test whether two graders are equally often right.

    Args:
        old_right: ``bool (N,)``.
        new_right: ``bool (N,)``, on the same photographs.
    """
    from scipy.stats import binomtest

    old_only = int(np.sum(old_right & ~new_right))
    new_only = int(np.sum(new_right & ~old_right))
    if old_only + new_only == 0:
        return McNemar(0, 0, 1.0)
    return McNemar(old_only, new_only, float(binomtest(old_only, old_only + new_only).pvalue))
