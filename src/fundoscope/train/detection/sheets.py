"""Pictures of tiles with boxes, to look at: what is annotated, and what a network finds."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from fundoscope.kinds import ANATOMY, KINDS, Colour
from fundoscope.lesions import tiles
from fundoscope.photo.decode import Pixels
from fundoscope.train.detection.views.view import AnnotatedView

Labelled = tuple[NDArray[np.float64], NDArray[np.int64]]
"""Boxes ``(N, 4)`` of a view or a tile in its pixels, and their labels ``(N,)`` from 1."""

SHOWN: Final = 4
"""Validation photographs on a sheet, one tile of each."""
PAIRS: Final = 2
"""Pairs of annotated and found boxes beside each other."""
GAP: Final = 4
"""Pixels between two tiles."""
GROUND: Final[Colour] = (255, 255, 255)
INK: Final[Colour] = (40, 40, 40)
SHADOW: Final[Colour] = (0, 0, 0)
"""Colour around each line, so that it shows on bright exudates and dark haemorrhages alike."""
MARGIN: Final = 2
"""Pixels between a box and its line, so that the line does not cover the lesion."""
TYPE, LINE_HEIGHT = 13, 22
"""Size of letters and height of a line of text, in pixels."""
SWATCH: Final = 12
"""Side of the coloured square before the name of a kind, in pixels."""
QUALITY: Final = 88
"""Quality of the JPEG; below it, blocks look like small lesions."""


def sheet(
    views: Sequence[AnnotatedView],
    found: Sequence[Labelled],
    kinds: Sequence[str],
    size: tuple[int, int],
) -> bytes:
    """A JPEG of some tiles, each with its annotated boxes and beside it with the found ones.

    It shows the tile of each photograph with the most kinds of lesion, and of several the one with
    the most lesions; photographs with more kinds come first.

    Args:
        views: the validation photographs.
        found: the boxes that count on each.
        kinds: the class list.
        size: height and width of a tile.
    """
    chosen = sorted(
        ((*_richest(view, kinds, size), i) for i, view in enumerate(views)), reverse=True
    )
    cells = []
    for _, corner, place in chosen[:SHOWN]:
        pixels = tiles.cut(views[place].view, corner, *size)
        truth = (views[place].boxes, views[place].labels)
        for boxes, labels in (truth, found[place]):
            cells.append(framed(pixels, boxes - np.tile(corner, 2), labels, kinds))
    picture = arranged(cells, min(len(cells), 2 * PAIRS))
    title = "left: as annotated; right: as found, at each kind's threshold"
    content = io.BytesIO()
    # Without subsampling: a line of one pixel would lose its colour.
    titled(picture, kinds, title).save(content, "JPEG", quality=QUALITY, subsampling=0)
    return content.getvalue()


def _richest(
    view: AnnotatedView, kinds: Sequence[str], size: tuple[int, int]
) -> tuple[tuple[int, int], tiles.Corner]:
    """The number of kinds and of lesions on the tile that has the most, and its corner."""
    lesions = [label for label, kind in enumerate(kinds, start=1) if kind not in ANATOMY]
    centres = (view.boxes[:, :2] + view.boxes[:, 2:]) / 2
    best: tuple[tuple[int, int], tiles.Corner] = ((-1, -1), (0, 0))
    for corner in tiles.lay(view.view, *size, min(size) // 2):
        inside = ((centres >= corner) & (centres < np.add(corner, size[::-1]))).all(axis=1)
        shown = view.labels[inside & np.isin(view.labels, lesions)]
        best = max(best, ((len(np.unique(shown)), len(shown)), corner))
    return best


def framed(
    pixels: Pixels, boxes: NDArray[np.float64], labels: NDArray[np.int64], kinds: Sequence[str]
) -> Image.Image:
    """A tile with a thin frame around each of its boxes.

    Args:
        pixels: ``uint8 (H, W, 3)`` RGB.
        boxes: ``(N, 4)`` in its pixels; they may reach beyond it.
        labels: ``(N,)``, from 1.
        kinds: the class list.
    """
    picture = Image.fromarray(pixels)
    draw = ImageDraw.Draw(picture)
    for box, label in zip(boxes.tolist(), labels.tolist(), strict=True):
        x0, y0 = (round(edge) - MARGIN for edge in box[:2])
        x1, y1 = (round(edge) + MARGIN for edge in box[2:])
        draw.rectangle((x0 - 1, y0 - 1, x1 + 1, y1 + 1), outline=SHADOW)
        draw.rectangle((x0, y0, x1, y1), outline=KINDS[kinds[label - 1]].colour)
    return picture


def arranged(cells: Sequence[Image.Image], columns: int) -> Image.Image:
    """Pictures of one size in rows, with white between them."""
    width, height = cells[0].width + GAP, cells[0].height + GAP
    rows = -(-len(cells) // columns)
    picture = Image.new("RGB", (columns * width + GAP, rows * height + GAP), GROUND)
    for i, cell in enumerate(cells):
        picture.paste(cell, (GAP + i % columns * width, GAP + i // columns * height))
    return picture


def titled(picture: Image.Image, kinds: Sequence[str], title: str) -> Image.Image:
    """A picture below its title and a legend with the colours of the kinds."""
    font = ImageFont.load_default(TYPE)
    words = [(KINDS[kind].name, KINDS[kind].colour) for kind in kinds]
    lengths = [3 * SWATCH + round(font.getlength(name)) for name, _ in words]
    needed = max(round(font.getlength(title)), *lengths) + 2 * SWATCH
    width = max(picture.width, needed)
    places, x, y = [], SWATCH, LINE_HEIGHT
    for length in lengths:
        if x + length > width:
            x, y = SWATCH, y + LINE_HEIGHT
        places.append((x, y))
        x += length
    top = y + LINE_HEIGHT + GAP
    page = Image.new("RGB", (width, top + picture.height), GROUND)
    draw = ImageDraw.Draw(page)
    draw.text((SWATCH, GAP), title, INK, font)
    for (x, y), (name, colour) in zip(places, words, strict=True):
        draw.rectangle((x, y + GAP, x + SWATCH, y + GAP + SWATCH), fill=colour, outline=SHADOW)
        draw.text((x + SWATCH + GAP, y + GAP - 1), name, INK, font)
    page.paste(picture, (0, top))
    return page
