"""Boxes that a detector proposed and nobody confirmed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Final

from fundoscope.data.annotations.annotation import AnnotatedPhoto, Annotation
from fundoscope.data.annotations.flags import flag
from fundoscope.errors import UsageError
from fundoscope.quoting import shown

DETECTOR: Final = "detector-"
"""How the names of our detectors begin, which are the authors of their boxes."""
VERIFIED: Final = "verified"
"""labelImg's mark that a person checked the file."""
UNNAMED: Final = "a detector without a name"
MAKERS_SHOWN: Final = 12
"""Names of detectors that a message lists."""


def is_machine_made(item: Annotation) -> bool:
    """Whether a detector made an object and nobody confirmed it.

    Only detectors give scores. A person who corrects a box in labelImg or Label Studio leaves
    neither the score nor the detector's name; in CVAT and COCO files both may stay.
    """
    if flag(item.attributes.get(VERIFIED, "")):
        return False
    return item.score is not None or item.author.startswith(DETECTOR)


def machine_boxes(photos: Iterable[AnnotatedPhoto]) -> Counter[str]:
    """The number of boxes that a detector made and nobody confirmed, by the detector's name."""
    return Counter(
        shown(item.author) or UNNAMED
        for photo in photos
        for item in photo.annotations
        if is_machine_made(item)
    )


def require_confirmed(
    photos: Sequence[AnnotatedPhoto], where: str, *, allowed: bool, setting: str = ""
) -> tuple[str, ...]:
    """Reject boxes that a detector made and nobody confirmed.

    Args:
        photos: the photographs in use.
        where: the annotations, for errors.
        allowed: whether such boxes are taken.
        setting: what else than the option ``--machine-boxes`` allows them, for errors.

    Returns:
        A sentence that counts them, if there are some.

    Raises:
        UsageError: there are some, and they are not allowed.
    """
    boxes = machine_boxes(photos)
    if not boxes:
        return ()
    of = sum(len(photo.annotations) for photo in photos)
    makers = ", ".join(f"{name}: {count}" for name, count in boxes.most_common(MAKERS_SHOWN))
    why = (
        f"{boxes.total()} of {of} boxes were made by a detector and confirmed by nobody ({makers})"
    )
    if allowed:
        return (why,)
    raise UsageError(
        where,
        why,
        "correct them first, leave those photographs out, or, if a person has checked them all,"
        f" add --machine-boxes{f' ({setting})' if setting else ''}",
    )
