"""Synthetic pictures that are not fundus photographs, to test whether they are rejected."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from fundoscope.phantom.canvas import cloud

Pixels = NDArray[np.uint8]
"""``uint8 (H, W, 3)``, RGB."""
Scene = Callable[[int, int, Generator], Pixels]
"""Draws a scene of a width and height."""

SIZES: Final = ((400, 400), (900, 600), (512, 768))
"""Width and height; each scene is drawn in two of them."""
CIRCLE: Final = 0.96
"""Radius of the disc of :func:`in_circle` over the shorter half side."""
WORDS: Final = (
    "the", "patient", "was", "seen", "and", "a", "letter", "with", "results", "of", "tests", "is",
    "sent", "to", "practice", "on", "same", "day",
)  # fmt: skip


def in_circle(pixels: Pixels) -> Pixels:
    """The picture in a circle on black, as a fundus camera frames it.

    Args:
        pixels: ``uint8 (H, W, 3)`` or ``(H, W)``.

    Returns:
        ``uint8 (H, W, 3)``.
    """
    colour = np.repeat(pixels[..., None], 3, axis=2) if pixels.ndim == 2 else pixels[..., :3]
    height, width = colour.shape[:2]
    y, x = np.ogrid[0:height, 0:width]
    reach = np.hypot(x + 0.5 - width / 2, y + 0.5 - height / 2)
    inside = np.clip(CIRCLE * min(width, height) / 2 - reach + 0.5, 0.0, 1.0)
    return _bytes(colour * inside[..., None])


def made(seed: int) -> Iterator[tuple[str, Pixels]]:
    """Every scene in two sizes, as ``(name, uint8 (H, W, 3) RGB)``.

    The names end in the size, e.g. ``"moon_400x400"``; the same seed gives the same pictures.
    """
    rngs = np.random.default_rng(seed).spawn(len(SCENES))
    for number, ((name, scene), rng) in enumerate(zip(SCENES.items(), rngs, strict=True)):
        for shift in range(2):
            width, height = SIZES[(number + shift) % len(SIZES)]
            yield f"{name}_{width}x{height}", scene(width, height, rng)


def _bytes(picture: NDArray[Any]) -> Pixels:
    return np.asarray(np.clip(picture + 0.5, 0, 255), dtype=np.uint8)


def _grid(width: int, height: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The pixel centres, x and y, -1 to 1 along the shorter side, 0 in the middle."""
    half = min(width, height) / 2
    y, x = np.mgrid[0:height, 0:width]
    return (x + 0.5 - width / 2) / half, (y + 0.5 - height / 2) / half


def _clouds(width: int, height: int, cells: tuple[int, ...], rng: Generator) -> NDArray[np.float64]:
    """Relief of about unit spread."""
    return cloud(max(width, height), cells, rng, fall=0.6)[:height, :width].astype(np.float64)


def _tinted(level: NDArray[np.float64], dark: Colour, bright: Colour) -> Pixels:
    """Blend two colours by a level of 0 to 1."""
    share = np.clip(level, 0.0, 1.0)[..., None]
    return _bytes(np.array(dark) * (1.0 - share) + np.array(bright) * share)


Colour = tuple[int, int, int]


def _uniform(colour: Colour) -> Scene:
    def scene(width: int, height: int, _rng: Generator) -> Pixels:
        return np.full((height, width, 3), colour, dtype=np.uint8)

    return scene


def _gradient(start: Colour, end: Colour) -> Scene:
    def scene(width: int, height: int, _rng: Generator) -> Pixels:
        x, y = _grid(width, height)
        return _tinted(0.5 + 0.25 * (x + y), start, end)

    return scene


def _glow(width: int, height: int, _rng: Generator) -> Pixels:
    """A disc with an orange radial gradient on black."""
    reach = np.hypot(*_grid(width, height))
    return _bytes(_tinted(1.0 - reach, (120, 40, 5), (250, 150, 50)) * (reach < 0.9)[..., None])


def _white_noise(width: int, height: int, rng: Generator) -> Pixels:
    return rng.integers(0, 256, (height, width, 3), dtype=np.uint8)


def _grey_noise(width: int, height: int, rng: Generator) -> Pixels:
    return np.repeat(rng.integers(0, 256, (height, width, 1), dtype=np.uint8), 3, axis=2)


