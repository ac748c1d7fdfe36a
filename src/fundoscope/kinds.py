"""The lesions and landmarks that fundoscope knows: keys, names for people, colours for drawing.

The keys are used in Readings (``lesions[].kind``), in tables and in annotation files.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from typing import Final

Colour = tuple[int, int, int]
"""Red, green, blue, 0 to 255."""


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of lesion or landmark.

    Attributes:
        key: the word used in code and files, e.g. ``"soft_exudate"``.
        name: the words for people, e.g. ``"soft exudate"``.
        colour: for drawing. Each has a contrast of 3:1 or more to dark retina and to the black
            edge beside it; frames differ in shape too (:mod:`fundoscope.report.lesion_boxes`), so
            that colour-blind people can distinguish them.
        anatomy: whether it is a landmark of every eye rather than a lesion.
    """

    key: str
    name: str
    colour: Colour
    anatomy: bool = False


MICROANEURYSM: Final = Kind("microaneurysm", "microaneurysm", (64, 224, 255))
HAEMORRHAGE: Final = Kind("haemorrhage", "haemorrhage", (122, 178, 255))
HARD_EXUDATE: Final = Kind("hard_exudate", "hard exudate", (255, 240, 64))
SOFT_EXUDATE: Final = Kind("soft_exudate", "soft exudate", (255, 255, 255))
NEOVASCULARISATION: Final = Kind("neovascularisation", "neovascularisation", (64, 255, 128))
VITREOUS_HAEMORRHAGE: Final = Kind("vitreous_haemorrhage", "vitreous haemorrhage", (196, 172, 255))
PRERETINAL_HAEMORRHAGE: Final = Kind(
    "preretinal_haemorrhage", "preretinal haemorrhage", (240, 150, 255)
)
FIBROUS_PROLIFERATION: Final = Kind(
    "fibrous_proliferation", "fibrous proliferation", (190, 230, 205)
)
IRMA: Final = Kind("irma", "intraretinal microvascular abnormality", (0, 196, 160))
VENOUS_BEADING: Final = Kind("venous_beading", "venous beading", (120, 214, 190))
LASER_SCAR: Final = Kind("laser_scar", "laser scar", (184, 184, 184))
OPTIC_DISC: Final = Kind("optic_disc", "optic disc", (255, 190, 120), anatomy=True)
FOVEA: Final = Kind("fovea", "fovea", (255, 150, 205), anatomy=True)

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
"""Every kind by its key: lesions first, then anatomy."""

LESIONS: Final = tuple(key for key, kind in KINDS.items() if not kind.anatomy)
ANATOMY: Final = tuple(key for key, kind in KINDS.items() if kind.anatomy)
OF_RETINOPATHY: Final = tuple(
    kind.key for kind in (MICROANEURYSM, HAEMORRHAGE, HARD_EXUDATE, SOFT_EXUDATE)
)
"""The kinds that an eye of grade 0 does not have, and of which one of grade 2 or more has some."""

