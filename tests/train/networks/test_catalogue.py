from __future__ import annotations

import pytest
import torch
from torch import nn

from fundoscope.errors import UsageError
from fundoscope.train.networks import catalogue
from fundoscope.train.networks.catalogue import InputSize

SMALL = InputSize(32, 32)
NAMES = (
    "sequential", "sequential-spp", "efficientnet_lite0", "torchvision/resnet18",
    "torchvision/mobilenet_v3_small", "timm/resnet10t", "timm/mobilenetv3_small_050",
)  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("outputs", [1, 5])
def test_so_many_numbers_come_out(name, outputs):
    network = catalogue.create(name, outputs, SMALL, dropout=0.3).eval()
    with torch.inference_mode():
        assert network(torch.zeros(2, 3, 32, 32)).shape == (2, outputs)
    last = network.get_submodule(catalogue.last_layer(network))
    assert isinstance(last, nn.Linear)
    assert last.out_features == outputs


@pytest.mark.parametrize("name", ["torchvision/mobilenet_v3_small", "sequential"])
def test_drop_out_is_as_wanted(name):
    network = catalogue.create(name, 4, SMALL, dropout=0.37)
    assert [m.p for m in network.modules() if isinstance(m, nn.Dropout)] == [0.37]


def test_a_ready_made_network_gets_a_last_layer_of_its_own():
    network = nn.Sequential(nn.Linear(3, 7), nn.Sequential(nn.ReLU(), nn.Linear(7, 1000)))
    catalogue._replace_last_layer(network, 4)
    assert network(torch.zeros(1, 3)).shape == (1, 4)
    assert network[1][1].in_features == 7


@pytest.mark.parametrize("name", NAMES)
def test_known_names(name):
    assert catalogue.known(name)


@pytest.mark.parametrize(
    ("name", "remedy"),
    [
        ("vgg", "name one of sequential, sequential-spp, efficientnet_lite0, .*timm/NAME"),
        ("resnet18", "torchvision/NAME, timm/NAME"),
        ("timm/resnet10tt", "timm/resnet10t"),
        ("timm/efficientnet_b00", "timm/efficientnet_b0"),
        ("timm/§§§§", "timm/NAME"),
        ("torchvision/vgg16", "torchvision/resnet18"),
        ("torchvision/", "torchvision/mobilenet_v2"),
        ("", "sequential"),
    ],
)
def test_an_unknown_network_is_reported_with_near_names(name, remedy):
    with pytest.raises(UsageError, match=f"network {name}: is not known; .*{remedy}"):
        catalogue.create(name, 4, SMALL)
    assert not catalogue.known(name)


@pytest.mark.parametrize(
    ("name", "size", "fine"),
    [
        ("sequential-spp", InputSize(40, 24), True),
        ("sequential", InputSize(40, 24), False),
        ("timm/resnet10t", InputSize(40, 24), True),
        ("timm/vit_tiny_patch16_224", InputSize(64, 64), False),
        ("timm/vit_tiny_patch16_224", InputSize(224, 224), True),
        ("timm/resnet10t", InputSize(1, 1), True),
    ],
)
def test_whether_a_network_takes_a_size_is_known_before_training(name, size, fine):
    def make():
        return catalogue.create(name, 4, SMALL)

    if fine:
        catalogue.require_takes(make, [SMALL, size] if "vit" not in name else [size], "ours")
        return
    with pytest.raises(UsageError, match=f"ours: does not take pictures of {size.height}x"):
        catalogue.require_takes(make, [size], "ours")


@pytest.mark.parametrize("frozen", [0, 1, 3])
def test_frozen_parts_keep_their_weights_and_the_others_learn(frozen):
    network = catalogue.create("efficientnet_lite0", 4, SMALL)
    catalogue.set_training(network, 2)
    catalogue.set_training(network, frozen)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    network(torch.rand(2, 3, 64, 64)).sum().backward()
    kept = ("conv_stem", "bn1", *(f"blocks.{i}." for i in range(frozen))) if frozen else ("-",)
    for name, parameter in network.named_parameters():
        assert (parameter.grad is None) == name.startswith(kept)
    for name, value in network.state_dict().items():
        if name.endswith("running_mean"):
            assert torch.equal(value, before[name]) == name.startswith(kept)


def test_only_networks_of_blocks_can_be_frozen():
    network = catalogue.create("sequential", 4, SMALL)
    catalogue.set_training(network, 0)
    assert network.training
    with pytest.raises(UsageError, match="frozen = 1: needs a network made of groups of blocks"):
        catalogue.set_training(network, 1)


def test_normalisation_of_a_timm_network_without_settings(monkeypatch):
    monkeypatch.setattr("timm.get_pretrained_cfg", lambda _: None)
    result = catalogue.normalisation("timm/resnet10t", "imagenet")
    assert result.mean == catalogue.IMAGENET_MEAN
