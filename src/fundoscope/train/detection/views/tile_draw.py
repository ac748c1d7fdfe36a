"""Drawing the tiles that a detector is trained on: around a lesion, or anywhere on the retina."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from PIL import Image

from fundoscope.kinds import ANATOMY
from fundoscope.lesions.view import View
from fundoscope.photo.decode import Pixels
from fundoscope.train.detection.config import Draw
from fundoscope.train.detection.views.view import AnnotatedView

KEPT_SHARE: Final = 0.3
"""A lesion that the tile's edge cuts counts if at least this share of its box is on the tile."""
LEAST_SIDE: Final = 2.0
"""Pixels; boxes with a smaller side on the tile cannot be found, and are left out."""
AROUND: Final = 0.5
"""A box lies at most this share of a tile's side from the middle of the tile drawn around it."""
QUARTERS: Final = 4
"""Quarter turns that a square tile may be turned by."""


@dataclass(frozen=True, slots=True)
class Place:
    """What a tile shows.

    Attributes:
        view: the photograph.
        source: left, top, right, bottom in the view's pixels.
        zoom: pixels of the tile per pixel of the view.
        size: height and width of the tile.
        turns: quarter turns to the left, after cutting.
        mirrored: from left to right, after turning.
    """

    view: AnnotatedView
    source: tuple[float, float, float, float]
    zoom: float
    size: tuple[int, int]
    turns: int
    mirrored: bool


@dataclass(frozen=True, slots=True, eq=False)
class Tile:
    """A training tile and its lesions.

    Attributes:
        place: where it was cut.
        pixels: ``uint8 (height, width, 3)`` RGB.
        boxes: ``float (N, 4)`` in the tile's pixels.
        labels: ``int (N,)``, from 1.
    """

    place: Place
    pixels: Pixels
    boxes: NDArray[np.float64]
    labels: NDArray[np.int64]


class Drawer:
    """Draws tiles from annotated views, each kind of lesion as often as the others."""

    def __init__(
        self,
        views: Sequence[AnnotatedView],
        kinds: Sequence[str],
        size: tuple[int, int],
        settings: Draw,
        *,
        around: float = 0.0,
    ) -> None:
        """Sort the views by the kinds that they show.

        Args:
            views: the training photographs.
            kinds: the class list.
            size: height and width of a tile in pixels.
            settings: how tiles are drawn.
            around: share of the tiles that lie around a mined box, where views have some.
        """
        self.views, self.size, self.settings = views, size, settings
        due = {
            label: settings.anatomy if kind in ANATOMY else 1.0
            for label, kind in enumerate(kinds, start=1)
        }
        having = {label: [v for v in views if (v.labels == label).any()] for label in due}
        self.having = {label: some for label, some in having.items() if some and due[label] > 0}
        self.due = np.array([due[label] for label in self.having])
        self.due /= self.due.sum()
        self.mined, self.around = [v for v in views if len(v.mined)], around

    def draw(self, random: Generator) -> Tile:
        """The next tile.

        Raises:
            UsageError: a view is missing from the cache.
        """
        return cut(self.place(random))

    def place(self, random: Generator) -> Place:
        """The place of the next tile.

        Raises:
            UsageError: a view is missing from the cache.
        """
        if self.mined and random.random() < self.around:
            chosen, box = self._mined(random)
            reach = AROUND
        elif self.having and random.random() >= self.settings.anywhere:
            chosen, box = self._lesion(random)
            reach = AROUND
        else:
            chosen = self.views[int(random.integers(len(self.views)))]
            box = np.tile(_on_retina(chosen.view, random), 2)
            reach = 0.0
        view = chosen.view
        middle = ((box[0] + box[2]) / 2, (box[1] + box[3]) / 2)
        reach_log = math.log1p(self.settings.scale)
        zoom = chosen.enlarge * math.exp(random.uniform(-reach_log, reach_log))
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

    def _lesion(self, random: Generator) -> tuple[AnnotatedView, NDArray[np.float64]]:
        """A photograph and one of its lesions; each kind is as likely as the others."""
        label = int(random.choice(list(self.having), p=self.due))
        chosen = self.having[label][int(random.integers(len(self.having[label])))]
        return chosen, random.choice(chosen.boxes[chosen.labels == label])

    def _mined(self, random: Generator) -> tuple[AnnotatedView, NDArray[np.float64]]:
        """A photograph and one of its mined boxes; those with a high score are the likelier."""
        chosen = self.mined[int(random.integers(len(self.mined)))]
        scores = chosen.mined[:, 4]
        return chosen, random.choice(chosen.mined[:, :4], p=scores / scores.sum())


def cut(place: Place) -> Tile:
    """The tile at a place."""
    pixels = _turned(_cut(place.view.pixels, place.source, place.size), place)
    boxes, labels = _clipped(place.view, place.source[:2], place.zoom, place.size)
    return Tile(place, pixels, _turned_boxes(boxes, place), labels)


def planes(whole: NDArray[np.uint8], place: Place) -> NDArray[np.uint8]:
    """The part that a tile shows of planes over a whole view.

    Args:
        whole: ``uint8 (K, H, W)``, over the view.
        place: of the tile.

    Returns:
        ``uint8 (K, height, width)``, of the tile.
    """
    parts = (_cut(plane, place.source, place.size) for plane in whole)
    return np.stack([_turned(plane, place) for plane in parts])


def _on_retina(shown: View, random: Generator) -> tuple[float, float]:
    """A random point of the retina inside the frame, evenly distributed."""
    height, width = shown.pixels.shape[:2]
    x, y = shown.centre
    while True:
        at = (random.uniform(0, width), random.uniform(0, height))
        if math.hypot(at[0] - x, at[1] - y) <= shown.radius:
            return at


def _inside(start: float, side: float, limit: float) -> float:
    """A tile's start, moved so that the tile stays inside the view; a larger tile is centred."""
    return max(0.0, min(start, limit - side)) if side < limit else (limit - side) / 2


def _cut(
    pixels: Pixels, source: tuple[float, float, float, float], size: tuple[int, int]
) -> Pixels:
    left, top = math.floor(source[0]), math.floor(source[1])
    right, bottom = math.ceil(source[2]), math.ceil(source[3])
    rows = slice(max(0, top), max(0, bottom))
    columns = slice(max(0, left), max(0, right))
    part = Image.fromarray(np.ascontiguousarray(pixels[rows, columns]))
    # Pillow fills the part of a box outside the picture with black.
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
    """Quarter turns of a tile, and whether it is mirrored; an oblong tile only turns by halves."""
    square = size[0] == size[1]
    turns = int(random.integers(QUARTERS)) if square else 2 * int(random.integers(2))
    return turns, bool(random.random() < 0.5)


def _turned(pixels: NDArray[np.uint8], place: Place) -> NDArray[np.uint8]:
    """A tile's pixels, or a plane of it, turned and mirrored."""
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
