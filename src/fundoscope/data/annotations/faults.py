"""Errors in annotations that can be read, for ``fundoscope data check``."""

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
from fundoscope.quoting import quoted

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
"""Pixels by which a box may reach beyond the edge: rounding of percentages and fractions."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One error in annotations.

    Attributes:
        image: the photograph, as its annotations or the folder name it.
        number: of the object on the photograph, from 1; 0 where no object is concerned.
        code: one of :data:`CODES`.
        sentence: a description with numbers and classes, without the photograph's name.
    """

    image: str
    number: int
    code: str
    sentence: str


def faults(annotations: AnnotationSet, images: Path | None = None) -> tuple[Fault, ...]:
    """All errors in annotations.

    Boxes outside the photograph, empty, with swapped corners, or duplicated (same class, box and
    author); coordinates that are not finite; a size that is not the photograph's; annotations
    without a photograph and, last, photographs without annotations. An unknown class is reported
    once, at its first object.

    Args:
        annotations: what to check.
        images: the folder of photographs; without it, sizes and missing files are not checked.

    Returns:
        The errors in the order of photographs and objects.

    Raises:
        TableError: ``images`` is not a folder that can be read.
    """
    pictures = None if images is None else Pictures.of(images)
    unknown = _unknown_kinds(annotations)
    all_faults: list[Fault] = []
    annotated: set[str] = set()
    for photo in annotations.photos:
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
    """Errors of objects; removes the kinds that it reports from ``unknown``."""
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
    """Code and sentence of the first error in the place of an object."""
    x0, y0, x1, y1 = item.box
    corners = (corner for outline in item.outlines for corner in outline)
    numbers = [*item.box, *(number for corner in corners for number in corner)]
    shown = f"the box {_shown(item.box)} of {item.kind}"
    if not all(map(math.isfinite, numbers)):
        return NOT_FINITE, f"{shown} has a coordinate that is not a finite number"
    if x0 > x1 or y0 > y1:
        return SWAPPED, f"{shown} has swapped corners"
    if x0 == x1 or y0 == y1:
        return EMPTY, f"{shown} is empty"
    if photo.width <= 0 or photo.height <= 0:
        return None
    size = f"the photograph of {photo.width} x {photo.height} pixels"
    if x0 >= photo.width or y0 >= photo.height or x1 <= 0 or y1 <= 0:
        return OUTSIDE, f"{shown} lies outside {size}"
    beyond = max(-x0, -y0, x1 - photo.width, y1 - photo.height)
    if beyond > TOLERANCE:
        return OUTSIDE, f"{shown} reaches {beyond:.6g} pixels beyond {size}"
    return None


def _unknown_kinds(annotations: AnnotationSet) -> dict[str, str]:
    """A sentence for every unknown kind."""
    counts = Counter(item.kind for photo in annotations.photos for item in photo.annotations)
    sentences: dict[str, str] = {}
    for kind, count in counts.items():
        if kind not in kinds.KINDS:
            near = kinds.nearest(kind)
            hint = "" if near is None else f"; the nearest known one is {near}"
            objects = "object" if count == 1 else "objects"
            sentences[kind] = f"{quoted(kind)} is an unknown class ({count} {objects}){hint}"
    return sentences


def _shown(box: Box) -> str:
    return "[" + ", ".join(f"{side:.6g}" for side in box) + "]"
