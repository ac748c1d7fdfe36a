"""A segmentation network, and its graph."""

from __future__ import annotations

import numpy as np
import pytest
import torch

pytest.importorskip("onnx")

from fundoscope.errors import FundoscopeError, UsageError
from fundoscope.lesions import heads
from fundoscope.models import runtime
from fundoscope.train.detection import parity as detection_parity
from fundoscope.train.detection.config import MaskDecoder
from fundoscope.train.detection.masks import graph as mask_graph
from fundoscope.train.detection.masks import network as mask_network
from fundoscope.train.detection.masks import parity as mask_parity
from fundoscope.train.networks import catalogue as networks

SMALL = MaskDecoder((12, 8, 8, 8, 4))
LITE = "efficientnet_lite0"


@pytest.fixture
def network() -> torch.nn.Module:
    torch.manual_seed(2)
    made = mask_network.create(LITE, 3, SMALL, init="none").eval()
    torch.nn.init.normal_(made.paint.weight, std=2.0)  # else all maps are alike
    torch.nn.init.zeros_(made.paint.bias)
    return made


@pytest.mark.parametrize("size", [(64, 64), (32, 96)])
def test_each_pixel_has_a_value_of_each_kind(
    network: torch.nn.Module, size: tuple[int, int]
) -> None:
    with torch.inference_mode():
        assert network(torch.zeros(2, 3, *size)).shape == (2, 3, *size)


def test_before_it_has_learned_anything_it_takes_little_for_lesions() -> None:
    made = mask_network.create(LITE, 2, SMALL, init="none").eval()
    with torch.inference_mode():
        result = made(torch.zeros(1, 3, 64, 64)).sigmoid()
    assert result.mean() < 0.05


def test_a_network_without_fine_features_is_refused() -> None:
    with pytest.raises(UsageError, match="no features of strides"):
        mask_network.create("timm/vgg11", 2, SMALL, init="none")
    with pytest.raises(UsageError, match="is not known"):
        mask_network.create("vgg16", 2, SMALL, init="none")


def test_the_graph_gives_the_maps_of_the_network_at_any_size(network: torch.nn.Module) -> None:
    normalisation = networks.normalisation(LITE, "imagenet")
    model = mask_graph.to_onnx(network, normalisation, 2)
    session = runtime.open_graph(model, "test")
    random = np.random.default_rng(1)
    for size in ((64, 64), (96, 160)):
        shown = random.integers(0, 256, (2, *size, 3), np.uint8)
        ours = heads.maps(session, shown)
        with torch.inference_mode():
            module = mask_graph.FromPixels(network, normalisation).eval()
            theirs = module(torch.from_numpy(shown)).numpy()
        assert ours.shape == (2, 3, *size)
        assert ours.dtype == np.uint8
        assert np.ptp(theirs) > 20
        assert np.abs(ours.astype(int) - theirs).max() <= 1
        assert len(heads.maps(session, shown[:1])) == 1


def test_a_graph_with_other_maps_is_noticed(
    network: torch.nn.Module, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(detection_parity, "COMPARED_SIDES", ((64, 64), (64, 96)))
    normalisation = networks.normalisation(LITE, "imagenet")
    random = np.random.default_rng(3)

    def tiles_of(_val, size, at_once):
        while True:
            yield random.integers(0, 256, (at_once, *size, 3), np.uint8)

    monkeypatch.setattr(detection_parity, "tiles_of", tiles_of)
    model = mask_graph.to_onnx(network, normalisation, 1)
    compared, pixels, apart = mask_parity.against_torch(network, model, normalisation, [], 1)
    assert compared > 0
    assert pixels < 1
    assert apart <= 1 / 255
    with torch.no_grad():
        network.paint.bias += 0.3
    with pytest.raises(FundoscopeError, match="the exported graph"):
        mask_parity.against_torch(network, model, normalisation, [], 1)
