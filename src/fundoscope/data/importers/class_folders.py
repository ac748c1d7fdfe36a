"""Class folders: ``0`` … ``4``, ``No_DR`` … ``Proliferative``, or ``train/0`` ….

Layout from the documentation of ``keras.utils.image_dataset_from_directory``, and checked on real
files (photographs that ``fundoscope data sort`` sorted).
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from fundoscope.data.class_folders import from_class_folders, not_read
from fundoscope.data.importers import meaning
from fundoscope.data.importers.source import Imported


def read(folder: Path) -> Imported:
    """The label table of class folders.

    Raises:
        TableError: as :func:`fundoscope.data.class_folders.from_class_folders`.
    """
    imported = Imported(from_class_folders(folder))
    others = [f"not read, not named by a grade: {other}" for other in not_read(folder)]
    return replace(imported, notes=(*others, *meaning.doubts(imported)))
