"""What is wrong with annotations that can be read: for ``fundoscope data check``."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from fundoscope import kinds
from fundoscope.data.annotations.annotation import AnnotatedPhoto, Annotation, AnnotationSet
from fundoscope.data.annotations.pictures import Pictures
from fundoscope.errors import PhotoError
from fundoscope.geometry import Box

NOT_FINITE: Final = "not_finite"
SWAPPED: Final = "swapped_corners"
EMPTY: Final = "empty_box"
OUTSIDE: Final = "outside"
DUPLICATE: Final = "duplicate"
UNKNOWN_KIND: Final = "unknown_kind"
NO_SIZE: Final = "no_size"
OTHER_SIZE: Final = "other_size"
NO_PICTURE: Final = "no_picture"
UNREADABLE: Final = "unreadable_picture"
NO_ANNOTATION: Final = "no_annotation"
MALFORMED: Final = "malformed_file"

CODES: Final = (
    NOT_FINITE,
    SWAPPED,
    EMPTY,
    OUTSIDE,
    DUPLICATE,
    UNKNOWN_KIND,
    NO_SIZE,
    OTHER_SIZE,
    NO_PICTURE,
    UNREADABLE,
    NO_ANNOTATION,
    MALFORMED,
)
"""Every code of a :class:`Fault`."""
TOLERANCE: Final = 1e-6
"""How far beyond the edge, in pixels, a box may reach: the rounding of percentages and parts."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong.

    Attributes:
        image: the photograph, as its annotations or the folder name it.
        number: of the object among those of the photograph, from 1; 0 when it is not of one.
        code: one of :data:`CODES`.
        sentence: for a person; names numbers and classes, not the photograph.
    """

    image: str
    number: int
    code: str
    sentence: str


def faults(found: AnnotationSet, images: Path | None = None) -> tuple[Fault, ...]:
    """Everything that is wrong with a set of annotations.

    Boxes outside the photograph, empty, with swapped corners, or there twice (same class, box and
    author); coordinates that are not finite; a size that is not the photograph's; annotations
    without a photograph and, last, photographs without annotations. An unknown class is told once,
    at its first object.

    Args:
        found: the annotations.
        images: the folder of photographs; without it, sizes and missing files are not looked at.

    Returns:
        In the order of photographs and objects.

    Raises:
        TableError: ``images`` is no folder that can be read.
    """
    pictures = None if images is None else Pictures.of(images)
    unknown = _unknown_kinds(found)
    all_faults: list[Fault] = []
    annotated: set[str] = set()
    for photo in found.photos:
        known = None if pictures is None else pictures.find(photo.image)
        if known is not None:
            annotated.add(known)
        all_faults += _of_photo(photo, pictures, known)
        all_faults += _of_objects(photo, unknown)
    if pictures is not None:
        all_faults += (
            Fault(name, 0, NO_ANNOTATION, "the photograph has no annotations")
            for name in pictures.names
            if name not in annotated
        )
    return tuple(all_faults)


def _of_photo(
    photo: AnnotatedPhoto, pictures: Pictures | None, known: str | None
) -> Iterator[Fault]:
    stated = f"{photo.width} x {photo.height}"
    if photo.width <= 0 or photo.height <= 0:
        yield Fault(photo.image, 0, NO_SIZE, f"its size is given as {stated} pixels")
    if pictures is None:
        return
    if known is None:
        sentence = f"the photograph is not in {pictures.folder}"
        yield Fault(photo.image, 0, NO_PICTURE, sentence)
        return
    try:
        width, height = pictures.size(known)
    except PhotoError as error:
        yield Fault(photo.image, 0, UNREADABLE, f"the photograph {error.why}")
        return
    if (width, height) != (photo.width, photo.height):
        sentence = f"its annotations say {stated} pixels, the photograph has {width} x {height}"
        if (height, width) == (photo.width, photo.height):
            sentence += ": one of them is turned"
        yield Fault(photo.image, 0, OTHER_SIZE, sentence)


def _of_objects(photo: AnnotatedPhoto, unknown: dict[str, str]) -> Iterator[Fault]:
    """Takes from ``unknown`` the sentences of the kinds that it told."""
    first: dict[tuple[str, Box, str, bool], int] = {}
    for number, item in enumerate(photo.annotations, start=1):
        if item.kind in unknown:
            yield Fault(photo.image, number, UNKNOWN_KIND, unknown.pop(item.kind))
        fault = _of_box(item, photo)
        if fault is not None:
            yield Fault(photo.image, number, *fault)
        key = (item.kind, item.box, item.author, item.score is None)
        other = first.setdefault(key, number)
        if other != number:
            sentence = f"is the same {item.kind} as object {other}: {_shown(item.box)}"
            yield Fault(photo.image, number, DUPLICATE, sentence)


def _of_box(item: Annotation, photo: AnnotatedPhoto) -> tuple[str, str] | None:
    """Code and sentence of what is wrong with an object's place; the first of several."""
    x0, y0, x1, y1 = item.box
    corners = (corner for outline in item.outlines for corner in outline)
    numbers = [*item.box, *(number for corner in corners for number in corner)]
    shown = f"the box {_shown(item.box)} of {item.kind}"
    if not all(map(math.isfinite, numbers)):
        return NOT_FINITE, f"{shown} has a coordinate that is no finite number"
    if x0 > x1 or y0 > y1:
        return SWAPPED, f"{shown} has swapped corners"
    if x0 == x1 or y0 == y1:
        return EMPTY, f"{shown} is empty"
    if photo.width <= 0 or photo.height <= 0:
        return None
    size = f"the photograph of {photo.width} x {photo.height} pixels"
    if x0 >= photo.width or y0 >= photo.height or x1 <= 0 or y1 <= 0:
        return OUTSIDE, f"{shown} lies outside of {size}"
    beyond = max(-x0, -y0, x1 - photo.width, y1 - photo.height)
    if beyond > TOLERANCE:
        return OUTSIDE, f"{shown} reaches {beyond:.6g} pixels beyond {size}"
    return None


def _unknown_kinds(found: AnnotationSet) -> dict[str, str]:
    """A sentence for every kind that is no known one."""
    counts = Counter(item.kind for photo in found.photos for item in photo.annotations)
    sentences: dict[str, str] = {}
    for kind, count in counts.items():
        if kind not in kinds.KINDS:
            near = kinds.nearest(kind)
            hint = "" if near is None else f"; the nearest known one is {near}"
            objects = "object" if count == 1 else "objects"
            sentences[kind] = f"{kind!r} is an unknown class ({count} {objects}){hint}"
    return sentences


def _shown(box: Box) -> str:
    return "[" + ", ".join(f"{side:.6g}" for side in box) + "]"
