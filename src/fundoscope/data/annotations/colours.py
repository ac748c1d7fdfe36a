"""Colours of kinds as annotation tools write them."""

from __future__ import annotations

from typing import Final

from fundoscope.kinds import KINDS

UNKNOWN: Final = (128, 128, 128)
"""The colour of an unknown kind: grey."""


def hex_colour(kind: str) -> str:
    """The colour of a kind as ``#rrggbb``.

    Args:
        kind: a key of :data:`fundoscope.kinds.KINDS`, or an unknown name.
    """
    red, green, blue = KINDS[kind].colour if kind in KINDS else UNKNOWN
    return f"#{red:02x}{green:02x}{blue:02x}"