SYNONYMS: Final = {
    "microaneurysm": (
        "MA",
        "micro-aneurysm",
        "microaneurism",
        "red small dot",
        "red dot",
        "微血管瘤",
        "微动脉瘤",
        "微動脈瘤",
        "毛细血管瘤",
    ),
    "haemorrhage": (
        "HE",
        "HEM",
        "HM",
        "hemorrhage",
        "hemohedge",
        "retinal haemorrhage",
        "intraretinal haemorrhage",
        "dot haemorrhage",
        "blot haemorrhage",
        "dot and blot haemorrhage",
        "flame haemorrhage",
        "flame-shaped haemorrhage",
        "出血",
        "出血点",
        "出血斑",
        "视网膜出血",
        "視網膜出血",
    ),
    "hard_exudate": (
        "EX",
        "HEX",
        "hard exudation",
        "exudate",
        "exudation",
        "硬性渗出",
        "硬性滲出",
        "硬性渗出物",
        "硬渗",
        "硬渗出",
        "渗出",
    ),
    "soft_exudate": (
        "SE",
        "CWS",
        "soft exudation",
        "cotton wool spot",
        "cotton wool",
        "cottonwool patch",
        "软性渗出",
        "軟性滲出",
        "软性渗出物",
        "软渗",
        "软渗出",
        "棉絮斑",
        "棉絮状斑",
        "棉绒斑",
    ),
    "neovascularisation": (
        "NV",
        "NVD",
        "NVE",
        "new vessel",
        "neovascular",
        "neovascularisation of the disc",
        "neovascularisation elsewhere",
        "新生血管",
        "视网膜新生血管",
    ),
    "vitreous_haemorrhage": ("VH", "玻璃体出血", "玻璃體出血", "玻璃体积血"),
    "preretinal_haemorrhage": (
        "PRH",
        "PH",
        "pre-retinal haemorrhage",
        "subhyaloid haemorrhage",
        "视网膜前出血",
        "視網膜前出血",
    ),
    "fibrous_proliferation": (
        "FP",
        "fibrovascular proliferation",
        "fibroproliferation",
        "fibrous tissue",
        "纤维增殖",
        "纤维增生",
        "纤维增殖膜",
        "纖維增殖",
    ),
    "irma": (
        "intraretinal microvascular abnormalities",
        "intraretinal microvascular anomaly",
        "视网膜内微血管异常",
        "視網膜內微血管異常",
    ),
    "venous_beading": ("VB", "venous bead", "beading", "静脉串珠", "静脉串珠样改变", "靜脈串珠"),
    "laser_scar": (
        "LS",
        "laser mark",
        "laser spot",
        "laser burn",
        "laser photocoagulation",
        "photocoagulation scar",
        "PRP scar",
        "激光斑",
        "激光瘢痕",
        "激光光凝斑",
        "雷射疤痕",
    ),
    "optic_disc": (
        "OD",
        "ONH",
        "disc",
        "optic nerve head",
        "papilla",
        "视盘",
        "視盤",
        "视乳头",
        "視乳頭",
        "视神经盘",
    ),
    "fovea": (
        "FC",
        "fovea centralis",
        "fovea centre",
        "foveal centre",
        "macula",
        "macula lutea",
        "macula centre",
        "中心凹",
        "中央凹",
        "黄斑中央凹",
        "黄斑中心凹",
        "黄斑",
        "黃斑",
    ),
}
"""Other names of each kind, besides its key and its name. They are spelled in British English;
:func:`find` also accepts American spelling, plurals, any case and any mark between words.

The names come from the folders and tables of IDRiD, DDR, e-ophtha, DIARETDB1 ("red small dots"),
FGADR (whose folder is called "Hemohedge") and Retinal-Lesions, and from Chinese reports. HE is a
haemorrhage, as in IDRiD, DDR and FGADR. An exudate without an adjective is a hard exudate. The
macula counts as the fovea."""

_AMERICAN: Final = (
    ("hemorr", "haemorr"),
    ("haemorrage", "haemorrhage"),
    ("vascularization", "vascularisation"),
    ("disk", "disc"),
    ("center", "centre"),
    ("aneurism", "aneurysm"),
)
"""American spellings (and one frequent misspelling), and the British ones."""
SIMILARITY: Final = 0.7
"""How similar two names must be for a suggestion, 0 to 1 (the ratio of ``difflib``)."""


def find(name: str) -> Kind | None:
    """The kind that a class name of an annotation tool or data set means.

    Case, spaces, hyphens, underscores, full-width letters, a leading number ("3. Hard Exudates"),
    American spelling and plurals make no difference.

    Returns:
        The kind, or ``None`` for an unknown name; see :func:`nearest`.
    """
    plain = _plain(name)
    key = _KEYS.get(plain) or _KEYS.get(plain.removesuffix("s"))
    return None if key is None else KINDS[key]


def nearest(name: str) -> str | None:
    """The key of the kind with the most similar name, or ``None`` if no name is similar."""
    import difflib

    near = difflib.get_close_matches(_plain(name), _KEYS, n=1, cutoff=SIMILARITY)
    return _KEYS[near[0]] if near else None


def _plain(name: str) -> str:
    """A name in a form for comparison: only letters, in lower case, in British spelling."""
    folded = unicodedata.normalize("NFKC", name).casefold()
    letters = "".join(character for character in folded if character.isalpha())
    for american, british in _AMERICAN:
        letters = letters.replace(american, british)
    return letters


_KEYS: Final = {
    _plain(name): key for key, kind in KINDS.items() for name in (key, kind.name, *SYNONYMS[key])
}
"""The key of the kind for every name, in the form for comparison."""
