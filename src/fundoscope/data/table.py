"""A CSV table as text: header and rows, with the line of each row; what they mean is not here."""

from __future__ import annotations

import csv
import hashlib
import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from fundoscope import limits
from fundoscope.errors import TableError


class CsvReader(Protocol):
    """What ``csv.reader`` returns; its own type has no public name."""

    @property
    def line_num(self) -> int:
        """Lines read so far."""

    def __iter__(self) -> Iterator[list[str]]:
        """Row by row."""


@dataclass(frozen=True, slots=True)
class Table:
    """A table in memory.

    Attributes:
        path: the file it was read from.
        columns: the header, in order, each name once.
        rows: line in the file (the header being line 1) and cells by column, stripped of blanks.
        sha256: of the file's bytes.
    """

    path: Path
    columns: tuple[str, ...]
    rows: tuple[tuple[int, dict[str, str]], ...]
    sha256: str


def read_table(path: str | Path, *, required: tuple[str, ...]) -> Table:
    """Read a CSV file in UTF-8 with a header; empty lines are passed over.

    Args:
        path: the file.
        required: columns that the header must have.

    Raises:
        TableError: the file cannot be read, is empty, too large or no CSV, lacks a required
            column, names one twice, or a row has too many or too few cells.
    """
    path = Path(path)
    data = _bytes(path)
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise TableError(
            path.name, f"is not UTF-8 text (byte {error.start})", "save it as CSV in UTF-8"
        ) from None
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        columns = _header(next(reader, []), required, path.name)
        rows = tuple(_rows(reader, columns, path.name))
    except csv.Error as error:
        raise TableError(
            f"{path.name}, line {reader.line_num}", f"is not CSV ({error})", "save it as CSV again"
        ) from None
    if not rows:
        raise TableError(path.name, "has no rows below its header", "list at least one photograph")
    return Table(path, columns, rows, hashlib.sha256(data).hexdigest())


def _bytes(path: Path) -> bytes:
    try:
        size = path.stat().st_size
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
            path.name, f"cannot be read ({error.strerror})", "name a CSV file that you may read"
        ) from None
    if not data.strip():
        raise TableError(path.name, "is empty", "write a header and a row for each photograph")
    return data


def _header(names: list[str], required: tuple[str, ...], title: str) -> tuple[str, ...]:
    columns = tuple(name.strip() for name in names)
    for name in required:
        if name not in columns:
            there = ", ".join(columns)[: limits.MAX_NAME_CHARACTERS]
            raise TableError(
                f"{title}, line 1",
                f"has no column {name} (it has: {there})",
                f"name the columns {' and '.join(required)} in the first line, between commas",
            )
    for name in columns:
        if columns.count(name) > 1:
            raise TableError(
                f"{title}, line 1, column {name or '(no name)'}",
                f"appears {columns.count(name)} times",
                "give every column a name of its own",
            )
    return columns


def _rows(
    reader: CsvReader, columns: tuple[str, ...], title: str
) -> Iterator[tuple[int, dict[str, str]]]:
    line, count = reader.line_num + 1, 0
    for cells in reader:
        if any(cell.strip() for cell in cells):
            count += 1
            if count > limits.MAX_TABLE_ROWS:
                raise TableError(
                    title, f"has more than {limits.MAX_TABLE_ROWS} rows", "split it into tables"
                )
            if len(cells) != len(columns):
                raise TableError(
                    f"{title}, line {line}",
                    f"has {len(cells)} cells where the header has {len(columns)}",
                    "put quotes around cells that hold commas",
                )
            yield line, dict(zip(columns, map(str.strip, cells), strict=True))
        line = reader.line_num + 1
