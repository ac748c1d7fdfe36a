"""Random augmentation of a training batch: what may differ between cameras, eyes and operators.

It works on whole batches of uint8 pictures with torch, on any device. In the public data sets a
camera's stretch, colour cast and sharpness correlate with the grade of its patients, so shape,
colour and sharpness are jittered on purpose. Whatever lies outside of the retina stays black.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

import msgspec

from fundoscope.train.networks import compression

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Generator, Tensor

    from fundoscope.photo.decode import Pixels
    from fundoscope.train.run.plan import PictureSize

LUMA: Final = (0.299, 0.587, 0.114)
"""Weights of red, green and blue in brightness (ITU-R BT.601)."""
FULL: Final = 255.0
LEVELS: Final = 256
HALF_TURN: Final = 180.0
MIRRORED: Final = 0.5
"""Share of the pictures that a flip mirrors."""
INSIDE: Final = 0.5
"""A resampled pixel belongs to the retina if more than this share of it does."""
BEST_QUALITY: Final = 95
"""Highest quality that is drawn; above it the loss is invisible."""


class Jitter(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The strength of each change.

    Every factor is drawn separately for each photograph, except that of the blur: the photographs
    of a batch that are blurred are blurred alike.

    Attributes:
        rotation: largest angle in degrees, to either side.
        flip_horizontal: mirror half of the photographs left to right.
        flip_vertical: mirror half of them top to bottom. If ``rotation`` is 180, one of the two
            flips implies the other.
        scale: the disc's size is multiplied by 1 ± this.
        aspect: width over height is multiplied or divided by up to 1 + this.
        shift: largest shift of the disc, as a share of the picture's side.
        brightness: the levels are multiplied by 1 ± this.
        contrast: the distance from the mean level is multiplied by 1 ± this.
        gain: each channel is multiplied by its own 1 ± this.
        saturation: the distance from grey is multiplied by 1 ± this.
        gamma: the levels, 0 to 1, are raised to the power exp(± this).
        blur: share of the photographs that are blurred.
        blur_factor: the strongest blur: as if the photograph had been stored this many times
            smaller.
        jpeg: share of the photographs that are compressed as JPEG once more.
        jpeg_quality: lowest quality of that compression; the highest is :data:`BEST_QUALITY`.
        webp: share of the photographs that are compressed as WebP once more.
        webp_quality: lowest quality of that compression; the highest is :data:`BEST_QUALITY`.
        noise: standard deviation of the strongest noise, in levels of 0 to 255.
        equalise: share of the photographs whose channels are histogram-equalised, each separately.
        fill: level, 0 to 255, of everything outside of the frame or the retina.
    """

    rotation: float = HALF_TURN
    flip_horizontal: bool = True
    flip_vertical: bool = False
    scale: float = 0.12
    aspect: float = 0.10
    shift: float = 0.04
    brightness: float = 0.20
    contrast: float = 0.20
    gain: float = 0.10
    saturation: float = 0.25
    gamma: float = 0.20
    blur: float = 0.25
    blur_factor: float = 2.0
    jpeg: float = 0.0
    jpeg_quality: int = 30
    webp: float = 0.0
    webp_quality: int = 50
    noise: float = 0.0
    equalise: float = 0.0
    fill: float = 0.0


BOUNDS: Final[dict[str, tuple[float, float]]] = {
    "rotation": (0, HALF_TURN),
    "scale": (0, 0.9),
    "aspect": (0, 10),
    "shift": (0, 1),
    "brightness": (0, 1),
    "contrast": (0, 1),
    "gain": (0, 1),
    "saturation": (0, 1),
    "gamma": (0, 3),
    "blur": (0, 1),
    "blur_factor": (1, 100),
    "jpeg": (0, 1),
    "jpeg_quality": (1, BEST_QUALITY),
    "webp": (0, 1),
    "webp_quality": (1, BEST_QUALITY),
    "noise": (0, FULL),
    "equalise": (0, 1),
    "fill": (0, FULL),
}
"""The lowest and the highest valid value of each number of :class:`Jitter`."""


def augment(pictures: Tensor, size: PictureSize, generator: Generator, jitter: Jitter) -> Tensor:
    """Change a batch at random.

    Args:
        pictures: uint8 ``(N, H, W, 3)`` RGB, black outside of the retina.
        size: of the result.
        generator: the only source of randomness; it lives on the CPU.
        jitter: the strength of each change.

    Returns:
        float32 ``(N, 3, height, width)`` RGB, 0 to 255, in channels-last memory order.
    """
    return augment_with_maps(pictures, size, generator, jitter)[0]


