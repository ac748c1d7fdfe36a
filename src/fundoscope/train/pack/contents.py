"""What a pack consists of: its files by name, and what ``pack.json`` says of them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import msgspec

from fundoscope.train.run import loop

CONTENTS, PART = "pack.json", "part.json"
VERSION: Final = 3
GRADER, DETECTOR = "grader", "detector"
START: Final = "{name}.pth"
"""The weights to start from, named after their network."""
EARLIER: Final = "start"
"""Folder with the best network, configuration and figures of the earlier run that a run starts
from. With them, a bundle can state the same about that run as it would without the pack."""
EARLIER_BEST: Final = f"{EARLIER}/{loop.BEST}"
ANNOTATIONS, PHOTOGRAPHS, MASKS = "annotations.json", "photographs", "masks"
TRAIN_LIST, VAL_LIST = "train.txt", "val.txt"
CROPS: Final = "crops"


class Start(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Weights that a network starts from.

    Attributes:
        network: name of the network.
        origin: ``init`` of the configuration that starts from them.
        file: name of the file in the pack.
    """

    network: str
    origin: str
    file: str


class Contents(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What ``pack.json`` says.

    Attributes:
        task: ``grader`` or ``detector``.
        starts: the packed weights, of a network or of a detector's backbone.
        tables: names of a grader's label tables; the first is the one that is validated on.
        side: of a grader's crops, in pixels.
        start: file of the whole network that a detector starts from; ``""`` where there is none.
        parts: number of files of the pack; all but the first hold nothing but crops.
        key: the same in all parts of a pack, and in no other pack.
        version: of this format.
    """

    task: str
    starts: tuple[Start, ...] = ()
    tables: tuple[str, ...] = ()
    side: int = 0
    start: str = ""
    parts: int = 1
    key: str = ""
    version: int = VERSION

    @property
    def files(self) -> tuple[str, ...]:
        """The file of each table."""
        return tuple(f"{name}.csv" for name in distinct(self.tables))


class Part(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What ``part.json`` says in each part of a pack but the first.

    Attributes:
        key: of the pack.
        number: of the part, from 2.
    """

    key: str
    number: int


def part(path: Path, number: int) -> Path:
    """The file of a part of a pack: ``grader.zip``, then ``grader-2.zip`` beside it.

    Args:
        path: of the first part.
        number: of the part, from 1.
    """
    return path if number == 1 else path.with_name(f"{path.stem}-{number}{path.suffix}")


def distinct(names: Sequence[str]) -> list[str]:
    """The names; where two are the same, the later ones with a number."""
    return [
        name if name not in names[:place] else f"{name}-{place}" for place, name in enumerate(names)
    ]
