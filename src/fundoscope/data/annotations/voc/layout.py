"""Where the files of Pascal VOC lie in a folder."""

from __future__ import annotations

from typing import Final

ANNOTATIONS: Final = "Annotations"
PHOTOS: Final = "JPEGImages"
SETS: Final = "ImageSets/Main"
SUFFIX: Final = ".xml"