def augment_with_maps(
    pictures: Tensor, size: PictureSize, generator: Generator, jitter: Jitter
) -> tuple[Tensor, Tensor]:
    """As :func:`augment`, and where each point of a result lay in its source.

    Returns:
        The pictures, and affine maps ``(N, 2, 3)`` from the result to the source, both in units of
        half a side about the middle.
    """
    import torch
    from torch.nn import functional

    pixels = resize(pictures, size)
    height, width = pixels.shape[2:]
    inside = (pixels.amax(dim=1, keepdim=True) > 0).float()
    pixels = _equalise(pixels, inside, generator, jitter)
    theta = _transforms(len(pictures), width / height, generator, jitter).to(pictures.device)
    grid = functional.affine_grid(theta, [len(pictures), 4, height, width], align_corners=False)
    planes = torch.cat((pixels, inside), dim=1).contiguous(memory_format=torch.channels_last)
    warped = functional.grid_sample(planes, grid, align_corners=False)
    pixels, inside = warped[:, :3], warped[:, 3:]
    pixels = _blur(pixels, generator, jitter)
    pixels = _recolour(pixels, generator, jitter)
    pixels = _noise(pixels, generator, jitter)
    pixels = _stored(pixels, generator, jitter).mul_(inside > INSIDE)
    if jitter.fill:
        pixels = pixels.add_(jitter.fill * (inside <= INSIDE))
    return pixels, theta


def recolour(pictures: Tensor, generator: Generator, jitter: Jitter) -> Tensor:
    """Change only colours and sharpness.

    Args:
        pictures: uint8 ``(N, H, W, 3)`` RGB, black outside of the retina.
        generator: the only source of randomness; it lives on the CPU.
        jitter: the strength of each change; those of shape are ignored.

    Returns:
        float32 ``(N, 3, H, W)`` RGB, 0 to 255.
    """
    height, width = pictures.shape[1:3]
    pixels = resize(pictures, (height, width))
    inside = pixels.amax(dim=1, keepdim=True) > 0
    changed = _recolour(_blur(pixels, generator, jitter), generator, jitter)
    changed = _noise(changed, generator, jitter)
    return _stored(changed, generator, jitter).mul_(inside)


def resize(pictures: Tensor, size: PictureSize) -> Tensor:
    """Resize pictures without any random change, as validation and export do.

    Args:
        pictures: uint8 ``(N, H, W, 3)``.
        size: of the result. Downsizing is anti-aliased.

    Returns:
        float32 ``(N, 3, height, width)``, 0 to 255, in channels-last memory order.
    """
    from torch.nn import functional

    sides = (size, size) if isinstance(size, int) else tuple(size)
    planes = pictures.permute(0, 3, 1, 2)
    if planes.device.type != "cpu":
        planes = planes.float()  # no GPU resizes bytes with anti-aliasing
    if tuple(planes.shape[2:]) != sides:
        planes = functional.interpolate(planes, size=sides, mode="bilinear", antialias=True)
    return planes.float()


def _uniform(shape: tuple[int, ...], bound: float, generator: Generator) -> Tensor:
    """Random numbers between -bound and bound."""
    import torch

    return (torch.rand(shape, generator=generator) * 2 - 1) * bound


def _mirror(count: int, enabled: bool, generator: Generator) -> Tensor:
    """For each photograph -1 (mirrored) or 1."""
    import torch

    if not enabled:
        return torch.ones(count)
    return torch.where(torch.rand(count, generator=generator) < MIRRORED, -1.0, 1.0)


def _transforms(count: int, ratio: float, generator: Generator, jitter: Jitter) -> Tensor:
    """Random affine maps ``(N, 2, 3)`` from the result to the source.

    They rotate, mirror, scale, stretch and shift. Their unit is half a side, so a rotation needs
    the frame's ``ratio`` of width to height.
    """
    import torch

    angle = _uniform((count,), math.radians(jitter.rotation), generator)
    mirror = _mirror(count, jitter.flip_horizontal, generator)
    zoom = 1 / (1 + _uniform((count,), jitter.scale, generator))
    half_aspect = (1 + jitter.aspect) ** _uniform((count,), 0.5, generator)
    shift = _uniform((count, 2), 2 * jitter.shift, generator)  # a side is 2 units
    upside_down = _mirror(count, jitter.flip_vertical, generator)
    cos, sin = angle.cos(), angle.sin()
    # The stretch follows the source's own axes, as that of a camera or a careless resize does.
    across = torch.stack((cos * mirror, -sin * upside_down / ratio), dim=1)
    down = torch.stack((sin * mirror * ratio, cos * upside_down), dim=1)
    linear = torch.stack(
        (across * (zoom * half_aspect)[:, None], down * (zoom / half_aspect)[:, None]), dim=1
    )
    return torch.cat((linear, shift[:, :, None]), dim=2)


