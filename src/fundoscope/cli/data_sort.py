"""``fundoscope data sort``."""

from __future__ import annotations


def sort() -> None:
    """Not there yet."""
    raise NotImplementedError
