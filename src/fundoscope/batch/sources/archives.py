"""Photographs in zip and tar files, read one after the other, without unpacking them to a disk."""

from __future__ import annotations

import tarfile
import threading
import zipfile
import zlib
from collections import Counter
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, Final, Protocol, Self

from fundoscope import limits
from fundoscope.compression import LZMA_ERRORS
from fundoscope.errors import PhotoError, UsageError

ZIP_SUFFIXES: Final = (".zip",)
TAR_SUFFIXES: Final = (
    ".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tbz2", ".tar.xz", ".txz",
)  # fmt: skip
DAMAGE: Final[tuple[type[Exception], ...]] = (
    tarfile.TarError, zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, ValueError, OSError,
    *LZMA_ERRORS,
)  # fmt: skip
"""What the libraries raise on damaged, encrypted or unreadable archives; a compression that they do
not know is a kind of RuntimeError."""


HEADERS: Final = (
    tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.SOLARIS_XHDTYPE,
    tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK,
)  # fmt: skip
UNENDED: Final[tuple[type[Exception], ...]] = (
    tarfile.InvalidHeaderError,  # type: ignore[attr-defined]
    tarfile.TruncatedHeaderError,  # type: ignore[attr-defined]
    tarfile.EmptyHeaderError,  # type: ignore[attr-defined]
)
"""Faults of a header; an archive ends with an empty one."""
MAX_HEADER_BYTES: Final = 2**20
"""Of an extended header in a tar file; usual ones hold a long name."""
MIB: Final = 2**20


def is_archive(path: Path) -> bool:
    """Whether a file is an archive by its name."""
    return path.name.lower().endswith((*ZIP_SUFFIXES, *TAR_SUFFIXES))


def members(
    path: Path, suffixes: Collection[str], others: Counter[str]
) -> Iterator[tuple[int, str]]:
    """The photographs in an archive, in its order: the place of each, from 0, and its name.

    Names whose parts begin with a dot are passed over, as in folders; so is what macOS adds.

    Args:
        path: of the archive.
        suffixes: of photographs.
        others: gets the counts of other files, by suffix.

    Raises:
        UsageError: it cannot be read.
    """
    try:
        with _opened(path) as archive:
            for entry in archive.entries():
                pure = PurePosixPath(entry.name)
                if any(_is_hidden(part) for part in pure.parts):
                    continue
                if pure.suffix.lower() in suffixes:
                    yield entry.place, entry.name
                else:
                    others[pure.suffix.lower() or "(no suffix)"] += 1
    except DAMAGE as error:
        raise UsageError(str(path), f"cannot be read ({error})", "make it again") from None


def _is_hidden(part: str) -> bool:
    """Whether a part of a name is passed over; ``..`` leads to the folder above."""
    return part.startswith((".", "__MACOSX")) and part != ".."


@dataclass(frozen=True, slots=True)
class _Entry:
    """A file in an archive: its place among all entries, its name and its size in bytes."""

    place: int
    name: str
    size: int
    is_link: bool = False


class Archives:
    """Reads members of archives; those of one archive should be asked for in its order.

    A compressed tar file can only be read from its beginning to its end, so it stays open between
    two calls.
    """

    def __init__(self) -> None:
        """Open nothing yet."""
        self._path = ""
        self._archive: _Archive | None = None
        self._entries: Iterator[_Entry] = iter(())

    def read(self, path: str, place: int, name: str) -> bytes:
        """The bytes of a member.

        Args:
            path: of the archive.
            place: of the member, see :func:`members`.
            name: of the member.

        Raises:
            PhotoError: it cannot be read, or the archive has changed.
        """
        title = PurePosixPath(name).name
        try:
            for _ in range(2):  # once more from the beginning, if the member came before
                entry = next((each for each in self._rest(path) if each.place >= place), None)
                if entry is not None and (entry.place, entry.name) == (place, name):
                    return self._bytes(title, entry)
                self.close()
        except DAMAGE as error:
            self.close()
            why = f"cannot be read from its archive ({error})"
            remedy = "make the archive again"
            raise PhotoError(title, why, remedy, code="unreadable") from None
        why = "is not in its archive any more"
        raise PhotoError(title, why, "check the archive", code="not_found")

    def _rest(self, path: str) -> Iterator[_Entry]:
        if self._archive is None or self._path != path:
            self.close()
            self._archive, self._path = _archive(Path(path)), path
            self._entries = self._archive.entries()
        return self._entries

    def _bytes(self, title: str, entry: _Entry) -> bytes:
        most = limits.MAX_FILE_BYTES
        if entry.is_link:
            why, remedy = "is a link in its archive", "pack the file itself: tar --dereference"
            raise PhotoError(title, why, f"{remedy} --hard-dereference", code="not_a_file")
        if self._archive is None or entry.size > most:
            why = f"is larger than {most // MIB} MiB"
            raise PhotoError(title, why, "save it smaller", code="too_large")
        with self._archive.current() as stream:
            data = stream.read(most + 1)
        if len(data) != entry.size:
            why, remedy = "has another size than its archive says", "make the archive again"
            raise PhotoError(title, why, remedy, code="unreadable")
        return data

    def close(self) -> None:
        """Close the archive that is open."""
        if self._archive is not None:
            self._archive.close()
        self._archive, self._entries = None, iter(())


