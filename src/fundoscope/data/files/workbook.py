"""Tables in Excel's workbooks, read by openpyxl, which the extra [excel] installs."""

from __future__ import annotations

import importlib.util
import io
import re
import warnings
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, datetime
from itertools import zip_longest
from pathlib import Path
from typing import Any, Final

from fundoscope import limits
from fundoscope.errors import MissingExtraError, TableError
from fundoscope.quoting import shown

SUFFIXES: Final = (".xlsx", ".xlsm")
FOREIGN: Final = (".xls", ".ods", ".numbers")
"""Suffixes of workbooks that are not read."""
LOCK: Final = "~$"
"""The beginning of the name of the file that Excel keeps beside a workbook while it is open."""
SAVE_AS_CSV: Final = "open it in the spreadsheet program, choose Save As, and save it as CSV UTF-8"
MAX_ROWS: Final = 1_048_576
"""Rows of a sheet in Excel."""
SMALL: Final = 8 * 2**20
"""Bytes that a workbook may always have, unpacked."""
FORMULA, ERROR = "f", "e"
"""Types of cells, as openpyxl names them."""
MERGED: Final = re.compile(
    rb"""<(?:\w+:)?mergeCell\s[^<>]*?ref\s*=\s*["']([A-Z]{1,3}\d{1,7}:[A-Z]{1,3}\d{1,7})["']"""
)
"""The element of a sheet that merges cells, such as ``C2:C3``."""
VISIBLE: Final = "visible"
"""The state of a sheet that a person sees."""


@dataclass(slots=True)
class _Merged:
    """Cells that are merged with those below, such as a patient's name beside both of the eyes.

    The file has the content in the first of them only.

    Attributes:
        starts: by first row: column, from 0, and last row.
        open: by column: last row and content of the cells that the current row may belong to.
    """

    starts: dict[int, list[tuple[int, int]]]
    open: dict[int, tuple[int, str]] = field(default_factory=dict)

    def begin(self, number: int, texts: list[str]) -> None:
        """Note the contents of the cells that begin in a row."""
        for column, last in self.starts.get(number, ()):
            self.open[column] = last, texts[column] if column < len(texts) else ""

    def fill(self, number: int, texts: list[str]) -> None:
        """Put contents from above into a row, unless it is blank without them."""
        for column, (last, text) in list(self.open.items()):
            if number > last:
                del self.open[column]
            elif texts and text:
                texts += [""] * (column + 1 - len(texts))
                texts[column] = texts[column] or text


def is_workbook(path: Path) -> bool:
    """Whether a file is a workbook of Excel, by its suffix."""
    return path.suffix.lower() in SUFFIXES


def reject_foreign(path: Path) -> None:
    """Reject a workbook of a kind that is not read.

    Raises:
        TableError: it is one; the message says how to store it as CSV.
    """
    if path.suffix.lower() in FOREIGN:
        raise TableError(path.name, "is a workbook, not a table of text", SAVE_AS_CSV)


def read_rows(title: str, data: bytes) -> Iterator[tuple[int, list[str]]]:
    """The rows of the first sheet that is not hidden as text, without the blank ones.

    A formula counts by its stored result. Below the first row, cells that are merged downwards have
    their content in each row. Whole numbers get no decimal point, Boolean values become
    1 and 0, dates have the form 2026-11-29.

    Args:
        title: the name of the file, for errors.
        data: its bytes.

    Yields:
        The number of a row from 1, as the program shows it, and its cells up to the last one that
        is not blank.

    Raises:
        TableError: it is not a workbook, is damaged or too large, or a cell holds an error or a
            formula without a result.
        MissingExtraError: openpyxl is not installed.
    """
    _require_archive(title, data)
    if importlib.util.find_spec("openpyxl") is None:
        raise MissingExtraError(title, "excel", otherwise=SAVE_AS_CSV)
    blanks, is_header = 0, True
    try:
        results, formulas = _first_sheet(data, results=True), _first_sheet(data, results=False)
        merged = _merged(data, results)
        for number, (values, cells) in enumerate(
            zip_longest(results.iter_rows(), formulas.iter_rows(), fillvalue=()), start=1
        ):
            if not values and not cells and number <= MAX_ROWS:
                continue
            texts = _texts(f"{title}, row {number}", values, cells)
            blanks += len(values) - len(texts)
            too_wide = len(texts) > limits.MAX_TABLE_COLUMNS or blanks > limits.MAX_WORKBOOK_BLANKS
            if number > MAX_ROWS or too_wide:
                raise TableError(title, "has too many rows or columns", "split it into tables")
            if texts:
                merged.fill(number, texts)
                if not is_header:
                    merged.begin(number, texts)
                is_header = False
                yield number, texts
    except TableError:
        raise
    except Exception as error:  # noqa: BLE001 (of the archive, the XML, or openpyxl's own)
        raise TableError(
            title, f"is not a workbook or is damaged ({shown(error)})", SAVE_AS_CSV
        ) from None


