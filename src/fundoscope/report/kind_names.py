"""Names of the kinds of lesion: in the singular and the plural, and their abbreviations."""

from __future__ import annotations

from typing import Final

from fundoscope.kinds import KINDS

PARTS: Final = {
    "neovascularisation": "area",
    "fibrous_proliferation": "area",
    "venous_beading": "stretch",
}
"""The unit in which lesions of kinds without a plural are counted."""
PLURALS: Final = {"irma": "intraretinal microvascular abnormalities", "stretch": "stretches"}
"""Plurals that are not the name with an s."""
SHORT_NAMES: Final = {
    "microaneurysm": "MA",
    "haemorrhage": "HE",
    "hard_exudate": "EX",
    "soft_exudate": "SE",
    "neovascularisation": "NV",
    "vitreous_haemorrhage": "VH",
    "preretinal_haemorrhage": "PRH",
    "fibrous_proliferation": "FP",
    "irma": "IRMA",
    "venous_beading": "VB",
    "laser_scar": "LS",
    "optic_disc": "OD",
    "fovea": "FC",
}
"""Abbreviations of the kinds, as in IDRiD, DDR and textbooks."""


def kind_in_words(kind: str, count: int) -> str:
    """Name N lesions of a kind: ``"haemorrhage"`` for 1, else ``"haemorrhages"``.

    Args:
        kind: a key of :data:`fundoscope.kinds.KINDS`; any other is used as it is.
        count: N; 0 for the kind in general.
    """
    if kind not in KINDS:
        return kind
    name = KINDS[kind].name
    part = PARTS.get(kind)
    if part is None:
        return name if count == 1 else PLURALS.get(kind, f"{name}s")
    if count == 0:
        return name
    return f"{part if count == 1 else PLURALS.get(part, f'{part}s')} of {name}"
