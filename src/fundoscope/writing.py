"""Writing files so that each is complete or absent, and replaces another only on request.

Each file is written under a temporary name in its own folder and renamed when it is complete.
"""

from __future__ import annotations

import itertools
import os
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final, TextIO

from fundoscope.errors import OutputError, UsageError

REMEDY: Final = "free some space or name another folder"
"""What to do when a file cannot be written."""

_parts = itertools.count()


def write_whole(path: Path, data: bytes) -> None:
    """Write a file into an existing folder; an earlier file is replaced.

    Args:
        path: of the file.
        data: its content.

    Raises:
        OutputError: it could not be written. An earlier file is unchanged.
    """
    with replacing(path) as part:
        part.write_bytes(data)


def write_text(path: Path, text: str, *, overwrite: bool = False) -> None:
    """Write a text file in UTF-8. Line ends are kept; missing folders are created.

    Args:
        path: of the file.
        text: its content.
        overwrite: whether an existing file may be replaced.

    Raises:
        OutputError: the file exists and ``overwrite`` is false, or it could not be written. An
            earlier file is unchanged.
    """
    write_files([(path, text.encode("utf-8", "backslashreplace"))], overwrite=overwrite)


def write_bytes(path: Path, data: bytes, *, overwrite: bool = False) -> None:
    """Write a file; missing folders are created.

    Args:
        path: of the file.
        data: its content.
        overwrite: whether an existing file may be replaced.

    Raises:
        OutputError: as :func:`write_text`.
    """
    write_files([(path, data)], overwrite=overwrite)


def write_files(files: Iterable[tuple[Path, bytes]], *, overwrite: bool = False) -> int:
    """Write files that belong together: they get their names when all of them are on the disk.

    Args:
        files: the path and content of each, consumed one at a time; missing folders are created.
        overwrite: whether existing files may be replaced.

    Returns:
        The number of files written.

    Raises:
        OutputError: a file exists and ``overwrite`` is false, two files have the same path, or one
            could not be written. Nothing was changed.
    """
    count = 0
    with _together() as part_of:
        for path, data in files:
            part = part_of(path)
            refuse_existing(path, overwrite=overwrite)
            with explained(path):
                path.parent.mkdir(parents=True, exist_ok=True)
                part.write_bytes(data)
            count += 1
    return count


@contextmanager
def text_files(folder: Path, names: Sequence[str]) -> Iterator[list[TextFile]]:
    """Open text files that all appear when the block ends, or none if it raises.

    Earlier files of these names are replaced. All are flushed to the disk before the first gets its
    name.

    Args:
        folder: where the files will be.
        names: their names, in the order of the yielded list.

    Raises:
        OutputError: a file could not be written.
    """
    files: list[TextFile] = []
    with _together() as part_of:
        try:
            for name in names:
                files.append(TextFile(folder / name, part_of(folder / name)))
            yield files
            for file in files:
                file.finish()
        finally:
            for file in files:
                file.close()


class TextFile:
    """A text file (UTF-8) that is being written; :func:`text_files` makes them."""

    def __init__(self, path: Path, part: Path) -> None:
        """Open the temporary file.

        Args:
            path: the final name, for messages.
            part: the temporary name to write to.

        Raises:
            OutputError: it could not be opened.
        """
        self._path = path
        with explained(path):
            self._stream = _opened(part)

    def write(self, text: str) -> int:
        """Append text and return the number of characters written.

        Raises:
            OutputError: it could not be written.
        """
        with explained(self._path):
            return self._stream.write(text)

    def finish(self) -> None:
        """Flush everything to the disk.

        Raises:
            OutputError: it could not be written.
        """
        with explained(self._path):
            self._stream.flush()
            os.fsync(self._stream.fileno())

    def close(self) -> None:
        """Close the file; errors are ignored."""
        with suppress(OSError):  # closing flushes the buffer, which fails on a full disk
            self._stream.close()


