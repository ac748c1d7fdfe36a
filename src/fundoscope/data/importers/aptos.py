"""APTOS 2019 Blindness Detection: ``train.csv`` (id_code, diagnosis) and ``train_images/*.png``.

The official test has no labels and is ignored. If a copy splits the labelled photographs
(``train_1.csv``, ``valid.csv``, ``test.csv``), the table has this split. Patients are not
published.

Names of files checked on real files; tables and folders from documentation: the competition's data
page (kaggle.com/c/aptos2019-blindness-detection/data).
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from fundoscope.data.annotations.pictures import Pictures
from fundoscope.data.importers.source import (
    TEST,
    TRAIN,
    VAL,
    Imported,
    Label,
    assemble,
    files_named,
    nothing_of,
)
from fundoscope.data.table import Table, read_table

ID, DIAGNOSIS = "id_code", "diagnosis"
DECOY: Final = "sample_submission"
"""The form for submissions: all its diagnoses are 0."""
SPLITS: Final = {"val": VAL, "test": TEST, "train": TRAIN}


def read(folder: Path) -> Imported:
    """The label table of APTOS 2019.

    Raises:
        TableError: it has no table, or its labels are not valid.
    """
    tables = [table for table in _tables(folder) if DIAGNOSIS in table.columns]
    if not tables:
        raise nothing_of(folder, "APTOS 2019", "train.csv")
    labels = [
        Label(
            photo=table.cells[ID][row],
            grade=table.cells[DIAGNOSIS][row],
            place=table.place(row, DIAGNOSIS),
            cells={"source": "aptos", "split": _split(table) if len(tables) > 1 else ""},
        )
        for table in tables
        for row in range(len(table.lines))
    ]
    return assemble(folder, labels, Pictures.of(folder))


def _tables(folder: Path) -> list[Table]:
    paths = files_named(folder, "train*.csv", "val*.csv", "test*.csv")
    tables = [read_table(path, required=()) for path in paths if DECOY not in path.name.lower()]
    return [table for table in tables if ID in table.columns]


def _split(table: Table) -> str:
    return next(split for word, split in SPLITS.items() if word in table.path.name.lower())
