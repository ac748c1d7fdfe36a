"""The label table: photographs with their grades and further properties.

It is a CSV or Parquet file with the columns ``image`` and ``grade`` and optionally ``patient``,
``eye``, ``split``, ``source``, ``camera``, ``group``, ``quality`` and ``gradable``; other columns
are kept as text. Paths of photographs are relative to the table.
:func:`fundoscope.data.schema.schema` is its JSON Schema.
"""

from __future__ import annotations

import csv
import hashlib
import io
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import repeat
from pathlib import Path
from typing import Final

import msgspec

from fundoscope.data import columns as names
from fundoscope.data.files import parquet
from fundoscope.data.table import Table, place, read_table
from fundoscope.errors import TableError, UsageError
from fundoscope.quoting import encodable, quoted
from fundoscope.writing import write_bytes

IMAGE, GRADE, PATIENT, GRADABLE = names.IMAGE, names.GRADE, names.PATIENT, names.GRADABLE
GROUP: Final = "group"
REQUIRED: Final = (IMAGE, GRADE)
TEXT_COLUMNS: Final = (PATIENT, "eye", "split", "source", "camera", GROUP, "quality")
KNOWN: Final = (*REQUIRED, *TEXT_COLUMNS, GRADABLE)
GRADES: Final = ("0", "1", "2", "3", "4")
EXCLUDED: Final = "excluded"
"""The split of rows that no command trains or tests on (duplicates of another split's)."""
NAMED_AT_MOST: Final = 5
"""Further wrong cells that an error names."""
GRADABLE_VALUES: Final = {"": None, "0": False, "1": True}
"""The cells of the column ``gradable`` and their values."""


class Row(msgspec.Struct, frozen=True, gc=False):
    """One labelled photograph.

    Attributes:
        image: the path as in the table, relative to the folder of the table.
        grade: International Clinical Diabetic Retinopathy grade, 0 to 4.
        patient: as in the table; ``""`` where unknown, also where that says ``NA``.
        eye: as in the table; ``""`` where unknown.
        split: as in the table; ``""`` where there is none.
        source: the data set; ``""`` where unknown.
        camera: as in the table; ``""`` where unknown.
        group: of photographs of one eye, or near-duplicates; ``""`` where there is none.
        quality: the quality of the photograph in the words of a person.
        gradable: whether a person could grade the photograph; ``None`` where unknown.
        other: the remaining columns, name to text.
        line: the first line of the row in the file, the header being line 1; in a Parquet file the
            number of the row.
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
    other: Mapping[str, str] = {}  # msgspec creates a new dictionary for every row
    line: int = 0

    def text(self, column: str) -> str:
        """The cell of a column as in the table; ``""`` where it is empty or missing."""
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
        rows: in the order of the file, with ``excluded`` ones.
        sha256: of the file's bytes.
        folder: what the paths are relative to; ``None`` means the folder of the file.
    """

    path: Path
    columns: tuple[str, ...]
    rows: tuple[Row, ...]
    sha256: str
    folder: Path | None = None

    def photograph(self, row: Row) -> Path:
        """The path of the photograph of a row, which may not exist."""
        return (self.folder or self.path.parent) / row.image

    def photograph_folder(self) -> Path:
        """The folder of the paths if all photographs lie in it, else the lowest that holds them.

        Raises:
            UsageError: they have no folder in common.
        """
        start = self.folder or self.path.parent
        inside = Path(os.path.normpath(start.absolute()))
        parents = {os.path.normpath(self.photograph(row).parent.absolute()) for row in self.rows}
        if all(Path(parent).is_relative_to(inside) for parent in parents):
            return start
        try:
            common = Path(os.path.commonpath(parents))
        except ValueError:  # They lie on several drives.
            common = Path(start.anchor)
        if common == Path(common.anchor):
            raise UsageError(
                self.path.name,
                "names photographs that have no folder in common",
                "name the folder of the photographs in place of the table",
            )
        return common

    def of_split(self, split: str) -> tuple[Row, ...]:
        """The rows of one split, in order."""
        return tuple(row for row in self.rows if row.split == split)

    def require_files(self) -> None:
        """Check that every photograph that is not excluded exists.

        Raises:
            TableError: some do not; the message names the first one and their number.
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

    The columns of a label table may also be written in capitals.

    Args:
        path: a CSV file in UTF-8 with a header, or a Parquet file (``.parquet``, ``.pq``).

    Raises:
        TableError: the file cannot be read, is empty or too large, a line is not valid, or the
            column of patients has another name; the message names line and column.
        MissingExtraError: it is Parquet, and the extra [evaluate] is not installed.
    """
    table = with_known_names(read_table(path, required=REQUIRED))
    _require_cells(table)
    return Manifest(table.path, table.columns, _rows(table), table.sha256)


