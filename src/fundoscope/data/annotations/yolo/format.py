"""YOLO: a text file a photograph, a line an object, and ``data.yaml`` with the class names."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from fundoscope.data.annotations.format import Format
from fundoscope.data.annotations.signs import Order, Sign
from fundoscope.data.annotations.yolo.layout import (
    CLASSES,
    CONFIG,
    CONFIG_SUFFIXES,
    DARKNET,
    DARKNET_NAMES,
    LABELS,
    earlier_files,
)
from fundoscope.data.annotations.yolo.read import read_yolo
from fundoscope.data.annotations.yolo.write import HOLDS, write_yolo


def _has_configuration(path: Path) -> bool:
    if path.is_file():
        return path.suffix.lower() in CONFIG_SUFFIXES
    return any(any(path.glob(f"*{suffix}")) for suffix in CONFIG_SUFFIXES)


def _has_labels(path: Path) -> bool:
    if path.is_file():
        return False
    # Indexed masks may have a table of classes of this name too, but no other text file beside it.
    texts = {file.name for file in path.glob("*.txt")}
    if any((path / name).is_file() for name in (DARKNET, *DARKNET_NAMES)):
        return True
    return any(path.glob(f"**/{LABELS}/**/*.txt")) or (CLASSES in texts and len(texts) > 1)


YOLO: Final = Format(
    name="yolo",
    read=read_yolo,
    write=write_yolo,
    holds=HOLDS,
    files=(Sign(Order.CONFIGURATION, _has_configuration), Sign(Order.LABELS, _has_labels)),
    written=(CONFIG, LABELS),
    earlier=earlier_files,
    named_by_stem=True,
)
