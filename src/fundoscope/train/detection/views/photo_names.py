"""Finding annotated photographs by the names that people write into lists."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path, PurePosixPath
from typing import Final

from fundoscope.data.annotations.annotation import AnnotatedPhoto
from fundoscope.data.annotations.names import LISTED_SUFFIXES, PhotographNames
from fundoscope.data.table import read_bytes
from fundoscope.errors import TableError

SHOWN: Final = 12
"""Names that a message lists."""


def read_names(path: str) -> list[str]:
    """The names in a list, one per line.

    Raises:
        TableError: the list cannot be read, is not text, or is empty.
    """
    try:
        text = read_bytes(Path(path)).decode("utf-8-sig")
    except UnicodeDecodeError:
        raise TableError(path, "is not UTF-8 text", "save it as UTF-8") from None
    names = [line.strip() for line in text.splitlines() if line.strip()]
    return list(dict.fromkeys(names))


def stem(name: str) -> str:
    """The last part of a name without the suffix of a photograph."""
    path = PurePosixPath(name)
    return path.stem if path.suffix.lower() in LISTED_SUFFIXES else path.name


class ListedNames:
    """Finds the annotated photographs that people name in lists.

    :meth:`fundoscope.data.annotations.names.PhotographNames.candidates` says how names are matched.
    """

    def __init__(self, photos: Iterable[AnnotatedPhoto], title: Path) -> None:
        """Remember the photographs of a set; messages call it by ``title``."""
        self.title = title
        self._names = PhotographNames(photo.image for photo in photos)

    def image_of(self, name: str, listed_in: str) -> str | None:
        """The image of a name; ``None`` where no photograph has it.

        Raises:
            TableError: several photographs have it.
        """
        images = self._names.candidates(name)
        if len(images) > 1:
            raise TableError(
                listed_in,
                f"names {name}, and {len(images)} photographs have that name",
                "write their folders and suffixes too",
            )
        return images[0] if images else None

    def find(self, names: Sequence[str], listed_in: str) -> list[str]:
        """The images of names, each once, in order.

        Raises:
            TableError: a name belongs to no photograph, or to several.
        """
        images = [self.image_of(name, listed_in) for name in names]
        missing = [name for name, image in zip(names, images, strict=True) if image is None]
        if missing:
            more = f" … ({len(missing)} in all)" if len(missing) > SHOWN else ""
            raise TableError(
                listed_in,
                f"has names that are not annotated in {self.title}:"
                f" {', '.join(missing[:SHOWN])}{more}",
                "correct the names, or remove them",
            )
        return list(dict.fromkeys(image for image in images if image is not None))
