"""The photograph of a task of Label Studio: paths, uploads and addresses to names."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import PurePosixPath
from typing import Any, Final
from urllib.parse import unquote, urlsplit

from fundoscope.data.annotations.labelstudio.layout import IMAGE, PHOTO
from fundoscope.data.annotations.names import image_name
from fundoscope.data.annotations.pictures import Pictures
from fundoscope.data.class_folders import PHOTOGRAPH_SUFFIXES
from fundoscope.errors import TableError

UPLOADED: Final = re.compile(r"^[0-9a-f]{8}-(?=.)")
"""What Label Studio puts in front of the name of an uploaded file."""
UPLOAD: Final = "upload"
LOCAL_FILE: Final = re.compile(r"(?:^|&)d=([^&]*)")
"""The path in an address of local storage, ``/data/local-files/?d=…``."""
SCHEME: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://")
EMBEDDED: Final = "data:"


def photograph_names(
    tasks: Sequence[tuple[str, dict[str, Any]]], pictures: Pictures | None
) -> list[str]:
    """The photograph of each task.

    It is the one in the folder of photographs whose path ends as the path in the task. Without
    such a photograph it is the name of the file; where two different paths end in the same name,
    the path below their common folder.

    Args:
        tasks: the place of each for errors, and its ``data``.
        pictures: the photographs, where they are known.

    Raises:
        TableError: a task names no photograph, or several.
    """
    paths = [_path(data, where) for where, data in tasks]
    unknown: dict[int, PurePosixPath] = {}
    names: dict[int, str] = {}
    for number, ((where, data), path) in enumerate(zip(tasks, paths, strict=True)):
        known = None if pictures is None else pictures.find(path.as_posix().lstrip("/"))
        if isinstance(data.get(PHOTO), str):
            names[number] = image_name(data[PHOTO], where)
        elif known is not None:
            names[number] = known
        else:
            unknown[number] = path
    names |= {
        number: image_name(short, tasks[number][0])
        for number, short in zip(unknown, _shortened(list(unknown.values())), strict=True)
    }
    return [names[number] for number in range(len(tasks))]


def _path(data: dict[str, Any], where: str) -> PurePosixPath:
    given = data.get(PHOTO, data.get(IMAGE))
    if isinstance(given, str) and given.strip():
        return _of_address(given, where)
    texts = (text for text in data.values() if isinstance(text, str))
    likely = {text for text in texts if _looks_like_photo(text, where)}
    if len(likely) != 1:
        raise TableError(
            where,
            "does not name a photograph" if not likely else "names several photographs",
            f'put its path into the field "{IMAGE}" of the task\'s data',
        )
    return _of_address(likely.pop(), where)


def _looks_like_photo(text: str, where: str) -> bool:
    return (
        not text.startswith(EMBEDDED)
        and _of_address(text, where).suffix.lower() in PHOTOGRAPH_SUFFIXES
    )


def _of_address(text: str, where: str) -> PurePosixPath:
    """The path in a path, an address of a server or storage, or of an upload."""
    if text.startswith(EMBEDDED):
        raise TableError(
            where, "embeds its photograph, without a name", "export tasks with addresses"
        )
    path = text.replace("\\", "/")
    if SCHEME.match(path) or path.startswith("/data/"):
        try:
            parts = urlsplit(path)
        except ValueError as error:
            raise TableError(where, f"has an invalid address ({error})", "correct it") from None
        local = LOCAL_FILE.search(parts.query)
        path = unquote(local[1] if local else parts.path).replace("\\", "/")
    result = PurePosixPath(path)
    if UPLOAD in result.parts[:-1]:
        return PurePosixPath(UPLOADED.sub("", result.name))
    return result


def _shortened(paths: list[PurePosixPath]) -> list[str]:
    distinct = set(paths)
    if len({path.name for path in distinct}) == len(distinct):
        return [path.name for path in paths]
    folders = [path.parts[:-1] for path in distinct]
    common = 0
    while all(len(parts) > common for parts in folders) and (
        len({parts[common] for parts in folders}) == 1
    ):
        common += 1
    return ["/".join(path.parts[common:]) for path in paths]
