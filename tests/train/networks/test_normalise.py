from __future__ import annotations

import numpy as np
import pytest
import torch

from fundoscope.train.networks import catalogue
from fundoscope.train.networks.normalise import MODES, Normalisation

PIXELS = torch.from_numpy(
    np.random.default_rng(0).integers(0, 256, (3, 3, 5, 7)).astype(np.float32)
)


def test_lite_networks_see_minus_one_to_one():
    black_grey_white = torch.tensor([0.0, 127.0, 255.0]).view(3, 1, 1, 1)
    result = Normalisation("imagenet")(black_grey_white).flatten().tolist()
    assert result == [-127 / 128, 0, 1]


def test_each_channel_has_its_mean_and_scale():
    result = Normalisation("imagenet", (10.0, 20.0, 30.0), (1.0, 2.0, 4.0))(PIXELS)
    for channel, (mean, scale) in enumerate(((10, 1), (20, 2), (30, 4))):
        assert torch.allclose(result[:, channel], (PIXELS[:, channel] - mean) / scale)


def test_rescale_is_a_255th():
    assert torch.allclose(Normalisation("rescale")(PIXELS), PIXELS / 255)


def test_samplewise_takes_each_photographs_own_mean_off():
    result = Normalisation("samplewise")(PIXELS)
    assert result.mean(dim=(1, 2, 3)).abs().max() < 1e-6
    assert torch.allclose(result[0], PIXELS[0] / 255 - PIXELS[0].mean() / 255, atol=1e-6)
    alone = Normalisation("samplewise")(PIXELS[1:2])
    assert torch.allclose(alone[0], result[1])


@pytest.mark.parametrize("mode", MODES)
def test_type_and_shape_stay(mode):
    result = Normalisation(mode)(PIXELS)
    assert result.shape == PIXELS.shape
    assert result.dtype == torch.float32


@pytest.mark.parametrize(
    ("name", "mean", "scale"),
    [
        ("efficientnet_lite0", 127.0, 128.0),
        ("sequential", 127.0, 128.0),
        ("torchvision/resnet18", 123.675, 58.395),
        ("timm/resnet18", 123.675, 58.395),
        ("timm/vit_tiny_patch16_224", 127.5, 127.5),
    ],
)
def test_networks_are_normalised_as_their_weights_were_trained(name, mean, scale):
    result = catalogue.normalisation(name, "imagenet")
    assert result.mean[0] == pytest.approx(mean)
    assert result.scale[0] == pytest.approx(scale)
