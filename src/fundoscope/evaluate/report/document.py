"""The content of a report, apart from how it is written: as HTML or as Markdown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from fundoscope.evaluate.intervals import Figure


@dataclass(frozen=True, slots=True)
class Paragraph:
    """A paragraph of plain text."""

    text: str


@dataclass(frozen=True, slots=True)
class Table:
    """A table; the first cell of a row is its header.

    Attributes:
        caption: what it shows.
        columns: the header row.
        rows: of as many cells.
    """

    caption: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True)
class Picture:
    """A plot or a photograph.

    Attributes:
        caption: a sentence below it.
        alt: what it shows, for those who cannot see it, with its main numbers.
        media: ``image/svg+xml`` or ``image/jpeg``.
        data: the bytes of the file.
    """

    caption: str
    alt: str
    media: str
    data: bytes


@dataclass(frozen=True, slots=True)
class Calculator:
    """What referral means at another prevalence, from sensitivity and specificity.

    Attributes:
        name: of the evaluation.
        sensitivity, specificity: 0 to 1, of the referable call at the bundle's threshold.
    """

    name: str
    sensitivity: float
    specificity: float


Block = Paragraph | Table | Picture | Calculator


@dataclass(frozen=True, slots=True)
class Section:
    """A part of the report with a title."""

    title: str
    blocks: tuple[Block, ...]


@dataclass(frozen=True, slots=True)
class Report:
    """The whole report.

    Attributes:
        title: of the page.
        sections: in order.
    """

    title: str
    sections: tuple[Section, ...]


def figure_cell(figure: Figure) -> str:
    """Write a figure for a table: its value and interval, or why there is none."""
    if figure.value is None:
        return f"not given: {figure.reason}"
    if figure.low is None or figure.high is None:
        return f"{figure.in_words()}, no interval: {figure.reason}"
    return figure.in_words()


def without_empty(sections: Sequence[Section]) -> tuple[Section, ...]:
    """Leave out the sections that hold nothing."""
    return tuple(section for section in sections if section.blocks)
