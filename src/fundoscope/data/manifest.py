"""The label table: which photograph has which grade, and what else is known of it.

A CSV or Parquet file with the columns ``image`` and ``grade`` and optionally ``patient``, ``eye``,
``split``, ``source``, ``camera``, ``group``, ``quality`` and ``gradable``; any others are kept as
text. Paths of photographs are relative to the table. :func:`fundoscope.data.schema.schema` says
the same as JSON Schema.
"""

from __future__ import annotations

import csv
import hashlib
import io
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import repeat
from pathlib import Path
from typing import Final

import msgspec

from fundoscope.data import parquet
from fundoscope.data.table import Table, place, read_table
from fundoscope.errors import TableError, UsageError
from fundoscope.writing import write_bytes

IMAGE, GRADE, GRADABLE = "image", "grade", "gradable"
REQUIRED: Final = (IMAGE, GRADE)
TEXT_COLUMNS: Final = ("patient", "eye", "split", "source", "camera", "group", "quality")
KNOWN: Final = (*REQUIRED, *TEXT_COLUMNS, GRADABLE)
GRADES: Final = ("0", "1", "2", "3", "4")
EXCLUDED: Final = "excluded"
"""The split of rows that no command trains or tests on (twins of photographs in another split)."""
JUDGED: Final = {"": None, "0": False, "1": True}
"""What the column ``gradable`` says."""


class Row(msgspec.Struct, frozen=True, gc=False):
    """One labelled photograph.

    Attributes:
        image: the path as the table has it, relative to the table's folder.
        grade: International Clinical Diabetic Retinopathy grade, 0 to 4.
        patient, eye, split, source, camera, group: as in the table, ``""`` where unknown.
        quality: a person's judgement of the photograph, in that person's words.
        gradable: whether a person could judge the photograph; ``None`` where unknown.
        other: the remaining columns, name to text.
        line: where the row begins in the file, the header being line 1; in a Parquet file the
            row's number.
    """

    image: str
    grade: int
    patient: str = ""
    eye: str = ""
    split: str = ""
    source: str = ""
    camera: str = ""
    group: str = ""
    quality: str = ""
    gradable: bool | None = None
    other: Mapping[str, str] = {}  # msgspec gives every row a dictionary of its own
    line: int = 0

    def text(self, column: str) -> str:
        """The cell of a column as the table has it, ``""`` where it is empty or not there."""
        if column == GRADE:
            return str(self.grade)
        if column == GRADABLE:
            return "" if self.gradable is None else str(int(self.gradable))
        if column == IMAGE or column in TEXT_COLUMNS:
            return str(getattr(self, column))
        return self.other.get(column, "")


@dataclass(frozen=True, slots=True)
class Manifest:
    """A label table in memory.

    Attributes:
        path: the file it was read from.
        columns: the header, in order.
        rows: in the order of the file, ``excluded`` ones among them.
        sha256: of the file's bytes.
        folder: what the rows' paths are relative to; the file's own folder when ``None``.
    """

    path: Path
    columns: tuple[str, ...]
    rows: tuple[Row, ...]
    sha256: str
    folder: Path | None = None

    def photograph(self, row: Row) -> Path:
        """The path of a row's photograph (which may not exist)."""
        return (self.folder or self.path.parent) / row.image

    def of_split(self, split: str) -> tuple[Row, ...]:
        """The rows of one split, in order."""
        return tuple(row for row in self.rows if row.split == split)

    def require_files(self) -> None:
        """Check that every photograph that is not excluded exists.

        Raises:
            TableError: names the first that does not, and how many there are.
        """
        wanted = (row for row in self.rows if row.split != EXCLUDED)
        missing = [row for row in wanted if not self.photograph(row).is_file()]
        if missing:
            first = missing[0]
            raise TableError(
                place(self.path, first.line, IMAGE),
                f"the file {first.image} does not exist ({len(missing)} missing in all)",
                "correct the path, which is relative to the table, or remove the row",
            )


def read(path: str | Path) -> Manifest:
    """Read a label table.

    Args:
        path: a CSV file in UTF-8 with a header, or a Parquet file (``.parquet``, ``.pq``).

    Raises:
        TableError: the file cannot be read, is empty or too large, or a line is wrong; the message
            names line and column.
        MissingExtraError: it is Parquet, and the extra [evaluate] is not installed.
    """
    table = read_table(path, required=REQUIRED)
    _require_cells(table)
    return Manifest(table.path, table.columns, _rows(table), table.sha256)


