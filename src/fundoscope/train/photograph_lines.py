"""Files with a line of JSON for each photograph, which a run that was ended continues.

Each line names the photograph (``image``) and the network that made it (``detector``).
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

from fundoscope.errors import UsageError
from fundoscope.writing import explained, write_bytes

ANOTHER: Final = "remove it, or choose another --out"
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
