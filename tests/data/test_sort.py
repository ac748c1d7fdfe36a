"""A label table as class folders, and back."""

from __future__ import annotations

import errno
import os
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from fundoscope.data import manifest as manifests
from fundoscope.data import sort as sorting
from fundoscope.data.class_folders import from_class_folders
from fundoscope.data.manifest import Manifest, Row
from fundoscope.data.sort import WAYS, sort
from fundoscope.errors import OutputError, TableError, UsageError


@pytest.fixture
def table(tmp_path: Path):
    def plant(*rows: Row) -> Manifest:
        folder = tmp_path / "set"
        for row in rows:
            (folder / row.image).parent.mkdir(parents=True, exist_ok=True)
            (folder / row.image).write_text(row.image)
        manifest = manifests.of_rows(folder, rows)
        manifests.write(manifest, folder / "table.csv")
        return manifests.read(folder / "table.csv")

    return plant


def files(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): path.read_text()
        for path in folder.rglob("*")
        if path.is_file() and path.name != "labels.csv"
    }


@pytest.mark.parametrize("way", WAYS)
def test_round_trip(table, tmp_path: Path, way: str) -> None:
    before = table(
        Row("photos/a 1.jpg", 0, split="train", patient="p1"),
        Row("photos/眼.png", 4, split="test"),
        Row("photos/c.jpg", 2, split="fold12"),
        Row("photos/twin.jpg", 2, split="excluded"),
    )
    done = sort(before, tmp_path / "out", way=way)
    assert files(tmp_path / "out") == {
        "train/0/a 1.jpg": "photos/a 1.jpg",
        "test/4/眼.png": "photos/眼.png",
        "fold12/2/c.jpg": "photos/c.jpg",
    }
    back = from_class_folders(tmp_path / "out")
    assert {(r.image, r.grade, r.split) for r in back.rows} == {
        (r.image, r.grade, r.split) for r in done.rows
    }
    again = manifests.read(tmp_path / "out" / "labels.csv")
    assert [(r.image, r.patient) for r in again.rows] == [(r.image, r.patient) for r in done.rows]
    again.require_files()
    first = tmp_path / "out" / "train" / "0" / "a 1.jpg"
    assert first.is_symlink() == (way == "symbolic")
    assert first.samefile(before.photograph(before.rows[0])) == (way != "copy")


def test_without_splits(table, tmp_path: Path) -> None:
    sort(table(Row("a.jpg", 3), Row("b.jpg", 0)), tmp_path / "out")
    assert set(files(tmp_path / "out")) == {"3/a.jpg", "0/b.jpg"}


def test_twin_names_are_told_apart(table, tmp_path: Path) -> None:
    rows = [
        Row("x/a.jpg", 1, source="x"),
        Row("y/a.jpg", 1, source="y"),
        Row("y/A.JPG", 1, source="y"),
        Row("y_a.jpg", 1),
        Row("z/a.jpg", 2),
    ]
    sort(table(*rows), tmp_path / "out")
    found = files(tmp_path / "out")
    assert sorted(found.values()) == sorted(row.image for row in rows)
    assert found["2/a.jpg"] == "z/a.jpg"
    assert len({name.casefold() for name in found}) == len(rows)
    assert found["1/x_a.jpg"] == "x/a.jpg"


def test_nothing_is_overwritten_unasked(table, tmp_path: Path) -> None:
    before, out = table(Row("a.jpg", 3), Row("b.jpg", 0)), tmp_path / "out"
    (out / "3").mkdir(parents=True)
    (out / "3" / "a.jpg").write_text("mine")
    (out / "3" / "other.jpg").write_text("mine as well")
    with pytest.raises(OutputError, match="exists already"):
        sort(before, out)
    assert files(out) == {"3/a.jpg": "mine", "3/other.jpg": "mine as well"}
    sort(before, out, overwrite=True)
    assert files(out) == {"3/a.jpg": "a.jpg", "3/other.jpg": "mine as well", "0/b.jpg": "b.jpg"}


