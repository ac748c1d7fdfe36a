"""Which eye a photograph shows: the disc lies nasal of the fovea.

In a right eye's photograph, upright and not mirrored, the disc lies right of the fovea. Where the
fovea is not seen, the disc's place decides, because photographs show the macula near their middle.
"""

from __future__ import annotations

from typing import Final

from fundoscope.reading import (
    FOUND,
    LEFT,
    RIGHT,
    FieldOfView,
    Fovea,
    Laterality,
    OpticDisc,
)

BOTH_FOUND, ONE_FOUND, DISC_ALONE, NONE_FOUND = 0.99, 0.95, 0.9, 0.8
"""Certainty by what is known: both landmarks found, one of them only estimated, the disc alone, or
both only estimated.
Set by hand: of SRahimDR's 35 validation photographs, whose eyes are known, all are right
(``bench/landmarks.py``). EyePACS stores many photographs upside down, so it is no evidence."""
GIVEN, IMAGE = "given", "image"
"""How it is known which eye it is."""
APART: Final = 1.0
"""Least horizontal distance of disc and fovea, in disc diameters, that tells them apart."""
OFF_CENTRE: Final = 0.3
"""Radii of the field that a disc alone must lie from the vertical through its middle."""
SURE: Final = 0.9
"""Certainty from which the photograph may contradict the eye that was given."""


def of(disc: OpticDisc, fovea: Fovea, fov: FieldOfView, given: str | None = None) -> Laterality:
    """Which eye it is. An eye that was given overrules the photograph.

    Args:
        disc: found or not.
        fovea: found or not.
        fov: the field of view, found.
        given: the eye that was given, one of :data:`fundoscope.reading.EYES`; ``None``: none.
    """
    shown, certainty = _shown(disc, fovea, fov)
    if given is None:
        return Laterality(shown, None if shown is None else IMAGE, certainty=certainty)
    if shown is None or certainty is None:
        return Laterality(given, GIVEN)
    contradicted = shown != given and certainty >= SURE
    return Laterality(given, GIVEN, contradicted, certainty if shown == given else 1 - certainty)


def warnings(eye: Laterality) -> tuple[str, ...]:
    """A sentence about an eye that the photograph contradicts."""
    if not eye.contradiction or eye.eye is None:
        return ()
    shown = LEFT if eye.eye == RIGHT else RIGHT
    return (
        f"given as a {eye.eye} eye, but the photograph shows a {shown} eye: check whether eyes were"
        " swapped or it is mirrored or upside down",
    )


def _shown(disc: OpticDisc, fovea: Fovea, fov: FieldOfView) -> tuple[str | None, float | None]:
    """The eye that the landmarks show, and how certain that is."""
    if disc.centre is None or not disc.diameter:
        return None, None
    stretch = fov.stretch or 1.0
    if fovea.centre is not None:
        across = (disc.centre[0] - fovea.centre[0]) * stretch / disc.diameter
        if abs(across) < APART:
            return None, None
        found = (disc.state, fovea.state).count(FOUND)
        certainty = (NONE_FOUND, ONE_FOUND, BOTH_FOUND)[found]
        return (RIGHT if across > 0 else LEFT), certainty
    x, _ = fov.to_unit().point(*disc.centre)
    if abs(x) < OFF_CENTRE or disc.state != FOUND:
        return None, None
    return (RIGHT if x > 0 else LEFT), DISC_ALONE
