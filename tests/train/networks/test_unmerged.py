"""A network that starts from a graph of eight bits sees what the graph sees, and can be trained."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
import torch
from torch import nn

pytest.importorskip("onnx")

from fundoscope.models import runtime
from fundoscope.train.networks import catalogue, unmerged
from fundoscope.train.onnx import graph as onnx_graph
from fundoscope.train.onnx import merged, quantise

SIDE, OUTPUTS = 24, 3
WIDTHS = (3, 16, 16, 24, 24, 32, 32, 48, 48)


def made(seed: int) -> nn.Sequential:
    """Convolutions with batch normalisation of any statistics, then a layer of outputs."""
    torch.manual_seed(seed)
    parts: list[nn.Module] = []
    for before, after in pairwise(WIDTHS):
        normalised = nn.BatchNorm2d(after)
        for values, low, high in (
            (normalised.weight, 0.5, 2.0),
            (normalised.bias, -0.5, 0.5),
            (normalised.running_mean, -0.3, 0.3),
            (normalised.running_var, 0.3, 1.5),
        ):
            nn.init.uniform_(values, low, high)
        filters = nn.Conv2d(before, after, 3, padding=1, bias=False)
        nn.init.kaiming_normal_(filters.weight)
        parts += [filters, normalised, nn.ReLU6()]
    return nn.Sequential(*parts, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(48, OUTPUTS))


def pictures(count: int, seed: int) -> np.ndarray:
    """Smooth noise, ``uint8 (count, SIDE, SIDE, 3)``."""
    coarse = np.random.default_rng(seed).uniform(0, 255, (count, SIDE // 4, SIDE // 4, 3))
    return np.repeat(np.repeat(coarse, 4, axis=1), 4, axis=2).astype(np.uint8)


@pytest.fixture(scope="module")
def shown() -> torch.Tensor:
    """Pictures as the network takes them."""
    pixels = torch.from_numpy(pictures(64, 1)).permute(0, 3, 1, 2).float()
    return catalogue.normalisation("sequential", "rescale")(pixels)


@pytest.fixture(scope="module")
def eight_bits() -> bytes:
    normalise = catalogue.normalisation("sequential", "rescale")
    whole = onnx_graph.to_onnx(made(1), normalise, SIDE, SIDE)
    return quantise.quantise(whole, [pictures(32, 2)], products=True)


def test_the_network_calculates_what_the_graph_calculates(eight_bits, shown) -> None:
    network = made(2)
    unmerged.load(network, merged.layers(eight_bits), [shown[:32], shown[32:]])
    expected = runtime.run(runtime.open_graph(eight_bits, "graph"), pictures(64, 1))
    with torch.no_grad():
        got = network.eval()(shown).numpy()
        whole = made(1).eval()(shown).numpy()
    ours, theirs = (np.sqrt(np.mean((each - whole) ** 2)) for each in (got, expected))
    assert ours < 0.3 * whole.std(axis=0).max()
    assert ours <= theirs  # whose activations have eight bits, too


def test_in_training_it_begins_where_it_is_in_evaluation(eight_bits, shown) -> None:
    network = made(2)
    unmerged.load(network, merged.layers(eight_bits), [shown])
    assert network.training
    with torch.no_grad():
        trained = network.train()(shown)
        evaluated = network.eval()(shown)
    assert torch.allclose(trained, evaluated, atol=1e-2)


def test_filters_keep_the_norms_that_the_learning_rate_is_made_for(eight_bits, shown) -> None:
    network = made(2)
    before = network[0].weight.flatten(1).norm(dim=1)
    unmerged.load(network, merged.layers(eight_bits), [shown])
    assert torch.allclose(network[0].weight.flatten(1).norm(dim=1), before, rtol=1e-4)


def test_another_network_is_no_start(eight_bits, shown) -> None:
    with pytest.raises(KeyError):
        unmerged.load(nn.Sequential(nn.Linear(3, 3)), merged.layers(eight_bits), [shown])
