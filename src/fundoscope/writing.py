"""Files that are there whole or not at all, and never in place of others unasked.

Each is written under a temporary name beside its own, and renamed once it is whole.
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

_parts = itertools.count()


def write_whole(path: Path, data: bytes) -> None:
    """Write a file into a folder that is there, in place of an earlier one.

    Raises:
        OutputError: it could not be written; what was there before is untouched.
    """
    with replacing(path) as part:
        part.write_bytes(data)


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
        files: path and content of each, taken one after the other; missing folders are made.
        overwrite: replace files that are there.

    Returns:
        How many files were written.

    Raises:
        OutputError: one is there already and ``overwrite`` is false, two have one path, or one
            could not be written; nothing was changed then.
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
    """Text files that appear together when the block ends, and not at all when it raises.

    Those of an earlier run are replaced. All are brought onto the disk before the first of them
    gets its name.

    Args:
        folder: where they will lie.
        names: their names, in the order of the list that is handed out.

    Raises:
        OutputError: one of them could not be written.
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
    """A text file (UTF-8) that is being written, see :func:`text_files`."""

    def __init__(self, path: Path, part: Path) -> None:
        self._path = path
        with explained(path):
            self._stream = _opened(part)

    def write(self, text: str) -> int:
        """Append text.

        Raises:
            OutputError: it could not be written.
        """
        with explained(self._path):
            return self._stream.write(text)

    def finish(self) -> None:
        """Bring everything onto the disk."""
        with explained(self._path):
            self._stream.flush()
            os.fsync(self._stream.fileno())

    def close(self) -> None:
        """Let go of the file, whatever became of it."""
        with suppress(OSError):  # closing writes what is buffered, which a full disk refuses
            self._stream.close()


@contextmanager
def staged(folder: Path, names: Iterable[str], *, remedy: str = REMEDY) -> Iterator[Path]:
    """A new folder inside ``folder``, whose files move into it when the block ends.

    Args:
        folder: where to; other files in it are left alone.
        names: of all that may be written. Those of an earlier run that are not written now are
            removed, so that none stands beside files that it does not belong to.
        remedy: what to do when it fails.

    Raises:
        OutputError: something could not be written; then nothing was changed.
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
    """Where to write a file, which takes the place of ``path`` when the block ends.

    Args:
        path: of the file.
        part: the temporary path, where it matters; by default one that nothing else has.
        why, remedy: of the error.

    Raises:
        OutputError: it could not be written; what was there before is untouched.
    """
    part = part or _part(path)
    try:
        with explained(path, why, remedy):
            yield part
            part.replace(path)
    finally:
        _forget(part)


def refuse_existing(path: Path, *, overwrite: bool) -> None:
    """Raise where a file would be replaced unasked.

    Raises:
        OutputError: there is a file and ``overwrite`` is false, or there is a folder.
    """
    if path.is_dir():
        raise OutputError(str(path), "is a folder", "name a file")
    if not overwrite and os.path.lexists(path):
        raise OutputError(str(path), "is there already", "add --overwrite to replace it")


def refuse_results(folder: Path, names: Iterable[str], *, overwrite: bool) -> None:
    """Raise where ``--out`` is no folder, or results in it would be replaced unasked.

    Args:
        folder: where to; it need not be there.
        names: of all that may be written.
        overwrite: whether an earlier run's may be replaced.

    Raises:
        UsageError: it is a file, or holds such files and ``overwrite`` is false.
    """
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"--out {folder}", "is not a folder", "name a folder")
    there = [name for name in names if (folder / name).exists()]
    if there and not overwrite:
        raise UsageError(
            f"--out {folder}",
            f"holds the results of an earlier run ({', '.join(there)})",
            "name another folder, or add --overwrite",
        )


@contextmanager
def explained(path: Path, why: str = "cannot be written", remedy: str = REMEDY) -> Iterator[None]:
    """Tell what the system refuses as one of our errors.

    Raises:
        OutputError: the block raised ``OSError``.
    """
    try:
        yield
    except OSError as error:
        raise OutputError(str(path), f"{why} ({error.strerror or error})", remedy) from None


@contextmanager
def _together() -> Iterator[Callable[[Path], Path]]:
    """Files that get their names, in order, when the block ends; it is told where to write each."""
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
    # File names need not be text: their odd bytes are written out rather than refused.
    return part.open("w", encoding="utf-8", errors="backslashreplace", newline="")


def _forget(part: Path) -> None:
    with suppress(OSError):
        part.unlink(missing_ok=True)