def _require_archive(title: str, data: bytes) -> None:
    """Check that the archive opens, and its size once unpacked."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            unpacked = sum(member.file_size for member in archive.infolist())
    except (zipfile.BadZipFile, ValueError, RuntimeError):  # encrypted, or an unknown version
        raise TableError(
            title, "is not a workbook, is damaged or has a password", SAVE_AS_CSV
        ) from None
    most = min(limits.MAX_WORKBOOK_BYTES, limits.MAX_TABLE_BYTES)
    if unpacked > most:
        raise TableError(
            title, f"has more than {most // 2**20} MiB unpacked", "save it as CSV UTF-8"
        )
    if unpacked > max(limits.MAX_WORKBOOK_RATIO * len(data), SMALL):
        raise TableError(title, "unpacks to far more than a workbook of its size", SAVE_AS_CSV)


def _first_sheet(data: bytes, *, results: bool) -> Any:
    """The first sheet that is not hidden, as openpyxl's, of results or of formulas."""
    import openpyxl

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # They are about colours and drop-down lists.
        book = openpyxl.load_workbook(io.BytesIO(data), read_only=True, data_only=results)
    shown_sheets = [sheet for sheet in book.worksheets if sheet.sheet_state == VISIBLE]
    sheet = (shown_sheets or book.worksheets)[0]
    sheet.reset_dimensions()  # Some programs write wrong ones, by which cells would be lost.
    return sheet


def _merged(data: bytes, sheet: Any) -> _Merged:
    """The cells of a sheet that are merged with those below.

    openpyxl knows them only when it holds the whole sheet in memory, so they are read here.
    """
    from openpyxl.utils import range_boundaries

    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        content = archive.read(sheet._worksheet_path)  # It has no public name.
    starts: dict[int, list[tuple[int, int]]] = {}
    for match in MERGED.finditer(content):
        column, first, _, last = range_boundaries(match[1].decode())
        if last > first:
            starts.setdefault(first, []).append((column - 1, last))
    return _Merged(starts)


def _texts(where: str, values: tuple[Any, ...], cells: tuple[Any, ...]) -> list[str]:
    texts = []
    for number, (value, cell) in enumerate(zip(values, cells, strict=True), start=1):
        content = value.value
        if value.data_type == ERROR:
            raise TableError(
                f"{where}, column {number}",
                f"holds the error {shown(content)}",
                "correct its formula, or empty the cell",
            )
        if content is None and cell.data_type == FORMULA:
            raise TableError(
                f"{where}, column {number}",
                "holds a formula without a result",
                "open the workbook in the spreadsheet program and save it",
            )
        texts.append(_text(content))
    while texts and not texts[-1].strip():
        texts.pop()
    return texts


def _text(content: object) -> str:
    if content is None:
        return ""
    if isinstance(content, bool):
        return str(int(content))
    if isinstance(content, float) and content.is_integer():
        return str(int(content))
    if isinstance(content, datetime):
        at_midnight = content == datetime(content.year, content.month, content.day)
        return content.date().isoformat() if at_midnight else content.isoformat(" ")
    return content.isoformat() if isinstance(content, date) else str(content)
