"""A folder with a label table in it or beside it, with any names of columns.

The columns are recognised by their names: ``id_code``, ``image``, ``Image name`` … for the
photograph, ``diagnosis``, ``level``, ``grade`` … for the grade. Cells may be separated by commas,
semicolons or tabs. Layout checked on real files (the tables of APTOS, EyePACS and IDRiD by their
columns).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Final

from fundoscope import limits
from fundoscope.data.annotations.pictures import Pictures
from fundoscope.data.class_folders import split_of
from fundoscope.data.columns import UNKNOWN, name_in, names_of
from fundoscope.data.files import parquet, workbook
from fundoscope.data.importers import meaning
from fundoscope.data.importers.source import Imported, Label, assemble
from fundoscope.data.manifest import GRADE, IMAGE, PATIENT
from fundoscope.data.table import WORKBOOKS, Table, read_table
from fundoscope.errors import MissingExtraError, TableError, UsageError
from fundoscope.quoting import shown

EYES: Final = {
    **dict.fromkeys(("l", "os", "le", "lefteye", "oculussinister", "左", "左眼"), "left"),
    **dict.fromkeys(("r", "od", "re", "righteye", "oculusdexter", "右", "右眼"), "right"),
}
"""Words for an eye, in lower case without blanks and dots."""
GAPS: Final = re.compile(r"[\s.]+")
SUFFIXES: Final = (".csv", ".tsv", *parquet.SUFFIXES, *WORKBOOKS)


def read(folder: Path) -> Imported:
    """The label table of a folder.

    Args:
        folder: the folder of photographs, with the table in it or else beside it; or the table
            itself, with the photographs in its folder or below.

    Raises:
        TableError: there is no table with photographs and grades, or there are several, or its
            labels are not valid, see :func:`~fundoscope.data.importers.source.assemble`.
    """
    table, names, notes = _table(folder)
    meaning.require_grades(table, names[GRADE])
    root = folder.parent if folder.is_file() else folder
    pictures = Pictures.of(root)
    free = [name for name in table.columns if name not in names.values()]
    labels = []
    unnamed = 0
    for row in range(len(table.lines)):
        cells = {known: table.cells[name][row] for known, name in names.items()}
        photo, patient = cells.pop(IMAGE), cells.get(PATIENT, "")
        cells = {known: _plain(known, cell) for known, cell in cells.items()}
        unnamed += bool(patient) and not cells[PATIENT]
        labels.append(
            Label(
                photo=photo,
                grade=whole(cells.pop(GRADE)),
                place=table.place(row, names[GRADE]),
                cells=cells | {name: table.cells[name][row] for name in free},
            )
        )
    imported = assemble(root, labels, pictures)
    notes += _unnamed(unnamed, names)
    return replace(imported, notes=(*notes, *imported.notes, *meaning.doubts(imported)))


def _plain(known: str, cell: str) -> str:
    """A cell of a column of label tables, in the words of label tables; empty where unknown."""
    if cell.casefold() in UNKNOWN:
        return ""
    if known == PATIENT:
        return name_in(cell)
    if known == "eye":
        return EYES.get(GAPS.sub("", cell).lower(), cell.lower())
    return split_of(cell) or cell if known == "split" else cell


def _unnamed(count: int, names: Mapping[str, str]) -> list[str]:
    """A sentence about cells that say that the patient is unknown."""
    if not count:
        return []
    return [
        f"{count} cells of the column {shown(names[PATIENT])} say nothing, as NA: they name no"
        " patient, so that each of these photographs counts as a patient of its own"
    ]


def whole(grade: str) -> str:
    """A grade without the decimals that statistics programs add: ``2.0`` is ``2``."""
    return grade.removesuffix(".0")


def _table(folder: Path) -> tuple[Table, dict[str, str], list[str]]:
    """The table, its columns, and sentences about how it was chosen."""
    if folder.is_file():
        table = read_table(folder, required=())
        names = names_of(table.columns)
        if IMAGE not in names or GRADE not in names:
            existing = shown(", ".join(table.columns), limits.MAX_NAME_CHARACTERS)
            raise TableError(
                folder.name,
                f"has no column for the photograph and for the grade (it has: {existing})",
                "name these columns image and grade",
            )
        return table, names, []
    if not folder.is_dir():
        raise TableError(str(folder), "does not exist", "check the path")
    for place in (folder, folder.absolute().parent):
        failures: list[UsageError] = []
        fitting = _fitting(place, failures)
        if len(fitting) == 1:
            notes = [f"skipped: {failure.what}: {failure.why}" for failure in failures]
            if place != folder:
                notes.append(f"the grades are those of {fitting[0][0].path}, beside the folder")
            return *fitting[0], notes
        if fitting:
            named = ", ".join(table.path.name for table, _ in fitting)
            raise TableError(
                str(place), f"holds several label tables ({named})", "name the table itself"
            )
        # Another folder's table is not taken for one that cannot be read: it may have other grades.
        if failures:
            raise failures[0]
    raise TableError(
        str(folder),
        "has no label table in it or beside it",
        "write one with the columns image and grade, or name the table itself",
    )


def _fitting(folder: Path, failures: list[UsageError]) -> list[tuple[Table, dict[str, str]]]:
    """The label tables in a folder; errors of other tables are added to ``failures``."""
    tables = []
    for path in sorted(folder.iterdir()):
        hidden = path.name.startswith((".", workbook.LOCK))
        if path.suffix.lower() in SUFFIXES and not hidden and path.is_file():
            try:
                table = read_table(path, required=())
            except (TableError, MissingExtraError) as error:
                failures.append(error)
                continue
            names = names_of(table.columns)
            if IMAGE in names and GRADE in names:
                tables.append((table, names))
    return tables