def of_rows(folder: Path, rows: Iterable[Row]) -> Manifest:
    """A label table that was not read from a file.

    Its columns are ``image``, ``grade`` and those in which a row has a value.

    Args:
        folder: what the paths are relative to.
        rows: in order; their ``line`` is not used.
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
        path: the file; Parquet if it ends in ``.parquet`` or ``.pq``, CSV if in ``.csv``.
        overwrite: replace an existing file.

    Raises:
        UsageError: the name has another ending, or the name of a photograph is not UTF-8.
        OutputError: the file exists, or cannot be written; it is never written in part.
        MissingExtraError: it is Parquet, and the extra [evaluate] is not installed.
    """
    path = Path(path)
    require_table_name(path)
    rows = tuple(_moved(manifest, path.parent))
    _require_writable(rows)
    data = (
        parquet.to_bytes(manifest.columns, _texts(manifest.columns, rows))
        if parquet.is_parquet(path)
        else _csv(manifest.columns, rows).encode()
    )
    write_bytes(path, data, overwrite=overwrite)


def require_table_name(path: Path) -> None:
    """Check that a label table can be written under this name, before the work that fills it.

    Raises:
        UsageError: the name has another ending.
    """
    if not parquet.is_parquet(path) and path.suffix.lower() != ".csv":
        raise UsageError(path.name, "is not a name for a label table", "end it in .csv or .parquet")


def with_known_names(table: Table) -> Table:
    """The table with known names for columns that differ from them only in capitals.

    Patients and groups that are unknown, such as ``NA``, are empty: they do not belong together.

    Args:
        table: a label table, or another one that says which photographs belong together.

    Raises:
        TableError: its column of patients has another name. Without it, the photographs of a
            patient would land on both sides of a split.
    """
    wanted = {name: name for name in KNOWN if name not in table.columns}
    cells = {
        name if name in KNOWN else wanted.pop(name.casefold(), name): column
        for name, column in table.cells.items()
    }
    meant = names.unused([*cells]).get(PATIENT)
    if meant is not None:
        raise TableError(
            f"{table.path.name}, column {quoted(meant, 40)}",
            f"is not used: patients are read from the column {PATIENT}",
            f"name the column {PATIENT}",
        )
    for name in (PATIENT, GROUP):
        if name in cells:
            cells[name] = list(map(names.name_in, cells[name]))
    return replace(table, cells=cells)


def _require_cells(table: Table) -> None:
    """Check whole columns first: that is fast, and a wrong cell is rare."""
    grades = table.cells[GRADE]
    if not set(grades) <= set(GRADES):
        wrong = [row for row, cell in enumerate(grades) if cell not in GRADES]
        why = f"is {quoted(grades[wrong[0]], 40)}, not a grade"
        raise _wrong(table, GRADE, wrong, why, "write 0, 1, 2, 3 or 4")
    images = table.cells[IMAGE]
    wrong = [row for row, image in enumerate(images) if not image or "\0" in image]
    if wrong:
        why, remedy = "does not name a photograph", "write the path of the photograph"
        raise _wrong(table, IMAGE, wrong, why, remedy)
    gradable = table.cells.get(GRADABLE, ())
    if not set(gradable) <= set(GRADABLE_VALUES):
        wrong = [row for row, cell in enumerate(gradable) if cell not in GRADABLE_VALUES]
        why, remedy = (
            f"is {quoted(gradable[wrong[0]], 40)}",
            "write 1, 0 or nothing where it is unknown",
        )
        raise _wrong(table, GRADABLE, wrong, why, remedy)


def _wrong(table: Table, column: str, rows: Sequence[int], why: str, remedy: str) -> TableError:
    """The error for the first of some wrong cells of a column; the next ones are named."""
    first, *others = rows
    if others:
        named = ", ".join(str(table.lines[row]) for row in others[:NAMED_AT_MOST])
        more = ", …" if len(others) > NAMED_AT_MOST else ""
        remedy = f"{remedy}; more such cells: {len(others)} (lines {named}{more})"
    return TableError(table.place(first, column), why, remedy)


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
            map(GRADABLE_VALUES.get, cells.get(GRADABLE, repeat(""))),
            others if free else ({} for _ in table.lines),
            table.lines,
        )
    )


def _moved(manifest: Manifest, folder: Path) -> Iterable[Row]:
    """The rows with paths relative to another folder."""
    before, after = (manifest.folder or manifest.path.parent).absolute(), folder.absolute()
    if before == after:
        return manifest.rows
    step, climbing = _steps(before, after)
    return (
        msgspec.structs.replace(row, image=_joined(row.image, step, climbing))
        for row in manifest.rows
    )


def _steps(before: Path, after: Path) -> tuple[str, str]:
    """The way from one folder to another, and the way for paths that begin with "..".

    The system follows ".." from where a symbolic link leads to. So a way through links counts only
    if it arrives; else it is the one between the folders themselves.
    """
    if before.anchor != after.anchor:
        return str(before), str(before)
    real_before, real_after = os.path.realpath(before), os.path.realpath(after)
    real = os.path.relpath(real_before, real_after)
    step = os.path.relpath(before, after)
    if os.path.realpath(after / step) != real_before:
        step = real
    return step, step if real_before == os.path.normpath(before) else real


def _joined(image: str, step: str, climbing: str) -> str:
    way = climbing if image.startswith("..") else step
    return Path(os.path.normpath(Path(way, image))).as_posix()


def _require_writable(rows: Sequence[Row]) -> None:
    for row in rows:
        try:
            row.image.encode()
        except UnicodeEncodeError:
            name = encodable(row.image)
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
