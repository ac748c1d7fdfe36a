"""Whole files, and none replaced unasked."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from fundoscope.data import writing
from fundoscope.errors import OutputError


def test_text_is_utf8_and_folders_are_made(tmp_path: Path) -> None:
    path = tmp_path / "数据" / "deep" / "a.txt"
    writing.write_text(path, "出血\r\n")
    assert path.read_bytes() == "出血\r\n".encode()


def test_nothing_is_replaced_unasked(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    writing.write_bytes(path, b"old")
    with pytest.raises(OutputError, match=r"is there already; add --overwrite"):
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
    with pytest.raises(OutputError, match="is there already"):
        writing.write_bytes(path, b"x")


def test_files_appear_together_or_not_at_all(tmp_path: Path) -> None:
    (tmp_path / "b").write_bytes(b"old")

    def files() -> Iterator[tuple[Path, bytes]]:
        yield tmp_path / "a", b"1"
        assert not (tmp_path / "a").exists()
        yield tmp_path / "b", b"2"

    with pytest.raises(OutputError, match="is there already"):
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
