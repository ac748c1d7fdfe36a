"""Which kinds of lesion an eye has, as far as its labels say so without a drawn box.

On the International Clinical scale an eye of grade 0 has no lesion of retinopathy, one of grade 1
has microaneurysms only, and every higher grade has microaneurysms. Grade 3 almost always has
haemorrhages (Wilkinson et al., Ophthalmology 2003;110:1677). IDRiD grades the risk of macular
oedema by hard exudates: 0 without any, 1 and 2 with some (Porwal et al., Data 2018;3:25).
"""

from __future__ import annotations

from typing import Final

from fundoscope.data.annotations.flags import flag
from fundoscope.data.manifest import Row
from fundoscope.errors import TableError
from fundoscope.kinds import OF_RETINOPATHY
from fundoscope.quoting import quoted

MICROANEURYSM, HAEMORRHAGE = "microaneurysm", "haemorrhage"
HARD_EXUDATE: Final = "hard_exudate"
OTHER_DISEASE: Final = "other_disease"
"""A column with the other diseases of an eye. They may bleed or leak, whatever the grade. ``0``,
``no`` and the like mean none."""
OEDEMA: Final = "dme"
"""The column with the risk of macular oedema by hard exudates, 0 to 2."""
COLUMN: Final = "has_{kind}"
"""A column with 1 where the eye has the kind and 0 where it does not. It wins over the grade."""
TRUTHS: Final = {"0": False, "0.0": False, "1": True, "1.0": True}
"""Its cells: pandas writes whole numbers beside empty cells as ``1.0``."""
SHOWN_CHARACTERS: Final = 40
MILD, SEVERE = 1, 3


def known(row: Row) -> dict[str, bool]:
    """Whether the eye has each kind of lesion; kinds that the labels say nothing about are missing.

    Args:
        row: of a label table.

    Raises:
        TableError: a cell of ``has_KIND`` is neither 0 nor 1, or one of ``dme`` not a whole number.
    """
    cells = {kind: row.text(COLUMN.format(kind=kind)) for kind in OF_RETINOPATHY}
    for kind, cell in cells.items():
        if cell and cell not in TRUTHS:
            raise _wrong(row, COLUMN.format(kind=kind), cell, "write 1, 0 or nothing")
    return _by_grade(row) | {kind: TRUTHS[cell] for kind, cell in cells.items() if cell}


def _by_grade(row: Row) -> dict[str, bool]:
    risk = row.text(OEDEMA).removesuffix(".0")
    if risk and not risk.isdecimal():
        raise _wrong(row, OEDEMA, risk, "write 0, 1, 2 or nothing")
    if has_other_disease(row):
        return {}
    labels = dict.fromkeys(OF_RETINOPATHY, False) if row.grade <= MILD else {}
    if row.grade >= MILD:
        labels[MICROANEURYSM] = True
    if row.grade == SEVERE:
        labels[HAEMORRHAGE] = True
    if row.grade > MILD and risk:
        labels[HARD_EXUDATE] = int(risk) > 0
    return labels


def _wrong(row: Row, column: str, cell: str, remedy: str) -> TableError:
    where = f"{row.image}, line {row.line}" if row.line else row.image
    return TableError(f"{where}, column {column}", f"is {quoted(cell, SHOWN_CHARACTERS)}", remedy)


def has_other_disease(row: Row) -> bool:
    """Whether the eye has a disease beside retinopathy; ``0``, ``no`` and the like mean none."""
    return flag(row.text(OTHER_DISEASE)) is not False


def is_healthy(row: Row) -> bool:
    """Whether the eye has grade 0 and no other disease."""
    return row.grade == 0 and not has_other_disease(row)
