"""A report as a PDF of one or two pages of A4, written by reportlab (the extra [report]).

Latin letters are set in Helvetica and all others in STSong-Light. Both are fonts that programs for
PDF files have, so none is embedded. A letter that neither has becomes a question mark.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from functools import cache, partial
from itertools import groupby
from typing import Any, Final, TypeVar
from xml.sax.saxutils import escape

from fundoscope.errors import MissingExtraError
from fundoscope.report.languages import Language
from fundoscope.report.paper.content import Bar, Eye, Report, Row
from fundoscope.report.paper.picture import sample

Item = TypeVar("Item")
LATIN, LATIN_BOLD, CHINESE = "Helvetica", "Helvetica-Bold", "STSong-Light"
LATIN_ENCODING, CHINESE_ENCODING = "cp1252", "gb2312"
"""The letters that these fonts have."""
MM: Final = 72 / 25.4
"""Points of a millimetre."""
A4: Final = (210 * MM, 297 * MM)
MARGIN, FOOT = 14 * MM, 16 * MM
FRAME: Final = 6.0
"""Points that reportlab keeps free inside of the margins."""
ROOM: Final = A4[0] - 2 * MARGIN
GAP: Final = 5 * MM
"""Between two columns."""
COLUMN: Final = (ROOM - GAP) / 2
"""Width of the column of one of two photographs."""
ALONE: Final = 0.58
"""Share of the width that the picture of a single photograph has; words stand at its side."""
TALLEST, TALLEST_ALONE = 78 * MM, 110 * MM
"""Of a picture, so that all fits onto a page."""
SMALL, TEXT, LARGE, TITLE = 7.0, 8.0, 11.5, 15.0
"""Sizes of type in points."""
NBSP: Final = "\u00a0"
LEADING: Final = 1.25
INK, QUIET, LINE = "#000000", "#404040", "#808080"
"""On white paper these have a contrast of 7:1 and more, but for lines."""
BARS: Final = 12 * MM
"""Height of the bar of a probability of 1."""
BAR_GAP: Final = 3 * MM
THINNEST: Final = 0.6
"""Points of the bar of a probability of 0."""
LABEL: Final = 3 * MM
"""Height of the numbers above and below the bars."""
SAMPLE, SAMPLE_PIXELS = 3.2 * MM, 28
"""Side of a frame in the legend: on paper, and of its picture."""
SIGNATURE: Final = 12 * MM
"""Height of the fields to be filled in by hand."""


def render(report: Report) -> bytes:
    """Write a report as a PDF file. Equal reports give equal bytes.

    Args:
        report: what it says.

    Raises:
        MissingExtraError: reportlab is not installed.
    """
    try:
        from reportlab.platypus import SimpleDocTemplate, Spacer
    except ImportError as error:
        raise MissingExtraError("a report as PDF", "report") from error
    stream = io.BytesIO()
    document = SimpleDocTemplate(
        stream,
        pagesize=A4,
        leftMargin=MARGIN - FRAME,
        rightMargin=MARGIN - FRAME,
        topMargin=MARGIN - FRAME,
        bottomMargin=FOOT - FRAME,
        title=report.language.say("paper.title"),
        author="",
        lang=report.language.code,
        invariant=1,
    )
    story = [*_head(report), Spacer(0, 2 * MM), _advice(report), Spacer(0, 3 * MM)]
    for pair in _pairs(report.eyes):
        story += [_eyes(pair, report.language), Spacer(0, 2 * MM)]
    story += [*_tail(report)]
    document.build(story, canvasmaker=_numbered(report.language))
    return stream.getvalue()


def _head(report: Report) -> Iterator[Any]:
    words = report.language
    yield _paragraph(words.say("paper.title"), TITLE, bold=True)
    yield _paragraph(words.say("paper.subtitle"), TEXT, colour=QUIET)
    if report.identity:
        named = f"{NBSP * 4} ".join(_named(row) for row in report.identity)
        yield _paragraph(named, TEXT + 1, marked=True)


def _advice(report: Report) -> Any:
    """The box with the next step of the patient."""
    words, advice = report.language, report.advice
    box = [
        _paragraph(f"{words.say('paper.next')}: {advice.title}", LARGE, bold=True),
        *(_paragraph(line, TEXT + 1) for line in advice.lines),
        *(_paragraph(line, TEXT) for line in advice.interval),
    ]
    return _table([[box]], [ROOM], [("BOX", (0, 0), (-1, -1), 1.2, INK), *_padding(2 * MM)])


def _eyes(eyes: Sequence[Eye], words: Language) -> Any:
    """The findings of one photograph, or of two beside each other."""
    if len(eyes) == 1:
        wide = (ROOM - GAP) * ALONE
        narrow = ROOM - GAP - wide
        left = [*_picture(eyes[0], (wide, TALLEST_ALONE)), *_findings(eyes[0], wide)]
        right = [*_title(eyes[0]), *_words(eyes[0], words, narrow), *_remarks(eyes[0], words)]
        return _table([[left, "", right]], [wide, GAP, narrow], _padding(0))
    parts = (
        _title,
        partial(_picture, room=(COLUMN, TALLEST)),
        partial(_words, words=words, width=COLUMN),
        partial(_findings, width=COLUMN),
        partial(_remarks, words=words),
    )
    rows = [[list(part(eyes[0])), "", list(part(eyes[1]))] for part in parts]
    return _table(rows, [COLUMN, GAP, COLUMN], _padding(0, below=1.2 * MM))


def _pairs(items: Sequence[Item]) -> Iterator[Sequence[Item]]:
    """The items two by two; the last may be alone."""
    for start in range(0, len(items), 2):
        yield items[start : start + 2]


def _title(eye: Eye) -> Iterator[Any]:
    yield _paragraph(eye.title, TEXT + 1, bold=True)
    verdict = f" · {eye.verdict}" if eye.verdict else ""
    yield _paragraph(f"{eye.grade}{verdict}", LARGE, bold=True)


def _picture(eye: Eye, room: tuple[float, float]) -> Iterator[Any]:
    """The picture, as large as the room allows, and where it comes from."""
    from reportlab.platypus import Image

    if eye.picture is not None:
        scale = min(room[0] / eye.picture.width, room[1] / eye.picture.height)
        size = (eye.picture.width * scale, eye.picture.height * scale)
        yield Image(io.BytesIO(eye.picture.jpeg), *size)
        yield _paragraph(eye.source, SMALL, colour=QUIET)


def _words(eye: Eye, words: Language, width: float) -> Iterator[Any]:
    """The probabilities as bars, then the findings in words."""
    if eye.bars:
        yield _paragraph(words.say("paper.probabilities"), SMALL, colour=QUIET)
        yield _bars(eye.bars, width)
    for row in eye.rows:
        yield _paragraph(_named(row), TEXT, marked=True)


def _findings(eye: Eye, width: float) -> Iterator[Any]:
    """The legend in two columns: a frame as on the picture, the kind and the count."""
    from reportlab.platypus import Image

    cells = [
        [
            Image(io.BytesIO(sample(finding.kind, SAMPLE_PIXELS)), SAMPLE, SAMPLE),
            _paragraph(finding.text, TEXT),
        ]
        for finding in eye.findings
    ]
    if cells:
        lines = [[part for cell in pair for part in cell] for pair in _pairs(cells)]
        lines[-1] += [""] * (4 - len(lines[-1]))
        icon = SAMPLE + 2 * MM
        yield _table(lines, [icon, width / 2 - icon] * 2, _padding(0.3 * MM))


def _remarks(eye: Eye, words: Language) -> Iterator[Any]:
    if eye.missing:
        row = Row(words.say("paper.not_assessed"), eye.missing)
        yield _paragraph(_named(row), SMALL, marked=True)
    if eye.notes:
        row = Row(words.say("paper.notes"), "; ".join(eye.notes))
        yield _paragraph(_named(row), SMALL, marked=True)


def _bars(bars: Sequence[Bar], width: float) -> Any:
    """A bar for each grade: the number below, the probability above."""
    from reportlab.graphics.shapes import Drawing, Rect, String
    from reportlab.lib.colors import HexColor

    drawing = Drawing(width, BARS + 2 * LABEL)
    wide = (width - (len(bars) - 1) * BAR_GAP) / len(bars)
    for place, bar in enumerate(bars):
        x, tall = place * (wide + BAR_GAP), max(THINNEST, bar.share * BARS)
        fill = HexColor(INK if bar.given else LINE)
        drawing.add(Rect(x, LABEL, wide, tall, fillColor=fill, strokeColor=None))
        font = LATIN_BOLD if bar.given else LATIN
        for y, text in ((LABEL + tall + THINNEST * 3, bar.short), (THINNEST, bar.name)):
            middle = x + wide / 2
            drawing.add(String(middle, y, text, fontName=font, fontSize=SMALL, textAnchor="middle"))
    return drawing


def _tail(report: Report) -> Iterator[Any]:
    from reportlab.platypus import KeepTogether, Spacer

    words = report.language
    yield _paragraph(words.say("paper.also"), SMALL)
    for row in report.models:
        yield _paragraph(_named(row), SMALL, marked=True)
    fields = ("paper.reader", "paper.own_grade", "paper.own_step", "paper.signed")
    cells = [[[_paragraph(words.say(key), SMALL, colour=QUIET)] for key in fields]]
    style = [("GRID", (0, 0), (-1, -1), 0.6, LINE), *_padding(1 * MM)]
    sheet = _table(cells, [ROOM / len(fields)] * len(fields), style, heights=[SIGNATURE])
    heading = _paragraph(words.say("paper.signature"), TEXT + 1, bold=True)
    yield KeepTogether([Spacer(0, 2 * MM), heading, Spacer(0, 1 * MM), sheet])


def _padding(side: float, *, below: float | None = None) -> list[tuple[Any, ...]]:
    """Style of a table: cells begin at the top, with the same padding all round, or more below."""
    whole = ((0, 0), (-1, -1))
    edges = ("LEFTPADDING", "RIGHTPADDING", "TOPPADDING")
    return [
        ("VALIGN", *whole, "TOP"),
        *((edge, *whole, side) for edge in edges),
        ("BOTTOMPADDING", *whole, side if below is None else below),
    ]


def _table(
    rows: list[list[Any]],
    widths: Sequence[float],
    style: list[tuple[Any, ...]],
    heights: Sequence[float] | None = None,
) -> Any:
    from reportlab.platypus import Table, TableStyle

    return Table(rows, widths, heights, style=TableStyle(style))


def _named(row: Row) -> str:
    """Mark-up of a row: its name in bold letters, then its text."""
    return f"{_fonts(row.name, bold=True)}: {_fonts(row.text)}"


def _paragraph(
    text: str, size: float, *, bold: bool = False, colour: str = INK, marked: bool = False
) -> Any:
    """A paragraph.

    Args:
        text: of it; with ``marked`` it is mark-up of :func:`_named`.
        size: of type, in points.
        bold: whether letters are bold.
        colour: of the letters.
        marked: whether the text is mark-up.
    """
    from reportlab.platypus import Paragraph

    content = text if marked else _fonts(text, bold=bold)
    return Paragraph(f'<font size="{size}" color="{colour}">{content}</font>', _style(size))


@cache
def _style(size: float) -> Any:
    from reportlab.lib.styles import ParagraphStyle
    from reportlab.pdfbase.cidfonts import UnicodeCIDFont
    from reportlab.pdfbase.pdfmetrics import registerFont

    registerFont(UnicodeCIDFont(CHINESE))
    return ParagraphStyle(
        f"text-{size}", fontName=LATIN, fontSize=size, leading=size * LEADING, splitLongWords=True
    )


def _fonts(text: str, *, bold: bool = False) -> str:
    """Mark-up of a text in which each letter has a font that knows it."""
    latin = LATIN_BOLD if bold else LATIN
    runs = groupby(text, _font_of)
    return "".join(
        f'<font name="{latin if font == LATIN else font}">{escape("".join(letters))}</font>'
        if font
        else "?"
        for font, letters in runs
    )


def _font_of(letter: str) -> str:
    """The font of a letter; ``""`` if neither has it."""
    for encoding, font in ((LATIN_ENCODING, LATIN), (CHINESE_ENCODING, CHINESE)):
        try:
            letter.encode(encoding)
        except UnicodeEncodeError:
            continue
        return font
    return ""


def _numbered(words: Language) -> Any:
    """The class of a canvas that writes the disclaimer and "page 1 of 2" onto each page."""
    from reportlab.pdfgen.canvas import Canvas

    class Numbered(Canvas):  # type: ignore[misc]
        """Keeps pages until their number is known."""

        def __init__(self, *given: Any, **named: Any) -> None:
            super().__init__(*given, **named)
            self._pages: list[dict[str, Any]] = []

        def showPage(self) -> None:  # noqa: N802
            self._pages.append(dict(self.__dict__))
            self._startPage()

        def save(self) -> None:
            for number, page in enumerate(list(self._pages), 1):
                self.__dict__.update(page)
                _foot(self, words, number, len(self._pages))
                super().showPage()
            super().save()

    return Numbered


def _foot(canvas: Any, words: Language, page: int, pages: int) -> None:
    """Write the last line of a page."""
    disclaimer = _paragraph(words.say("disclaimer"), TEXT, bold=True)
    number = _paragraph(words.say("paper.page", page=page, pages=pages), TEXT)
    line = _table(
        [[[disclaimer], [number]]],
        [ROOM - 22 * MM, 22 * MM],
        [*_padding(0), ("ALIGN", (1, 0), (1, 0), "RIGHT")],
    )
    line.wrapOn(canvas, ROOM, FOOT)
    line.drawOn(canvas, MARGIN, FOOT / 2)
