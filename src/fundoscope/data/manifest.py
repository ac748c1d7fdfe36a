"""The label table: which photograph has which grade, and what else is known of it.

A CSV file with the columns ``image`` and ``grade`` and optionally ``patient``, ``eye``, ``split``,
``source``, ``camera``, ``group`` and ``gradable``; any others are kept as text. Paths of
photographs are relative to the table.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from fundoscope.data.table import read_table
from fundoscope.errors import TableError

IMAGE, GRADE, GRADABLE = "image", "grade", "gradable"
REQUIRED: Final = (IMAGE, GRADE)
TEXT_COLUMNS: Final = ("patient", "eye", "split", "source", "camera", "group")
KNOWN: Final = (*REQUIRED, GRADABLE, *TEXT_COLUMNS)
GRADES: Final = ("0", "1", "2", "3", "4")
EXCLUDED: Final = "excluded"
"""The split of rows that no command trains or tests on (twins of photographs in another split)."""


@dataclass(frozen=True, slots=True)
class Row:
    """One labelled photograph.

    Attributes:
        image: the path as the table has it, relative to the table's folder.
        grade: International Clinical Diabetic Retinopathy grade, 0 to 4.
        patient, eye, split, source, camera, group: as in the table, ``""`` where unknown.
        gradable: whether a person could judge the photograph; ``None`` where unknown.
        other: the remaining columns, name to text.
        line: where the row begins in the file, the header being line 1.
    """

    image: str
    grade: int
    patient: str = ""
    eye: str = ""
    split: str = ""
    source: str = ""
    camera: str = ""
    group: str = ""
    gradable: bool | None = None
    other: dict[str, str] = field(default_factory=dict)
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
                f"{self.path.name}, line {first.line}, column {IMAGE}",
                f"the file {first.image} does not exist ({len(missing)} missing in all)",
                "correct the path, which is relative to the table, or remove the row",
            )


def read(path: str | Path) -> Manifest:
    """Read a label table.

    Args:
        path: a CSV file in UTF-8 with a header.

    Raises:
        TableError: the file cannot be read, is empty or too large, or a line is wrong; the message
            names line and column.
    """
    table = read_table(path, required=REQUIRED)
    rows = tuple(_row(cells, line, table.path.name) for line, cells in table.rows)
    return Manifest(table.path, table.columns, rows, table.sha256)


def _row(cells: dict[str, str], line: int, title: str) -> Row:
    image, grade, gradable = cells[IMAGE], cells[GRADE], cells.get(GRADABLE, "")
    where = f"{title}, line {line}, column "
    if not image or "\0" in image:
        raise TableError(where + IMAGE, "names no photograph", "write the path of the photograph")
    if grade not in GRADES:
        raise TableError(where + GRADE, f"is {grade!r:.40}, not a grade", "write 0, 1, 2, 3 or 4")
    if gradable not in ("", "0", "1"):
        raise TableError(
            where + GRADABLE, f"is {gradable!r:.40}", "write 1, 0 or nothing where it is unknown"
        )
    return Row(
        image,
        int(grade),
        **{name: cells.get(name, "") for name in TEXT_COLUMNS},
        gradable=gradable == "1" if gradable else None,
        other={name: cell for name, cell in cells.items() if name not in KNOWN},
        line=line,
    )