def _equalise(pixels: Tensor, inside: Tensor, generator: Generator, jitter: Jitter) -> Tensor:
    """Equalise the histogram of each channel inside of the retina, on some photographs."""
    import torch

    if jitter.equalise == 0:
        return pixels
    chosen = torch.rand(len(pixels), generator=generator) < jitter.equalise
    index = chosen.nonzero().squeeze(1).to(pixels.device)
    if len(index) == 0:
        return pixels
    levels = pixels[index].round().long()
    count, channels = levels.shape[:2]
    planes = torch.arange(count * channels, device=pixels.device).reshape(count, channels, 1, 1)
    bins = planes * LEVELS + levels
    weights = inside[index].expand_as(levels)
    histogram = torch.bincount(bins.flatten(), weights.flatten(), count * channels * LEVELS)
    histogram = histogram.reshape(-1, LEVELS)
    # A level becomes the share of the pixels below it, plus half of those that have it.
    below = histogram.cumsum(dim=1) - histogram / 2
    new_levels = below / histogram.sum(dim=1, keepdim=True).clamp(min=1) * FULL
    equalised = new_levels.flatten()[bins.flatten()].reshape(levels.shape).to(pixels.dtype)
    return pixels.index_copy(0, index, equalised * inside[index])


def _blur(pixels: Tensor, generator: Generator, jitter: Jitter) -> Tensor:
    """Blur some photographs as if they had been stored smaller."""
    import torch
    from torch.nn import functional

    chosen = torch.rand(len(pixels), generator=generator) < jitter.blur
    factor = 1 + torch.rand((), generator=generator).item() * (jitter.blur_factor - 1)
    index = chosen.nonzero().squeeze(1).to(pixels.device)
    if len(index) == 0:
        return pixels
    sides = tuple(pixels.shape[2:])
    smaller = tuple(max(1, round(side / factor)) for side in sides)
    small = functional.interpolate(pixels[index], size=smaller, mode="bilinear", antialias=True)
    soft = functional.interpolate(small, size=sides, mode="bilinear")
    return pixels.index_copy(0, index, soft)


def _recolour(pixels: Tensor, generator: Generator, jitter: Jitter) -> Tensor:
    """Change saturation, contrast, brightness, gain and gamma.

    All but gamma are one 3 x 3 matrix and an offset for each photograph.
    """
    import torch

    count = len(pixels)
    luma = torch.tensor(LUMA)
    saturation = 1 + _uniform((count, 1, 1), jitter.saturation, generator)
    gain = 1 + _uniform((count, 3, 1), jitter.gain, generator)
    brightness = 1 + _uniform((count, 1, 1), jitter.brightness, generator)
    contrast = 1 + _uniform((count, 1, 1), jitter.contrast, generator)
    gamma = torch.exp(_uniform((count, 1, 1), jitter.gamma, generator))
    grey = luma.expand(3, 3)[None]
    matrix = contrast * brightness * gain * (saturation * torch.eye(3) + (1 - saturation) * grey)
    planes = pixels.permute(0, 2, 3, 1).reshape(count, -1, 3)
    mean = planes.mean(dim=1, keepdim=True)
    offset = (1 - contrast).to(mean.device) * mean
    mixed = torch.baddbmm(offset, planes, matrix.transpose(1, 2).to(planes.device))
    recoloured = mixed.div_(FULL).clamp_(0, 1).pow_(gamma.to(planes.device)).mul_(FULL)
    return recoloured.reshape(count, *pixels.shape[2:], 3).permute(0, 3, 1, 2)


def _noise(pixels: Tensor, generator: Generator, jitter: Jitter) -> Tensor:
    """Add a sensor's noise, of another strength to each photograph; ``pixels`` is changed."""
    import torch

    if jitter.noise == 0:
        return pixels
    strength = torch.rand((len(pixels), 1, 1, 1), generator=generator) * jitter.noise
    grain = torch.randn(pixels.shape, generator=generator) * strength
    return pixels.add_(grain.to(pixels.device)).clamp_(0, FULL)


def _stored(pixels: Tensor, generator: Generator, jitter: Jitter) -> Tensor:
    """Compress some photographs as JPEG and some as WebP; ``pixels`` is changed in place."""
    pixels = _compressed(pixels, generator, jitter.jpeg, jitter.jpeg_quality, compression.jpeg)
    return _compressed(pixels, generator, jitter.webp, jitter.webp_quality, compression.webp)


def _compressed(
    pixels: Tensor,
    generator: Generator,
    share: float,
    lowest: int,
    store: Callable[[Pixels, int], Pixels],
) -> Tensor:
    import torch

    if share == 0:
        return pixels
    chosen = torch.rand(len(pixels), generator=generator) < share
    draws = torch.rand(len(pixels), generator=generator)
    for i in chosen.nonzero().flatten().tolist():
        quality = round(lowest + (BEST_QUALITY - lowest) * draws[i].item())
        picture = pixels[i].permute(1, 2, 0).round().to(torch.uint8).cpu().contiguous().numpy()
        pixels[i] = torch.from_numpy(store(picture, quality)).permute(2, 0, 1)
    return pixels
