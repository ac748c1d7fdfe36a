"""Where the files of YOLO lie in a folder."""

from __future__ import annotations

from pathlib import Path
from typing import Final

PHOTOS: Final = "images"
LABELS: Final = "labels"
LIST_SUFFIX: Final = ".txt"
"""Of the labels of a photograph, and of a list of photographs."""
CONFIG: Final = "data.yaml"
CONFIG_SUFFIXES: Final = (".yaml", ".yml")
DARKNET_NAMES: Final = ("obj.names", "_darknet.labels", "predefined_classes.txt")
"""Lists of class names, one a line, as CVAT ("YOLO 1.1"), Roboflow and labelImg write them."""
DARKNET: Final = "obj.data"
"""Darknet's configuration, which CVAT writes: ``train = data/train.txt`` and so on."""
CLASSES: Final = "classes.txt"
"""List of class names that labelImg and Label Studio write, one a line."""


def earlier_files(out: Path) -> tuple[Path, ...]:
    """The labels that a folder holds, and the lists of photographs that we wrote beside them."""
    lists = (path for path in out.glob(f"*{LIST_SUFFIX}") if _is_list(path))
    return (*(out / LABELS).rglob(f"*{LIST_SUFFIX}"), *lists)


def _is_list(path: Path) -> bool:
    """Whether a text file begins with a photograph of ours, such as ``./images/a.jpg``."""
    try:
        with path.open("rb") as stream:
            return stream.readline().startswith(f"./{PHOTOS}/".encode())
    except OSError:
        return False
