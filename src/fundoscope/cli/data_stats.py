"""``fundoscope data stats``."""

from __future__ import annotations


def stats() -> None:
    """Not there yet."""
    raise NotImplementedError
