"""A folder of results: either all files of an evaluation appear in it, or none does."""

from __future__ import annotations

import csv
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Final

import msgspec

from fundoscope import writing
from fundoscope.evaluate.intervals import Figure

METRICS, PREDICTIONS, RUN = "metrics.json", "predictions.csv", "run.json"
"""The files that every evaluation has."""
RUN_VERSION: Final = "fundoscope.run/1"
"""The form of ``run.json``, the same as of ``fundoscope read``."""
REMEDY: Final = "free some space, or name another folder with --out"


def check(folder: Path, files: Sequence[str], *, overwrite: bool) -> None:
    """Check, before any photograph is read, that results may go into a folder; makes it.

    Args:
        folder: where to.
        files: the names of all that an evaluation may write.
        overwrite: whether those of an earlier one may be replaced.

    Raises:
        UsageError: it is a file, or holds an evaluation already and ``overwrite`` is false.
        OutputError: it cannot be made, or nothing can be written into it.
    """
    writing.refuse_results(folder, files, overwrite=overwrite)
    with writing.explained(folder, "cannot be written to", REMEDY):
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass


def staged(folder: Path, files: Sequence[str]) -> AbstractContextManager[Path]:
    """A new folder inside ``folder``, whose files move into it once all are written.

    Args:
        folder: where to.
        files: the names of all that an evaluation may write, see :func:`writing.staged`.

    Raises:
        OutputError: something could not be written; then nothing was changed.
    """
    return writing.staged(folder, files, remedy=REMEDY)


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Write JSON, indented."""
    path.write_bytes(msgspec.json.format(msgspec.json.encode(content), indent=2) + b"\n")


def write_csv(path: Path, rows: Iterable[Sequence[object]]) -> None:
    """Write a table, its header first."""
    # File names need not be text: their odd bytes are written out rather than refused.
    with path.open("w", encoding="utf-8", errors="backslashreplace", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows(rows)


def figure(value: Figure) -> dict[str, float | str | None]:
    """A figure as ``metrics.json`` has it."""
    reason = {} if value.reason is None else {"reason": value.reason}
    return {"value": value.value, "low": value.low, "high": value.high, **reason}
