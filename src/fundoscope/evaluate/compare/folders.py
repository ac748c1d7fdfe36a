"""The result folders that are compared, and the checks that they can be.

Both folders must come from the same command, on the same photographs, with the same labels or
annotations: any other difference would say nothing about the bundles.
"""

from __future__ import annotations

import csv
import gzip
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TextIO

import msgspec

from fundoscope.errors import UsageError
from fundoscope.evaluate.compare.differences import Bundle
from fundoscope.evaluate.folder import GRADING, LESIONS, RUN
from fundoscope.reading import ModelUsed

NOT_OF_THE_DATA: Final = (
    *("grader", "detector", "by", "second-grade", "predictions", "threshold"),
)
"""Arguments of an evaluation that do not choose its photographs."""
HASH_SHOWN: Final = 12
"""Characters of a hash in a message."""
AGAIN: Final = "evaluate both bundles with the same photographs and labels"


class Run(msgspec.Struct, frozen=True):
    """The part of an evaluation's ``run.json`` that a comparison needs.

    Attributes:
        command: that wrote it.
        arguments: of that command.
        models: the bundles.
        thresholds: at which the figures were counted.
        table_sha256: of the label table, for a grader.
        annotations_sha256: of the annotations, for a detector.
        trained_on: the sources that a grader was trained on; ``None`` where it is not known.
    """

    command: str
    arguments: dict[str, Any]
    models: tuple[ModelUsed, ...]
    thresholds: dict[str, float | None]
    table_sha256: str = ""
    annotations_sha256: str = ""
    trained_on: tuple[str, ...] | None = None

    @property
    def truth_sha256(self) -> str:
        """Hash of the labels or annotations."""
        return self.table_sha256 or self.annotations_sha256


@dataclass(frozen=True, slots=True)
class Results:
    """A result folder and its ``run.json``."""

    folder: Path
    run: Run

    @property
    def bundle(self) -> Bundle:
        """The bundle that was evaluated."""
        return Bundle(str(self.folder), self.run.models, self.run.thresholds)


def read(folder: Path) -> Results:
    """Read the ``run.json`` of a result folder.

    Raises:
        UsageError: the folder does not hold the results of an evaluation.
    """
    try:
        run = msgspec.json.decode((folder / RUN).read_bytes(), type=Run)
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise _no_results(folder, RUN, error) from None
    if run.command not in (GRADING, LESIONS):
        raise UsageError(
            str(folder),
            f"holds results of fundoscope {run.command}",
            f"give a folder that fundoscope {GRADING} or {LESIONS} wrote",
        )
    return Results(folder, run)


def require_same_truth(old: Results, new: Results) -> None:
    """Check that two folders come from the same command and the same labels or annotations.

    Raises:
        UsageError: they do not; the message says what differs.
    """
    if old.run.command != new.run.command:
        raise UsageError(
            f"{old.folder} and {new.folder}",
            f"hold results of {old.run.command} and of {new.run.command}",
            "give two folders of the same command",
        )
    before, after = old.run.truth_sha256, new.run.truth_sha256
    if before != after:
        what = "label table" if old.run.command == GRADING else "set of annotations"
        hashes = f"sha256 {after[:HASH_SHOWN]}…, not {before[:HASH_SHOWN]}…"
        raise _differ(old, new, f"another {what}", hashes)


def require_same_rows(
    old: Results, new: Results, before: Sequence[object], after: Sequence[object]
) -> None:
    """Check that two folders hold the same photographs in the same order.

    Args:
        old: the folder of the old bundle.
        new: the folder of the new bundle.
        before: the photograph of each row of the old folder's table.
        after: the photograph of each row of the new folder's table.

    Raises:
        UsageError: they do not; the message names the first that differs, or both numbers.
    """
    if list(before) == list(after):
        return
    pairs = zip(before, after, strict=False)
    first = next((f"{b}, not {a}" for a, b in pairs if a != b), "")
    counts = f"{len(after)} rows, not {len(before)}" if len(after) != len(before) else ""
    raise _differ(old, new, "other photographs", counts or f"the first that differs: {first}")


def read_csv(folder: Path, name: str, required: Sequence[str]) -> list[dict[str, str]]:
    """Read the rows of a table that an evaluation wrote; it may have none.

    A record keeps a large table compressed: ``NAME.gz`` is read where there is no ``NAME``.

    Raises:
        UsageError: the table cannot be read, or lacks a column.
    """
    try:
        with _opened(folder / name) as file:
            table = csv.DictReader(file, strict=True)
            missing = set(required) - set(table.fieldnames or ())
            rows = list(table)
    except (OSError, EOFError, zlib.error, csv.Error, UnicodeDecodeError) as error:
        raise _no_results(folder, name, error) from None
    if missing:
        raise UsageError(
            str(folder / name), f"has no column {', '.join(sorted(missing))}", "evaluate again"
        )
    return rows


def _opened(path: Path) -> TextIO:
    packed = path.with_name(f"{path.name}.gz")
    if packed.is_file() and not path.exists():
        return gzip.open(packed, "rt", encoding="utf-8", newline="")
    return path.open(encoding="utf-8", newline="")


def not_as_written(folder: Path, name: str, error: Exception) -> UsageError:
    """Build the error for a cell that an evaluation would not have written."""
    return UsageError(
        str(folder / name), f"was changed after the evaluation wrote it ({error})", "evaluate again"
    )


def _no_results(folder: Path, name: str, error: Exception) -> UsageError:
    why = error.strerror if isinstance(error, OSError) else error
    return UsageError(
        str(folder),
        f"does not hold the results of an evaluation ({name}: {why})",
        f"give a folder that fundoscope {GRADING} or {LESIONS} wrote with --out",
    )


def _differ(old: Results, new: Results, what: str, detail: str) -> UsageError:
    return UsageError(
        str(new.folder),
        f"was made from {what} than {old.folder} ({'; '.join([*_arguments(old, new), detail])})",
        AGAIN,
    )


def _arguments(old: Results, new: Results) -> list[str]:
    """List the arguments that chose other photographs, e.g. ``split val, not test``."""
    before, after = old.run.arguments, new.run.arguments
    names = [name for name in {**before, **after} if name not in NOT_OF_THE_DATA]
    return [
        f"{name} {_words(after, name)}, not {_words(before, name)}"
        for name in names
        if before.get(name) != after.get(name)
    ]


def _words(arguments: Mapping[str, Any], name: str) -> str:
    value = arguments.get(name)
    if isinstance(value, list):
        return " and ".join(map(str, value)) or "any"
    return "any" if value is None else str(value)
