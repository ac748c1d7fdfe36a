"""Tables in Parquet, read by polars, which the extra [evaluate] installs.

They are read in a process of their own, because polars ends its process on some damaged files.
"""

from __future__ import annotations

import importlib.util
import io
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from fundoscope import limits
from fundoscope.errors import MissingExtraError, TableError

SUFFIXES: Final = (".parquet", ".pq")
MAGIC: Final = b"PAR1"
"""The first and the last bytes of a Parquet file."""
CHILD: Final = (
    "import json, sys; sys.path[:] = json.loads(sys.argv[1]);"
    " from fundoscope.data.files.parquet_child import main; main(*sys.argv[2:])"
)
"""What the process runs. It finds modules where this one does, and never in the current folder."""
LEAST_S: Final = 20.0
"""Seconds that a process may take, whatever the size of its table."""
CELLS_A_SECOND: Final = 200_000
"""Cells that a process reads at least: a tenth of what it reads on a usual machine."""


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
    import msgspec

    from fundoscope.data.files.parquet_child import Answer

    _require_polars("a label table in Parquet")
    if not data.startswith(MAGIC) or not data.endswith(MAGIC):
        raise _damaged(title, "its first or last bytes are not those of Parquet")
    try:
        answer = msgspec.msgpack.decode(_said(title, data), type=Answer)
    except msgspec.DecodeError:
        raise _damaged(title, "the library that reads it failed") from None
    if answer.error is not None:
        raise TableError(*answer.error)
    return dict(answer.cells)


def to_bytes(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> bytes:
    """A Parquet file of text columns.

    Raises:
        MissingExtraError: polars is not installed.
    """
    _require_polars("a label table in Parquet")
    import polars as pl

    schema = dict.fromkeys(columns, pl.String)
    buffer = io.BytesIO()
    pl.DataFrame(rows, schema=schema, orient="row").write_parquet(buffer)
    return buffer.getvalue()


def _said(title: str, data: bytes) -> bytes:
    """What a process says about a file; nothing if it failed or took too long."""
    import msgspec

    from fundoscope.data.files.parquet_child import Bounds

    bounds = msgspec.json.encode(Bounds.usual()).decode()
    command = [sys.executable, "-I", "-c", CHILD, json.dumps(sys.path), title, bounds]
    try:
        done = subprocess.run(
            command,
            input=data,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=LEAST_S + limits.MAX_TABLE_CELLS / CELLS_A_SECOND,
            env=os.environ | {"POLARS_MAX_THREADS": "1"},
            check=False,
        )
    except subprocess.TimeoutExpired:
        return b""
    return done.stdout if done.returncode == 0 else b""


def _require_polars(feature: str) -> None:
    if importlib.util.find_spec("polars") is None:
        raise MissingExtraError(feature, "evaluate")


def _damaged(title: str, reason: str) -> TableError:
    return TableError(title, f"is not Parquet or is damaged ({reason})", "write it again")
