"""``fundoscope data split``."""

from __future__ import annotations


def split() -> None:
    """Not there yet."""
    raise NotImplementedError
