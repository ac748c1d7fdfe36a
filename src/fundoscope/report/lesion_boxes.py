"""Boxes of lesions on a picture: a frame around each lesion, with or without labels."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from fundoscope.geometry import Affine, Box
from fundoscope.kinds import KINDS, OPTIC_DISC, Colour
from fundoscope.report.kind_names import SHORT_NAMES

if TYPE_CHECKING:
    from fundoscope.reading import Lesion, OpticDisc

OTHER_LESION: Final[Colour] = (255, 176, 64)
"""An orange, for a kind that is not in :data:`fundoscope.kinds.KINDS`."""
EDGE: Final[Colour] = (0, 0, 0)
"""Colour along both sides of each line. Retina whose relative luminance (WCAG) is above 0.1 has at
least 3:1 to it; darker retina has that to the colours, because theirs is above 0.4."""

MARGIN: Final = 2
"""Pixels of the picture between a box and its line, so that the lesion's own edge stays visible."""
SMALLEST: Final = 14
"""Side of the smallest frame in pixels, so that the line does not hide a microaneurysm."""
LARGE: Final = 60
"""From this side on, in pixels, a frame has a thicker line, visible on the whole picture."""
PICTURE_PER_LINE: Final = 800
"""Width of a picture over that of its lines: 1 pixel below 1,200, 2 up to 2,000, then 3."""
DASHES: Final = 36
"""Number of dashes of the ring around the optic disc."""

TYPE: Final = 11
"""Size of a label in pixels beside lines of one pixel."""
WHITE: Final = 255
CROWDED: Final = 8
"""Cost of covering another label; that of covering a lesion's frame is 1."""

Frame = tuple[int, int, int, int]
"""First column, first row, last column and last row of a line, in pixels."""
Style = tuple[tuple[float, float], ...]
"""The drawn parts of each side of a frame, from 0 (its first corner) to 1 (its second)."""

WHOLE: Final[Style] = ((0.0, 1.0),)
CORNERS: Final[Style] = ((0.0, 0.3), (0.7, 1.0))
SIDES: Final[Style] = ((0.25, 0.75),)
DASHED: Final[Style] = ((0.0, 0.2), (0.4, 0.6), (0.8, 1.0))
STYLES: Final = {
    "microaneurysm": WHOLE,
    "haemorrhage": CORNERS,
    "hard_exudate": SIDES,
    "soft_exudate": DASHED,
}
"""The frames of the four usual kinds, so that nobody has to distinguish colours. They are parts of
a side, not dashes of a length, because the smallest frames have 16 pixels. All other kinds have a
whole frame, with their abbreviation beside it."""


@dataclass(frozen=True, slots=True)
class Framed:
    """The frame, colour and label that are drawn for one lesion."""

    frame: Frame
    colour: Colour
    label: str
    style: Style = WHOLE
    abbreviation: str = ""

    @property
    def is_large(self) -> bool:
        """Whether its line is thicker."""
        x0, y0, x1, y1 = self.frame
        return min(x1 - x0, y1 - y0) >= LARGE


def line_of(width: int) -> int:
    """Width of the lines on a picture of ``width`` pixels, in pixels."""
    return max(1, round(width / PICTURE_PER_LINE))


def type_of(width: int) -> int:
    """Size of labels on a picture of ``width`` pixels, in pixels."""
    return round(TYPE * (1 + line_of(width)) / 2)


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
    labels: bool = True,
) -> None:
    """Draw frames around lesions, and a dashed ring around the optic disc.

    Args:
        picture: RGB; it is changed.
        lesions: with boxes in the photograph's pixels.
        disc: of the same photograph, found or not.
        to_picture: map from the photograph's pixels to the picture's.
        font: of the labels; without it there is no text.
        labels: whether each lesion has a label (kind and score). If not, only kinds without a
            style of their own have their abbreviation.
    """
    line = line_of(picture.width)
    framed = [_framed(lesion, to_picture) for lesion in lesions]
    # Large frames first, so that small lesions lie on top; all edges before all lines.
    framed.sort(key=lambda lesion: -_area(lesion.frame))
    ring = None if disc.box is None else _grown(_frame(to_picture.box(disc.box)), 1)
    pen = ImageDraw.Draw(picture)
    for lesion in framed:
        width = line + lesion.is_large
        pen.rectangle(_grown(lesion.frame, width), outline=EDGE, width=width + 2)
    _dashed(pen, ring, line + 1, grown=1, fill=EDGE)
    _dashed(pen, ring, line + 1, grown=0, fill=OPTIC_DISC.colour)
    for lesion in framed:
        _styled(pen, lesion, line + lesion.is_large)
    if font is None:
        return
    texts = [*framed, *_disc_label(disc, to_picture)] if labels else _unstyled(framed)
    _labels(pen, picture.size, texts, font)


