"""The columns of a label table, and their names in other tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

IMAGE, GRADE, PATIENT, GRADABLE = "image", "grade", "patient", "gradable"
SYNONYMS: Final[Mapping[str, tuple[str, ...]]] = {
    IMAGE: (
        *("image", "imageid", "imagename", "imageno", "imagepath", "img", "imgname", "idcode"),
        *("filename", "file", "filepath", "path", "name", "photo", "photograph", "id", "图像"),
    ),
    GRADE: (
        *("grade", "level", "diagnosis", "drgrade", "drlevel", "retinopathygrade", "icdr"),
        *("icdrgrade", "dricdr", "finalicdr", "adjudicateddrgrade", "severity", "label", "class"),
        *("dr", "分级", "等级"),
    ),
    PATIENT: ("patient", "patientid", "subject", "subjectid", "患者"),
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
YES_OR_NO: Final = frozenset({"dr", "label", "class", "severity", "diagnosis"})
"""Names of columns that may also say whether there is retinopathy at all."""
UNKNOWN: Final = frozenset({"", "na", "n/a", "nan", "none", "null"})
"""Cells that say nothing, as statistics programs write them, in lower case."""


def name_in(cell: str) -> str:
    """The name in a cell, such as a patient's, with single blanks; ``""`` where it says nothing."""
    return "" if cell.casefold() in UNKNOWN else " ".join(cell.split())


def names_of(columns: tuple[str, ...]) -> dict[str, str]:
    """The columns of a label table and the columns of another table with the same meaning."""
    written: dict[str, str] = {}
    for column in columns:
        written.setdefault(plain(column), column)
    return {
        known: next(written[name] for name in others if name in written)
        for known, others in SYNONYMS.items()
        if any(name in written for name in others)
    }


def plain(column: str) -> str:
    """The name of a column for comparison: in lower case, without blanks, line ends and marks."""
    return "".join(column.casefold().split()).translate(str.maketrans("", "", "_-."))


def unused(columns: Sequence[str]) -> dict[str, str]:
    """Columns of a label table that have another name than the one that is read.

    Args:
        columns: of a label table.

    Returns:
        For each column that the table lacks, such as ``patient``, the first one that seems to be
        meant, such as ``patient_id``. Photographs and grades are not among them.
    """
    free: dict[str, str] = {}
    for column in columns:
        free.setdefault(plain(column), column)
    lacking = (known for known in SYNONYMS if known not in (IMAGE, GRADE, *columns))
    meant = {known: [free[name] for name in SYNONYMS[known] if name in free] for known in lacking}
    return {known: names[0] for known, names in meant.items() if names}
