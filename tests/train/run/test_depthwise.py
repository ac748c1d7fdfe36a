"""The gradients of a depthwise convolution in bfloat16 are those of torch in float32."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import Tensor, nn

from fundoscope.train.run import depthwise

ROUNDING = 0.02
"""Allowed error of bfloat16, which has 8 bits of precision, as a share of the largest value."""


def _gradients(layer: nn.Module, pixels: Tensor, *, bfloat16: bool) -> tuple[Tensor, ...]:
    """The result, and the gradients of pixels and weights, of the sum of squares."""
    pixels = pixels.detach().clone().requires_grad_(True)
    weight = next(layer.parameters())
    with torch.autocast("cpu", torch.bfloat16, enabled=bfloat16):
        result = layer(pixels.bfloat16() if bfloat16 else pixels)
    loss = result.float().square().sum()
    return result.float(), *torch.autograd.grad(loss, (pixels, weight))


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("side", [3, 5])
@pytest.mark.parametrize(("height", "width"), [(16, 16), (17, 12), (7, 9)])
def test_gradients_are_those_of_float32(side: int, stride: int, height: int, width: int) -> None:
    torch.manual_seed(1)
    layer = nn.Conv2d(12, 12, side, stride, side // 2, groups=12, bias=False)
    pixels = torch.randn(3, 12, height, width).contiguous(memory_format=torch.channels_last)
    expected = _gradients(layer, pixels, bfloat16=False)
    found = _gradients(depthwise.DepthwiseConv2d(layer), pixels, bfloat16=True)
    for ours, theirs in zip(found, expected, strict=True):
        assert ours.dtype == torch.float32
        assert ours.shape == theirs.shape
        assert (ours - theirs).abs().max() <= ROUNDING * theirs.abs().max()


def test_only_depthwise_convolutions_are_replaced_and_names_stay() -> None:
    network = nn.Sequential(
        nn.Conv2d(3, 8, 3, bias=False),
        nn.Conv2d(8, 8, 3, padding=1, groups=8, bias=False),
        nn.Conv2d(8, 8, 3, padding=1, groups=8, bias=False, padding_mode="reflect"),
        nn.Conv2d(8, 8, 3, padding=1, groups=8),
        nn.Conv2d(8, 8, 3, padding=1, groups=4, bias=False),
    )
    before = copy.deepcopy(network)
    depthwise.replace_all(network)
    replaced = [isinstance(part, depthwise.DepthwiseConv2d) for part in network]
    assert replaced == [False, True, False, False, False]
    assert network.state_dict().keys() == before.state_dict().keys()
    pixels = torch.randn(2, 3, 9, 9)
    assert torch.equal(network(pixels), before(pixels))  # float32 is computed as ever


def test_the_optimiser_changes_the_weights_of_a_replaced_layer() -> None:
    layer = nn.Conv2d(4, 4, 3, padding=1, groups=4, bias=False)
    network = nn.Sequential(layer)
    depthwise.replace_all(network)
    assert next(network.parameters()) is layer.weight
