"""Where the files of YOLO lie in a folder."""

from __future__ import annotations

from typing import Final

PHOTOS: Final = "images"
LABELS: Final = "labels"
CONFIG: Final = "data.yaml"
CONFIG_SUFFIXES: Final = (".yaml", ".yml")
CLASSES: Final = "classes.txt"
"""List of class names that labelImg and Label Studio write, one a line."""
