from __future__ import annotations

import numpy as np
import pytest
import torch

from fundoscope.train import augment
from fundoscope.train.augment import Jitter

STILL = Jitter(
    scale=0, aspect=0, shift=0, brightness=0, contrast=0, gain=0, saturation=0, gamma=0, blur=0
)


def discs(count, side, colour=(180, 90, 40)):
    y, x = np.mgrid[:side, :side] - side / 2 + 0.5
    pixels = np.zeros((count, side, side, 3), np.uint8)
    pixels[:, np.hypot(x, y) < side / 2] = colour
    return torch.from_numpy(pixels)


def changed(crops, size, jitter=Jitter(), seed=1):  # noqa: B008
    return augment.augment(crops, size, torch.Generator().manual_seed(seed), jitter)


@pytest.mark.parametrize("size", [48, 64, 96])
def test_any_size_comes_out(size):
    result = changed(discs(5, 64), size)
    assert result.shape == (5, 3, size, size)
    assert result.dtype == torch.float32
    assert result.is_contiguous(memory_format=torch.channels_last)
    assert result.min() >= 0
    assert result.max() <= 255


def test_outside_of_the_retina_stays_black():
    jitter = Jitter(scale=0, aspect=0, shift=0, brightness=0.5, contrast=0.5, blur=1)
    result = changed(discs(16, 64), 64, jitter)
    y, x = np.mgrid[:64, :64] - 31.5
    outside = torch.from_numpy(np.hypot(x, y) > 34)
    assert result[:, :, outside].abs().max() == 0
    inside = torch.from_numpy(np.hypot(x, y) < 28)
    assert result[:, 0, inside].min() > 50


def test_the_same_seed_gives_the_same_batch():
    crops = discs(4, 64)
    assert torch.equal(changed(crops, 48, seed=5), changed(crops, 48, seed=5))
    assert not torch.equal(changed(crops, 48, seed=5), changed(crops, 48, seed=6))


def test_photographs_of_a_batch_differ():
    result = changed(discs(4, 64), 48)
    assert not torch.equal(result[0], result[1])


def test_without_jitter_only_the_turn_is_left():
    result = changed(discs(8, 64), 64, STILL)
    middle = result[:, :, 24:40, 24:40]
    assert torch.allclose(middle[:, 0], torch.tensor(180.0), atol=0.5)
    assert torch.allclose(middle[:, 2], torch.tensor(40.0), atol=0.5)


def test_turns_and_mirrors_keep_area():
    marked = discs(32, 64)
    marked[:, 10:20, 28:36] = 255
    area = (marked[0].float().mean(-1) > 200).sum().item()
    result = changed(marked, 64, STILL)
    areas = (result.mean(dim=1) > 200).sum(dim=(1, 2)).float()
    assert torch.all((areas - area).abs() < 0.35 * area)
    centres = [(image.mean(dim=0) > 200).nonzero().float().mean(dim=0) for image in result]
    assert torch.stack(centres).std(dim=0).min() > 5  # they point everywhere


def test_shape_and_size_are_jittered_within_bounds():
    result = changed(discs(64, 64), 64, Jitter(shift=0, blur=0))
    lit = result.amax(dim=1) > 0
    area = lit.sum(dim=(1, 2)) / (3.14159 * 32**2)
    assert area.min() > 0.7
    assert area.max() <= 64 * 64 / (3.14159 * 32**2)
    assert area.std() > 0.03


def test_resize_averages():
    crops = discs(2, 64)
    small = augment.resize(crops, 32)
    assert small.shape == (2, 3, 32, 32)
    assert small[0, 0, 16, 16] == 180
    assert torch.equal(augment.resize(crops, 64), crops.permute(0, 3, 1, 2).float())
