"""Labels as the user names them: a table, or class folders."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fundoscope.data.manifest import Manifest


def read(labels: Path) -> Manifest:
    """Read a label table, or make one from a folder with class folders.

    Raises:
        TableError: the table is faulty, or the folder has no class folders.
    """
    from fundoscope.data import manifest
    from fundoscope.data.class_folders import from_class_folders

    return from_class_folders(labels) if labels.is_dir() else manifest.read(labels)
