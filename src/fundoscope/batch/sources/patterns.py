"""Patterns such as ``eyes/*.jpg``, and lists of photographs in text files."""

from __future__ import annotations

import glob
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

from fundoscope import limits
from fundoscope.data.files import parquet
from fundoscope.data.table import WORKBOOKS
from fundoscope.errors import TableError, UsageError

LIST_SUFFIX: Final = ".txt"
TABLE_SUFFIXES: Final = (".csv", ".tsv", *parquet.SUFFIXES, *WORKBOOKS)


def expanded(paths: Iterable[Path]) -> Iterator[Path]:
    """Replace each pattern by the files that match it, sorted. Other paths are kept.

    A path is a pattern if it has one of ``*?[`` and nothing has that very name. ``**`` stands for
    any number of folders.

    Raises:
        UsageError: nothing matches a pattern.
    """
    for path in paths:
        if not glob.has_magic(str(path)) or path.exists():
            yield path
            continue
        matching = sorted(glob.glob(str(path), recursive=True))  # noqa: PTH207 (keeps links)
        if not matching:
            raise UsageError(str(path), "matches no file", "check the pattern")
        yield from map(Path, matching)


def lines(path: Path) -> Iterator[str]:
    """The paths in a list, one a line; empty lines are passed over.

    Raises:
        TableError: a line is too long, or holds no text.
        UsageError: the list cannot be read.
    """
    try:
        with path.open(encoding="utf-8-sig") as stream:
            number = 0
            while line := stream.readline(limits.MAX_PATH_CHARACTERS + 1):
                number += 1
                if len(line) > limits.MAX_PATH_CHARACTERS or "\0" in line:
                    why, remedy = "does not name a photograph", "write one path a line"
                    raise TableError(f"{path.name}, line {number}", why, remedy)
                if line.strip():
                    yield line.strip("\r\n")
    except UnicodeDecodeError:
        why, remedy = "is not UTF-8 text", "write one path a line"
        raise TableError(path.name, why, remedy) from None
    except OSError as error:
        why = f"cannot be read ({error.strerror})"
        raise UsageError(str(path), why, "check the path and its permissions") from None
