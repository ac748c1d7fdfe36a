"""Files are complete or absent, and none is replaced without asking."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from fundoscope import writing
from fundoscope.errors import OutputError, UsageError
from fundoscope.writing import write_whole


def full(*_: object, **__: object) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def listing(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_text_is_utf8_and_folders_are_made(tmp_path: Path) -> None:
    path = tmp_path / "数据" / "deep" / "a.txt"
    writing.write_text(path, "出血\r\n")
    assert path.read_bytes() == "出血\r\n".encode()


def test_nothing_is_replaced_without_asking(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    writing.write_bytes(path, b"old")
    with pytest.raises(OutputError, match=r"exists already; add --overwrite"):
        writing.write_bytes(path, b"new")
    assert path.read_bytes() == b"old"
    writing.write_bytes(path, b"new", overwrite=True)
    assert path.read_bytes() == b"new"
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_is_not_replaced_even_if_asked(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="is a folder"):
        writing.write_bytes(tmp_path, b"x", overwrite=True)


def test_a_dangling_link_is_something_too(tmp_path: Path) -> None:
    path = tmp_path / "link"
    path.symlink_to(tmp_path / "nowhere")
    with pytest.raises(OutputError, match="exists already"):
        writing.write_bytes(path, b"x")


def test_files_appear_together_or_not_at_all(tmp_path: Path) -> None:
    (tmp_path / "b").write_bytes(b"old")

    def files() -> Iterator[tuple[Path, bytes]]:
        yield tmp_path / "a", b"1"
        assert not (tmp_path / "a").exists()
        yield tmp_path / "b", b"2"

    with pytest.raises(OutputError, match="exists already"):
        writing.write_files(files())
    assert [path.name for path in tmp_path.iterdir()] == ["b"]
    assert writing.write_files(files(), overwrite=True) == 2
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "b"]


def test_one_path_twice_is_refused(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="would be written twice"):
        writing.write_files([(tmp_path / "a", b"1"), (tmp_path / "a", b"2")])
    assert list(tmp_path.iterdir()) == []


def test_what_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(OutputError, match=r"file.a: cannot be written \(.*\); free some space"):
        writing.write_bytes(tmp_path / "file" / "a", b"x")


def test_a_name_as_long_as_the_file_system_allows(tmp_path: Path) -> None:
    path = tmp_path / ("n" * 255)
    writing.write_bytes(path, b"x")
    assert path.read_bytes() == b"x"


def test_failure_to_publish_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(self: Path, target: Path) -> Path:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "replace", fail)
    with pytest.raises(OutputError, match="Permission denied"):
        writing.write_text(tmp_path / "a", "x")
    assert list(tmp_path.iterdir()) == []


def write_both(folder: Path, meanwhile: Callable[[], object]) -> None:
    """Write two files, with something happening before the block ends."""
    with writing.staged(folder, ["a", "b"]) as stage:
        (stage / "a").write_text("1")
        (stage / "b").write_text("2")
        meanwhile()


def test_nothing_appears_when_the_block_raises(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("before")
    with pytest.raises(ZeroDivisionError):
        write_both(tmp_path, lambda: 1 / 0)
    assert listing(tmp_path) == ["a"]
    assert (tmp_path / "a").read_text() == "before"


@pytest.mark.parametrize("call", ["os.fsync", "pathlib.Path.replace"])
def test_a_full_disk_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    with pytest.raises(OutputError, match=r"cannot be written to \(No space left on device\)"):
        write_both(tmp_path, lambda: monkeypatch.setattr(call, full))
    assert listing(tmp_path) == []


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
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


def test_the_longest_name_has_room_for_a_temporary_one(tmp_path: Path) -> None:
    name = "n" * 255
    write_whole(tmp_path / name, b"1")
    write_whole(tmp_path / name, b"2")
    assert listing(tmp_path) == [name]


def test_replacing_keeps_what_was_there_when_the_block_raises(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"before")

    def fail() -> None:
        with writing.replacing(path) as part:
            part.write_bytes(b"half")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert path.read_bytes() == b"before"
    assert listing(tmp_path) == ["a"]


def test_what_a_killed_run_left_under_a_fixed_name_is_written_over(tmp_path: Path) -> None:
    part = tmp_path / "a.partial"
    part.write_bytes(b"left behind")
    with writing.replacing(tmp_path / "a", part=part) as given:
        assert given == part
        given.write_bytes(b"whole")
    assert (tmp_path / "a").read_bytes() == b"whole"
    assert listing(tmp_path) == ["a"]


def test_the_error_says_what_it_was_told_to(tmp_path: Path) -> None:
    said = "a: cannot be linked (No space left on device); try copies"
    with (
        pytest.raises(OutputError) as caught,
        writing.replacing(tmp_path / "a", why="cannot be linked", remedy="try copies"),
    ):
        full()
    assert str(caught.value).endswith(said)


def test_an_error_without_a_reason_of_the_system_is_told_in_its_own_words(tmp_path: Path) -> None:
    with (
        pytest.raises(OutputError, match=r"\(encoder error -2\)"),
        writing.explained(tmp_path),
    ):
        raise OSError("encoder error -2")


def test_files_get_the_usual_permissions(tmp_path: Path) -> None:
    (tmp_path / "usual").write_bytes(b"")
    write_whole(tmp_path / "a", b"1")
    writing.write_text(tmp_path / "b", "1")
    with writing.staged(tmp_path, ["c"]) as stage:
        (stage / "c").write_bytes(b"1")
    usual = (tmp_path / "usual").stat().st_mode
    assert {(tmp_path / name).stat().st_mode for name in "abc"} == {usual}


def test_staged_files_move_in_and_stale_ones_go(tmp_path: Path) -> None:
    for name in ("old", "new", "foreign"):
        (tmp_path / name).write_text("before")
    with writing.staged(tmp_path, ["old", "new"]) as stage:
        (stage / "new").write_text("after")
        assert (tmp_path / "new").read_text() == "before"
    assert listing(tmp_path) == ["foreign", "new"]
    assert (tmp_path / "new").read_text() == "after"


def test_a_stage_that_fails_changes_nothing(tmp_path: Path) -> None:
    (tmp_path / "old").write_text("before")

    def fail() -> None:
        with writing.staged(tmp_path, ["old", "new"], remedy="make room") as stage:
            (stage / "new").write_text("half")
            full()

    with pytest.raises(OutputError, match=r"written to \(No space left.*\); make room"):
        fail()
    assert listing(tmp_path) == ["old"]


def test_results_of_an_earlier_run_are_named(tmp_path: Path) -> None:
    names = ["a", "b", "c"]
    writing.refuse_results(tmp_path / "not there yet", names, overwrite=False)
    writing.refuse_results(tmp_path, names, overwrite=False)
    for name in ("a", "c", "foreign"):
        (tmp_path / name).write_bytes(b"")
    with pytest.raises(UsageError, match=r"earlier run \(a, c\); .* or add --overwrite"):
        writing.refuse_results(tmp_path, names, overwrite=False)
    writing.refuse_results(tmp_path, names, overwrite=True)
    with pytest.raises(UsageError, match="is not a folder"):
        writing.refuse_results(tmp_path / "foreign", names, overwrite=True)
