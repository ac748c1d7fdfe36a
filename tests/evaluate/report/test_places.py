"""Photographs are found by their paths, else by their names in a folder and below it."""

from __future__ import annotations

from pathlib import Path

from fundoscope.data.manifest import Row
from fundoscope.evaluate.report.places import find


def test_photographs_are_found(tmp_path: Path) -> None:
    for name in ("a/eye.jpg", "a/1.jpg", "b/1.jpg", "b/2.jpg", "deep/down/3.jpg"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    rows = [
        Row("a/eye.jpg", 0),
        Row("eye.jpg", 0),
        Row("1.jpg (No. 4)", 0, source="b"),
        Row("1.jpg", 0),
        Row("3.jpg", 0, source="x"),
        Row("4.jpg", 0),
    ]
    found = [path.relative_to(tmp_path).as_posix() for path in find(rows, tmp_path)]
    assert found == ["a/eye.jpg", "a/eye.jpg", "b/1.jpg", "1.jpg", "deep/down/3.jpg", "4.jpg"]
    assert [path.is_file() for path in find(rows, tmp_path)] == [True] * 3 + [False, True, False]


def test_photographs_of_two_sources_do_not_share_a_file(tmp_path: Path) -> None:
    (tmp_path / "here").mkdir()
    (tmp_path / "here" / "1.jpg").touch()
    found = find([Row("1.jpg", 0, source="x"), Row("1.jpg", 0, source="y")], tmp_path)
    assert not any(path.is_file() for path in found)
