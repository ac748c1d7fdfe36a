"""A folder with a label table in it or beside it, with any names of columns.

The columns are recognised by their names: ``id_code``, ``image``, ``Image name`` … for the
photograph, ``diagnosis``, ``level``, ``grade`` … for the grade. Cells may be separated by commas,
semicolons or tabs. Layout checked on real files (the tables of APTOS, EyePACS and IDRiD by their
columns).
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from fundoscope.data import parquet
from fundoscope.data.annotations.pictures import Pictures
from fundoscope.data.importers.source import Imported, Label, assemble
from fundoscope.data.manifest import GRADABLE, GRADE, IMAGE
from fundoscope.data.table import Table, read_bytes, read_table
from fundoscope.errors import TableError

SYNONYMS: Final[Mapping[str, tuple[str, ...]]] = {
    IMAGE: (
        *("image", "imageid", "imagename", "imageno", "imagepath", "img", "imgname", "idcode"),
        *("filename", "file", "filepath", "path", "name", "photo", "photograph", "id", "图像"),
    ),
    GRADE: (
        *("grade", "level", "diagnosis", "drgrade", "drlevel", "retinopathygrade", "icdr"),
        *("icdrgrade", "adjudicateddrgrade", "severity", "label", "class", "dr", "分级", "等级"),
    ),
    "patient": ("patient", "patientid", "subject", "subjectid", "患者"),
    "eye": ("eye", "laterality", "side", "眼别"),
    "split": ("split", "subset", "partition"),
    "source": ("source", "dataset"),
    "camera": ("camera", "device"),
    "group": ("group",),
    "quality": ("quality", "imagequality"),
    GRADABLE: ("gradable", "gradeable", "adjudicatedgradable"),
}
"""The columns of a label table and their names elsewhere, in lower case without blanks, hyphens and
underscores; the first one that a table has counts."""
EYES: Final = {"l": "left", "os": "left", "r": "right", "od": "right"}
SUFFIXES: Final = (".csv", ".tsv", *parquet.SUFFIXES)
DELIMITERS: Final = ",;\t"


def read(folder: Path) -> Imported:
    """The label table of a folder.

    Args:
        folder: the folder of photographs, with the table in it or else beside it; or the table
            itself, with the photographs in its folder or below.

    Raises:
        TableError: there is no table with photographs and grades, or there are several, or its
            labels are not valid, see :func:`~fundoscope.data.importers.source.assemble`.
    """
    table, names = _table(folder)
    root = folder.parent if folder.is_file() else folder
    pictures = Pictures.of(root)
    free = [name for name in table.columns if name not in names.values()]
    labels = []
    for row in range(len(table.lines)):
        cells = {known: table.cells[name][row] for known, name in names.items()}
        cells["eye"] = EYES.get(cells.get("eye", "").lower(), cells.get("eye", "").lower())
        labels.append(
            Label(
                photo=cells.pop(IMAGE),
                grade=whole(cells.pop(GRADE)),
                place=table.place(row, names[GRADE]),
                cells=cells | {name: table.cells[name][row] for name in free},
            )
        )
    return assemble(root, labels, pictures)


def whole(grade: str) -> str:
    """A grade without the decimals that statistics programs add: ``2.0`` is ``2``."""
    return grade.removesuffix(".0")


def names_of(columns: tuple[str, ...]) -> dict[str, str]:
    """The columns of a label table and the columns of another table with the same meaning."""
    plain: dict[str, str] = {}
    for column in columns:
        plain.setdefault(_plain(column), column)
    return {
        known: next(plain[name] for name in others if name in plain)
        for known, others in SYNONYMS.items()
        if any(name in plain for name in others)
    }


def _plain(column: str) -> str:
    return column.casefold().translate(str.maketrans("", "", " _-."))


def _table(folder: Path) -> tuple[Table, dict[str, str]]:
    if folder.is_file():
        table = _read(folder)
        names = names_of(table.columns)
        if IMAGE not in names or GRADE not in names:
            existing = ", ".join(table.columns)
            raise TableError(
                folder.name,
                f"has no column for the photograph and for the grade (it has: {existing})",
                "name these columns image and grade",
            )
        return table, names
    failures: list[TableError] = []
    for place in (folder, folder.absolute().parent):
        fitting = _fitting(place, failures)
        if len(fitting) == 1:
            return fitting[0]
        if fitting:
            named = ", ".join(table.path.name for table, _ in fitting)
            raise TableError(
                str(place), f"holds several label tables ({named})", "name the table itself"
            )
    if failures:
        raise failures[0]
    raise TableError(
        str(folder),
        "has no label table in it or beside it",
        "write one with the columns image and grade, or name the table itself",
    )


def _fitting(folder: Path, failures: list[TableError]) -> list[tuple[Table, dict[str, str]]]:
    """The label tables in a folder; errors of other tables are added to ``failures``."""
    if not folder.is_dir():
        return []
    tables = []
    for path in sorted(folder.iterdir()):
        if path.suffix.lower() in SUFFIXES and not path.name.startswith(".") and path.is_file():
            try:
                table = _read(path)
            except TableError as error:
                failures.append(error)
                continue
            names = names_of(table.columns)
            if IMAGE in names and GRADE in names:
                tables.append((table, names))
    return tables


def _read(path: Path) -> Table:
    header = b"" if parquet.is_parquet(path) else read_bytes(path).partition(b"\n")[0]
    delimiter = max(DELIMITERS, key=lambda each: header.count(each.encode()))
    return read_table(path, required=(), delimiter=delimiter)