def test_a_photograph_of_the_table_is_never_replaced(table, tmp_path: Path) -> None:
    before = table(Row("0/a.jpg", 1), Row("1/a.jpg", 0))
    folder = before.path.parent
    with pytest.raises(OutputError, match="is another photograph of the table"):
        sort(before, folder, overwrite=True)
    assert (folder / "0" / "a.jpg").read_text() == "0/a.jpg"


def test_what_lies_right_already_stays(table) -> None:
    before = table(Row("1/a.jpg", 1), Row("b.jpg", 2))
    folder = before.path.parent
    sort(before, folder, way="symbolic")
    assert not (folder / "1" / "a.jpg").is_symlink()
    assert (folder / "2" / "b.jpg").is_symlink()
    sort(before, folder, way="symbolic", overwrite=True)
    assert (folder / "b.jpg").read_text() == "b.jpg"


def test_a_missing_photograph_stops_before_the_first(table, tmp_path: Path) -> None:
    before = table(Row("a.jpg", 3), Row("b.jpg", 0))
    (before.path.parent / "b.jpg").unlink()
    with pytest.raises(TableError, match="does not exist"):
        sort(before, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_name_that_is_no_text_leaves_nothing_behind(table, tmp_path: Path) -> None:
    before = table(Row("a.jpg", 3))
    odd = Row(os.fsdecode(b"\xff.jpg"), 1)
    before.photograph(odd).write_text("odd")
    with pytest.raises(UsageError, match="not UTF-8 text"):
        sort(replace(before, rows=(*before.rows, odd)), tmp_path / "out")
    assert files(tmp_path / "out") == {}


def test_what_was_put_goes_again_when_the_disk_is_full(
    table, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(photograph: Path, target: Path) -> None:
        if photograph.name == "b.jpg":
            raise OSError(28, "No space left on device")
        shutil.copy2(photograph, target)

    monkeypatch.setitem(sorting.WAYS, "copy", full)  # type: ignore[arg-type]
    with pytest.raises(OutputError, match="No space left on device"):
        sort(table(Row("a.jpg", 3), Row("b.jpg", 0)), tmp_path / "out")
    assert files(tmp_path / "out") == {}


@pytest.mark.parametrize("split", ["../up", "7", "0", "Train/x", "mine"])
def test_a_split_that_is_no_folder(table, tmp_path: Path, split: str) -> None:
    with pytest.raises(UsageError, match="cannot be read again as a class folder"):
        sort(table(Row("a.jpg", 3, split=split)), tmp_path / "out")


def test_nothing_to_sort(table, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="has no rows to sort"):
        sort(table(Row("a.jpg", 3, split="excluded")), tmp_path / "out")


def test_paths_that_go_up_stay_inside(table, tmp_path: Path) -> None:
    before = table(Row("x/a.jpg", 3), Row("x/../x/../a.jpg", 3))
    sort(before, tmp_path / "out")
    sorted_into = files(tmp_path / "out")
    assert len([name for name in sorted_into if name.endswith("a.jpg")]) == 2
    assert all(name.startswith("3/") for name in sorted_into)


def test_a_file_is_no_folder_for_photographs(tmp_path):
    (tmp_path / "a.jpg").touch()
    (tmp_path / "out").touch()
    table = manifests.of_rows(tmp_path, [Row("a.jpg", 1)])
    with pytest.raises(OutputError, match="out: is a file; name a folder"):
        sort(table, tmp_path / "out")


def test_hard_links_to_another_disk_are_explained(tmp_path, monkeypatch):
    def across(*_: object) -> None:
        raise OSError(errno.EXDEV, "Invalid cross-device link")

    (tmp_path / "a.jpg").touch()
    table = manifests.of_rows(tmp_path, [Row("a.jpg", 1)])
    monkeypatch.setitem(WAYS, "hard", across)
    with pytest.raises(OutputError, match="try --link symbolic, or leave out --link"):
        sort(table, tmp_path / "out", way="hard")
