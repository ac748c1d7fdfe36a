"""The true place of the optic disc, and the distance of a found one from it.

A disc counts as found when its centre lies within half a disc diameter of the true centre. Half a
diameter is half the mean side of the annotated box. Where a table gives only a centre it is 260
pixels of IDRiD's photographs, which are 4288 wide (the median of its 81 discs is 521 wide).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from fundoscope.data.table import Table, read_table
from fundoscope.errors import TableError
from fundoscope.geometry import Box

IMAGE, SPLIT, X, Y = "image", "split", "od_x", "od_y"
WIDTH: Final = "width_orig"
"""Column of the width in pixels of the photograph on which the centre was marked."""
USUAL_WIDTH: Final = 4288
"""That width where the table has no such column: IDRiD's, as in ``idrid_516.csv``."""
HALF_DIAMETER: Final = 260.0
"""Of the disc, in pixels of a photograph of :data:`USUAL_WIDTH`."""
FOUND_WITHIN: Final = 1.0
"""Largest distance between the found and the true centre, in half disc diameters."""
FIRST_SPLIT: Final = "train"
"""IDRiD's two splits have photographs of the same names; a name alone means this split."""


@dataclass(frozen=True, slots=True)
class Disc:
    """The true place of a photograph's optic disc.

    Attributes:
        x, y: its centre, in pixels.
        half_diameter: how far from it a found centre may lie, in pixels.
        width: of the photograph, in the same pixels.
    """

    x: float
    y: float
    half_diameter: float
    width: float

    def on(self, width: float) -> Disc:
        """Scale to the photograph at another width."""
        scale = width / self.width
        return Disc(self.x * scale, self.y * scale, self.half_diameter * scale, width)

    def distance(self, box: Box) -> float:
        """Measure from its centre to that of a box, in half disc diameters."""
        x, y = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2
        return math.hypot(x - self.x, y - self.y) / self.half_diameter


def of_box(box: Box, width: float) -> Disc:
    """Turn the box around a disc, on a photograph of ``width`` pixels, into a disc."""
    x0, y0, x1, y1 = box
    return Disc((x0 + x1) / 2, (y0 + y1) / 2, (x1 - x0 + y1 - y0) / 4, width)


def read(path: Path) -> Mapping[str, Disc]:
    """Read discs by the stem of their photograph, from a table such as ``idrid_516.csv``.

    A row is known by its ``image`` and, where there is a column ``split``, also by
    ``image_split`` (``IDRiD_001_test``). Of two rows with the same ``image``, the name alone means
    that of split ``train``.

    Raises:
        TableError: the table cannot be read, lacks a column, or a cell is not a number.
    """
    table = read_table(path, required=(IMAGE, X, Y))
    discs: dict[str, Disc] = {}
    for place, (_, row) in enumerate(table.rows):
        if not row[X] and not row[Y]:
            continue
        width = _number(table, place, WIDTH) if row.get(WIDTH) else float(USUAL_WIDTH)
        scale = width / USUAL_WIDTH
        x, y = _number(table, place, X), _number(table, place, Y)
        disc = Disc(x, y, HALF_DIAMETER * scale, width)
        name, split = Path(row[IMAGE]).stem, row.get(SPLIT, "")
        if split:
            discs[f"{name}_{split}"] = disc
        if name not in discs or split == FIRST_SPLIT:
            discs[name] = disc
    return discs


def _number(table: Table, place: int, column: str) -> float:
    text = table.cells[column][place]
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not math.isfinite(number) or (column == WIDTH and number <= 0):
        raise TableError(
            table.place(place, column), f"{text!r} is not a position in pixels", "correct the cell"
        )
    return number
