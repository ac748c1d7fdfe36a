"""What a format of annotations offers: reading, writing, and the files it is recognised by."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from fundoscope.data.annotations.annotation import AnnotationSet, Loss
from fundoscope.data.annotations.signs import Sign


class Read(Protocol):
    """Reads a file or folder of one format."""

    def __call__(self, path: Path, *, images: Path | None = None) -> AnnotationSet:
        """Read annotations.

        Args:
            path: the file or folder.
            images: the folder of photographs, where names or sizes have to be looked up.

        Raises:
            TableError: a file is not valid.
            PhotoError: a photograph whose size is needed cannot be read.
        """


class ReadFrom(Protocol):
    """Reads a file or folder of a format whose first pixel may be called 0 or 1."""

    def __call__(
        self, path: Path, *, images: Path | None = None, origin: int | None = None
    ) -> AnnotationSet:
        """Read annotations; see :class:`Read`.

        Args:
            path: the file or folder.
            images: the folder of photographs.
            origin: the number of the first pixel, 0 or 1; ``None`` infers it from the files.
        """


class Written(Protocol):
    """Finds the files that an earlier conversion into one format wrote."""

    def __call__(self, out: Path) -> tuple[Path, ...]:
        """The existing annotation files of a folder, whatever wrote them; none of a file.

        Args:
            out: the file or folder to write; it need not exist.
        """


class Write(Protocol):
    """Writes a file or folder of one format."""

    def __call__(
        self, annotations: AnnotationSet, out: Path, *, overwrite: bool = False
    ) -> tuple[Loss, ...]:
        """Write annotations.

        Args:
            annotations: what to write.
            out: the file or folder.
            overwrite: replace existing files. The annotations of a folder are replaced as a
                whole: those of other photographs are removed.

        Returns:
            What the format cannot hold.

        Raises:
            UsageError: the annotations lack something that the format needs.
            OutputError: a file exists or cannot be written; then nothing was changed.
        """


def no_files(out: Path) -> tuple[Path, ...]:  # noqa: ARG001 (of the protocol)
    """No files: of a format whose files have the same names in every conversion."""
    return ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Format:
    """One format of annotations.

    Attributes:
        name: as it is given on the command line.
        read: reads a file or folder.
        write: writes a file or folder.
        holds: the features that the format can hold, a subset of
            :data:`fundoscope.data.annotations.features.ALL`.
        files: the signs by which a file or folder of this format is recognised.
        written: the files and folders that ``write`` puts into a folder, relative to it.
        earlier: finds the files that ``write`` replaces as a whole.
        named_by_stem: whether a file is named as its photograph without the suffix, so that
            ``a.jpg`` and ``a.png`` cannot be told apart.
        read_from: ``read`` with the argument ``origin``, for a format that needs it.
    """

    name: str
    read: Read
    write: Write
    holds: frozenset[str]
    files: tuple[Sign, ...]
    written: tuple[str, ...]
    earlier: Written = no_files
    named_by_stem: bool = False
    read_from: ReadFrom | None = None
