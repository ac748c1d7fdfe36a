"""The header and the footer of a reading's picture."""

from __future__ import annotations

import unicodedata
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cache
from typing import TYPE_CHECKING, Final

from PIL import Image, ImageDraw, ImageFont

from fundoscope.kinds import OPTIC_DISC, Colour
from fundoscope.reading import ESTIMATED
from fundoscope.report import grid
from fundoscope.report.heat import HEAT
from fundoscope.report.kind_names import SHORT_NAMES, kind_in_words
from fundoscope.report.lesion_boxes import colour_of, sample
from fundoscope.report.plausible import next_step_in_words, plausible_in_words
from fundoscope.report.wording import (
    DISCLAIMER,
    TOO_SMALL,
    NotAssessed,
    apart,
    certainty_in_words,
    grade_in_words,
    lesion_counts,
    listed,
    not_assessed,
    oedema_in_words,
    reader_needed,
    short_percent,
    verdict,
    why_not_assessed,
    why_not_graded,
    why_unlike_grade,
)

if TYPE_CHECKING:
    from fundoscope.reading import Grade, OpticDisc, Reading

GROUND: Final[Colour] = (18, 20, 24)
TEXT: Final[Colour] = (240, 240, 240)
QUIET: Final[Colour] = (176, 180, 188)
FAINT: Final[Colour] = (92, 97, 106)
CALM: Final[Colour] = (86, 180, 233)
ALERT: Final[Colour] = (230, 159, 0)
"""Okabe and Ito's sky blue and orange. The words say the same, so no one depends on the colour."""

MARGIN: Final = 20
LARGE, MEDIUM, SMALL = 32, 20, 16
"""Sizes of type. All measures here are in units of the design: one pixel on a page of ordinary
width, more on a wider one."""
LEADING: Final = 1.4
"""Distance from line to line, as a multiple of the size of type."""
BAR, BAR_GAP, BAR_HEIGHT = 34, 14, 56
"""Width, distance and height of the five bars of probability."""
BARS_WIDTH: Final = 5 * BAR + 4 * BAR_GAP
BARS_CAPTION: Final = "probability of each grade"
INDEPENDENT: Final = "The grade and the lesion boxes come from separate networks."
HEAT_EXPLAINED: Final = "what speaks for a referable grade, by the grader's network (coarse)"
LABEL_GAP: Final = 6
"""Distance between a bar and the numbers above and below it."""
BARS_HEIGHT: Final = BAR_HEIGHT + 3 * (SMALL + LABEL_GAP)
SWATCH: Final = 12
"""Side of the square that shows the colour of a kind of lesion."""


@dataclass(frozen=True, slots=True)
class Line:
    """A line of text, after a square of colour ``swatch`` or a frame of ``kind`` if given."""

    text: str
    size: int
    colour: Colour
    swatch: Colour | None = None
    kind: str | None = None


class Strip:
    """A strip of the page while it is drawn; all measures are in units of the design."""

    def __init__(self, width: float, height: float, scale: float) -> None:
        """Start an empty strip.

        Args:
            width: of the strip.
            height: of the strip.
            scale: pixels per unit.
        """
        size = (round(width * scale), round(height * scale))
        self.picture = Image.new("RGB", size, GROUND)
        self._pen = ImageDraw.Draw(self.picture)
        self._scale = scale

    def text(
        self, x: float, y: float, text: str, size: int, colour: Colour, anchor: str = "la"
    ) -> None:
        """Write ``text`` at a place; ``anchor`` is Pillow's."""
        font = font_of(round(size * self._scale))
        self._pen.text((x * self._scale, y * self._scale), text, colour, font, anchor=anchor)

    def fill(self, x0: float, y0: float, x1: float, y1: float, colour: Colour) -> None:
        """Fill a box with a colour."""
        self._pen.rectangle([round(side * self._scale) for side in (x0, y0, x1, y1)], colour)

    def sample(self, x: float, y: float, side: float, kind: str) -> None:
        """Draw a frame of a kind of lesion."""
        drawn = sample(kind, round(side * self._scale))
        self.picture.paste(drawn, (round(x * self._scale), round(y * self._scale)))


