"""The pictures and reports that an earlier run left in a folder of results."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from fundoscope import checksums

TABLE: Final = "readings.csv"
PICTURE: Final = "picture"
"""Column of the table."""
NAME: Final = re.compile(r"[^/\\]+-[0-9a-f]{8}\.png")
"""The names that pictures have; the table may have been edited."""
REPORT: Final = re.compile(r"report-[^/\\]+-[0-9a-f]{8}\.(?:pdf|html)")
"""The names that reports have."""
RUN: Final = "run.json"


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
