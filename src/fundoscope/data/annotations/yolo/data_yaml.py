"""The ``data.yaml`` of YOLO: class names and folders, in the subset of YAML that such files use.

Ultralytics, Roboflow and Label Studio write top-level keys with a text, a list or a numbered
dictionary of texts below. That is read here without a YAML library, which the core does not need
for anything else. Other YAML is rejected with its line, never guessed.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from fundoscope import limits
from fundoscope.data.annotations.documents import read_text
from fundoscope.data.annotations.yolo.layout import LIST_SUFFIX
from fundoscope.errors import TableError
from fundoscope.quoting import quoted, shown

KEY: Final = re.compile(r"""^(?P<key>"[^"]*"|'[^']*'|[^\s"'#:\[\]{},&*!|>-][^:#]*+)\s*:(?:\s+|$)""")
"""A key, plain or quoted, and the colon after it. The quantifier is possessive: with backtracking,
a line of blanks would take quadratic time."""
QUOTED: Final = re.compile(r""""(?:[^"\\]|\\.)*"|'(?:[^']|'')*'""")
MARKS: Final = ("---", "...")
"""Lines around a document."""
INLINE: Final = re.compile(
    r"""\s*((?:[^\s:,\[\]{}]++:\s++)?(?:"(?:[^"\\]|\\.)*+"|'(?:[^']|'')*+'|[^,\[\]{}]++))\s*(?:,|$)"""
)
"""An item of a list between brackets."""
TOKEN: Final = re.compile(rf"""{QUOTED.pattern}|\s#|["']""")
"""A quoted text, the start of a comment, or a quote that is not closed."""
PLAIN: Final = re.compile(r"^[^\W\d_][\w .()/-]*(?<! )$")
"""Text that needs no quotes."""
YAML_WORDS: Final = frozenset({"true", "false", "yes", "no", "on", "off", "null", "y", "n"})
"""Plain texts that YAML does not read as text."""

SPLITS: Final = ("train", "val", "test")
USED: Final = ("names", "path", *SPLITS)
"""The keys that are read, besides those of lists. Others are skipped with all below them."""

Value = str | list[str] | dict[str, str]


@dataclass(frozen=True, slots=True)
class DataYaml:
    """The parts of the file that are used.

    Attributes:
        names: the classes, by their numbers from 0.
        folders: the folders or lists of photographs, as written: of ``train``, ``val`` and ``test``
            if present, and of other keys with a list of names (``.txt``).
        root: the text of ``path``; may be empty.
    """

    names: tuple[str, ...] = ()
    folders: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    root: str = ""


def read_data_yaml(path: Path) -> DataYaml:
    """Read a ``data.yaml``.

    Raises:
        TableError: it cannot be read, uses other YAML, or its names are not a list.
    """
    text = read_text(path)
    lines = text.count("\n") + text.count("\r")
    if len(text) > limits.MAX_YAML_CHARACTERS or lines > limits.MAX_YAML_LINES:
        raise TableError(
            str(path), "is too large for names of classes and folders", "check that it is the one"
        )
    values = _values(text, path)
    folders = {}
    for split, value in values.items():
        if split in ("names", "path"):
            continue
        entries = value if isinstance(value, list) else [value] if isinstance(value, str) else []
        if any(entries):
            folders[split] = tuple(entries)
    root = values.get("path", "")
    return DataYaml(
        _names(values.get("names", []), path), folders, root if type(root) is str else ""
    )


def _names(value: Value, path: Path) -> tuple[str, ...]:
    if isinstance(value, list):
        return tuple(value)
    if not isinstance(value, dict):
        raise TableError(f"{path}, names", "is neither a list nor numbered", "list the classes")
    numbered = {key: name for key, name in value.items() if key.isdecimal()}
    if sorted(map(int, numbered)) != list(range(len(value))):
        raise TableError(
            f"{path}, names",
            f"has the numbers {shown(', '.join(value))}",
            "number the classes from 0",
        )
    return tuple(numbered[key] for key in sorted(numbered, key=int))


def _values(text: str, path: Path) -> dict[str, Value]:
    """The used keys with their values."""
    values: dict[str, Value] = {}
    for number, key, line in _used_lines(text, path):
        where = f"{path}, line {number}"
        if line.startswith(key) and key not in values:
            values[key] = _inline(line.removeprefix(key).strip(), where)
        else:
            values[key] = _with_item(values[key], line.strip(), where)
    return values


