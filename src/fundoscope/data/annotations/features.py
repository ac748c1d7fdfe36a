"""What annotations can say beyond boxes and kinds, and what of it a format cannot hold."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from fundoscope import kinds
from fundoscope.data.annotations.annotation import Annotation, AnnotationSet, Loss

SUB_PIXEL: Final = "sub-pixel boxes"
OUTLINES: Final = "outlines"
MASKS: Final = "masks"
SCORE: Final = "score"
DIFFICULT: Final = "difficult"
AUTHOR: Final = "author"
ATTRIBUTES: Final = "attributes"
SOURCE: Final = "source"
EMPTY_PHOTOS: Final = "empty photographs"
SPLITS: Final = "splits"
SIZE: Final = "size"
KINDS_ORDER: Final = "kinds order"

ALL: Final = frozenset(
    {
        SUB_PIXEL,
        OUTLINES,
        MASKS,
        SCORE,
        DIFFICULT,
        AUTHOR,
        ATTRIBUTES,
        SOURCE,
        EMPTY_PHOTOS,
        SPLITS,
        SIZE,
        KINDS_ORDER,
    }
)
"""Every feature; the constant ``HOLDS`` of a format's module is a part of these."""

_OF_OBJECTS: Final[Mapping[str, Callable[[Annotation], bool]]] = {
    SUB_PIXEL: lambda item: any(side % 1 != 0 for side in item.box),
    OUTLINES: lambda item: bool(item.outlines),
    MASKS: lambda item: item.mask is not None,
    SCORE: lambda item: item.score is not None,
    DIFFICULT: lambda item: item.difficult,
    AUTHOR: lambda item: bool(item.author),
    ATTRIBUTES: lambda item: bool(item.attributes),
}


def losses(found: AnnotationSet, holds: frozenset[str]) -> tuple[Loss, ...]:
    """What of a set a format that holds the features ``holds`` cannot keep, and how often.

    Objects are counted for what objects say, photographs for what photographs say, and the lists
    and names for splits and the order of kinds.
    """
    counts = {
        feature: sum(has(item) for photo in found.photos for item in photo.annotations)
        for feature, has in _OF_OBJECTS.items()
    }
    counts[SOURCE] = sum(bool(photo.source) for photo in found.photos)
    counts[EMPTY_PHOTOS] = sum(not photo.annotations for photo in found.photos)
    counts[SPLITS] = len(found.splits)
    counts[SIZE] = len(found.photos)
    counts[KINDS_ORDER] = 0 if found.kinds == kinds_in(found) else len(found.kinds)
    return tuple(
        Loss(feature, count) for feature, count in counts.items() if count and feature not in holds
    )


def kinds_in(found: AnnotationSet) -> tuple[str, ...]:
    """The kinds that occur: the known ones in the order of ``KINDS``, then others by name."""
    there = {item.kind for photo in found.photos for item in photo.annotations}
    known = [key for key in kinds.KINDS if key in there]
    return (*known, *sorted(there - set(known)))


def all_kinds(found: AnnotationSet) -> tuple[str, ...]:
    """The list of kinds to write: that of the set, then those that occur and are not in it."""
    return tuple(dict.fromkeys((*found.kinds, *kinds_in(found))))
