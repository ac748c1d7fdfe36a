"""Photographs of an evaluation: status, names in the results, and work on many at a time."""

from __future__ import annotations

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
    """How results name photographs, each differently.

    Args:
        images: as the label table or the annotations name them.
        paths: whether to name them so, else by their bare file names. Where several photographs
            share one, their number follows, from 1 in the order of ``images``.
    """
    if paths:
        return list(images)
    names = [bare(image) for image in images]
    count = Counter(names)
    return [
        f"{name} (No. {number})" if count[name] > 1 else name
        for number, name in enumerate(names, start=1)
    ]


def file_name(name: str) -> str:
    """The bare file name of a photograph that results name, by :func:`names_of` or by its path."""
    return NUMBER.sub("", bare(name))


def reported(results: Iterable[Result], on_done: Callable[[], None]) -> Iterator[Result]:
    """Pass results on, one after the other, and call ``on_done`` after each."""
    for result in results:
        on_done()
        yield result
