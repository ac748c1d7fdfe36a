"""Messidor-2: ``messidor_data.csv`` with the adjudicated grades, and the pairs of an examination.

Columns ``image_id``, ``adjudicated_dr_grade`` (blank for ungradable photographs),
``adjudicated_dme``, ``adjudicated_gradable``. The pairs (``messidor-2.csv``, ``left;right``) come
with the photographs and give patient and eye. A photograph is found with any suffix, because the
suffixes in the table (.png, .jpg) differ from those of some copies of the set.

Names of files checked on real files; tables from documentation: the grades' page
(kaggle.com/datasets/google-brain/messidor2-dr-grades) and the set's
(adcis.net/en/third-party/messidor2).
"""

from __future__ import annotations

from pathlib import Path, PurePosixPath
from typing import Final

from fundoscope.data.annotations.pictures import Pictures
from fundoscope.data.importers.source import (
    Imported,
    Label,
    assemble,
    files_named,
    nothing_of,
)
from fundoscope.data.table import read_table

IMAGE, GRADE = "image_id", "adjudicated_dr_grade"
DME, GRADABLE = "adjudicated_dme", "adjudicated_gradable"
LEFT, RIGHT = "left", "right"
GRADES: Final = ("messidor_data.csv", "messidor*grades*.csv")
PAIRS: Final = "messidor-2.csv"


def read(folder: Path) -> Imported:
    """The label table of Messidor-2.

    Raises:
        TableError: there is no table of grades, or its labels are not valid.
    """
    grades = files_named(folder, *GRADES)
    if not grades:
        raise nothing_of(folder, "Messidor-2", "messidor_data.csv")
    table = read_table(grades[0], required=(IMAGE, GRADE))
    eyes = _eyes(folder)
    labels = []
    for row, name in enumerate(table.cells[IMAGE]):
        cells = {"source": "messidor2", **eyes.get(_stem(name), {})}
        for column, known in ((DME, "dme"), (GRADABLE, "gradable")):
            if column in table.cells:
                cells[known] = table.cells[column][row].removesuffix(".0")
        grade = table.cells[GRADE][row].removesuffix(".0")
        labels.append(Label(photo=name, grade=grade, place=table.place(row, GRADE), cells=cells))
    return assemble(folder, labels, Pictures.of(folder))


def _eyes(folder: Path) -> dict[str, dict[str, str]]:
    """Patient and eye by name of a photograph; the name of the left photograph is the patient."""
    eyes: dict[str, dict[str, str]] = {}
    for path in files_named(folder, PAIRS)[:1]:
        table = read_table(path, required=(LEFT, RIGHT), delimiter=";")
        for left, right in zip(table.cells[LEFT], table.cells[RIGHT], strict=True):
            for name, eye in ((left, LEFT), (right, RIGHT)):
                eyes[_stem(name)] = {"patient": _stem(left), "eye": eye}
    return eyes


def _stem(name: str) -> str:
    return PurePosixPath(name).stem
