"""The students' network, layer by layer, and its kin for any shape."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional

from fundoscope.errors import UsageError
from fundoscope.models import runtime
from fundoscope.train.networks import catalogue, sequential
from fundoscope.train.networks.normalise import Normalisation
from fundoscope.train.onnx import graph as onnx_graph
from fundoscope.train.run import memory


def weights(make):
    with torch.device("meta"):
        return sum(p.numel() for p in make().parameters())


def test_the_layers_are_keras_layers():
    network = sequential.sequential(1, 200, 300)
    kinds = [type(layer).__name__ for layer in network]
    assert kinds == [
        "Conv2d", "ReLU", "MaxPool2d", "Conv2d", "ReLU", "MaxPool2d",
        "Flatten", "Linear", "ReLU", "Dropout", "Linear",
    ]  # fmt: skip
    sizes, maps = [], torch.zeros(1, 3, 200, 300)
    for layer in network:
        maps = layer(maps)
        sizes.append(tuple(maps.shape[1:]))
    assert sizes == [
        (64, 198, 298), (64, 198, 298), (64, 99, 149), (64, 97, 147), (64, 97, 147), (64, 48, 73),
        (224_256,), (64,), (64,), (64,), (1,),
    ]  # fmt: skip
    assert network[9].p == 0.5


@pytest.mark.parametrize(
    ("height", "width", "count"),
    [(200, 300, 14_391_233), (400, 600, 59_447_233), (2000, 2000, 1_015_863_233)],
)
def test_how_many_weights(height, width, count):
    convolutions = (3 * 9 + 1) * 64 + (64 * 9 + 1) * 64
    rows, columns = ((((side - 2) // 2) - 2) // 2 for side in (height, width))
    assert convolutions + (64 * rows * columns + 1) * 64 + 65 == count
    assert weights(lambda: sequential.sequential(1, height, width)) == count


def test_a_network_that_memory_cannot_hold_is_refused(monkeypatch):
    def make():
        return sequential.sequential(5, 2000, 2000)

    monkeypatch.setattr(memory, "available", lambda: 16 * 10**9)
    with pytest.raises(UsageError, match="has 1,016 million weights") as caught:
        memory.require(make, "sequential at 2000x2000")
    assert "takes 20.3 GB; 16.0 GB are free" in str(caught.value)
    monkeypatch.setattr(memory, "available", lambda: None)
    assert memory.require(make, "sequential") == 1_015_863_233 + 4 * 65


@pytest.mark.parametrize(
    ("name", "fine", "small"), [("sequential", 10, 9), ("sequential-spp", 22, 21)]
)
def test_an_input_smaller_than_the_pools_is_reported(name, fine, small):
    network = catalogue.create(name, 4, catalogue.InputSize(fine, fine)).eval()
    assert network(torch.zeros(1, 3, fine, fine)).shape == (1, 4)
    for size in (
        catalogue.InputSize(small, 99),
        catalogue.InputSize(99, small),
        catalogue.InputSize(1, 1),
    ):
        with pytest.raises(UsageError, match=f"choose sides of {fine} pixels or more"):
            catalogue.create(name, 4, size)


@given(st.integers(4, 40), st.integers(4, 40))
@settings(max_examples=40)
def test_the_pyramid_is_torchs_adaptive_pool(height, width):
    maps = torch.randn(2, 3, height, width, generator=torch.Generator().manual_seed(height))
    result = sequential._pyramid()(maps)
    pools = [functional.adaptive_max_pool2d(maps, level).flatten(2) for level in (1, 2, 4)]
    theirs = torch.cat(pools, dim=2).transpose(1, 2).flatten(1)
    assert torch.equal(result, theirs)


def test_the_pyramid_takes_any_shape():
    network = sequential.sequential_spp(5, 22, 22).eval()
    for height, width in ((22, 22), (24, 60), (61, 35)):
        assert network(torch.zeros(2, 3, height, width)).shape == (2, 5)
    assert weights(lambda: sequential.sequential_spp(5, 22, 22)) == 125_125


def test_the_pyramid_takes_any_shape_behind_the_export():
    torch.manual_seed(0)
    network = sequential.sequential_spp(4, 24, 32).eval()
    normalisation = Normalisation("samplewise")
    graph = onnx_graph.to_onnx(network, normalisation, 24, 32, free=True)
    session = runtime.open_graph(graph, "pyramid")
    random = np.random.default_rng(0)
    for count, height, width in ((1, 24, 32), (3, 22, 22), (2, 45, 80), (1, 83, 31)):
        pixels = random.integers(0, 256, (count, height, width, 3)).astype(np.uint8)
        with torch.inference_mode():
            planes = torch.from_numpy(pixels).permute(0, 3, 1, 2).float()
            theirs = network(normalisation(planes)).numpy()
        assert np.allclose(runtime.run(session, pixels), theirs, atol=1e-5)


def test_drop_out_rests_in_evaluation():
    network = sequential.sequential(4, 20, 20, 0.5)
    picture = torch.rand(1, 3, 20, 20)
    network.train()
    assert not torch.equal(network(picture), network(picture))
    network.eval()
    assert torch.equal(network(picture), network(picture))
    assert isinstance(network[-1], nn.Linear)
