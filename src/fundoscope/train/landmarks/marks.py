"""The table of marks, and the pictures that a landmark network is trained on.

The table is a CSV file with the columns ``image``, ``split`` (``train`` or ``val``), ``disc_x``,
``disc_y``, ``disc_width``, ``disc_height``, ``fovea_x`` and ``fovea_y``, and optionally
``source``. Marks are in pixels of the photograph as stored. A landmark without a centre is not
visible. A disc without a width is visible, but its size was not measured. Paths are relative to the
folder of the table.
"""

from __future__ import annotations

import hashlib
import math
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from fundoscope.data.table import place, read_table
from fundoscope.errors import PhotoError, TableError, UsageError
from fundoscope.photo import decode, field
from fundoscope.quoting import shown
from fundoscope.reading import FieldOfView
from fundoscope.train.run import refused
from fundoscope.writing import explained, replacing

TRAIN, VAL = "train", "val"
COLUMNS: Final = (
    "image", "split", "disc_x", "disc_y", "disc_width", "disc_height", "fovea_x", "fovea_y",
)  # fmt: skip
"""Columns that the table must have."""
KEY_CHARACTERS: Final = 12
REMEDY: Final = "free some space, or name another folder with --cache"
Progress = Callable[[int, int], None]
"""Called with the number of photographs that are done, and the number of all."""


@dataclass(frozen=True, slots=True)
class Mark:
    """A marked photograph; points in its pixels.

    Attributes:
        image: its path in the table.
        split: ``train`` or ``val``.
        source: the data set; ``""`` if the table does not say.
        disc: centre; ``None`` if it is not visible.
        disc_sides: width and height; ``None`` if not measured.
        fovea: centre; ``None`` if it is not visible.
    """

    image: str
    split: str
    source: str
    disc: tuple[float, float] | None
    disc_sides: tuple[float, float] | None
    fovea: tuple[float, float] | None


@dataclass(frozen=True, slots=True)
class Marks:
    """A table of marks in memory.

    Attributes:
        path: of the file.
        rows: in its order.
        sha256: of its bytes.
    """

    path: Path
    rows: tuple[Mark, ...]
    sha256: str


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A photograph that cannot be used.

    Attributes:
        image: its path in the table.
        reason: why.
    """

    image: str
    reason: str


@dataclass(frozen=True, slots=True)
class Crops:
    """The pictures of the photographs that have a field of view.

    Attributes:
        marks: the N photographs.
        pixels: ``uint8 (N, S, S, 3)`` RGB, from :func:`fundoscope.photo.field.crop`.
        truth: ``float32 (N, 5)``, in units of the field's radius about its centre: x and y of the
            disc, its diameter, x and y of the fovea; NaN where not marked.
        left_out: photographs without a field of view.
    """

    marks: tuple[Mark, ...]
    pixels: NDArray[np.uint8]
    truth: NDArray[np.float32]
    left_out: tuple[LeftOut, ...] = ()

    def of_split(self, split: str) -> NDArray[np.int64]:
        """Positions of the pictures of one split."""
        return np.array([i for i, mark in enumerate(self.marks) if mark.split == split], np.int64)


def read(path: str | Path) -> Marks:
    """Read a table of marks.

    Raises:
        TableError: it cannot be read, lacks a column, a cell is not a number, half of a mark is
            missing, or a photograph is in both splits.
    """
    path = Path(path)
    table = read_table(path, required=COLUMNS)
    rows = tuple(_mark(path, line, cells) for line, cells in table.rows)
    files = [os.path.realpath(path.parent / mark.image) for mark in rows]
    held_out = {file for file, mark in zip(files, rows, strict=True) if mark.split == VAL}
    for (line, _), file, mark in zip(table.rows, files, rows, strict=True):
        if mark.split == TRAIN and file in held_out:
            raise TableError(
                place(path, line, "split"),
                f"trains on {shown(mark.image)}, which is in split {VAL}, too",
                "give each photograph one split",
            )
    return Marks(path, rows, table.sha256)


def _mark(path: Path, line: int, cells: Mapping[str, str]) -> Mark:
    def pair(x: str, y: str) -> tuple[float, float] | None:
        first, second = (_number(path, line, name, cells[name]) for name in (x, y))
        if first is not None and second is not None:
            return first, second
        if first is not second:  # half a mark would teach that nothing is visible
            empty, given = (x, y) if first is None else (y, x)
            why = f"is empty, and {given} is not"
            raise TableError(place(path, line, empty), why, "write both numbers, or neither")
        return None

    return Mark(
        cells["image"],
        cells["split"],
        cells.get("source", ""),
        pair("disc_x", "disc_y"),
        _sides(path, line, pair("disc_width", "disc_height")),
        pair("fovea_x", "fovea_y"),
    )


def _sides(path: Path, line: int, sides: tuple[float, float] | None) -> tuple[float, float] | None:
    """Width and height of a disc, which are positive: the loss takes their logarithm."""
    for name, side in zip(("disc_width", "disc_height"), sides or (), strict=False):
        if side <= 0:
            raise TableError(
                place(path, line, name),
                f"holds {side:g}",
                "write a positive number of pixels, or leave width and height empty",
            )
    return sides


def _number(path: Path, line: int, column: str, cell: str) -> float | None:
    """The number in a cell; ``None`` if it is empty."""
    try:
        value = float(cell) if cell else None
    except ValueError:
        value = math.inf
    if value is not None and not math.isfinite(value):
        raise TableError(
            place(path, line, column),
            f"holds {shown(cell)}",
            "write a number of pixels, or leave it empty",
        )
    return value


def require_usable(crops: Crops, title: str) -> None:
    """Check that there are pictures to train on and to validate with.

    Raises:
        UsageError: a split has none.
    """
    for split in (TRAIN, VAL):
        if not len(crops.of_split(split)):
            raise UsageError(title, f"has no usable photograph in split {split}", "add some")


def truth(mark: Mark, fov: FieldOfView) -> NDArray[np.float32]:
    """The marks of a photograph in units of its field's radius, as in :class:`Crops`."""
    to_unit = fov.to_unit()
    unknown = (math.nan, math.nan)
    disc = to_unit.point(*mark.disc) if mark.disc else unknown
    fovea = to_unit.point(*mark.fovea) if mark.fovea else unknown
    diameter = math.nan
    if mark.disc_sides is not None:
        width, height = mark.disc_sides
        diameter = (width * to_unit.xx + height * to_unit.yy) / 2
    return np.array([*disc, diameter, *fovea], np.float32)


