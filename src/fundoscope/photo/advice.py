"""Why a photograph cannot be graded, and what the photographer should do about it, in words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

ADVICE: Final = {
    "out_of_focus": ("is out of focus", "focus on the vessels and hold still"),
    "too_dark": ("is too dark", "use more flash, and let the pupil widen"),
    "too_bright": ("is too bright", "use less flash"),
    "uneven_or_hazy": (
        "is hazy or unevenly lit",
        "clean the lens, centre the camera on the pupil, and look for a cataract",
    ),
    "field_cut_off": ("shows too little of the field", "open the lids wide and centre the eye"),
    "reflections": ("has reflections", "move the camera a little, and clean the lens"),
}
"""What is wrong and what to do, for each of :data:`fundoscope.quality.QUALITY_REASONS`."""
OTHERWISE: Final = ("is too poor", "check focus, light and lens")


def why(reasons: Sequence[str] | None) -> tuple[str, str]:
    """What is wrong with a photograph, to follow "the photograph", and what to do.

    Args:
        reasons: codes of :data:`fundoscope.quality.QUALITY_REASONS`, the clearest first.
    """
    codes = reasons or ()
    known = [ADVICE[code] for code in codes if code in ADVICE]
    if not known:  # codes of a later version
        wrong = f"is not gradable ({', '.join(codes)})" if codes else OTHERWISE[0]
        known = [(wrong, OTHERWISE[1])]
    return " and ".join(wrong for wrong, _ in known), f"retake it: {known[0][1]}"


def sentence(reasons: Sequence[str] | None, *, forced: bool) -> str:
    """The warning of a photograph that is not gradable: one sentence with its remedy.

    Args:
        reasons: as for :func:`why`.
        forced: whether it was graded all the same.
    """
    wrong, remedy = why(reasons)
    start = "graded although it is not gradable" if forced else "not graded"
    return f"{start}: the photograph {wrong}; {remedy}"
