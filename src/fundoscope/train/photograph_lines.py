"""Files with a line of JSON for each photograph, which a run that was ended continues.

Each line names the photograph (``image``) and the network that made it (``detector``).
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import msgspec

from fundoscope.errors import UsageError
from fundoscope.writing import explained, write_bytes

ANOTHER: Final = "remove it, or choose another --out"
REPORTED: Final = 20
"""Photographs between two lines about the progress."""
SPACE: Final = "free some space, then run the same command again, or choose another --out"


def done(path: Path, maker: str, script: str) -> set[str]:
    """The photographs of a file; a last line that a kill cut off is removed from it.

    Args:
        path: of the file, which need not exist.
        maker: SHA-256 of the network's graph.
        script: that writes such files, for messages.

    Raises:
        UsageError: another network made the file, or it is damaged.
    """
    if not path.is_file():
        return set()
    content = path.read_bytes()
    whole = content[: content.rfind(b"\n") + 1]
    try:
        lines: list[dict[str, Any]] = [json.loads(line) for line in whole.splitlines()]
        makers = {line.get("detector") for line in lines}
        images = {str(line["image"]) for line in lines}
    except (ValueError, KeyError, TypeError, AttributeError):
        raise UsageError(str(path), f"is not a file of {script}", ANOTHER) from None
    if makers - {maker}:
        raise UsageError(
            str(path), f"was made with another detector, or by an older {script}", ANOTHER
        )
    if whole != content:
        write_bytes(path, whole, overwrite=True)
    return images


def complete(
    path: Path, maker: str, script: str, photographs: Mapping[Path, Callable[[], object]]
) -> None:
    """Add the lines of the photographs that a file does not have yet, and show the progress.

    Args:
        path: of the file; missing folders are created.
        maker: SHA-256 of the network's graph.
        script: that writes such files, for messages.
        photographs: gives the boxes of each.

    Raises:
        UsageError: as :func:`done`.
        OutputError: the file cannot be written.
        FundoscopeError: whatever a photograph's boxes raise; it gets no line.
    """
    earlier = done(path, maker, script)
    for number, (photograph, boxes) in enumerate(photographs.items(), start=1):
        if str(photograph) not in earlier:
            line = {"image": str(photograph), "detector": maker, "boxes": boxes()}
            add(path, msgspec.json.encode(line))
        if number % REPORTED == 0:
            sys.stdout.write(f"{number} of {len(photographs)}\n")
            sys.stdout.flush()


def add(path: Path, line: bytes) -> None:
    """Add a line to a file; missing folders are created.

    Args:
        path: of the file.
        line: without its end.

    Raises:
        OutputError: it cannot be written.
    """
    with explained(path, remedy=SPACE):
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("ab") as file:
            file.write(line + b"\n")
