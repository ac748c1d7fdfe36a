"""``masks.csv``: what the pictures of masks cannot hold."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Final

TABLE: Final = "masks.csv"
COLUMNS: Final = ("image", "width", "height", "kind", "mask", "source", "splits")
SPLIT_MARK: Final = ";"
"""Between the splits of a photograph."""
PICTURE: Final = ".png"
MASK: Final = "mask"
"""The column with the names of the pictures."""


def earlier_files(out: Path) -> tuple[Path, ...]:
    """The masks that the table of a folder names."""
    try:
        with (out / TABLE).open(encoding="utf-8", errors="replace", newline="") as stream:
            names = {row.get(MASK) or "" for row in csv.DictReader(stream)}
    except (OSError, csv.Error):
        return ()
    pictures = (out / name for name in sorted(names) if _is_mask(Path(name)))
    return tuple(path for path in pictures if path.is_file())


def _is_mask(path: Path) -> bool:
    """Whether a path is that of a mask in its folder; the table may have been edited."""
    return path.suffix == PICTURE and not path.is_absolute() and ".." not in path.parts
