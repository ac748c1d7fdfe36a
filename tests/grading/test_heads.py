from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from fundoscope.grading import heads

LOGITS = arrays.arrays(
    np.float32, st.tuples(st.integers(1, 6), st.just(4)), elements=st.floats(-100, 100, width=32)
)


@given(LOGITS, st.floats(0.2, 5))
def test_probabilities_are_probabilities(logits, temperature):
    p = heads.probabilities(logits, temperature)
    assert p.shape == (len(logits), 5)
    assert p.min() >= 0
    assert np.allclose(p.sum(axis=1), 1)
    assert np.all((heads.expected(p) >= 0) & (heads.expected(p) <= 4 + 1e-9))
    assert np.allclose(heads.referable(p), p[:, 2] + p[:, 3] + p[:, 4])


def test_sure_answers_give_the_grade():
    for grade in range(5):
        logits = np.where(np.arange(4) < grade, 50.0, -50.0)[None]
        p = heads.probabilities(logits)
        assert p[0].argmax() == grade
        assert heads.expected(p)[0] == pytest.approx(grade)


def test_undecided_answers():
    p = heads.probabilities(np.zeros((1, 4)))
    assert p[0].tolist() == [0.5, 0, 0, 0, 0.5]


def test_a_contradiction_is_resolved_downwards():
    # "surely above 1" but "surely not above 0": not above 0 counts.
    p = heads.probabilities(np.array([[-50.0, 50.0, 50.0, 50.0]]))
    assert p[0, 0] == pytest.approx(1)


def test_temperature_softens():
    logits = np.array([[4.0, 2.0, -2.0, -4.0]])
    sharp, soft = heads.probabilities(logits, 0.5), heads.probabilities(logits, 3.0)
    assert sharp.max() > soft.max()


def test_cut_points_count():
    grades = heads.icdr([0.0, 0.59, 0.6, 1.7, 3.9], (0.6, 1.5, 2.4, 3.2))
    assert grades.tolist() == [0, 0, 1, 2, 4]


@given(st.lists(st.floats(0, 4), min_size=2, max_size=20))
def test_a_higher_expectation_never_means_a_lower_grade(values):
    grades = heads.icdr(sorted(values), (0.5, 1.4, 2.6, 3.3))
    assert np.all(np.diff(grades) >= 0)
