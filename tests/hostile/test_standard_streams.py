"""Closed and full standard streams: the exit code is right, and nothing is written elsewhere."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

FULL = "/dev/full"
pytestmark = pytest.mark.skipif(os.name == "nt", reason="needs a shell of Unix")


def shell(arguments: str, where: Path) -> subprocess.CompletedProcess[str]:
    command = f"{sys.executable} -m fundoscope {arguments}"
    return subprocess.run(
        ["sh", "-c", command], cwd=where, capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize("closed", [">&-", "2>&-", ">&- 2>&-", "<&- >&- 2>&-"])
def test_closed_streams(closed: str, tmp_path: Path) -> None:
    done = shell(f"phantom eye.jpg --size 320x240 {closed}", tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert (tmp_path / "eye.jpg").read_bytes().startswith(b"\xff\xd8")


def test_the_reader_of_the_output_stopped(tmp_path: Path) -> None:
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run(
        [sys.executable, "-m", "fundoscope", "models"],
        stdout=write, stderr=subprocess.PIPE, text=True, check=False, cwd=tmp_path,
    )  # fmt: skip
    os.close(write)
    assert (done.returncode, done.stderr) == (141, "")


@pytest.mark.skipif(not Path(FULL).exists(), reason="no /dev/full here")
def test_full_streams(tmp_path: Path) -> None:
    done = shell(f"models > {FULL}", tmp_path)
    said = "standard output: cannot be written (No space left on device); free some space\n"
    assert (done.returncode, done.stderr) == (1, said)
    assert shell(f"verify nothing 2> {FULL}", tmp_path).returncode == 2
