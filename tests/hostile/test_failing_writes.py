"""The n-th write fails: one clear sentence, no torn file, and the next run succeeds.

Each step on the disk that a command takes (opening a file to write, syncing, renaming, making and
removing) fails once, with the errors of a full disk, a broken one, one that may only be read and a
folder without permission.
"""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

Save = Callable[..., Path]
Command = Callable[..., Any]

ERRORS = (errno.ENOSPC, errno.EIO, errno.EROFS, errno.EACCES)
STEPS = {"os.rename", "os.link", "os.mkdir"}
MOST = 50
PART = ".fundoscope-part-"
VARYING = {"run.json", "SHA256SUMS"}
"""Files that name the time of the run, or hold a hash of one that does."""


UNFINISHED = "unfinished"
"""What `read` keeps of a run that failed, so that the same command goes on."""


class Fault:
    """Fails at the n-th step below a folder, once."""

    def __init__(self) -> None:
        self.folder = ""
        self.left = 0
        self.number = 0

    def step(self, path: object) -> None:
        """Count a step, and fail at the last."""
        if self.left and str(path).startswith(self.folder):
            self.left -= 1
            if self.left == 0:
                raise OSError(self.number, os.strerror(self.number), str(path))


FAULT = Fault()


def watch(event: str, arguments: tuple[Any, ...]) -> None:
    opens = event == "open" and isinstance(arguments[2], int) and arguments[2] & os.O_CREAT
    if FAULT.left and (opens or event in STEPS):
        FAULT.step(arguments[0])


@pytest.fixture(scope="module", autouse=True)
def watched() -> None:
    """A hook cannot be taken away; it does nothing when no fault is set."""
    sys.addaudithook(watch)


@contextmanager
def failing(folder: Path, step: int, number: int) -> Iterator[None]:
    """Let the n-th step below a folder fail."""
    FAULT.folder, FAULT.left, FAULT.number = str(folder), step, number
    try:
        yield
    finally:
        FAULT.left = 0


def tree(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
        and path.name not in VARYING
        and path.relative_to(folder).parts[0] != UNFINISHED
    }


@pytest.fixture
def commands(tmp_path: Path, save_eye: Save) -> dict[str, tuple[object, ...]]:
    """Commands that write below ``out``; each is to be given a folder for it."""
    for shade, name in enumerate(("a_g1", "b_g3")):
        save_eye(tmp_path / "in" / f"{name}.jpg", shade=100 * shade)
    box = '<box label="MA" xtl="1" ytl="2" xbr="30" ybr="40"/>'
    image = f'<image id="0" name="a_g1.jpg" width="160" height="120">{box}</image>'
    (tmp_path / "a.xml").write_text(f"<annotations>{image}</annotations>")
    return {
        "read": ("read", tmp_path / "in", "--no-pictures", "--out"),
        "voc": ("data", "convert", tmp_path / "a.xml", "--to", "voc"),
        "yolo": ("data", "convert", tmp_path / "a.xml", "--to", "yolo"),
        "masks": ("data", "convert", tmp_path / "a.xml", "--to", "masks"),
    }


@pytest.mark.parametrize("name", ["read", "voc", "yolo", "masks"])
def test_the_nth_write_fails(
    name: str,
    commands: dict[str, tuple[object, ...]],
    tmp_path: Path,
    fundoscope: Command,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    fsync = os.fsync
    monkeypatch.setattr(os, "fsync", lambda handle: (FAULT.step(FAULT.folder), fsync(handle)))
    command = commands[name]
    whole = tmp_path / "whole" / "out"
    assert fundoscope(*command, whole).code == 0
    failed = 0
    for step in range(1, MOST + 1):
        out = tmp_path / f"failing-{step}" / "out"
        out.parent.mkdir()
        with failing(out.parent, step, ERRORS[step % len(ERRORS)]):
            said = fundoscope(*command, out)
            was_met = not FAULT.left
        if not was_met:
            break
        if said.code == 0:  # e.g. a folder that need not be made
            assert tree(out) == tree(whole)
            continue
        failed += 1
        assert said.code == 1, said.err
        assert len(said.complaints) == 1, said.err
        assert str(out.parent) in said.complaints[0]
        assert not list(out.parent.rglob(f"{PART}*"))
        # A torn file would differ; one that is whole may be there.
        assert tree(out).items() <= tree(whole).items() if out.exists() else True
        again = fundoscope(*command, out, *(("--overwrite",) if out.exists() else ()))
        assert again.code == 0, again.err
        assert tree(out) == tree(whole)
    else:
        pytest.fail(f"more than {MOST} steps")
    assert failed >= 3
