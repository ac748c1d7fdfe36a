"""What an earlier run left: pictures, reports and Readings."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from fundoscope import checksums, regular
from fundoscope.errors import UsageError
from fundoscope.reading import Reading

TABLE: Final = "readings.csv"
PICTURE: Final = "picture"
"""Column of the table."""
NAME: Final = re.compile(r"[^/\\]+-[0-9a-f]{8}\.png")
"""The names that pictures have; the table may have been edited."""
REPORT: Final = re.compile(r"report-[^/\\]+-[0-9a-f]{8}\.(?:pdf|html)")
"""The names that reports have."""
RUN: Final = "run.json"
MAX_LINE_BYTES: Final = 16 * 2**20
"""A Reading with 10,000 boxes takes 1 MB."""
REMEDY: Final = "give readings.jsonl of a run, or what fundoscope read --json printed"


def pictures_of(folder: Path) -> list[str]:
    """The names of the pictures that the table in a folder lists.

    Args:
        folder: of the results of any version. Without a table, or with one that cannot be read,
            there are none.
    """
    try:
        with (folder / TABLE).open(encoding="utf-8", errors="replace", newline="") as stream:
            return sorted(set(_listed(stream)))
    except (OSError, csv.Error):
        return []


def reports_of(folder: Path) -> list[str]:
    """The names of the reports that the record of the run in a folder lists.

    Args:
        folder: as for :func:`pictures_of`.
    """
    try:
        names = checksums.listed(folder / RUN)
    except OSError:
        return []
    return sorted(name for name in names if REPORT.fullmatch(name))


def _listed(lines: Iterator[str]) -> Iterator[str]:
    for row in csv.DictReader(lines):
        name = row.get(PICTURE) or ""
        if NAME.fullmatch(name):
            yield name


def readings_of(path: Path) -> Iterator[Reading]:
    """The Readings of a file, one after the other.

    Args:
        path: a text file in UTF-8 with a Reading on each line; empty lines are passed over.

    Raises:
        UsageError: the file cannot be read, or a line is not a Reading.
    """
    import msgspec

    try:
        regular.size_of(path)
        with path.open("rb") as file:
            for number, line in enumerate(iter(lambda: file.readline(MAX_LINE_BYTES + 1), b""), 1):
                if len(line) > MAX_LINE_BYTES:
                    raise UsageError(f"{path.name}, line {number}", "is too long", REMEDY)
                if line.strip():
                    yield Reading.from_json(line)
    except OSError as error:
        raise UsageError(path.name, f"cannot be read ({error.strerror})", REMEDY) from None
    except (msgspec.MsgspecError, ValueError, RecursionError, OverflowError):
        raise UsageError(f"{path.name}, line {number}", "is not a Reading", REMEDY) from None