def header(reading: Reading, width: int, scale: float = 1.0) -> Image.Image:
    """Draw the strip above the photograph: grade, whether referable, and the five probabilities.

    Args:
        reading: of the photograph.
        width: of the strip in pixels.
        scale: pixels per unit of the design.
    """
    units = width / scale
    cause = why_not_graded(reading)
    if cause is not None:
        sentence = f"The photograph {cause.reason}: {cause.remedy}."
        lines = [Line("Not graded", LARGE, TEXT), Line(sentence, MEDIUM, TEXT)]
        return _panel(lines, units, scale)
    room = units - 3 * MARGIN - BARS_WIDTH
    lines = [replace(line, size=_fitting(line.text, line.size, room)) for line in _graded(reading)]
    placed, bottom = _placed(lines, room)
    strip = Strip(units, max(round(bottom), MARGIN + BARS_HEIGHT) + MARGIN, scale)
    for y, text, line in placed:
        strip.text(MARGIN, y, text, line.size, line.colour)
    _bars(strip, reading.grade, units - MARGIN - BARS_WIDTH)
    return strip.picture


def _graded(reading: Reading) -> Iterator[Line]:
    grade = reading.grade
    certain, referable, unlike = certainty_in_words(grade), grade.referable, why_unlike_grade(grade)
    if referable is not None:
        said = verdict(referable)
        colour = ALERT if referable.positive else CALM
        yield Line(f"{said[0].upper()}{said[1:]}", LARGE, colour)
    named = grade_in_words(grade.icdr or 0)
    yield Line(f"{named}, certainty {certain}" if certain else named, MEDIUM, TEXT)
    if unlike:
        yield Line(f"{unlike[0].upper()}{unlike[1:]}", SMALL, ALERT)
    elif referable is not None:
        has, limit = apart(referable.probability, referable.threshold)
        yield Line(f"Moderate or worse: {has}; referable from {limit} on", SMALL, QUIET)
    following, likely = next_step_in_words(reading), plausible_in_words(grade)
    if likely and "plausible" not in following:
        following = f"{likely}; {following}" if following else likely
    if following:
        yield Line(f"{following[0].upper()}{following[1:]}", SMALL, QUIET)


def _bars(strip: Strip, grade: Grade, left: float) -> None:
    """Draw a bar for each grade's probability, with the probability above and the grade below."""
    bottom = MARGIN + SMALL + LABEL_GAP + BAR_HEIGHT
    for icdr, probability in enumerate(grade.probabilities or ()):
        x = left + icdr * (BAR + BAR_GAP)
        given = icdr == grade.icdr
        top = bottom - max(1, round(probability * BAR_HEIGHT))
        strip.fill(x, top, x + BAR, bottom, TEXT if given else FAINT)
        colour, middle = TEXT if given else QUIET, x + BAR / 2
        strip.text(middle, top - LABEL_GAP, short_percent(probability), SMALL, colour, "ms")
        strip.text(middle, bottom + LABEL_GAP, str(icdr), SMALL, colour, "mt")
    below = bottom + SMALL + 2 * LABEL_GAP
    strip.text(left + BARS_WIDTH / 2, below, BARS_CAPTION, SMALL, QUIET, "mt")


def footer(
    reading: Reading,
    width: int,
    scale: float = 1.0,
    *,
    labels: bool = False,
    quadrants: bool = False,
) -> Image.Image:
    """Draw the strip below the photograph: lesions, warnings, what was not assessed, and the file.

    Args:
        reading: of the photograph.
        width: of the strip in pixels.
        scale: pixels per unit of the design.
        labels: whether the boxes are labelled; the legend then explains the abbreviations.
        quadrants: whether quadrants and grid are drawn; where they are doubtful, a line says so.
    """
    lines = list(_notes(reading, labels=labels, quadrants=quadrants))
    return _panel(lines, width / scale, scale)


def _notes(reading: Reading, *, labels: bool = False, quadrants: bool = False) -> Iterator[Line]:
    if not reading.field.found:
        yield Line("No field of view was found, so none is outlined.", SMALL, ALERT)
    yield from _legend(reading, labels=labels)
    if quadrants and reading.field.found and (doubt := grid.doubt(reading.anatomy)):
        yield Line(doubt, SMALL, ALERT)
    if reading.heat is not None:
        yield Line(HEAT_EXPLAINED, SMALL, TEXT, swatch=HEAT)
    if reading.lesions:
        yield Line(INDEPENDENT, SMALL, QUIET)
    for sentence in reader_needed(reading):
        yield Line(f"{sentence[0].upper()}{sentence[1:]}.", SMALL, ALERT)
    if oedema := oedema_in_words(reading):
        yield Line(f"{oedema[0].upper()}{oedema[1:]}.", SMALL, ALERT)
    for warning in reading.warnings:
        yield Line(f"Note: {warning}.", SMALL, ALERT)
    if missing := not_assessed(reading):
        yield Line(f"Not assessed: {listed(missing)}.", SMALL, QUIET)
    photo = reading.photo
    origin = f"{photo.name or 'photograph'} ({photo.width} x {photo.height}, {photo.sha256[:8]})"
    yield Line(f"{origin}. {reading.software}.", SMALL, QUIET)
    yield Line(f"{DISCLAIMER[0].upper()}{DISCLAIMER[1:]}.", SMALL, TEXT)


