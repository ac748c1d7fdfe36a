"""Private folders for files that are being written, and what killed runs leave of them.

A private folder has a name that nobody can guess and rights for its owner only, so that nobody can
plant a link in it. While its run lives, the folder is locked. A folder without a lock was left by
a run that was killed.
"""

from __future__ import annotations

import os
import re
import shutil
import stat
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

if sys.platform != "win32":
    import fcntl

PREFIX: Final = ".fundoscope-part-"
NAME: Final = re.compile(re.escape(PREFIX) + r"[a-z0-9_]{8}")
"""The name of a private folder: what :func:`tempfile.mkdtemp` makes of the prefix."""
WITHOUT_LOCKS: Final = 24 * 3600
"""Seconds after which a folder counts as left behind on a system without file locks."""
ATTEMPTS: Final = 10
"""To make a folder, while another run takes it for one that was left behind."""


@dataclass(frozen=True, slots=True)
class PrivateFolder:
    """A private folder and the lock on it.

    Attributes:
        path: of the folder.
        lock: the descriptor that holds the lock; ``None`` without file locks.
    """

    path: Path
    lock: int | None

    def remove(self) -> None:
        """Remove the folder and what is in it; errors are ignored."""
        shutil.rmtree(self.path, ignore_errors=True)
        self.release()

    def release(self) -> None:
        """Give up the lock and keep the folder."""
        if self.lock is not None:
            os.close(self.lock)


def private_folder(parent: Path) -> PrivateFolder:
    """Make a private folder and lock it.

    Raises:
        OSError: it cannot be made.
    """
    for _ in range(ATTEMPTS):
        path = Path(tempfile.mkdtemp(prefix=PREFIX, dir=parent))
        if sys.platform == "win32":
            return PrivateFolder(path, None)
        lock = _locked(path)
        if lock is not None and path.exists():
            return PrivateFolder(path, lock)
        if lock is not None:
            os.close(lock)
    raise OSError(f"no private folder could be made in {parent}")


def left_behind(parent: Path) -> Iterator[PrivateFolder]:
    """Lock and yield the private folders that killed runs of this user left in a folder."""
    try:
        with os.scandir(parent) as entries:
            names = [entry.name for entry in entries if NAME.fullmatch(entry.name)]
    except OSError:
        return
    for path in (parent / name for name in sorted(names)):
        with suppress(OSError):
            status = path.lstat()
            if not stat.S_ISDIR(status.st_mode) or status.st_uid != _user():
                continue  # a link, or the folder of somebody else
            if sys.platform == "win32":
                if time.time() - status.st_mtime > WITHOUT_LOCKS:
                    yield PrivateFolder(path, None)
                continue
            lock = _locked(path)
            if lock is not None:
                yield PrivateFolder(path, lock)


def _user() -> int:
    return os.geteuid() if hasattr(os, "geteuid") else 0


def _locked(path: Path) -> int | None:
    """The descriptor of a locked folder; ``None`` where another process has the lock."""
    if sys.platform == "win32":
        return None
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    except OSError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        return None
    return descriptor
