"""Switch a folder from the files of an earlier run to those of a new one, in one step.

The new files are written into a private folder (:mod:`fundoscope.staging`) and synced to the disk.
Then there are two ways:

- **Exchange**: the private folder also gets hard links to the other files of the destination, and
  the two folders swap their names in one call of the system. A reader sees all of the old files or
  all of the new ones.
- **Journal**, where folders cannot be exchanged: the old files move out, then the new ones move in.
  A reader sees files of one run only, but for a moment not all of them. A journal in the private
  folder lets the next run complete what a killed one began.
"""

from __future__ import annotations

import ctypes
import errno
import json
import os
import shutil
import sys
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import suppress
from pathlib import Path, PurePosixPath
from typing import Any, Final

from fundoscope.staging import NAME, PrivateFolder, left_behind, private_folder
from fundoscope.syncing import sync, sync_folder, sync_folders

NEW, OLD, JOURNAL = "new", "old", "journal.json"
"""In a private folder: the new files, the old files, and what is being done."""
MAX_LINKS: Final = 20_000
"""Other files of a folder that is exchanged. Linking more takes longer than a second."""
UNSUPPORTED: Final = frozenset(
    {
        errno.ENOSYS, errno.EINVAL, errno.ENOTSUP, errno.EXDEV, errno.EBUSY, errno.EPERM,
        errno.EACCES, errno.EMLINK, errno.ENOTEMPTY, errno.EEXIST, errno.E2BIG,
    }
)  # fmt: skip
"""Errors which say that a folder cannot be exchanged here; its files may still be moved."""
AT_FDCWD: Final = -100
RENAME_EXCHANGE: Final = 2
"""Of ``renameat2`` on Linux, and (as ``RENAME_SWAP``) of ``renamex_np`` on macOS."""


_recovered: set[Path] = set()


class UnfinishedError(OSError):
    """A switch stopped in the middle and could not be undone; the next run completes it."""


class Switch:
    """A folder that gets new files.

    Attributes:
        folder: the destination; it need not exist.
        new: the folder to write the new files into, with the same paths below it.
    """

    def __init__(self, folder: Path, *, whole: bool = True) -> None:
        """Make the private folder, and complete what killed runs began.

        Args:
            folder: the destination.
            whole: whether it may be exchanged as a whole. Otherwise its files are moved.

        Raises:
            OSError: the folder cannot be written to.
        """
        self.folder = folder.resolve()
        recover_once(self.folder)
        self._private, self._beside = _private_for(self.folder, whole=whole)
        self._moved = False
        self.new = self._private.path / NEW
        try:
            self.new.mkdir()
        except OSError:
            self._private.remove()
            raise

    def publish(self, old: Collection[str]) -> None:
        """Put the new files in the place of the old ones; other files are left alone.

        Args:
            old: the paths below the folder of the earlier run's files, with ``/``. Those that do
                not exist are ignored.

        Raises:
            OSError: it failed; nothing was changed.
            UnfinishedError: it failed in the middle, and could not be undone either.
        """
        new = sorted(_files_below(self.new))
        sync(self.new)
        gone = {*old, *new}
        if self._beside:
            try:
                self._exchange(gone, new)
            except OSError as error:
                if error.errno not in UNSUPPORTED:
                    raise
                self._unlink_others(new)
            else:
                # The new files are in place: that their names may be lost is no failure.
                with suppress(OSError):
                    sync_folder(self.folder.parent)
                return
        self._move(gone, new)

    def close(self) -> None:
        """Remove the private folder, unless the next run needs it."""
        if (self._private.path / JOURNAL).exists() and not self._moved:
            self._private.release()
            _recovered.discard(self.folder)
        else:
            self._private.remove()

    def _exchange(self, old: Collection[str], new: Sequence[str]) -> None:
        if not self.folder.exists():
            self.new.replace(self.folder)
            return
        shutil.copystat(self.folder, self.new)
        if not any(self.folder.iterdir()):
            self.new.replace(self.folder)
            return
        _link_others(self.folder, self.new, old)
        sync_folders(self.new)
        exchange(self.folder, self.new)
        with suppress(OSError):
            _return_strays(self.new, self.folder, {*old, *new})

    def _unlink_others(self, new: Sequence[str]) -> None:
        """Remove the links to other files, so that only the new files are left to move."""
        for name in set(_files_below(self.new)) - set(new):
            (self.new / name).unlink()

    def _move(self, old: Collection[str], new: Sequence[str]) -> None:
        private = self._private.path
        existing = [name for name in sorted(old) if os.path.lexists(self.folder / name)]
        where = self.folder.name if private.parent != self.folder else ""
        journal = {"folder": where, "old": existing, "new": list(new)}
        self.folder.mkdir(parents=True, exist_ok=True)
        (private / OLD).mkdir()
        _write_synced(private / JOURNAL, json.dumps(journal).encode())
        sync_folder(private)
        done: list[tuple[Path, Path]] = []
        try:
            for source, target in _moves(private, self.folder, existing, new):
                target.parent.mkdir(parents=True, exist_ok=True)
                source.replace(target)
                done.append((source, target))
            sync_folders(self.folder, below={str(PurePosixPath(name).parent) for name in new})
        except OSError as error:
            _undo(done, error)
            (private / JOURNAL).unlink()
            raise
        self._moved = True


def recover_once(folder: Path) -> None:
    """Do what :func:`recover` does, unless this process did it: a folder may have many files.

    Raises:
        OSError: as :func:`recover`.
    """
    if folder not in _recovered:
        recover(folder)
        _recovered.add(folder)


