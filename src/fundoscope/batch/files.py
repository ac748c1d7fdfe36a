"""Files that are there whole or not at all, whatever happens while they are written."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final, TextIO, TypeVar

from fundoscope.errors import OutputError

REMEDY: Final = "free some space or name another folder"

T = TypeVar("T")


def write_whole(path: Path, data: bytes) -> None:
    """Write a file under a temporary name and rename it, replacing what was there.

    Raises:
        OutputError: it could not be written; what was there before is untouched.
    """
    temporary = _temporary(path)
    try:
        temporary.write_bytes(data)
        temporary.replace(path)
    except OSError as error:
        _forget(temporary)
        raise _output_error(path, error) from None


@contextmanager
def whole_files(folder: Path, names: Sequence[str]) -> Iterator[list[ResultFile]]:
    """Text files that appear together when the block ends, and not at all when it raises.

    Args:
        folder: where they will lie.
        names: their names, in the order of the list that is handed out.

    Raises:
        OutputError: one of them could not be written.
    """
    files: list[ResultFile] = []
    try:
        for name in names:
            files.append(ResultFile(folder / name))
        yield files
        for file in files:
            file.finish()
        for file in files:
            file.publish()
    finally:
        for file in files:
            file.discard()


class ResultFile:
    """A text file (UTF-8) that is written under a temporary name, see :func:`whole_files`."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._temporary = _temporary(path)
        self._stream: TextIO = self._try(self._open)

    def _open(self) -> TextIO:
        # File names need not be text: their odd bytes are written out rather than refused.
        return self._temporary.open("w", encoding="utf-8", errors="backslashreplace", newline="")

    def write(self, text: str) -> int:
        """Append text.

        Raises:
            OutputError: it could not be written.
        """
        return self._try(lambda: self._stream.write(text))

    def finish(self) -> None:
        """Bring everything onto the disk, so that publishing only renames."""
        self._try(self._sync)

    def _sync(self) -> None:
        self._stream.flush()
        os.fsync(self._stream.fileno())
        self._stream.close()

    def publish(self) -> None:
        """Give the finished file its name."""
        self._try(lambda: self._temporary.replace(self.path))

    def discard(self) -> None:
        """Leave nothing behind of a file that was not published."""
        with suppress(OSError):  # closing writes what is buffered, which a full disk refuses
            self._stream.close()
        _forget(self._temporary)

    def _try(self, action: Callable[[], T]) -> T:
        try:
            return action()
        except OSError as error:
            _forget(self._temporary)
            raise _output_error(self.path, error) from None


def _temporary(path: Path) -> Path:
    return path.with_name(f".{path.name}.{os.getpid()}.part")


def _forget(temporary: Path) -> None:
    temporary.unlink(missing_ok=True)


def _output_error(path: Path, error: OSError) -> OutputError:
    return OutputError(str(path), f"cannot be written ({error.strerror})", REMEDY)
