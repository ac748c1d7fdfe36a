"""Boxes of lesions on a picture: thin lines around each lesion, with or without labels."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from fundoscope.geometry import Affine, Box
from fundoscope.kinds import KINDS, OPTIC_DISC, Colour
from fundoscope.report.wording import SHORT_NAMES

if TYPE_CHECKING:
    from fundoscope.reading import Lesion, OpticDisc

OTHER_LESION: Final[Colour] = (230, 159, 0)
"""Okabe and Ito's orange, for a kind that is not in :data:`fundoscope.kinds.KINDS`."""
EDGE: Final[Colour] = (0, 0, 0)
"""Colour along each line, so that it shows on bright exudates and on dark haemorrhages."""
EDGE_STRENGTH: Final = 130
"""Of 255. A darker edge would hide the colour of thin lines on a reduced picture."""

MARGIN: Final = 2
"""Pixels of the picture between a box and its line, so that the lesion's own edge stays visible."""
SMALLEST: Final = 12
"""Side of the smallest frame in pixels, so that the line does not hide a microaneurysm."""
LARGE: Final = 60
"""From this side on, in pixels, a frame has a thicker line, visible on the whole picture."""
LINE, LARGE_LINE = 1, 2
"""Widths of lines in pixels, without their edges."""
DASHES: Final = 36
"""Number of dashes of the ring around the optic disc."""

TYPE: Final = 11
"""Size of a label in pixels."""
WHITE: Final = 255
CROWDED: Final = 8
"""Cost of covering another label; that of covering a lesion's frame is 1."""

Frame = tuple[int, int, int, int]
"""First column, first row, last column and last row of a line, in pixels."""


@dataclass(frozen=True, slots=True)
class Framed:
    """The frame, colour and label that are drawn for one lesion."""

    frame: Frame
    colour: Colour
    label: str

    @property
    def line(self) -> int:
        """Width of the line in pixels."""
        x0, y0, x1, y1 = self.frame
        return LARGE_LINE if min(x1 - x0, y1 - y0) >= LARGE else LINE


def colour_of(kind: str) -> Colour:
    """Choose the colour of a kind of lesion, known or not."""
    known = KINDS.get(kind)
    return OTHER_LESION if known is None else known.colour


def draw(
    picture: Image.Image,
    lesions: Sequence[Lesion],
    disc: OpticDisc,
    to_picture: Affine,
    *,
    font: ImageFont.FreeTypeFont | None = None,
) -> None:
    """Draw boxes around lesions, and a dashed ring around the optic disc.

    Args:
        picture: RGB; it is changed.
        lesions: with boxes in the photograph's pixels.
        disc: of the same photograph, found or not.
        to_picture: map from the photograph's pixels to the picture's.
        font: of the labels (kind and score); without it there are no labels.
    """
    framed = [_framed(lesion, to_picture) for lesion in lesions]
    # Large frames first, and all edges before all lines, so that small lesions lie on top.
    framed.sort(key=lambda lesion: -_area(lesion.frame))
    ring = None if disc.box is None else _grown(_frame(to_picture.box(disc.box)), 1)
    edges = Image.new("L", picture.size)
    shade = ImageDraw.Draw(edges)
    for lesion in framed:
        shade.rectangle(_grown(lesion.frame, 1), outline=EDGE_STRENGTH)
    _dashed(shade, ring, grown=1, fill=EDGE_STRENGTH)
    picture.paste(EDGE, mask=edges)
    pen = ImageDraw.Draw(picture)
    _dashed(pen, ring, grown=0, fill=OPTIC_DISC.colour)
    for lesion in framed:
        pen.rectangle(lesion.frame, outline=lesion.colour, width=lesion.line)
    if font is not None:
        _labels(pen, picture.size, [*framed, *_disc_label(disc, to_picture)], font)


