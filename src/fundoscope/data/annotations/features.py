"""What annotations can hold beyond boxes and kinds, and what of it a format loses."""

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
"""Every feature; ``holds`` of a format is a subset of these."""

_OF_OBJECTS: Final[Mapping[str, Callable[[Annotation], bool]]] = {
    SUB_PIXEL: lambda item: any(side % 1 != 0 for side in item.box),
    OUTLINES: lambda item: bool(item.outlines),
    MASKS: lambda item: item.mask is not None,
    SCORE: lambda item: item.score is not None,
    DIFFICULT: lambda item: item.difficult,
    AUTHOR: lambda item: bool(item.author),
    ATTRIBUTES: lambda item: bool(item.attributes),
}


def losses(annotations: AnnotationSet, holds: frozenset[str]) -> tuple[Loss, ...]:
    """The features of annotations that a format cannot hold, and how often they occur.

    Args:
        annotations: what is to be written.
        holds: the features that the format can hold.

    Returns:
        Counts of objects for features of objects and of photographs for features of photographs;
        of lists for splits, and of names for the order of kinds.
    """
    counts = {
        feature: sum(has(item) for photo in annotations.photos for item in photo.annotations)
        for feature, has in _OF_OBJECTS.items()
    }
    counts[SOURCE] = sum(bool(photo.source) for photo in annotations.photos)
    counts[EMPTY_PHOTOS] = sum(not photo.annotations for photo in annotations.photos)
    counts[SPLITS] = len(annotations.splits)
    counts[SIZE] = len(annotations.photos)
    counts[KINDS_ORDER] = (
        0 if annotations.kinds == kinds_in(annotations) else len(annotations.kinds)
    )
    return tuple(
        Loss(feature, count) for feature, count in counts.items() if count and feature not in holds
    )


def kinds_in(annotations: AnnotationSet) -> tuple[str, ...]:
    """The kinds that occur: the known ones in the order of ``KINDS``, then others by name."""
    occurring = {item.kind for photo in annotations.photos for item in photo.annotations}
    known = [key for key in kinds.KINDS if key in occurring]
    return (*known, *sorted(occurring - set(known)))


def all_kinds(annotations: AnnotationSet) -> tuple[str, ...]:
    """The list of kinds to write: the stated ones, then others that occur."""
    return tuple(dict.fromkeys((*annotations.kinds, *kinds_in(annotations))))
