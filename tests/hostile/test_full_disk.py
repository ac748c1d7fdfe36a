"""A full disk: one line, exit code 1, and no partial file, wherever in the run it fills up."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

Save = Callable[..., Path]
Command = Callable[..., Any]
RESULTS = {"readings.jsonl", "readings.csv", "patients.csv", "run.json"}


def no_space(*_: object, **__: object) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.fixture
def eyes(tmp_path: Path, save_eye: Save) -> Path:
    for index in range(6):
        save_eye(tmp_path / "in" / f"{index}_g{index % 5}.jpg", shade=index * 40)
    return tmp_path / "in"


def assert_nothing_partial(said: Any, out: Path) -> None:
    """One line, exit code 1; no result is left, but what the same command needs to go on."""
    assert said.code == 1
    assert len(said.complaints) == 1, said.err
    assert str(out) in said.complaints[0]
    assert "No space left on device" in said.complaints[0]
    assert "free some space or name another folder" in said.complaints[0]
    assert not out.exists() or {path.name for path in out.iterdir()} <= {"unfinished"}
    assert list(out.parent.glob(".fundoscope-part-*")) == []


@pytest.mark.parametrize(
    "call",
    [
        "os.fsync",
        "fundoscope.switching.exchange",
        "pathlib.Path.write_bytes",
        "fundoscope.batch.results._write",
    ],
)
def test_a_full_disk(
    call: str, eyes: Path, tmp_path: Path, fundoscope: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(call, no_space)
    said = fundoscope("read", eyes, "--out", tmp_path / "out")
    assert_nothing_partial(said, tmp_path / "out")


def test_a_disk_that_fills_up_at_the_last_picture(
    eyes: Path, tmp_path: Path, fundoscope: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    write, room = Path.write_bytes, 5

    def write_bytes(self: Path, data: bytes) -> int:
        nonlocal room
        room -= 1
        if room < 0:
            write(self, data[: len(data) // 2])
            no_space()
        return write(self, data)

    monkeypatch.setattr(Path, "write_bytes", write_bytes)
    out = tmp_path / "out"
    assert_nothing_partial(fundoscope("read", eyes, "--out", out), out)
    # Pictures appear with the tables that name them.
    assert [path.name for path in out.iterdir()] == ["unfinished"]
    monkeypatch.setattr(Path, "write_bytes", write)
    again = fundoscope("read", eyes, "--out", out)
    assert again.complaints == ["resuming an earlier run: 5 of 6 photographs were read already"]
    assert again.code == 0
    assert len(list(out.glob("*.png"))) == 6
    assert not (out / "unfinished").exists()


def test_earlier_results_survive_a_full_disk(
    eyes: Path, tmp_path: Path, fundoscope: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out"
    assert fundoscope("read", eyes, "--out", out, "--no-pictures").code == 0
    before = {path.name: path.read_bytes() for path in out.iterdir()}
    monkeypatch.setattr("os.fsync", no_space)
    assert fundoscope("read", eyes, "--out", out, "--no-pictures", "--overwrite").code == 1
    after = {path.name: path.read_bytes() for path in out.iterdir() if path.is_file()}
    assert after == before


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A real file system with 256 kB of room; where this process may mount one."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount, umount = shutil.which("mount"), shutil.which("umount")
    if mount is None or umount is None:
        pytest.skip("cannot mount a small file system here")
    command = [mount, "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(disk)]
    if subprocess.run(command, capture_output=True, check=False).returncode != 0:
        pytest.skip("cannot mount a small file system here")
    yield disk
    subprocess.run([umount, str(disk)], check=True)


def test_a_really_full_disk(eyes: Path, small_disk: Path, fundoscope: Command) -> None:
    out = small_disk / "out"
    said = fundoscope("read", eyes, "--out", out)
    assert_nothing_partial(said, out)
    with (small_disk / "more").open("wb", buffering=0) as stream:
        try:
            while stream.write(b"\0" * 4096):
                pass
        except OSError:
            pass
    again = fundoscope("read", eyes, "--out", small_disk / "out2", "--no-pictures")
    assert again.code == 1
    assert len(again.complaints) == 1
    if (small_disk / "out2").exists():
        assert {path.name for path in (small_disk / "out2").iterdir()} <= {"unfinished"}


def test_a_folder_that_may_not_be_written(
    eyes: Path, tmp_path: Path, fundoscope: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_permission(*_: object, **__: object) -> None:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    monkeypatch.setattr(Path, "mkdir", no_permission)
    said = fundoscope("read", eyes, "--out", tmp_path / "out")
    assert said.code == 1
    assert said.complaints == [
        f"{tmp_path / 'out'}: cannot be made (Permission denied); name another folder with --out"
    ]
