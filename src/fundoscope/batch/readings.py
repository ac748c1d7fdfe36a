"""The Readings in a file that an earlier run wrote, one line of JSON each."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from fundoscope import regular
from fundoscope.errors import UsageError
from fundoscope.reading import Reading

MAX_LINE_BYTES: Final = 16 * 2**20
"""A Reading with 10,000 boxes takes 1 MB."""
REMEDY: Final = "give readings.jsonl of a run, or what fundoscope read --json printed"


def of_file(path: Path) -> Iterator[Reading]:
    """The Readings of a file, one after the other.

    Args:
        path: a text file in UTF-8 with a Reading on each line; empty lines are passed over.

    Raises:
        UsageError: the file cannot be read, or a line is not a Reading.
    """
    import msgspec

    try:
        regular.size_of(path)
        with path.open("rb") as file:
            for number, line in enumerate(iter(lambda: file.readline(MAX_LINE_BYTES + 1), b""), 1):
                if len(line) > MAX_LINE_BYTES:
                    raise UsageError(f"{path.name}, line {number}", "is too long", REMEDY)
                if line.strip():
                    yield Reading.from_json(line)
    except OSError as error:
        raise UsageError(path.name, f"cannot be read ({error.strerror})", REMEDY) from None
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise UsageError(f"{path.name}, line {number}", "is not a Reading", REMEDY) from None
