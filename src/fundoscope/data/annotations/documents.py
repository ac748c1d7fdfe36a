"""Files of annotations, read within bounds and decoded."""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeVar

from fundoscope import limits
from fundoscope.data.annotations import xml_entities
from fundoscope.errors import TableError
from fundoscope.quoting import shown
from fundoscope.regular import size_of

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

    from msgspec import Raw

WIDE_MARKS: Final = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
"""Byte-order marks of UTF-16, which Windows calls "Unicode"."""

LONGEST_REASON: Final = 200
"""Characters of a parser's own message that an error shows."""
LINE_END: Final = re.compile("\r\n|\r|\n")

T = TypeVar("T")


def read_bytes(path: Path) -> bytes:
    """The bytes of a file of annotations.

    Raises:
        TableError: it is missing, not readable, empty, or larger than
            :data:`fundoscope.limits.MAX_ANNOTATION_BYTES`.
    """
    data = _bytes(path)
    if not data.strip():
        raise TableError(str(path), "is empty", "export it again")
    return data


def _bytes(path: Path) -> bytes:
    """The bytes of a file of annotations, which may be empty."""
    try:
        size = size_of(path)
        if size > limits.MAX_ANNOTATION_BYTES:
            raise TableError(
                str(path),
                f"has {size / 2**20:.0f} MiB, more than {limits.MAX_ANNOTATION_BYTES // 2**20}",
                "split it into several files",
            )
        return path.read_bytes()
    except FileNotFoundError:
        raise TableError(str(path), "does not exist", "check the path") from None
    except OSError as error:
        raise TableError(
            str(path),
            f"cannot be read ({error.strerror})",
            "check its permissions, or name another",
        ) from None


def read_text(path: Path) -> str:
    """The text of a file in UTF-8, without byte-order mark.

    Raises:
        TableError: the file cannot be read, is empty, or is not UTF-8.
    """
    return _text(read_bytes(path), path)


def _text(data: bytes, path: Path) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise TableError(str(path), "is not UTF-8 text", "save it as UTF-8") from None


def read_lines(path: Path) -> list[str]:
    """The lines of a text file in UTF-8; an empty or blank file has none.

    Raises:
        TableError: the file cannot be read or is not UTF-8.
    """
    data = _bytes(path)
    # Not `splitlines`, which also splits at characters that names may have, as U+2028.
    return LINE_END.split(_text(data, path)) if data.strip() else []


def read_json(path: Path, schema: type[T], *, most_values: int = 0) -> T:
    """A JSON document, decoded into a type (UTF-8, with or without byte-order mark, or UTF-16).

    Args:
        path: the file.
        schema: the type.
        most_values: bound on the number of values, 0 for none.

    Raises:
        TableError: the file cannot be read, is not JSON (``NaN`` is not), does not fit the type, or
            has too many values.
    """
    data = _json_bytes(path)
    if most_values and data.count(b",") > most_values:
        raise TableError(
            str(path), f"has more than {most_values} values", "split it into several files"
        )
    return decode_json(data, schema, str(path))


def read_json_items(path: Path) -> list[Raw]:
    """The items of a JSON list, not decoded yet; any other document counts as a single item.

    Raises:
        TableError: the file cannot be read or is not JSON.
    """
    from msgspec import Raw

    data = _json_bytes(path)
    if data.lstrip().startswith(b"["):
        return decode_json(data, list[Raw], str(path))
    return [decode_json(data, Raw, str(path))]


def decode_json(data: bytes | Raw, schema: type[T], where: str) -> T:
    """JSON, decoded into a type.

    Args:
        data: the JSON.
        schema: the type.
        where: the place that an error names.

    Raises:
        TableError: it is not JSON (``NaN`` is not), or does not fit the type.
    """
    import msgspec

    try:
        return msgspec.json.decode(data, type=schema)
    except RecursionError:
        raise TableError(
            where, "is not JSON that can be read: it is nested too deeply", "export it again"
        ) from None
    except msgspec.ValidationError as error:
        raise TableError(
            where,
            f"does not have the structure of this format ({shown(error, LONGEST_REASON)})",
            "check that the format is the one you named",
        ) from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise TableError(where, f"is not JSON ({shown(error)})", "export it again") from None


def _json_bytes(path: Path) -> bytes:
    data = read_bytes(path)
    if not data.startswith(WIDE_MARKS):
        return data.removeprefix(codecs.BOM_UTF8)
    try:
        return data.decode("utf-16").encode()
    except UnicodeDecodeError as error:
        raise TableError(str(path), f"is not text ({error})", "store it as UTF-8") from None


def read_xml(path: Path) -> Element:
    """The root of an XML document that declares no entities and refers to no other file.

    Raises:
        TableError: the file cannot be read or is not such XML (line and column named).
    """
    from xml.etree import ElementTree as ET
    from xml.parsers.expat import ExpatError

    from defusedxml import DefusedXmlException

    data = read_bytes(path)
    # Bytes of UTF-16 are counted as well: each is one character and a zero.
    tags, attributes = data.count(b"<"), data.count(b"=")
    if tags > limits.MAX_XML_TAGS or attributes > limits.MAX_XML_TAGS:
        raise TableError(
            str(path),
            f"has {max(tags, attributes)} tags, more than {limits.MAX_XML_TAGS}",
            "split it into several files",
        )
    try:
        xml_entities.reject(data)
        root: Element = ET.fromstring(data)
    except (ET.ParseError, ExpatError) as error:
        raise TableError(
            str(path), f"is not well-formed XML ({error})", "export it again"
        ) from None
    except DefusedXmlException:
        raise TableError(
            str(path),
            "declares entities or refers to other files, which is not allowed",
            "export it again without a document type",
        ) from None
    except (LookupError, ValueError) as error:
        raise TableError(
            str(path), f"has an encoding that cannot be read ({error})", "store it as UTF-8"
        ) from None
    return root


def distinct(items: Iterable[str]) -> tuple[str, ...]:
    """Each text once, in the order of its first occurrence."""
    return tuple(dict.fromkeys(items))
