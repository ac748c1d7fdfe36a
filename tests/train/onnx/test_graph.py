"""A graph predicts as torch does, and keeps every weight under its own name."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from fundoscope.models import runtime
from fundoscope.train.networks import catalogue
from fundoscope.train.networks.catalogue import InputSize
from fundoscope.train.networks.normalise import MODES
from fundoscope.train.onnx import graph as onnx_graph

BATCH_NORM = "convolutions with batch normalisation"


def small():
    """As much of a network as the newer exporter, which is slow, must show."""
    return nn.Sequential(
        nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.Conv2d(8, 8, 3), nn.BatchNorm2d(8),
        nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 4),
    )  # fmt: skip


def trained_network(name):
    """A network with batch statistics that are not those of a new one."""
    torch.manual_seed(0)
    network = small() if name == BATCH_NORM else catalogue.create(name, 4, InputSize(32, 32))
    network.eval()
    for part in network.modules():
        if isinstance(part, nn.BatchNorm2d):
            part.running_mean.normal_(0, 0.1)
            part.running_var.uniform_(0.5, 2)
    return network


def by_torch(network, normalisation, pixels):
    with torch.inference_mode():
        planes = torch.from_numpy(pixels).permute(0, 3, 1, 2).float()
        return network(normalisation(planes)).numpy()


def pixels_of(count, height, width):
    return np.random.default_rng(count).integers(0, 256, (count, height, width, 3)).astype(np.uint8)


@pytest.mark.parametrize("mode", MODES)
def test_normalisation_is_inside(mode):
    network = trained_network("sequential-spp")
    normalisation = catalogue.normalisation("sequential-spp", mode)
    graph = onnx_graph.to_onnx(network, normalisation, 24, 32, free=True)
    session = runtime.open_graph(graph, "test")
    for pixels in (pixels_of(1, 24, 32), pixels_of(3, 30, 26)):
        theirs = by_torch(network, normalisation, pixels)
        assert np.allclose(runtime.run(session, pixels), theirs, atol=1e-5)


@pytest.mark.parametrize(
    ("name", "free"),
    [("timm/resnet10t", True), (BATCH_NORM, False), (BATCH_NORM, True)],
)
def test_every_weight_keeps_its_name_and_value(name, free):
    network = trained_network(name)
    normalisation = catalogue.normalisation(name, "imagenet")
    graph = onnx_graph.to_onnx(network, normalisation, 32, 32, free=free)
    own = {k: v for k, v in network.state_dict().items() if "num_batches" not in k}
    stored = onnx_graph.weights(graph)
    assert own.keys() == stored.keys()
    for key, value in own.items():
        assert np.array_equal(stored[key], value.numpy())
    session = runtime.open_graph(graph, "test")
    pixels = pixels_of(3, 40, 36) if free else pixels_of(3, 32, 32)
    theirs = by_torch(network, normalisation, pixels)
    assert np.allclose(runtime.run(session, pixels), theirs, atol=1e-4)
    takes = session.get_inputs()[0].shape[1:]
    assert all(isinstance(n, str) for n in takes[:2]) if free else takes == [32, 32, 3]
    for place in (b"site-packages", b"/fundoscope/", b"/tmp"):
        assert place not in graph


def test_halved_weights_are_half_as_large_and_nearly_the_same():
    network = trained_network("sequential-spp")
    normalisation = catalogue.normalisation("sequential-spp", "imagenet")
    whole = onnx_graph.to_onnx(network, normalisation, 24, 24, free=True)
    half = onnx_graph.halve(whole)
    assert len(half) < 0.6 * len(whole)
    pixels = pixels_of(2, 24, 24)
    ours, theirs = (runtime.run(runtime.open_graph(m, "test"), pixels) for m in (whole, half))
    assert np.allclose(ours, theirs, atol=0.01)
    for key, value in onnx_graph.weights(half).items():
        full = onnx_graph.weights(whole)[key]
        kept = full if full.size < onnx_graph.HALF_FROM else full.astype(np.float16)
        assert np.array_equal(value, kept.astype(np.float32))


def test_a_weight_that_half_precision_cannot_hold_stays_whole():
    network = trained_network("sequential-spp")
    with torch.no_grad():
        network[7].weight[0, 0] = 1e6
    normalisation = catalogue.normalisation("sequential-spp", "imagenet")
    half = onnx_graph.halve(onnx_graph.to_onnx(network, normalisation, 24, 24, free=True))
    assert np.array_equal(onnx_graph.weights(half)["7.weight"], network[7].weight.detach().numpy())