def recover(folder: Path) -> None:
    """Complete what killed runs began in a folder or beside it, and remove what they left.

    Args:
        folder: the destination of a run; it need not exist.

    Raises:
        OSError: a switch that a killed run began cannot be completed.
    """
    for parent in (folder.parent, folder):
        for private in left_behind(parent):
            try:
                _complete(private)
            except OSError:
                private.release()
                raise
            private.remove()


def _complete(private: PrivateFolder) -> None:
    try:
        text = (private.path / JOURNAL).read_bytes()
    except FileNotFoundError:
        return  # Nothing was moved yet, or everything was.
    try:
        journal: dict[str, Any] = json.loads(text)
        names = [str(journal["folder"]), *map(str, journal["old"]), *map(str, journal["new"])]
    except (ValueError, KeyError, TypeError):
        return  # It was being written, so nothing was moved yet.
    if any(not _below(name) for name in names):
        return
    folder = private.path.parent / names[0]
    for source, target in _moves(private.path, folder, journal["old"], journal["new"]):
        target.parent.mkdir(parents=True, exist_ok=True)
        source.replace(target)
    sync_folders(folder, below={str(PurePosixPath(name).parent) for name in journal["new"]})


def _below(name: str) -> bool:
    path = PurePosixPath(name)
    return not path.is_absolute() and ".." not in path.parts


def _moves(
    private: Path, folder: Path, old: Sequence[str], new: Sequence[str]
) -> Iterator[tuple[Path, Path]]:
    """What is still to be moved, in order: the old files out, then the new ones in."""
    waiting = {name for name in new if os.path.lexists(private / NEW / name)}
    arrived = set(new) - waiting
    for name in old:
        if name not in arrived and os.path.lexists(folder / name):
            yield folder / name, private / OLD / name
    for name in new:
        if name in waiting:
            yield private / NEW / name, folder / name


def _undo(done: Sequence[tuple[Path, Path]], error: OSError) -> None:
    """Move back what was moved, in reverse: the new files out before the old ones in."""
    try:
        for source, target in reversed(done):
            target.replace(source)
    except OSError:
        raise UnfinishedError(error.errno, error.strerror) from error


def _private_for(folder: Path, *, whole: bool) -> tuple[PrivateFolder, bool]:
    """A private folder beside the destination, else inside it; and whether it is beside.

    A shell or program that works inside the destination would lose it in an exchange.
    """
    exists = folder.exists()
    if not exists:
        (folder.parent if whole else folder).mkdir(parents=True, exist_ok=True)
    beside = whole and (not exists or _is_ours(folder))
    if beside:
        try:
            return private_folder(folder.parent), True
        except OSError:
            if not exists:
                raise
    return private_folder(folder), False


def _is_ours(folder: Path) -> bool:
    status = folder.stat()
    user = os.geteuid() if hasattr(os, "geteuid") else status.st_uid
    same_disk = status.st_dev == folder.parent.stat().st_dev
    try:
        inside = Path.cwd().resolve().is_relative_to(folder)
    except OSError:  # the working folder was removed
        inside = False
    return status.st_uid == user and same_disk and not inside


def _files_below(folder: Path) -> Iterator[str]:
    """The paths of all files below a folder, with ``/``."""
    for where, _, names in os.walk(folder):
        for name in names:
            yield (Path(where) / name).relative_to(folder).as_posix()


def _link_others(folder: Path, new: Path, old: Collection[str]) -> None:
    """Link the files of a folder that are not results into the new folder, too.

    Raises:
        OSError: the folder holds more than :data:`MAX_LINKS` of them, another run is writing into
            it, or a file cannot be linked.
    """
    links = 0
    for where, names, files in os.walk(folder):
        here = Path(where).relative_to(folder)
        for name in names:
            source, target = Path(where) / name, new / here / name
            if NAME.fullmatch(name):
                raise OSError(errno.EBUSY, os.strerror(errno.EBUSY))
            if source.is_symlink():
                files.append(name)
            elif not target.is_dir():
                target.mkdir()
                shutil.copystat(source, target)
        for name in files:
            path = (here / name).as_posix()
            if path in old:
                continue
            links += 1
            if links > MAX_LINKS:
                raise OSError(errno.E2BIG, os.strerror(errno.E2BIG))
            os.link(Path(where) / name, new / path, follow_symlinks=False)


def _return_strays(earlier: Path, folder: Path, results: Collection[str]) -> None:
    """Move over the files that others wrote into the folder just before it was exchanged."""
    for name in set(_files_below(earlier)) - set(results):
        source, target = earlier / name, folder / name
        if not os.path.lexists(target) or not _same(source.lstat(), target.lstat()):
            target.parent.mkdir(parents=True, exist_ok=True)
            source.replace(target)


def _same(one: os.stat_result, other: os.stat_result) -> bool:
    return (one.st_dev, one.st_ino) == (other.st_dev, other.st_ino)


def exchange(one: Path, other: Path) -> None:
    """Exchange the names of two folders in one step.

    Raises:
        OSError: it failed; ``ENOSYS`` where the system cannot do it.
    """
    names = os.fsencode(one), os.fsencode(other)
    call = _exchange_call()
    if call is None:
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))
    if call(*names) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), str(one))


def _exchange_call() -> Callable[[bytes, bytes], int] | None:
    try:
        library = ctypes.CDLL(None, use_errno=True)
        if sys.platform == "darwin":  # pragma: no cover
            return lambda one, other: int(library.renamex_np(one, other, RENAME_EXCHANGE))
        renameat2 = library.renameat2
    except (OSError, AttributeError, TypeError):  # pragma: no cover (Windows, old C libraries)
        return None
    return lambda one, other: int(renameat2(AT_FDCWD, one, AT_FDCWD, other, RENAME_EXCHANGE))


def _write_synced(path: Path, data: bytes) -> None:
    with path.open("xb") as stream:
        stream.write(data)
        stream.flush()
        os.fsync(stream.fileno())
