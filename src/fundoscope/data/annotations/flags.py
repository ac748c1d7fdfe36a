"""Flags as annotation tools write them, e.g. ``1``, ``true`` or ``yes``."""

from __future__ import annotations

from typing import Final

YES: Final = frozenset({"1", "1.0", "true", "yes", "on", "t", "y"})
NO: Final = frozenset({"", "0", "0.0", "false", "no", "off", "f", "n", "none", "null"})


def flag(text: str) -> bool | None:
    """Whether a flag is set; ``None`` for a word that means neither yes nor no."""
    word = text.strip().casefold()
    return True if word in YES else False if word in NO else None
