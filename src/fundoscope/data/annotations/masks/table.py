"""``masks.csv``: what the pictures of masks cannot hold."""

from __future__ import annotations

from typing import Final

TABLE: Final = "masks.csv"
COLUMNS: Final = ("image", "width", "height", "kind", "mask", "source", "splits")
SPLIT_MARK: Final = ";"
"""Between the splits of a photograph."""
