"""Whether the labels of a table or of folders are grades of the International scale."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from fundoscope.data.columns import UNKNOWN, YES_OR_NO, plain
from fundoscope.data.importers.source import Imported
from fundoscope.data.table import Table
from fundoscope.errors import TableError

BINARY: Final = frozenset({"0", "1"})
MESSIDOR: Final = "ophthalmologicdepartment"
"""A column of the tables of Messidor, whose own scale has the grades 0 to 3."""
OTHER_DISEASES: Final = frozenset(
    {"diseaserisk", "armd", "amd", "glaucoma", "cataract", "hypertension", "myopia", "others"}
)
"""Columns of tables that have a column a disease, with 1 for its presence (RFMiD, ODIR)."""


def require_grades(table: Table, column: str) -> None:
    """Reject labels that are known to mean something else.

    Args:
        table: the labels.
        column: the one that is taken for the grade.

    Raises:
        TableError: a column whose name may mean "has retinopathy" has only 0 and 1, or the table
            is one of Messidor's.
    """
    columns = {plain(name) for name in table.columns}
    known = (cell for cell in table.cells[column] if cell.casefold() not in UNKNOWN)
    cells = {cell.removesuffix(".0") for cell in known}
    where = f"{table.path.name}, column {column}"
    if MESSIDOR in columns:
        raise TableError(
            where,
            "has the grades of Messidor, a scale of its own from 0 to 3",
            "use grades of the International scale from 0 to 4",
        )
    is_doubtful = plain(column) in YES_OR_NO or OTHER_DISEASES & columns
    if is_doubtful and cells <= BINARY and "1" in cells:
        raise TableError(
            where,
            "has only 0 and 1: a yes/no, not a grade",
            "if they are grades of the International scale, name the column grade",
        )


def doubts(imported: Imported) -> Iterator[str]:
    """Sentences about grades that may mean something else."""
    table = imported.table
    grades = set() if table is None else {row.grade for row in table.rows}
    if grades == {0, 1}:
        yield (
            "there are only the grades 0 and 1: if they mean no and yes, they are not grades of the"
            " International scale, where 1 is mild"
        )
    if grades == {1, 2, 3, 4}:
        yield "there is no grade 0: if the labels count from 1, subtract 1 from each"
