"""Tables in Parquet, read by polars, which the extra [evaluate] installs."""

from __future__ import annotations

import importlib.util
import io
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from fundoscope import limits
from fundoscope.errors import MissingExtraError, TableError

if TYPE_CHECKING:
    import polars as pl

SUFFIXES: Final = (".parquet", ".pq")


def is_parquet(path: Path) -> bool:
    """Whether a file is Parquet, by its suffix."""
    return path.suffix.lower() in SUFFIXES


def read_cells(title: str, data: bytes) -> dict[str, Sequence[str]]:
    """The columns of a Parquet file as text.

    Whole numbers get no decimal point, even in a column of fractions (a column of grades with a
    missing one); Boolean values become 1 and 0, missing values empty text.

    Args:
        title: the name of the file, for errors.
        data: its bytes.

    Returns:
        Column name to cells, stripped of blanks, in the order of the file.

    Raises:
        TableError: it is not Parquet, is damaged or too large, or a column holds lists.
        MissingExtraError: polars is not installed.
    """
    polars = _polars("a label table in Parquet")
    try:
        rows = polars.scan_parquet(io.BytesIO(data)).select(polars.len()).collect().item()
        _require_bounds(title, rows, len(polars.read_parquet_schema(io.BytesIO(data))))
        frame = polars.read_parquet(io.BytesIO(data))
    except _failures(polars) as error:
        reason = str(error).partition("\n")[0]
        raise TableError(
            title, f"is not Parquet or is damaged ({reason})", "write it again"
        ) from None
    return {name: _as_text(title, frame.get_column(name)) for name in frame.columns}


def to_bytes(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> bytes:
    """A Parquet file of text columns.

    Raises:
        MissingExtraError: polars is not installed.
    """
    polars = _polars("a label table in Parquet")
    schema = dict.fromkeys(columns, polars.String)
    buffer = io.BytesIO()
    polars.DataFrame(rows, schema=schema, orient="row").write_parquet(buffer)
    return buffer.getvalue()


def _polars(feature: str) -> Any:
    if importlib.util.find_spec("polars") is None:
        raise MissingExtraError(feature, "evaluate")
    import polars as pl

    return pl


def _failures(polars: Any) -> tuple[type[BaseException], ...]:
    # A damaged file may also make its Rust code panic, which is not an Exception.
    return (polars.exceptions.PolarsError, polars.exceptions.PanicException, OSError, ValueError)


def _require_bounds(title: str, rows: int, columns: int) -> None:
    if rows > limits.MAX_TABLE_ROWS:
        raise TableError(
            title, f"has more than {limits.MAX_TABLE_ROWS} rows", "split it into tables"
        )
    if columns > limits.MAX_TABLE_COLUMNS:
        raise TableError(
            title, f"has more than {limits.MAX_TABLE_COLUMNS} columns", "leave some out"
        )


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
    return column.cast(pl.String).fill_null("").str.strip_chars().to_list()
