"""Masks: pictures whose pixels show where lesions are."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from fundoscope.data.annotations.format import Format
from fundoscope.data.annotations.masks.layout import MASK_SUFFIXES
from fundoscope.data.annotations.masks.read import read_masks
from fundoscope.data.annotations.masks.table import TABLE, earlier_files
from fundoscope.data.annotations.masks.write import HOLDS, write_masks
from fundoscope.data.annotations.signs import Order, Sign


def _has_table(path: Path) -> bool:
    return (path / TABLE).is_file()


def _has_pictures(path: Path) -> bool:
    return path.is_dir() and any(file.suffix.lower() in MASK_SUFFIXES for file in path.rglob("*"))


MASKS: Final = Format(
    name="masks",
    read=read_masks,
    write=write_masks,
    holds=HOLDS,
    files=(Sign(Order.TABLE, _has_table), Sign(Order.PICTURES, _has_pictures)),
    written=(TABLE,),
    earlier=earlier_files,
)
