from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
import torch

from fundoscope.train.run import optimisers
from fundoscope.train.run.optimisers import CONSTANT, COSINE, Optimiser

GRADIENTS = ([0.5, -2.0, 0.0], [0.1, 3.0, 0.0], [-0.7, 0.2, 1e-4], [0.0, -1.0, 2.0])


class Weights(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.kernel = torch.nn.Parameter(torch.ones(1, 3))
        self.bias = torch.nn.Parameter(torch.ones(3))


def moved(settings):
    """Kernel and bias after steps with :data:`GRADIENTS`."""
    network = Weights()
    optimiser = optimisers.make(network, settings)
    for gradient in GRADIENTS:
        network.kernel.grad, network.bias.grad = torch.tensor([gradient]), torch.tensor(gradient)
        optimiser.step()
    return network.kernel[0].detach().numpy(), network.bias.detach().numpy()


def test_rmsprop_is_keras_rule():
    """v = 0.9 v + 0.1 g²; w = w - rate g / (sqrt(v) + 1e-7), computed in float64."""
    weights, square = np.ones(3), np.zeros(3)
    for gradient in np.array(GRADIENTS):
        square = 0.9 * square + 0.1 * gradient**2
        weights -= 0.01 * gradient / (np.sqrt(square) + 1e-7)
    kernel, _ = moved(Optimiser(name="rmsprop", rate=0.01, weight_decay=0))
    assert np.allclose(kernel, weights, atol=1e-6)


def test_sgd_with_momentum():
    weights, velocity = np.ones(3), np.zeros(3)
    for gradient in np.array(GRADIENTS):
        velocity = 0.9 * velocity + gradient
        weights -= 0.01 * velocity
    kernel, _ = moved(Optimiser(name="sgd", rate=0.01, momentum=0.9, weight_decay=0))
    assert np.allclose(kernel, weights, atol=1e-6)


@pytest.mark.parametrize(("name", "apart"), [("adam", False), ("adamw", True)])
def test_adam_and_adamw_differ_in_where_the_decay_goes(name, apart):
    weights, first, second = np.ones(3), np.zeros(3), np.zeros(3)
    for step, gradient in enumerate(np.array(GRADIENTS), start=1):
        slope = gradient if apart else gradient + 0.1 * weights
        first = 0.9 * first + 0.1 * slope
        second = 0.999 * second + 0.001 * slope**2
        decayed = weights * (1 - 0.01 * 0.1) if apart else weights
        unbiased = first / (1 - 0.9**step), second / (1 - 0.999**step)
        weights = decayed - 0.01 * unbiased[0] / (np.sqrt(unbiased[1]) + 1e-8)
    kernel, _ = moved(Optimiser(name=name, rate=0.01, weight_decay=0.1))
    assert np.allclose(kernel, weights, atol=1e-5)


@pytest.mark.parametrize("name", optimisers.NAMES)
def test_biases_do_not_decay(name):
    _, plain = moved(Optimiser(name=name, rate=0.01, weight_decay=0))
    kernel, bias = moved(Optimiser(name=name, rate=0.01, weight_decay=0.5))
    assert np.array_equal(bias, plain)
    assert not np.allclose(kernel, bias)


def rates(steps=100, **settings):
    optimiser = Optimiser(rate=1.0, **settings)
    return [optimiser.rate_of(step, steps) for step in range(steps)]


def test_the_cosine_rises_then_falls_to_its_end():
    result = rates(schedule=COSINE, warm_up=0.2)
    assert result[0] == pytest.approx(1 / 20)
    assert max(result) == pytest.approx(1.0)
    assert all(a < b for a, b in pairwise(result[:20]))
    assert all(a > b for a, b in pairwise(result[20:]))
    assert result[60] == pytest.approx((1 + optimisers.FINAL_RATE) / 2)
    assert result[-1] == pytest.approx(optimisers.FINAL_RATE, abs=0.01)


def test_constant_stays_after_the_warm_up():
    assert rates(schedule=CONSTANT, warm_up=0.0) == [1.0] * 100
    result = rates(schedule=CONSTANT, warm_up=0.1)
    assert all(a < b for a, b in pairwise(result[:10]))
    assert result[10:] == [1.0] * 90


@pytest.mark.parametrize("schedule", optimisers.SCHEDULES)
@pytest.mark.parametrize("warm_up", [0.0, 0.06, 1.0])
@pytest.mark.parametrize("steps", [1, 2, 7])
def test_short_runs_have_positive_rates(schedule, warm_up, steps):
    assert all(0 < r <= 1 for r in rates(steps, schedule=schedule, warm_up=warm_up))
