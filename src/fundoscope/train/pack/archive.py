"""Writing the zip files of a pack."""

from __future__ import annotations

import hashlib
import math
import zipfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

from fundoscope.errors import UsageError
from fundoscope.writing import explained, replacing

MEBIBYTE: Final = 2**20
ZIP_HEADS: Final = 30 + 46
"""Bytes that a zip file spends on each file besides its content and twice its name."""
CONTENTS_ROOM: Final = 4096
"""Bytes that are kept for ``pack.json`` or ``part.json`` and the end of a zip file."""
KEY: Final = 12
"""Hexadecimal digits."""
REMEDY: Final = "free some space"
COMPRESSED: Final = (".csv", ".json", ".txt")
"""Endings of the files that are compressed; pictures and weights would not get smaller."""

Entry = tuple[str, bytes]
"""Name and content of a file in a pack."""


def room(entry: Entry) -> int:
    """Bytes that a file takes in a zip file, at most."""
    name, content = entry
    return len(content) + 2 * len(name) + ZIP_HEADS


def divided(entries: Sequence[Entry], limit: float, first: int) -> list[list[Entry]]:
    """Divide files over the parts of a pack, in their order; each part is filled.

    Args:
        entries: what is divided.
        limit: bytes of a part.
        first: bytes that the first part holds besides.

    Raises:
        UsageError: a part has no room for what cannot be divided.
    """
    most = max([first, *map(room, entries)]) + CONTENTS_ROOM
    if most > limit:
        raise UsageError(
            f"a file of {limit / MEBIBYTE:g} MiB",
            f"has no room for {most / MEBIBYTE:.1f} MiB that belong together",
            "raise the limit",
        )
    groups: list[list[Entry]] = [[]]
    used = first + CONTENTS_ROOM
    for entry in entries:
        needed = room(entry)
        if used + needed > limit:
            groups.append([])
            used = CONTENTS_ROOM
        groups[-1].append(entry)
        used += needed
    return groups


def key_of(entries: Sequence[Entry]) -> str:
    """A name that only these files have."""
    digest = hashlib.sha256()
    for name, content in entries:
        digest.update(f"{name}\0{len(content)}\0".encode())
        digest.update(content)
    return digest.hexdigest()[:KEY]


def write(path: Path, entries: Iterable[Entry], limit: float = math.inf) -> float:
    """Write a zip file of a pack, whole or not at all.

    The same entries give the same bytes: no time is written.

    Args:
        path: of the zip file; its folder is made where it does not exist.
        entries: its files.
        limit: mebibytes that the zip file may have.

    Returns:
        The size of the zip file in mebibytes.

    Raises:
        UsageError: it would be larger than the limit.
        OutputError: it cannot be written.
    """
    with explained(path, remedy=REMEDY):
        path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path, remedy=REMEDY) as waiting:
        with zipfile.ZipFile(waiting, "w") as archive:
            for name, content in entries:
                info = zipfile.ZipInfo(name)
                small = name.endswith(COMPRESSED)
                info.compress_type = zipfile.ZIP_DEFLATED if small else zipfile.ZIP_STORED
                archive.writestr(info, content)
        size = waiting.stat().st_size / MEBIBYTE
        if size > limit:
            raise UsageError(
                path.name,
                f"would have {size:.1f} MiB, over {limit:g}",
                "leave photographs out, or raise the limit",
            )
    return size
