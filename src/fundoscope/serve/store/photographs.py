"""The files of photographs, each named by the SHA-256 of its content and stored once.

Nothing that a caller sends becomes a part of a path. An upload is written into ``incoming``, synced
to the disk, and renamed when its row is written.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from fundoscope.syncing import sync_folder

FOLDER: Final = "photographs"
INCOMING: Final = "incoming"
PRIVATE: Final = 0o700
"""Photographs are patients' data: only the user who runs the service may look."""
PREFIX: Final = 2
"""Photographs lie in folders by the first characters of their hash: 256 folders."""
REMOVED: Final = ".removed"
"""The suffix of a file whose row is being deleted."""


class Incoming:
    """An upload while it arrives; nothing is left of it unless it is kept.

    Attributes:
        path: of the temporary file.
        size: bytes so far.
    """

    def __init__(self, data: Path) -> None:
        """Begin an upload.

        Args:
            data: the data folder.

        Raises:
            OSError: it cannot be written.
        """
        descriptor, name = tempfile.mkstemp(dir=data / INCOMING)
        self.path, self.size = Path(name), 0
        self._data = data
        self._stream = os.fdopen(descriptor, "wb")
        self._hash = hashlib.sha256()

    def write(self, chunk: bytes) -> None:
        """Add bytes.

        Raises:
            OSError: they cannot be written.
        """
        self._stream.write(chunk)
        self._hash.update(chunk)
        self.size += len(chunk)

    def sync(self) -> str:
        """Put all bytes on the disk, and return the SHA-256 of the file.

        Raises:
            OSError: they cannot be written.
        """
        self._stream.flush()
        os.fsync(self._stream.fileno())
        self._stream.close()
        return self._hash.hexdigest()

    def keep(self, sha256: str) -> bool:
        """Give the file its name, unless the same photograph has it already.

        Returns:
            Whether the photograph is new.

        Raises:
            OSError: it cannot be renamed.
        """
        path = path_of(self._data, sha256)
        if path.exists():
            return False
        path.parent.mkdir(mode=PRIVATE, exist_ok=True)
        self.path.replace(path)
        sync_folder(path.parent)
        sync_folder(path.parent.parent)
        return True

    def __enter__(self) -> Self:
        """The upload."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Remove the temporary file."""
        with suppress(OSError):
            self._stream.close()
        with suppress(OSError):
            self.path.unlink(missing_ok=True)


def prepare(data: Path) -> None:
    """Make the folders of photographs, for this user alone.

    Raises:
        OSError: they cannot be made.
    """
    for folder in (data, data / FOLDER, data / INCOMING):
        folder.mkdir(mode=PRIVATE, parents=True, exist_ok=True)


def path_of(data: Path, sha256: str) -> Path:
    """The path of a photograph in the data folder."""
    return data / FOLDER / sha256[:PREFIX] / sha256


def free_bytes(data: Path) -> int:
    """The free space on the disk of the data folder.

    Raises:
        OSError: the folder is gone.
    """
    return shutil.disk_usage(data).free


@contextmanager
def removal(data: Path) -> Iterator[Callable[[str], None]]:
    """Remove photographs together with their rows, around the transaction that deletes the rows.

    Args:
        data: the data folder.

    Yields:
        A function that takes the hash of a photograph. It is hidden at once and removed when the
        block ends; it stays if the block raises. :func:`tidy` decides if the process dies.

    Raises:
        OSError: it cannot be renamed.
    """
    hidden: list[Path] = []

    def remove(sha256: str) -> None:
        path = path_of(data, sha256)
        with suppress(FileNotFoundError):
            hidden.append(path.replace(path.with_suffix(REMOVED)))

    try:
        yield remove
    except BaseException:
        for path in hidden:
            path.replace(path.with_suffix(""))
        raise
    for path in hidden:
        path.unlink(missing_ok=True)


def tidy(data: Path, known: Collection[str]) -> int:
    """Remove what a process that died left: uploads, and photographs without a row.

    Folders, which somebody else made there, are left alone.

    Args:
        data: the data folder, which no other process uses.
        known: the hashes of the photographs that have a row.

    Returns:
        The number of files removed.

    Raises:
        OSError: one cannot be removed.
    """
    removed = 0
    for path in filter(_is_file, (data / INCOMING).iterdir()):
        path.unlink()
        removed += 1
    for path in filter(_is_file, (data / FOLDER).glob("*/*")):
        if path.stem in known:
            if path.suffix == REMOVED:
                path.replace(path.with_suffix(""))
            continue
        path.unlink()
        removed += 1
    return removed


def _is_file(path: Path) -> bool:
    return path.is_symlink() or not path.is_dir()
