"""Folders and archives that vanish while a run reads them, as a network drive does at night."""

from __future__ import annotations

import os
from pathlib import Path

from fundoscope.errors import ConnectionLostError
from fundoscope.photo.refusals import PASSING

REMEDY = (
    "connect the drive, then run the same command again: it resumes. If the photographs were moved,"
    " begin anew with --overwrite"
)


def require_there(code: str, *, folder: Path | None = None, archive: str = "") -> None:
    """Check that the place of a refused photograph is still there.

    Otherwise every photograph that is left would be refused, and the run would count as whole.

    Args:
        code: of the refusal.
        folder: in which the photograph was found when it was listed; ``None``: it was named by a
            person, who may have named one that never existed.
        archive: in which it was found; ``""``: in none.

    Raises:
        ConnectionLostError: the archive does not exist any more; or the folder does not, or is
            empty, as the mount point of a drive is that was disconnected.
    """
    if code not in PASSING:
        return
    if archive and not os.path.lexists(archive):
        raise ConnectionLostError(archive, "does not exist any more", REMEDY)
    if folder is not None and _is_gone(folder):
        raise ConnectionLostError(str(folder), "does not exist any more, or is empty", REMEDY)


def _is_gone(folder: Path) -> bool:
    try:
        with os.scandir(folder) as entries:
            return next(entries, None) is None
    except PermissionError:
        return False
    except OSError:
        return True
