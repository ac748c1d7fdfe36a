from __future__ import annotations

import msgspec
import numpy as np
import pytest
import torch

from fundoscope.train.networks import augment
from fundoscope.train.networks.augment import Jitter

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


def framed(height, width, centre=None, radius=12):
    """A white disc in a frame of its own shape; all else is dim, so that the frame counts."""
    y, x = np.mgrid[:height, :width] + 0.5
    row, column = centre or (height / 2, width / 2)
    pixels = np.full((1, height, width, 3), 20, np.uint8)
    pixels[0, np.hypot(x - column, y - row) < radius] = 250
    return torch.from_numpy(pixels)


def spread(picture):
    """Standard deviations of a disc's pixels along its two main axes, longest first."""
    places = (picture.mean(dim=0) > 130).nonzero().double().numpy()
    return np.sqrt(np.linalg.eigvalsh(np.cov(places.T))[::-1])


@pytest.mark.parametrize(("height", "width"), [(40, 60), (60, 40), (40, 90)])
@pytest.mark.parametrize("flip_vertical", [False, True])
def test_a_turned_circle_stays_a_circle_in_any_frame(height, width, flip_vertical):
    jitter = msgspec.structs.replace(STILL, flip_vertical=flip_vertical)
    batch = framed(height, width).repeat(16, 1, 1, 1)
    for picture in changed(batch, (height, width), jitter):
        longest, shortest = spread(picture)
        assert longest / shortest < 1.05
        assert shortest == pytest.approx(6, rel=0.08)


def test_a_turn_is_rigid_in_a_wide_frame():
    """A mark 10 pixels from the middle stays so, wherever the turn takes it."""
    batch = framed(60, 90, centre=(30, 55), radius=4).repeat(32, 1, 1, 1)
    angles = []
    for picture in changed(batch, (60, 90), STILL):
        places = (picture.mean(dim=0) > 130).nonzero().double().mean(dim=0) + 0.5
        row, column = places[0] - 30, places[1] - 45
        assert float(torch.hypot(row, column)) == pytest.approx(10, abs=0.7)
        angles.append(float(torch.atan2(row, column)))
    assert np.ptp(angles) > 4


@pytest.mark.parametrize(
    ("horizontal", "vertical", "corners"),
    [(False, False, 1), (True, False, 2), (False, True, 2), (True, True, 4)],
)
def test_flips(horizontal, vertical, corners):
    jitter = msgspec.structs.replace(
        STILL, rotation=0, flip_horizontal=horizontal, flip_vertical=vertical
    )
    marked = framed(40, 60, centre=(10, 15), radius=5)
    found = changed(marked.repeat(64, 1, 1, 1), (40, 60), jitter)
    whole = marked[0].permute(2, 0, 1).float()
    mirrored = {
        name: sum(torch.allclose(picture, turned, atol=0.1) for picture in found)
        for name, turned in {
            "as it was": whole,
            "left to right": whole.flip(2),
            "upside down": whole.flip(1),
            "both": whole.flip(1).flip(2),
        }.items()
    }
    assert sum(mirrored.values()) == 64
    assert sum(count > 0 for count in mirrored.values()) == corners
    assert max(mirrored.values()) <= (64 if corners == 1 else 64 / corners * 1.6)


def test_no_turn_no_change():
    still = msgspec.structs.replace(STILL, rotation=0, flip_horizontal=False)
    batch = framed(40, 60).repeat(3, 1, 1, 1)
    assert torch.allclose(
        changed(batch, (40, 60), still), batch.permute(0, 3, 1, 2).float(), atol=0.05
    )


@pytest.mark.parametrize("fill", [0.0, 90.0, 255.0])
def test_what_a_turn_brings_in_is_the_fill(fill):
    jitter = msgspec.structs.replace(STILL, rotation=45, fill=fill)
    found = changed(framed(40, 60).repeat(24, 1, 1, 1), (40, 60), jitter)
    corner = found[:, :, 0, 0]
    assert ((corner - fill).abs() < 1).all(dim=1).sum() > 12
    assert (corner[(corner - fill).abs().amax(dim=1) >= 1] - 20).abs().max() < 45
    assert found.max() <= 255


def test_the_fill_lies_outside_of_the_retina_too():
    jitter = msgspec.structs.replace(STILL, fill=128.0)
    found = changed(discs(4, 64), 64, jitter)
    assert torch.allclose(found[:, :, 0, 0], torch.tensor(128.0))
    assert torch.allclose(found[:, 0, 32, 32], torch.tensor(180.0), atol=0.5)


