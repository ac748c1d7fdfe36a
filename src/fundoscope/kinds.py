"""The lesions and landmarks that fundoscope knows: keys, names for people, colours for drawing.

The keys are the words of the contract (``lesions[].kind``), of tables and of annotation files.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

Colour = tuple[int, int, int]
"""Red, green, blue, 0 to 255."""


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of lesion or landmark.

    Attributes:
        key: the word used in code and files, e.g. ``"soft_exudate"``.
        name: for people, e.g. ``"soft exudate"``.
        colour: for drawing; told apart on orange retina and, in lightness too, by the colour-blind.
        anatomy: a landmark of every eye rather than a lesion.
    """

    key: str
    name: str
    colour: Colour
    anatomy: bool = False


MICROANEURYSM: Final = Kind("microaneurysm", "microaneurysm", (64, 224, 255))
HAEMORRHAGE: Final = Kind("haemorrhage", "haemorrhage", (52, 92, 255))
HARD_EXUDATE: Final = Kind("hard_exudate", "hard exudate", (255, 240, 64))
SOFT_EXUDATE: Final = Kind("soft_exudate", "soft exudate", (255, 255, 255))
NEOVASCULARISATION: Final = Kind("neovascularisation", "neovascularisation", (64, 255, 128))
VITREOUS_HAEMORRHAGE: Final = Kind("vitreous_haemorrhage", "vitreous haemorrhage", (150, 110, 255))
PRERETINAL_HAEMORRHAGE: Final = Kind(
    "preretinal_haemorrhage", "preretinal haemorrhage", (190, 60, 230)
)
FIBROUS_PROLIFERATION: Final = Kind(
    "fibrous_proliferation", "fibrous proliferation", (190, 230, 205)
)
IRMA: Final = Kind("irma", "intraretinal microvascular abnormality", (0, 170, 140))
VENOUS_BEADING: Final = Kind("venous_beading", "venous beading", (0, 130, 200))
LASER_SCAR: Final = Kind("laser_scar", "laser scar", (150, 150, 150))
OPTIC_DISC: Final = Kind("optic_disc", "optic disc", (255, 190, 120), anatomy=True)
FOVEA: Final = Kind("fovea", "fovea", (255, 140, 200), anatomy=True)

KINDS: Final = {
    kind.key: kind
    for kind in (
        MICROANEURYSM,
        HAEMORRHAGE,
        HARD_EXUDATE,
        SOFT_EXUDATE,
        NEOVASCULARISATION,
        VITREOUS_HAEMORRHAGE,
        PRERETINAL_HAEMORRHAGE,
        FIBROUS_PROLIFERATION,
        IRMA,
        VENOUS_BEADING,
        LASER_SCAR,
        OPTIC_DISC,
        FOVEA,
    )
}
"""Every kind by its key: the lesions first, then the anatomy."""

LESIONS: Final = tuple(key for key, kind in KINDS.items() if not kind.anatomy)
ANATOMY: Final = tuple(key for key, kind in KINDS.items() if kind.anatomy)
