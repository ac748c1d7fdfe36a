"""The result folders that are compared, and the check that they can be.

Only folders of one command on the same photographs and the same truth can: a difference of
anything else would say nothing of the bundles.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import msgspec

from fundoscope.errors import UsageError
from fundoscope.evaluate.compare.differences import Bundle
from fundoscope.evaluate.folder import RUN
from fundoscope.reading import ModelUsed

GRADING, LESIONS = "evaluate grading", "evaluate lesions"
NOT_OF_THE_DATA: Final = ("grader", "detector", "by")
"""Arguments of an evaluation that do not choose its photographs."""
SHOWN: Final = 12
"""Characters of a hash in a message."""
AGAIN: Final = "evaluate both bundles with the same photographs and labels"


class Run(msgspec.Struct, frozen=True):
    """What is needed of an evaluation's ``run.json``.

    Attributes:
        command: that wrote it.
        arguments: of that command.
        models: the bundles.
        thresholds: at which it counted.
        table_sha256: of the label table of a grader's evaluation.
        annotations_sha256: of the annotations of a detector's.
    """

    command: str
    arguments: dict[str, Any]
    models: tuple[ModelUsed, ...]
    thresholds: dict[str, float | None]
    table_sha256: str = ""
    annotations_sha256: str = ""

    @property
    def truth_sha256(self) -> str:
        """Of the labels or annotations."""
        return self.table_sha256 or self.annotations_sha256


@dataclass(frozen=True, slots=True)
class Results:
    """A result folder and what it says of itself."""

    folder: Path
    run: Run

    @property
    def bundle(self) -> Bundle:
        """The bundle whose results these are."""
        return Bundle(str(self.folder), self.run.models, self.run.thresholds)


def read(folder: Path) -> Results:
    """Read what a result folder says of itself.

    Raises:
        UsageError: no evaluation wrote it.
    """
    try:
        run = msgspec.json.decode((folder / RUN).read_bytes(), type=Run)
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise _no_results(folder, RUN, error) from None
    if run.command not in (GRADING, LESIONS):
        raise UsageError(
            str(folder),
            f"holds results of fundoscope {run.command}",
            f"name a folder that fundoscope {GRADING} or {LESIONS} wrote",
        )
    return Results(folder, run)


def require_same_truth(old: Results, new: Results) -> None:
    """Check that two folders are of one command, and of one label table or one set of annotations.

    Raises:
        UsageError: names what differs.
    """
    if old.run.command != new.run.command:
        raise UsageError(
            f"{old.folder} and {new.folder}",
            f"hold results of {old.run.command} and of {new.run.command}",
            "name two folders of one command",
        )
    a, b = old.run.truth_sha256, new.run.truth_sha256
    if a != b:
        what = "label table" if old.run.command == GRADING else "set of annotations"
        raise _differ(old, new, f"another {what}", f"sha256 {b[:SHOWN]}…, not {a[:SHOWN]}…")


def require_same_rows(
    old: Results, new: Results, before: Sequence[object], after: Sequence[object]
) -> None:
    """Check that two folders hold the same photographs in the same order.

    Args:
        old, new: the folders.
        before, after: what says which photograph each row of their tables is.

    Raises:
        UsageError: names the first that differs, or how many there are.
    """
    if list(before) == list(after):
        return
    pairs = zip(before, after, strict=False)
    first = next((f"{b}, not {a}" for a, b in pairs if a != b), "")
    counts = f"{len(after)} rows, not {len(before)}" if len(after) != len(before) else ""
    raise _differ(old, new, "other photographs", counts or f"the first that differs: {first}")


def read_csv(folder: Path, name: str, required: Sequence[str]) -> list[dict[str, str]]:
    """The rows of a table that an evaluation wrote; it may have none.

    Raises:
        UsageError: it is not there, or lacks a column.
    """
    try:
        with (folder / name).open(encoding="utf-8", newline="") as file:
            table = csv.DictReader(file, strict=True)
            missing = set(required) - set(table.fieldnames or ())
            rows = list(table)
    except (OSError, csv.Error, UnicodeDecodeError) as error:
        raise _no_results(folder, name, error) from None
    if missing:
        raise UsageError(
            str(folder / name), f"has no column {', '.join(sorted(missing))}", "evaluate again"
        )
    return rows


def not_as_written(folder: Path, name: str, error: Exception) -> UsageError:
    """The error for a cell that no evaluation writes."""
    return UsageError(
        str(folder / name), f"is not as an evaluation wrote it ({error})", "evaluate again"
    )


def _no_results(folder: Path, name: str, error: Exception) -> UsageError:
    why = error.strerror if isinstance(error, OSError) else error
    return UsageError(
        str(folder),
        f"is no folder of an evaluation's results ({name}: {why})",
        f"name one that fundoscope {GRADING} or {LESIONS} wrote with --out",
    )


def _differ(old: Results, new: Results, what: str, detail: str) -> UsageError:
    return UsageError(
        str(new.folder),
        f"was made of {what} than {old.folder} ({'; '.join([*_arguments(old, new), detail])})",
        AGAIN,
    )


def _arguments(old: Results, new: Results) -> list[str]:
    """The arguments that chose other photographs, e.g. ``--split val, not test``."""
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
