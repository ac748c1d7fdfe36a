"""What rules are applied to: the lesions of a photograph with their places, and what was not seen.

Distances are in disc diameters from the centre of the fovea to the nearest edge of a box.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

SUPERIOR_TEMPORAL, SUPERIOR_NASAL = "superior_temporal", "superior_nasal"
INFERIOR_TEMPORAL, INFERIOR_NASAL = "inferior_temporal", "inferior_nasal"
QUADRANTS: Final = (SUPERIOR_TEMPORAL, SUPERIOR_NASAL, INFERIOR_TEMPORAL, INFERIOR_NASAL)
HEMIFIELDS: Final[Mapping[str, frozenset[str]]] = {
    "superior": frozenset({SUPERIOR_TEMPORAL, SUPERIOR_NASAL}),
    "inferior": frozenset({INFERIOR_TEMPORAL, INFERIOR_NASAL}),
}
REGIONS: Final[Mapping[str, Mapping[str, frozenset[str]]]] = {
    "quadrants": {name: frozenset({name}) for name in QUADRANTS},
    "hemifields": HEMIFIELDS,
}
"""The ways to divide the retina, each region with its quadrants."""


@dataclass(frozen=True, slots=True)
class PlacedLesion:
    """One lesion with its place.

    Attributes:
        kind: a key of :data:`fundoscope.kinds.LESIONS`.
        index: of the lesion in the Reading.
        quadrant: one of :data:`QUADRANTS`; ``None`` where it is not known.
        distance: from the fovea's centre to the nearest edge, in disc diameters; ``None`` where it
            is not known.
        error: how far that distance may be wrong, where the fovea's place is only estimated.
        in_macula: whether its centre lies in the macula, the circle around the fovea that reaches
            the disc; ``None`` where it is not known.
        area: of its box, in disc areas; ``None`` where it is not known. The lesion is smaller.
        score: of its box, 0 to 1; ``None`` if a person drew it.
    """

    kind: str
    index: int
    quadrant: str | None = None
    distance: float | None = None
    error: float = 0.0
    in_macula: bool | None = None
    area: float | None = None
    score: float | None = None


@dataclass(frozen=True, slots=True)
class Evidence:
    """All that rules may use.

    Attributes:
        lesions: on the photograph.
        assessed: the kinds that were looked for.
        quadrants_seen: the quadrants that the photograph shows.
        acuity: best corrected, as a decimal fraction (6/12 is 0.5); ``None`` if not given.
        facts: what a person answered, such as ``{"stable_after_treatment": True}``.
        macula_shown: how far around the fovea's centre the photograph shows the retina, in disc
            diameters; 0 where the fovea's place is not known. That no lesion lies near the fovea
            can be said only within it.
        presence: the probability that the eye has a kind at all, for the kinds for which
            the detector's bundle has a model of it.
        fovea_found: whether the fovea was seen, not only placed beside the disc.
        withheld: lesions that are not drawn, because the eye looks healthy. They meet no rule, and
            whatever they would meet is not excluded.
        has_ruler: whether the disc was found. Distances and areas are in disc diameters, and those
            of a disc that is only estimated are not known.
    """

    lesions: tuple[PlacedLesion, ...] = ()
    assessed: frozenset[str] = frozenset()
    quadrants_seen: frozenset[str] = frozenset()
    acuity: float | None = None
    facts: Mapping[str, bool] = field(default_factory=dict)
    macula_shown: float = 0.0
    presence: Mapping[str, float] = field(default_factory=dict)
    fovea_found: bool = False
    withheld: tuple[PlacedLesion, ...] = ()
    has_ruler: bool = True
