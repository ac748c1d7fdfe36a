"""A table of text by columns, from CSV, Parquet or Excel, whatever the columns mean."""

from __future__ import annotations

import codecs
import csv
import hashlib
import io
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path
from typing import Final, Protocol

from fundoscope import limits
from fundoscope.data.files import parquet, workbook
from fundoscope.errors import TableError
from fundoscope.quoting import shown
from fundoscope.regular import size_of

Line = tuple[int, list[str]]
"""The first line of a row of a CSV file (the header being line 1), or the number of a row of a
workbook, and its cells."""

DELIMITERS: Final = ",;\t"
WORKBOOKS: Final = (*workbook.SUFFIXES, *workbook.FOREIGN)
"""Suffixes of the files of spreadsheet programs."""
WESTERN: Final = re.compile(r"(?:[\x01-\x7f]|(?<![^\x00-\x7f]{2})[À-ÖØ-öø-ÿŒœŠšŽžŸ€°§²³µ])*")
"""Text of a western language: letters with accents stand alone or in pairs."""
UTF_8: Final = "utf-8-sig"
"""UTF-8, with or without a byte-order mark."""
WIDE_MARKS: Final = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
"""Byte-order marks of UTF-16, which Windows calls "Unicode"."""
HEAD: Final = 64
"""Bytes at the beginning of a table that show UTF-16 without a mark: a header is mostly ASCII."""
SEPARATOR: Final = re.compile(r'"?sep=(.)"?[ ,;\t]*(?:\r\n|\r|\n)', re.IGNORECASE)
"""A first line that tells Excel what separates the cells."""
ZIP: Final = b"PK\x03\x04"
"""The first bytes of a workbook, whatever its name."""

BLOCK: Final = 256
"""Rows that are turned into columns at a time: few enough for the processor's cache and to keep the
garbage collector idle, which halves the time compared with 10,000."""


class CsvReader(Protocol):
    """The type that ``csv.reader`` returns, which has no public name."""

    @property
    def line_num(self) -> int:
        """Lines read so far."""

    def __iter__(self) -> Iterator[list[str]]:
        """The rows."""

    def __next__(self) -> list[str]:
        """The next row."""


@dataclass(frozen=True, slots=True)
class Table:
    """A table in memory.

    Attributes:
        path: the file it was read from.
        cells: the columns in order: name and cells, stripped of blanks, all of the same length.
        lines: the line of each row in the file (the header being line 1), or the number of the row
            in a Parquet file or a workbook.
        sha256: of the bytes of the file.
    """

    path: Path
    cells: Mapping[str, Sequence[str]]
    lines: Sequence[int]
    sha256: str

    @property
    def columns(self) -> tuple[str, ...]:
        """The names of the columns, in order, each once."""
        return tuple(self.cells)

    @property
    def rows(self) -> tuple[tuple[int, dict[str, str]], ...]:
        """The rows: line, and cells by column."""
        names = self.columns
        rows = zip(self.lines, zip(*self.cells.values(), strict=True), strict=True)
        return tuple((line, dict(zip(names, cells, strict=True))) for line, cells in rows)

    def place(self, row: int, column: str) -> str:
        """The place of a cell, for errors.

        Args:
            row: from 0, in the order of ``lines``.
            column: the name of the column.
        """
        return place(self.path, self.lines[row], column)


def place(path: Path, line: int, column: str) -> str:
    """The place of a cell in a file, for errors: ``labels.csv, line 3, column grade``."""
    return f"{path.name}, {_line_or_row(path)} {line}, column {column}"


def _line_or_row(path: Path) -> str:
    return "row" if parquet.is_parquet(path) or workbook.is_workbook(path) else "line"


def read_table(path: str | Path, *, required: tuple[str, ...], delimiter: str = "") -> Table:
    """Read a table with a header.

    Blank lines are skipped, and so are columns without name and cells, which spreadsheets write at
    the end of each line, and a first column without name that numbers the rows, which pandas and R
    write. A required column may also be written in capitals.

    Args:
        path: CSV in UTF-8, UTF-16 or Windows' Latin alphabet, or Parquet if its name ends in
            ``.parquet`` or ``.pq``, or the first sheet of a workbook of Excel if it ends in
            ``.xlsx`` or ``.xlsm``.
        required: columns that the header must have.
        delimiter: between the cells of a CSV file; by default that of Excel's first line
            ``sep=;``, else the comma, semicolon or tab that occurs most often in the header.

    Raises:
        TableError: the file cannot be read, is empty, too large or not a table, lacks a required
            column, repeats one, or a row has too many or too few cells.
        MissingExtraError: the file is Parquet or a workbook, and the extra [evaluate] or [excel] is
            not installed.
    """
    path = Path(path)
    workbook.reject_foreign(path)
    data = read_bytes(path)
    if parquet.is_parquet(path):
        cells = parquet.read_cells(path.name, data)
        lines: Sequence[int] = range(1, 1 + len(next(iter(cells.values()), ())))
        _require_names(list(cells), required, path.name)
    elif workbook.is_workbook(path):
        lines, cells = _read_workbook(path.name, data, required)
    else:
        lines, cells = _read_csv(path.name, data, required, delimiter)
    if not lines:
        raise TableError(path.name, "has no rows below its header", "list at least one photograph")
    return Table(path, cells, lines, hashlib.sha256(data).hexdigest())


