"""Names of files in a cache, which change when a file does."""

from __future__ import annotations

from pathlib import Path

from fundoscope.quoting import encodable


def version(path: Path) -> str:
    """A file's absolute path, its size and the time of its last change, as one text.

    What was measured of a photograph is then not taken for another one of the same name, nor for
    one that replaced it. A file that cannot be reached has its path alone.
    """
    try:
        status = path.stat()
    except (OSError, ValueError):
        return encodable(str(path.absolute()))
    return encodable(f"{path.absolute()} {status.st_size} {status.st_mtime_ns}")
