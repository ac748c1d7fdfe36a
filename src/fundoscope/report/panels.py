"""The header and the footer of a reading's picture."""

from __future__ import annotations

import unicodedata
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Final

from PIL import Image, ImageDraw, ImageFont

from fundoscope.kinds import KINDS, Colour
from fundoscope.report.wording import (
    DISCLAIMER,
    certainty,
    grade_in_words,
    not_assessed,
    why_not_graded,
)

if TYPE_CHECKING:
    from fundoscope.reading import Grade, Reading

GROUND: Final[Colour] = (18, 20, 24)
TEXT: Final[Colour] = (240, 240, 240)
QUIET: Final[Colour] = (176, 180, 188)
FAINT: Final[Colour] = (92, 97, 106)
CALM: Final[Colour] = (86, 180, 233)
ALERT: Final[Colour] = (230, 159, 0)
"""Okabe and Ito's sky blue and orange; the words say the same, so nothing hangs on colour."""
OTHER_LESION: Final[Colour] = ALERT

MARGIN: Final = 20
LARGE, MEDIUM, SMALL = 32, 20, 16
"""Sizes of type in pixels."""
LEADING: Final = 1.4
"""From line to line, in sizes of type."""
BAR, BAR_GAP, BAR_HEIGHT = 34, 14, 56
"""The five bars of probability, in pixels."""
BARS_WIDTH: Final = 5 * BAR + 4 * BAR_GAP
BARS_CAPTION: Final = "probability of each grade"
LABEL_GAP: Final = 6
"""Between a bar and the numbers above and below it, in pixels."""
BARS_HEIGHT: Final = BAR_HEIGHT + 3 * (SMALL + LABEL_GAP)
SWATCH: Final = 12
"""Side of the square that shows the colour of a kind of lesion, in pixels."""


@dataclass(frozen=True, slots=True)
class Line:
    """A line of text, with a square in ``swatch`` colour before it where there is one."""

    text: str
    size: int
    colour: Colour
    swatch: Colour | None = None


def header(reading: Reading, width: int) -> Image.Image:
    """The strip above the photograph: the grade, whether to refer, and the five probabilities."""
    cause = why_not_graded(reading)
    if cause is not None:
        sentence = f"The photograph {cause.reason}: {cause.remedy}."
        return _panel([Line("Not graded", LARGE, TEXT), Line(sentence, MEDIUM, TEXT)], width)
    room = width - 3 * MARGIN - BARS_WIDTH
    lines = [Line(_plain(line.text), line.size, line.colour) for line in _graded(reading.grade)]
    panel = Image.new("RGB", (width, 2 * MARGIN + BARS_HEIGHT), GROUND)
    pen, y = ImageDraw.Draw(panel), float(MARGIN)
    for line in lines:
        pen.text((MARGIN, y), line.text, line.colour, _fitting(line.text, line.size, room))
        y += line.size * LEADING
    _bars(pen, reading.grade, width - MARGIN - BARS_WIDTH)
    return panel


def _graded(grade: Grade) -> Iterator[Line]:
    sure, referable = certainty(grade), grade.referable
    yield Line(grade_in_words(grade.icdr or 0), LARGE, TEXT)
    if referable is not None:
        verdict = "Referable: yes" if referable.positive else "Referable: no"
        against = f"probability {referable.probability:.0%}, threshold {referable.threshold:.0%}"
        yield Line(f"{verdict} ({against})", MEDIUM, ALERT if referable.positive else CALM)
    if sure is not None:
        yield Line(f"Certainty of this grade: {sure:.0%}", MEDIUM, QUIET)


def _bars(pen: ImageDraw.ImageDraw, grade: Grade, left: int) -> None:
    """A bar for each grade's probability, its share above and the grade below."""
    font = _font(SMALL)
    bottom = MARGIN + SMALL + LABEL_GAP + BAR_HEIGHT
    for icdr, probability in enumerate(grade.probabilities or ()):
        x = left + icdr * (BAR + BAR_GAP)
        given = icdr == grade.icdr
        top = bottom - max(1, round(probability * BAR_HEIGHT))
        pen.rectangle((x, top, x + BAR, bottom), TEXT if given else FAINT)
        colour, middle = TEXT if given else QUIET, x + BAR / 2
        pen.text((middle, top - LABEL_GAP), f"{probability:.0%}", colour, font, anchor="ms")
        pen.text((middle, bottom + LABEL_GAP), str(icdr), colour, font, anchor="mt")
    caption = (left + BARS_WIDTH / 2, bottom + SMALL + 2 * LABEL_GAP)
    pen.text(caption, BARS_CAPTION, QUIET, font, anchor="mt")


