"""Random changes of a training batch: what a camera, an eye and a technician may change.

Works on whole batches of uint8 crops with torch, on any device. Cameras give the grade away in the
public sets (their stretch, colour cast and sharpness go with how sick their patients are), so
shape, colour and sharpness are jittered on purpose. What lies outside of the retina stays black.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from torch import Generator, Tensor

LUMA: Final = (0.299, 0.587, 0.114)
"""Weights of red, green and blue in brightness (ITU-R BT.601)."""
FULL: Final = 255.0


@dataclass(frozen=True, slots=True)
class Jitter:
    """How far each change goes; every factor is drawn for each photograph by itself.

    Attributes:
        scale: the disc's size is multiplied by 1 ± this.
        aspect: width over height is multiplied by up to 1 + this, or divided by it.
        shift: share of the side by which the disc moves at most.
        brightness, contrast, gain, saturation: factors of 1 ± this (gain: each channel by itself).
        gamma: exponent of exp(± this).
        blur: share of the photographs that lose sharpness.
        blur_factor: at most as if they had been this many times smaller.
    """

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


def augment(crops: Tensor, size: int, generator: Generator, jitter: Jitter) -> Tensor:
    """Change a batch at random.

    Args:
        crops: uint8 ``(N, S, S, 3)`` RGB, black outside of the retina.
        size: side of the result in pixels.
        generator: the only source of randomness (on the processor).
        jitter: how far the changes go.

    Returns:
        float32 ``(N, 3, size, size)`` RGB, 0 to 255, in channels-last memory order.
    """
    import torch
    from torch.nn import functional

    pixels = resize(crops, size)
    inside = (pixels.amax(dim=1, keepdim=True) > 0).float()
    theta = _transforms(len(crops), generator, jitter).to(crops.device)
    grid = functional.affine_grid(theta, [len(crops), 4, size, size], align_corners=False)
    planes = torch.cat((pixels, inside), dim=1).contiguous(memory_format=torch.channels_last)
    warped = functional.grid_sample(planes, grid, align_corners=False)
    pixels, inside = warped[:, :3], warped[:, 3:]
    pixels = _blur(pixels, generator, jitter)
    return _recolour(pixels, generator, jitter).mul_(inside > 0.5)


def resize(crops: Tensor, size: int) -> Tensor:
    """Crops at another size, without random change: what validation and export see.

    Args:
        crops: uint8 ``(N, S, S, 3)``.
        size: side of the result in pixels; a smaller one averages (anti-aliased).

    Returns:
        float32 ``(N, 3, size, size)``, 0 to 255, in channels-last memory order.
    """
    from torch.nn import functional

    planes = crops.permute(0, 3, 1, 2)
    if crops.shape[1] != size:
        planes = functional.interpolate(planes, size=(size, size), mode="bilinear", antialias=True)
    return planes.float()


def _uniform(shape: tuple[int, ...], reach: float, generator: Generator) -> Tensor:
    """Numbers between -reach and reach."""
    import torch

    return (torch.rand(shape, generator=generator) * 2 - 1) * reach


def _transforms(count: int, generator: Generator, jitter: Jitter) -> Tensor:
    """Affine maps ``(N, 2, 3)`` from the result to the source: turn, mirror, size, shape, shift."""
    import torch

    angle = _uniform((count,), math.pi, generator)
    mirror = torch.where(torch.rand(count, generator=generator) < 0.5, -1.0, 1.0)
    zoom = 1 / (1 + _uniform((count,), jitter.scale, generator))
    half_aspect = (1 + jitter.aspect) ** _uniform((count,), 0.5, generator)
    shift = _uniform((count, 2), 2 * jitter.shift, generator)  # The grid's side is 2 units.
    cos, sin = angle.cos(), angle.sin()
    # Shape is changed along the source's own axes, as a camera or a careless resize would.
    across = torch.stack((cos * mirror, -sin), dim=1) * (zoom * half_aspect)[:, None]
    down = torch.stack((sin * mirror, cos), dim=1) * (zoom / half_aspect)[:, None]
    linear = torch.stack((across, down), dim=1)
    return torch.cat((linear, shift[:, :, None]), dim=2)


def _blur(pixels: Tensor, generator: Generator, jitter: Jitter) -> Tensor:
    """Some photographs as if they had been stored smaller."""
    import torch
    from torch.nn import functional

    chosen = torch.rand(len(pixels), generator=generator) < jitter.blur
    factor = 1 + torch.rand((), generator=generator).item() * (jitter.blur_factor - 1)
    index = chosen.nonzero().squeeze(1).to(pixels.device)
    if len(index) == 0:
        return pixels
    size = pixels.shape[-1]
    small = functional.interpolate(
        pixels[index], size=(round(size / factor),) * 2, mode="bilinear", antialias=True
    )
    soft = functional.interpolate(small, size=(size, size), mode="bilinear")
    return pixels.index_copy(0, index, soft)


def _recolour(pixels: Tensor, generator: Generator, jitter: Jitter) -> Tensor:
    """Saturation, contrast, gain and gamma; the first three as one 3 x 3 matrix and an offset."""
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
    level = planes.mean(dim=1, keepdim=True)
    offset = (1 - contrast).to(level.device) * level
    mixed = torch.baddbmm(offset, planes, matrix.transpose(1, 2).to(planes.device))
    bent = mixed.div_(FULL).clamp_(0, 1).pow_(gamma.to(planes.device)).mul_(FULL)
    return bent.reshape(count, *pixels.shape[2:], 3).permute(0, 3, 1, 2)