def _used_lines(text: str, path: Path) -> Iterator[tuple[int, str, str]]:
    """Line number from 1, key and text of each used line; the lines of an open list are joined."""
    key, opened, start, depth = "", "", 0, 0
    for number, raw in enumerate(text.splitlines(), start=1):
        line = _without_comment(raw)
        if not line.strip() or line.lstrip().startswith("#") or line.rstrip() in MARKS:
            continue
        match = None if opened else KEY.match(line)
        if match is not None:
            key = _scalar(match["key"].rstrip(), f"{path}, line {number}")
            line = f"{key} {line[match.end() :]}"
        elif not key:
            raise TableError(
                f"{path}, line {number}",
                f"{quoted(line.strip())} is not understood",
                "write key: value",
            )
        if key not in USED and not line.strip("\"' ").endswith(LIST_SUFFIX):
            continue
        start = start if opened else number
        can_open = match is not None or opened
        depth += _opened(line)
        opened = f"{opened} {line.strip()}" if opened else line.rstrip()
        if not (can_open and depth > 0):
            yield start, key, opened
            opened, depth = "", 0
    if opened:
        yield start, key, opened


def _without_comment(line: str) -> str:
    for token in TOKEN.finditer(line):
        if token[0].lstrip() == "#":
            return line[: token.start()]
        if len(token[0]) == 1:
            return line
    return line


def _opened(line: str) -> int:
    """The brackets that a line opens, less those that it closes."""
    bare = QUOTED.sub("", line)
    return bare.count("[") + bare.count("{") - bare.count("]") - bare.count("}")


def _inline(text: str, where: str) -> Value:
    if text.startswith("["):
        return [_scalar(item, where) for item in _items(text, "]", where)]
    if text.startswith("{"):
        return dict(_pair(item, where) for item in _items(text, "}", where))
    return _scalar(text, where)


def _items(text: str, closing: str, where: str) -> list[str]:
    if not text.endswith(closing):
        raise TableError(where, f"lacks its {closing}", "close the list")
    inner, items, place = text[1:-1].strip().removesuffix(","), [], 0
    while place < len(inner):
        match = INLINE.match(inner, place)
        if match is None:
            raise TableError(
                where, f"{quoted(inner[place:])} is not understood", "list plain texts"
            )
        items.append(match[1].rstrip())
        place = match.end()
    return items


def _with_item(value: Value, line: str, where: str) -> Value:
    """The value of a key with another line below it."""
    is_item = line.startswith("- ")
    if is_item and (value == "" or isinstance(value, list)):
        return [*value, _scalar(line.removeprefix("- ").strip(), where)]
    if not is_item and (value == "" or isinstance(value, dict)):
        before = value if isinstance(value, dict) else {}
        return before | dict([_pair(line, where)])
    raise TableError(where, f"{quoted(line)} is not understood", "list plain texts")


def _pair(text: str, where: str) -> tuple[str, str]:
    match = KEY.match(text)
    if match is None:
        raise TableError(where, f"{quoted(text)} is not understood", "write number: name")
    return _scalar(match["key"].rstrip(), where), _scalar(text[match.end() :].strip(), where)


def _scalar(text: str, where: str) -> str:
    """The text of a plain or quoted scalar."""
    if text.startswith("'") and text.endswith("'") and len(text) > 1:
        return text[1:-1].replace("''", "'")
    if text.startswith('"'):
        try:
            return str(json.loads(text))
        except ValueError:
            raise TableError(where, f"{text} is not understood", "use simple quotes") from None
    if text.startswith(("&", "*", "!", "|", ">", "%", "@", "`", "'")):
        raise TableError(
            where, f"{quoted(text)} is YAML that is not supported", "write plain texts"
        )
    return text


def to_yaml(names: Iterable[str], folders: Mapping[str, str]) -> str:
    """The text of a ``data.yaml``.

    Args:
        names: of the classes, in their order.
        folders: of the splits.
    """
    lines = [f"{_quoted(split)}: {_quoted(folder)}" for split, folder in folders.items()]
    if not folders:
        lines.append("# Name the photographs to learn from and to validate on: train: … and val: …")
    names = tuple(names)
    lines.append("names:" if names else "names: []")
    lines += [f"  {number}: {_quoted(name)}" for number, name in enumerate(names)]
    return "\n".join(lines) + "\n"


def _quoted(text: str) -> str:
    if PLAIN.match(text) and text.lower() not in YAML_WORDS:
        return text
    return json.dumps(text, ensure_ascii=False)
