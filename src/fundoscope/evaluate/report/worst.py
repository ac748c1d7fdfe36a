"""The worst errors of a grader: missed with the most confidence, or called with the most."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np

from fundoscope.errors import PhotoError
from fundoscope.evaluate.grading.figures import NOT_GRADED, UNKNOWN
from fundoscope.evaluate.report.document import Block, Paragraph, Picture, Table
from fundoscope.evaluate.report.places import find
from fundoscope.evaluate.report.sources import Graded
from fundoscope.grading.heads import REFERABLE_GRADE
from fundoscope.quoting import printable

SHOWN: Final = 6
"""Errors of each kind: a page of pictures."""
SIDE: Final = 420
"""Longest side of a picture in pixels, about 30 kB."""
JPEG_QUALITY: Final = 85
MISSING: Final = "is not in the folder of the photographs, or several files have its name"
NOTE: Final = (
    "Photographs that got no grade are not listed here; they count as called referable. A wrong"
    " label looks like an error of the software: look at the photographs."
)


def blocks(graded: Graded, photographs: Path | None) -> tuple[Block, ...]:
    """List the worst errors, with pictures if the photographs can be read.

    Args:
        graded: the evaluation.
        photographs: the folder of the photographs.
    """
    missed, called = worst(graded)
    if not missed and not called:
        return ()
    found: list[Block] = [Paragraph(NOTE)]
    for title, places in (("Missed", missed), ("Called without need", called)):
        if not places:
            continue
        rows = tuple((printable(graded.rows[i].image), *_said(graded, i)) for i in places)
        columns = ("photograph", "label", "grade given", "probability of referable")
        found.append(Table(f"{title} by {graded.name}", columns, rows))
        if photographs is not None:
            found += _pictures(graded, title, places, photographs)
    return tuple(found)


def worst(graded: Graded) -> tuple[list[int], list[int]]:
    """The places of the missed ones of lowest score, and of the false alarms of highest score."""
    scores = graded.scores
    referable = scores.label >= REFERABLE_GRADE
    graded_ones = scores.given != NOT_GRADED
    order = np.argsort(scores.referable, kind="stable")
    missed = [int(i) for i in order if referable[i] and not scores.positive[i]]
    called = [
        int(i) for i in order[::-1] if not referable[i] and scores.positive[i] and graded_ones[i]
    ]
    return missed[:SHOWN], called[:SHOWN]


def _said(graded: Graded, place: int) -> tuple[str, str, str]:
    scores = graded.scores
    given = int(scores.given[place])
    grade = "not given" if given == UNKNOWN else str(given)
    return str(int(scores.label[place])), grade, f"{scores.referable[place]:.3f}"


def _pictures(graded: Graded, title: str, places: Sequence[int], photographs: Path) -> list[Block]:
    pictures: list[Block] = []
    files = find([graded.rows[place] for place in places], photographs)
    for place, file in zip(places, files, strict=True):
        row = graded.rows[place]
        label, given, chance = _said(graded, place)
        described = f"label {label}, grade given {given}, probability of referable {chance}"
        data = thumbnail(file)
        if data is None:
            why = "cannot be read here" if file.is_file() else MISSING
            pictures.append(Paragraph(f"{printable(row.image)} {why} ({described})."))
        else:
            alt = f"Photograph of a retina, {title.lower()}: {described}"
            caption = f"{printable(row.image)}: {described}."
            pictures.append(Picture(caption, alt, "image/jpeg", data))
    return pictures


def thumbnail(file: Path) -> bytes | None:
    """Read a photograph and make it small; ``None`` if it cannot be read."""
    from PIL import Image

    from fundoscope.photo.decode import decode_file

    try:
        photo = decode_file(file, min_side=SIDE)
    except PhotoError:
        return None
    picture = Image.fromarray(photo.pixels)
    picture.thumbnail((SIDE, SIDE))
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=JPEG_QUALITY)
    return buffer.getvalue()
