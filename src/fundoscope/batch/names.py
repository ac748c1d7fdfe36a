"""Eye and patient from the names of photographs, where the user asks for it.

A name is split at ``_``, ``-``, blanks and dots. The eye is the part that says left or right, such
as in ``59_left``, ``Patient088_L``, ``smith_OD_2`` or ``265_l1``. Words that may be a name or an
initial (``Le``, ``L.``) say it only at the end, or before numbers. The patient is the rest of the
name before it, or behind it if the eye comes first. A name that does not say one of the two clearly
gives no patient: two patients must never become one.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import PurePath
from typing import Final

from fundoscope.batch.inputs import Input
from fundoscope.errors import UsageError
from fundoscope.quoting import encodable

EYE, PATIENT = "eye", "patient"
CHOICES: Final = (EYE, PATIENT)
"""What can be taken from names."""
LEFT, RIGHT = "left", "right"
SIDES: Final = {
    LEFT: (
        "left", "l", "os", "le", "og", "sin", "sinister", "links", "gauche", "lefteye",
        "oculussinister", "左", "左眼",
    ),
    RIGHT: (
        "right", "r", "od", "re", "dex", "dexter", "rechts", "droite", "righteye",
        "oculusdexter", "右", "右眼",
    ),
}  # fmt: skip
"""Words for an eye, without blanks: English, Latin, French, German and, in tables, Chinese."""
SURNAMES: Final = frozenset(("le", "re", "og"))
"""Words that say an eye only as the last part of a name: elsewhere they may be a surname."""
INITIALS: Final = frozenset(("l", "r"))
"""Words that say an eye only at the end or before numbers: elsewhere they may be an initial."""
SIDE_OF: Final = {word: side for side, words in SIDES.items() for word in words}
GAPS: Final = re.compile(r"[\s.]+")
"""What a word of a table may have between its letters, such as "right eye" or "O.D."."""
PARTS: Final = re.compile(r"[\s_.\-]+")
"""What separates the parts of a name."""
SHOT: Final = re.compile(r"([a-z]+?)\d?")
"""An eye, and the number of the photograph of it, such as ``l1``."""
JOINED: Final = re.compile(r"(\d+)(left|right|l|r|os|od)\d?", re.IGNORECASE)
"""Patient and eye without a separator, such as ``0123L``."""
DATE: Final = re.compile(
    r"(?<![^_])(?:(?:19|20)\d\d(?:[01]\d[0-3]\d|_[01]?\d_[0-3]?\d)"
    r"|[0-3]?\d_[0-3]?\d_(?:19|20)\d\d)(?![^_])"
)
"""A date in digits, its parts joined by ``_``. It is not a patient: several may have been
photographed that day."""
MEANINGLESS: Final = frozenset(
    ("", "img", "image", "photo", "photograph", "picture", "fundus", "eye", "retina", "scan", "dsc")
)
"""Words in the place of a patient's name that name nobody."""


@dataclass(frozen=True, slots=True)
class Named:
    """What a name says; ``""`` where it says nothing.

    Attributes:
        eye: ``"left"`` or ``"right"``.
        patient: an identifier.
    """

    eye: str = ""
    patient: str = ""


@dataclass(frozen=True, slots=True)
class Doubts:
    """What a person should check, noted while photographs are completed.

    Attributes:
        joined: patients whose photographs lie in several folders: they may be several people, whose
            files have the same names.
        unknown_eyes: words of tables in the place of an eye that say neither, with the number of
            their photographs.
    """

    joined: set[str] = field(default_factory=set)
    unknown_eyes: Counter[str] = field(default_factory=Counter)


def parse(image: str) -> Named:
    """Find eye and patient in the name of a photograph.

    Args:
        image: the name of its file, or a path that ends with it.
    """
    stem = PurePath(image.replace("\\", "/")).stem
    parts = [part for part in PARTS.split(stem) if part]
    joined = [JOINED.fullmatch(part) for part in parts]
    sides = [
        _side(part) or (_side(match[2]) if match else "")
        for part, match in zip(parts, joined, strict=True)
    ]
    places = [n for n, side in enumerate(sides) if side and _says_eye(parts, n)]
    if len(places) != 1 or (places[0] and sides[places[0] - 1]):
        return Named()
    place = places[0]
    match = joined[place]
    own = [match[1]] if match and not _side(parts[place]) else []
    rest = [*parts[:place], *own] or parts[place + 1 :]
    return Named(sides[place], _patient(rest))


def _side(part: str) -> str:
    shot = SHOT.fullmatch(part.lower())
    return SIDE_OF.get(shot[1], "") if shot else ""


def _says_eye(parts: Sequence[str], place: int) -> bool:
    """Whether a word for an eye is meant as one: some may be a surname or an initial."""
    shot = SHOT.fullmatch(parts[place].lower())
    word = shot[1] if shot else ""
    rest = parts[place + 1 :]
    if word in INITIALS:
        return all(part.isdecimal() for part in rest)
    return word not in SURNAMES or not rest


def _patient(parts: Sequence[str]) -> str:
    name = "_".join(parts)
    known = DATE.sub("", name).lower().split("_")
    return "" if all(part in MEANINGLESS for part in known) else name


def eye_of(word: str) -> str | None:
    """``"left"`` or ``"right"``, if that is what a word of a table says; else ``None``."""
    plain = GAPS.sub("", word).lower()
    return _side(plain) or SIDE_OF.get(plain)


def chosen(text: str) -> tuple[str, ...]:
    """The parts of :data:`CHOICES` in an option's value, such as ``"eye,patient"``.

    Raises:
        UsageError: something else is in it.
    """
    words = tuple(word.strip().lower() for word in text.split(","))
    if not words or any(word not in CHOICES for word in words):
        raise UsageError(f"--names {text}", "is not a choice", "give eye, patient or eye,patient")
    return words


def completed(
    photographs: Iterable[Input], what: Sequence[str], doubts: Doubts | None = None
) -> Iterator[Input]:
    """Yield photographs with eye and patient from their names. Cells of a table are kept.

    Args:
        photographs: to complete.
        what: of :data:`CHOICES`.
        doubts: gets what a person should check.
    """
    doubts = doubts or Doubts()
    folders: dict[str, PurePath] = {}
    for photograph in photographs:
        done = _completed(photograph, what)
        if photograph.eye and eye_of(photograph.eye) is None:
            doubts.unknown_eyes[photograph.eye] += 1
        if done.patient and not photograph.patient:
            folder = photograph.path.parent
            if folders.setdefault(done.patient, folder) != folder:
                doubts.joined.add(done.patient)
        yield done


def _completed(photograph: Input, what: Sequence[str]) -> Input:
    named = parse(photograph.path.name)
    eye = named.eye if EYE in what else ""
    # Tables and JSON are UTF-8; a name may have other bytes.
    patient = encodable(named.patient) if PATIENT in what else ""
    return replace(photograph, eye=photograph.eye or eye, patient=photograph.patient or patient)
