"""The files in a folder and in those below it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NoReturn

from fundoscope.errors import TableError

OF_SYSTEMS: Final = frozenset({"lost+found", "system volume information", "$recycle.bin"})
"""Folders on a disk that belong to the system, in lower case; users may not open them."""


def files_below(folder: Path) -> Iterator[Path]:
    """Every file in a folder and below, in no order; hidden files and folders are skipped.

    Links to folders are not followed, so that no file comes twice.

    Raises:
        TableError: a folder cannot be opened. Its photographs would be missing without a word.
    """
    for where, folders, files in os.walk(folder, onerror=_refuse):
        folders[:] = [name for name in folders if not _is_skipped(name)]
        yield from (Path(where, name) for name in files if not name.startswith("."))


def _is_skipped(name: str) -> bool:
    return name.startswith(".") or name.lower() in OF_SYSTEMS


def _refuse(error: OSError) -> NoReturn:
    raise TableError(
        str(error.filename),
        f"cannot be opened ({error.strerror})",
        "check its permissions, or move it elsewhere",
    ) from None
