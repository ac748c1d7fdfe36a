"""Writing files so that each is complete or absent, and replaces another only on request.

Each file is written into a private folder beside it (:mod:`fundoscope.staging`), synced to the
disk, and renamed. Files that belong together switch together (:mod:`fundoscope.switching`).
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from fundoscope.errors import ExistsError, OutputError, UsageError
from fundoscope.staging import private_folder
from fundoscope.switching import (
    Switch,
    UnfinishedError,
    recover,
    recover_once,
)
from fundoscope.syncing import sync_file, sync_folder

REMEDY: Final = "free some space or name another folder"
"""What to do when a file cannot be written."""

UNWRITTEN: Final = "cannot be written"
"""What is wrong then."""
PART: Final = "part"
"""The name of a file in its private folder while it is written."""


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


def write_files(
    files: Iterable[tuple[Path, bytes]],
    *,
    folder: Path | None = None,
    overwrite: bool = False,
    old: Iterable[Path] = (),
) -> int:
    """Write files that belong together: they appear together when all of them are on the disk.

    Args:
        files: the path and content of each, consumed one at a time; missing folders are created.
        folder: the folder that holds them all; it switches in one step. By default the lowest such
            folder: its other files are not touched, and the files appear one after another.
        overwrite: whether existing files may be replaced.
        old: files of an earlier run below ``folder``; with ``overwrite``, those that are not
            written again are removed.

    Returns:
        The number of files written.

    Raises:
        OutputError: a file exists and ``overwrite`` is false, two files have the same path, or one
            could not be written. Nothing was changed.
    """
    whole = folder is not None
    if folder is None:
        files = list(files)
        if len(files) == 1:
            _write_single(*files[0], overwrite=overwrite)
        if len(files) <= 1:
            return len(files)
        folder = Path(os.path.commonpath([path.parent for path, _ in files]))
    taken: set[Path] = set()
    gone = [path.relative_to(folder).as_posix() for path in old] if overwrite else []
    with staged(folder, gone, whole=whole, why=UNWRITTEN) as stage:
        for path, data in files:
            if path in taken:
                raise OutputError(str(path), "would be written twice", "give each its own name")
            taken.add(path)
            refuse_existing(path, overwrite=overwrite)
            with explained(path):
                part = stage / path.relative_to(folder)
                part.parent.mkdir(parents=True, exist_ok=True)
                part.write_bytes(data)
    return len(taken)


def _write_single(path: Path, data: bytes, *, overwrite: bool) -> None:
    refuse_existing(path, overwrite=overwrite)
    with explained(path):
        path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, data)


@contextmanager
def staged(
    folder: Path,
    names: Collection[str],
    *,
    whole: bool = True,
    why: str = "cannot be written to",
    remedy: str = REMEDY,
) -> Iterator[Path]:
    """A new folder, whose files replace those of an earlier run when the block ends.

    All files are on the disk before the first appears. See :mod:`fundoscope.switching` for what a
    reader sees meanwhile.

    Args:
        folder: the destination, made where it does not exist; other files in it are not touched.
        names: the files of the earlier run and those that may be written, as paths below the
            folder. A file of the earlier run that is not written now is removed, so that files of
            two runs are never mixed. The block may add to a list or set.
        whole: whether the folder may be exchanged as a whole. Otherwise the files of the earlier
            run move out one after another, then the new ones move in.
        why: what the error says is wrong.
        remedy: what the error says to do.

    Raises:
        OutputError: a file could not be written. Nothing was changed.
    """
    with explained(folder, why, remedy):
        switch = Switch(folder, whole=whole)
        try:
            yield switch.new
            switch.publish(names)
        except UnfinishedError as error:
            raise OutputError(
                str(folder),
                f"{why} ({error.strerror}), and holds a part of the results only",
                f"{remedy}; the next run into this folder first completes it",
            ) from None
        finally:
            switch.close()


@contextmanager
def replacing(
    path: Path, *, part: Path | None = None, why: str = UNWRITTEN, remedy: str = REMEDY
) -> Iterator[Path]:
    """A temporary path to write to, which replaces ``path`` when the block ends.

    The content is on the disk before it gets its name.

    Args:
        path: of the file.
        part: the temporary path, free or left by a killed run; by default one in a private folder.
        why: what the error says is wrong.
        remedy: what the error says to do.

    Raises:
        OutputError: it could not be written. An earlier file is unchanged.
    """
    with explained(path, why, remedy):
        private = None
        if part is None:
            recover_once(path.parent)
            private = private_folder(path.parent)
            part = private.path / PART
        else:
            part.unlink(missing_ok=True)  # It may be a link to another file.
        try:
            yield part
            sync_file(part)
            part.replace(path)
            with suppress(OSError):  # The file is in place.
                sync_folder(path.parent)
        finally:
            with suppress(OSError):
                part.unlink(missing_ok=True)
            if private is not None:
                private.remove()


def refuse_existing(path: Path, *, overwrite: bool) -> None:
    """Refuse to replace a file unless asked.

    Raises:
        ExistsError: the file exists and ``overwrite`` is false.
        OutputError: the path is a folder.
    """
    with explained(path):
        folder, exists = path.is_dir(), os.path.lexists(path)
    if folder:
        raise OutputError(str(path), "is a folder", "name a file")
    if exists and not overwrite:
        raise ExistsError(str(path), "exists already", "add --overwrite to replace it")


def refuse_results(folder: Path, names: Iterable[str], *, overwrite: bool) -> None:
    """Refuse an ``--out`` that is not a folder, or whose results would be replaced without asking.

    What a killed run began there is completed first.

    Args:
        folder: the destination; it need not exist.
        names: every file that may be written.
        overwrite: whether the results of an earlier run may be replaced.

    Raises:
        UsageError: it is a file, or it holds such results and ``overwrite`` is false.
        OutputError: it cannot be looked into.
    """
    with explained(folder, "cannot be written to", "name another folder with --out"):
        if folder.exists() and not folder.is_dir():
            raise UsageError(f"--out {folder}", "is not a folder", "name a folder")
        recover(folder.resolve())
        existing = [name for name in names if (folder / name).exists()]
    if existing and not overwrite:
        raise UsageError(
            f"--out {folder}",
            f"holds the results of an earlier run ({', '.join(existing)})",
            "name another folder, or add --overwrite",
        )


@contextmanager
def explained(path: Path, why: str = UNWRITTEN, remedy: str = REMEDY) -> Iterator[None]:
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
