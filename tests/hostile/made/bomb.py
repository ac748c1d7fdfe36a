"""What a bomb is: a file that costs far more than it looks, how it is made, and how it is used."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Bomb:
    """A file that costs far more than it looks.

    Attributes:
        name: of the file, with its suffix.
        make: writes it at a path.
        use: what a person does with such a file.
        lies: whether its header is enough to refuse it; then the bounds are tighter.
        may_be_read: whether it may be read within the bounds instead of being refused.
        slow_to_make: whether it is large or slow to make, so that only the bench makes it.
        quick: whether it is small enough to be made once more.
    """

    name: str
    make: Callable[[Path], None]
    use: Callable[[Path], object]
    lies: bool = False
    may_be_read: bool = False
    slow_to_make: bool = False
    quick: bool = True


def content(make: Callable[[], bytes]) -> Callable[[Path], None]:
    """A maker of a file from a maker of its bytes."""
    return lambda path: path.write_bytes(make()) and None
