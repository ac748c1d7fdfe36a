"""The result folder of an evaluation: either all of its files appear in it, or none does."""

from __future__ import annotations

import csv
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import msgspec

from fundoscope import checksums, writing
from fundoscope.evaluate.intervals import Figure
from fundoscope.quoting import as_json, bare
from fundoscope.reading import ModelUsed

METRICS, PREDICTIONS, RUN = "metrics.json", "predictions.csv", "run.json"
"""The files that every evaluation writes."""
RUN_VERSION: Final = "fundoscope.run/1"
"""Format of ``run.json``, the same as that of ``fundoscope read``."""
GRADING, LESIONS = "evaluate grading", "evaluate lesions"
"""The commands that write result folders, as ``run.json`` names them."""
REMEDY: Final = "free some space, or name another folder with --out"


@dataclass(frozen=True, slots=True)
class Provenance:
    """How an evaluation was made, for ``run.json``; none of it enters a figure.

    Attributes:
        arguments: of the command.
        models: the bundles.
        versions: of fundoscope, Python and the libraries, by name.
        started, finished: times in ISO 8601.
    """

    arguments: Mapping[str, Any]
    models: tuple[ModelUsed, ...]
    versions: Mapping[str, str | None]
    started: str
    finished: str


def check(folder: Path, files: Sequence[str], *, overwrite: bool) -> None:
    """Make a folder and check, before any photograph is read, that results can be written to it.

    Args:
        folder: the folder for the results.
        files: the names of all files that an evaluation may write.
        overwrite: whether existing files of those names may be replaced.

    Raises:
        UsageError: it is a file, or already holds an evaluation and ``overwrite`` is false.
        OutputError: it cannot be made or written to.
    """
    writing.refuse_results(folder, files, overwrite=overwrite)
    with writing.explained(folder, "cannot be written to", REMEDY):
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass


@contextmanager
def staged(folder: Path, files: Sequence[str], *, record: str = RUN) -> Iterator[Path]:
    """Open a new folder; its files replace those in ``folder`` in one step once all are written.

    Args:
        folder: the folder for the results.
        files: the names of all files that an evaluation may write, see :func:`writing.staged`.
        record: the JSON file, one of them, that gets the checksums of the others.

    Raises:
        OutputError: a file could not be written; nothing was changed.
    """
    with writing.staged(folder, files, remedy=REMEDY) as stage:
        yield stage
        checksums.seal(stage, record)


def run_document(
    command: str,
    provenance: Provenance,
    truth: Mapping[str, str],
    details: Mapping[str, Any],
) -> dict[str, Any]:
    """Build the content of ``run.json``.

    Args:
        command: that ran, e.g. :data:`GRADING`.
        provenance: how the evaluation was made.
        truth: the key of the labels' or annotations' hash, and the hash.
        details: what only this command records, such as thresholds and counts.
    """
    return {
        "version": RUN_VERSION,
        "command": command,
        "arguments": {name: _bare(value) for name, value in provenance.arguments.items()},
        **truth,
        "versions": dict(provenance.versions),
        "models": msgspec.to_builtins(provenance.models),
        **details,
        "started": provenance.started,
        "finished": provenance.finished,
    }


def _bare(argument: Any) -> Any:
    """An argument, of a path only the last part: a folder may be named after a patient."""
    return bare(argument) if isinstance(argument, str) else argument


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Write JSON, indented by two spaces."""
    path.write_bytes(as_json(content))


def write_csv(path: Path, rows: Iterable[Sequence[object]]) -> None:
    """Write a table whose first row is its header."""
    # A file name need not be valid text: its invalid bytes are escaped instead of rejected.
    with path.open("w", encoding="utf-8", errors="backslashreplace", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows(rows)


def figure_document(figure: Figure) -> dict[str, float | str | None]:
    """Build a figure's entry in ``metrics.json``."""
    reason = {} if figure.reason is None else {"reason": figure.reason}
    return {"value": figure.value, "low": figure.low, "high": figure.high, **reason}


def true_or_false(value: bool) -> str:
    """Write a flag as the tables of results do."""
    return "true" if value else "false"
