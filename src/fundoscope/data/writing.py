"""Files of the data room: there whole or not at all, and never in place of another unasked."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Final

from fundoscope.errors import OutputError

REMEDY: Final = "free some space or name another folder"

_parts = itertools.count()


def write_text(path: Path, text: str, *, overwrite: bool = False) -> None:
    """Write a text file in UTF-8; line ends stay as they are, missing folders are made.

    Raises:
        OutputError: it is there already and ``overwrite`` is false, or it could not be written;
            what was there before is untouched.
    """
    write_files([(path, text.encode("utf-8", "backslashreplace"))], overwrite=overwrite)


def write_bytes(path: Path, data: bytes, *, overwrite: bool = False) -> None:
    """Write a file; missing folders are made.

    Raises:
        OutputError: as :func:`write_text`.
    """
    write_files([(path, data)], overwrite=overwrite)


def write_files(files: Iterable[tuple[Path, bytes]], *, overwrite: bool = False) -> int:
    """Write files that belong together: they get their names once all of them are on the disk.

    Args:
        files: path and content of each, taken one after the other.
        overwrite: replace files that are there.

    Returns:
        How many files were written.

    Raises:
        OutputError: one is there already and ``overwrite`` is false, two have one path, or one
            could not be written; nothing was changed then.
    """
    waiting: dict[Path, Path] = {}
    try:
        for path, data in files:
            if path in waiting:
                raise OutputError(str(path), "would be written twice", "give each its own name")
            refuse_existing(path, overwrite=overwrite)
            waiting[path] = _temporary(path)
            _write(path, waiting[path], data)
        for path, temporary in waiting.items():
            _publish(path, temporary)
    finally:
        for temporary in waiting.values():
            with suppress(OSError):
                temporary.unlink()
    return len(waiting)


def refuse_existing(path: Path, *, overwrite: bool) -> None:
    """Raise where a file would be replaced unasked.

    Raises:
        OutputError: there is a file and ``overwrite`` is false, or there is a folder.
    """
    if path.is_dir():
        raise OutputError(str(path), "is a folder", "name a file")
    if not overwrite and os.path.lexists(path):
        raise OutputError(str(path), "is there already", "add --overwrite to replace it")


def _temporary(path: Path) -> Path:
    # A short name: with the file's own in it, it could be too long for the file system.
    return path.with_name(f".{os.getpid()}-{next(_parts)}.part")


def _write(path: Path, temporary: Path, data: bytes) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary.write_bytes(data)
    except OSError as error:
        raise _output_error(path, error) from None


def _publish(path: Path, temporary: Path) -> None:
    try:
        temporary.replace(path)
    except OSError as error:
        raise _output_error(path, error) from None


def _output_error(path: Path, error: OSError) -> OutputError:
    return OutputError(str(path), f"cannot be written ({error.strerror})", REMEDY)
