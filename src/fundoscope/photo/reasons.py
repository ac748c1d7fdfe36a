"""Why a picture has no field of view, in words: the same in the terminal, in tables and in JSON."""

from __future__ import annotations

from typing import Final

NO_FIELD: Final = {
    "too_dark": ("is too dark to show the retina", "retake it with more flash"),
    "no_disc": ("shows no field of view of a retina", "give a photograph of the retina"),
    "no_colour": ("has no colour", "only colour photographs are graded, so give the one in colour"),
    "not_a_retina": ("does not look like a retina", "give a photograph of the retina"),
    "several_fields": ("shows more than one eye", "cut them apart, one eye a file"),
    "framed": (
        "shows a retina that a coloured frame cuts off on all sides",
        "cut the frame away",
    ),
}
"""Reason and remedy for each of :data:`fundoscope.reading.NO_FIELD_REASONS`."""
OTHERWISE: Final = NO_FIELD["no_disc"]


def sentence(reason: str | None) -> str:
    """The warning for a reason: one sentence with its remedy.

    Args:
        reason: one of :data:`fundoscope.reading.NO_FIELD_REASONS`.
    """
    why, remedy = NO_FIELD.get(reason or "no_disc", OTHERWISE)
    return f"not graded: the photograph {why}; {remedy}"