def _framed(lesion: Lesion, to_picture: Affine) -> Framed:
    short = SHORT_NAMES.get(lesion.kind, lesion.kind)
    frame = _frame(to_picture.box(lesion.box))
    return Framed(frame, colour_of(lesion.kind), f"{short} {lesion.score:.2f}")


def _disc_label(disc: OpticDisc, to_picture: Affine) -> Iterator[Framed]:
    if disc.box is not None and disc.score is not None:
        label = f"{SHORT_NAMES[OPTIC_DISC.key]} {disc.score:.2f}"
        yield Framed(_frame(to_picture.box(disc.box)), OPTIC_DISC.colour, label)


def _frame(box: Box) -> Frame:
    x0, x1 = _sides(box[0], box[2])
    y0, y1 = _sides(box[1], box[3])
    return (x0, y0, x1, y1)


def _sides(low: float, high: float) -> tuple[int, int]:
    """Place two opposite lines :data:`MARGIN` beyond the box, at least :data:`SMALLEST` apart."""
    more = max(MARGIN, (SMALLEST - (high - low)) / 2)
    return round(low - more) - 1, round(high + more)


def _grown(frame: Frame, by: int) -> Frame:
    x0, y0, x1, y1 = frame
    return (x0 - by, y0 - by, x1 + by, y1 + by)


def _area(frame: Frame) -> int:
    return (frame[2] - frame[0]) * (frame[3] - frame[1])


def _dashed(
    pen: ImageDraw.ImageDraw, ring: Frame | None, *, grown: int, fill: int | Colour
) -> None:
    """Draw a dashed ring in a frame, widened on both sides by ``grown`` pixels."""
    if ring is None:
        return
    step, width = 360 / DASHES, LARGE_LINE + 2 * grown
    for number in range(DASHES):
        start = number * step
        pen.arc(_grown(ring, grown), start, start + step / 2, fill=fill, width=width)


def _labels(
    pen: ImageDraw.ImageDraw,
    size: tuple[int, int],
    framed: Sequence[Framed],
    font: ImageFont.FreeTypeFont,
) -> None:
    """Write each label where it covers the fewest lesions and, above all, other labels."""
    covered = np.zeros((size[1], size[0]), np.uint8)
    for lesion in framed:
        if lesion.line == LINE:  # a large frame has room for labels inside
            x0, y0, x1, y1 = (max(side, 0) for side in lesion.frame)
            covered[y0 : y1 + 1, x0 : x1 + 1] = 1
    for lesion in framed:
        width, height = round(font.getlength(lesion.label)) + 2, TYPE + 1
        x, y = min(
            _places(lesion.frame, width, height, size),
            key=lambda at: int(covered[at[1] : at[1] + height, at[0] : at[0] + width].sum()),
        )
        covered[y : y + height, x : x + width] = CROWDED
        at, colour = (x + 1, y + TYPE), _paler(lesion.colour)
        pen.text(at, lesion.label, colour, font, "ls", stroke_width=1, stroke_fill=EDGE)


def _paler(colour: Colour) -> Colour:
    """Mix a colour with white: small letters of a dark colour cannot be read on their dark edge."""
    red, green, blue = colour
    return ((red + WHITE) // 2, (green + WHITE) // 2, (blue + WHITE) // 2)


def _places(
    frame: Frame, width: int, height: int, size: tuple[int, int]
) -> Iterator[tuple[int, int]]:
    """List places for a label around a frame, the best first, all within the picture."""
    x0, y0, x1, y1 = _grown(frame, 2)
    above, below, left, right = y0 - height, y1 + 1, x0 - width, x1 + 1
    middle = (y0 + y1 - height) // 2
    for x, y in (
        (x0, above),
        (x0, below),
        (right, middle),
        (left, middle),
        (x1 - width, above),
        (x1 - width, below),
        (right, above),
        (left, below),
        (right, below),
        (left, above),
    ):
        yield min(max(x, 0), max(size[0] - width, 0)), min(max(y, 0), max(size[1] - height, 0))
