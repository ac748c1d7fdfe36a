"""Files are there whole or not at all."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from fundoscope.batch.files import ResultFile, whole_files, write_whole
from fundoscope.errors import OutputError


def full(*_: object, **__: object) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def listing(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_files_appear_together_when_the_block_ends(tmp_path: Path) -> None:
    with whole_files(tmp_path, ["a", "b"]) as (a, b):
        a.write("1\n")
        b.write("é\n")
        assert not (tmp_path / "a").exists()
    assert (tmp_path / "a").read_bytes() == b"1\n"
    assert (tmp_path / "b").read_bytes() == "é\n".encode()
    assert listing(tmp_path) == ["a", "b"]


def write_both(folder: Path, meanwhile: Callable[[ResultFile], object]) -> None:
    """Write two files, with something happening before the block ends."""
    with whole_files(folder, ["a", "b"]) as (a, b):
        a.write("1")
        b.write("2")
        meanwhile(a)


def test_nothing_appears_when_the_block_raises(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("before")
    with pytest.raises(ZeroDivisionError):
        write_both(tmp_path, lambda a: 1 / 0)
    assert listing(tmp_path) == ["a"]
    assert (tmp_path / "a").read_text() == "before"


@pytest.mark.parametrize("call", ["os.fsync", "pathlib.Path.replace"])
def test_a_full_disk_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    with pytest.raises(OutputError, match=r"a: cannot be written \(No space left on device\)"):
        write_both(tmp_path, lambda a: monkeypatch.setattr(call, full))
    assert listing(tmp_path) == []


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
@pytest.mark.parametrize("size", [10, 2**20])
def test_a_stream_that_fails_while_it_is_written(tmp_path: Path, size: int) -> None:
    def fill_up(a: ResultFile) -> None:
        with Path("/dev/full").open("w") as no_room:
            os.dup2(no_room.fileno(), a._stream.fileno())
        a.write("x" * size)

    with pytest.raises(OutputError, match="No space left"):
        write_both(tmp_path, fill_up)
    assert listing(tmp_path) == []


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="No such file"), whole_files(tmp_path / "no", ["a"]):
        pass
    with pytest.raises(OutputError, match="No such file"):
        write_whole(tmp_path / "no" / "a", b"1")


def test_write_whole_replaces(tmp_path: Path) -> None:
    write_whole(tmp_path / "a", b"1")
    write_whole(tmp_path / "a", b"2")
    assert (tmp_path / "a").read_bytes() == b"2"
    assert listing(tmp_path) == ["a"]


@pytest.mark.parametrize("call", ["pathlib.Path.write_bytes", "pathlib.Path.replace"])
def test_write_whole_on_a_full_disk_keeps_what_was_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    (tmp_path / "a").write_bytes(b"before")
    monkeypatch.setattr(call, full)
    with pytest.raises(OutputError, match="free some space"):
        write_whole(tmp_path / "a", b"after")
    assert listing(tmp_path) == ["a"]
    assert (tmp_path / "a").read_bytes() == b"before"


def test_names_that_are_no_text_are_written_out(tmp_path: Path) -> None:
    with whole_files(tmp_path, ["a"]) as (a,):
        a.write("x\udcff")
    assert (tmp_path / "a").read_text() == "x\\udcff"