def load(marks: Marks, size: int, cache: Path, progress: Progress | None = None) -> Crops:
    """The pictures of a table, read from the cache or made now.

    Args:
        marks: the table.
        size: side of the pictures, in pixels.
        cache: a folder; the name of a file in it holds a hash of what it was made of.
        progress: a callback for pictures that are not cached.

    Raises:
        UsageError: a photograph cannot be read, and may be readable another time.
        OutputError: the cache cannot be written.
    """
    file = cache / f"landmarks-{size}-{_key(marks)}.npz"
    if file.is_file():
        with np.load(file, allow_pickle=False) as stored:
            pixels, truths, reasons = stored["pixels"], stored["truth"], stored["reasons"].tolist()
    else:
        with explained(cache, remedy=REMEDY):  # before the photographs are read
            cache.mkdir(parents=True, exist_ok=True)
        pixels, truths, reasons = _made(marks, size, progress)
        part = file.with_suffix(".partial.npz")
        with replacing(file, part=part, remedy=REMEDY):
            np.savez(part, pixels=pixels, truth=truths, reasons=np.array(reasons))
    pairs = list(zip(marks.rows, reasons, strict=True))
    return Crops(
        tuple(mark for mark, reason in pairs if not reason),
        pixels,
        truths,
        tuple(LeftOut(mark.image, reason) for mark, reason in pairs if reason),
    )


def _made(
    marks: Marks, size: int, progress: Progress | None
) -> tuple[NDArray[np.uint8], NDArray[np.float32], list[str]]:
    """Pictures and marks of the photographs with a field, and for each row why it has none."""
    pixels: list[NDArray[np.uint8]] = []
    truths: list[NDArray[np.float32]] = []
    reasons: list[str] = []
    for done, mark in enumerate(marks.rows, start=1):
        path = marks.path.parent / mark.image
        try:
            photo = decode.decode_file(path, min_side=field.decode_side(size))
            fov = field.find(photo)
            reasons.append("" if fov.found else f"no field of view ({fov.reason})")
        except (PhotoError, MemoryError) as error:
            reasons.append(refused.lasting(error, path))
        if not reasons[-1]:
            pixels.append(field.crop(photo, fov, size))
            truths.append(truth(mark, fov))
        if progress is not None:
            progress(done, len(marks.rows))
    count = len(pixels)
    return (
        np.array(pixels, np.uint8).reshape(count, size, size, 3),
        np.array(truths, np.float32).reshape(count, 5),
        reasons,
    )


def _key(marks: Marks) -> str:
    """A hash of the table, the sizes of the photographs' files and the code that cuts them out."""
    from fundoscope import photo

    digest = hashlib.sha256(marks.sha256.encode())
    for mark in marks.rows:
        path = marks.path.parent / mark.image
        digest.update(f"{path.stat().st_size if path.is_file() else 0}\0".encode())
    for file in sorted(Path(photo.__path__[0]).glob("*.py")):
        digest.update(file.read_bytes())
    return digest.hexdigest()[:KEY_CHARACTERS]
