"""Write a report as Markdown: the tables and sentences; a plot is given by its text."""

from __future__ import annotations

from fundoscope.evaluate.report import prevalence
from fundoscope.evaluate.report.document import (
    Block,
    Calculator,
    Paragraph,
    Picture,
    Report,
    Table,
)


def render(report: Report) -> str:
    """Write the whole report."""
    parts = [f"# {report.title}"]
    for section in report.sections:
        parts += [f"## {section.title}", *map(_block, section.blocks)]
    return "\n\n".join(parts) + "\n"


def _block(block: Block) -> str:
    match block:
        case Paragraph(text):
            return text
        case Table():
            return _table(block)
        case Picture(caption, alt, _, _):
            return f"{caption} {alt}"
        case Calculator():
            return _table(prevalence.table(block))


def _table(table: Table) -> str:
    lines = [table.columns, ("---",) * len(table.columns), *table.rows]
    written = [f"| {' | '.join(_cell(cell) for cell in line)} |" for line in lines]
    return "\n".join([f"**{table.caption}**", "", *written])


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")