def sample(kind: str, side: int) -> Image.Image:
    """A frame of a kind, for a legend.

    Args:
        kind: a key of :data:`fundoscope.kinds.KINDS`, or another.
        side: of the sample in pixels.
    """
    picture = Image.new("RGB", (side, side), EDGE)
    line = max(1, side // 8)
    # Lines grow outwards, so the frame lies as far inside as they are wide.
    frame = (line, line, side - 1 - line, side - 1 - line)
    framed = Framed(frame, colour_of(kind), "", STYLES.get(kind, WHOLE))
    _styled(ImageDraw.Draw(picture), framed, line)
    return picture


def _styled(pen: ImageDraw.ImageDraw, lesion: Framed, line: int) -> None:
    """Draw the parts of a frame that its style has; lines grow outwards from the frame."""
    if lesion.style == WHOLE:
        pen.rectangle(_grown(lesion.frame, line - 1), outline=lesion.colour, width=line)
        return
    x0, y0, x1, y1 = _grown(lesion.frame, line - 1)
    for start, end in lesion.style:
        left, right = round(x0 + start * (x1 - x0)), round(x0 + end * (x1 - x0))
        top, bottom = round(y0 + start * (y1 - y0)), round(y0 + end * (y1 - y0))
        for box in (
            (left, y0, right, y0 + line - 1),
            (left, y1 - line + 1, right, y1),
            (x0, top, x0 + line - 1, bottom),
            (x1 - line + 1, top, x1, bottom),
        ):
            pen.rectangle(box, fill=lesion.colour)


def _unstyled(framed: Sequence[Framed]) -> list[Framed]:
    """The lesions whose frame does not show their kind, labelled with its abbreviation."""
    return [replace(lesion, label=lesion.abbreviation) for lesion in framed if lesion.abbreviation]


def _framed(lesion: Lesion, to_picture: Affine) -> Framed:
    short = SHORT_NAMES.get(lesion.kind, lesion.kind)
    frame = _frame(to_picture.box(lesion.box))
    style = STYLES.get(lesion.kind)
    label, colour = f"{short} {lesion.score:.2f}", colour_of(lesion.kind)
    return Framed(frame, colour, label, style or WHOLE, "" if style else short)


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
    pen: ImageDraw.ImageDraw, ring: Frame | None, line: int, *, grown: int, fill: Colour
) -> None:
    """Draw a dashed ring in a frame, widened on both sides by ``grown`` pixels."""
    if ring is None:
        return
    step, width = 360 / DASHES, line + 2 * grown
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
    tall = round(font.size)
    covered = np.zeros((size[1], size[0]), np.uint8)
    for lesion in framed:
        if not lesion.is_large:  # a large frame has room for labels inside
            x0, y0, x1, y1 = (max(side, 0) for side in lesion.frame)
            covered[y0 : y1 + 1, x0 : x1 + 1] = 1
    for lesion in framed:
        width, height = round(font.getlength(lesion.label)) + 2, tall + 1
        x, y = min(
            _places(lesion.frame, width, height, size),
            key=lambda at: int(covered[at[1] : at[1] + height, at[0] : at[0] + width].sum()),
        )
        covered[y : y + height, x : x + width] = CROWDED
        at, colour = (x + 1, y + tall), _paler(lesion.colour)
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
