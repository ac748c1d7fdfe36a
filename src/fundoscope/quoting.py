"""Text from files, made fit for a line of a message: escaped and shortened; paths without folders.

A folder may be named after a patient, so results name files by their bare names.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

SHOWN: Final = 80
"""Characters of a quoted name, cell or number; a longer one is cut in the middle."""
CUT: Final = " … "
SEPARATORS: Final = re.compile(r"[/\\]+")
"""Of paths, on Linux and on Windows: a table may come from either."""


def printable(text: str) -> str:
    """Put ``text`` on one line, with control characters and invalid bytes escaped.

    A file name may hold any character but a slash. None may control a terminal or break a line.
    """
    if text.isprintable():
        return text
    return "".join(
        c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text
    )


def encodable(text: str) -> str:
    """``text`` as UTF-8 can hold it: bytes of a file name that are not text become escapes."""
    return text.encode("utf-8", "backslashreplace").decode()


def encodable_throughout(value: Any) -> Any:
    """A value of JSON in which every text is :func:`encodable`."""
    if isinstance(value, str):
        return encodable(value)
    if isinstance(value, Mapping):
        return {
            encodable_throughout(key): encodable_throughout(each) for key, each in value.items()
        }
    if isinstance(value, list | tuple | set | frozenset):
        return [encodable_throughout(each) for each in value]
    return value


def as_json(content: Any) -> bytes:
    """Lists and maps as JSON for a file, indented by two spaces, whatever names they hold."""
    import msgspec

    encoded = msgspec.json.encode(encodable_throughout(content))
    return msgspec.json.format(encoded, indent=2) + b"\n"


def bare(path: str) -> str:
    """The last part of a path; the path itself where it has only one, such as ``.``."""
    parts = [part for part in SEPARATORS.split(path) if part]
    return parts[-1] if parts else path


def shortened(text: str, most: int = SHOWN) -> str:
    """At most ``most`` characters of ``text``: its beginning and its end."""
    if len(text) <= most:
        return text
    kept = most - len(CUT)
    return f"{text[: kept - kept // 2]}{CUT}{text[len(text) - kept // 2 :]}"


def shown(value: object, most: int = SHOWN) -> str:
    """A value of a file as a message shows it: escaped, on one line, and shortened."""
    return shortened(printable(shortened(_text(value), most)), most)


def quoted(value: object, most: int = SHOWN) -> str:
    """As :func:`shown`, in quotation marks if it is text: ``'MA'``, but ``12``."""
    return f"'{shown(value, most)}'" if isinstance(value, str) else shown(value, most)


def _text(value: object) -> str:
    try:
        return str(value)
    except ValueError:  # Python refuses to write whole numbers of more than 4,300 digits.
        return "a number of thousands of digits"