@contextmanager
def staged(folder: Path, names: Iterable[str], *, remedy: str = REMEDY) -> Iterator[Path]:
    """A new folder inside ``folder``, whose files move into ``folder`` when the block ends.

    Args:
        folder: the destination; other files in it are not touched.
        names: every file that may be written. A file of an earlier run that is not written now is
            removed, so that files of two runs are never mixed.
        remedy: what to do when it fails.

    Raises:
        OutputError: a file could not be written. Nothing was changed.
    """
    with explained(folder, "cannot be written to", remedy):
        stage = Path(tempfile.mkdtemp(prefix=".part-", dir=folder))
        try:
            yield stage
            written = sorted(stage.iterdir())
            for name in set(names) - {file.name for file in written}:
                (folder / name).unlink(missing_ok=True)
            for file in written:
                file.replace(folder / file.name)
        finally:
            shutil.rmtree(stage, ignore_errors=True)


@contextmanager
def replacing(
    path: Path, *, part: Path | None = None, why: str = "cannot be written", remedy: str = REMEDY
) -> Iterator[Path]:
    """A temporary path to write to, which replaces ``path`` when the block ends.

    Args:
        path: of the file.
        part: the temporary path; by default a new, unique one.
        why: what the error says is wrong.
        remedy: what the error says to do.

    Raises:
        OutputError: it could not be written. An earlier file is unchanged.
    """
    part = part or _part(path)
    try:
        with explained(path, why, remedy):
            yield part
            part.replace(path)
    finally:
        _forget(part)


def refuse_existing(path: Path, *, overwrite: bool) -> None:
    """Refuse to replace a file unless asked.

    Raises:
        OutputError: the file exists and ``overwrite`` is false, or the path is a folder.
    """
    if path.is_dir():
        raise OutputError(str(path), "is a folder", "name a file")
    if not overwrite and os.path.lexists(path):
        raise OutputError(str(path), "is there already", "add --overwrite to replace it")


def refuse_results(folder: Path, names: Iterable[str], *, overwrite: bool) -> None:
    """Refuse an ``--out`` that is not a folder, or whose results would be replaced without asking.

    Args:
        folder: the destination; it need not exist.
        names: every file that may be written.
        overwrite: whether the results of an earlier run may be replaced.

    Raises:
        UsageError: it is a file, or it holds such results and ``overwrite`` is false.
    """
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"--out {folder}", "is not a folder", "name a folder")
    existing = [name for name in names if (folder / name).exists()]
    if existing and not overwrite:
        raise UsageError(
            f"--out {folder}",
            f"holds the results of an earlier run ({', '.join(existing)})",
            "name another folder, or add --overwrite",
        )


@contextmanager
def explained(path: Path, why: str = "cannot be written", remedy: str = REMEDY) -> Iterator[None]:
    """Turn the system's errors about a file into errors of ours.

    Args:
        path: the file or folder to name.
        why: what the error says is wrong.
        remedy: what the error says to do.

    Raises:
        OutputError: the block raised ``OSError``.
    """
    try:
        yield
    except OSError as error:
        raise OutputError(str(path), f"{why} ({error.strerror or error})", remedy) from None


@contextmanager
def _together() -> Iterator[Callable[[Path], Path]]:
    """Yield a function that gives the temporary path of each file; at the end all are renamed."""
    parts: dict[Path, Path] = {}

    def part_of(path: Path) -> Path:
        if path in parts:
            raise OutputError(str(path), "would be written twice", "give each its own name")
        parts[path] = _part(path)
        return parts[path]

    try:
        yield part_of
        for path, part in parts.items():
            with explained(path):
                part.replace(path)
    finally:
        for part in parts.values():
            _forget(part)


def _part(path: Path) -> Path:
    # A short name: with the file's own in it, it could be too long for the file system.
    return path.with_name(f".{os.getpid()}-{next(_parts)}.part")


def _opened(part: Path) -> TextIO:
    # A file name may contain bytes that are not text; they are written as escapes.
    return part.open("w", encoding="utf-8", errors="backslashreplace", newline="")


def _forget(part: Path) -> None:
    with suppress(OSError):
        part.unlink(missing_ok=True)
