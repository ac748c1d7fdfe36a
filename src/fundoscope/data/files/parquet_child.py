"""Reads a Parquet file in a process of its own: on some files the library ends its process.

The process gets the file on its standard input and answers on its standard output, as MessagePack.
Memory is bounded by what the file's own header says that it holds.
"""

from __future__ import annotations

import io
import sys
from typing import TYPE_CHECKING, Final

import msgspec

from fundoscope import limits
from fundoscope.errors import TableError

if TYPE_CHECKING:
    import polars as pl

BASE_BYTES: Final = 2**30
"""Address space for Python and polars, of which some 150 MB become memory."""
CELL_BYTES: Final = 400
"""For a cell: its text in polars, in Python and in the answer."""


class Answer(msgspec.Struct):
    """What became of a file.

    Attributes:
        cells: column name to cells, in the order of the file.
        error: of a table that is refused: the place, what is wrong, the remedy.
    """

    cells: dict[str, list[str]] = {}
    error: tuple[str, str, str] | None = None


class Bounds(msgspec.Struct):
    """Bounds on a table.

    Attributes:
        rows: of the table.
        columns: of the table.
        cells: rows times columns.
    """

    rows: int
    columns: int
    cells: int

    @classmethod
    def usual(cls) -> Bounds:
        """Those of :mod:`fundoscope.limits`."""
        return cls(limits.MAX_TABLE_ROWS, limits.MAX_TABLE_COLUMNS, limits.MAX_TABLE_CELLS)


def main(title: str, bounds: str) -> None:
    """Read the file on standard input and answer on standard output.

    Args:
        title: the name of the file, for errors.
        bounds: :class:`Bounds` as JSON.
    """
    limit_memory(0)
    data = sys.stdin.buffer.read()
    answer = answer_to(title, data, msgspec.json.decode(bounds, type=Bounds), limited=True)
    sys.stdout.buffer.write(msgspec.msgpack.encode(answer))


def answer_to(title: str, data: bytes, bounds: Bounds, *, limited: bool = False) -> Answer:
    """The answer to a file.

    Args:
        title: the name of the file, for errors.
        data: its bytes.
        bounds: on the table.
        limited: bound the memory of this process by the size of the table.
    """
    try:
        return Answer(cells=_cells(title, data, bounds, limited=limited))
    except TableError as error:
        return Answer(error=(error.what, error.why, error.remedy))


def limit_memory(cells: int) -> None:
    """Bound the address space of this process, where the system can.

    Args:
        cells: of the table that is to be read.
    """
    if sys.platform == "win32":  # pragma: no cover
        return
    import resource

    hard = resource.getrlimit(resource.RLIMIT_AS)[1]
    bound = BASE_BYTES + CELL_BYTES * cells
    resource.setrlimit(
        resource.RLIMIT_AS, (bound if hard == resource.RLIM_INFINITY else min(bound, hard), hard)
    )


def _cells(title: str, data: bytes, bounds: Bounds, *, limited: bool) -> dict[str, list[str]]:
    import polars as pl

    try:
        rows = pl.scan_parquet(io.BytesIO(data)).select(pl.len()).collect().item()
        columns = len(pl.read_parquet_schema(io.BytesIO(data)))
        _require_bounds(title, rows, columns, bounds)
        if limited:  # pragma: no cover (in the child only)
            limit_memory(rows * columns)
        frame = pl.read_parquet(io.BytesIO(data))
        return {name: _as_text(title, frame.get_column(name)) for name in frame.columns}
    except _failures() as error:
        reason = str(error).partition("\n")[0]
        raise TableError(
            title, f"is not Parquet or is damaged ({reason})", "write it again"
        ) from None


def _failures() -> tuple[type[BaseException], ...]:
    # A damaged file may also make its Rust code panic, which is not an Exception.
    import polars as pl

    return (
        *(pl.exceptions.PolarsError, pl.exceptions.PanicException),
        *(OSError, ValueError, MemoryError),
    )


def _require_bounds(title: str, rows: int, columns: int, bounds: Bounds) -> None:
    if rows > bounds.rows:
        raise TableError(title, f"has more than {bounds.rows} rows", "split it into tables")
    if columns > bounds.columns:
        raise TableError(title, f"has more than {bounds.columns} columns", "leave some out")
    if rows * columns > bounds.cells:
        raise TableError(title, f"has more than {bounds.cells} cells", "split it into tables")


def _as_text(title: str, column: pl.Series) -> list[str]:
    import polars as pl

    if column.dtype.is_nested() or column.dtype in (pl.Binary, pl.Object):
        raise TableError(
            f"{title}, column {column.name}",
            f"holds {column.dtype}, not text or numbers",
            "leave the column out",
        )
    if column.dtype == pl.Boolean:
        column = column.cast(pl.Int8)
    elif column.dtype.is_float() and (column.fill_nan(None).drop_nulls() % 1 == 0).all():
        column = column.fill_nan(None).cast(pl.Int64, strict=False)
    cells: list[str] = column.cast(pl.String).fill_null("").str.strip_chars().to_list()
    return cells
