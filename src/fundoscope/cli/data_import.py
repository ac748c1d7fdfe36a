"""``fundoscope data import``."""

from __future__ import annotations


def import_source() -> None:
    """Not there yet."""
    raise NotImplementedError
