"""EyePACS of Kaggle 2015: ``trainLabels.csv`` (image, level) and ``10_left.jpeg``.

The number in a name is the patient, the word after it the eye. If the solution of the test
(``retinopathy_solution.csv``) is there too, the table has the official split.

Names of files checked on real files; tables and folders from documentation: the competition's data
page (kaggle.com/c/diabetic-retinopathy-detection/data).
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from fundoscope.data.annotations.pictures import Pictures
from fundoscope.data.importers.source import (
    TEST,
    TRAIN,
    Imported,
    Label,
    assemble,
    files_named,
    nothing_of,
)
from fundoscope.data.table import read_table

IMAGE, LEVEL = "image", "level"
TRAINING: Final = ("trainLabels.csv", "trainLabels_*.csv")
SOLUTION: Final = ("retinopathy_solution.csv", "testLabels*.csv")


def read(folder: Path) -> Imported:
    """The label table of EyePACS.

    Raises:
        TableError: it has no table, or its labels are not valid.
    """
    tables = {TRAIN: files_named(folder, *TRAINING), TEST: files_named(folder, *SOLUTION)}
    if not any(tables.values()):
        raise nothing_of(folder, "EyePACS", "trainLabels.csv")
    official = all(tables.values())
    labels = [
        label
        for split, paths in tables.items()
        for path in paths[:1]
        for label in _labels(path, split if official else "")
    ]
    return assemble(folder, labels, Pictures.of(folder))


def _labels(path: Path, split: str) -> list[Label]:
    table = read_table(path, required=(IMAGE, LEVEL))
    return [
        Label(
            photo=name,
            grade=grade,
            place=table.place(row, LEVEL),
            cells={"source": "eyepacs", "split": split, **_patient_and_eye(name)},
        )
        for row, (name, grade) in enumerate(
            zip(table.cells[IMAGE], table.cells[LEVEL], strict=True)
        )
    ]


def _patient_and_eye(name: str) -> dict[str, str]:
    patient, _, eye = name.partition(".")[0].rpartition("_")
    return {"patient": patient, "eye": eye} if eye in ("left", "right") else {}