class SharedArchives:
    """As :class:`Archives`, for several threads: they read one after the other."""

    def __init__(self) -> None:
        """Open nothing yet."""
        self._archives, self._lock = Archives(), threading.Lock()

    def read(self, path: str, place: int, name: str) -> bytes:
        """As :meth:`Archives.read`."""
        with self._lock:
            return self._archives.read(path, place, name)

    def close(self) -> None:
        """Close the archive that is open."""
        self._archives.close()


class _Archive(Protocol):
    def entries(self) -> Iterator[_Entry]: ...
    def current(self) -> IO[bytes]: ...
    def close(self) -> None: ...


class _TarInfo(tarfile.TarInfo):
    """An entry whose header is checked.

    tarfile reads an extended header at once, whatever its size. It takes a damaged header, or the
    end of a file that was cut off, for the end of the archive: photographs would be lost silently.
    """

    @classmethod
    def fromtarfile(cls, archive: tarfile.TarFile) -> Self:
        try:
            return super().fromtarfile(archive)
        except UNENDED as error:
            raise tarfile.ReadError(f"a header is damaged: {error}") from None

    def _proc_member(self, archive: tarfile.TarFile) -> tarfile.TarInfo:
        if self.type in HEADERS and self.size > MAX_HEADER_BYTES:
            raise tarfile.ReadError("a header is too long")
        return super()._proc_member(archive)  # type: ignore[misc,no-any-return]


class _Zip:
    def __init__(self, path: Path) -> None:
        self._file = zipfile.ZipFile(path)
        self._entry: zipfile.ZipInfo | None = None

    def entries(self) -> Iterator[_Entry]:
        for place, entry in enumerate(self._file.infolist()):
            self._entry = entry
            if not entry.is_dir():
                yield _Entry(place, _normal(entry.filename), entry.file_size)

    def current(self) -> IO[bytes]:
        if self._entry is None:
            raise ValueError("no member")
        return self._file.open(self._entry)

    def close(self) -> None:
        self._file.close()


class _Tar:
    def __init__(self, path: Path) -> None:
        self._file = tarfile.open(path, "r:*", tarinfo=_TarInfo)  # noqa: SIM115
        self._entry: tarfile.TarInfo | None = None

    def entries(self) -> Iterator[_Entry]:
        place = -1
        while (entry := self._file.next()) is not None:
            place += 1
            self._entry = entry
            # tarfile keeps each member for look-ups by name, which are not needed here.
            self._file.members = []  # type: ignore[attr-defined]
            is_link = entry.islnk() or entry.issym()
            if entry.isreg() or is_link:
                yield _Entry(place, _normal(entry.name), entry.size, is_link)

    def current(self) -> IO[bytes]:
        stream = None if self._entry is None else self._file.extractfile(self._entry)
        if stream is None:
            raise ValueError("no file")
        return stream

    def close(self) -> None:
        self._file.close()


def _normal(name: str) -> str:
    """A name without ``.``, doubled slashes and a slash before it."""
    return "/".join(part for part in PurePosixPath(name).parts if part != "/")


def _archive(path: Path) -> _Archive:
    return _Zip(path) if path.name.lower().endswith(ZIP_SUFFIXES) else _Tar(path)


@contextmanager
def _opened(path: Path) -> Iterator[_Archive]:
    archive = _archive(path)
    try:
        yield archive
    finally:
        archive.close()
