"""Random changes of a training batch: what a camera, an eye and a technician may change.

Works on whole batches of uint8 pictures with torch, on any device. Cameras give the grade away in
the public sets (their stretch, colour cast and sharpness go with how sick their patients are), so
shape, colour and sharpness are jittered on purpose. What lies outside of the retina stays black.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

import msgspec

if TYPE_CHECKING:
    from torch import Generator, Tensor

LUMA: Final = (0.299, 0.587, 0.114)
"""Weights of red, green and blue in brightness (ITU-R BT.601)."""
FULL: Final = 255.0
LEVELS: Final = 256
HALF_TURN: Final = 180.0

Size = int | tuple[int, int]


class Jitter(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How far each change goes; every factor is drawn for each photograph by itself.

    Attributes:
        rotation: degrees to either side; what comes from outside is ``fill``.
        flip_horizontal, flip_vertical: mirrored or not, each with probability one half. With any
            rotation one of them gives the other.
        scale: the disc's size is multiplied by 1 ± this.
        aspect: width over height is multiplied by up to 1 + this, or divided by it.
        shift: share of the side by which the disc moves at most.
        brightness, contrast, gain, saturation: factors of 1 ± this (gain: each channel by itself).
        gamma: exponent of exp(± this).
        blur: share of the photographs that lose sharpness.
        blur_factor: at most as if they had been this many times smaller.
        jpeg: share of the photographs that are stored as JPEG once more.
        jpeg_quality: the lowest quality of those; the highest is 95.
        equalise: share of the photographs whose three histograms are made flat, each by itself.
        fill: level, 0 to 255, of what lies outside of the frame or the retina.
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
    equalise: float = 0.0
    fill: float = 0.0


BEST_QUALITY: Final = 95
"""Of a JPEG; above it nothing visible is lost."""
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
    "equalise": (0, 1),
    "fill": (0, FULL),
}
"""The lowest and the highest valid value of each number of :class:`Jitter`."""


def augment(pictures: Tensor, size: Size, generator: Generator, jitter: Jitter) -> Tensor:
    """Change a batch at random.

    Args:
        pictures: uint8 ``(N, H, W, 3)`` RGB, black outside of the retina.
        size: side of the result in pixels, or height and width.
        generator: the only source of randomness (on the processor).
        jitter: how far the changes go.

    Returns:
        float32 ``(N, 3, height, width)`` RGB, 0 to 255, in channels-last memory order.
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
    pixels = _jpeg(pixels, generator, jitter).mul_(inside > 0.5)
    return pixels if jitter.fill == 0 else pixels.add_(jitter.fill * (inside <= 0.5))


def recolour(pictures: Tensor, generator: Generator, jitter: Jitter) -> Tensor:
    """Change colours and sharpness alone; arguments and result as :func:`augment`."""
    height, width = pictures.shape[1:3]
    pixels = resize(pictures, (height, width))
    inside = pixels.amax(dim=1, keepdim=True) > 0
    return _recolour(_blur(pixels, generator, jitter), generator, jitter).mul_(inside)


def resize(pictures: Tensor, size: Size) -> Tensor:
    """Pictures at another size, without random change: what validation and export see.

    Args:
        pictures: uint8 ``(N, H, W, 3)``.
        size: side of the result in pixels, or height and width; smaller averages (anti-aliased).

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


def _uniform(shape: tuple[int, ...], reach: float, generator: Generator) -> Tensor:
    """Numbers between -reach and reach."""
    import torch

    return (torch.rand(shape, generator=generator) * 2 - 1) * reach


def _mirror(count: int, wanted: bool, generator: Generator) -> Tensor:
    """1 or -1 for each photograph."""
    import torch

    if not wanted:
        return torch.ones(count)
    return torch.where(torch.rand(count, generator=generator) < 0.5, -1.0, 1.0)


def _transforms(count: int, shape: float, generator: Generator, jitter: Jitter) -> Tensor:
    """Affine maps ``(N, 2, 3)`` from the result to the source: turn, mirror, size, shape, shift.

    They are in units of half a side, so a turn must know the frame's width over height.
    """
    import torch

    angle = _uniform((count,), math.radians(jitter.rotation), generator)
    mirror = _mirror(count, jitter.flip_horizontal, generator)
    zoom = 1 / (1 + _uniform((count,), jitter.scale, generator))
    half_aspect = (1 + jitter.aspect) ** _uniform((count,), 0.5, generator)
    shift = _uniform((count, 2), 2 * jitter.shift, generator)  # The grid's side is 2 units.
    upside_down = _mirror(count, jitter.flip_vertical, generator)
    cos, sin = angle.cos(), angle.sin()
    # Shape is changed along the source's own axes, as a camera or a careless resize would.
    across = torch.stack((cos * mirror, -sin * upside_down / shape), dim=1)
    down = torch.stack((sin * mirror * shape, cos * upside_down), dim=1)
    linear = torch.stack(
        (across * (zoom * half_aspect)[:, None], down * (zoom / half_aspect)[:, None]), dim=1
    )
    return torch.cat((linear, shift[:, :, None]), dim=2)


def _equalise(pixels: Tensor, inside: Tensor, generator: Generator, jitter: Jitter) -> Tensor:
    """Some photographs with every level of each channel equally common inside of the retina."""
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
    places = planes * LEVELS + levels
    weights = inside[index].expand_as(levels)
    histogram = torch.bincount(places.flatten(), weights.flatten(), count * channels * LEVELS)
    histogram = histogram.reshape(-1, LEVELS)
    # A level becomes the share of the pixels below it, half of its own among them.
    below = histogram.cumsum(dim=1) - histogram / 2
    flat = below / histogram.sum(dim=1, keepdim=True).clamp(min=1) * FULL
    equal = flat.flatten()[places.flatten()].reshape(levels.shape).to(pixels.dtype)
    return pixels.index_copy(0, index, equal * inside[index])


def _blur(pixels: Tensor, generator: Generator, jitter: Jitter) -> Tensor:
    """Some photographs as if they had been stored smaller."""
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


def _jpeg(pixels: Tensor, generator: Generator, jitter: Jitter) -> Tensor:
    """Some photographs as JPEG leaves them."""
    import simplejpeg
    import torch

    if jitter.jpeg == 0:
        return pixels
    chosen = torch.rand(len(pixels), generator=generator) < jitter.jpeg
    draws = torch.rand(len(pixels), generator=generator)
    for i in chosen.nonzero().flatten().tolist():
        quality = jitter.jpeg_quality + (BEST_QUALITY - jitter.jpeg_quality) * draws[i].item()
        picture = pixels[i].permute(1, 2, 0).round().to(torch.uint8).cpu().contiguous().numpy()
        stored = simplejpeg.encode_jpeg(picture, quality=round(quality))
        pixels[i] = torch.from_numpy(simplejpeg.decode_jpeg(stored)).permute(2, 0, 1)
    return pixels
