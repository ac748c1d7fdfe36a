"""Where the files of YOLO lie in a folder."""

from __future__ import annotations

from typing import Final

PHOTOS: Final = "images"
LABELS: Final = "labels"
CONFIG: Final = "data.yaml"
CONFIG_SUFFIXES: Final = (".yaml", ".yml")
DARKNET_NAMES: Final = ("obj.names", "_darknet.labels", "predefined_classes.txt")
"""Lists of class names, one a line, as CVAT ("YOLO 1.1"), Roboflow and labelImg write them."""
DARKNET: Final = "obj.data"
"""Darknet's configuration, which CVAT writes: ``train = data/train.txt`` and so on."""
CLASSES: Final = "classes.txt"
"""List of class names that labelImg and Label Studio write, one a line."""
