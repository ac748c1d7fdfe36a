"""Sets of plausible grades: what they hold, and that they are runs of neighbours."""

from __future__ import annotations

import numpy as np
import pytest

from fundoscope.calibrate import sets as fitting
from fundoscope.grading import conformal
from fundoscope.models import sets
from fundoscope.models.sets import GradeSets


def eyes(count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Honest probabilities, and labels that are drawn from them."""
    random = np.random.default_rng(seed)
    p = random.dirichlet([0.6] * 5, count)
    return p, np.array([random.choice(5, p=row) for row in p])


def limits(*values: float) -> GradeSets:
    return GradeSets(coverage=0.9, limits=values, photographs=10)


def test_grades_join_by_their_probability_from_the_most_probable_one() -> None:
    scores = conformal.scores([[0.1, 0.2, 0.5, 0.15, 0.05]])
    np.testing.assert_allclose(scores, [[0.85, 0.5, 0.0, 0.7, 0.95]])


def test_a_set_is_a_run_with_the_most_probable_grade() -> None:
    p, _ = eyes(300, 0)
    for values in ((0.5,) * 5, (0.0, 0.9, 0.1, 0.8, 0.3), (0.0,) * 5, (1.0,) * 5):
        inside = conformal.members(p, limits(*values))
        assert inside[np.arange(len(p)), p.argmax(axis=1)].all()
        assert (
            np.abs(np.diff(np.pad(inside, ((0, 0), (1, 1))).astype(int))).sum(axis=1) == 2
        ).all()


def test_the_sets_of_new_photographs_have_the_coverage_sick_or_not() -> None:
    fitted = fitting.fit(*eyes(2000, 1), np.zeros(2000, dtype=np.int64))
    p, labels = eyes(4000, 2)
    held = fitting.held(p, labels, fitted)
    for chosen in (labels < 2, labels >= 2):
        assert held[chosen].mean() == pytest.approx(0.9, abs=0.03)


def test_few_photographs_give_all_grades() -> None:
    p, labels = eyes(5, 3)
    fitted = fitting.fit(p, labels, np.zeros(5, dtype=np.int64))
    assert fitted.limits == (1.0,) * 5
    assert fitting.fit(p[:0], labels[:0], labels[:0]).limits == (1.0,) * 5


def test_entropy_is_least_where_a_grader_is_sure() -> None:
    np.testing.assert_allclose(
        conformal.entropy([[1, 0, 0, 0, 0], [0.2] * 5]), [0.0, np.log(5)], atol=1e-9
    )


@pytest.mark.parametrize(
    "wrong",
    [
        GradeSets(coverage=1.0, limits=(0.5,) * 5, photographs=1),
        limits(0.5, 0.5, 1.5, 0.5, 0.5),
        limits(0.5, 0.5, float("nan"), 0.5, 0.5),
        GradeSets(coverage=0.9, limits=(0.5,) * 5, photographs=0),
    ],
)
def test_values_out_of_range_are_refused(wrong: GradeSets) -> None:
    assert "conformal" in (sets.fault(wrong) or "")
    assert sets.fault(limits(*[0.5] * 5)) is None