def read_bytes(path: Path) -> bytes:
    """The bytes of the file of a table.

    Raises:
        TableError: it cannot be read, is empty, or is too large.
    """
    try:
        size = size_of(path)
        if size > limits.MAX_TABLE_BYTES:
            raise TableError(
                path.name,
                f"has {size / 2**20:.0f} MiB, more than {limits.MAX_TABLE_BYTES // 2**20}",
                "split it into smaller tables",
            )
        data = path.read_bytes()
    except FileNotFoundError:
        raise TableError(path.name, "does not exist", "check the path of the table") from None
    except OSError as error:
        raise TableError(
            path.name,
            f"cannot be read ({error.strerror})",
            "check its permissions, or name another",
        ) from None
    if not data.strip():
        raise TableError(path.name, "is empty", "write a header and a row for each photograph")
    return data


def decoded(title: str, data: bytes) -> str:
    """The text of the bytes of a table, without byte-order mark.

    Args:
        title: the name of the file, for errors.
        data: the bytes.

    Raises:
        TableError: it is neither UTF-8 nor a western text in Windows' or ISO's Latin alphabet.
    """
    if data.startswith(ZIP):
        raise TableError(
            title, "is a workbook or archive, not text", "save it as CSV UTF-8 and try again"
        )
    encoding = _encoding(data)
    try:
        return data.decode(encoding)
    except UnicodeDecodeError as error:
        # Python's "cp1252" is strict, and "latin-1" reads anything: a text of another alphabet
        # would become letters without sense.
        text = data.decode("cp1252", "replace")
        if encoding == UTF_8 and WESTERN.fullmatch(text):
            return text
        raise TableError(
            title, f"is not UTF-8 text (byte {error.start})", "save it as CSV in UTF-8"
        ) from None


def _encoding(data: bytes) -> str:
    """UTF-16 if its mark is there or the header has a zero beside most letters; else UTF-8."""
    if data.startswith(WIDE_MARKS):
        return "utf-16"
    even, odd = data[:HEAD:2], data[1:HEAD:2]
    if odd.count(0) > len(odd) / 2 and 0 not in even:
        return "utf-16-le"
    return "utf-16-be" if even.count(0) > len(even) / 2 and 0 not in odd else UTF_8


def _delimiter(text: str) -> str:
    """The delimiter that occurs most often in the header."""
    header = text.lstrip().partition("\n")[0]
    return max(DELIMITERS, key=header.count)


def _read_csv(
    title: str, data: bytes, required: tuple[str, ...], delimiter: str
) -> tuple[Sequence[int], dict[str, Sequence[str]]]:
    text = decoded(title, data)
    stated = SEPARATOR.match(text)
    above = 0 if stated is None else 1
    if stated is not None:
        text, delimiter = text[stated.end() :], delimiter or stated[1]
    delimiter = delimiter or _delimiter(text)
    ends = text.count("\n") + text.count("\r") - text.count("\r\n")
    if ends > limits.MAX_TABLE_LINES:
        why = f"has more than {limits.MAX_TABLE_LINES} lines"
        raise TableError(title, why, "remove its blank lines, or split it into tables")
    if ends + text.count(delimiter) > limits.MAX_TABLE_CELLS:
        raise TableError(
            title, f"has more than {limits.MAX_TABLE_CELLS} cells", "split it into tables"
        )
    stream = io.StringIO(text, newline="")
    reader = csv.reader(stream, strict=True, delimiter=delimiter)
    try:
        return _table_of(_csv_lines(reader, above), required, f"{title}, line")
    except csv.Error as error:
        raise TableError(
            f"{title}, line {reader.line_num}", f"is not CSV ({error})", "save it as CSV again"
        ) from None