def _legend(reading: Reading, *, labels: bool) -> Iterator[Line]:
    """List each kind that was assessed, then those that the photograph is too small for."""
    withheld = {lesions.kind: lesions.withheld for lesions in reading.lesion_summary}
    for kind, count in lesion_counts(reading).items():
        doubtful = withheld.get(kind)
        none = f"none drawn, {doubtful} possible" if doubtful else "none found"
        text = f"{_name(kind, labels=labels)}: {count or none}"
        yield Line(text, SMALL, TEXT if count else QUIET, swatch=colour_of(kind), kind=kind)
    for lesions in reading.lesion_summary:
        if lesions.reason == TOO_SMALL:
            missing = NotAssessed("not assessed", why_not_assessed(lesions))
            yield Line(f"{_name(lesions.kind, labels=labels)}: {missing}", SMALL, QUIET)
    yield from _disc(reading.anatomy.disc, labels=labels)


def _disc(disc: OpticDisc, *, labels: bool) -> Iterator[Line]:
    if disc.found:
        text = f"{_name(OPTIC_DISC.key, labels=labels, count=1)} (dashed)"
        yield Line(text, SMALL, TEXT, swatch=OPTIC_DISC.colour)
    elif disc.state == ESTIMATED:
        yield Line(f"{OPTIC_DISC.name}: its place is only estimated", SMALL, QUIET)
    elif disc.found is not None:
        yield Line(f"{OPTIC_DISC.name}: not found", SMALL, QUIET)


def _name(kind: str, *, labels: bool, count: int = 0) -> str:
    """Name a kind, with its abbreviation where the boxes are labelled."""
    name, short = kind_in_words(kind, count), SHORT_NAMES.get(kind)
    return f"{name} ({short})" if labels and short else name


def _panel(lines: list[Line], units: float, scale: float) -> Image.Image:
    """Draw a strip with these lines below one another, wrapped where they are too long."""
    placed, bottom = _placed(lines, units - 2 * MARGIN)
    strip = Strip(units, round(bottom) + MARGIN, scale)
    for y, text, line in placed:
        x = float(MARGIN)
        if line.swatch is not None:
            if line.kind is None:
                strip.fill(x, y + 2, x + SWATCH, y + 2 + SWATCH, line.swatch)
            else:
                strip.sample(x, y + 1, SWATCH + 2, line.kind)
            x += SWATCH + LABEL_GAP
        strip.text(x, y, text, line.size, line.colour)
    return strip.picture


def _placed(lines: Iterable[Line], room: float) -> tuple[list[tuple[float, str, Line]], float]:
    """Wrap lines below one another: the height, text and line of each; and where they end."""
    placed: list[tuple[float, str, Line]] = []
    y = float(MARGIN)
    for line in lines:
        for text in _wrapped(_plain(line.text), font_of(line.size), room):
            placed.append((y, text, line))
            y += line.size * LEADING
    return placed, y


@cache
def font_of(size: int) -> ImageFont.FreeTypeFont:
    """Load Pillow's own font in a size in pixels."""
    font = ImageFont.load_default(size)
    if not isinstance(font, ImageFont.FreeTypeFont):
        raise TypeError(
            "this Pillow was built without FreeType and cannot draw text; install a usual build"
        )
    return font


def _fitting(text: str, size: int, room: float) -> int:
    """Take ``size`` of type, or the largest smaller one in which ``text`` fits into ``room``.

    It is never below :data:`SMALL`, so the text may still have to be wrapped.
    """
    while size > SMALL and font_of(size).getlength(text) > room:
        size -= 1
    return size


def _plain(text: str) -> str:
    """Reduce ``text`` to the letters of Pillow's font: accents go, other scripts become ``?``."""
    parts = unicodedata.normalize("NFKD", text)
    bare = (c for c in parts if not unicodedata.combining(c))
    return "".join(c if " " <= c <= "~" else "?" for c in bare)


def _wrapped(text: str, font: ImageFont.FreeTypeFont, room: float) -> Iterator[str]:
    """Break text into lines of whole words; a word that is too long is split."""
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
    """Count the characters of ``text`` that fit into ``room``; at least one."""
    longer = range(2, len(text) + 1)
    return 1 + bisect_right(longer, room, key=lambda count: font.getlength(text[:count]))
