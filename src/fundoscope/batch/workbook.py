"""``readings.xlsx``: the columns of ``summary.csv`` as a workbook, written by XlsxWriter.

The header stays in view, columns are as wide as their texts, and the rows of referable and of
ungraded photographs stand out by colour and by a word. Texts are stored as texts: no program takes
one for a formula, a number or a date. XlsxWriter belongs to the extra [excel].
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from fundoscope.batch.summary import NOT_GRADED, NUMBERS, REFER, YES
from fundoscope.report.wording import DISCLAIMER

MOST_ROWS: Final = 1_048_575
"""Photographs in a workbook: the rows of a sheet in Excel but for the header."""
SHEET: Final = "readings"
NARROWEST, WIDEST = 6, 60
"""Widths of columns in characters; longer texts are wrapped."""
MARGIN: Final = 3
"""Characters of a column beside its text: the arrow of the filter covers some."""
MADE: Final = datetime(2000, 1, 1)
"""The date inside every workbook, so that equal readings give equal files."""
HEADER: Final = {"bold": True, "bg_color": "#D9E1F2", "bottom": 1, "text_wrap": True}
CELL: Final = {"text_wrap": True, "valign": "top"}
ROWS: Final = {
    YES: {"bg_color": "#FCE4D6", "bold": True},
    NOT_GRADED: {"bg_color": "#FFF2CC", "italic": True},
}
"""The look of rows by their cell in the column "Refer": black on these has a contrast above 16:1,
and bold and italic letters show on a print without colours."""


def write(rows: Iterable[Sequence[str]], path: Path) -> None:
    """Write a workbook with one sheet.

    Args:
        rows: the headings, then at most :data:`MOST_ROWS` rows.
        path: of the file, in a folder that also takes temporary files.

    Raises:
        OSError: it cannot be written.
    """
    import xlsxwriter
    from xlsxwriter.exceptions import FileCreateError

    with tempfile.TemporaryDirectory(dir=path.parent, ignore_cleanup_errors=True) as temporary:
        options = {"constant_memory": True, "tmpdir": temporary, "use_zip64": True}
        book = xlsxwriter.Workbook(path, options)
        book.set_properties({"title": "Readings of fundoscope", "created": MADE})
        try:
            _fill(book, iter(rows))
            book.close()
        except FileCreateError as error:  # It holds the error of the system.
            raise error.args[0] from None


def _fill(book: Any, rows: Iterable[Sequence[str]]) -> None:
    sheet = book.add_worksheet(SHEET)
    looks = {refer: book.add_format(CELL | look) for refer, look in ROWS.items()}
    plain, heading = book.add_format(CELL), book.add_format(HEADER)
    names: Sequence[str] = ()
    widths: list[int] = []
    last = 0
    for last, cells in enumerate(rows):
        if not names:
            names, look = cells, heading
            widths = [max(map(len, name.split())) for name in names]
        else:
            look = looks.get(cells[names.index(REFER)], plain)
            widths = [max(width, len(text)) for width, text in zip(widths, cells, strict=True)]
        for column, text in enumerate(cells):
            if text.isdecimal() and names[column] in NUMBERS:
                sheet.write_number(last, column, int(text), look)
            else:
                sheet.write_string(last, column, text, look)
    for column, width in enumerate(widths):
        sheet.set_column(column, column, min(max(width + MARGIN, NARROWEST), WIDEST))
    _lay_out(sheet, last, len(widths) - 1)


def _lay_out(sheet: Any, last_row: int, last_column: int) -> None:
    """Freeze and filter the header, and have the sheet printed in its width."""
    sheet.freeze_panes(1, 0)
    sheet.autofilter(0, 0, last_row, last_column)
    sheet.set_landscape()
    sheet.repeat_rows(0)
    sheet.fit_to_pages(1, 0)
    sheet.set_footer(f"&L{DISCLAIMER}&R&P / &N")