def noisy(count=12):
    rng = np.random.default_rng(0)
    pixels = rng.integers(60, 200, (count, 48, 64, 3)).astype(np.uint8)
    return torch.from_numpy(pixels)


def difference(found, before):
    return (found - before.permute(0, 3, 1, 2)).abs().mean(dim=(1, 2, 3))


@pytest.mark.parametrize("form", ["jpeg", "webp"])
def test_compression_leaves_its_noise_on_as_many_as_wanted(form):
    still = msgspec.structs.replace(STILL, rotation=0, flip_horizontal=False)
    for share, expected in ((0.0, 0), (1.0, 12)):
        jitter = msgspec.structs.replace(still, **{form: share, f"{form}_quality": 20})
        found = changed(noisy(), (48, 64), jitter)
        assert (difference(found, noisy()) > 1).sum() == expected
        assert found.shape == (12, 3, 48, 64)
    half = msgspec.structs.replace(still, **{form: 0.5, f"{form}_quality": 20})
    assert 2 <= (difference(changed(noisy(), (48, 64), half), noisy()) > 1).sum() <= 10


@pytest.mark.parametrize("form", ["jpeg", "webp"])
def test_a_lower_quality_leaves_more_noise(form):
    still = msgspec.structs.replace(STILL, rotation=0, flip_horizontal=False, **{form: 1.0})
    grey = noisy()[..., :1].expand(-1, -1, -1, 3)  # what subsampled colour loses is no matter here
    low, high = (
        difference(
            changed(grey, (48, 64), msgspec.structs.replace(still, **{f"{form}_quality": q})),
            grey,
        ).mean()
        for q in (5, 94)
    )
    assert low > 1.5 * high


def test_a_sensors_noise_has_another_strength_on_each_photograph():
    still = msgspec.structs.replace(STILL, rotation=0, flip_horizontal=False, noise=8.0)
    grey = torch.full((12, 48, 64, 3), 128, dtype=torch.uint8)
    spread = changed(grey, (48, 64), still).std(dim=(1, 2, 3))
    assert spread.max() <= 8.2
    assert spread.min() < spread.max() / 2


def test_an_unknown_jitter_is_refused():
    with pytest.raises(msgspec.ValidationError, match="rotaton"):
        msgspec.convert({"rotaton": 3}, Jitter)


def test_equalised_channels_have_every_level_equally_often():
    random = np.random.default_rng(3)
    crops = discs(3, 96).numpy()
    crops[crops[..., 0] > 0] = (
        (40 * random.random((3, int((crops[0, ..., 0] > 0).sum()), 3)) + 9)
        .reshape(-1, 3)
        .astype(np.uint8)
    )
    result = changed(
        torch.from_numpy(crops),
        96,
        msgspec.structs.replace(STILL, rotation=0, flip_horizontal=False, equalise=1),
    )
    inside = torch.from_numpy(crops[0, ..., 0] > 0)
    levels = result[:, :, inside]
    assert result[:, :, ~inside].abs().max() == 0
    assert levels.mean(dim=2).sub(127.5).abs().max() < 2
    shares = [(levels <= bound).float().mean().item() for bound in (64, 128, 192)]
    assert shares == pytest.approx([0.25, 0.5, 0.75], abs=0.03)


def test_only_a_share_is_equalised():
    crops = discs(40, 32)
    still = changed(crops, 32, STILL)
    some = changed(crops, 32, msgspec.structs.replace(STILL, equalise=0.5))
    assert not torch.equal(still, some)


def test_recolour_changes_colours_and_keeps_every_place():
    crops = discs(6, 32)
    before = augment.resize(crops, 32)
    result = augment.recolour(crops, torch.Generator().manual_seed(3), Jitter(blur=1.0))
    assert result.shape == before.shape
    assert result.dtype == torch.float32
    assert result[before == 0].max() == 0
    middle = (slice(None), slice(None), 12, 12)
    assert (result[middle] - before[middle]).abs().min(dim=1).values.max() > 1
    assert torch.equal(
        result, augment.recolour(crops, torch.Generator().manual_seed(3), Jitter(blur=1.0))
    )


def test_a_batch_of_which_no_photograph_is_equalised_stays_as_it_is():
    jitter = msgspec.structs.replace(STILL, rotation=0, flip_horizontal=False, equalise=1e-9)
    crops = discs(3, 32)
    assert torch.allclose(changed(crops, 32, jitter), augment.resize(crops, 32), atol=0.1)
