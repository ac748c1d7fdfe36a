"""The folder of a run that has not ended: its ledger and its pictures, below the folder of results.

It is there from the start of a run to its end. After a run that was stopped or killed it stays, so
that the same command can resume it.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final

from fundoscope.batch.ledger.database import (
    COMMAND,
    LISTED,
    STARTED,
    DamagedError,
    InUseError,
    Ledger,
)
from fundoscope.errors import UsageError
from fundoscope.syncing import sync_file, sync_folder
from fundoscope.writing import explained

UNFINISHED: Final = "unfinished"
"""Its name."""
LEDGER: Final = "ledger.sqlite"
PICTURES: Final = "pictures"
NO_FOLDER: Final = ("cannot be made", "name another folder with --out")


def is_unfinished(out: Path) -> bool:
    """Whether a folder of results holds a run that can be resumed."""
    return (out / UNFINISHED / LEDGER).exists()


@contextmanager
def ledger_of(
    out: Path | None, command: Mapping[str, Any], now: str, *, overwrite: bool
) -> Iterator[Ledger]:
    """The ledger of a run, new or that of an unfinished run.

    It is removed if the block raises before anything was recorded.

    Args:
        out: folder of results; it is made if it does not exist. ``None``: the ledger is temporary.
        command: what the results depend on; an unfinished run must have the same.
        now: the date and time.
        overwrite: whether an unfinished run of another command may be lost.

    Raises:
        UsageError: the folder holds the run of another command, or one that is at work.
        OutputError: it cannot be made or written.
    """
    if out is None:
        with Ledger(None) as ledger:
            yield ledger
        return
    made, new = not out.exists(), not is_unfinished(out)
    with explained(out, *NO_FOLDER):
        (out / UNFINISHED).mkdir(parents=True, exist_ok=True)
    try:
        ledger = _claimed(out, json.dumps(command, sort_keys=True), now, overwrite=overwrite)
    except InUseError:
        raise  # That run has just begun: the folder is its own.
    except BaseException:
        if new:
            discard(out, made=made)
        raise
    with ledger:
        try:
            yield ledger
        except BaseException:
            if ledger.is_empty():
                listed = ledger.fact(LISTED) is not None
                ledger.close()
                discard(out, made=made and not listed)
            raise


def _claimed(out: Path, command: str, now: str, *, overwrite: bool) -> Ledger:
    path = out / UNFINISHED / LEDGER
    try:
        ledger = Ledger(path)
    except DamagedError:
        if not overwrite:
            raise
        return _new(out, command, now)
    before = ledger.fact(COMMAND)
    if before == command:
        return ledger
    if before is None:
        return _begun(ledger, command, now)
    ledger.close()
    if not overwrite:
        raise UsageError(
            f"--out {out}",
            "holds an unfinished run of another command, or of models or rules that changed since",
            "give that command again to resume it, name another folder, or add --overwrite to"
            " lose it",
        )
    return _new(out, command, now)


def _new(out: Path, command: str, now: str) -> Ledger:
    discard(out)
    with explained(out, *NO_FOLDER):
        (out / UNFINISHED).mkdir(parents=True, exist_ok=True)
    return _begun(Ledger(out / UNFINISHED / LEDGER), command, now)


def _begun(ledger: Ledger, command: str, now: str) -> Ledger:
    try:
        ledger.set_fact(STARTED, now)
        ledger.set_fact(COMMAND, command)
    except BaseException:
        ledger.close()
        raise
    return ledger


def discard(out: Path, *, made: bool = False) -> None:
    """Remove an unfinished run; errors are ignored.

    Args:
        out: the folder of results.
        made: whether that is removed, too, if nothing else is in it.
    """
    shutil.rmtree(out / UNFINISHED, ignore_errors=True)
    if made:
        with suppress(OSError):
            out.rmdir()


def keep_picture(out: Path, name: str, data: bytes) -> None:
    """Write a picture of an unfinished run; it is on the disk when this returns.

    Args:
        out: the folder of results.
        name: of the picture's file.
        data: its bytes.

    Raises:
        OutputError: it could not be written.
    """
    path = kept_picture(out, name)
    with explained(out / name):
        path.parent.mkdir(exist_ok=True)
        try:
            path.write_bytes(data)
            sync_file(path)
            sync_folder(path.parent)
        except OSError:
            with suppress(OSError):
                path.unlink()  # It takes room on a disk that may be full.
            raise


def kept_picture(out: Path, name: str) -> Path:
    """The path of a picture of an unfinished run."""
    return out / UNFINISHED / PICTURES / name
