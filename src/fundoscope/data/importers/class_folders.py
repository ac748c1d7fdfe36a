"""Class folders: ``0`` … ``4``, or ``train/0`` …, as Keras reads them.

Layout from the documentation of ``keras.utils.image_dataset_from_directory``, and checked on real
files (photographs that ``fundoscope data sort`` sorted).
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from fundoscope.data.class_folders import from_class_folders
from fundoscope.data.importers import meaning
from fundoscope.data.importers.source import Imported


def read(folder: Path) -> Imported:
    """The label table of class folders.

    Raises:
        TableError: as :func:`fundoscope.data.class_folders.from_class_folders`.
    """
    imported = Imported(from_class_folders(folder))
    return replace(imported, notes=tuple(meaning.doubts(imported)))
