"""Which kinds of lesion an eye has, as far as its labels say so without a drawn box.

On the International Clinical scale an eye of grade 0 has no lesion of retinopathy, one of grade 1
has microaneurysms only, and every higher grade has microaneurysms. Grade 3 almost always has
haemorrhages (Wilkinson et al., Ophthalmology 2003;110:1677). IDRiD grades the risk of macular
oedema by hard exudates: 0 without any, 1 and 2 with some (Porwal et al., Data 2018;3:25).
"""

from __future__ import annotations

from typing import Final

from fundoscope.data.manifest import Row
from fundoscope.kinds import OF_RETINOPATHY

MICROANEURYSM, HAEMORRHAGE = "microaneurysm", "haemorrhage"
HARD_EXUDATE: Final = "hard_exudate"
OTHER_DISEASE: Final = "other_disease"
"""A column with the other diseases of an eye. They may bleed or leak, whatever the grade."""
OEDEMA: Final = "dme"
"""The column with the risk of macular oedema by hard exudates, 0 to 2."""
COLUMN: Final = "has_{kind}"
"""A column with 1 where the eye has the kind and 0 where it does not. It wins over the grade."""
TRUTHS: Final = {"0": False, "1": True}
MILD, SEVERE = 1, 3


def known(row: Row) -> dict[str, bool]:
    """Whether the eye has each kind of lesion; kinds that the labels say nothing about are missing.

    Args:
        row: of a label table.
    """
    stated = {kind: row.text(COLUMN.format(kind=kind)) for kind in OF_RETINOPATHY}
    return _by_grade(row) | {kind: TRUTHS[cell] for kind, cell in stated.items() if cell in TRUTHS}


def _by_grade(row: Row) -> dict[str, bool]:
    if row.text(OTHER_DISEASE):
        return {}
    labels = dict.fromkeys(OF_RETINOPATHY, False) if row.grade <= MILD else {}
    if row.grade >= MILD:
        labels[MICROANEURYSM] = True
    if row.grade == SEVERE:
        labels[HAEMORRHAGE] = True
    risk = row.text(OEDEMA)
    if row.grade > MILD and risk.isdecimal():
        labels[HARD_EXUDATE] = int(risk) > 0
    return labels


def is_healthy(row: Row) -> bool:
    """Whether the eye has grade 0 and no other disease."""
    return row.grade == 0 and not row.text(OTHER_DISEASE)
