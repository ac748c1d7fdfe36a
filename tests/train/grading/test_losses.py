"""Each loss against its definition, computed by hand in float64."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from fundoscope.errors import UsageError
from fundoscope.grading import heads
from fundoscope.train.grading import losses
from fundoscope.train.grading.losses import Loss

GRADES = torch.tensor([0, 1, 2, 3, 4, 2])


def outputs(head, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(len(GRADES), heads.OUTPUTS[head], generator=generator) * 2


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def cross_entropy(share, wanted):
    return -(wanted * np.log(share) + (1 - wanted) * np.log(1 - share))


def by_hand(head, values, grades, smoothing):
    """The loss of each photograph."""
    result = []
    for row, grade in zip(values.double().numpy(), grades.tolist(), strict=True):
        if head == "cumulative":
            wanted = [1 - smoothing if grade > k else smoothing for k in range(4)]
            each = [cross_entropy(sigmoid(row[k]), wanted[k]) for k in range(4)]
            result.append(sum(each) / 4)
        elif head == "corn":
            wanted = [1 - smoothing if grade > k else smoothing for k in range(4)]
            asked = [k for k in range(4) if grade > k - 1]
            result.append(sum(cross_entropy(sigmoid(row[k]), wanted[k]) for k in asked) / 4)
        elif head == "softmax":
            logs = row - np.log(np.exp(row).sum())
            target = np.full(5, smoothing / 5)
            target[grade] += 1 - smoothing
            result.append(-(target * logs).sum())
        elif head == "regression":
            result.append((row[0] - grade) ** 2)
        else:
            result.append(cross_entropy(sigmoid(row[0]), grade))
    return np.array(result)


@pytest.mark.parametrize("head", heads.OUTPUTS)
@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_each_loss_by_hand(head, smoothing):
    values = outputs(head)
    expected = by_hand(head, values, GRADES, smoothing).mean()
    assert float(Loss(head, smoothing)(values, GRADES)) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("head", heads.OUTPUTS)
def test_class_weights_by_hand(head):
    values, weights = outputs(head), (1.0, 0.0, 3.0, 2.0, 0.5)
    each = by_hand(head, values, GRADES, 0.0)
    share = np.array(weights)[GRADES.numpy()]
    wanted = (share * each).sum() / share.sum()
    result = Loss(head, class_weights=weights)(values, GRADES)
    assert float(result) == pytest.approx(wanted, rel=1e-5)


@pytest.mark.parametrize("head", heads.OUTPUTS)
def test_the_mix_adds_the_squared_error_of_the_expected_grade(head):
    values = outputs(head)
    error = ((losses.expected(values, head) - GRADES) ** 2).mean()
    mixed, plain = Loss(head, 0.03, expected=0.5), Loss(head, 0.03)
    assert float(mixed(values, GRADES)) == pytest.approx(
        float(plain(values, GRADES) + 0.5 * error), rel=1e-5
    )


@pytest.mark.parametrize("head", heads.OUTPUTS)
def test_every_loss_falls_where_its_gradient_points(head):
    values = outputs(head).requires_grad_()
    loss = Loss(head, 0.03, expected=0.1)(values, GRADES)
    (gradient,) = torch.autograd.grad(loss, values)
    assert torch.isfinite(gradient).all()
    lower = Loss(head, 0.03, expected=0.1)((values - 0.05 * gradient).detach(), GRADES)
    assert float(lower) < float(loss.detach())


@pytest.mark.parametrize("grade", [2, 3, 4])
def test_a_sigmoid_on_a_grade_above_1_has_no_smallest_loss(grade):
    """-g x + log(1 + e^x) falls for ever where g > 1: the surer of 1, the better."""
    logits = torch.tensor([0.0, 1.0, 10.0, 100.0, 1e4])
    result = [float(Loss("sigmoid")(logit.view(1, 1), torch.tensor([grade]))) for logit in logits]
    assert all(b < a for a, b in itertools.pairwise(result))
    assert result[-1] == pytest.approx((1 - grade) * 1e4, rel=1e-3)
    for fine in (0, 1):
        assert float(Loss("sigmoid")(torch.tensor([[3.0]]), torch.tensor([fine]))) > 0


@pytest.mark.parametrize("head", ["softmax", "corn"])
@pytest.mark.parametrize("temperature", [1.0])
@given(seed=st.integers(0, 1000))
def test_expected_grade_is_that_of_the_probabilities(head, temperature, seed):
    values = outputs(head, seed)
    numpy_side = heads.expected(heads.probabilities(values.numpy(), temperature, head))
    assert np.allclose(losses.expected(values, head).numpy(), numpy_side, atol=1e-5)


@given(st.lists(st.floats(-6, 6), min_size=4, max_size=4))
def test_expected_grade_of_answers_that_do_not_contradict_each_other(values):
    ordered = np.array([sorted(values, reverse=True)], np.float32)
    numpy_side = heads.expected(heads.probabilities(ordered))
    ours = losses.expected(torch.from_numpy(ordered), "cumulative").numpy()
    assert np.allclose(ours, numpy_side, atol=1e-5)


@given(st.floats(-6, 6))
def test_a_sigmoid_is_rounded_alike_in_training_and_in_use(logit):
    ours = losses.expected(torch.tensor([[logit]], dtype=torch.float64), "sigmoid").round()
    share = heads.expected(heads.probabilities([[logit]], head="sigmoid"))
    if abs(logit) > 1e-2:
        assert float(ours[0]) == np.rint(share[0])


@given(st.floats(0, 4))
def test_regression_is_read_within_a_quarter_of_a_grade(score):
    p = heads.probabilities([[score]], head="regression")
    assert heads.expected(p)[0] == pytest.approx(score, abs=0.25)


def test_no_weights_and_balanced_ones():
    grades = np.array([0] * 6 + [1] * 2 + [2, 3, 4, 4])
    assert losses.weights_of("none", grades) is None
    balanced = losses.weights_of("balanced", grades)
    assert balanced == pytest.approx((12 / 30, 12 / 10, 12 / 5, 12 / 5, 12 / 10))
    assert np.array(balanced)[grades].mean() == pytest.approx(1)
    assert losses.weights_of([1, 2, 3, 4, 5], grades) == (1, 2, 3, 4, 5)


@pytest.mark.parametrize("setting", ["even", [1, 2], [1, 1, 1, 1, -1], [0, 0, 0, 0, 0], []])
def test_other_weights_are_refused(setting):
    with pytest.raises(UsageError, match="neither none, balanced nor five weights"):
        losses.weights_of(setting, np.array([0]))