def of_rows(folder: Path, rows: Iterable[Row]) -> Manifest:
    """A label table that was not read from a file.

    Its columns are ``image``, ``grade`` and those in which a row has something.

    Args:
        folder: what the rows' paths are relative to.
        rows: their ``line`` does not count.
    """
    rows = tuple(rows)
    other = dict.fromkeys(name for row in rows for name in row.other)
    filled = (name for name in (*KNOWN, *other) if any(row.text(name) for row in rows))
    columns = tuple(dict.fromkeys((*REQUIRED, *filled)))
    digest = hashlib.sha256(os.fsencode(_csv(columns, rows))).hexdigest()
    return Manifest(folder, columns, rows, digest, folder)


def write(manifest: Manifest, path: str | Path, *, overwrite: bool = False) -> None:
    """Write a label table; the paths of its photographs are written relative to the new file.

    Args:
        manifest: the columns and rows.
        path: where to; Parquet if it ends in ``.parquet`` or ``.pq``, CSV if in ``.csv``.
        overwrite: replace a file that is there.

    Raises:
        UsageError: the name has another ending, or a photograph's name is no text.
        OutputError: the file is there already, or cannot be written; it is whole or not there.
        MissingExtraError: it is Parquet, and the extra [evaluate] is not installed.
    """
    path = Path(path)
    if not parquet.is_parquet(path) and path.suffix.lower() != ".csv":
        raise UsageError(path.name, "is no name of a label table", "end it in .csv or .parquet")
    rows = tuple(_moved(manifest, path.parent))
    _require_writable(rows)
    data = (
        parquet.to_bytes(manifest.columns, _texts(manifest.columns, rows))
        if parquet.is_parquet(path)
        else _csv(manifest.columns, rows).encode()
    )
    write_bytes(path, data, overwrite=overwrite)


def _require_cells(table: Table) -> None:
    """Whole columns are looked at first: that is quick, and a wrong cell is rare."""
    grades = table.cells[GRADE]
    if not set(grades) <= set(GRADES):
        row, grade = next((i, cell) for i, cell in enumerate(grades) if cell not in GRADES)
        raise TableError(
            table.place(row, GRADE), f"is {grade!r:.40}, not a grade", "write 0, 1, 2, 3 or 4"
        )
    for row, image in enumerate(table.cells[IMAGE]):
        if not image or "\0" in image:
            raise TableError(
                table.place(row, IMAGE), "names no photograph", "write the path of the photograph"
            )
    judged = table.cells.get(GRADABLE, ())
    if not set(judged) <= set(JUDGED):
        row, cell = next((i, cell) for i, cell in enumerate(judged) if cell not in JUDGED)
        raise TableError(
            table.place(row, GRADABLE),
            f"is {cell!r:.40}",
            "write 1, 0 or nothing where it is unknown",
        )


def _rows(table: Table) -> tuple[Row, ...]:
    cells = table.cells
    free = tuple(name for name in table.columns if name not in KNOWN)
    others: Iterable[dict[str, str]] = (
        dict(zip(free, texts, strict=True))
        for texts in zip(*(cells[name] for name in free), strict=True)
    )
    return tuple(
        map(
            Row,
            cells[IMAGE],
            map(int, cells[GRADE]),
            *(cells.get(name, repeat("")) for name in TEXT_COLUMNS),
            map(JUDGED.get, cells.get(GRADABLE, repeat(""))),
            others if free else ({} for _ in table.lines),
            table.lines,
        )
    )


def _moved(manifest: Manifest, folder: Path) -> Iterable[Row]:
    """The rows with paths relative to another folder."""
    before, after = (manifest.folder or manifest.path.parent).absolute(), folder.absolute()
    if before == after:
        return manifest.rows
    step = os.path.relpath(before, after) if before.anchor == after.anchor else before
    return (
        msgspec.structs.replace(row, image=Path(os.path.normpath(Path(step, row.image))).as_posix())
        for row in manifest.rows
    )


def _require_writable(rows: Sequence[Row]) -> None:
    for row in rows:
        try:
            row.image.encode()
        except UnicodeEncodeError:
            name = row.image.encode(errors="backslashreplace").decode()
            raise UsageError(
                name, "has a name that is not UTF-8 text", "rename the file, then try again"
            ) from None


def _csv(columns: Sequence[str], rows: Iterable[Row]) -> str:
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(_texts(columns, rows))
    return buffer.getvalue()


def _texts(columns: Sequence[str], rows: Iterable[Row]) -> list[list[str]]:
    return [[row.text(column) for column in columns] for row in rows]
