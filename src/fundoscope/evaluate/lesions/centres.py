"""The true place of the optic disc, and the distance of a found one from it.

A disc counts as found when its centre lies within half a disc diameter of the true centre. Half a
diameter is half the mean side of the annotated box. Where a table gives only a centre it is 260
pixels of IDRiD's photographs, which are 4288 wide (the median of its 81 discs is 521 wide).
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
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


def of_centre(x: float, y: float, width: float) -> Disc:
    """Turn the centre of a disc, on a photograph of ``width`` pixels, into a disc of usual size."""
    return Disc(x, y, HALF_DIAMETER * (width / USUAL_WIDTH), width)


def read(
    path: Path, wanted: Collection[str] = (), known: Collection[str] = ()
) -> Mapping[str, Disc]:
    """Read discs by the stem of their photograph, from a table such as ``idrid_516.csv``.

    A row is known by its ``image`` and, where there is a column ``split``, also by
    ``image_split`` (``IDRiD_001_test``). IDRiD's two splits have photographs of the same names: of
    several rows with the same ``image``, the name alone means the one whose photograph has no
    ``image_split`` beside it. Without such a photograph it means nothing.

    Args:
        path: the table.
        wanted: stems of photographs whose disc is needed.
        known: stems of all photographs there are.

    Raises:
        TableError: the table cannot be read, lacks a column, repeats a row, a cell is not a number,
            or the name of a photograph that is wanted is in several splits.
    """
    table = read_table(path, required=(IMAGE, X, Y))
    rows: dict[str, dict[str, Disc | None]] = {}
    for place, (_, row) in enumerate(table.rows):
        of_name = rows.setdefault(Path(row[IMAGE]).stem, {})
        split = row.get(SPLIT, "")
        if split in of_name:
            where = table.place(place, IMAGE)
            raise TableError(where, f"has {row[IMAGE]} a second time", "keep one row")
        of_name[split] = _disc(table, place, row)
    found: dict[str, Disc | None] = {}
    for name, by_split in rows.items():
        found |= {f"{name}_{split}": disc for split, disc in by_split.items() if split}
        left = [split for split in by_split if f"{name}_{split}" not in known]
        if len(by_split) == 1 or len(left) == 1:
            found[name] = by_split[left[0] if left else next(iter(by_split))]
        elif name in wanted:
            raise TableError(
                f"{path.name}, column {IMAGE}",
                f"has {name} in several splits ({', '.join(by_split)}), and the photograph {name}"
                " may be of any",
                f"name the photographs {' and '.join(f'{name}_{split}' for split in by_split)}, or"
                " give a table of one split",
            )
    return {name: disc for name, disc in found.items() if disc is not None}


def _disc(table: Table, place: int, row: Mapping[str, str]) -> Disc | None:
    """The disc of a row; ``None`` where both cells are empty."""
    if not row[X] and not row[Y]:
        return None
    width = _number(table, place, WIDTH) if row.get(WIDTH) else float(USUAL_WIDTH)
    return of_centre(_number(table, place, X), _number(table, place, Y), width)


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
