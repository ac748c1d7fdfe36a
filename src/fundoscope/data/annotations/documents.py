"""The files that annotations lie in: read within bounds, decoded, and the names in them tamed."""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterable
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Final, TypeVar

from fundoscope import limits
from fundoscope.errors import TableError

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

    from msgspec import Raw

WIDE_MARKS: Final = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
"""Byte-order marks of what Windows calls "Unicode"."""
CONTROL: Final = frozenset(map(chr, range(32)))
"""Characters that no file name should have, and that some systems refuse."""
DRIVE: Final = re.compile(r"[A-Za-z]:")

T = TypeVar("T")


def read_bytes(path: Path) -> bytes:
    """The bytes of a file of annotations.

    Raises:
        TableError: it is missing, not readable, empty or larger than
            :data:`limits.MAX_ANNOTATION_BYTES`.
    """
    try:
        size = path.stat().st_size
        if size > limits.MAX_ANNOTATION_BYTES:
            raise TableError(
                str(path),
                f"has {size / 2**20:.0f} MiB, more than {limits.MAX_ANNOTATION_BYTES // 2**20}",
                "split it into several files",
            )
        data = path.read_bytes()
    except FileNotFoundError:
        raise TableError(str(path), "does not exist", "check the path") from None
    except OSError as error:
        raise TableError(
            str(path), f"cannot be read ({error.strerror})", "name a file that you may read"
        ) from None
    if not data.strip():
        raise TableError(str(path), "is empty", "export it again")
    return data


def read_json(path: Path, form: type[T]) -> T:
    """A JSON document of a given form (UTF-8, with or without byte-order mark, or UTF-16).

    Raises:
        TableError: the file cannot be read, is not JSON (``NaN`` is none), or has another form.
    """
    return of_form(_json_bytes(path), form, str(path))


def read_json_items(path: Path) -> list[Raw]:
    """The items of a JSON list, not decoded yet; a document that is no list is the only item.

    Raises:
        TableError: the file cannot be read or is not JSON.
    """
    from msgspec import Raw

    data = _json_bytes(path)
    if data.lstrip().startswith(b"["):
        return of_form(data, list[Raw], str(path))
    return [of_form(data, Raw, str(path))]


def of_form(data: bytes | Raw, form: type[T], where: str) -> T:
    """JSON of a given form.

    Raises:
        TableError: it is not JSON (``NaN`` is none), or has another form.
    """
    import msgspec

    try:
        return msgspec.json.decode(data, type=form)
    except msgspec.ValidationError as error:
        raise TableError(
            where, f"has another form ({error})", "check that it is of the format you named"
        ) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise TableError(where, f"is not JSON ({error})", "export it again") from None


def _json_bytes(path: Path) -> bytes:
    data = read_bytes(path)
    if not data.startswith(WIDE_MARKS):
        return data.removeprefix(codecs.BOM_UTF8)
    try:
        return data.decode("utf-16").encode()
    except UnicodeDecodeError as error:
        raise TableError(str(path), f"is not text ({error})", "store it as UTF-8") from None


def read_xml(path: Path) -> Element:
    """The root of an XML document, which may hold no entities of its own and refer to nothing.

    Raises:
        TableError: the file cannot be read or is not such XML (line and column named).
    """
    from xml.etree.ElementTree import ParseError

    from defusedxml import DefusedXmlException, ElementTree

    data = read_bytes(path)
    try:
        root: Element = ElementTree.fromstring(data)
    except ParseError as error:
        raise TableError(
            str(path), f"is not well-formed XML ({error})", "export it again"
        ) from None
    except DefusedXmlException:
        raise TableError(
            str(path),
            "declares entities or refers to other files, which is not read",
            "export it again without a document type",
        ) from None
    except (LookupError, ValueError) as error:
        raise TableError(
            str(path), f"has an encoding that cannot be read ({error})", "store it as UTF-8"
        ) from None
    return root


def image_name(text: str, where: str) -> str:
    """The name of a photograph as annotations give it, as a path below the folder of photographs.

    Windows' separators become ``/``; a path that begins at a root or a drive, or that climbs
    (``..``), says nothing about the folder here: its file name alone is kept.

    Args:
        text: the name in the file.
        where: the place that an error names.

    Raises:
        TableError: nothing is left of it, or it has control characters.
    """
    path = PurePosixPath(text.replace("\\", "/"))
    rooted = path.is_absolute() or ".." in path.parts or DRIVE.match(text) is not None
    name = path.name if rooted else path.as_posix()
    if name in ("", ".", "..") or CONTROL & set(name):
        raise TableError(where, f"{text!r} is no name of a photograph", "name the file")
    return name


def distinct(items: Iterable[str]) -> tuple[str, ...]:
    """Each text once, in the order of the first time."""
    return tuple(dict.fromkeys(items))
