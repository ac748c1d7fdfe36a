"""Where the files of Pascal VOC lie in a folder."""

from __future__ import annotations

from pathlib import Path
from typing import Final

ANNOTATIONS: Final = "Annotations"
PHOTOS: Final = "JPEGImages"
SETS: Final = "ImageSets/Main"
SUFFIX: Final = ".xml"
LIST_SUFFIX: Final = ".txt"


def earlier_files(out: Path) -> tuple[Path, ...]:
    """The documents and the lists of names that a folder holds."""
    documents = (out / ANNOTATIONS).rglob(f"*{SUFFIX}")
    return (*documents, *(out / SETS).glob(f"*{LIST_SUFFIX}"))
