"""Tiles with their boxes, to be looked at: as training shows them, and what was found on some."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from fundoscope.errors import OutputError
from fundoscope.kinds import ANATOMY, KINDS, Colour
from fundoscope.lesions import tiles
from fundoscope.photo.decode import Pixels
from fundoscope.train.detection.views.view import AnnotatedView
from fundoscope.train.run.plan import AUGMENTATION, generator_for

if TYPE_CHECKING:
    from fundoscope.train.detection.task import DetectionTask

Found = tuple[NDArray[np.float64], NDArray[np.int64], NDArray[np.float64]]
"""Boxes, labels and scores of a whole view."""
Boxes = tuple[NDArray[np.float64], NDArray[np.int64]]
"""Boxes and labels."""

SHOWN: Final = 4
"""Validation photographs on a sheet, a tile of each."""
PAIRS: Final = 2
"""Of truth and findings, side by side."""
ROWS, COLUMNS = 3, 4
"""Of a preview."""
GAP: Final = 4
GROUND: Final[Colour] = (255, 255, 255)
INK: Final[Colour] = (40, 40, 40)
SHADOW: Final[Colour] = (0, 0, 0)
"""Around each line, so that it shows on bright exudates as on dark haemorrhages."""
MARGIN: Final = 2
"""Pixels between a box and its line: the lesion itself stays to be seen."""
TYPE, LINE_HEIGHT = 13, 22
"""Size of letters and height of a line of them, in pixels."""
SWATCH: Final = 12
QUALITY: Final = 88
"""Of the JPEG; below it, blocks look like small lesions."""


def sheet(
    views: Sequence[AnnotatedView],
    found: Sequence[Boxes],
    kinds: Sequence[str],
    size: tuple[int, int],
) -> bytes:
    """A JPEG of some tiles, each with its truth and beside it with what was found.

    Of each photograph it shows the tile with the most kinds of lesion, and of those the one with
    the most lesions; photographs with more kinds come first.

    Args:
        views: of validation.
        found: what counts on each.
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
            cells.append(_framed(pixels, boxes - np.tile(corner, 2), labels, kinds))
    picture = _arranged(cells, min(len(cells), 2 * PAIRS))
    titled = _titled(
        picture, kinds, "left: as annotated; right: as found, at each kind's threshold"
    )
    content = io.BytesIO()
    # Without subsampling: a line of one pixel would lose its colour.
    titled.save(content, "JPEG", quality=QUALITY, subsampling=0)
    return content.getvalue()


def preview(task: DetectionTask, seed: int, path: Path) -> None:
    """Draw tiles as training shows them, with their boxes.

    Args:
        task: that draws them.
        seed: chooses which.
        path: of the picture; the ending says which form.

    Raises:
        OutputError: it cannot be written.
    """
    import torch

    changed, drawn = task.tiles(ROWS * COLUMNS, generator_for(seed, AUGMENTATION, 0))
    pixels = changed.round().clamp(0, 255).to(torch.uint8).permute(0, 2, 3, 1).cpu().numpy()
    cells = [
        _framed(tile, boxes, labels, task.kinds)
        for tile, (boxes, labels) in zip(pixels, drawn, strict=True)
    ]
    picture = _titled(_arranged(cells, COLUMNS), task.kinds, "tiles as training shows them")
    try:
        picture.save(path)
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or error
        remedy = "name a .png file in a folder that is there"
        raise OutputError(str(path), f"cannot be written ({why})", remedy) from None


def _richest(
    view: AnnotatedView, kinds: Sequence[str], size: tuple[int, int]
) -> tuple[tuple[int, int], tiles.Corner]:
    """How many kinds and lesions there are on the tile that has the most, and its corner."""
    lesions = [label for label, kind in enumerate(kinds, start=1) if kind not in ANATOMY]
    middles = (view.boxes[:, :2] + view.boxes[:, 2:]) / 2
    best: tuple[tuple[int, int], tiles.Corner] = ((-1, -1), (0, 0))
    for corner in tiles.lay(view.view, *size, min(size) // 2):
        inside = ((middles >= corner) & (middles < np.add(corner, size[::-1]))).all(axis=1)
        there = view.labels[inside & np.isin(view.labels, lesions)]
        best = max(best, ((len(np.unique(there)), len(there)), corner))
    return best


def _framed(
    pixels: Pixels, boxes: NDArray[np.float64], labels: NDArray[np.int64], kinds: Sequence[str]
) -> Image.Image:
    """A tile with a thin frame around each box that meets it."""
    picture = Image.fromarray(pixels)
    draw = ImageDraw.Draw(picture)
    for box, label in zip(boxes.tolist(), labels.tolist(), strict=True):
        x0, y0 = (round(edge) - MARGIN for edge in box[:2])
        x1, y1 = (round(edge) + MARGIN for edge in box[2:])
        draw.rectangle((x0 - 1, y0 - 1, x1 + 1, y1 + 1), outline=SHADOW)
        draw.rectangle((x0, y0, x1, y1), outline=KINDS[kinds[label - 1]].colour)
    return picture


def _arranged(cells: Sequence[Image.Image], columns: int) -> Image.Image:
    """Cells of one size in rows, white between them."""
    width, height = cells[0].width + GAP, cells[0].height + GAP
    rows = -(-len(cells) // columns)
    picture = Image.new("RGB", (columns * width + GAP, rows * height + GAP), GROUND)
    for i, cell in enumerate(cells):
        picture.paste(cell, (GAP + i % columns * width, GAP + i // columns * height))
    return picture


def _titled(picture: Image.Image, kinds: Sequence[str], title: str) -> Image.Image:
    """A picture below a line that says what it is, and the colours of the kinds."""
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
