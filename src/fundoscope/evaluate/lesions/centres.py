"""Where the optic disc is known to be, and whether it was found there.

It is found when its centre lies within half a disc diameter of where it should be: half the mean
side of its box where one is annotated; else of the centre in a table, whose half diameter is 260
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
"""Column of the width in pixels of the photograph that the centres were marked on."""
USUAL_WIDTH: Final = 4288
"""That width where the table has no such column: IDRiD's, of which ``idrid_516.csv`` is."""
HALF_DIAMETER: Final = 260.0
"""Of the disc, in pixels of a photograph of the usual width."""
FOUND_WITHIN: Final = 1.0
"""Half disc diameters, between the centre that was found and where it should be."""
FIRST_SPLIT: Final = "train"
"""IDRiD's two splits have photographs of the same names; a bare one is of this split."""


@dataclass(frozen=True, slots=True)
class Disc:
    """Where the optic disc of a photograph is.

    Attributes:
        x, y: its centre.
        half_diameter: how far from it a found centre may lie.
        width: of the photograph that these are pixels of.
    """

    x: float
    y: float
    half_diameter: float
    width: float

    def on(self, width: float) -> Disc:
        """The same on a photograph of another width."""
        scale = width / self.width
        return Disc(self.x * scale, self.y * scale, self.half_diameter * scale, width)

    def distance(self, box: Box) -> float:
        """From its centre to that of a box, in half disc diameters."""
        x, y = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2
        return math.hypot(x - self.x, y - self.y) / self.half_diameter


def of_box(box: Box, width: float) -> Disc:
    """The disc that a box was drawn around, on a photograph of a width."""
    x0, y0, x1, y1 = box
    return Disc((x0 + x1) / 2, (y0 + y1) / 2, (x1 - x0 + y1 - y0) / 4, width)


def read(path: Path) -> Mapping[str, Disc]:
    """Discs by the stem of their photograph, from a table such as ``idrid_516.csv``.

    A row is known by its ``image`` and, where there is a column ``split``, by ``image_split`` too
    (``IDRiD_001_test``). Of two rows with one ``image`` the bare name is that of ``train``.

    Raises:
        TableError: the table cannot be read, lacks a column, or a cell is no number.
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
            table.place(place, column), f"{text!r} is no place in pixels", "correct the cell"
        )
    return number
