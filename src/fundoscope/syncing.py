"""Sync files and folders to the disk, so that a loss of power loses nothing that was reported."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Collection
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

AT_A_TIME: Final = 8
"""Files that are synced at a time: disks combine such requests."""
NO_FOLDER_SYNC: Final = frozenset({errno.EINVAL, errno.ENOTSUP, errno.EBADF, errno.EACCES})
"""Errors of file systems that cannot sync a folder."""


def sync(folder: Path) -> None:
    """Sync all files and folders below a folder, and itself, to the disk.

    Raises:
        OSError: it failed, e.g. because the disk is full.
    """
    files = [Path(where) / name for where, _, names in os.walk(folder) for name in names]
    if len(files) == 1:
        sync_file(files[0])
    elif files:
        with ThreadPoolExecutor(min(AT_A_TIME, len(files))) as pool:
            for _ in pool.map(sync_file, files):
                pass
    sync_folders(folder)


def sync_file(path: Path) -> None:
    """Sync a file to the disk; a link, pipe or socket is passed over.

    Raises:
        OSError: it failed.
    """
    if not stat.S_ISREG(path.lstat().st_mode):
        return
    # Windows syncs only what is open for writing.
    descriptor = os.open(path, os.O_RDWR if os.name == "nt" else os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_folder(folder: Path) -> None:
    """Sync the names in a folder to the disk, where the system can do that.

    Raises:
        OSError: it failed.
    """
    if os.name == "nt":  # pragma: no cover
        return
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    except PermissionError:  # a folder that may be written but not listed
        return
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in NO_FOLDER_SYNC:
            raise
    finally:
        os.close(descriptor)


def sync_folders(folder: Path, below: Collection[str] | None = None) -> None:
    """Sync the names in a folder and in the folders below it.

    Args:
        folder: to sync.
        below: the paths of the folders below it; by default all.

    Raises:
        OSError: it failed.
    """
    if below is None:
        for where, _, _ in os.walk(folder):
            sync_folder(Path(where))
        return
    for name in {".", *below}:
        sync_folder(folder / name)
