"""Boxes that a detector proposed and nobody confirmed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Final

from fundoscope.data.annotations.annotation import AnnotatedPhoto, Annotation
from fundoscope.data.annotations.flags import flag
from fundoscope.quoting import shown

DETECTOR: Final = "detector-"
"""How the names of our detectors begin, which are the authors of their boxes."""
VERIFIED: Final = "verified"
"""labelImg's mark that a person checked the file."""
UNNAMED: Final = "a detector without a name"


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
