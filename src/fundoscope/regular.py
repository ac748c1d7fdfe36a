"""Files of bounded size: not pipes, sockets or devices, which may never end."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path


def size_of(path: Path) -> int:
    """The size of a regular file in bytes.

    Raises:
        OSError: it does not exist, is a folder, or is not a regular file.
    """
    status = path.stat()
    if stat.S_ISDIR(status.st_mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    if not stat.S_ISREG(status.st_mode):
        raise OSError(errno.EINVAL, "Not a regular file", str(path))
    return status.st_size