def _red_noise(width: int, height: int, rng: Generator) -> Pixels:
    return _bytes(rng.normal((150, 70, 30), (40, 30, 20), (height, width, 3)))


def _page(width: int, height: int, rng: Generator) -> Pixels:
    """A page of text."""
    image = Image.new("RGB", (width, height), (250, 249, 244))
    draw, size = ImageDraw.Draw(image), max(10, height // 34)
    font = ImageFont.load_default(size)
    for line in range(2, int(height / (1.5 * size)) - 2):
        text = " ".join(rng.choice(WORDS, 14))
        if rng.random() < 0.85:
            draw.text((0.08 * width, line * 1.5 * size), text, fill=(30, 30, 34), font=font)
    draw.rectangle((0.93 * width, 0, width, height), fill=(250, 249, 244))
    return np.array(image)


def _checkerboard(width: int, height: int, _rng: Generator) -> Pixels:
    y, x = np.mgrid[0:height, 0:width]
    return np.repeat(((x // 32 + y // 32) % 2 * 255).astype(np.uint8)[..., None], 3, axis=2)


def _landscape(width: int, height: int, rng: Generator) -> Pixels:
    """Evening sky, sun, hills and water."""
    x, y = _grid(width, height)
    picture = _tinted(0.5 - 0.5 * y, (250, 170, 90), (60, 110, 190)).astype(np.float64)
    sun = np.clip(8.0 * (0.22 - np.hypot(x - 0.3, y + 0.25)) + 0.5, 0, 1)[..., None]
    picture += sun * ((255, 236, 170) - picture)
    hills = 0.12 * np.sin(3.1 * x + rng.uniform(0, 6)) + 0.07 * np.sin(7.3 * x)
    for shift, colour in ((0.1, (70, 84, 92)), (0.3, (44, 72, 48)), (0.62, (36, 66, 104))):
        picture[y > hills * (1.0 - shift) + shift] = colour
    return _bytes(picture + rng.normal(0, 3, (height, width, 1)))


def _cratered(dark: Colour, bright: Colour) -> Scene:
    """A globe with craters and lowlands on black: the moon, Mars."""

    def scene(width: int, height: int, rng: Generator) -> Pixels:
        x, y = _grid(width, height)
        reach = np.hypot(x, y)
        relief = 0.6 + 0.12 * _clouds(width, height, (4, 8, 16, 64, 128), rng)
        for _ in range(60):
            cx, cy, size = rng.uniform(-0.9, 0.9), rng.uniform(-0.9, 0.9), rng.uniform(0.01, 0.09)
            from_rim = np.hypot(x - cx, y - cy) / size
            relief += 0.14 * np.exp(-((from_rim - 1.0) ** 2) / 0.05) - 0.1 * (from_rim < 0.9)
        shade = np.sqrt(np.clip(1.0 - (reach / 0.92) ** 2, 0.0, 1.0))
        lit = relief * (0.45 + 0.55 * shade)
        return _bytes(_tinted(lit, dark, bright) * (reach < 0.92)[..., None])

    return scene


def _ball(dark: Colour, bright: Colour, peel: float) -> Scene:
    """A ball with a highlight on black: traffic light, orange, tomato."""

    def scene(width: int, height: int, rng: Generator) -> Pixels:
        x, y = _grid(width, height)
        reach = np.hypot(x, y)
        shade = 0.95 - 0.55 * np.hypot(x + 0.2, y + 0.25)
        pores = peel * _clouds(width, height, (64, 128), rng)
        shine = 120.0 * np.exp(-(np.hypot(x + 0.35, y + 0.4) ** 2) / 0.012)[..., None]
        picture = _tinted(shade + pores, dark, bright) + shine
        return _bytes(picture * (reach < 0.88)[..., None])

    return scene


def _face(width: int, height: int, _rng: Generator) -> Pixels:
    """A face on a plain wall."""
    image = Image.new("RGB", (width, height), (176, 190, 196))
    draw, s = ImageDraw.Draw(image), min(width, height) / 2

    def oval(x: float, y: float, rx: float, ry: float, fill: Colour) -> None:
        cx, cy = width / 2 + x * s, height / 2 + y * s
        draw.ellipse((cx - rx * s, cy - ry * s, cx + rx * s, cy + ry * s), fill=fill)

    oval(0, -0.12, 0.66, 0.8, (70, 44, 30))
    oval(0, 0.05, 0.58, 0.76, (224, 172, 140))
    for side in (-0.24, 0.24):
        oval(side, -0.08, 0.12, 0.06, (248, 248, 244))
        oval(side, -0.08, 0.05, 0.05, (60, 40, 30))
        oval(side, -0.22, 0.13, 0.02, (70, 44, 30))
    oval(0, 0.16, 0.07, 0.12, (208, 150, 120))
    oval(0, 0.44, 0.2, 0.06, (176, 74, 72))
    return np.array(image)


def _tissue(width: int, height: int, rng: Generator) -> Pixels:
    """A stained section under the microscope: pink background, violet nuclei, pale gaps."""
    ground = _clouds(width, height, (8, 16, 32, 64), rng)
    picture = _tinted(0.5 + 0.25 * ground, (206, 110, 160), (244, 214, 230)).astype(np.float64)
    image = Image.fromarray(_bytes(picture))
    draw = ImageDraw.Draw(image)
    for _ in range(width * height // 900):
        x, y, r = rng.uniform(0, width), rng.uniform(0, height), rng.uniform(3, 7)
        shade = int(rng.integers(-20, 20))
        draw.ellipse((x - r, y - r * 0.8, x + r, y + r * 0.8), fill=(96 + shade, 56, 140 + shade))
    return np.array(image)


def _plasma(dark: Colour, bright: Colour) -> Scene:
    def scene(width: int, height: int, rng: Generator) -> Pixels:
        relief = _clouds(width, height, (3, 6, 12, 24, 48, 96), rng)
        return _tinted(0.5 + 0.3 * relief, dark, bright)

    return scene


def _bricks(width: int, height: int, rng: Generator) -> Pixels:
    y, x = np.mgrid[0:height, 0:width]
    row = y // 40
    column = (x + 48 * (row % 2)) // 96
    shades = rng.normal(0.5, 0.2, (row.max() + 1, column.max() + 1))
    mortar = (y % 40 < 5) | ((x + 48 * (row % 2)) % 96 < 5)
    picture = _tinted(shades[row, column], (120, 50, 30), (190, 96, 66))
    picture[mortar] = (188, 180, 170)
    return _bytes(picture + rng.normal(0, 8, (height, width, 1)))


def _wood(width: int, height: int, rng: Generator) -> Pixels:
    x, y = _grid(width, height)
    warp = 0.12 * _clouds(width, height, (4, 8), rng)
    rings = np.sin(60.0 * (0.2 * x**2 + y * 0.35 + warp * 0.4))
    return _tinted(
        0.5 + 0.3 * rings + 0.1 * _clouds(width, height, (64, 128), rng),
        (112, 62, 26), (196, 134, 74),
    )  # fmt: skip


def _fire(width: int, height: int, rng: Generator) -> Pixels:
    y = _grid(width, height)[1]
    heat = 0.45 + 0.45 * y + 0.25 * _clouds(width, height, (4, 8, 16, 32), rng)
    ramp = np.array([(0, 0, 0), (110, 10, 0), (230, 80, 0), (255, 200, 50), (255, 250, 220)])
    stops = np.linspace(0.0, 1.0, len(ramp))
    return _bytes(np.stack([np.interp(heat, stops, ramp[:, c]) for c in range(3)], axis=-1))


def _iris(width: int, height: int, rng: Generator) -> Pixels:
    """The outside of an eye, close up: skin, white, brown iris, pupil, highlight."""
    x, y = _grid(width, height)
    reach, angle = np.hypot(x, y), np.arctan2(y, x)
    spokes = rng.standard_normal(180)[((angle + np.pi) / (2 * np.pi) * 179.9).astype(int)]
    picture = np.full((height, width, 3), (206, 150, 124), dtype=np.float64)
    lids = np.abs(y) < 0.75 * np.sqrt(np.clip(1.0 - (x / 1.25) ** 2, 0.0, 1.0))
    picture[lids] = (236, 226, 220)
    iris = _tinted(0.5 + 0.15 * spokes, (70, 40, 20), (150, 96, 52))
    picture = np.where((lids & (reach < 0.55))[..., None], iris, picture)
    picture[reach < 0.2] = (8, 6, 6)
    picture[np.hypot(x + 0.1, y + 0.12) < 0.06] = (250, 250, 250)
    return _bytes(picture + rng.normal(0, 3, (height, width, 1)))


def _target(width: int, height: int, _rng: Generator) -> Pixels:
    """Red and white rings on black: a road sign, a dart board."""
    reach = np.hypot(*_grid(width, height))
    rings = np.where((reach * 6).astype(int)[..., None] % 2 == 0, (196, 30, 30), (240, 236, 230))
    return _bytes(rings * (reach < 0.92)[..., None])


def _pizza(width: int, height: int, rng: Generator) -> Pixels:
    """An orange disc with red spots on black."""
    x, y = _grid(width, height)
    reach = np.hypot(x, y)
    picture = _tinted(
        0.5 + 0.3 * _clouds(width, height, (8, 16, 32, 64), rng), (196, 96, 30), (250, 206, 110)
    )
    picture[reach > 0.8] = (170, 110, 56)
    for _ in range(14):
        cx, cy = rng.uniform(-0.6, 0.6, 2)
        picture[np.hypot(x - cx, y - cy) < 0.11] = (168, 40, 26)
    return _bytes(picture * (reach < 0.9)[..., None])


def _leaf(width: int, height: int, rng: Generator) -> Pixels:
    """A leaf and its veins: branching lines on green."""
    x, y = _grid(width, height)
    ribs = np.minimum(np.abs(x), np.abs((y - 0.9 * np.abs(x)) % 0.22 - 0.11) * 1.3)
    level = 0.35 + 0.6 * np.exp(-ribs / 0.015) + 0.06 * _clouds(width, height, (16, 32, 64), rng)
    picture = _tinted(level, (36, 92, 30), (190, 214, 120))
    picture[np.abs(x) > 0.55 * np.sqrt(np.clip(1 - (y / 0.97) ** 2, 0, 1))] = (240, 240, 236)
    return picture


def _x_ray(width: int, height: int, rng: Generator) -> Pixels:
    """Grey ribs on black."""
    x, y = _grid(width, height)
    ribs = 0.5 + 0.5 * np.sin(14.0 * (y + 0.35 * np.abs(x)))
    body = np.clip(1.6 - np.hypot(x * 1.1, y * 0.9) * 1.3, 0, 1)
    lungs = np.exp(-(((np.abs(x) - 0.45) / 0.28) ** 2) - (y / 0.75) ** 2)
    level = body * (0.75 - 0.5 * lungs + 0.16 * ribs * lungs)
    return _tinted(level + 0.02 * rng.standard_normal(level.shape), (0, 0, 0), (235, 235, 240))


SCENES: Final[dict[str, Scene]] = {
    "black": _uniform((0, 0, 0)),
    "white": _uniform((255, 255, 255)),
    "grey": _uniform((128, 128, 128)),
    "reddish_brown": _uniform((140, 62, 24)),
    "orange": _uniform((240, 130, 40)),
    "grey_gradient": _gradient((10, 10, 10), (245, 245, 245)),
    "orange_gradient": _gradient((60, 20, 5), (250, 150, 60)),
    "orange_glow": _glow,
    "white_noise": _white_noise,
    "grey_noise": _grey_noise,
    "reddish_noise": _red_noise,
    "page": _page,
    "checkerboard": _checkerboard,
    "landscape": _landscape,
    "moon": _cratered((30, 30, 30), (225, 222, 214)),
    "mars": _cratered((90, 36, 16), (226, 134, 82)),
    "red_light": _ball((70, 0, 0), (250, 60, 50), 0.0),
    "orange_fruit": _ball((140, 60, 5), (255, 165, 50), 0.05),
    "face": _face,
    "tissue": _tissue,
    "orange_plasma": _plasma((110, 36, 8), (240, 150, 70)),
    "grey_plasma": _plasma((20, 20, 20), (230, 230, 230)),
    "blue_plasma": _plasma((20, 50, 110), (220, 230, 250)),
    "red_plasma": _plasma((50, 8, 6), (190, 60, 40)),
    "bricks": _bricks,
    "wood": _wood,
    "fire": _fire,
    "iris": _iris,
    "target": _target,
    "pizza": _pizza,
    "leaf": _leaf,
    "x_ray": _x_ray,
}
