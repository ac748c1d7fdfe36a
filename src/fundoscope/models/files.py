"""Reading the files of a bundle from its folder or zip file, each up to a number of bytes."""

from __future__ import annotations

import struct
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Final

from fundoscope.compression import LZMA_ERRORS
from fundoscope.errors import BundleError
from fundoscope.regular import size_of

UNREADABLE: Final[tuple[type[Exception], ...]] = (
    OSError,
    EOFError,
    IndexError,
    OverflowError,
    RuntimeError,
    ValueError,
    struct.error,
    zipfile.BadZipFile,
    zipfile.LargeZipFile,
    zlib.error,
    *LZMA_ERRORS,
)
"""What zipfile and its decompressors raise at damaged files. RuntimeError: encrypted, or compressed
in an unknown way. ValueError: names that are not text."""
DAMAGE_SHOWN: Final = 120
"""Characters of a library's message that are repeated."""


class MissingFileError(BundleError):
    """A bundle lacks one of its files."""


def reader(path: Path) -> Callable[[str, int], bytes]:
    """A function that reads one named file of a bundle.

    Args:
        path: the bundle's folder or zip file.

    Returns:
        A function of the file's name and of the largest number of bytes that it may have. It raises
        ``MissingFileError`` if there is no such file, else ``BundleError``.

    Raises:
        BundleError: the path is neither a folder nor a zip file.
    """
    if _is_folder(path):
        return lambda name, bound: _from_folder(path, name, bound)
    if _is_zip(path):
        return lambda name, bound: _from_zip(path, name, bound)
    raise BundleError(
        title(path),
        "is not a bundle (a folder or zip file with bundle.json and model.onnx)",
        "check the path; `fundoscope models` lists the bundles that ship",
    )


def title(path: Path) -> str:
    """How messages name a bundle; ``.`` has no name."""
    return path.name or str(path)


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except (OSError, ValueError):  # the name is too long, or has a null character
        return False


def _is_zip(path: Path) -> bool:
    try:
        return path.is_file() and zipfile.is_zipfile(path)
    except UNREADABLE:
        return False


def _from_folder(path: Path, name: str, bound: int) -> bytes:
    file = path / name
    try:
        if size_of(file) > bound:
            raise _too_large(path, name, bound)
        return file.read_bytes()
    except FileNotFoundError:
        raise _missing(path, name) from None
    except OSError as error:
        raise BundleError(
            title(path), f"its {name} cannot be read ({error.strerror})", "check its permissions"
        ) from None


def _from_zip(path: Path, name: str, bound: int) -> bytes:
    try:
        with zipfile.ZipFile(path) as archive:
            if name not in archive.namelist():
                raise _missing(path, name)
            if archive.getinfo(name).file_size > bound:
                raise _too_large(path, name, bound)
            return archive.read(name)
    except BundleError:
        raise
    except UNREADABLE as error:
        raise _damaged(path, error) from None


def _damaged(path: Path, error: Exception) -> BundleError:
    reason = str(error)[:DAMAGE_SHOWN] or type(error).__name__
    return BundleError(title(path), f"is a damaged zip file ({reason})", "get the bundle again")


def _missing(path: Path, name: str) -> MissingFileError:
    return MissingFileError(
        title(path), f"has no {name}", "get the whole bundle, or export it again"
    )


def _too_large(path: Path, name: str, bound: int) -> BundleError:
    return BundleError(
        title(path), f"its {name} has more than {bound // 2**10:,} KiB", "check the path"
    )
