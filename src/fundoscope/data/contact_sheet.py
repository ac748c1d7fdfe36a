"""A contact sheet: random photographs of every grade, unchanged."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from fundoscope.data.manifest import EXCLUDED, Manifest, Row
from fundoscope.errors import PhotoError
from fundoscope.grading.heads import GRADE_COUNT
from fundoscope.photo.decode import decode_file

COLUMNS: Final = 10
CELL: Final = 150
"""Side in pixels of the square that a photograph fits into."""
GAP: Final = 6
MARGIN: Final = 34
"""Space on the left for the grade, in pixels."""
CAPTION: Final = 16
TEXT_SIZE, GRADE_SIZE = 11, 22
BACKGROUND, FRAME, INK = (72, 72, 72), (40, 40, 40), (235, 235, 235)
"""Grey, so that black, white and coloured borders are all visible."""
CHARACTERS: Final = 24
"""Of a caption: what fits below a photograph."""


@dataclass(frozen=True, slots=True)
class _Picture:
    thumbnail: Image.Image
    caption: str


def draw(manifest: Manifest, rows: Sequence[Row], *, seed: int = 0) -> bytes:
    """The sheet as PNG: a row for each grade, with up to ``COLUMNS`` photographs and captions.

    Args:
        manifest: gives the paths of the photographs.
        rows: what to draw from; ``excluded`` rows and files that cannot be read are left out.
        seed: of the random choice.
    """
    random = np.random.default_rng(seed)
    across = MARGIN + COLUMNS * (CELL + GAP) + GAP
    down = GRADE_COUNT * (CELL + CAPTION + GAP) + GAP
    sheet = Image.new("RGB", (across, down), BACKGROUND)
    pen = ImageDraw.Draw(sheet)
    for grade in range(GRADE_COUNT):
        of_grade = [row for row in rows if row.grade == grade and row.split != EXCLUDED]
        order = random.permutation(len(of_grade))
        top = GAP + grade * (CELL + CAPTION + GAP)
        _write(pen, (GAP + 4, top + CELL // 2 - GRADE_SIZE // 2), str(grade), GRADE_SIZE)
        pictures = _pictures(manifest, [of_grade[place] for place in order])
        for column, picture in zip(range(COLUMNS), pictures, strict=False):
            left = MARGIN + GAP + column * (CELL + GAP)
            pen.rectangle((left, top, left + CELL - 1, top + CELL - 1), FRAME)
            width, height = picture.thumbnail.size
            sheet.paste(picture.thumbnail, (left + (CELL - width) // 2, top + (CELL - height) // 2))
            _write(pen, (left, top + CELL + 1), picture.caption, TEXT_SIZE)
    buffer = io.BytesIO()
    sheet.save(buffer, "PNG")
    return buffer.getvalue()


def _pictures(manifest: Manifest, rows: Sequence[Row]) -> Iterator[_Picture]:
    """The photographs that can be read, each opened when it is needed."""
    for row in rows:
        try:
            photo = decode_file(manifest.photograph(row), min_side=CELL)
        except (PhotoError, MemoryError):
            continue
        thumbnail = Image.fromarray(photo.pixels)
        thumbnail.thumbnail((CELL, CELL), Image.Resampling.BOX)
        name = row.camera or row.source or Path(row.image).name
        yield _Picture(thumbnail, f"{name} {photo.facts.width}x{photo.facts.height}"[:CHARACTERS])


def _write(pen: ImageDraw.ImageDraw, place: tuple[int, int], text: str, size: int) -> None:
    # The font of Pillow lacks many characters that a name may have.
    plain = text.encode("ascii", "replace").decode()
    pen.text(place, plain, INK, font=ImageFont.load_default(size))
