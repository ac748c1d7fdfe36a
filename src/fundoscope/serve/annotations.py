"""Reviews and readings as annotations, for the next training."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from fundoscope.batch.annotate import boxes
from fundoscope.data.annotations.annotation import AnnotatedPhoto, Annotation
from fundoscope.data.annotations.voc.write import photo_xml
from fundoscope.geometry import Box
from fundoscope.reading import Reading
from fundoscope.serve.store.records import Record
from fundoscope.serve.store.reviews import Review

SUFFIX: Final = ".jpg"
"""Annotations name photographs with a suffix; the most usual one, where the format is not known."""
SHORT: Final = 16
"""Characters of a photograph's hash that name it: 64 bits tell any number of photographs apart."""
CONFIDENCE: Final = "confidence"
"""The attribute of a box with the reader's confidence, 1 to 5."""


def name_of(record: Record, suffix: str = SUFFIX) -> str:
    """The name of a photograph in annotations: by its hash, never by a patient or a file.

    Args:
        record: of the photograph.
        suffix: with its dot.
    """
    return f"{record.photograph[:SHORT]}{suffix}"


def latest_with_boxes(reviews: Sequence[Review]) -> Review | None:
    """The latest review whose reader went through the boxes; ``None`` if there is none."""
    return next((each for each in reversed(reviews) if each.opinion.boxes is not None), None)


def reviewed_photo(reading: Reading, review: Review, name: str) -> AnnotatedPhoto:
    """The boxes of a review as annotations.

    Args:
        reading: of the photograph.
        review: with boxes.
        name: of the photograph in the annotations.
    """
    opinion = review.opinion
    attributes = {} if opinion.confidence is None else {CONFIDENCE: str(opinion.confidence)}
    return AnnotatedPhoto(
        image=name,
        width=reading.photo.width,
        height=reading.photo.height,
        annotations=tuple(
            Annotation(
                kind=each.kind,
                box=_box(each.x0, each.y0, each.x1, each.y1),
                author=review.reader,
                attributes=attributes,
            )
            for each in opinion.boxes or ()
        ),
    )


def of_record(record: Record, reviews: Sequence[Review]) -> bytes:
    """The Pascal VOC file of a read photograph: its latest reviewed boxes, else the software's."""
    reading = Reading.from_json(record.reading or "")
    name = name_of(record)
    review = latest_with_boxes(reviews)
    photo = (
        boxes(reading, name, disc=True) if review is None else reviewed_photo(reading, review, name)
    )
    return photo_xml(photo, Path(name).with_suffix(".xml"))


def _box(x0: float, y0: float, x1: float, y1: float) -> Box:
    return (x0, y0, x1, y1)
