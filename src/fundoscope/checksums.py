"""Checksums of a folder of results, so that a damaged or edited file is noticed.

The record of a run (``run.json``, or ``compare.json`` of a comparison) ends with the SHA-256 of
every other file of the run, and with one of its own text, in which the digits of that one are 0.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Final

from fundoscope.errors import OutputError, UsageError
from fundoscope.quoting import encodable_throughout

RECORDS: Final = ("run.json", "compare.json")
"""Files that hold checksums; a folder of results has one of them."""
FILES: Final = "files_sha256"
OWN: Final = "own_sha256"
"""Keys of the record."""
EMPTY: Final = "0" * 64
ENDING: Final = re.compile(rb'\n  "' + OWN.encode() + rb'": "([0-9a-f]{64})"\n}\n\Z')
"""How a record with checksums ends."""
CHUNK: Final = 2**20
"""Bytes that are read at a time."""


@dataclass(frozen=True, slots=True)
class Verified:
    """The result of a check.

    Attributes:
        intact: the number of files that are as they were written.
        faults: for each other file, its name and what is wrong with it.
        interrupted: whether the run was stopped before its end, as its record says.
    """

    intact: int
    faults: tuple[tuple[str, str], ...]
    interrupted: bool = False


def of_file(path: Path) -> str:
    """The SHA-256 of a file, in hexadecimal digits.

    Raises:
        OSError: it cannot be read.
    """
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while chunk := stream.read(CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def sealed(document: Mapping[str, Any], files: Mapping[str, str]) -> bytes:
    """The text of a record, with the checksums.

    Args:
        document: the content of the record.
        files: the SHA-256 of every other file of the run, by its path below the folder.
    """
    import msgspec

    content = encodable_throughout({**document, FILES: dict(files), OWN: EMPTY})
    text = bytes(msgspec.json.format(msgspec.json.encode(content), indent=2)) + b"\n"
    start = text.rindex(EMPTY.encode())
    own = hashlib.sha256(text).hexdigest()
    return text[:start] + own.encode() + text[start + len(EMPTY) :]


def seal(folder: Path, record: str) -> None:
    """Add the checksums of all files in a folder to its record.

    Raises:
        OSError: a file cannot be read or written.
    """
    import msgspec

    path = folder / record
    others = sorted(file for file in folder.iterdir() if file.name != record)
    document = msgspec.json.decode(path.read_bytes())
    path.write_bytes(sealed(document, {file.name: of_file(file) for file in others}))


def verify(folder: Path) -> Verified:
    """Check the files of a folder of results against their checksums.

    Files that do not belong to the run are ignored.

    Raises:
        UsageError: the folder holds no results, or results of a version without checksums.
        OutputError: its record cannot be read.
    """
    import msgspec

    record = next((name for name in RECORDS if (folder / name).is_file()), None)
    if record is None:
        raise UsageError(
            str(folder),
            f"holds no results ({' or '.join(RECORDS)})",
            "name the folder of a run of read or evaluate",
        )
    try:
        text = (folder / record).read_bytes()
    except OSError as error:
        raise OutputError(
            str(folder / record), f"cannot be read ({error.strerror})", "check its permissions"
        ) from None
    files = _files(text)
    if files is None:
        if FILES.encode() not in text and OWN.encode() not in text and _is_json(text):
            raise UsageError(
                str(folder / record),
                "has no checksums: an earlier version wrote it",
                "run the command again with --overwrite",
            )
        return Verified(0, ((record, "was changed, so the other files cannot be checked"),))
    faults = [
        (name, why) for name, sha256 in files.items() if (why := _fault(folder, name, sha256))
    ]
    interrupted = msgspec.json.decode(text).get("interrupted") is True
    return Verified(1 + len(files) - len(faults), tuple(faults), interrupted)


def listed(record: Path) -> tuple[str, ...]:
    """The names of the files that a record lists, also one that was changed since.

    Args:
        record: its path. Where it is not a record, it lists none.

    Raises:
        OSError: it cannot be read.
    """
    import msgspec

    try:
        return tuple(map(str, msgspec.json.decode(record.read_bytes())[FILES]))
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, KeyError, TypeError):
        return ()


def _files(text: bytes) -> dict[str, str] | None:
    """The checksums in the text of a record; ``None`` where the text is not what was written."""
    import msgspec

    ending = ENDING.search(text)
    if ending is None:
        return None
    start, end = ending.span(1)
    plain = text[:start] + EMPTY.encode() + text[end:]
    if hashlib.sha256(plain).hexdigest().encode() != ending[1]:
        return None
    try:
        document = msgspec.json.decode(text)
        return {str(name): str(sha256) for name, sha256 in document[FILES].items()}
    except (msgspec.MsgspecError, UnicodeDecodeError, KeyError, AttributeError, TypeError):
        return None


def _is_json(text: bytes) -> bool:
    import msgspec

    try:
        msgspec.json.decode(text)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return False
    return True


def _fault(folder: Path, name: str, sha256: str) -> str:
    """What is wrong with a file; ``""`` if nothing is."""
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts:
        return "is not a file of this folder"
    try:
        return "" if of_file(folder / name) == sha256 else "was changed"
    except FileNotFoundError:
        return "is missing"
    except OSError as error:
        return f"cannot be read ({error.strerror})"