def footer(reading: Reading, width: int) -> Image.Image:
    """The strip below the photograph: lesions, warnings, what was not looked at, and its origin."""
    return _panel(list(_notes(reading)), width)


def _notes(reading: Reading) -> Iterator[Line]:
    if not reading.field.found:
        yield Line("No field of view was found, so none is outlined.", SMALL, ALERT)
    for warning in reading.warnings:
        yield Line(f"Note: {warning}.", SMALL, ALERT)
    for kind, count in Counter(lesion.kind for lesion in reading.lesions).most_common():
        known = KINDS.get(kind)
        name, colour = (known.name, known.colour) if known is not None else (kind, OTHER_LESION)
        yield Line(f"{name}: {count}", SMALL, TEXT, swatch=colour)
    yield Line(f"Not assessed: {', '.join(not_assessed(reading))}.", SMALL, QUIET)
    photo = reading.photo
    origin = f"{photo.name or 'photograph'} ({photo.width} x {photo.height}, {photo.sha256[:8]})"
    yield Line(f"{origin}. {reading.software}.", SMALL, QUIET)
    yield Line(f"{DISCLAIMER[0].upper()}{DISCLAIMER[1:]}.", SMALL, TEXT)


def _panel(lines: list[Line], width: int) -> Image.Image:
    """A strip with these lines below one another, wrapped where they are too long."""
    placed: list[tuple[float, str, Line]] = []
    y = float(MARGIN)
    for line in lines:
        for text in _wrapped(_plain(line.text), _font(line.size), width - 2 * MARGIN):
            placed.append((y, text, line))
            y += line.size * LEADING
    panel = Image.new("RGB", (width, round(y) + MARGIN), GROUND)
    pen = ImageDraw.Draw(panel)
    for y, text, line in placed:
        x = float(MARGIN)
        if line.swatch is not None:
            pen.rectangle((x, y + 2, x + SWATCH, y + 2 + SWATCH), line.swatch)
            x += SWATCH + LABEL_GAP
        pen.text((x, y), text, line.colour, _font(line.size))
    return panel


@cache
def _font(size: int) -> ImageFont.FreeTypeFont:
    font = ImageFont.load_default(size)
    if not isinstance(font, ImageFont.FreeTypeFont):
        raise TypeError("this Pillow was built without FreeType and can draw no text")
    return font


def _fitting(text: str, size: int, room: float) -> ImageFont.FreeTypeFont:
    """The font of ``size``, or the largest smaller one in which ``text`` fits into ``room``."""
    while size > SMALL and _font(size).getlength(text) > room:
        size -= 1
    return _font(size)


def _plain(text: str) -> str:
    """``text`` in the letters that Pillow's font has: accents go, other scripts become ``?``."""
    parts = unicodedata.normalize("NFKD", text)
    bare = (c for c in parts if not unicodedata.combining(c))
    return "".join(c if " " <= c <= "~" else "?" for c in bare)


def _wrapped(text: str, font: ImageFont.FreeTypeFont, room: float) -> Iterator[str]:
    """Lines of whole words that fit; a word that is too long is broken."""
    line = ""
    for word in text.split(" "):
        longer = f"{line} {word}" if line else word
        if font.getlength(longer) <= room:
            line = longer
            continue
        if line:
            yield line
        line = word
        while font.getlength(line) > room:
            kept = _fitting_start(line, font, room)
            yield line[:kept]
            line = line[kept:]
    if line:
        yield line


def _fitting_start(text: str, font: ImageFont.FreeTypeFont, room: float) -> int:
    """How many characters of ``text`` fit into ``room``; at least one."""
    longer = range(2, len(text) + 1)
    return 1 + bisect_right(longer, room, key=lambda count: font.getlength(text[:count]))
