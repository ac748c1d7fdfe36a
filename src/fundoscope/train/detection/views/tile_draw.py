"""Which tiles a detector is trained on: around a lesion of a kind that is due, or anywhere."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import msgspec
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from PIL import Image

from fundoscope.kinds import ANATOMY
from fundoscope.lesions.view import View
from fundoscope.photo.decode import Pixels
from fundoscope.train.detection.views.view import AnnotatedView

KEPT_SHARE: Final = 0.3
"""A lesion cut by the tile's edge is one where this share of its box is on the tile."""
LEAST_SIDE: Final = 2.0
"""Pixels; what is smaller on a tile cannot be found."""
QUARTERS: Final = 4


class Draw(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How tiles are drawn.

    Attributes:
        tiles: an epoch.
        anywhere: share of them that lie anywhere on the retina, with lesions or without.
        anatomy: how often the optic disc is due, where each kind of lesion is due once.
        scale: a tile shows the retina larger or smaller by up to this share.
        turns: by quarters, and mirrored.
    """

    tiles: int = 400
    anywhere: float = 0.25
    anatomy: float = 0.25
    scale: float = 0.2
    turns: bool = True


class Drawer:
    """Draws tiles with their boxes from annotated views."""

    def __init__(
        self,
        views: Sequence[AnnotatedView],
        kinds: Sequence[str],
        size: tuple[int, int],
        settings: Draw,
    ) -> None:
        self.views, self.size, self.settings = views, size, settings
        due = {
            label: settings.anatomy if kind in ANATOMY else 1.0
            for label, kind in enumerate(kinds, start=1)
        }
        having = {label: [v for v in views if (v.labels == label).any()] for label in due}
        self.having = {label: found for label, found in having.items() if found and due[label] > 0}
        self.due = np.array([due[label] for label in self.having])
        self.due /= self.due.sum()

    def draw(self, random: Generator) -> tuple[Pixels, NDArray[np.float64], NDArray[np.int64]]:
        """A tile ``uint8 (height, width, 3)``, its boxes ``(N, 4)`` and their labels ``(N,)``.

        Raises:
            UsageError: a view is gone from the cache.
        """
        return shown(self.place(random))

    def place(self, random: Generator) -> Place:
        """Which tile comes next.

        Raises:
            UsageError: a view is gone from the cache.
        """
        if self.having and random.random() >= self.settings.anywhere:
            label = int(random.choice(list(self.having), p=self.due))
            chosen = self.having[label][int(random.integers(len(self.having[label])))]
            box = random.choice(chosen.boxes[chosen.labels == label])
            view = chosen.view
            middle = ((box[0] + box[2]) / 2, (box[1] + box[3]) / 2)
            reach = 0.5
        else:
            chosen = self.views[int(random.integers(len(self.views)))]
            view = chosen.view
            middle = _on_retina(view, random)
            reach = 0.0
        reach_log = math.log1p(self.settings.scale)
        zoom = math.exp(random.uniform(-reach_log, reach_log))
        height, width = (side / zoom for side in self.size)
        x0 = middle[0] - width * (0.5 + reach * random.uniform(-1, 1))
        y0 = middle[1] - height * (0.5 + reach * random.uniform(-1, 1))
        x0, y0 = (
            _inside(start, side, limit)
            for start, side, limit in (
                (x0, width, view.pixels.shape[1]),
                (y0, height, view.pixels.shape[0]),
            )
        )
        turns, mirrored = _turn(self.size, random) if self.settings.turns else (0, False)
        return Place(chosen, (x0, y0, x0 + width, y0 + height), zoom, self.size, turns, mirrored)


@dataclass(frozen=True, slots=True)
class Place:
    """What a tile shows.

    Attributes:
        view: of which photograph.
        source: left, top, right, bottom in the view's pixels.
        zoom: how many pixels of the tile one of the view becomes.
        size: height and width of the tile.
        turns: quarters to the left, after cutting.
        mirrored: from left to right, after turning.
    """

    view: AnnotatedView
    source: tuple[float, float, float, float]
    zoom: float
    size: tuple[int, int]
    turns: int
    mirrored: bool


def shown(place: Place) -> tuple[Pixels, NDArray[np.float64], NDArray[np.int64]]:
    """Pixels, boxes and labels of a tile; see :meth:`Drawer.draw`."""
    pixels = _turned(_cut(place.view.pixels, place.source, place.size), place)
    boxes, labels = _clipped(place.view, place.source[:2], place.zoom, place.size)
    return pixels, _turned_boxes(boxes, place), labels


def planes(whole: NDArray[np.uint8], place: Place) -> NDArray[np.uint8]:
    """A tile of ``uint8 (K, H, W)`` planes over a whole view, ``uint8 (K, height, width)``."""
    cut = (_cut(plane, place.source, place.size) for plane in whole)
    return np.stack([_turned(plane, place) for plane in cut])


def _on_retina(shown: View, random: Generator) -> tuple[float, float]:
    """A point of the disc that is in the frame, evenly."""
    height, width = shown.pixels.shape[:2]
    x, y = shown.centre
    while True:
        at = (random.uniform(0, width), random.uniform(0, height))
        if math.hypot(at[0] - x, at[1] - y) <= shown.radius:
            return at


def _inside(start: float, side: float, limit: float) -> float:
    """A tile's start, moved so that the tile does not reach beyond the view if it need not."""
    return max(0.0, min(start, limit - side)) if side < limit else (limit - side) / 2


def _cut(
    pixels: Pixels, source: tuple[float, float, float, float], size: tuple[int, int]
) -> Pixels:
    left, top = math.floor(source[0]), math.floor(source[1])
    right, bottom = math.ceil(source[2]), math.ceil(source[3])
    rows = slice(max(0, top), max(0, bottom))
    columns = slice(max(0, left), max(0, right))
    part = Image.fromarray(np.ascontiguousarray(pixels[rows, columns]))
    # Pillow fills with black where a box reaches beyond the picture.
    around = part.crop(
        (left - columns.start, top - rows.start, right - columns.start, bottom - rows.start)
    )
    inner = (source[0] - left, source[1] - top, source[2] - left, source[3] - top)
    return np.array(around.resize(size[::-1], Image.Resampling.BICUBIC, box=inner))


def _clipped(
    chosen: AnnotatedView, start: tuple[float, float], zoom: float, size: tuple[int, int]
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """The boxes on a tile, in its pixels."""
    whole = (chosen.boxes - np.tile(start, 2)) * zoom
    limits = np.tile(size[::-1], 2)
    boxes = np.clip(whole, 0, limits)
    sides, full = boxes[:, 2:] - boxes[:, :2], whole[:, 2:] - whole[:, :2]
    kept = (sides.prod(axis=1) >= KEPT_SHARE * full.prod(axis=1)) & (sides >= LEAST_SIDE).all(
        axis=1
    )
    return boxes[kept], chosen.labels[kept]


def _turn(size: tuple[int, int], random: Generator) -> tuple[int, bool]:
    """Quarters to turn a tile by, and whether it is mirrored; one not square goes by halves."""
    square = size[0] == size[1]
    turns = int(random.integers(QUARTERS)) if square else 2 * int(random.integers(2))
    return turns, bool(random.random() < 0.5)


def _turned(pixels: NDArray[np.uint8], place: Place) -> NDArray[np.uint8]:
    """A tile's pixels, or a plane of it, as it lies in the end."""
    turned = np.rot90(pixels, place.turns)
    return np.ascontiguousarray(turned[:, ::-1] if place.mirrored else turned)


def _turned_boxes(boxes: NDArray[np.float64], place: Place) -> NDArray[np.float64]:
    height, width = place.size
    for _ in range(place.turns):
        # A quarter to the left: x' = y and y' = width - x.
        x0, y0, x1, y1 = boxes.T
        boxes = np.stack((y0, width - x1, y1, width - x0), axis=1)
        height, width = width, height
    if place.mirrored:
        x0, y0, x1, y1 = boxes.T
        boxes = np.stack((width - x1, y0, width - x0, y1), axis=1)
    return boxes
