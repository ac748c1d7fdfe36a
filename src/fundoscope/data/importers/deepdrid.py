"""DeepDRiD: ``regular_fundus_images`` and ``ultra-widefield_images``, a folder and table a split.

Each photograph has the grade of its eye (``left_eye_DR_Level``, ``right_eye_DR_Level``; in
ultra-widefield ``DR_level``), a patient and, in regular ones, its quality
(``Overall quality``: 1 is good enough to diagnose). If the name (``164_r3``) and the column of the
grade (left) disagree about the eye, as for some patients, the label table leaves it empty. The
table of the evaluation is blank in the published set and is ignored unless it was filled in
(``Challenge1_labels.csv``).

Layout checked on real files: the tables and the names of files in the official repository
(github.com/deepdrdoc/DeepDRiD), in which paths begin with another folder than the photographs'.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from fundoscope.data.annotations.pictures import Pictures
from fundoscope.data.importers.source import (
    TEST,
    TRAIN,
    VAL,
    Imported,
    Label,
    assemble_parts,
    files_named,
    nothing_of,
)
from fundoscope.data.table import read_table

TABLES: Final = {
    "*-training.csv": TRAIN,
    "*-validation.csv": VAL,
    "Challenge[123]_labels.csv": TEST,
}
NOT_THESE: Final = "-source-"
"""Tables of the hospitals of the photographs."""
OF_AN_EYE: Final = "_eye_DR_Level"
GRADES: Final = (f"left{OF_AN_EYE}", f"right{OF_AN_EYE}", "DR_level", "DR_Level", "DR_Levels")
"""Columns of the grade; one of the two eyes is blank."""
QUALITIES: Final = {
    "Clarity": "clarity",
    "Field definition": "field_definition",
    "Artifact": "artifact",
}
EYES: Final = {"l": "left", "r": "right"}
UNGRADABLE: Final = "5"


def read(folder: Path) -> Imported:
    """The label table of DeepDRiD.

    Raises:
        TableError: it has no table, or its labels are not valid.
    """
    parts = [
        (_labels(path, split), Pictures.of(path.parent))
        for pattern, split in TABLES.items()
        for path in files_named(folder, pattern)
        if NOT_THESE not in path.name
    ]
    if not parts:
        raise nothing_of(folder, "DeepDRiD", "regular-fundus-training.csv")
    return assemble_parts(folder, parts, ungraded=("", UNGRADABLE))


def _labels(path: Path, split: str) -> list[Label]:
    table = read_table(path, required=("image_id",))
    wide = any("widefield" in part for part in path.parts[-3:])
    labels = []
    for row in range(len(table.lines)):
        cells = {name: column[row] for name, column in table.cells.items()}
        graded = next((name for name in GRADES if cells.get(name)), "")
        labels.append(
            Label(
                photo=cells["image_id"],
                grade=cells.get(graded, "").removesuffix(".0"),
                place=table.place(row, graded or "DR_Level"),
                cells={
                    "source": "deepdrid",
                    "split": split,
                    "camera": "ultra-widefield" if wide else "regular",
                    **_of_photo(cells, graded),
                },
            )
        )
    return labels


def _of_photo(cells: Mapping[str, str], graded: str) -> dict[str, str]:
    """Patient, eye and quality from the name (``265_l1``), the column of the grade and others."""
    patient, _, side = cells["image_id"].rpartition("_")
    eye = EYES.get(side[:1], "")
    agreed = not graded.endswith(OF_AN_EYE) or graded == eye + OF_AN_EYE
    qualities = {known: cells[name] for name, known in QUALITIES.items() if cells.get(name)}
    return {
        "patient": cells.get("patient_id") or patient,
        "eye": eye if agreed else "",
        "gradable": cells.get("Overall quality", ""),
        **qualities,
    }
