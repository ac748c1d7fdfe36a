from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from fundoscope.grading import heads
from fundoscope.models.correction import GradeCorrection

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


OUTPUTS = st.sampled_from(list(heads.OUTPUTS)).flatmap(
    lambda head: st.tuples(
        st.just(head),
        arrays.arrays(
            np.float32,
            st.tuples(st.integers(1, 6), st.just(heads.OUTPUTS[head])),
            elements=st.floats(-100, 100, width=32),
        ),
    )
)


@given(OUTPUTS, st.floats(0.2, 5))
def test_every_head_gives_probabilities(drawn, temperature):
    head, outputs = drawn
    p = heads.probabilities(outputs, temperature, head)
    assert p.shape == (len(outputs), 5)
    assert p.dtype == np.float64
    assert p.min() >= 0
    assert np.allclose(p.sum(axis=1), 1)
    assert np.all((heads.expected(p) >= 0) & (heads.expected(p) <= 4 + 1e-9))
    above = np.cumsum(p[:, ::-1], axis=1)[:, ::-1]
    assert np.all(np.diff(above, axis=1) <= 1e-12)


@given(
    st.sampled_from(("cumulative", "corn", "regression", "sigmoid")),
    st.lists(st.floats(-20, 20), min_size=4, max_size=4),
    st.floats(0, 10),
)
def test_more_never_means_a_lower_grade(head, values, rise):
    outputs = np.array([values[: heads.OUTPUTS[head]]])
    low, high = (
        heads.expected(heads.probabilities(o, head=head))[0] for o in (outputs, outputs + rise)
    )
    assert high >= low - 1e-9


@given(st.floats(-1000, 1000))
def test_a_sigmoid_rounds_to_0_or_1_as_its_output_does(logit):
    p = heads.probabilities([[logit]], head="sigmoid")
    expected = heads.expected(p)[0]
    assert expected <= 1 + 1e-4
    if abs(logit) > 1e-3:  # nearer to one half the two halves of the last bit differ
        assert np.rint(expected) == (logit > 0)
        assert heads.icdr([expected], (0.5, 1.5, 2.5, 3.5))[0] == (logit > 0)
    assert heads.referable(p)[0] < 1e-3


def test_corn_multiplies_its_answers():
    share = np.array([0.9, 0.8, 0.5, 0.25])
    p = heads.probabilities([np.log(share / (1 - share))], head="corn")[0]
    assert p[4] == pytest.approx(0.9 * 0.8 * 0.5 * 0.25)
    assert p[2:].sum() == pytest.approx(0.9 * 0.8)
    assert p[0] == pytest.approx(0.1)


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.0])
def test_softmax_at_a_temperature(temperature):
    from scipy.special import softmax

    outputs = np.random.default_rng(0).normal(0, 3, (7, 5))
    p = heads.probabilities(outputs, temperature, "softmax")
    assert np.allclose(p, softmax(outputs / temperature, axis=1))
    shifted = heads.probabilities(outputs + 1e4, temperature, "softmax")
    assert np.allclose(shifted, p, atol=1e-9)


def test_huge_outputs_neither_overflow_nor_lose_the_sum():
    for head, count in heads.OUTPUTS.items():
        for value in (-3e38, 3e38):
            p = heads.probabilities(np.full((1, count), value, np.float32), head=head)
            assert p.sum() == pytest.approx(1)


@pytest.mark.parametrize("grade", range(5))
def test_regression_is_surest_at_a_whole_grade(grade):
    p = heads.probabilities([[float(grade)]], head="regression")
    assert p[0].argmax() == grade
    assert heads.expected(p)[0] == pytest.approx(grade, abs=0.13)


CORRECTIONS = st.builds(
    GradeCorrection,
    slope=st.floats(0.05, 20),
    offsets=st.tuples(*[st.floats(-20, 20)] * 4),
)


@given(OUTPUTS, st.floats(0.2, 5), CORRECTIONS)
def test_corrected_probabilities_are_ordered_and_the_grade_is_the_likeliest(
    drawn, temperature, correction
):
    head, outputs = drawn
    p = heads.probabilities(outputs, temperature, head, correction)
    assert p.shape == (len(outputs), 5)
    assert p.min() >= 0
    assert np.allclose(p.sum(axis=1), 1)
    above = np.cumsum(p[:, ::-1], axis=1)[:, ::-1]
    assert np.all(np.diff(above, axis=1) <= 1e-12)
    grades = heads.most_probable(p)
    assert np.all(p[np.arange(len(p)), grades] == p.max(axis=1))
    assert np.allclose(heads.referable(p), above[:, 2])


@given(OUTPUTS)
def test_the_correction_that_changes_nothing(drawn):
    head, outputs = drawn
    p = heads.probabilities(outputs, head=head)
    same = heads.corrected(p, GradeCorrection(slope=1.0, offsets=(0.0, 0.0, 0.0, 0.0)))
    assert np.allclose(same, p, atol=2 * heads.SMALLEST)


@given(OUTPUTS, CORRECTIONS)
def test_a_correction_keeps_the_order_of_the_referable(drawn, correction):
    """One slope for all: with equal offsets, who is likelier to be referable stays so."""
    head, outputs = drawn
    p = heads.probabilities(outputs, head=head)
    even = GradeCorrection(slope=correction.slope, offsets=(correction.offsets[0],) * 4)
    before, after = heads.referable(p), heads.referable(heads.corrected(p, even))
    order = np.argsort(before)
    assert np.all(np.diff(after[order]) >= -1e-9)


def test_of_equals_the_lowest():
    assert heads.most_probable([[0.5, 0.0, 0.0, 0.0, 0.5]]).tolist() == [0]


def test_the_probability_of_referable_is_never_above_1():
    """The three shares of this eye sum to 1 + 2e-16, and tables refuse more than 1."""
    p = heads.probabilities([[-17.0, -14.0, 9.0, 35.0, 27.0]], head=heads.SOFTMAX)
    assert p[0, 2:].sum() > 1.0
    assert heads.referable(p).tolist() == [1.0]
