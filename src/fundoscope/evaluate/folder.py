"""A folder of results: either all files of an evaluation appear in it, or none does."""

from __future__ import annotations

import csv
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import msgspec

from fundoscope.errors import OutputError, UsageError
from fundoscope.evaluate.intervals import Figure

METRICS, PREDICTIONS, RUN = "metrics.json", "predictions.csv", "run.json"
"""The files that every evaluation has."""
RUN_VERSION: Final = "fundoscope.run/1"
"""The form of ``run.json``, the same as of ``fundoscope read``."""


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
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"--out {folder}", "is not a folder", "name a folder")
    there = [name for name in files if (folder / name).exists()]
    if there and not overwrite:
        raise UsageError(
            f"--out {folder}",
            f"holds the results of an earlier run ({', '.join(there)})",
            "name another folder, or add --overwrite",
        )
    with _as_output_error(folder):
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass


@contextmanager
def staged(folder: Path, files: Sequence[str]) -> Iterator[Path]:
    """A new folder inside ``folder``, whose files move into it once all are written.

    Args:
        folder: where to.
        files: the names of all that an evaluation may write; those of an earlier one that are not
            written now are removed, so that none stands beside figures it does not belong to.

    Raises:
        OutputError: something could not be written; then nothing was changed.
    """
    with _as_output_error(folder):
        stage = Path(tempfile.mkdtemp(prefix=".evaluation-", dir=folder))
        try:
            yield stage
            written = sorted(stage.iterdir())
            for name in set(files) - {file.name for file in written}:
                (folder / name).unlink(missing_ok=True)
            for file in written:
                file.replace(folder / file.name)
        finally:
            shutil.rmtree(stage, ignore_errors=True)


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


@contextmanager
def _as_output_error(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise OutputError(
            str(folder),
            f"cannot be written to ({error.strerror or error})",
            "free some space, or name another folder with --out",
        ) from None