def _csv_lines(reader: CsvReader, above: int) -> Iterator[Line]:
    """The rows of a CSV file, of which ``above`` lines were left out at the top."""
    line = 1
    for cells in reader:
        if cells or line == 1:
            yield above + line, cells
        line = reader.line_num + 1


def _read_workbook(
    title: str, data: bytes, required: tuple[str, ...]
) -> tuple[Sequence[int], dict[str, Sequence[str]]]:
    lines = workbook.read_rows(title, data)
    header = next(lines, (1, []))
    # A workbook does not store the blank cells at the end of a row.
    filled = ((line, cells + [""] * (len(header[1]) - len(cells))) for line, cells in lines)
    return _table_of(chain([header], filled), required, f"{title}, row")


def _table_of(
    rows: Iterator[Line], required: tuple[str, ...], where: str
) -> tuple[Sequence[int], dict[str, Sequence[str]]]:
    """The lines and columns of a table, the first row being its header.

    Args:
        rows: with cells as they were written.
        required: columns that the header must have.
        where: the file, and what its rows are called, for errors.
    """
    first, header = next(rows, (1, []))
    names = _as_required([name.strip() for name in header], required)
    _require_names(names, required, f"{where} {first}")
    lines, columns = _by_column(_rows(rows, len(names), where), len(names))
    if names and not names[0] and _numbers_rows(columns[0]):
        columns[0] = [""] * len(lines)
    _require_nameless_blank(where, names, columns, lines)
    named = zip(names, columns, strict=True)
    return lines, {name: cells for name, cells in named if name}


def _as_required(names: list[str], required: tuple[str, ...]) -> list[str]:
    """The header with required names for those that differ only in capitals."""
    wanted = {name.casefold(): name for name in required if name not in names}
    return [wanted.pop(name.casefold(), name) for name in names]


def _numbers_rows(cells: Sequence[str]) -> bool:
    """Whether cells are different whole numbers: the index that pandas and R write in front."""
    return all(cell.isdecimal() for cell in cells) and len(set(cells)) == len(cells)


def _require_names(names: Sequence[str], required: tuple[str, ...], where: str) -> None:
    if len(names) > limits.MAX_TABLE_COLUMNS:
        raise TableError(
            where, f"has more than {limits.MAX_TABLE_COLUMNS} columns", "leave some out"
        )
    for name in required:
        if name not in names:
            existing = shown(", ".join(filter(None, names)), limits.MAX_NAME_CHARACTERS)
            raise TableError(
                where,
                f"has no column {name} (it has: {existing})",
                f"name the columns {' and '.join(required)} in the header",
            )
    for name in filter(None, names):
        if names.count(name) > 1:
            raise TableError(
                f"{where}, column {name}",
                f"appears {names.count(name)} times",
                "give every column its own name",
            )


def _rows(rows: Iterator[Line], width: int, where: str) -> Iterator[Line]:
    """The rows that are not blank, each with as many cells as the header."""
    count = 0
    for line, cells in rows:
        if any(map(str.strip, cells)):
            count += 1
            if count > limits.MAX_TABLE_ROWS:
                why = f"the table has more than {limits.MAX_TABLE_ROWS} rows"
                raise TableError(f"{where} {line}", why, "split it into tables")
            if len(cells) != width:
                cells = _fitted(cells, width, f"{where} {line}")
            yield line, cells


def _fitted(cells: list[str], width: int, where: str) -> list[str]:
    """A row cut to the length of the header, if only blank cells are lost."""
    if len(cells) < width or any(map(str.strip, cells[width:])):
        raise TableError(
            where,
            f"has {len(cells)} cells where the header has {width}",
            "put quotes around cells that hold commas",
        )
    return cells[:width]


def _by_column(rows: Iterator[Line], width: int) -> tuple[list[int], list[list[str]]]:
    lines: list[int] = []
    columns: list[list[str]] = [[] for _ in range(width)]
    while block := list(islice(rows, BLOCK)):
        lines.extend(line for line, _ in block)
        by_column = zip(*(cells for _, cells in block), strict=True)
        for column, cells in zip(columns, by_column, strict=True):
            column.extend(map(str.strip, cells))
    return lines, columns


def _require_nameless_blank(
    where: str, names: Sequence[str], columns: Sequence[Sequence[str]], lines: Sequence[int]
) -> None:
    for number, (name, cells) in enumerate(zip(names, columns, strict=True), start=1):
        if not name and any(cells):
            line = next(line for line, cell in zip(lines, cells, strict=True) if cell)
            raise TableError(
                f"{where} {line}, column {number}",
                "has a cell, but the header gives the column no name",
                "name the column in the first line, or empty the cell",
            )
