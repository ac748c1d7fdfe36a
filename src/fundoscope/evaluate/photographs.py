"""Photographs of an evaluation: status, names in the results, and work on many at a time."""

from __future__ import annotations

import posixpath
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Final, TypeVar

from fundoscope.quoting import bare

READ: Final = "read"
REFUSED: Final = "refused"
"""The statuses that evaluations of graders and of detectors share."""

NUMBER: Final = re.compile(r" \(No\. \d+\)$")
"""Behind a name that several photographs have."""

Result = TypeVar("Result")


def names_of(images: Sequence[str], *, paths: bool) -> list[str]:
    """How results name photographs, each differently; rows of one photograph share its name.

    Args:
        images: as the label table or the annotations name them; one may appear several times.
        paths: whether to name them so, else by their bare file names. Where several photographs
            share one, their number follows: the place in ``images``, from 1, of its first row.
    """
    if paths:
        return list(images)
    # Whoever reads the results must see which rows are of one photograph: they are drawn together.
    first: dict[str, int] = {}
    places = [
        first.setdefault(posixpath.normpath(image), number)
        for number, image in enumerate(images, start=1)
    ]
    count = Counter(bare(image) for image in first)
    return [
        f"{name} (No. {place})" if count[name] > 1 else name
        for name, place in zip(map(bare, images), places, strict=True)
    ]


def file_name(name: str) -> str:
    """The bare file name of a photograph that results name, by :func:`names_of` or by its path."""
    return NUMBER.sub("", bare(name))


def reported(results: Iterable[Result], on_done: Callable[[], None]) -> Iterator[Result]:
    """Pass results on, one after the other, and call ``on_done`` after each."""
    for result in results:
        on_done()
        yield result
